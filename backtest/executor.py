"""The one way in which work that can be cut into pieces is run: in threads, in this one place."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextvars import copy_context
from typing import TypeVar

Piece = TypeVar("Piece")
Result = TypeVar("Result")


def run_pieces(
    work: Callable[[Piece], Result], pieces: Iterable[Piece], *, workers: int | None = None
) -> list[Result]:
    """Run `work` on each piece, several at a time, and return the results in the order of the pieces.

    Kernels release the interpreter's lock, so threads use every core. Each piece runs in a copy of the
    caller's context (tracing finds its parent).

    Args:
        work: called once a piece; it must not depend on the order.
        pieces: what to work on.
        workers: pieces at a time; by default one a core.

    Raises:
        Exception: the first error of a piece, by order of the pieces; pieces not yet begun are then left out.
    """
    todo = list(pieces)
    workers = min(workers or os.cpu_count() or 1, len(todo))
    if workers <= 1:
        return [work(piece) for piece in todo]
    with ThreadPoolExecutor(workers, thread_name_prefix="pieces") as pool:
        futures = [pool.submit(copy_context().run, work, piece) for piece in todo]
        try:
            wait(futures, return_when=FIRST_EXCEPTION)
            failed = [
                future
                for future in futures
                if future.done() and not future.cancelled() and future.exception()
            ]
            if failed:
                failed[0].result()
            return [future.result() for future in futures]
        finally:
            pool.shutdown(cancel_futures=True)
