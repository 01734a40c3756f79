"""Pieces of work done by the workers of a Dask cluster."""

from __future__ import annotations

import platform
from collections.abc import Callable
from concurrent.futures import CancelledError
from importlib.metadata import version
from typing import Any

from distributed import Client
from distributed.scheduler import KilledWorker

from backtest.engine.remote import Remote, Task, do
from backtest.errors import RequestError
from base.plugins import in_use
from base.reasons import because
from base.sources import source_digest

PATIENCE = 8.0
"""Seconds in which a scheduler must answer, and a cluster have a worker."""

_DECIDE = ("numpy", "numba", "pandas")
"""Libraries whose versions decide figures."""


class Cluster(Remote):
    """A Dask cluster; workers may come, go and be killed while it works.

    Args:
        address: of its scheduler, `tcp://host:8786`.

    Raises:
        RequestError: `cluster_unreachable`, `cluster_without_workers`, or `worker_differs`.
    """

    losses = (CancelledError,)
    ends = (KilledWorker,)

    def __init__(self, address: str) -> None:
        super().__init__()
        try:
            self._client = Client(address, timeout=PATIENCE, set_as_default=False)
        except (OSError, ValueError):
            raise RequestError("cluster_unreachable", address=address) from None
        self._address = address
        try:
            self._wait()
            self._check()
        except RequestError:
            self._client.close()
            raise

    def _wait(self) -> None:
        """Wait for a worker."""
        try:
            self._client.wait_for_workers(1, timeout=PATIENCE)
        except OSError:
            raise RequestError("cluster_without_workers", address=self._address) from None

    def _check(self) -> None:
        """Refuse workers that would compute something else."""
        ours = identity()
        for worker, theirs in sorted(self._client.run(identity, on_error="return").items()):
            if isinstance(theirs, Exception):
                raise RequestError("worker_unusable", worker=worker, reason=because(theirs))
            for name in sorted({*ours, *theirs}):
                here, there = ours.get(name, "-"), theirs.get(name, "-")
                if here != there:
                    raise RequestError("worker_differs", worker=worker, name=name, here=here, there=there)

    @property
    def workers(self) -> int:
        """Threads of all workers that are there now."""
        found: int = sum(self._client.nthreads().values())
        return max(1, found)

    def send(self, token: str, data: bytes) -> Any:
        """To every worker; those that come later get it from their neighbours."""
        self._wait()
        return self._client.scatter(data, broadcast=True, hash=False)

    def submit(self, work: Callable[..., Any], token: str, held: Any, piece: Any) -> Task:
        """As `Remote`; the scheduler gives a piece whose worker was killed to another one."""
        task: Task = self._client.submit(do, work, token, held, piece, pure=False)
        return task

    def renew(self) -> None:
        """Workers come back by themselves, or others are there."""

    @property
    def alive(self) -> bool:
        """As `Executor`."""
        return bool(self._client.status == "running")

    def close(self) -> None:
        """As `Executor`."""
        self._client.close()


def identity() -> dict[str, str]:
    """What must be the same on every worker for figures to be the same."""
    return {
        "python": platform.python_version(),
        **{name: version(name) for name in _DECIDE},
        "threadx": source_digest(),
        **in_use(),
    }
