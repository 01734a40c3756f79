"""What every run of the ensemble is under, whichever door it came through: the lock, the log of failures."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from base.errors import TypedError
from base.reasons import because
from feeds.partitions import parse_hour
from nodes.ensemble.context import EnsembleContext
from nodes.ensemble.errors import PublishError
from nodes.ensemble.operation.lease import Lease, leased
from nodes.ensemble.operation.run_log import append_failure

BAD_INPUT = frozenset({"bad_time", "missing_folder", "sample_out_of_range"})
"""Mistakes of whoever asks: no failures of the ensemble."""


@contextmanager
def attended(context: EnsembleContext, as_of: str | None) -> Iterator[Lease]:
    """Hold the lock of the data folder while a run goes on, and put what stops the run on record.

    Back-runs have a lock of their own, and no log.

    Args:
        context: the run's settings.
        as_of: the hour asked for, for the log.

    Raises:
        BusyError: another run is at work in this data folder; that is no failure of either.
        PublishError: the folder cannot be written.
    """
    home = context.home_path
    try:
        with leased(home, "backfill" if context.back_run else "run") as lease:
            began = time.time()
            try:
                yield lease
            except Exception as error:  # whatever it is, the hour has no summary, and the log says so
                code = _code(error)
                if code not in BAD_INPUT and not context.back_run:
                    seconds = time.time() - began
                    append_failure(home, hour=_hour(as_of), code=code, reason=because(error), seconds=seconds)
                raise
    except OSError as error:
        where = str(error.filename or home)
        raise PublishError("publish_failed", path=where, reason=because(error)) from error


def _code(error: Exception) -> str:
    match error:
        case TypedError():
            return error.code
        case OSError():
            return "publish_failed"
        case _:
            return "unexpected"


def _hour(as_of: str | None) -> str:
    """The hour asked for, as the graph reads it; the one that has begun where nobody asked for another."""
    hour = (
        datetime.now(UTC).replace(minute=0, second=0, microsecond=0) if as_of is None else parse_hour(as_of)
    )
    return hour.isoformat()
