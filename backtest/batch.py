"""Many configurations of one strategy, made ready for the fused kernel: what they share is computed once.

A condition is cut at its `and`s; each part depends on few of the parameters, so a grid has far fewer parts
than configurations. Each becomes one bit a bar, and a configuration is a list of such rows.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backtest.engine import SETTING_NAMES, Market, kernel_settings, pack
from backtest.errors import BacktestError
from backtest.evaluation import CODES
from backtest.executor import run_pieces
from backtest.functions import FUNCTIONS, warm_up
from backtest.presets import PRESETS
from backtest.simulation import (
    METRICS,
    RISKED,
    SETTINGS,
    STOP_ATR,
    STOP_PERCENT,
    TARGET_ATR,
    TRAILING_ATR,
    TRAILING_PERCENT,
    VOLATILITY,
    Floats,
    Words,
    cross_words,
    measure,
)
from backtest.strategy import StrategySpec
from backtest.tree import And, Call, Comparison, Node, bind, parameters
from backtest.types import Risk, Settings, Sizing

# What a single combination may do wrong although each of its values is allowed.
COMBINATION_FAULTS = ("parameter_order", "not_enough_bars", "risk_without_stop")

MOST_CHUNK = 65_536
_ROOM_FOR_WORDS = 48 * 2**20
_ROOM_FOR_SERIES = 2**30
_ROOM_KEPT = 192 * 2**20

Whole = NDArray[np.int64]


@dataclass(slots=True)
class _Bound:
    """One tree with its parameters bound: bars it needs, or why it cannot be; its series once computed."""

    node: Node
    warm_up: int = 0
    fault: str | None = None
    series: Floats | float | None = None
    operands: tuple[_Bound, ...] = ()


class _Part:
    """A tree with unbound parameters, and the axes of the grid it depends on."""

    def __init__(self, tree: Node, axes: Sequence[str]) -> None:
        used = parameters(tree)
        self.tree = tree
        self.axes = [name for name in axes if name in used]
        self.operands: tuple[_Part, _Part] | None = None
        self.own_warm_up = 0
        match tree:
            case Call(function="crosses_above" | "crosses_below" as function, arguments=(left, right)):
                self.operands = (_Part(left, axes), _Part(right, axes))
                self.own_warm_up = FUNCTIONS[function].warm_up()
            case Comparison(left=left, right=right):
                self.operands = (_Part(left, axes), _Part(right, axes))

    def keys(self, chosen: Mapping[str, Whole], shape: Mapping[str, int], count: int) -> Whole:
        """One number a configuration, equal where every axis it depends on has the same value."""
        found = np.zeros(count, dtype=np.int64)
        for name in self.axes:
            found = found * shape[name] + chosen[name]
        return found


@dataclass(frozen=True, kw_only=True, slots=True)
class Chunk:
    """Results of some consecutive combinations of a grid.

    Attributes:
        chosen: by axis, which of its values each surviving configuration has.
        metrics: one row a surviving configuration, in the order of `METRICS`; not finite where undefined.
        dropped: how many combinations make no sense, by error code.
    """

    chosen: dict[str, Whole]
    metrics: Floats
    dropped: Counter[str]


class Batch:
    """Runs any stretch of a grid, given the grid's values, each of them checked by itself.

    Args:
        market: prices and terms of trading.
        spec: the strategy; its own values hold where the grid says nothing.
        axes: values by name; combinations count in their order, the last name fastest.
        workers: pieces at a time.
    """

    def __init__(
        self, market: Market, spec: StrategySpec, axes: Mapping[str, list[Any]], workers: int | None = None
    ) -> None:
        self.market = market
        self.spec = spec
        self.axes = axes
        self.workers = workers
        self.shape = {name: len(values) for name, values in axes.items()}
        self.count = math.prod(self.shape.values())
        self.parts: list[_Part] = []
        self.places: list[list[int]] = []
        known: dict[Node, int] = {}
        for place in CODES:
            tree = spec.trees.get(place)
            operands = () if tree is None else tree.operands if isinstance(tree, And) else (tree,)
            for operand in operands:
                if operand not in known:
                    known[operand] = len(self.parts)
                    self.parts.append(_Part(operand, list(axes)))
            self.places.append([known[operand] for operand in operands])
        self._bound: dict[tuple[int, int], _Bound] = {}
        self._rows: dict[tuple[int, int], int] = {}
        self._words: Words = np.empty((0, 0), dtype=np.uint64)
        self._settings = kernel_settings(spec.risk, spec.sizing)

    @property
    def chunk_size(self) -> int:
        """Combinations at a time so that their series and bits keep within bounds."""
        bars = len(self.market.index)
        parts = max(1, len(self.parts))
        room = min(_ROOM_FOR_WORDS // (parts * (bars // 8 + 8)), _ROOM_FOR_SERIES // (parts * bars * 16))
        return max(1, min(MOST_CHUNK, room))

    def run(self, start: int, stop: int) -> Chunk:
        """Backtest the combinations from `start` to `stop` (excluded).

        Raises:
            BacktestError: a combination is impossible for another reason than `COMBINATION_FAULTS`.
        """
        places = np.unravel_index(np.arange(start, stop), tuple(self.shape.values())) if self.axes else ()
        chosen = {name: np.asarray(place) for name, place in zip(self.axes, places, strict=True)}
        dropped: Counter[str] = Counter()
        alive = self._ordered(chosen, stop - start)
        dropped["parameter_order"] += int((~alive).sum())
        chosen = {name: place[alive] for name, place in chosen.items()}
        count = int(alive.sum())

        keys = [part.keys(chosen, self.shape, count) for part in self.parts]
        longest = np.zeros(count, dtype=np.int64)
        faults = np.zeros(count, dtype=np.bool_)
        for part, key in zip(self.parts, keys, strict=True):
            found, first, inverse = np.unique(key, return_index=True, return_inverse=True)
            bound = [
                self._bind(part, int(one), chosen, int(at)) for one, at in zip(found, first, strict=True)
            ]
            longest = np.maximum(longest, np.array([one.warm_up for one in bound], dtype=np.int64)[inverse])
            faults |= np.array([one.fault is not None for one in bound], dtype=np.bool_)[inverse]
        table = self._setting_table(chosen, count)
        needs_atr = (table[:, [STOP_ATR, TARGET_ATR, TRAILING_ATR]] > 0.0).any(axis=1)
        atr_periods = np.where(needs_atr, self._values("atr_period", chosen, count), 0.0)
        windows = np.where(table[:, VOLATILITY] > 0.0, self._values("volatility_period", chosen, count), 0.0)
        stops = table[:, [STOP_PERCENT, STOP_ATR, TRAILING_PERCENT, TRAILING_ATR]]
        stopless = ~faults & (table[:, RISKED] > 0.0) & ~(stops > 0.0).any(axis=1)
        needed = 1 + np.maximum(np.maximum(longest, atr_periods), windows)
        short = ~faults & ~stopless & (needed > len(self.market.index))
        dropped["parameter_order"] += int(faults.sum())
        dropped["risk_without_stop"] += int(stopless.sum())
        dropped["not_enough_bars"] += int(short.sum())
        alive = ~faults & ~stopless & ~short
        chosen = {name: place[alive] for name, place in chosen.items()}
        metrics = self._trade(
            chosen, [key[alive] for key in keys], table[alive], atr_periods[alive], windows[alive]
        )
        return Chunk(chosen=chosen, metrics=metrics, dropped=+dropped)

    def _values(self, name: str, chosen: Mapping[str, Whole], count: int) -> Floats:
        """A parameter's or setting's value in each configuration; 0 where a setting is off."""
        if name in chosen:
            values = np.array([0.0 if value is None else float(value) for value in self.axes[name]])
            return values[chosen[name]]
        settings = self.spec.risk if name in Risk.model_fields else self.spec.sizing
        own = self.spec.params.get(name, getattr(settings, name, None))
        return np.full(count, 0.0 if own is None else float(own))

    def _ordered(self, chosen: Mapping[str, Whole], count: int) -> NDArray[np.bool_]:
        alive = np.ones(count, dtype=np.bool_)
        if self.spec.family is not None:
            for smaller, larger in PRESETS[self.spec.family].ordered:
                if smaller in self.spec.params and larger in self.spec.params:
                    alive &= self._values(smaller, chosen, count) < self._values(larger, chosen, count)
        return alive

    def _setting_table(self, chosen: Mapping[str, Whole], count: int) -> Floats:
        table = np.empty((count, SETTINGS))
        for place, name in enumerate(SETTING_NAMES):
            table[:, place] = self._values(name, chosen, count) if name in chosen else self._settings[place]
        return table

    def _params(self, names: Sequence[str], chosen: Mapping[str, Whole], at: int) -> dict[str, float]:
        """Values of the strategy's parameters in one configuration, those of `names` from the grid."""
        over = {name: float(self.axes[name][int(chosen[name][at])]) for name in names}
        return {**self.spec.params, **over}

    def _bind(self, part: _Part, key: int, chosen: Mapping[str, Whole], at: int) -> _Bound:
        """One part in the configuration `at`, bound once."""
        name = (id(part), key)  # not the tree: hashing one takes longer than the rest of this
        found = self._bound.get(name)
        if found is None:
            found = self._bound[name] = self._bind_new(part, chosen, at)
        return found

    def _bind_new(self, part: _Part, chosen: Mapping[str, Whole], at: int) -> _Bound:
        if part.operands is not None:
            left, right = self._operands(part, chosen, at)
            if isinstance(part.tree, Comparison):
                node: Node = Comparison(part.tree.operator, left.node, right.node)
            else:
                assert isinstance(part.tree, Call)
                node = Call(part.tree.function, (left.node, right.node))
            return _Bound(
                node,
                part.own_warm_up + max(left.warm_up, right.warm_up),
                left.fault or right.fault,
                operands=(left, right),
            )
        try:
            node = bind(part.tree, self._params(part.axes, chosen, at))
            return _Bound(node, warm_up(node))
        except BacktestError as error:
            if error.code not in COMBINATION_FAULTS:
                raise
            return _Bound(part.tree, fault=error.code)

    def _operands(self, part: _Part, chosen: Mapping[str, Whole], at: int) -> tuple[_Bound, _Bound]:
        assert part.operands is not None
        # In plain numbers: arrays of one value cost ten times as much, once for each part.
        found = []
        for operand in part.operands:
            key = 0
            for name in operand.axes:
                key = key * self.shape[name] + int(chosen[name][at])
            found.append(self._bind(operand, key, chosen, at))
        left, right = found
        return left, right

    def _trade(
        self, chosen: dict[str, Whole], keys: list[Whole], table: Floats, atr_periods: Floats, windows: Floats
    ) -> Floats:
        """The metrics of configurations that make sense."""
        count = table.shape[0]
        found = np.empty((count, len(METRICS)))
        if count == 0:
            return found
        rows = self._words_of(chosen, keys)
        atr, atr_rows = self._series_rows(atr_periods, self.market.atr)
        volatility, volatility_rows = self._series_rows(windows, self.market.volatility)
        settled = np.empty(count, dtype=np.bool_)

        def trade(piece: slice) -> None:
            self.market.trade_many(
                self._words,
                rows[piece],
                atr,
                atr_rows[piece],
                volatility,
                volatility_rows[piece],
                table[piece],
                found[piece],
                settled[piece],
            )

        run_pieces(trade, _slices(count, self.workers), workers=self.workers)
        for at in np.flatnonzero(~settled):
            self._measure(chosen, int(at), found[at])
        if sum(series.nbytes for series in self.market.bank.known()) > _ROOM_KEPT:
            self.market.bank.forget()
        if len(self._bound) > MOST_CHUNK:
            self._bound.clear()
        return found

    def _series_rows(
        self, periods: Floats, series: Callable[[float], Floats]
    ) -> tuple[Floats, NDArray[np.int32]]:
        """A series a row for each period in use (0 for none), and the row of each configuration."""
        wanted, rows = np.unique(periods, return_inverse=True)
        nothing = np.full(len(self.market.index), np.nan)
        return np.array([series(one) if one else nothing for one in wanted]), rows.astype(np.int32)

    def _words_of(self, chosen: dict[str, Whole], keys: list[Whole]) -> NDArray[np.int32]:
        """Fill `_words` with every part's bits; which rows each configuration needs."""
        count = keys[0].size
        depth = max(len(parts) for parts in self.places)
        rows = np.full((count, len(self.places), depth), -1, dtype=np.int32)
        places: dict[tuple[int, int], int] = {}
        missing: list[tuple[int, Callable[[Words], None]]] = []
        bounds: list[_Bound] = []
        for number, (part, key) in enumerate(zip(self.parts, keys, strict=True)):
            found, first, inverse = np.unique(key, return_index=True, return_inverse=True)
            offset = len(places)
            for one, at in zip(found.tolist(), first.tolist(), strict=True):
                places[number, one] = row = len(places)
                if (number, one) not in self._rows:
                    bound = self._bind(part, one, chosen, at)
                    bounds.extend(bound.operands)
                    missing.append((row, self._writer(bound)))
            for place, parts in enumerate(self.places):
                if number in parts:
                    rows[:, place, parts.index(number)] = (inverse + offset).astype(np.int32)

        words = np.empty((len(places), (len(self.market.index) + 63) // 64), dtype=np.uint64)
        for name, row in places.items():
            if (before := self._rows.get(name)) is not None:
                words[row] = self._words[before]
        # Operands first, each by one thread: conditions that share an average then find it computed.
        pending = {id(bound): bound for bound in bounds if bound.series is None}

        def compute(bound: _Bound) -> None:
            bound.series = self.market.bank.series(bound.node)

        def write(piece: slice) -> None:
            for row, writer in missing[piece]:
                writer(words[row])

        run_pieces(compute, pending.values(), workers=self.workers)
        run_pieces(write, _slices(len(missing), self.workers), workers=self.workers)
        # Only the bank keeps series from one chunk to the next, within its bounds.
        for bound in pending.values():
            bound.series = None
        self._rows, self._words = places, words
        return rows

    def _writer(self, bound: _Bound) -> Callable[[Words], None]:
        """What writes one part's bits into its row."""
        node = bound.node

        def write(row: Words) -> None:
            if bound.operands and isinstance(node, Call):
                first, second = (
                    np.full(len(self.market.index), one.series)
                    if isinstance(one.series, float)
                    else one.series
                    for one in bound.operands
                )
                assert first is not None
                assert second is not None
                cross_words(first, second, node.function == "crosses_above", row)
            else:
                row[:] = pack(self.market.bank.truth(node))

        return write

    def _measure(self, chosen: Mapping[str, Whole], at: int, out: Floats) -> None:
        """One configuration by the exact definition, bar by bar."""
        params = self._params([name for name in self.axes if name in self.spec.params], chosen, at)
        settings = {
            name: self.axes[name][int(chosen[name][at])] for name in self.axes if name not in self.spec.params
        }
        risk = Risk(**_merged(self.spec.risk, settings))
        sizing = Sizing(**_merged(self.spec.sizing, settings))
        signals = self.market.bank.signals(
            {place: bind(tree, params) for place, tree in self.spec.trees.items()}
        )
        equity, trades = self.market.buffers()
        count = self.market.simulate(signals, risk, sizing, equity, trades)
        terms = self.market.terms
        measure(equity, terms.capital, trades, count, terms.periods_per_year, out)


def _merged(own: Settings, chosen: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of one kind, those of a configuration over the strategy's own."""
    return {name: chosen.get(name, value) for name, value in own.model_dump().items()}


def _slices(count: int, workers: int | None) -> list[slice]:
    """Stretches of `count` things: few enough to start cheaply, enough to even out."""
    step = max(1, min(256, count // (8 * (workers or 4)) or 1))
    return [slice(start, min(count, start + step)) for start in range(0, count, step)]
