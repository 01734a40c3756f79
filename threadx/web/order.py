"""A run as the form describes it: checked here, and turned into the arguments of `threadx optimize`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlencode

import pandas as pd
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from backtest import ExpressionError, StrategySpec
from backtest.types import COST_NAMES, LADDERS, PLACES, plain
from base.plain_files import read_plain
from base.reasons import nearest
from base.references import joined, listed
from nodes.context import OptimizationContext
from nodes.errors import SettingError
from nodes.further import NO_FURTHER, Further
from nodes.given import read_input
from nodes.optimization.evidence.specs import own_strategy
from nodes.optimization.state import StrategyInput
from nodes.serving import refuse_model_files
from prompts import Language, Words
from providers import parse_reference
from record.types import Prices, Strategy
from threadx.web.errors import WebError
from threadx.web.uploads import FOLDER, PRICES, TABLES
from vault.datasets import DATASET_PREFIX, Dataset
from vault.readers.options import Reading
from vault.readers.prices import SAMPLE_PREFIX, read_prices
from vault.registered import find_registered

OWN = "own"
"""What a form calls a strategy of one's own conditions."""
ROLES = ("analyst", "strategist", "validator")
BUDGETS = ("max_iterations", "max_model_calls", "max_tokens", "max_seconds", "max_backtests")
STOPPING = ("target_score", "patience", "convergence_threshold")
SETTINGS = (*BUDGETS, *STOPPING, *COST_NAMES)
Value = float | str | None
"""Of a setting: a number, a table as it is written, or off."""
_AROUND = ("symbol", "timeframe", "gaps")
READING: dict[str, FieldInfo] = {
    **{name: StrategyInput.model_fields[name] for name in _AROUND},
    **Reading.model_fields,
}
"""What is known about a price file, under the names that the command's options have."""
OPTIONAL = frozenset({"max_model_calls", "max_tokens", "max_seconds", "max_backtests"})
"""Settings whose field may stay empty: there is no limit then."""


@dataclass(frozen=True, kw_only=True)
class Order:
    """What to run.

    Attributes:
        data: `sample:NAME`, `dataset:HASH`, or an upload, relative to the data folder.
        strategy: name of a preset; `OWN` for conditions of one's own.
        conditions: of one's own, and levels of orders, by their place.
        params: parameters, and settings of risk and sizing, that differ from the preset's; of one's own
            strategy every parameter.
        further: tables and series beside the prices, which conditions of one's own may read.
        models: of each role, separated by commas, tried in order.
        settings: of `SETTINGS`; what is missing or None keeps its default.
        approve: a person decides before each iteration's tests; `code`: on proposals that bring code alone.
        allow_code: proposals may bring indicators of their own.
        population: other strategies compete with the given one; off, it alone is changed.
        debate: whether iterations end with a debate.
        named: prompts tell the instrument's name and calendar dates.
        pool: prices of further instruments, each as `data`, to be judged on together with it.
        others: prices of other instruments, each as `data`.
        reading: how the price file is to be read, by names of `READING`.
    """

    data: str
    strategy: str
    conditions: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, Value] = field(default_factory=dict)
    further: Further = field(default=NO_FURTHER, compare=False)
    models: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, float | None] = field(default_factory=dict)
    approve: bool | Literal["code"] = False
    allow_code: bool = False
    population: bool = True
    debate: bool = True
    named: bool = False
    pool: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    reading: Mapping[str, str | bool] = field(default_factory=dict)

    def spec(self) -> StrategySpec:
        """The strategy.

        Raises:
            BacktestError: it cannot be.
        """
        if self.strategy == OWN:
            inputs = self.further.used_by(self.conditions.values())
            return own_strategy(self.conditions, self.params, inputs)
        return StrategySpec.preset(self.strategy, **self.params)

    def tables(self, spec: StrategySpec) -> dict[str, pd.DataFrame]:
        """The tables that its strategy reads; one that no condition names yet is no fault."""
        read = {name.partition(".")[0] for name in spec.inputs}
        return {name: table for name, table in self.further.tables.items() if name in read}


def check(order: Order, language: Language, home: Path) -> None:
    """Refuse what the command would refuse, before anything is started.

    Raises:
        BacktestError: the strategy cannot be.
        ProviderError: a model cannot be meant.
        SettingError: a name that no field has; a model file that nobody chose for the pages.
        WebError: `no_models`, `bad_value`, `empty_field`.
        MarketError: the prices cannot be read in this way; `reading_of_registered`.
    """
    words = Words(language, "page")
    order.spec()
    for given, known in ((order.models, ROLES), (order.settings, SETTINGS), (order.reading, READING)):
        for name in given:
            if name not in known:
                raise SettingError("unknown_setting", name=name, nearest=nearest(name, known))
    for role in ROLES:
        named = listed(order.models.get(role, ""))
        if not named:
            raise WebError("no_models", role=role)
        for reference in named:
            parse_reference(reference)
        refuse_model_files(named, home)
    for name in SETTINGS:
        if name in order.settings and order.settings[name] is None and name not in OPTIONAL:
            label = words(f"web.setting.{name}")
            raise WebError("empty_field", label=label, limits=limits(name))
    set_values = {name: value for name, value in order.settings.items() if value is not None}
    try:
        OptimizationContext(language=language, home=str(home), **set_values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = str(first["loc"][0])
        label = words(f"web.setting.{name}")
        raise WebError("bad_value", name=label, value=str(first["input"]), limits=limits(name)) from None
    if order.data.startswith(DATASET_PREFIX):
        find_registered(order.data, home, **as_read(order.reading))
    elif order.reading:
        read_prices(source(order.data, home), home, **as_read(order.reading))


def as_read(reading: Mapping[str, str | bool]) -> dict[str, Any]:
    """Arguments of `vault.readers.prices.read_prices`, of what a form says.

    Raises:
        SettingError: an unknown name, or a value that cannot be.
    """
    around = {name: value for name, value in reading.items() if name in _AROUND}
    inside = {name: value for name, value in reading.items() if name not in _AROUND}
    given = read_input(StrategyInput, {"data": "-", **around, "reading": inside})
    return {name: getattr(given, name) for name in (*_AROUND, "reading")}


def limits(name: str) -> str:
    """Least and greatest value of a setting, as `1–200`; empty for one without."""
    found: dict[str, Any] = {}
    for rule in OptimizationContext.model_fields[name].metadata:
        for bound in ("ge", "le"):
            if hasattr(rule, bound):
                found[bound] = getattr(rule, bound)
    return f"{found['ge']:g}–{found['le']:g}" if len(found) == 2 else ""


def arguments(order: Order, run: str, language: Language, home: Path) -> list[str]:
    """The arguments of the command; each value stands with its option, so that none passes for another."""
    options = [f"--run={run}", f"--language={language}"]
    if order.strategy == OWN:
        options += [f"--{place.replace('_', '-')}={told}" for place, told in order.conditions.items()]
    else:
        options.append(f"--strategy={order.strategy}")
    options += _further(order.further, home)
    options += [f"--param={name}={_plain(value)}" for name, value in order.params.items()]
    options += [f"--{role}={joined(listed(order.models[role]))}" for role in ROLES]
    options += [
        f"--{name.replace('_', '-')}={_plain(value)}"
        for name, value in order.settings.items()
        if value is not None
    ]
    options += ["--approve=code" if order.approve == "code" else "--approve"] if order.approve else []
    options += ["--allow-code"] if order.allow_code else []
    options += [] if order.population else ["--search", "single"]
    options += [] if order.debate else ["--no-debate"]
    options += ["--named"] if order.named else []
    options += [
        f"--{name.replace('_', '-')}" + ("" if value is True else f"={value}")
        for name, value in order.reading.items()
    ]
    options += [f"--other={source(one, home)}" for one in order.others]
    return ["optimize", *options, *(source(one, home) for one in (order.data, *order.pool))]


def _further(further: Further, home: Path) -> list[str]:
    """The tables, and what is described of their series: what the strategy does not read, changes may."""
    told = [f"--with={name}={source(reference, home)}" for name, reference in further.references.items()]
    return told + [f"--input={name}={one.kind},{one.known}" for name, one in further.declared.items()]


def order_query(order: Order) -> str:
    """The query that has a form begin with an order: its prices, strategy, costs, and how a file is read."""
    told = [("data", order.data), ("strategy", order.strategy)]
    told += [(place, condition) for place, condition in order.conditions.items()]
    groups: dict[str, Mapping[str, Value]] = {"param": order.params, "setting": order.settings}
    for key, values in groups.items():
        told += [(key, f"{name}={_plain(value)}") for name, value in values.items()]
    told += [("reading", f"{name}={value}") for name, value in order.reading.items()]
    return urlencode([pair for pair in told if pair[1]])


def asked_order(query: Sequence[tuple[str, str]]) -> Order:
    """The order that a query tells; what it leaves out is empty.

    Raises:
        WebError: `bad_link`: a value that is none, or has no name.
    """
    once = dict(query)
    groups: dict[str, dict[str, str]] = {"param": {}, "setting": {}, "reading": {}}
    for key, pair in query:
        if key in groups:
            name, equals, value = pair.partition("=")
            if not equals:
                raise WebError("bad_link", part=pair)
            groups[key][name] = value
    return Order(
        data=once.get("data", ""),
        strategy=once.get("strategy", ""),
        conditions={place: once[place] for place in PLACES if place in once},
        params={
            name: value if name in LADDERS and value != "none" else _number(value, name)
            for name, value in groups["param"].items()
        },
        settings={name: _number(value, name) for name, value in groups["setting"].items()},
        reading={name: value == "True" or value for name, value in groups["reading"].items()},
    )


def begun_with(query: Sequence[tuple[str, str]], words: Words) -> tuple[Order, str]:
    """What a form is to begin with; nothing, and the reason, where its address cannot be read."""
    try:
        return asked_order(query), ""
    except WebError as error:
        return Order(data="", strategy=""), words.told(error)


def _number(told: str, name: str) -> float | None:
    if told == "none":
        return None
    try:
        return plain(float(told))
    except (ValueError, OverflowError):
        raise WebError("bad_link", part=f"{name}={told}") from None


def form_query(data: object, dataset: Prices | None, strategy: Strategy | None) -> str:
    """The query that has the form begin with the prices of a run, and with its strategy.

    Args:
        data: what the run was given.
        dataset: what was read of it; None before it was.
        strategy: the run's; None leaves the choice open.
    """
    sample = isinstance(data, str) and data.startswith(SAMPLE_PREFIX)
    known = "" if dataset is None else f"{DATASET_PREFIX}{dataset['development_hash']}"
    prices = str(data) if sample else known
    try:
        spec = None if strategy is None else StrategySpec.model_validate(strategy)
    except ExpressionError:  # the code that its conditions call is not here
        spec = None
    return order_query(order_of(prices, spec))


def order_of(data: str, spec: StrategySpec | None) -> Order:
    """An order of a strategy on prices, as far as a form has fields for it.

    Of a strategy that reads further series, the form has no more than the preset that it came from.
    """
    if spec is None:
        return Order(data=data, strategy="")
    family = spec.family or ""
    if spec.inputs:
        return Order(data=data, strategy=family)
    values: dict[str, Value] = {**spec.params, **spec.risk.active(), **spec.sizing.active()}
    if family:
        preset = StrategySpec.preset(family)
        if all(getattr(preset, place) == getattr(spec, place) for place in PLACES):
            off = {name: None for name in preset.risk.active() if name not in values}
            return Order(data=data, strategy=family, params={**values, **off})
    conditions = {place: told for place in PLACES if (told := getattr(spec, place))}
    return Order(data=data, strategy=OWN, conditions=conditions, params=values)


def source(data: str, home: Path) -> str:
    """Where the prices or a table of a form are found; uploads are named relative to the data folder."""
    return str(home / data) if data.startswith((f"{FOLDER}/", f"{TABLES}/", f"{PRICES}/")) else data


def _plain(value: Value) -> str:
    if value is None or isinstance(value, str):
        return value or "none"
    return str(int(value)) if float(value).is_integer() else repr(float(value))


def registered(home: Path) -> list[Dataset]:
    """The datasets registered in the data folder, by symbol and timeframe; unreadable ones are left out."""
    found = []
    for path in sorted((home / "datasets").glob("*.json")):
        try:
            dataset = Dataset.model_validate_json(read_plain(path))
        except (OSError, ValidationError):
            continue  # the folder also holds other small files
        if dataset.holdout_rows:
            found.append(dataset)
    return sorted(found, key=lambda one: (one.symbol, one.timeframe, one.development_hash))
