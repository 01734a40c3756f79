"""Where work that is cut into pieces may be done: one entry each."""

from __future__ import annotations

import atexit
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from threading import Lock

from backtest.engine.executor import HERE, Executor, Here
from backtest.errors import RequestError
from base.reasons import told_known

VARIABLE, ADDRESS_VARIABLE = "THREADX_ENGINE", "THREADX_ENGINE_ADDRESS"


@dataclass(frozen=True, slots=True)
class Engine:
    """Where work is done.

    Attributes:
        kind: one of `ENGINES`.
        address: of a cluster's scheduler, `tcp://host:8786`.

    Raises:
        RequestError: `unknown_engine`, `address_missing`, `address_unused`.
    """

    kind: str = "threads"
    address: str | None = None

    def __post_init__(self) -> None:
        if self.kind not in ENGINES:
            raise RequestError("unknown_engine", value=self.kind, known=told_known(self.kind, ENGINES))
        if ENGINES[self.kind].addressed and not self.address:
            raise RequestError("address_missing", engine=self.kind)
        if self.address and not ENGINES[self.kind].addressed:
            raise RequestError("address_unused", engine=self.kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """One place for work.

    Attributes:
        opened: an executor, for an address and a number of workers.
        needs: the library that an extra of the same name installs; None for none.
        there: whether this machine has what it takes.
        addressed: whether it has an address.
    """

    opened: Callable[[str | None, int | None], Executor]
    needs: str | None = None
    there: Callable[[], bool] = lambda: True
    addressed: bool = False


def _processes(address: str | None, workers: int | None) -> Executor:
    found: Executor = import_module("backtest.engine.remote").Processes(workers)
    return found


def _cluster(address: str | None, workers: int | None) -> Executor:
    found: Executor = import_module("backtest.engine.cluster").Cluster(address)
    return found


def _card(address: str | None, workers: int | None) -> Executor:
    return Here(import_module("backtest.kernels.device").Card())


def _card_there() -> bool:
    return bool(import_module("backtest.kernels.device").there())


ENGINES: dict[str, _Entry] = {
    "threads": _Entry(opened=lambda address, workers: HERE),
    "processes": _Entry(opened=_processes),
    "cuda": _Entry(opened=_card, needs="numba_cuda", there=_card_there),
    "dask": _Entry(opened=_cluster, needs="distributed", addressed=True),
}

_chosen: ContextVar[Engine | None] = ContextVar("engine", default=None)
_open: dict[tuple[Engine, int | None], Executor] = {}
_opening = Lock()


@contextmanager
def using(engine: Engine | None) -> Iterator[None]:
    """Do the work of this context there; None changes nothing.

    Raises:
        RequestError: as `executor`.
    """
    if engine is not None:
        executor(engine)
    token = _chosen.set(engine or _chosen.get())
    try:
        yield
    finally:
        _chosen.reset(token)


def chosen() -> Engine:
    """What `using` says, else the environment's THREADX_ENGINE and THREADX_ENGINE_ADDRESS, else threads.

    Raises:
        RequestError: as `Engine`.
    """
    if (found := _chosen.get()) is not None:
        return found
    return Engine(os.environ.get(VARIABLE) or "threads", os.environ.get(ADDRESS_VARIABLE) or None)


def missing(engine: Engine) -> RequestError | None:
    """Why this machine cannot do the work that way; then it is done by this process's threads.

    Raises:
        RequestError: `engine_library`.
    """
    entry = ENGINES[engine.kind]
    if entry.needs is not None and find_spec(entry.needs) is None:
        raise RequestError("engine_library", engine=engine.kind, package=entry.needs)
    return None if entry.there() else RequestError("no_card")


def executor(engine: Engine | None = None, workers: int | None = None) -> Executor:
    """Workers of an engine, opened when they are first needed and kept for what comes next.

    Args:
        engine: threads when None.
        workers: processes; by default one a core. A cluster has those that it has.

    Raises:
        RequestError: as `missing`; `cluster_unreachable`, `cluster_without_workers`, `worker_differs`,
            `worker_unusable`.

    Warns:
        RuntimeWarning: what `missing` says.
    """
    engine = engine or Engine()
    if (told := missing(engine)) is not None:
        warnings.warn(str(told), RuntimeWarning, stacklevel=3)
        return HERE
    with _opening:
        found = _open.get((engine, workers))
        if found is None or not found.alive:
            found = _open[engine, workers] = ENGINES[engine.kind].opened(engine.address, workers)
        return found


@atexit.register
def close_executors() -> None:
    """Let go of all workers."""
    with _opening:
        while _open:
            _, one = _open.popitem()
            one.close()
