"""From bound conditions to signals: an indicator bank over one price history, and what is read from it.

What a condition cannot know is false: a comparison with a value that is not there (warm-up, division by zero)
is false, and so is its contrary.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backtest.data.arrays import PriceArrays, check_share, known_volume
from backtest.data.clock import Clock
from backtest.data.resampling import joined
from backtest.engine.derived import compute
from backtest.errors import RequestError
from backtest.kernels.indicators import unbroken_trend
from backtest.kernels.orders import CANCEL_LONG, CANCEL_SHORT, Levels
from backtest.kernels.simulation import ENTER_LONG, ENTER_SHORT, EXIT_LONG, EXIT_SHORT, Floats, Signals
from backtest.kernels.words import (
    ORDERS,
    Truth,
    Words,
    cross_words,
    known_words,
    level_words,
    order_words,
    pack,
    unpack,
)
from backtest.language.functions import CLOCK, lag_bars, periods, reads_volume, warm_up
from backtest.language.tree import (
    And,
    Arithmetic,
    At,
    Call,
    Comparison,
    Lag,
    Negative,
    Node,
    Not,
    Number,
    Or,
    Own,
    Series,
    walk,
)
from backtest.types import LEVELS

Further = Callable[[str], Floats]

CODES = {
    "entry_long": ENTER_LONG,
    "exit_long": EXIT_LONG,
    "entry_short": ENTER_SHORT,
    "exit_short": EXIT_SHORT,
}
CANCELS = {"cancel_long": CANCEL_LONG, "cancel_short": CANCEL_SHORT}
_CONTRARY = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}
_TURNED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}


class IndicatorBank:
    """Indicators of one price history, each computed once however many conditions and configurations use it.

    Args:
        prices: the history.
        clock: its times.
        further: columns that it has besides, by name.

    Threads may share a bank: at worst two of them compute the same array.
    """

    def __init__(
        self, prices: PriceArrays, clock: Clock | None = None, further: Further | None = None
    ) -> None:
        self.prices = prices
        self.clock = clock
        self.further = further
        self._higher: dict[str, tuple[IndicatorBank, NDArray[np.int64]]] = {}
        self.size = prices.close.size
        self._known: dict[Node, Floats] = {}
        self._conditions: dict[tuple[Node, bool], Words] = {}
        self._uses: Counter[Node] = Counter()

    def __reduce__(self) -> tuple[Any, ...]:
        """For another process: what was computed here would cost more to send than to compute again."""
        return IndicatorBank, (self.prices, self.clock, self.further)

    def keep_within(self, room: int) -> None:
        """Forget what was used least since this was last asked for; it is computed again when needed.

        Of series used alike those known longest stay: a grid that goes round many then finds some of them.

        Args:
            room: bytes that series may keep, those of higher timeframes included.
        """
        banks = [self, *(bank for bank, _ in self._higher.values())]
        if sum(series.nbytes for bank in banks for series in tuple(bank._known.values())) <= room:
            return
        kept = [(bank._uses[node], bank, node) for bank in banks for node in bank._known]
        for _, bank, node in sorted(kept, key=lambda one: -one[0]):
            room -= bank._known[node].nbytes
            if room < 0:
                del bank._known[node]
        for bank in banks:
            bank._conditions.clear()
            bank._uses = Counter({node: bank._uses[node] // 2 for node in bank._known})

    def series(self, node: Node) -> Floats | float:
        """The value of a bound tree at each bar; a plain number where it is constant."""
        match node:
            case Number(value=value):
                return value
            case Call():
                return self.call(node)
            case Own(name=name, kind=kind):
                return self.own(name, kind)
            case Series(name=name):
                return self.column(name)
            case Lag(operand=operand):
                return shifted(self.varying(operand), lag_bars(node))
            case Negative(operand=operand):
                # As in tiles: what is infinite is as unknown here as in any other arithmetic.
                return self.arithmetic("*", self.varying(operand), -1.0)
            case At():
                return self.seen(node)
            case Arithmetic(operator=operator, left=left, right=right):
                return self.arithmetic(operator, self.series(left), self.series(right))
            case _:
                raise TypeError(f"not a series: {node}")

    def varying(self, node: Node) -> Floats:
        """`series` of a tree that the parser has found to vary from bar to bar."""
        found = self.series(node)
        return np.full(self.size, found) if isinstance(found, float) else found

    def column(self, name: str) -> Floats:
        """A column of the prices.

        Raises:
            PriceError: `missing_volume`, where volume is asked for and a bar has none.
        """
        if name == "typical":
            key = Series(name)
            if key not in self._known:
                self._known[key] = (self.prices.high + self.prices.low + self.prices.close) / 3.0
            return self._known[key]
        if name in CLOCK:
            return self.clock_at_hand().field(name)
        values: Floats = getattr(self.prices, name)
        if name == "volume":
            known_volume(values)
        return values

    def own(self, name: str, kind: str) -> Floats:
        """A further series that a strategy declares; what is infinite is unknown.

        Raises:
            RequestError: `missing_input`, the data has no such column; `share_out_of_range`.
        """
        key = Own(name, kind)
        if key not in self._known:
            if self.further is None:
                raise RequestError("missing_input", name=name)
            values = self.further(name)
            if kind == "share":
                check_share(name, values)
            self._known[key] = np.where(np.isfinite(values), values, np.nan)
        return self._known[key]

    def check_columns(self, trees: Iterable[Node]) -> None:
        """Refuse conditions on volume where a bar has none, or on what the data has not, before computing.

        Raises:
            PriceError: `missing_volume`.
            RequestError: as `own`.
        """
        trees = list(trees)
        if any(reads_volume(tree) for tree in trees):
            known_volume(self.prices.volume)
        for part in (part for tree in trees for part in walk(tree) if isinstance(part, Own)):
            self.own(part.name, part.kind)

    def clock_at_hand(self) -> Clock:
        """The bars' times, which conditions on hours, days and higher timeframes need."""
        if self.clock is None:
            raise TypeError("this bank was made without a clock")
        return self.clock

    def days(self) -> NDArray[np.int64]:
        """The day of each bar, in the data's own time zone."""
        return self.clock_at_hand().days

    def higher(self, node: At) -> tuple[IndicatorBank, NDArray[np.int64]]:
        """A bank of a higher timeframe, and which of its bars is the last complete one at each bar.

        Raises:
            RequestError: `timeframe_not_higher`; `not_enough_higher_bars`, fewer than the tree needs.
        """
        if node.timeframe not in self._higher:
            first, times, visible = self.clock_at_hand().higher(node.timeframe)
            last = np.append(first[1:], self.size) - 1 if first.size else first
            above = IndicatorBank(joined(self.prices, first), Clock(times), self._last_known(last))
            self._higher[node.timeframe] = above, visible
        bank, visible = self._higher[node.timeframe]
        needed, complete = 1 + warm_up(node.operand), int(visible[-1]) + 1
        if complete < needed:
            raise RequestError(
                "not_enough_higher_bars", timeframe=node.timeframe, needed=needed, bars=complete
            )
        return bank, visible

    def _last_known(self, last: NDArray[np.int64]) -> Further | None:
        """Further columns of a higher timeframe: of each bar the value that its last one has."""
        return None if self.further is None else partial(rows_of, self.further, last)

    def check_higher(self, node: Node) -> None:
        """Refuse a bound tree that needs more bars of a higher timeframe than there are.

        Raises:
            RequestError: `timeframe_not_higher` or `not_enough_higher_bars`.
        """
        for part in walk(node):
            if isinstance(part, At):
                self.higher(part)

    def seen(self, node: At) -> Floats:
        """The values of a higher timeframe that are known at each bar."""
        if node not in self._known:
            bank, visible = self.higher(node)
            self._known[node] = np.where(visible >= 0, bank.varying(node.operand)[visible], np.nan)
        return self._known[node]

    @staticmethod
    def arithmetic(operator: str, left: Floats | float, right: Floats | float) -> Floats:
        """`left operator right`; a division by zero is not a number."""
        # An overflow is as unknown as a division by zero; neither may pass for a large value.
        with np.errstate(all="ignore"):
            match operator:
                case "+":
                    found = np.add(left, right)
                case "-":
                    found = np.subtract(left, right)
                case "*":
                    found = np.multiply(left, right)
                case _:
                    found = np.divide(left, right)
        found = np.asarray(found, dtype=np.float64)
        if not np.isfinite(found).all():
            found = np.where(np.isfinite(found), found, np.nan)
        return found

    def call(self, node: Call) -> Floats:
        """The series of a function that gives numbers, from the bank or computed now."""
        self._uses[node] += 1
        found = self._known.get(node)
        if found is None:
            parts = compute(self, node)
            self._known.update(parts)
            found = parts[node]
        return found

    def truth(self, node: Node, contrary: bool = False) -> Truth:
        """Where a bound condition (or its contrary) is known to hold."""
        return unpack(self.words(node, contrary), self.size)

    def words(self, node: Node, contrary: bool = False) -> Words:
        """As `truth`, one bit a bar."""
        match node:
            case Not(operand=operand):
                return self.words(operand, not contrary)
            case And(operands=operands) | Or(operands=operands):
                # The contrary of "all" is "any of the contraries".
                join = np.bitwise_and if isinstance(node, And) != contrary else np.bitwise_or
                found = self.part(operands[0], contrary)
                for operand in operands[1:]:
                    found = join(found, self.part(operand, contrary))
                return found
            case Comparison(operator=operator, left=left, right=right):
                operator = _CONTRARY[operator] if contrary else operator
                return self.compare(operator, self.series(left), self.series(right))
            case At(operand=operand):
                bank, visible = self.higher(node)
                return pack(bank.truth(operand, contrary)[visible] & (visible >= 0))
            case Lag(operand=operand):
                return pack(shifted_truth(self.truth(operand, contrary), lag_bars(node)))
            case Call(function=function, arguments=arguments):
                match function:
                    case "crosses_above" | "crosses_below":
                        sides = [self.varying(side) for side in arguments]
                        return self.crosses(function == "crosses_above", sides[0], sides[1], contrary)
                    case "rising" | "falling":
                        return self.runs(node, 1.0 if function == "rising" else -1.0, contrary)
        raise TypeError(f"not a condition: {node}")

    def part(self, node: Node, contrary: bool) -> Words:
        """As `words`, of a condition that is part of another: many of a grid share it."""
        key = node, contrary
        found = self._conditions.get(key)
        if found is None:
            found = self._conditions[key] = self.words(node, contrary)
        return found

    def compare(self, operator: str, first: Floats | float, second: Floats | float) -> Words:
        """Compare two series, of which one may be a number; false where either is not a number."""
        if isinstance(first, float):
            if isinstance(second, float):
                first = np.full(self.size, first)
            else:
                return self.compare(_TURNED[operator], second, first)
        found = np.empty((self.size + 63) // 64, dtype=np.uint64)
        if isinstance(second, float):
            level_words(first, second, ORDERS[operator], found)
        else:
            order_words(first, second, ORDERS[operator], found)
        return found

    def crosses(self, above: bool, first: Floats, second: Floats, contrary: bool) -> Words:
        """`previous <=` and now `>` (`previous >=` and now `<`); or that this is known not to be so."""
        if contrary:
            was, now = (">", "<=") if above else ("<", ">=")
            earlier = shifted_truth(unpack(self.compare(was, first, second), self.size), 1)
            return pack(earlier) | self.compare(now, first, second)
        up, down = np.empty((2, (self.size + 63) // 64), dtype=np.uint64)
        cross_words(
            first, second, known_words(first), known_words(second), np.zeros(2, dtype=np.uint64), up, down
        )
        return up if above else down

    def runs(self, node: Call, sign: float, contrary: bool) -> Words:
        """Whether each of the last `period` bars rose (fell); or that this is known not to be so."""
        if node not in self._known:
            self._known[node] = unbroken_trend(self.varying(node.arguments[0]), sign, *periods(node))
        return self.compare("==", self._known[node], 0.0 if contrary else 1.0)

    def signals(self, conditions: Mapping[str, Node]) -> Signals:
        """All conditions of a strategy as one code a bar, for the simulation; levels are no conditions.

        Raises:
            PriceError: `missing_volume`, before anything is computed.
        """
        self.check_columns(conditions.values())
        codes = np.zeros(self.size, dtype=np.uint8)
        for place, code in {**CODES, **CANCELS}.items():
            if place in conditions:
                codes |= self.truth(conditions[place]).view(np.uint8) * np.uint8(code)
        return codes

    def levels(self, trees: Mapping[str, Node]) -> Levels:
        """The prices of a strategy's entry orders at each bar, by their places among its trees."""
        return Levels(*(self.varying(trees[place]) if place in trees else np.empty(0) for place in LEVELS))


def rows_of(further: Further, rows: slice | NDArray[np.int64], name: str) -> Floats:
    """Some rows of a further column."""
    return further(name)[rows]


def shifted(values: Floats, bars: int) -> Floats:
    """The series `bars` bars ago: not a number before the first."""
    if bars == 0:
        return values
    found = np.full(values.size, np.nan)
    found[bars:] = values[:-bars]
    return found


def shifted_truth(values: Truth, bars: int) -> Truth:
    """The condition `bars` bars ago: false before the first."""
    if bars == 0:
        return values
    found = np.zeros(values.size, dtype=np.bool_)
    found[bars:] = values[:-bars]
    return found
