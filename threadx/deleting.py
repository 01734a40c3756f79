"""A run deleted, with what is kept of it to take it up again; what was seen stays seen."""

from __future__ import annotations

from pathlib import Path

from base.shared import database_of
from record.errors import ReportError
from record.labels import listed_run
from threadx.checkpoints import checkpoints


def delete_run(run: str, home: Path) -> None:
    """Delete a run's folder. Ledger, openings, seals and lessons stay: the next verdict counts them all.

    Raises:
        ReportError: `bad_run_name`, `unknown_run`; `run_busy`: somebody is at work on it; `linked_record`.
        OSError: something in it cannot be deleted; what is left can be deleted again.
    """
    record = listed_run(home, run)
    record.hold("deletion", anew=True)
    try:
        try:
            thread = record.about().get("thread", run)
        except ReportError:  # a damaged run is deleted all the same
            thread = run
        kept = database_of(home) is not None or (home / "checkpoints.sqlite").is_file()
        if thread is not None and kept:
            with checkpoints(home) as saver:
                saver.delete_thread(thread)
        record.remove()
    finally:
        record.release()
