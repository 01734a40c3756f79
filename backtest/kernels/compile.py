"""How kernels are compiled: one decorator, so that all are cached on disk and hold no interpreter lock."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TypeVar, cast

from numba import njit
from numba.core import event

Kernel = TypeVar("Kernel", bound=Callable[..., object])


def _compiled(function: Kernel, **options: bool) -> Kernel:
    """Compile with what all kernels have; nobody calls them from C, so that door is not compiled."""
    decorate = njit(cache=True, nogil=True, error_model="numpy", no_cfunc_wrapper=True, **options)
    return cast(Kernel, decorate(function))


def kernel(function: Kernel) -> Kernel:
    """Compile a module-level function of arrays and scalars: cached, `nogil`, strict IEEE arithmetic.

    So nothing raises: a division by zero is infinite or not a number, and loops that divide become vectors.
    numba's cache does not notice an edit in another file, so kernels that call each other share a file.
    """
    return _compiled(function)


def inlined(function: Kernel) -> Kernel:
    """As `kernel`, for a part of one that is too long for the compiler to put in its place unasked.

    Kernels alone can call it: the door for Python is a fifth of what compiling a part takes.
    """
    return _compiled(function, forceinline=True, no_cpython_wrapper=True)


def borrowing(function: Kernel) -> Kernel:
    """As `kernel`, for one that makes and returns no arrays: references to its arguments are not counted.

    Counting would cost more than the arithmetic where tuples of arrays are handed on at every bar or trade.
    A kernel that needs memory all the same is refused when it is compiled ("NRT required").
    """
    return _compiled(function, _nrt=False)


def part(function: Kernel) -> Kernel:
    """A part of a `borrowing` kernel that is called, not put in its place; kernels alone can call it."""
    return _compiled(function, _nrt=False, no_cpython_wrapper=True)


def step(function: Kernel) -> Kernel:
    """A part of a `borrowing` kernel, `inlined`."""
    return _compiled(function, _nrt=False, forceinline=True, no_cpython_wrapper=True)


def over(decorate: Callable[[Kernel], Kernel], *modules: ModuleType) -> Callable[[Kernel], Kernel]:
    """One of the decorators above for what calls parts of other files: what is cached of it ends with theirs.

    Args:
        decorate: the decorator.
        modules: where the parts stand.
    """
    sources = [Path(str(module.__file__)).read_bytes() for module in modules]
    digest = hashlib.sha256(b"".join(sources)).hexdigest()

    def decorated(function: Kernel) -> Kernel:
        found = decorate(function)
        # numba names what it keeps by the function's own file; with no folder to write to it keeps nothing.
        file = getattr(getattr(found, "_cache", None), "_cache_file", None)
        if file is not None:
            file._source_stamp = (file._source_stamp, digest)
        return found

    return decorated


@contextmanager
def compilation_told(tell: Callable[[], None]) -> Iterator[None]:
    """Call a function once if a kernel has to be compiled, which takes half a minute for all of them.

    Args:
        tell: called before the first one, in whichever thread needs it.
    """
    with event.install_listener("numba:compile", _First(tell)):
        yield


class _First(event.Listener):  # type: ignore[misc]  # numba has no types
    """Hears of compilations; what came from the cache is none, and a plugin's own are a plugin's matter."""

    def __init__(self, tell: Callable[[], None]) -> None:
        self.tell: Callable[[], None] | None = tell

    def on_start(self, event: event.Event) -> None:
        if event.data["dispatcher"].py_func.__module__.startswith("backtest.") and self.tell is not None:
            tell, self.tell = self.tell, None
            tell()

    def on_end(self, event: event.Event) -> None:
        """Nothing is told of the end."""
