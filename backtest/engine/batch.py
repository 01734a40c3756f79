"""Many configurations of one strategy, made ready for the fused kernel: what they share is computed once.

A condition is cut at its `and`s and these at their `or`s; each part depends on few of the parameters, so a
grid has far fewer parts than configurations. Each becomes one bit a bar, and a configuration is a list of
such rows.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from backtest.engine.bank import CODES
from backtest.engine.executor import Executor, run_pieces
from backtest.engine.possible import never_true
from backtest.engine.run import SETTING_NAMES, Market, kernel_settings, kernel_value
from backtest.engine.tiles import MOST_ROWS, Wanted, sources, tiled, write_words
from backtest.errors import BacktestError
from backtest.kernels.simulation import (
    AMOUNT,
    FIGURES,
    RISKED,
    SETTINGS,
    SHARE,
    STOP_ATR,
    STOP_PERCENT,
    TARGET_ATR,
    TILE,
    TOGETHER,
    TRAILING_ATR,
    TRAILING_PERCENT,
    VOLATILITY,
    EstimateTable,
    Floats,
    measure,
)
from backtest.kernels.words import Words, cross_words, known_words
from backtest.language.functions import FUNCTIONS, warm_up
from backtest.language.tree import And, At, Call, Comparison, Node, Or, Own, Series, bind, parameters, walk
from backtest.presets import PRESETS
from backtest.strategy import SIDE_AXIS, StrategySpec
from backtest.types import LEVELS, Risk, Sizing
from base.cores import usable_cores

if TYPE_CHECKING:
    from backtest.kernels.device import Card

# What a combination may do wrong although each of its values is allowed,
_COMBINED = (
    "parameter_order",
    "not_enough_bars",
    "not_enough_higher_bars",
    "risk_without_stop",
    "entries_without_size",
    "never_true",
)
# and what it may where several parameters make one value together: `sma(close, slow - fast)`.
_TOGETHER = ("bad_period", "bad_number", "negative_lag", "constant_division_by_zero")
DROPPED = (*_COMBINED, *_TOGETHER)
# Of several faults a strategy by itself tells the one that it meets first.
_UNBOUND, _UNREADABLE, _UNCOVERED = range(3)

MOST_CHUNK = 65_536
_ROOM_FOR_WORDS = 24 * 2**20
_ROOM_FOR_SERIES = 2**29
_ROOM_KEPT = 48 * 2**20
_WALKED_AT_A_TIME = 1_024

Whole = NDArray[np.int64]


@dataclass(slots=True)
class _Bound:
    """A tree with its parameters bound: bars it needs, or why it cannot be.

    A fault is met at some point of reading the strategy, and lies in one value alone or in a combination.
    While a chunk is at work the sides of comparisons also hold their series, those of crossings also where
    it is known.
    """

    node: Node
    warm_up: int = 0
    fault: BacktestError | None = None
    met: int = _UNREADABLE
    alone: bool = False
    series: Floats | float | None = None
    known: Words | None = None


class _Tree:
    """A tree with unbound parameters, and the axes of the grid it depends on."""

    def __init__(self, tree: Node, axes: Sequence[str]) -> None:
        used = parameters(tree)
        self.tree = tree
        self.axes = [name for name in axes if name in used]
        self.looks_higher = any(isinstance(part, At) for part in walk(tree))
        self.tiled = tiled(tree)
        # Bound, it needs an array of its own: neither a number nor a column of the prices, nor made in tiles.
        self.computed = any(
            not isinstance(source, Series)
            and any(isinstance(one, At | Call | Own | Series) for one in walk(source))
            for source in sources(tree)
        )

    def keys(self, chosen: Mapping[str, Whole], shape: Mapping[str, int], count: int) -> Whole:
        """One number a configuration, equal where every axis it depends on has the same value."""
        found = np.zeros(count, dtype=np.int64)
        for name in self.axes:
            found = found * shape[name] + chosen[name]
        return found


class _Part(_Tree):
    """A condition that must hold, as the two sides of its comparison or crossing where it is one.

    A grid has few of either side and many pairs of them, so it is the sides that are bound.
    """

    def __init__(
        self, tree: Node, axes: Sequence[str], known: dict[Node, _Tree], joined: tuple[int, ...]
    ) -> None:
        super().__init__(tree, axes)
        # Of an `or`, or an `and` within one: the numbers of its own parts, whose bits are joined.
        self.joined = joined
        sides: tuple[Node, ...] = () if joined else (tree,)
        self.own_warm_up = 0
        self.operator = ""
        self.crosses = ""
        match tree:
            case Call(function="crosses_above" | "crosses_below" as function, arguments=(left, right)):
                sides = (left, right)
                self.own_warm_up = FUNCTIONS[function].bars()
                self.crosses = function
            case Comparison(operator=operator, left=left, right=right):
                sides = (left, right)
                self.operator = operator
        # Parts with equal sides share them, and what is computed for them.
        self.operands = tuple(known.setdefault(side, _Tree(side, axes)) for side in sides)
        self.compared = self.operands if self.crosses or self.operator else ()


class _Missing(NamedTuple):
    """Bits to be computed: of which part in which version, and into which row, by direction if it crosses."""

    part: _Part
    bounds: list[_Bound]
    rows: dict[str, int]

    def wanted(self) -> Wanted:
        """It as a condition on two series."""
        first, second = (bound.node for bound in self.bounds)
        rows = [self.rows.get(way, -1) for way in ("crosses_above", "crosses_below")]
        return Wanted(first, second, self.part.operator, (self.rows.get("", rows[0]), rows[1]))


class _Resolved(NamedTuple):
    """A part in the configurations of a chunk.

    Attributes:
        keys: the different versions of it.
        first: for each the first configuration that has it.
        inverse: which of them each configuration has.
        operands: for each side its bound trees, and which of them each version has.
    """

    keys: Whole
    first: Whole
    inverse: Whole
    operands: list[tuple[list[_Bound], Whole]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Chunk:
    """Results of some consecutive combinations of a grid.

    Attributes:
        chosen: by axis, which of its values each surviving configuration has.
        metrics: one row a surviving configuration, in the order of `METRICS`, not finite where undefined;
            behind them what `FIGURES` counts besides.
        dropped: how many combinations make no sense, by error code.
    """

    chosen: dict[str, Whole]
    metrics: Floats
    dropped: Counter[str]


class _Possible(NamedTuple):
    """Combinations that make sense, with what their backtests need; what was dropped, by code."""

    chosen: dict[str, Whole]
    keys: list[Whole]
    table: Floats
    atr_periods: Floats
    windows: Floats
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
        self.card: Card | None = None
        self.shape = {name: len(values) for name, values in axes.items()}
        self.count = math.prod(self.shape.values())
        self.parts: list[_Part] = []
        self._numbers: dict[Node, int] = {}
        self._sides: dict[Node, _Tree] = {}
        self.places: list[list[int]] = []
        # What the fused kernel does not know is walked, configuration by configuration.
        self.walked = not spec.trees.keys().isdisjoint(LEVELS) or any(
            getattr(spec.sizing if name in Sizing.model_fields else spec.risk, name) not in (None, 1)
            or name in axes
            for name in ("roi", "scale_out", "max_entries")
        )
        self.heard = tuple(spec.trees) if self.walked else tuple(CODES)
        for place in self.heard:
            tree = spec.trees.get(place)
            operands = () if tree is None else tree.operands if isinstance(tree, And) else (tree,)
            # A condition that is required twice is required.
            self.places.append(list(dict.fromkeys(map(self._numbered, operands))))
        self._conditions = {
            place: _Tree(tree, list(axes)) for place, tree in spec.trees.items() if place not in LEVELS
        }
        self._impossible: dict[str, NDArray[np.bool_]] = {}
        self._bound: dict[tuple[int, int], _Bound] = {}
        self._rows: dict[tuple[int, int], int] = {}
        self._words: Words = np.empty((0, 0), dtype=np.uint64)
        self._settings = kernel_settings(spec.risk, spec.sizing)

    def _numbered(self, tree: Node) -> int:
        """The number of a part, behind those that it joins."""
        if tree not in self._numbers:
            joined = tuple(map(self._numbered, tree.operands)) if isinstance(tree, And | Or) else ()
            self._numbers[tree] = len(self.parts)
            self.parts.append(_Part(tree, list(self.axes), self._sides, joined))
        return self._numbers[tree]

    def _within(self, numbers: Iterable[int]) -> Iterator[int]:
        """Parts, and all that they are joined from."""
        for number in numbers:
            yield number
            yield from self._within(self.parts[number].joined)

    @property
    def chunk_size(self) -> int:
        """Combinations at a time so that their series and bits keep within bounds."""
        bars = len(self.market.index)

        def too_many(size: int) -> bool:
            words = sum(self._versions(part, size) for part in self.parts)
            series = sum(self._versions(side, size) for side in self._sides.values() if side.computed)
            return words * (bars // 8 + 8) > _ROOM_FOR_WORDS or series * bars * 8 > _ROOM_FOR_SERIES

        return max(1, bisect_left(range(1, MOST_CHUNK + 1), True, key=too_many))

    def _versions(self, tree: _Tree, size: int) -> int:
        """How many versions of a tree so many consecutive combinations have at most."""
        if not tree.axes:
            return 1
        names = list(self.axes)
        inner = math.prod(self.shape[name] for name in names[names.index(tree.axes[-1]) + 1 :])
        return min(size, (size - 1) // inner + 2, math.prod(self.shape[name] for name in tree.axes))

    def __reduce__(self) -> tuple[Any, ...]:
        """For another process, whose other threads have work of their own; what was computed stays here."""
        return Batch, (self.market, self.spec, self.axes, 1)

    def chunks(self, executor: Executor, start: int = 0) -> Generator[tuple[int, Chunk], None, None]:
        """The grid from `start` on in its order: how far it is done, and what was found on the way there.

        Raises:
            BacktestError: as `run`; RequestError `workers_lost`.
        """
        for (_, _, stop), (chunk,) in self.chunks_over([], executor, start):
            yield stop, chunk

    def chunks_over(
        self, stretches: Sequence[tuple[int, int]], executor: Executor, start: int = 0
    ) -> Generator[tuple[_Stretch, list[Chunk]], None, None]:
        """As `chunks`, on stretches of bars: what `run_over` gives, by the pieces of the grid.

        Args:
            stretches: first bar, and behind the last one, of each; none for the whole history.
            executor: where it is done.
            start: the first combination.
        """
        self.card = executor.card
        size = executor.size(self.count - start, self.chunk_size)
        pieces = [
            (tuple(stretches), begin, min(self.count, begin + size))
            for begin in range(start, self.count, size)
        ]
        yield from zip(pieces, executor.results(_run, pieces, self), strict=True)

    def run(self, start: int, stop: int) -> Chunk:
        """Backtest the combinations from `start` to `stop` (excluded).

        Raises:
            BacktestError: a combination is impossible for another reason than those in `DROPPED`.
        """
        return self.run_over([self.market], np.arange(start, stop))[0]

    def run_over(self, markets: Sequence[Market], combinations: Whole) -> list[Chunk]:
        """As `run`, on stretches of the batch's market (`Market.between`), one chunk each.

        Indicators and conditions are those of the whole history: computed once, whatever the stretch.

        Args:
            markets: the stretches.
            combinations: any of them, by number.
        """
        kept = self._possible(combinations)
        traded = self._trade(markets, kept)
        return [Chunk(chosen=kept.chosen, metrics=metrics, dropped=kept.dropped) for metrics in traded]

    def possible(self, start: int, stop: int) -> dict[str, Whole]:
        """Which of these combinations make sense, as a `Chunk` tells it, without trading them.

        Raises:
            BacktestError: as `run`.
        """
        return self._possible(np.arange(start, stop)).chosen

    def _possible(self, combinations: Whole) -> _Possible:
        places = np.unravel_index(combinations, tuple(self.shape.values())) if self.axes else ()
        chosen = {name: np.asarray(place) for name, place in zip(self.axes, places, strict=True)}
        dropped: Counter[str] = Counter()
        alive = self._ordered(chosen, combinations.size)
        dropped["parameter_order"] += int((~alive).sum())
        chosen = {name: place[alive] for name, place in chosen.items()}
        count = int(alive.sum())

        table = self._setting_table(chosen, count)
        stops = table[:, [STOP_PERCENT, STOP_ATR, TRAILING_PERCENT, TRAILING_ATR]]
        stopless = (table[:, RISKED] > 0.0) & ~(stops > 0.0).any(axis=1)
        dropped["risk_without_stop"] += int(stopless.sum())
        sized = (table[:, [SHARE, AMOUNT, RISKED, VOLATILITY]] > 0.0).any(axis=1)
        sizeless = ~stopless & ~sized & (self._values("max_entries", chosen, count) > 1.0)
        dropped["entries_without_size"] += int(sizeless.sum())

        keys = [part.keys(chosen, self.shape, count) for part in self.parts]
        longest = np.zeros(count, dtype=np.int64)
        alive = ~stopless & ~sizeless
        faulty: dict[int, list[tuple[NDArray[np.bool_], list[_Bound], Whole]]] = {}
        for number, (part, key) in enumerate(zip(self.parts, keys, strict=True)):
            used = self._used(number, chosen, count)
            resolved = self._resolve(part, key, chosen)
            for bound, which in resolved.operands:
                place = which[resolved.inverse]
                warm_up = np.array([one.warm_up for one in bound], dtype=np.int64) + part.own_warm_up
                longest = np.maximum(longest, np.where(used, warm_up[place], 0))
                for met in {one.met for one in bound if one.fault}:
                    at_fault = np.array([bool(one.fault) and one.met == met for one in bound])[place]
                    faulty.setdefault(met, []).append((used & at_fault, bound, place))
        for met in (_UNBOUND, _UNREADABLE):
            alive = self._without(faulty.get(met, []), alive, dropped)
        for name, condition in self._conditions.items():
            if alive.any():
                at = condition.keys(chosen, self.shape, count)
                heard = self._heard([name], chosen, count)
                never = alive & heard & self._never_true(name)[at]
                dropped["never_true"] += int(never.sum())
                alive &= ~never
        needs_atr = (table[:, [STOP_ATR, TARGET_ATR, TRAILING_ATR]] > 0.0).any(axis=1)
        atr_periods = np.where(needs_atr, self._values("atr_period", chosen, count), 0.0)
        windows = np.where(table[:, VOLATILITY] > 0.0, self._values("volatility_period", chosen, count), 0.0)
        needed = 1 + np.maximum(np.maximum(longest, atr_periods), windows)
        short = alive & (needed > len(self.market.index))
        dropped["not_enough_bars"] += int(short.sum())
        alive = self._without(faulty.get(_UNCOVERED, []), alive & ~short, dropped)
        return _Possible(
            chosen={name: place[alive] for name, place in chosen.items()},
            keys=[key[alive] for key in keys],
            table=table[alive],
            atr_periods=atr_periods[alive],
            windows=windows[alive],
            dropped=+dropped,
        )

    @staticmethod
    def _without(
        faulty: list[tuple[NDArray[np.bool_], list[_Bound], Whole]],
        alive: NDArray[np.bool_],
        dropped: Counter[str],
    ) -> NDArray[np.bool_]:
        """The configurations left when those at fault are counted and gone.

        Raises:
            BacktestError: the fault lies in one value, not in the combination.
        """
        for at_fault, bound, place in faulty:
            for one, times in Counter(place[alive & at_fault].tolist()).items():
                error = bound[one].fault
                assert error is not None
                if bound[one].alone:
                    raise error
                dropped[error.code] += times
            alive = alive & ~at_fault
        return alive

    def _never_true(self, place: str) -> NDArray[np.bool_]:
        """Which versions of a condition can never be true, found once."""
        if place not in self._impossible:
            condition = self._conditions[place]
            self._impossible[place] = never_true(
                condition.tree, self.spec.params, {name: self.axes[name] for name in condition.axes}
            )
        return self._impossible[place]

    def _values(self, name: str, chosen: Mapping[str, Whole], count: int) -> Floats:
        """A parameter's or setting's value in each configuration; 0 where a setting is off."""
        if name in chosen:
            values = np.array([kernel_value(name, value) for value in self.axes[name]])
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

    def _used(self, number: int, chosen: Mapping[str, Whole], count: int) -> NDArray[np.bool_]:
        """Whether a part says anything in each configuration, given the sides that it trades."""
        places = [
            place
            for place, parts in zip(self.heard, self.places, strict=True)
            if number in self._within(parts)
        ]
        return self._heard(places, chosen, count)

    def _heard(self, places: Sequence[str], chosen: Mapping[str, Whole], count: int) -> NDArray[np.bool_]:
        """Whether any of some conditions is heard in each configuration, given the sides that it trades."""
        if SIDE_AXIS not in chosen:
            return np.ones(count, dtype=np.bool_)
        heard = [any(trades(side, place) for place in places) for side in self.axes[SIDE_AXIS]]
        return np.array(heard)[chosen[SIDE_AXIS]]

    def _setting_table(self, chosen: Mapping[str, Whole], count: int) -> Floats:
        table = np.empty((count, SETTINGS))
        for place, name in enumerate(SETTING_NAMES):
            table[:, place] = self._values(name, chosen, count) if name in chosen else self._settings[place]
        return table

    def _params(self, names: Sequence[str], chosen: Mapping[str, Whole], at: int) -> dict[str, float]:
        """Values of the strategy's parameters in one configuration, those of `names` from the grid."""
        over = {name: float(self.axes[name][int(chosen[name][at])]) for name in names}
        return {**self.spec.params, **over}

    def _resolve(self, part: _Part, key: Whole, chosen: Mapping[str, Whole]) -> _Resolved:
        """Bind what the configurations need of a part."""
        found, first, inverse = np.unique(key, return_index=True, return_inverse=True)
        operands = []
        for operand in part.operands:
            places = {name: chosen[name][first] for name in operand.axes}
            keys = operand.keys(places, self.shape, found.size)
            different, at, which = np.unique(keys, return_index=True, return_inverse=True)
            bound = [
                self._bind(operand, one, chosen, place)
                for one, place in zip(different.tolist(), first[at].tolist(), strict=True)
            ]
            operands.append((bound, which))
        return _Resolved(found, first, inverse, operands)

    def _bind(self, tree: _Tree, key: int, chosen: Mapping[str, Whole], at: int) -> _Bound:
        """One tree in the configuration `at`, bound once."""
        name = (id(tree), key)  # not the tree: hashing one takes longer than the rest of this
        found = self._bound.get(name)
        if found is None:
            found, met = _Bound(tree.tree), _UNBOUND
            try:
                node = bind(tree.tree, self._params(tree.axes, chosen, at))
                met = _UNREADABLE
                found = _Bound(node, warm_up(node))
                met = _UNCOVERED
                if tree.looks_higher:
                    self.market.bank.check_higher(node)
            except BacktestError as error:
                found.fault, found.met = error, met
                found.alone = error.code not in _COMBINED and (
                    error.code not in _TOGETHER or len(tree.axes) < 2
                )
            self._bound[name] = found
        return found

    def _trade(self, markets: Sequence[Market], kept: _Possible) -> Floats:
        """The metrics of configurations that make sense, markets × configurations × metrics."""
        count = len(kept.table)
        found = np.empty((len(markets), count, FIGURES))
        if count == 0:
            return found
        if self.walked:
            self._trade_each(markets, kept.chosen, found)
            return found
        rows = self._words_of(kept.chosen, kept.keys)
        atr, atr_rows = self._series_rows(kept.atr_periods, self.market.atr)
        volatility, volatility_rows = self._series_rows(kept.windows, self.market.volatility)
        settled = np.empty((len(markets), count), dtype=np.bool_)

        for market in markets:
            market.layout  # noqa: B018  # made here, not by each thread

        def trade(task: tuple[int, slice]) -> None:
            number, piece = task
            markets[number].trade_many(
                self._words,
                rows[piece],
                EstimateTable(atr, atr_rows[piece], volatility, volatility_rows[piece]),
                kept.table[piece],
                found[number, piece],
                settled[number, piece],
                card=self.card,
            )

        if self.card is not None:
            for number in range(len(markets)):
                trade((number, slice(0, count)))
        else:
            least = TOGETHER if len(self.market.index) > TILE else 1
            tasks = product(range(len(markets)), _slices(count, self.workers, len(markets), least))
            run_pieces(trade, tasks, workers=self.workers)
        for number, at in np.argwhere(~settled):
            self._measure(markets[number], kept.chosen, int(at), found[number, at])
        self._keep_within_bounds()
        return found

    def _trade_each(self, markets: Sequence[Market], chosen: Mapping[str, Whole], out: Floats) -> None:
        """As `_trade`, one configuration after the other as `run_backtest` does."""

        def trade(piece: slice) -> None:
            for at in range(piece.start, piece.stop):
                trees, risk, sizing = self._configured(chosen, at)
                signals, levels = self.market.bank.signals(trees), self.market.bank.levels(trees)
                for number, market in enumerate(markets):
                    bars = len(market.index)
                    account = market.account(signals[:bars], levels.until(bars), risk, sizing, measured=True)
                    out[number, at] = account.figures

        for start in range(0, out.shape[1], _WALKED_AT_A_TIME):
            stop = min(out.shape[1], start + _WALKED_AT_A_TIME)
            pieces = [
                slice(start + one.start, start + one.stop) for one in _slices(stop - start, self.workers)
            ]
            run_pieces(trade, pieces, workers=self.workers)
            self._keep_within_bounds()

    def _keep_within_bounds(self) -> None:
        """Forget what would take too much room; what is asked for again is made again."""
        self.market.bank.keep_within(_ROOM_KEPT)
        if len(self._bound) > MOST_CHUNK:
            self._bound.clear()

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
        missing: dict[tuple[int, ...], _Missing] = {}
        joins: list[tuple[_Part, Whole, Whole]] = []
        row_of: list[Whole] = []
        for number, (part, key) in enumerate(zip(self.parts, keys, strict=True)):
            resolved = self._resolve(part, key, chosen)
            offset = len(places)
            row_of.append(resolved.inverse + offset)
            if part.joined:
                joins.append((part, offset + np.arange(resolved.keys.size), resolved.first))
            sides = [[bound[one] for one in which.tolist()] for bound, which in resolved.operands]
            for at, one in enumerate(resolved.keys.tolist()):
                places[number, one] = offset + at
                if not part.joined and (number, one) not in self._rows:
                    bounds = [side[at] for side in sides]
                    if any(bound.fault for bound in bounds):
                        continue  # heard by no configuration that is left
                    # Crossing up and crossing down are found in one pass over the same two series.
                    name = tuple(map(id, bounds)) if part.crosses else (-1, offset + at)
                    found = missing.setdefault(name, _Missing(part, bounds, {}))
                    found.rows[part.crosses] = offset + at
            for place, parts in enumerate(self.places):
                for slot in (slot for slot, one in enumerate(parts) if one == number):
                    rows[:, place, slot] = row_of[number].astype(np.int32)
        if SIDE_AXIS in chosen:
            for place, condition in enumerate(CODES):
                silent = np.array([not trades(side, condition) for side in self.axes[SIDE_AXIS]])
                rows[silent[chosen[SIDE_AXIS]], place] = -1

        before = {
            row: self._words[self._rows[name]].copy() for name, row in places.items() if name in self._rows
        }
        # The bits of the chunk before make room for those of this one, which count once they are written.
        self._rows, self._words = {}, np.empty((0, 0), dtype=np.uint64)
        words = np.zeros((len(places), (len(self.market.index) + 63) // 64), dtype=np.uint64)
        for row, bits in before.items():
            words[row] = bits
        self._write_missing(list(missing.values()), words)
        for part, into, first in joins:
            join = np.bitwise_or if isinstance(part.tree, Or) else np.bitwise_and
            words[into] = words[row_of[part.joined[0]][first]]
            for number in part.joined[1:]:
                words[into] = join(words[into], words[row_of[number][first]])
        self._rows, self._words = places, words
        return rows

    def _write_missing(self, works: list[_Missing], words: Words) -> None:
        """Compute the sides of parts and write their bits."""
        bank = self.market.bank
        whole: list[_Missing] = []
        in_tiles: list[_Missing] = []
        for work in works:
            (in_tiles if any(side.tiled for side in work.part.compared) else whole).append(work)

        def write_tiles(section: list[_Missing]) -> None:
            write_words(bank, [work.wanted() for work in section], words)

        def compute(bound: _Bound) -> None:
            if bound.series is None:
                bound.series = bank.series(bound.node)

        def cross(bound: _Bound) -> None:
            if bound.known is None:
                bound.series = bank.varying(bound.node)
                bound.known = known_words(bound.series)

        def write(piece: slice) -> None:
            for work in whole[piece]:
                self._write(work, words)

        run_pieces(write_tiles, _sections(in_tiles, self.workers), workers=self.workers)
        pending: dict[int, _Bound] = {}
        crossing: dict[int, _Bound] = {}
        for work in whole:
            if work.part.compared:
                some = crossing if work.part.crosses else pending
                some.update((id(bound), bound) for bound in work.bounds)
        # Sides first, each by one thread: conditions that share an average then find it computed.
        run_pieces(cross, crossing.values(), workers=self.workers)
        run_pieces(compute, pending.values(), workers=self.workers)
        run_pieces(write, _slices(len(whole), self.workers), workers=self.workers)
        # Only the bank keeps series from one chunk to the next, within its bounds.
        for bound in [*crossing.values(), *pending.values()]:
            bound.series = bound.known = None

    def _write(self, work: _Missing, words: Words) -> None:
        """Versions of parts as bits, each into its row."""
        bank, bounds = self.market.bank, work.bounds
        if work.part.crosses:
            first, second = bounds
            assert isinstance(first.series, np.ndarray)
            assert isinstance(second.series, np.ndarray)
            assert first.known is not None
            assert second.known is not None
            up, down = (
                words[work.rows[way]] if way in work.rows else np.empty_like(words[0])
                for way in ("crosses_above", "crosses_below")
            )
            before = np.zeros(2, dtype=np.uint64)
            cross_words(first.series, second.series, first.known, second.known, before, up, down)
        elif work.part.operator:
            first, second = bounds
            assert first.series is not None
            assert second.series is not None
            words[work.rows[""]] = bank.compare(work.part.operator, first.series, second.series)
        else:
            words[work.rows[""]] = bank.words(bounds[0].node)

    def _configured(self, chosen: Mapping[str, Whole], at: int) -> tuple[dict[str, Node], Risk, Sizing]:
        """What one configuration hears, its parameters bound, and its settings."""
        params = self._params([name for name in self.axes if name in self.spec.params], chosen, at)
        settings = {
            name: self.axes[name][int(chosen[name][at])] for name in self.axes if name not in self.spec.params
        }
        risk = self.spec.risk.over(settings)
        sizing = self.spec.sizing.over(settings)
        side = settings.get(SIDE_AXIS, "both")
        trees = {place: bind(tree, params) for place, tree in self.spec.trees.items() if trades(side, place)}
        return trees, risk, sizing

    def _measure(self, market: Market, chosen: Mapping[str, Whole], at: int, out: Floats) -> None:
        """One configuration by the exact definition, bar by bar."""
        trees, risk, sizing = self._configured(chosen, at)
        signals = self.market.bank.signals(trees)
        equity, trades = market.buffers(signals)
        count, _ = market.simulate(signals[: len(market.index)], risk, sizing, equity, trades)
        terms = market.terms
        measure(equity, terms.capital, trades, count, terms.periods_per_year, out)


_Stretch = tuple[tuple[tuple[int, int], ...], int, int]
"""A piece of a grid: stretches of bars, the first combination, and behind the last one."""


def _run(batch: Batch, piece: _Stretch) -> list[Chunk]:
    """One piece of a grid, wherever the batch is."""
    stretches, start, stop = piece
    markets = [batch.market.between(*one) for one in stretches] or [batch.market]
    return batch.run_over(markets, np.arange(start, stop))


def trades(side: str, condition: str) -> bool:
    """Whether a condition (`entry_long` …) is heard where only these sides are traded."""
    return side == "both" or condition.endswith(side)


def _sections(works: list[_Missing], workers: int | None) -> list[list[_Missing]]:
    """Works on few different sides each, one at least for each worker; what shares a side stands together."""
    ranks: dict[int, int] = {}
    varied: defaultdict[_Part, tuple[set[int], ...]] = defaultdict(lambda: (set(), set()))
    for work in works:
        for bound, different in zip(work.bounds, varied[work.part], strict=True):
            different.add(id(bound))
            ranks.setdefault(id(bound), len(ranks))

    def rank(work: _Missing) -> int:
        first, second = varied[work.part]
        return ranks[id(work.bounds[len(second) > len(first)])]

    found: list[list[_Missing]] = []
    most = -(-len(works) // (workers or usable_cores()))
    sides: set[int] = set()
    for work in sorted(works, key=rank):
        sides |= set(map(id, work.bounds))
        if not found or len(sides) > MOST_ROWS or len(found[-1]) == most:
            found.append([])
            sides = set(map(id, work.bounds))
        found[-1].append(work)
    return found


def _slices(count: int, workers: int | None, times: int = 1, least: int = 1) -> list[slice]:
    """Stretches of `count` things, each done `times`: few enough to start cheaply, enough to even out.

    They are of `least` things where every worker still has one.
    """
    workers = workers or usable_cores()
    step = max(1, min(256, times * count // (8 * workers)), min(least, -(-times * count // workers)))
    return [slice(start, min(count, start + step)) for start in range(0, count, step)]
