"""How much is tried: little in every run of the tests, all of it under `make soak` (SOAK_TIMES)."""

import os
from collections.abc import Sequence
from itertools import combinations, product
from typing import Any, TypeVar

T = TypeVar("T")

TIMES = int(os.environ.get("SOAK_TIMES", "1"))


def cases(number: int) -> int:
    """How many cases a law is tried on."""
    return number * TIMES


def some(everything: Sequence[T], few: Sequence[T]) -> Sequence[T]:
    """The few in the tests, everything in the soak."""
    return few if TIMES == 1 else everything


def combined(*axes: Sequence[Any], times: int = 1) -> list[tuple[Any, ...]]:
    """One value of each axis together: each value is met so many times, in the soak with all the others."""
    longest = max(map(len, axes))
    few = [
        tuple(axis[(place + turn * number) % len(axis)] for number, axis in enumerate(axes))
        for turn, place in product(range(times), range(longest))
    ]
    return [*some([*product(*axes)], few)]


def pairs(*axes: Sequence[Any]) -> list[tuple[Any, ...]]:
    """One value of each axis together: every two values of two axes meet, in the soak all of all axes."""
    everything = [*product(*(range(len(axis)) for axis in axes))]
    missing = {met for one in everything for met in combinations(enumerate(one), 2)}
    few = []
    while missing:
        best = max(everything, key=lambda one: len(missing.intersection(combinations(enumerate(one), 2))))
        missing.difference_update(combinations(enumerate(best), 2))
        few.append(best)
    chosen = some(everything, few)
    return [tuple(axis[place] for axis, place in zip(axes, one, strict=True)) for one in chosen]
