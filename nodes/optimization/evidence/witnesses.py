"""What the records of runs witness of ledger and openings, against what these say today.

Each run puts on record how many configurations and openings it found, and where both chains ended, when it
began and when it was judged. So the files check each other: what somebody takes out of one of them is said in
every verdict from then on, and the larger number counts.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from base import shared
from base.plain_files import LARGEST_LOG, read_plain
from base.reasons import ReasonError
from record.errors import ReportError
from record.events import (
    Event,
    EventData,
    EvidenceMissing,
    Judged,
    LedgerBegun,
    LedgerClosed,
    LedgerEvent,
    SearchMeasured,
    Started,
    TrialsFixed,
)
from record.labels import read_label
from record.record import runs_folder
from record.types import MissingEvidence
from vault.chain import Head
from vault.datasets import Dataset, lost_openings, opening_log, readers_of
from vault.ledger import Ledger
from vault.openings import in_utc

_TOLD = tuple(f'"kind":"{one.kind}"'.encode() for one in (Started, LedgerEvent, SearchMeasured, Judged))
_MOST_NAMED = 3


class Heads(BaseModel):
    """Where both chains ended at a moment.

    Attributes:
        ledger: of the whole ledger.
        openings: of the log of openings.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    ledger: Head
    openings: Head


class Witness(BaseModel):
    """What one run has on record.

    Attributes:
        run: its name.
        family: of its prices.
        boundary: where their holdout began, ISO, UTC.
        trials: configurations that it found, or was judged by.
        openings: readers of the holdout that it found, itself included once it was judged.
        opening: which opening its own was; 0 before it was judged.
        closed: whether it counted again when it was judged, which runs of earlier versions did not.
        sharpe_variance: of the configurations, per bar; None before it was judged.
        heads: of both chains, each time it looked; runs of earlier versions have none.
    """

    run: str
    family: str
    boundary: str
    trials: int = 0
    openings: int = 0
    opening: int = 0
    closed: bool = False
    sharpe_variance: float | None = None
    heads: list[Heads] = []


def heads(home: Path) -> Heads:
    """Where both chains end now.

    Raises:
        MarketError: `unusable_ledger`.
        OSError: the folder cannot be written.
    """
    return Heads(ledger=Ledger(home).head(), openings=opening_log(home).head)


def witnesses(home: Path, family: str) -> list[Witness]:
    """What the runs of a data folder have on record about one family of prices.

    A record that cannot be read witnesses what can be read of it; `threadx doctor` tells of it. A run made
    elsewhere has seen another ledger, and witnesses nothing of this one.
    """
    logs = sorted(runs_folder(home).glob("*/events.jsonl"))
    found = (_witness(path) for path in logs if not _is_foreign(path.parent))
    return [one for one in found if one is not None and one.family == family]


def _is_foreign(folder: Path) -> bool:
    """Whether a run was made elsewhere; one whose label cannot be read was made here."""
    try:
        return bool(read_label(folder).imported)
    except ReportError:
        return False


def _witness(path: Path) -> Witness | None:
    told: Witness | None = None
    for event in _events(path):
        try:
            if isinstance(event, Started):
                dataset = Dataset.model_validate(event.dataset)
                told = Witness(run=path.parent.name, family=dataset.family, boundary=in_utc(dataset.boundary))
            elif told is not None:
                told = _more(told, event)
        except (KeyError, TypeError, ValueError):  # pydantic's errors are ValueErrors
            continue
    if told is not None and not told.closed:
        return told.model_copy(update={"openings": max(told.openings, told.opening)})
    return told


def _more(told: Witness, event: EventData) -> Witness:
    """What an event adds."""
    trials, openings = told.trials, told.openings
    match event:
        case LedgerBegun():
            trials, openings = event.snapshot["trials"], event.openings
        case TrialsFixed():
            trials = event.trials
        case SearchMeasured():
            told = told.model_copy(update={"sharpe_variance": event.sharpe_variance})
        case Judged():
            told = told.model_copy(update={"opening": event.judgement["holdout"]["opening"]})
        case LedgerClosed():
            trials, openings = event.trials, event.openings
            told = told.model_copy(update={"closed": not isinstance(event, EvidenceMissing)})
    heads = told.heads
    if isinstance(event, LedgerBegun | LedgerClosed) and event.heads is not None:
        heads = [*heads, Heads.model_validate(event.heads)]
    most = {"trials": max(told.trials, trials), "openings": max(told.openings, openings), "heads": heads}
    return Witness.model_validate({**dict(told), **most})


def _events(path: Path) -> Iterator[EventData]:
    """The events that tell of the ledger; what is no event is passed over."""
    if not path.is_file():
        return
    for line in read_plain(path, LARGEST_LOG).splitlines():
        if any(mark in line for mark in _TOLD):
            try:
                yield Event.read(json.loads(line)).data
            except (ValueError, TypeError, RecursionError, ReasonError):
                continue


def missing_evidence(home: Path, dataset: Dataset, run: str) -> list[MissingEvidence]:
    """Compare, make up for what is missing, and say what that is.

    What a run has seen and the ledger no longer holds is counted in one row of origin `lost`; openings are
    made up for by lines of the log. So the larger number counts, now and in every later run.

    Args:
        home: the data folder.
        dataset: the prices that are to be judged.
        run: which asks; what it makes up for is its own.

    Returns:
        [{"code", …}], a text `verdict.missing.<code>` each; empty where all is as it was.

    Raises:
        MarketError: `unusable_ledger`.
        OSError: the folder cannot be written.
    """
    known = witnesses(home, dataset.family)
    with shared.lock(home, ".evidence.lock"):  # two runs make up for the same thing once
        return [*_ledger(home, dataset, run, known), *_openings(home, dataset, run, known)]


def _ledger(home: Path, dataset: Dataset, run: str, known: Sequence[Witness]) -> Iterator[MissingEvidence]:
    ledger = Ledger(home)
    chain, present = ledger.chain(dataset.family), ledger.snapshot(dataset.family, dataset.also).trials
    strangers = [one.run for one in known if not all(heads.ledger.is_in(chain.hashes) for heads in one.heads)]
    most = max(known, key=lambda one: one.trials, default=None)
    seen = max(chain.configurations, most.trials if most else 0)
    if seen > present:
        variance = next((one.sharpe_variance for one in known if one.sharpe_variance is not None), None)
        ledger.count_lost(
            dataset.family, present=present, witnessed=seen, sharpe_variance=variance, source=run
        )
        named = strangers or ([most.run] if most and most.trials == seen else [])
        code = "trials" if named else "linked"
        yield {"code": code, "present": present, "witnessed": seen, "runs": named[:_MOST_NAMED]}
    elif strangers:
        yield {"code": "ledger", "present": present, "runs": strangers[:_MOST_NAMED]}
    if chain.changed:
        yield {"code": "changed", "count": chain.changed}
    elif chain.broken:
        yield {"code": "broken"}


def _openings(home: Path, dataset: Dataset, run: str, known: Sequence[Witness]) -> Iterator[MissingEvidence]:
    log, boundary = opening_log(home), in_utc(dataset.boundary)
    present = readers_of(dataset, home)
    strangers = [one.run for one in known if not all(heads.openings.is_in(log.hashes) for heads in one.heads)]
    # Whoever saw only rows before today's boundary has seen nothing of today's holdout.
    most = max((one for one in known if one.boundary == boundary), key=lambda one: one.openings, default=None)
    if most is not None and most.openings > present:
        lost_openings(dataset, home, present=present, witnessed=most.openings, source=run)
        named = strangers or [most.run]
        yield {
            "code": "openings",
            "present": present,
            "witnessed": most.openings,
            "runs": named[:_MOST_NAMED],
        }
    elif strangers:
        yield {"code": "log", "present": present, "runs": strangers[:_MOST_NAMED]}
    if log.unreadable:
        yield {"code": "unreadable", "count": log.unreadable}
    elif log.broken:
        yield {"code": "cut", "count": log.broken}
