"""Hard deadlines around calls that block."""

from __future__ import annotations

import contextvars
import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from providers.errors import DeadlineError

T = TypeVar("T")

clock: Callable[[], float] = time.monotonic
"""What budgets of several calls are measured with; tests put a clock of their own here."""


class _End:
    """The stream is over."""


def watched(
    start: Callable[[], Iterator[T]],
    *,
    model: str,
    total_seconds: float,
    idle_seconds: float,
    first_seconds: float | None = None,
) -> Iterator[T]:
    """Pass on a stream's items as they come, and give up when it takes too long.

    The stream runs in its own thread, for a client that blocks cannot watch the clock itself. The thread
    keeps the caller's context variables (the tracing parent). When the caller gives up, the thread ends
    at the next item and closes the stream, which hangs up on the server.

    Args:
        start: makes the stream; called in the thread.
        model: named in errors.
        total_seconds: limit of all of it.
        idle_seconds: limit between two items.
        first_seconds: limit before the first; None for `idle_seconds`.

    Raises:
        DeadlineError: `time_out` or `stalled`.
    """
    items: queue.SimpleQueue[T | _End | BaseException] = queue.SimpleQueue()
    abandoned = threading.Event()

    def drain() -> None:
        try:
            for item in start():
                if abandoned.is_set():
                    return
                items.put(item)
        # Whatever the library raises belongs to the caller's thread, where it is raised again.
        except BaseException as error:
            items.put(error)
        else:
            items.put(_End())

    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(drain,), name=f"model {model}", daemon=True).start()
    end = time.monotonic() + total_seconds
    silence = idle_seconds if first_seconds is None else first_seconds
    try:
        while True:
            left = end - time.monotonic()
            try:
                item = items.get(timeout=max(0.0, min(left, silence)))
            except queue.Empty:
                if left <= silence:
                    raise DeadlineError("time_out", model=model, seconds=total_seconds) from None
                raise DeadlineError("stalled", model=model, seconds=silence) from None
            silence = idle_seconds
            if isinstance(item, _End):
                return
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        abandoned.set()


def within(call: Callable[[], T], *, model: str, seconds: float) -> T:
    """The result of a call that blocks, or a `time_out`; a call given up goes on unheard in its thread.

    Raises:
        DeadlineError: `time_out`.
    """

    def once() -> Iterator[T]:
        yield call()

    return next(watched(once, model=model, total_seconds=seconds, idle_seconds=seconds))
