"""How much is tried: little in every run of the tests, all of it under `make soak` (SOAK_TIMES)."""

import os
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

TIMES = int(os.environ.get("SOAK_TIMES", "1"))


def cases(number: int) -> int:
    """How many cases a law is tried on."""
    return number * TIMES


def some(everything: Sequence[T], few: Sequence[T]) -> Sequence[T]:
    """The few in the tests, everything in the soak."""
    return few if TIMES == 1 else everything
