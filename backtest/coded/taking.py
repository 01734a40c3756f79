"""From a class to functions of the language, and to a strategy whose conditions call them.

What a class says at each bar becomes functions `<class>_<digest>_entry_long(n1, n2)` …: the code's digest
is part of their names, and so of everything that is known of a strategy. Sweeps, folds, stress tests, ledger
and record need to know no more of it than of any other strategy. Before a figure is given the code is run on
made-up histories cut short, and on the first real ones that it is asked for.
"""

from __future__ import annotations

import ast
import re
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from backtest.cage import histories
from backtest.cage.source import Bounded
from backtest.coded import populated, stepped
from backtest.coded.found import Floats, Found
from backtest.coded.quick import Quick
from backtest.coded.reading import CodeFile, read_file, running
from backtest.coded.stand_ins import crossover
from backtest.engine import derived
from backtest.engine.adopted import as_arguments, tried, warm_up_of
from backtest.engine.bank import IndicatorBank
from backtest.engine.derived import Bank, Parts
from backtest.errors import CodedError, StrategyError
from backtest.language import functions
from backtest.language.entry import TRUTH, UNBOUNDED, Entry, Image, Label
from backtest.language.functions import reserved
from backtest.language.tree import Call, Number
from backtest.strategy import TAKEN, StrategySpec
from backtest.types import CONDITIONS, EXIT_LEVELS, Bounds, Risk, Sizing, plain
from base.plugins import plugins
from base.reasons import told_known

CUTS = (150, 320, 505, 777, 901, 1100, 1313, 1490)
"""Bars of a made-up history after which the future is cut off, or another one planted."""

REAL_CUTS = 4
REAL_CUTS_BEHIND_SIGNALS = 6
FEWEST_BARS = 100
"""Bars that a real history needs to be looked at."""

_lock = threading.RLock()
_taken: dict[str, Coded] = {}


@dataclass(frozen=True, slots=True)
class Tuned:
    """A parameter of a class.

    Attributes:
        own: what the class calls it.
        name: what conditions call it.
        bounds: where it may lie.
    """

    own: str
    name: str
    bounds: Bounds

    @property
    def bounded(self) -> Bounded:
        """As functions of the library have theirs."""
        one = self.bounds
        return Bounded(self.name, one.low, one.high, float(one.default or 0.0), one.integer)


@dataclass
class Coded:
    """A class that was taken in.

    Attributes:
        file: where it stands.
        kind: the class.
        called: what its functions' names begin with.
        parameters: in order.
        places: fields of a strategy that it fills.
        risk: its stops and targets, as settings.
        looked: whether it was looked at on real prices.
    """

    file: CodeFile
    kind: type[Any]
    called: str
    parameters: tuple[Tuned, ...]
    places: tuple[str, ...]
    risk: dict[str, Any]
    looked: bool = field(default=False)

    @property
    def name(self) -> str:
        """Of the class, as strategies are called."""
        return _snake(self.kind.__name__)

    @property
    def stepped(self) -> bool:
        """Whether it goes through its bars one by one, which takes its time."""
        return issubclass(self.kind, stepped.Strategy)

    @cached_property
    def exclusive(self) -> bool:
        """Whether an order closes what stands against it: as the file's own backtest says, else yes."""
        tests = self.file.named("Backtest")
        told = [one.value for test in tests for one in test.keywords if one.arg == "exclusive_orders"]
        return not tests or any(isinstance(one, ast.Constant) and bool(one.value) for one in told)

    @cached_property
    def quick(self) -> Quick:
        """Its way to machine code."""
        written = [
            method
            for node in self.file.tree.body
            if isinstance(node, ast.ClassDef) and node.name == self.kind.__name__
            for method in node.body
            if isinstance(method, ast.FunctionDef) and method.name == "next"
        ]
        names = vars(sys.modules[self.kind.__module__])
        return Quick(written[0] if written else None, names, (crossover,))

    @property
    def notes(self) -> list[str]:
        """What its reader should know of how it is carried over, as names of sentences."""
        found = []
        if self.stepped:
            if self.quick.reason:
                found.append("slow")
            if not self.file.named("Backtest") and {"entry_long", "entry_short"} <= {*self.places}:
                found.append("exclusive")
            orders = (*self.file.calls("buy"), *self.file.calls("sell"))
            if any(one.arg == "size" for call in orders for one in call.keywords):
                found.append("sizes")
        elif "entry_short" in self.places:
            found.append("reverses")
        return found

    def run(self, prices: pd.DataFrame, values: Mapping[str, float]) -> Found:
        """What it says of a history.

        Args:
            prices: columns open, high, low, close, volume on their times.
            values: of its parameters, by the names that conditions use.

        Raises:
            CodedError: `strategy_raised`, `strategy_needs`, `strategy_absent`, `strategy_order_kind`,
                `strategy_moves_level`, `strategy_wrong_length`.
        """
        own = {
            one.own: int(values[one.name]) if one.bounds.integer else float(values[one.name])
            for one in self.parameters
        }
        with running(self.file.path):
            if self.stepped:
                return stepped.signals(self.kind, prices, own, self.exclusive, self.quick)
            return populated.signals(self.kind, prices.copy(), own)

    def defaults(self) -> dict[str, float]:
        """The values that the class has."""
        return {one.name: float(one.bounds.default or 0.0) for one in self.parameters}

    def spec(self, **values: Any) -> StrategySpec:
        """A strategy of it.

        Args:
            **values: of its parameters, by either name, and settings of risk and sizing.

        Raises:
            StrategyError: `unknown_parameter`, `parameter_out_of_bounds` …
        """
        params: dict[str, Any] = {name: plain(value) for name, value in self.defaults().items()}
        settings: dict[str, dict[str, Any]] = {"risk": dict(self.risk), "sizing": {}}
        own = {one.own: one.name for one in self.parameters}
        for name, value in values.items():
            known = own.get(name, name.lower())
            if known in params:
                params[known] = value
            elif known in Risk.model_fields:
                settings["risk"][known] = value
            elif known in Sizing.model_fields:
                settings["sizing"][known] = value
            else:
                known_names = (*params, *Risk.model_fields, *Sizing.model_fields)
                raise StrategyError("unknown_parameter", name=name, known=told_known(name, known_names))
        arguments = ", ".join(params)
        calls = {place: f"{self.called}_{place}({arguments})" for place in self.places}
        return StrategySpec.model_validate(
            {
                "name": self.name,
                "params": params,
                "param_bounds": {one.name: one.bounds for one in self.parameters},
                **{place: call if place in EXIT_LEVELS else f"{call} > 0" for place, call in calls.items()},
                **settings,
            }
        )


def from_code(path: str | Path, strategy: str | None = None, **values: Any) -> StrategySpec:
    """A strategy that stands in a Python file: a class of backtesting.py's or freqtrade's style.

    The file runs in this process with your rights: use your own code, or what you have read.

    Args:
        path: of the file.
        strategy: the class; may be left out where there is one only.
        **values: of its parameters, and settings of risk and sizing, where they differ from its own.

    Raises:
        CodedError: the file cannot be read or run; it is no strategy; it knows the future; or it does what is
            not carried over.
        StrategyError: a value does not fit.
    """
    return take(Path(path), strategy).spec(**values)


def take(path: Path, strategy: str | None = None) -> Coded:
    """Take a class into the language of this process; the same one again changes nothing.

    Raises:
        CodedError: as `from_code`.
    """
    with _lock:
        file = read_file(path)
        if strategy is None and len(file.classes) > 1:
            raise CodedError("several_strategies", path=str(path), known=", ".join(file.classes))
        name = next(iter(file.classes)) if strategy is None else strategy
        if name not in file.classes:
            known = told_known(name, file.classes)
            raise CodedError("unknown_strategy_class", path=str(path), name=name, known=known)
        called = f"{_snake(name)}_{file.digest}"
        if called not in _taken:
            with running(file.path):
                found = _made(file, file.classes[name], called)
            measured = _examined(found)
            for place in found.places:
                functions.add(_entry(found, place, measured))
                derived.add_rule(f"{called}_{place}", _Rule(found))
            _taken[called] = found
        return _taken[called]


def named_in(conditions: str) -> list[Coded]:
    """The classes whose functions are called in conditions."""
    with _lock:
        return [one for called, one in sorted(_taken.items()) if f"{called}_" in conditions]


def _made(file: CodeFile, kind: type[Any], called: str) -> Coded:
    """What a class declares.

    Raises:
        CodedError: `strategy_callback`, `strategy_timeframe`, `strategy_bounds`, `no_orders`.
    """
    if issubclass(kind, stepped.Strategy):
        parameters = tuple(
            Tuned(name, _free(name), _bounds_of(file, kind, name, value))
            for name, value in _attributes(kind).items()
        )
        return Coded(file, kind, called, parameters, _ordered(file), {})
    populated.check(kind)
    parameters = tuple(
        Tuned(name, _free(name), _declared_bounds(one)) for name, one in populated.declared(kind).items()
    )
    sides = ("long", "short") if kind.can_short else ("long",)
    places = tuple(place for place in CONDITIONS if place.endswith(sides))
    return Coded(file, kind, called, parameters, places, populated.risk(kind))


def _ordered(file: CodeFile) -> tuple[str, ...]:
    """The fields of a strategy that the orders of a file fill.

    Raises:
        CodedError: `no_orders`.
    """
    found: list[str] = []
    orders = {"long": file.calls("buy"), "short": file.calls("sell")}
    leaves = file.calls("close")
    for side, calls in orders.items():
        if not calls:
            continue
        found += [f"entry_{side}", *([f"exit_{side}"] if leaves else [])]
        given = {one.arg for call in calls for one in call.keywords}
        for keyword, place in (("sl", f"exit_stop_{side}"), ("tp", f"exit_limit_{side}")):
            found += [place] if given & {keyword, None} else []
    if not found:
        raise CodedError("no_orders", path=str(file.path))
    return tuple(found)


def _attributes(kind: type[Any]) -> dict[str, float]:
    """Numbers that stand in a class of backtesting.py's style: its parameters, in the order of the class."""
    found: dict[str, float] = {}
    for parent in reversed(kind.__mro__):
        if issubclass(parent, stepped.Strategy) and parent is not stepped.Strategy:
            for name, value in vars(parent).items():
                if (
                    not name.startswith("_")
                    and isinstance(value, int | float)
                    and not isinstance(value, bool)
                ):
                    found[name] = value
    return found


def _bounds_of(file: CodeFile, kind: type[Any], name: str, value: float) -> Bounds:
    """From `bounds` of the class, else from what the file's own `optimize(...)` goes through, else around it.

    Raises:
        CodedError: `strategy_bounds`.
    """
    whole = isinstance(value, int)
    low, high, step = _around(value)
    for call in file.calls("optimize"):
        for given in call.keywords:
            if given.arg == name and (values := _values(given.value)):
                low, high = min(values), max(values)
                step = float(min(np.diff(sorted(set(values)))) if len(set(values)) > 1 else 1)
    told = getattr(kind, "bounds", {})
    if isinstance(told, Mapping) and name in told:
        try:
            low, high, *rest = (float(one) for one in told[name])
        except (TypeError, ValueError):
            raise CodedError("strategy_bounds", name=name, value=str(told[name])) from None
        step = rest[0] if rest else max(1.0, (high - low) // 50) if whole else (high - low) / 50.0
    low, high = min(low, value), max(high, value)
    if whole:
        low, high, step = np.floor(low), np.ceil(high), max(1.0, np.floor(step))
    return Bounds(low=float(low), high=float(high), step=float(step), integer=whole, default=float(value))


def _around(value: float) -> tuple[float, float, float]:
    """A quarter of a value to four times it."""
    if value == 0:
        return 0.0, 1.0, 1.0
    ends = sorted((value / 4.0, value * 4.0))
    if isinstance(value, int):
        low, high = (int(np.ceil(ends[0])), int(ends[1])) if value > 0 else (int(ends[0]), -1)
        return float(max(low, 1) if value > 0 else low), float(high), float(max(1, abs(value) // 10))
    return ends[0], ends[1], float(f"{abs(value) / 10.0:.1g}")


def _values(node: ast.expr) -> list[float]:
    """The numbers of a range or a list that is written down; none of anything else."""
    try:
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("range", "np.arange", "numpy.arange"):
            return [float(one) for one in np.arange(*(ast.literal_eval(one) for one in node.args))]
        return [float(one) for one in ast.literal_eval(node)]
    except (ValueError, TypeError):
        return []


def _declared_bounds(one: populated.Parameter) -> Bounds:
    return Bounds(
        low=float(one.low),
        high=float(one.high),
        step=float(one.step),
        integer=one.whole,
        default=float(one.default),
    )


def _free(name: str) -> str:
    """A name that conditions may use."""
    lowered = name.lower()
    return f"own_{lowered}" if lowered in TAKEN or lowered in reserved() else lowered


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()[:40]


def _examined(one: Coded) -> dict[str, int]:
    """Run a class on made-up histories: refused where it knows the future, or gives other values each time.

    Returns:
        Bars before it can decide, as `backtest.engine.adopted.warm_up_of` takes them.

    Raises:
        CodedError: `strategy_knows_future`, `strategy_not_repeatable`, or as `Coded.run`.
    """
    history, usual = histories.walk(), one.defaults()
    prices = _table(history)
    whole = one.run(prices, usual)
    if _difference(whole, one.run(prices, usual)) is not None:
        raise CodedError("strategy_not_repeatable", name=one.kind.__name__)
    for place, cut in enumerate(CUTS):
        other = histories.walk(histories.BARS - cut, seed=100 + place).times(3.0 if place % 2 else 0.4)
        for changed in (prices.iloc[:cut], _table(history.part(0, cut).then(other))):
            _compared(one, whole, one.run(changed, usual), cut)
    measured = {"warm_up": whole.known_from}
    for bounded in (tuned.bounded for tuned in one.parameters if tuned.bounds.integer):
        for end, value in (("low", bounded.low), ("high", bounded.high)):
            try:
                found = one.run(prices, {**usual, bounded.name: tried(bounded, value)})
            except CodedError:
                continue  # a combination that its author has not meant
            measured[f"warm_up.{bounded.name}.{end}"] = found.known_from
    return measured


def _compared(one: Coded, whole: Found, other: Found, cut: int) -> None:
    """Refuse what the bars behind a cut change.

    Raises:
        CodedError: `strategy_knows_future`.
    """
    if (bar := _difference(whole, other, cut)) is not None:
        raise CodedError("strategy_knows_future", name=one.kind.__name__, bar=bar + 1, cut=cut)


def _difference(one: Found, other: Found, stop: int | None = None) -> int | None:
    """The first bar before `stop` on which two say something else; unknown is no signal."""
    bars = []
    for place, series in one.series.items():
        first, second = series[:stop], other.series[place][:stop]
        if place in CONDITIONS:
            differs = (first > 0.0) != (second > 0.0)
        else:
            unknown = np.isnan(first) | np.isnan(second)
            near = np.abs(first - second) <= 1e-9 * np.abs(first)
            differs = np.where(unknown, np.isnan(first) != np.isnan(second), ~near)
        if differs.any():
            bars.append(int(differs.argmax()))
    return min(bars, default=None)


def _look(one: Coded, whole: Found, prices: pd.DataFrame, values: Mapping[str, float]) -> None:
    """The same on real prices, cut evenly and just behind signals, where a future that is known must show."""
    bars = len(prices)
    told = np.flatnonzero(np.any([whole.series[place] > 0.0 for place in one.places], axis=0)) + 1
    told = told[(told >= bars // 4) & (told < bars)]
    behind = (
        told[np.linspace(0, len(told) - 1, REAL_CUTS_BEHIND_SIGNALS).astype(np.int64)] if len(told) else told
    )
    even = np.linspace(bars // 2, bars - 1, REAL_CUTS).astype(np.int64)
    for cut in np.unique(np.concatenate([even, behind])):
        _compared(one, whole, one.run(prices.iloc[: int(cut)], values), int(cut))


def _table(history: histories.History) -> pd.DataFrame:
    times = pd.date_range("2020-01-06", periods=len(history.close), freq="h", tz="UTC")
    return pd.DataFrame({name: getattr(history, name) for name in history.__slots__}, index=times)


def _entry(one: Coded, place: str, measured: dict[str, int]) -> Entry:
    """The entry of one of its functions."""
    bounded = tuple(tuned.bounded for tuned in one.parameters)
    spoken = f"{one.name} {place}".replace("_", " ")
    usual = ", ".join(f"{value.default:.12g}" for value in bounded)
    return Entry(
        name=f"{one.called}_{place}",
        label=Label(spoken, spoken),
        arguments=as_arguments(bounded),
        inputs=("volume",) if one.file.reads("volume") else (),
        warm_up=warm_up_of(bounded, measured),
        image=Image("none"),
        range=UNBOUNDED if place in EXIT_LEVELS else TRUTH,
        formula=f"{one.kind.__name__}, {place}",
        example=f"{one.called}_{place}({usual}) > 0",
        source=f"{one.file.path.name}; {one.file.digest}",
    )


class _Rule:
    """How its functions are computed: all of them in one run."""

    def __init__(self, one: Coded) -> None:
        self.one = one

    def __call__(self, bank: Bank, node: Call, *_: int) -> Parts:
        one = self.one
        assert isinstance(bank, IndicatorBank)
        prices = pd.DataFrame(bank.prices._asdict(), index=bank.clock_at_hand().times)
        given = zip(one.parameters, node.arguments, strict=True)
        values = {tuned.name: number.value for tuned, number in given if isinstance(number, Number)}
        with _lock:
            found = one.run(prices, values)
            if not one.looked and len(prices) >= FEWEST_BARS:
                _look(one, found, prices, values)
                one.looked = True
        series: dict[str, Floats] = found.series
        return {Call(f"{one.called}_{place}", node.arguments): series[place] for place in one.places}


def take_plugins() -> None:
    """Take in the files that somebody names as plugins, or whose strategy he asks for; what fails is kept."""
    for plugin in plugins():
        if plugin.kind == "strategies" and not plugin.adds and plugin.error is None:
            assert plugin.path is not None
            try:
                names = [*read_file(plugin.path).classes]
                plugin.adds = [take(plugin.path, name).name for name in names]
            except CodedError as error:
                plugin.error = plugin.fault("plugin_failed", detail=str(error).rstrip("."))


take_plugins()
