"""What the shared options ask for: costs, roles, a strategy, prices."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from backtest import GapPolicy, Risk, Sizing, StrategySpec
from backtest.types import CONDITIONS, COST_NAMES
from market.datasets import Dataset, load_development, open_holdout, register
from market.errors import MarketError
from market.prices import PriceSource, read_prices
from market.reading import Reading
from market.window import window
from prompts import Words
from threadx.errors import ThreadxError
from threadx.orchestrator import chain
from threadx.runner import make_reading


def take_costs(given: dict[str, Any]) -> dict[str, float | None]:
    """The options of cost, taken out of what a command was given."""
    return {name: given.pop(name) for name in COST_NAMES}


def take_reading(given: dict[str, Any]) -> Reading:
    """What the user knows about the price file, taken out of what a command was given."""
    return make_reading(**{name: given.pop(name) for name in Reading.model_fields})


def chosen_roles(given: dict[str, Any]) -> dict[str, Any]:
    """Settings of the context from what `roles` took; what was not given is left out or None.

    Raises:
        ThreadxError: `no_model`.
    """
    settings = dict(given)
    for role in ("analyst", "strategist", "validator"):
        named = settings.pop(role)
        if named is not None:
            parts = tuple(part.strip() for part in named.split(",") if part.strip())
            if not parts:
                raise ThreadxError("no_model", role=role)
            settings[role] = chain(parts[0]) if len(parts) == 1 else parts
    settings["use_validator"] = False if settings.pop("no_validator") else None
    settings["use_debate"] = False if settings.pop("no_debate") else None
    settings["approve"] = settings.pop("approve", False) or None
    return settings


def parameters(pairs: tuple[str, ...]) -> dict[str, float | None]:
    """`("fast_period=5", "stop_loss_pct=none")` as a mapping.

    Raises:
        ThreadxError: `bad_pair`.
    """
    found: dict[str, float | None] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        try:
            number = None if value.strip().lower() in ("none", "off") else float(value)
        except ValueError:
            raise ThreadxError("bad_pair", pair=pair) from None
        if not equals or not name.strip():
            raise ThreadxError("bad_pair", pair=pair)
        found[name.strip()] = number
    return found


def take_strategy(given: dict[str, Any]) -> StrategySpec:
    """The strategy that the options describe, taken out of what a command was given.

    That is a file, conditions of one's own, or a preset.

    Raises:
        BacktestError: not a valid strategy.
        ThreadxError: `no_strategy_file`, `bad_strategy_file`, `bad_pair`.
    """
    name, strategy_file = given.pop("strategy"), given.pop("strategy_file")
    conditions = {place: given.pop(place) for place in CONDITIONS}
    values = parameters(given.pop("pairs"))
    if strategy_file is not None:
        path = Path(strategy_file)
        if not path.is_file():
            raise ThreadxError("no_strategy_file", path=strategy_file)
        try:
            whole = json.loads(path.read_text(encoding="utf-8"))
        except (ValueError, OSError) as error:
            raise ThreadxError("bad_strategy_file", path=strategy_file, reason=str(error)) from None
        return StrategySpec.model_validate(whole)
    if any(conditions.values()):
        groups: dict[str, dict[str, float | None]] = {"params": {}, "risk": {}, "sizing": {}}
        for key, value in values.items():
            if key in Risk.model_fields or key in Sizing.model_fields:
                groups["risk" if key in Risk.model_fields else "sizing"][key] = value
            elif value is not None:
                groups["params"][key] = value
        return StrategySpec(name="own", **groups, **conditions)
    return StrategySpec.preset(name, **values)


def registered_prices(
    data: str,
    symbol: str | None,
    timeframe: str | None,
    gaps: GapPolicy,
    folder: Path,
    *,
    reading: Reading,
    reader: str | None,
) -> tuple[pd.DataFrame, Dataset, PriceSource]:
    """Prices read, checked and registered: their development part, or every row where the holdout is opened.

    `reading.start` and `reading.end` choose among those rows: the whole file is registered, so that the
    holdout is that of the file, whatever part of it is looked at.

    Args:
        data: a file, or `sample:NAME`.
        symbol: taken from the data if None.
        timeframe: of a bar, refused where the prices contradict it.
        gaps: what to do where bars are missing.
        folder: the data folder.
        reading: what the user knows about the file, and which bars are wanted.
        reader: opens the holdout too; the opening is logged under this name. None: development rows only.

    Raises:
        MarketError, BacktestError: the data cannot be used; `window_in_holdout` where the bars asked for
            are reserved.
    """
    frame, source = read_prices(
        data, folder, gaps=gaps, timeframe=timeframe, symbol=symbol, reading=reading.whole
    )
    window(frame, reading)  # an empty or unreadable one is refused before anything is registered or opened
    dataset = register(frame, symbol=source.symbol, timeframe=source.timeframe, home=folder)
    if reader is None:
        development = load_development(dataset, folder)
        if window(frame, reading).index[0] > development.index[-1]:
            raise MarketError("window_in_holdout", start=reading.start, boundary=dataset.boundary)
        return window(development, reading), dataset, source
    return window(open_holdout(dataset, folder, reader=reader)[0], reading), dataset, source


def gap_note(source: PriceSource, words: Words) -> str | None:
    """What to tell of gaps: nothing of holidays, which sessions always have, unless they were filled."""
    if not source.gaps or (source.sessions and source.policy == "accept"):
        return None
    return words(
        f"command.gaps_{source.policy}ed",
        count=words.number(source.gaps, 0),
        missing=words.number(source.missing_bars, 0),
    )
