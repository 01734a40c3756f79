"""`threadx runs copy | fetch`: finished runs kept elsewhere too, and brought back."""

from __future__ import annotations

from collections.abc import Sequence

from nodes.copies import Store, finished_runs, missing_copies
from prompts import Words
from threadx.plain import say
from threadx.settings import home_folder
from threadx.writable import writable


def copy(words: Words, runs: Sequence[str], home: str | None, language: str, debug: bool) -> None:
    """Runs sent to the store, all finished ones where none is named; what is there already is not sent again.

    Raises:
        ReportError: as `nodes.copies.Store`; those before it are there.
    """
    folder, store = home_folder(home), Store()
    sent = 0
    for run in dict.fromkeys(runs or finished_runs(folder)):
        if store.put(run, folder):
            sent += 1
            say(words("command.copies.sent", run=run, address=store.shown))
    if not sent:
        say(words("command.copies.nothing_to_send", address=store.shown))


def fetch(
    words: Words, runs: Sequence[str], listed: bool, home: str | None, language: str, debug: bool
) -> None:
    """Runs brought back, all that are not here where none is named; or a list of what the store has.

    Raises:
        ReportError: as `nodes.copies.Store`; those before it are here.
    """
    folder, store = home_folder(home), Store()
    if listed:
        for run in store.runs():
            say(run)
        return
    todo = dict.fromkeys(runs or missing_copies(folder, store))
    if not todo:
        say(words("command.copies.nothing_to_fetch", address=store.shown))
        return
    writable(folder)
    for run in todo:
        store.get(run, folder)
        say(words("command.copies.fetched", run=run))
