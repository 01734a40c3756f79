"""`threadx watch`: shows what a run that is at work elsewhere does, and what it comes to."""

from __future__ import annotations

import time
from pathlib import Path

from prompts import Words
from record.log_reader import LogReader
from record.record import RunRecord, as_recorded
from record.run_view import RunView
from threadx.errors import ThreadxError
from threadx.results import Waiting, read_result
from threadx.settings import home_folder
from threadx.terminal import Terminal
from threadx.work.outcome import show_outcome

POLL_SECONDS = 0.5


def watch(words: Words, run: str, json_path: str | None, home: str | None, language: str, debug: bool) -> int:
    """Follow a run until nobody is at work on it; of one that is over, show what it came to.

    Nothing is written and nothing is held: whoever stops watching leaves the run as it is.

    Raises:
        ThreadxError: `not_watched` for a run of the ensemble, `run_interrupted` for one that stands still.
    """
    folder = home_folder(home)
    record, terminal = RunRecord(folder, run), Terminal(words)
    if record.about()["graph"] == "ensemble":
        raise ThreadxError("not_watched", run=run)
    try:
        if record.is_held():
            _follow(record, terminal, folder)
    except KeyboardInterrupt:
        terminal.err.print(words("command.watch_left", run=run), highlight=False, soft_wrap=True)
        return 0
    if record.log.ended():
        with as_recorded(record.result_path):
            return show_outcome(terminal, read_result(record), json_path)
    with as_recorded(record.events_path):
        question = RunView.of(record.events()).question
    if question is None:
        raise ThreadxError("run_interrupted", run=run)
    return show_outcome(
        terminal, Waiting(run=run, folder=record.folder, question=question.plain()), json_path
    )


def _follow(record: RunRecord, terminal: Terminal, home: Path) -> None:
    """Every event of the run so far and to come, until nobody is at work on it."""
    reader = LogReader(record)
    with terminal.progress(home) as shown:
        at_work = True
        while at_work:
            at_work = record.is_held()  # asked before the log is read: what came last is in it
            for event in reader.new_events():
                shown(event.plain())
            if at_work:
                time.sleep(POLL_SECONDS)
