"""Pieces of work done by other processes: what they share travels once to each; lost workers lose nothing."""

from __future__ import annotations

import hashlib
import os
import pickle
import signal
import tempfile
import threading
import weakref
from abc import abstractmethod
from collections import OrderedDict, deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import CancelledError, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import Any, ClassVar, Protocol

from backtest.engine.adopted import adopt, adopted, all_adopted
from backtest.engine.executor import HERE, Executor, Piece, Result, Shared
from backtest.errors import RequestError
from backtest.language.functions import added
from base.cores import usable_cores

MOST_PROCESSES = 61
"""Windows can wait for no more at a time."""

MOST_LOST = 4
"""Times in a row that workers may be lost without a single result: the piece itself ends them."""

_KEPT = 2
"""What pieces share, kept on either side for the next ones: a run tests its variants on the same prices."""

_MOST_CONFIGURATIONS = 16_384
"""Of a piece of a grid: its results take some 4 MB."""

_PIECES_A_WORKER = 8


class Task(Protocol):
    """A piece under way, as futures tell it."""

    def result(self) -> Any:
        """Its result."""

    def done(self) -> bool:
        """Whether it has ended."""

    def cancelled(self) -> bool:
        """Whether it was given up."""

    def cancel(self) -> Any:
        """Give it up."""


class Remote(Executor):
    """Workers that are other processes."""

    losses: ClassVar[tuple[type[Exception], ...]]
    """What says that pieces were lost with their worker, and perhaps no fault of theirs."""
    ends: ClassVar[tuple[type[Exception], ...]] = ()
    """What says that one piece has ended several workers."""

    def __init__(self) -> None:
        self._sent: OrderedDict[str, Any] = OrderedDict()
        self._renewed = 0
        self._sending = threading.Lock()

    @property
    @abstractmethod
    def workers(self) -> int:
        """Pieces that are worked on at a time."""

    @abstractmethod
    def send(self, token: str, data: bytes) -> Any:
        """Bring bytes to the workers: something that `submit` takes, and that lets go of them at its end."""

    @abstractmethod
    def submit(self, work: Callable[..., Any], token: str, held: Any, piece: Any) -> Task:
        """Have `do` run on a worker."""

    @abstractmethod
    def renew(self) -> None:
        """Make good the loss of workers, where that is not done by itself."""

    def size(self, total: int, most: int) -> int:
        """Some pieces a worker, so that none waits long for the last one."""
        return max(1, min(most, _MOST_CONFIGURATIONS, -(-total // (self.workers * _PIECES_A_WORKER))))

    def results(
        self, work: Callable[[Shared, Piece], Result], pieces: Sequence[Piece], shared: Shared
    ) -> Generator[Result, None, None]:
        """As `Executor`."""
        if added().keys() - adopted().keys():  # a strategy's own Python code is run where its author runs it
            yield from HERE.results(work, pieces, shared)
            return
        # Functions of the library must be known before anything that names them is read.
        data = pickle.dumps((all_adopted(), pickle.dumps(shared, protocol=5)), protocol=5)
        token = hashlib.sha256(data).hexdigest()
        todo, waiting = deque(pieces), deque[tuple[Piece, Task | None]]()
        lost = renewed = taken = 0
        most = 1
        held: Any = None
        try:
            while todo or waiting:
                try:
                    if held is None:
                        held, renewed = self._held(token, data)
                    waiting = deque(
                        (piece, task or self.submit(work, token, held, piece)) for piece, task in waiting
                    )
                    if taken % most == 0:  # workers may have come
                        most = 2 * self.workers
                    while todo and len(waiting) < most:
                        waiting.append((todo[0], self.submit(work, token, held, todo[0])))
                        todo.popleft()
                    task = waiting[0][1]
                    assert task is not None
                    found = task.result()
                except self.losses as loss:
                    lost += 1
                    if lost > MOST_LOST:
                        raise RequestError("workers_lost", times=lost) from loss
                    waiting = deque((piece, self._whole(task)) for piece, task in waiting)
                    held = None
                    self._make_good(token, renewed)
                    continue
                except self.ends as end:
                    raise RequestError("workers_lost", times=lost + 1) from end
                waiting.popleft()
                lost = 0
                taken += 1
                yield found
        finally:
            for _, task in waiting:
                if task is not None:
                    task.cancel()

    def _make_good(self, token: str, renewed: int) -> None:
        """Send again, and to workers that live; once, whoever notices first."""
        with self._sending:
            if renewed == self._renewed:
                self._renewed += 1
                self._sent.pop(token, None)
                self.renew()

    def _held(self, token: str, data: bytes) -> tuple[Any, int]:
        """What was sent, sent now if it is not there, and how often workers were renewed before."""
        with self._sending:
            if token not in self._sent:
                self._sent[token] = self.send(token, data)
                while len(self._sent) > _KEPT:
                    self._sent.popitem(last=False)
            self._sent.move_to_end(token)
            return self._sent[token], self._renewed

    def _whole(self, task: Task | None) -> Task | None:
        """A task that still leads to a result; None for one that has to be done again."""
        if task is None or not task.done():
            return task
        if task.cancelled():
            return None
        try:
            task.result()
        except self.losses:
            return None
        except Exception:  # told when it is its turn
            return task
        return task


_here = threading.local()
"""What pieces share, by thread of a worker: a batch is not for two at once."""


def do(work: Callable[[Any, Any], Any], token: str, held: bytes | Path, piece: Any) -> Any:
    """On a worker: one piece, with what it shares with others read once.

    Args:
        work: a function of a module.
        token: the name of what is shared.
        held: its bytes, or the file that holds them.
        piece: of the work.
    """
    kept: dict[str, Any] = _here.__dict__
    if token not in kept:
        while len(kept) >= _KEPT:
            del kept[next(iter(kept))]
        library, data = pickle.loads(held.read_bytes() if isinstance(held, Path) else held)
        for one in library:
            adopt(*one)
        kept[token] = pickle.loads(data)
    return work(kept[token], piece)


class Processes(Remote):
    """Fresh processes of this machine: copies of this one would hold its threads' locks.

    Args:
        workers: how many; by default one a core.
    """

    losses = (BrokenProcessPool, CancelledError)

    def __init__(self, workers: int | None = None) -> None:
        super().__init__()
        self._workers = min(workers or usable_cores(), MOST_PROCESSES)
        self._folder = tempfile.TemporaryDirectory(prefix="threadx-pieces-", ignore_cleanup_errors=True)
        self._pool = self._fresh()

    def _fresh(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(self._workers, mp_context=get_context("spawn"), initializer=_begin)

    @property
    def workers(self) -> int:
        """As `Remote`."""
        return self._workers

    def send(self, token: str, data: bytes) -> Any:
        """A file that every process reads once."""
        return _File(Path(self._folder.name) / token, data)

    def submit(self, work: Callable[..., Any], token: str, held: Any, piece: Any) -> Task:
        """As `Remote`."""
        return self._pool.submit(do, work, token, held.path, piece)

    def renew(self) -> None:
        """Another pool: one that lost a process is broken."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._pool = self._fresh()

    def close(self) -> None:
        """As `Executor`."""
        self._pool.shutdown(cancel_futures=True)
        self._folder.cleanup()


def _begin() -> None:
    """A worker's first step."""
    # Ctrl-C reaches every process of a terminal: whoever began the work ends it, the others wait for that.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """One whose parent was killed would wait for ever: it holds both ends of the queue itself."""
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


class _File:
    """A file that goes with the last who needs it."""

    def __init__(self, path: Path, data: bytes) -> None:
        self.path = path
        path.write_bytes(data)
        weakref.finalize(self, _forget, path)


def _forget(path: Path) -> None:
    """On Windows a file that somebody still reads stays; its folder takes it along at the end."""
    with suppress(PermissionError):
        path.unlink(missing_ok=True)
