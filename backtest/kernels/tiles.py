"""Conditions of many periods, tile by tile of bars, so that no series of theirs is ever written to memory.

Indicators, arithmetic and bits of a tile are made while it is in the processor's cache.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from backtest.kernels import indicators, words
from backtest.kernels.compile import kernel, over
from backtest.kernels.indicators import exponentials_of_tile, means_of_tile, strengths_of_tile
from backtest.kernels.words import Floats, Words, cross_words, known_words, order_words

Whole = NDArray[np.int64]

TILE = 2_048
"""Bars at a time, a multiple of 64: fifty rows of them are 800 kB."""

MEAN, EXPONENTIAL, STRENGTH, ADD, SUBTRACT, MULTIPLY, DIVIDE, LAG = range(8)


class Program(NamedTuple):
    """What is done with each tile: rows of numbers are computed from rows before them, and compared.

    Attributes:
        steps: one row a step: what it does (`MEAN` …), the rows of its first and second operand, the first
            row that it writes, the one behind its last, where its memory begins and ends.
        lengths: the period of each row that is an indicator.
        comparisons: one row a comparison: the rows of its sides, 1 if it is a crossing, and the words' row
            that it writes; of a crossing those of above and of below, -1 for none.
        orders: of each comparison what it asks (`words.ORDERS`).
    """

    steps: Whole
    lengths: Whole
    comparisons: Whole
    orders: Words


class Carried(NamedTuple):
    """What goes on from tile to tile.

    Attributes:
        rows: of numbers, `TILE` each: sources, constants, and what steps write.
        known: of each step, bars before that have a value.
        memory: of all steps.
        before: of each crossing where its sides stood.
    """

    rows: Floats
    known: Whole
    memory: Floats
    before: Words


@kernel
def _calculate(kind: int, first: Floats, second: Floats, out: Floats) -> None:
    """One operation of arithmetic; what is not finite is not a number."""
    for t in range(out.size):
        if kind == ADD:
            found = first[t] + second[t]
        elif kind == SUBTRACT:
            found = first[t] - second[t]
        elif kind == MULTIPLY:
            found = first[t] * second[t]
        else:
            found = first[t] / second[t]
        out[t] = found if np.isfinite(found) else np.nan


@kernel
def _lag(values: Floats, memory: Floats, out: Floats) -> None:
    """The values so many bars before as there is memory, which is at most a full tile."""
    size, bars = values.size, memory.size
    for t in range(min(size, bars)):
        out[t] = memory[t]
    for t in range(bars, size):
        out[t] = values[t - bars]
    for t in range(bars if size >= bars else 0):
        memory[t] = values[size - bars + t]


@over(kernel, indicators, words)
def run_tiles(program: Program, carried: Carried, sources: Floats, size: int, out: Words, place: int) -> None:
    """Compute and compare a stretch of bars, tile by tile.

    Args:
        program: what is done.
        carried: what the stretch before left; sources are copied into its first rows.
        sources: a row a series, of at least `size` bars.
        size: bars of the stretch: full tiles, but for the last stretch.
        out: the words' rows.
        place: the word of each row where the stretch begins.
    """
    rows, known, memory = carried.rows, carried.known, carried.memory
    known_in = np.empty((rows.shape[0], TILE // 64), dtype=np.uint64)
    crossed = np.zeros(rows.shape[0], dtype=np.bool_)
    unread = np.empty(TILE // 64, dtype=np.uint64)
    for one in program.comparisons:
        if one[2]:
            crossed[one[0]] = crossed[one[1]] = True
    for start in range(0, size, TILE):
        count = min(TILE, size - start)
        for row in range(sources.shape[0]):
            rows[row, :count] = sources[row, start : start + count]
        for number in range(program.steps.shape[0]):
            step = program.steps[number]
            kind, values, into = step[0], rows[step[1], :count], step[3]
            lengths, own = program.lengths[into : step[4]], memory[step[5] : step[6]]
            if kind == MEAN:
                known[number] = means_of_tile(values, lengths, known[number], own, rows, into)
            elif kind == EXPONENTIAL:
                known[number] = exponentials_of_tile(values, lengths, known[number], own, rows, into)
            elif kind == STRENGTH:
                known[number] = strengths_of_tile(values, lengths, known[number], own, rows, into)
            elif kind == LAG:
                _lag(values, own, rows[into, :count])
            else:
                _calculate(kind, values, rows[step[2], :count], rows[into, :count])
        begin, end = place + start // 64, place + (start + count + 63) // 64
        for row in range(rows.shape[0]):
            if crossed[row]:
                known_in[row, : end - begin] = known_words(rows[row, :count])
        for number in range(program.comparisons.shape[0]):
            one = program.comparisons[number]
            first, second = rows[one[0], :count], rows[one[1], :count]
            above = out[one[3], begin:end] if one[3] >= 0 else unread[: end - begin]
            below = out[one[4], begin:end] if one[4] >= 0 else unread[: end - begin]
            if one[2]:
                known_first, known_second = known_in[one[0], : end - begin], known_in[one[1], : end - begin]
                cross_words(first, second, known_first, known_second, carried.before[number], above, below)
            else:
                order_words(first, second, program.orders[number], above)
