"""Conditions on indicators of many periods, planned for `kernels.tiles`: no series of theirs is kept.

A side of a condition that is an indicator of `LANES`, or arithmetic or a lag of one, becomes rows of a tile;
whatever else stands in it is a source: a series of the bank, read tile by tile.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from backtest.engine.bank import IndicatorBank
from backtest.kernels.indicators import FEWEST_LANES
from backtest.kernels.tiles import (
    ADD,
    DIVIDE,
    EXPONENTIAL,
    LAG,
    MEAN,
    MULTIPLY,
    STRENGTH,
    SUBTRACT,
    TILE,
    Carried,
    Program,
    run_tiles,
)
from backtest.kernels.words import ORDERS, Words
from backtest.language.functions import lag_bars, periods
from backtest.language.tree import Arithmetic, Call, Lag, Negative, Node, Number

LANES = {"sma": MEAN, "ema": EXPONENTIAL, "rsi": STRENGTH}
"""Functions of a series and a period of which several periods cost less together, the same to the bit."""

MOST_ROWS = 48
"""Different sides in one program, so that a tile of them stays in the processor's second cache."""

_ARITHMETIC = {"+": ADD, "-": SUBTRACT, "*": MULTIPLY, "/": DIVIDE}
_STRETCH = 64 * TILE


class Wanted(NamedTuple):
    """A condition on two series, each a bound tree.

    Attributes:
        first: the left one.
        second: the right one.
        operator: of the comparison; none for a crossing.
        rows: the words' row to write; of a crossing those of above and of below, -1 for none.
    """

    first: Node
    second: Node
    operator: str
    rows: tuple[int, int]


def operands(node: Node) -> tuple[Node, ...]:
    """What a row of a tile is computed from; nothing where the tree is a source or a number."""
    match node:
        case Call(function=function, arguments=(series, *_)) if function in LANES:
            return (series,)
        case Arithmetic(left=left, right=right) if tiled(left) or tiled(right):
            return left, right
        case Negative(operand=operand) if tiled(operand):
            return operand, Number(-1.0)
        case Lag(operand=operand) if tiled(operand):
            return (operand,)
    return ()


def tiled(node: Node) -> bool:
    """Whether a tree, bound or not, is computed in tiles."""
    return bool(operands(node))


def sources(node: Node) -> Iterator[Node]:
    """The parts of a tree, bound or not, that are not computed in tiles."""
    below = operands(node)
    for operand in below:
        yield from sources(operand)
    if not below:
        yield node


class _Plan:
    """The rows of a program: sources, numbers, and what is computed from them, each behind its operands."""

    def __init__(self, wanted: Sequence[Wanted]) -> None:
        self.levels: dict[Node, int] = {}
        for one in wanted:
            self._level(one.first)
            self._level(one.second)
        lowest = [node for node, level in self.levels.items() if level == 0]
        self.sources = [node for node in lowest if not isinstance(node, Number)]
        self.numbers = [node for node in lowest if isinstance(node, Number)]
        groups: defaultdict[tuple[int, str, Node], list[Node]] = defaultdict(list)
        for node, level in self.levels.items():
            if isinstance(node, Call) and level:
                groups[level, node.function, node.arguments[0]].append(node)
            elif level:
                groups[level, "", node].append(node)
        self.rows = {node: row for row, node in enumerate([*self.sources, *self.numbers])}
        self.height = len(self.rows)
        self.groups: list[tuple[list[Node], int, int]] = []
        for key in sorted(groups, key=lambda key: key[0]):
            into, group = self.height, groups[key]
            self.rows.update((node, into + place) for place, node in enumerate(group))
            # What is left over of eight would be computed one by one.
            self.height += len(group) if len(group) < FEWEST_LANES else (len(group) + 7) // 8 * 8
            self.groups.append((group, into, self.height))

    def _level(self, node: Node) -> int:
        if node not in self.levels:
            self.levels[node] = max((1 + self._level(one) for one in self.operands(node)), default=0)
        return self.levels[node]

    @staticmethod
    def operands(node: Node) -> tuple[Node, ...]:
        """As `operands`; a lag that reaches beyond a tile is a source."""
        return () if isinstance(node, Lag) and lag_bars(node) > TILE else operands(node)

    def program(self, wanted: Sequence[Wanted]) -> tuple[Program, Carried]:
        """What the kernel does, and what it carries on, before the first bar."""
        lengths = np.zeros(self.height, dtype=np.int64)
        steps, memory, begin = [], [], 0
        for group, into, behind in self.groups:
            first, *second = (self.rows[one] for one in operands(group[0]))
            room = np.empty(0)
            match group[0]:
                case Call(function=function):
                    kind = LANES[function]
                    found = [periods(node)[0] for node in group if isinstance(node, Call)]
                    lengths[into:behind] = np.pad(found, (0, behind - into - len(found)), mode="edge")
                    longest = int(lengths[into:behind].max())
                    sizes = {MEAN: 2 * (longest + TILE + 1), EXPONENTIAL: behind - into}
                    room = np.zeros(sizes.get(kind, 2 * (behind - into) + 1))
                case Lag() as lag:
                    kind, room = LAG, np.full(lag_bars(lag), np.nan)
                case Arithmetic(operator=operator):
                    kind = _ARITHMETIC[operator]
                case _:
                    kind = MULTIPLY
            steps.append((kind, first, *(second or [0]), into, behind, begin, begin + room.size))
            memory.append(room)
            begin += room.size
        rows = np.zeros((self.height, TILE))
        for number in self.numbers:
            rows[self.rows[number]] = number.value
        comparisons = [
            (self.rows[one.first], self.rows[one.second], not one.operator, *one.rows) for one in wanted
        ]
        orders = [ORDERS[one.operator or ">"] for one in wanted]
        return (
            Program(
                np.array(steps, dtype=np.int64).reshape(-1, 7),
                lengths,
                np.array(comparisons, dtype=np.int64),
                np.array(orders),
            ),
            Carried(
                rows,
                np.zeros(len(steps), dtype=np.int64),
                np.concatenate([np.empty(0), *memory]),
                np.zeros((len(wanted), 2), dtype=np.uint64),
            ),
        )


def write_words(bank: IndicatorBank, wanted: Sequence[Wanted], words: Words) -> None:
    """Write the bits of conditions, one row a condition and direction.

    Args:
        bank: of the history; sources that are functions stay in it.
        wanted: the conditions.
        words: the rows.
    """
    plan = _Plan(wanted)
    program, carried = plan.program(wanted)
    series = [bank.varying(node) for node in plan.sources]
    room = np.empty((len(series), min(bank.size, _STRETCH)))
    for start in range(0, bank.size, _STRETCH):
        size = min(_STRETCH, bank.size - start)
        for row, values in zip(room, series, strict=True):
            row[:size] = values[start : start + size]
        run_tiles(program, carried, room, size, words, start // 64)
