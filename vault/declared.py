"""Hypotheses that were declared before anybody looked: one a market, written once, judged once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from backtest import Costs, StrategySpec
from backtest.types import Fill
from base import locks, private
from base.files import file_name, write_text_atomically
from base.plain_files import read_plain
from vault import seals
from vault.datasets import Dataset, one_market, openings
from vault.errors import MarketError
from vault.ledger import Ledger
from vault.readers.options import Reading
from vault.sealed import Sealed, read_sealed, write_sealed

_FOLDER = "declared"
MOST_TEXT = 500

Direction = Literal["above", "below"]


class Declaration(Sealed):
    """What was predicted, and when.

    Attributes:
        family: the market.
        symbol, timeframe, development_hash: of the prices that were named.
        text: the idea, in its author's words.
        direction: whether the strategy is to earn more or less than holding with the same exposure.
        strategy, strategy_hash: what is tested, no value left open.
        costs, fill: on which terms.
        declared_by: `person`, or the reference of a model.
        declared_at: ISO time, UTC.
    """

    version: Literal[1] = 1
    family: str
    symbol: str
    timeframe: str
    development_hash: str
    text: Annotated[str, Field(min_length=1, max_length=MOST_TEXT)]
    direction: Direction
    strategy: dict[str, Any]
    strategy_hash: str
    costs: Costs
    fill: Fill
    declared_by: Annotated[str, Field(min_length=1, max_length=200)]
    declared_at: str

    @model_validator(mode="after")
    def _hangs_together(self) -> Self:
        if StrategySpec.model_validate(self.strategy).hash != self.strategy_hash:
            raise ValueError("another strategy")
        return self


def whole_market(reading: Reading) -> Reading:
    """How prices are read for a declaration: none of their bars left out.

    Raises:
        MarketError: `declare_window`: a first or last bar is named.
    """
    for option in ("start", "end"):
        if getattr(reading, option) is not None:
            raise MarketError("declare_window", option=f"--{option}")
    return reading


def declare(
    dataset: Dataset,
    home: Path,
    *,
    text: str,
    strategy: StrategySpec,
    direction: Direction,
    costs: Costs,
    fill: Fill,
    declared_by: str,
) -> Declaration:
    """Write down one hypothesis about a market that nobody has looked at yet; nothing is tested.

    Args:
        dataset: registered prices; their rows are not read.
        home: the data folder.
        text: the idea.
        strategy: what it says to do.
        direction: what it says of the excess over holding.
        costs: of trading.
        fill: where orders are filled.
        declared_by: `person`, or the reference of a model.

    Raises:
        MarketError: `declared_text`: no text, or more than `MOST_TEXT` characters; `declared_late`:
            configurations of this market were tried or its holdout was opened, so that this is part of
            that search; `declared_before`: the market has its one hypothesis; `declared_inputs`: the strategy
            reads more than prices; `damaged_declaration`, `unusable_ledger`, `damaged_splits`.
        OSError: the data folder cannot be written.
    """
    if strategy.inputs:
        raise MarketError("declared_inputs", names=", ".join(strategy.inputs))
    words = text.strip()
    if not 0 < len(words) <= MOST_TEXT:
        raise MarketError("declared_text", letters=len(words), limit=MOST_TEXT)
    found = Declaration(
        family=dataset.family,
        symbol=dataset.symbol,
        timeframe=dataset.timeframe,
        development_hash=dataset.development_hash,
        text=words,
        direction=direction,
        strategy=strategy.model_dump(mode="json"),
        strategy_hash=strategy.hash,
        costs=costs,
        fill=fill,
        declared_by=declared_by,
        declared_at=seals.now().isoformat(timespec="seconds"),
    )
    path = _path(dataset.family, home)
    private.make_folder(path.parent)
    with locks.lock(path.parent / ".lock"):
        families = sorted(one_market(dataset.family, home))
        for family in families:
            if (known := read_declaration(family, home)) is not None:
                raise MarketError("declared_before", symbol=dataset.symbol, text=known.text)
        trials = sum(Ledger(home).snapshot(family).trials for family in families)
        looks = openings(dataset.family, home)
        if trials or looks:
            raise MarketError("declared_late", symbol=dataset.symbol, trials=trials, openings=looks)
        write_sealed(path, "declaration", found)
    return found


def read_declaration(family: str, home: Path) -> Declaration | None:
    """The hypothesis of a market; None where there is none.

    Raises:
        MarketError: `damaged_declaration`: it is not what was written.
    """
    path = _path(family, home)
    damaged = MarketError("damaged_declaration", path=str(path))
    found = read_sealed(path, "declaration", Declaration, damaged)
    if found is not None and found.family != family:
        raise damaged
    return found


def take(declaration: Declaration, home: Path, run: str) -> bool:
    """Whether a run is the one that judges a hypothesis: the first that asks, now and ever after.

    Raises:
        OSError: the data folder cannot be written.
    """
    path = _path(declaration.family, home).with_suffix(".taken")
    private.make_folder(path.parent)
    with locks.lock(path.parent / ".lock"):
        if path.exists():
            return read_plain(path).decode(errors="replace").strip() == run
        write_text_atomically(path, run + "\n")
    return True


def _path(family: str, home: Path) -> Path:
    return home / _FOLDER / f"{file_name(family)}.json"
