"""Conditions as words: one bit a bar, 64 bars a word, the first bar lowest; bits beyond the data are 0."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from backtest.kernels.compile import inlined, kernel

Floats = NDArray[np.float64]
Words = NDArray[np.uint64]
Truth = NDArray[np.bool_]

_ONE = np.uint64(1)

# Of two values: whether the first is greater, less, or equal. What is not known is none of them.
_ORDERS = {
    ">": (1, 0, 0),
    ">=": (1, 0, 1),
    "<": (0, 1, 0),
    "<=": (0, 1, 1),
    "==": (0, 0, 1),
    "!=": (1, 1, 0),
}
ORDERS = {operator: np.array(wanted, dtype=np.uint64) for operator, wanted in _ORDERS.items()}
"""What each comparison asks of `order_words` and `level_words`."""


def pack(truth: Truth) -> Words:
    """A condition as words."""
    room = np.zeros((truth.size + 63) // 64 * 8, dtype=np.uint8)
    bits = np.packbits(truth, bitorder="little")
    room[: bits.size] = bits
    return room.view("<u8")


def unpack(words: Words, size: int) -> Truth:
    """The condition that `pack` was given."""
    return np.unpackbits(words.astype("<u8", copy=False).view(np.uint8), count=size, bitorder="little").view(
        np.bool_
    )


@inlined
def _stand(first: float, second: float, greater: np.uint64, less: np.uint64, equal: np.uint64) -> np.uint64:
    """1 where two values stand in a wanted order."""
    return (
        (np.uint64(first > second) & greater)
        | (np.uint64(first < second) & less)
        | (np.uint64(first == second) & equal)
    )


@kernel
def order_words(first: Floats, second: Floats, orders: Words, out: Words) -> None:
    """Where two series stand in one of the orders (a row of `ORDERS`); nowhere where either is not known."""
    greater, less, equal = orders[0], orders[1], orders[2]
    for place in range(out.size):
        start = place * 64
        word = np.uint64(0)
        for bit in range(min(64, first.size - start)):
            at = start + bit
            word |= _stand(first[at], second[at], greater, less, equal) << np.uint64(bit)
        out[place] = word


@kernel
def level_words(values: Floats, level: float, orders: Words, out: Words) -> None:
    """As `order_words`, of a series and a number."""
    greater, less, equal = orders[0], orders[1], orders[2]
    for place in range(out.size):
        start = place * 64
        word = np.uint64(0)
        for bit in range(min(64, values.size - start)):
            word |= _stand(values[start + bit], level, greater, less, equal) << np.uint64(bit)
        out[place] = word


@kernel
def known_words(values: Floats) -> Words:
    """Where a series is not NaN, one bit a bar, 64 bars a word."""
    words = np.zeros((values.size + 63) // 64, dtype=np.uint64)
    for place in range(words.size):
        start = place * 64
        word = np.uint64(0)
        for bit in range(min(64, values.size - start)):
            word |= np.uint64(values[start + bit] == values[start + bit]) << np.uint64(bit)
        words[place] = word
    return words


@kernel
def cross_words(
    first: Floats,
    second: Floats,
    known_first: Words,
    known_second: Words,
    before: Words,
    above: Words,
    below: Words,
) -> None:
    """Crossings of two series as one bit a bar, 64 bars a word, both directions written.

    Above is `previous <=` and now `>`, below the contrary; NaN crosses nothing. What is known and not greater
    is less or equal, so two comparisons tell all four. `before` is whether the bar before was less or equal,
    and greater or equal; it is carried on.
    """
    size = first.size
    was_low, was_high = before[0], before[1]
    for place in range(above.size):
        start = place * 64
        over = np.uint64(0)
        under = np.uint64(0)
        for bit in range(min(64, size - start)):
            over |= np.uint64(first[start + bit] > second[start + bit]) << np.uint64(bit)
            under |= np.uint64(first[start + bit] < second[start + bit]) << np.uint64(bit)
        known = known_first[place] & known_second[place]
        low = known & ~over
        high = known & ~under
        above[place] = over & ((low << _ONE) | was_low)
        below[place] = under & ((high << _ONE) | was_high)
        was_low = low >> np.uint64(63)
        was_high = high >> np.uint64(63)
    before[0], before[1] = was_low, was_high
