"""What the shared options ask for: costs, roles, a strategy, prices."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from backtest import Engine, GapPolicy, Risk, Sizing, StrategySpec, from_code
from backtest.coded.taking import named_in
from backtest.types import COST_NAMES, LADDERS, PLACES
from base.json_files import read_json
from base.paths import typed_path
from base.reasons import ReasonError, because
from base.references import listed
from nodes.counted import registered
from nodes.errors import SettingError
from nodes.further import NO_FURTHER, Further
from nodes.optimization.evidence.specs import chosen_strategy, own_strategy
from prompts import Words
from reports.tables import notice_lines
from threadx.commands import options
from threadx.errors import ThreadxError
from threadx.settings import chain, make_reading
from vault.datasets import Dataset
from vault.readers.further import ended_notices
from vault.readers.options import Reading
from vault.readers.prices import PriceSource

SWITCHES = frozenset(
    name for kind in (Risk, Sizing) for name, field in kind.model_fields.items() if field.annotation is bool
)
"""Settings of a strategy that are on or off."""
_SWITCHED = {
    **dict.fromkeys(("yes", "oui", "true", "on", "1", "1.0"), 1.0),
    **dict.fromkeys(("no", "non", "false", "off", "none", "0", "0.0"), 0.0),
}


def take_costs(given: dict[str, Any]) -> dict[str, float | None]:
    """The options of cost, taken out of what a command was given."""
    return {name: given.pop(name) for name in COST_NAMES}


def take_engine(given: dict[str, Any]) -> Engine | None:
    """Where the work is to be done, taken out of what a command was given; None where it says nothing.

    Raises:
        RequestError: as `backtest.Engine`.
    """
    kind, address = given.pop("engine"), given.pop("address")
    return Engine(kind or "threads", address) if kind or address else None


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
            parts = listed(named)
            if not parts:
                raise ThreadxError("no_model", role=role)
            settings[role] = chain(parts[0]) if len(parts) == 1 else parts
    settings["use_validator"] = False if settings.pop("no_validator") else None
    settings["use_debate"] = False if settings.pop("no_debate") else None
    settings["named"] = settings.pop("named") or None
    settings["approve"] = {None: None, "all": True}.get(settings.pop("approve", None), "code")
    settings["allow_code"] = settings.pop("allow_code", False) or None
    return settings


def parameters(pairs: tuple[str, ...]) -> dict[str, float | str | None]:
    """`("fast_period=5", "stop_loss_pct=none")` as a mapping.

    Raises:
        ThreadxError: `bad_pair`, `bad_switch`.
    """
    found: dict[str, float | str | None] = {}
    for pair in pairs:
        name, equals, value = (part.strip() for part in pair.partition("="))
        if name in SWITCHES:
            if value.lower() not in _SWITCHED:
                raise ThreadxError("bad_switch", pair=pair, name=name)
            found[name] = _SWITCHED[value.lower()]
            continue
        if name in LADDERS and value.lower() not in ("none", "off"):
            found[name] = value
            continue
        try:
            number = None if value.lower() in ("none", "off") else float(value)
        except ValueError:
            raise ThreadxError("bad_pair", pair=pair) from None
        if not equals or not name:
            raise ThreadxError("bad_pair", pair=pair)
        found[name] = number
    return found


def take_strategy(
    given: dict[str, Any], further: Further | None = None, *, offering: bool = False
) -> StrategySpec:
    """The strategy that the options describe, taken out of what a command was given.

    That is a file, conditions of one's own, or a preset.

    Args:
        given: the options.
        further: tables whose columns conditions of one's own may read.
        offering: what none of them reads is there for changes of the strategy.

    Raises:
        BacktestError: not a valid strategy.
        SettingError: `params_beside_strategy`: values or conditions beside a strategy file.
        ThreadxError: `input_without_condition`, `no_strategy_file`, `bad_strategy_file`, `bad_pair`.
    """
    name, strategy_file = given.pop("strategy"), given.pop("strategy_file")
    conditions = {place: given.pop(place) for place in PLACES}
    values = parameters(given.pop("pairs"))
    if further and further.declared and not offering and not any(conditions.values()):
        raise ThreadxError("input_without_condition", names=", ".join(further.declared))
    if strategy_file is not None:
        path = Path(strategy_file)
        if not path.is_file():
            raise ThreadxError("no_strategy_file", path=strategy_file)
        try:
            whole = read_json(path)
        except (ValueError, OSError, ReasonError) as error:
            raise ThreadxError("bad_strategy_file", path=strategy_file, reason=because(error)) from None
        beside = {**values, **{place: words for place, words in conditions.items() if words}}
        return chosen_strategy(StrategySpec.model_validate(whole), beside)
    if (code := options.OF_FILE.fullmatch(name)) and any(conditions.values()):
        raise SettingError(
            "params_beside_strategy", names=", ".join(one for one in conditions if conditions[one])
        )
    if code:
        return coded_strategy(name, values)
    if any(conditions.values()):
        known = further or NO_FURTHER
        read = (known.used_by if offering else known.read_by)(conditions.values())
        return own_strategy(conditions, values, read)
    return StrategySpec.preset(name, **values)


def coded_strategy(named: str, values: Mapping[str, float | str | None]) -> StrategySpec:
    """The strategy of a Python file, `FILE.py` or `FILE.py:CLASS`.

    Raises:
        CodedError: it cannot be taken in.
        StrategyError: a value does not fit.
        ThreadxError: `no_strategy_file`.
    """
    path, _, kind = named.rpartition(":") if not named.lower().endswith(".py") else (named, "", "")
    if not typed_path(path).is_file():
        raise ThreadxError("no_strategy_file", path=path)
    return from_code(typed_path(path), kind or None, **values)


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
    """Prices of a file or a sample, as `nodes.counted.registered` gives them, and where they came from."""
    found = registered(
        data, symbol=symbol, timeframe=timeframe, gaps=gaps, home=folder, reading=reading, reader=reader
    )
    return found.prices, found.dataset, found.source


def code_notes(spec: StrategySpec, words: Words) -> list[str]:
    """What to tell of a strategy that is code."""
    return [
        words(f"command.code.{note}", file=one.file.path.name)
        for one in named_in(spec.model_dump_json())
        for note in one.notes
    ]


def price_notes(source: PriceSource, words: Words) -> list[str]:
    """What to tell of how the prices were read, and of their gaps."""
    gap = gap_note(source, words)
    return [*notice_lines(source.told(), words), *([gap] if gap else [])]


def ended_notes(
    prices: pd.DataFrame, tables: Mapping[str, pd.DataFrame], spec: StrategySpec, words: Words
) -> list[str]:
    """What to tell of further tables that end long before the prices."""
    found = ended_notices(prices, tables, spec)
    return notice_lines([one.model_dump(mode="json") for one in found], words)


def gap_note(source: PriceSource, words: Words) -> str | None:
    """What to tell of gaps: nothing of holidays, which sessions always have, unless they were filled."""
    if not source.gaps or (source.sessions and source.policy == "accept"):
        return None
    return words(
        f"command.gaps_{source.policy}ed",
        count=words.number(source.gaps, 0),
        missing=words.number(source.missing_bars, 0),
    )
