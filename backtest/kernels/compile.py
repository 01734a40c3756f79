"""How kernels are compiled: one decorator, so that all are cached on disk and hold no interpreter lock."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

from numba import njit

Kernel = TypeVar("Kernel", bound=Callable[..., object])


def kernel(function: Kernel) -> Kernel:
    """Compile a module-level function of arrays and scalars: cached, `nogil`, strict IEEE arithmetic.

    numba's cache does not notice an edit in another file, so kernels that call each other share a file.
    """
    return cast(Kernel, njit(cache=True, nogil=True)(function))


def inlined(function: Kernel) -> Kernel:
    """As `kernel`, for a part of one that is too long for the compiler to put in its place unasked."""
    return cast(Kernel, njit(cache=True, nogil=True, forceinline=True)(function))


def borrowing(function: Kernel) -> Kernel:
    """As `kernel`, for one that makes and returns no arrays: references to its arguments are not counted.

    Counting would cost more than the arithmetic where tuples of arrays are handed on at every bar or trade.
    A kernel that needs memory all the same is refused when it is compiled ("NRT required").
    """
    return cast(Kernel, njit(cache=True, nogil=True, _nrt=False)(function))


def step(function: Kernel) -> Kernel:
    """A part of a `borrowing` kernel, `inlined`."""
    return cast(Kernel, njit(cache=True, nogil=True, _nrt=False, forceinline=True)(function))
