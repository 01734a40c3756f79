"""Hard deadlines around clients that block."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Iterator

import pytest

from providers.deadlines import watched, within
from providers.errors import DeadlineError


def test_items_come_in_order() -> None:
    assert list(watched(lambda: iter(range(5)), model="m", total_seconds=60, idle_seconds=60)) == [
        0,
        1,
        2,
        3,
        4,
    ]


def test_what_the_stream_raises_is_raised_here() -> None:
    def stream() -> Iterator[int]:
        yield 1
        raise KeyError("inside")

    items = watched(stream, model="m", total_seconds=60, idle_seconds=60)
    assert next(items) == 1
    with pytest.raises(KeyError, match="inside"):
        next(items)


@pytest.mark.parametrize(("total", "idle", "code"), [(60, 0.05, "stalled"), (0.05, 60, "time_out")])
def test_a_stream_that_blocks_is_given_up_and_closed(total: float, idle: float, code: str) -> None:
    release, closed = threading.Event(), threading.Event()

    def stream() -> Iterator[int]:
        try:
            yield 1
            release.wait()
            yield 2
            yield 3
        finally:
            closed.set()

    items = watched(stream, model="m", total_seconds=total, idle_seconds=idle)
    assert next(items) == 1
    with pytest.raises(DeadlineError) as caught:
        next(items)
    assert caught.value.code == code
    release.set()
    assert closed.wait(10)


def test_the_tracing_context_reaches_the_thread() -> None:
    parent: contextvars.ContextVar[str] = contextvars.ContextVar("parent")
    parent.set("run-1")
    assert within(parent.get, model="m", seconds=60) == "run-1"
