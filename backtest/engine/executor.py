"""The one way in which work that can be cut into pieces is run: threads or processes, in this one place."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import (
    FIRST_EXCEPTION,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
    as_completed,
    wait,
)
from contextvars import copy_context
from multiprocessing import get_context
from typing import TypeVar

from base.cores import usable_cores

Piece = TypeVar("Piece")
Result = TypeVar("Result")

MOST_PROCESSES = 61
"""Windows can wait for no more at a time."""


def run_pieces(
    work: Callable[[Piece], Result],
    pieces: Iterable[Piece],
    *,
    workers: int | None = None,
    processes: bool = False,
    done: Callable[[int], None] | None = None,
) -> list[Result]:
    """Run `work` on each piece, several at a time, and return the results in the order of the pieces.

    Kernels release the interpreter's lock, so threads use every core. Each piece runs in a copy of the
    caller's context (tracing finds its parent). Work that is Python above all takes processes.

    Args:
        work: called once a piece; it must not depend on the order.
        pieces: what to work on.
        workers: pieces at a time; by default one a core.
        processes: fresh processes instead of threads: `work`, a function of a module, pieces and results
            then travel pickled, the context does not.
        done: called with the number of finished pieces each time one is.

    Raises:
        Exception: the first error of a piece, by order of the pieces; pieces not yet begun are then left out.
    """
    todo = list(pieces)
    workers = min(workers or usable_cores(), len(todo), *([MOST_PROCESSES] if processes else []))
    if workers <= 1 and not processes:
        found = []
        for piece in todo:
            found.append(work(piece))
            if done is not None:
                done(len(found))
        return found
    if not todo:
        return []
    # Fresh processes: a copy of this one would hold its threads' locks.
    pool: Executor = (
        ProcessPoolExecutor(workers, mp_context=get_context("spawn"))
        if processes
        else ThreadPoolExecutor(workers, thread_name_prefix="pieces")
    )
    with pool:
        futures: list[Future[Result]] = [
            pool.submit(work, piece) if processes else pool.submit(copy_context().run, work, piece)
            for piece in todo
        ]
        try:
            if done is not None:
                for count, future in enumerate(as_completed(futures), start=1):
                    if future.exception():
                        break
                    done(count)
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
