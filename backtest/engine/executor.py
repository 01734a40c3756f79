"""How work that can be cut into pieces is run: by threads, or wherever an `Executor` has it done."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from typing import TYPE_CHECKING, TypeVar

from base.cores import usable_cores

if TYPE_CHECKING:
    from backtest.kernels.device import Card

Shared = TypeVar("Shared")
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
    workers = min(workers or usable_cores(), len(todo))
    if workers <= 1:
        return [work(piece) for piece in todo]
    with ThreadPoolExecutor(workers, thread_name_prefix="pieces") as pool:
        futures: list[Future[Result]] = [pool.submit(copy_context().run, work, piece) for piece in todo]
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


class Executor(ABC):
    """Has pieces of work done somewhere; `backtest.engine.engines` lists where.

    Attributes:
        card: what trades configurations in the place of this process's kernel, if anything does.
    """

    card: Card | None = None

    @abstractmethod
    def results(
        self, work: Callable[[Shared, Piece], Result], pieces: Sequence[Piece], shared: Shared
    ) -> Generator[Result, None, None]:
        """What `work(shared, piece)` returns for each piece, in the order of the pieces.

        No more pieces are under way than the workers need to stay busy, so results that nobody has taken yet
        are few. Closing the iterator gives up what has not begun.

        Args:
            work: a function of a module; it must not depend on the order of the pieces.
            pieces: what to work on.
            shared: what all pieces need: it travels once to each worker.

        Raises:
            Exception: the error of a piece, when it is its turn.
            RequestError: `workers_lost`.
        """

    @abstractmethod
    def size(self, total: int, most: int) -> int:
        """How many of `total` things make a piece: at most `most`, and enough pieces to even out."""

    @property
    def alive(self) -> bool:
        """Whether it can be used again."""
        return True

    @abstractmethod
    def close(self) -> None:
        """Let go of the workers."""


class Here(Executor):
    """This process, piece after piece: each of them uses every core by its own threads.

    Args:
        card: a graphics card of this machine.
    """

    def __init__(self, card: Card | None = None) -> None:
        self.card = card

    def results(
        self, work: Callable[[Shared, Piece], Result], pieces: Sequence[Piece], shared: Shared
    ) -> Generator[Result, None, None]:
        """As `Executor`."""
        for piece in pieces:
            yield work(shared, piece)

    def size(self, total: int, most: int) -> int:
        """As large as may be: what pieces share is then computed once."""
        return most

    def close(self) -> None:
        """There are none."""


HERE = Here()
