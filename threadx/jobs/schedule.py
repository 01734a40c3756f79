"""The hourly schedule: at the top of every hour, once for hours that were missed, never twice for one."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.base import BaseScheduler
from apscheduler.triggers.cron import CronTrigger

from backtest.errors import BacktestError
from base.reasons import ENDINGS
from nodes.ensemble.context import EnsembleContext
from nodes.ensemble.operation.partition import hour_folder, published_hours, settle
from nodes.ensemble.scores.records import record_at
from nodes.ensemble.scores.track_record import is_due
from threadx.errors import ThreadxError
from threadx.results import SummaryResult
from threadx.summaries import data_root, run_summary
from vault.errors import MarketError

now: Callable[..., datetime] = datetime.now
"""Given UTC it tells the time; tests put a clock of their own here."""

AT_ONCE = 3
"""Runs that may be open in this process: a hung one must not keep the next from taking its lock over."""


@dataclass(frozen=True)
class Turn:
    """What came of one hour.

    Attributes:
        hour: which (UTC).
        result: of the run; None where there was none.
        skipped: the hour was published already.
        error: why the run failed.
    """

    hour: datetime
    result: SummaryResult | None = None
    skipped: bool = False
    error: Exception | None = None


def time_zone(name: str) -> ZoneInfo:
    """A time zone by its name.

    Raises:
        ThreadxError: `bad_time_zone`.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ThreadxError("bad_time_zone", name=name) from None


def this_hour() -> datetime:
    """The hour that has begun (UTC)."""
    return now(UTC).replace(minute=0, second=0, microsecond=0)


def take_turn(context: EnsembleContext, data: str | None, tell: Callable[[Turn], None]) -> None:
    """Run the hour that has begun, unless it is published; after a failure the next hour comes all the same.

    Args:
        context: settings.
        data: a folder of partitions; the data folder if None.
        tell: called once with what came of it.
    """
    hour = this_hour()
    folder = hour_folder(context.home_path, hour)
    settle(folder)  # a kill may have left the hour with its trace alone
    if hour in published_hours(context.home_path):
        tell(Turn(hour, skipped=True))
        return
    try:
        result = run_summary(context, as_of=hour.isoformat(), data=data, watch=lambda node: None)
        renew_standing(context, data, hour)
    except ENDINGS as error:  # they end this hour, not the schedule; anything else is a bug and ends it
        tell(Turn(hour, error=error))
        return
    tell(Turn(hour, result=result))


def renew_standing(context: EnsembleContext, data: str | None, hour: datetime) -> None:
    """Once a day, what the agents' records are worth, by what is known at the hour."""
    if not is_due(context.home_path, hour):
        return
    # `threadx ensemble score` names a price file that cannot be used; the summary does not depend on it.
    with suppress(MarketError, BacktestError):
        record_at(context.home_path, data_root(context, data), hour)


def prepare(scheduler: BaseScheduler, job: Callable[[], None], zone: ZoneInfo, *, at_once: bool) -> None:
    """Set a scheduler up: the job at the top of every hour of a time zone.

    Hours that pass while the process sleeps or is busy are caught up by one run. A process that was away has
    no memory of them: with `at_once` the hour that has begun is run now.

    Args:
        scheduler: not yet started.
        job: one turn.
        zone: whose hours.
        at_once: the first run is now.
    """
    scheduler.configure(
        timezone=zone,
        executors={"default": ThreadPoolExecutor(AT_ONCE)},
        job_defaults={"coalesce": True, "misfire_grace_time": None, "max_instances": AT_ONCE},
    )
    first = {"next_run_time": datetime.now(zone)} if at_once else {}
    scheduler.add_job(job, CronTrigger(minute=0, timezone=zone), id="ensemble", **first)
