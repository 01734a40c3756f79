"""Back-runs: the ensemble over history, each hour with the data and the records of its hour alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from graphs.ensemble import graph
from nodes.ensemble.context import EnsembleContext
from nodes.ensemble.operation.lease import LEASE, Lease, leased
from nodes.ensemble.operation.partition import published_hours
from nodes.ensemble.scores.outcomes import read_history
from nodes.ensemble.scores.scoring import Scorer
from nodes.ensemble.scores.stances import hour_of, missing_stances, read_stances
from nodes.ensemble.scores.track_record import is_due, keep_standing
from nodes.ensemble.state import EnsembleInput
from nodes.ensemble.types import Stances
from threadx.errors import ThreadxError
from threadx.summaries import data_root
from threadx.writable import writable
from vault.errors import MarketError

RENEWED_EVERY = 50
"""Hours after which the lock's hour begins anew."""


@dataclass(frozen=True, kw_only=True)
class Backfill:
    """What came of a back-run.

    Attributes:
        published: hours done now.
        kept: hours that were published before, and stay as they are.
        empty: hours without any usable data.
        silent: hours for which nobody could speak.
    """

    published: int
    kept: int
    empty: int
    silent: int


def hours_between(begin: datetime, end: datetime, step_hours: int) -> Iterator[datetime]:
    """Every hour from `begin` to `end`, both included."""
    hour = begin
    while hour <= end:
        yield hour
        hour += timedelta(hours=step_hours)


def backfill(
    context: EnsembleContext,
    begin: datetime,
    end: datetime,
    *,
    data: str | None = None,
    step_hours: int = 1,
    watch: Callable[[datetime], None] = lambda hour: None,
) -> Backfill:
    """Publish every hour of a span that has none yet; a second call goes on where the first was stopped.

    Args:
        context: settings; it is run as a back-run whatever it says.
        begin: first hour (UTC).
        end: last hour, included.
        data: a folder of partitions; the data folder if None.
        step_hours: hours from one run to the next.
        watch: called after each hour.

    Raises:
        ThreadxError: `bad_span`.
        BusyError: another back-run is at work.
        MarketError: a price file, or the folder, cannot be used.
    """
    if end < begin:
        raise ThreadxError("bad_span", begin=f"{begin:%Y-%m-%dT%H}", end=f"{end:%Y-%m-%dT%H}")
    home = writable(context.home_path)
    context = context.model_copy(update={"back_run": True})
    counts = dict.fromkeys(("published", "kept", "empty", "silent"), 0)
    with leased(home, "backfill") as lease:
        missing_stances(home)
        done = set(published_hours(home))
        market = read_history(data_root(context, data), home)
        scorer = Scorer(market) if market is not None else None
        earlier = iter(read_stances(home))
        waiting = next(earlier, None)
        for number, hour in enumerate(hours_between(begin, end, step_hours)):
            if number % RENEWED_EVERY == 0:
                lease.renew()
            while waiting is not None and hour_of(waiting) < hour:
                if scorer is not None:
                    scorer.add([waiting])
                waiting = next(earlier, None)
            if scorer is not None and is_due(home, hour):
                scorer.advance(hour)
                keep_standing(home, hour, scorer)
            if hour in done:
                counts["kept"] += 1
            else:
                said = _run(context, hour, data, counts, lease)
                if said is not None and scorer is not None:
                    scorer.add([said])
            watch(hour)
    return Backfill(**counts)


def _run(
    context: EnsembleContext, hour: datetime, data: str | None, counts: dict[str, int], lease: Lease
) -> Stances | None:
    given = EnsembleInput(as_of=hour.isoformat(), data=data)
    try:
        state = graph.invoke(given, {"configurable": {LEASE: lease}}, context=context)
    except MarketError as error:
        if error.code != "no_usable_data":
            raise
        counts["empty"] += 1
        return None
    if state["status"] == "failed":
        counts["silent"] += 1
        return None
    counts["published"] += 1
    said: Stances = state["stances"]
    return said
