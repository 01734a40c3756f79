"""`threadx runs tag | note | archive | delete`: what a person does with a run that is there."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from prompts import Words
from record.labels import archive_run, listed_run, note_run, read_label, tag_run
from threadx.deleting import delete_run
from threadx.errors import ThreadxError
from threadx.plain import say
from threadx.settings import home_folder


def tag(
    words: Words,
    run: str,
    tags: Sequence[str],
    remove: Sequence[str],
    home: str | None,
    language: str,
    debug: bool,
) -> None:
    """Tags added and taken off, and those that the run has now."""
    label = tag_run(home_folder(home), run, tags, remove)
    told = words.join(label.tags) if label.tags else words("command.kept.no_tags")
    say(words("command.kept.tags", run=run, tags=told))


def note(
    words: Words, run: str, told: str | None, remove: bool, home: str | None, language: str, debug: bool
) -> None:
    """A note written or taken away; without either, the one that is there.

    Raises:
        ThreadxError: `note_or_remove`: both were asked for.
    """
    folder = home_folder(home)
    if told is not None and remove:
        raise ThreadxError("note_or_remove")
    if told is None and not remove:
        say(read_label(listed_run(folder, run).folder).note or words("command.kept.no_note"))
        return
    note_run(folder, run, told or "")
    say(words("command.kept.note_gone" if remove else "command.kept.note", run=run))


def archive(words: Words, run: str, undo: bool, home: str | None, language: str, debug: bool) -> None:
    """A run put away, or back on the list."""
    archive_run(home_folder(home), run, archived=not undo)
    say(words("command.kept.back" if undo else "command.kept.archived", run=run))


def delete(words: Words, runs: Sequence[str], yes: bool, home: str | None, language: str, debug: bool) -> int:
    """Runs deleted, once whoever asks has said so; exit code 1 where he has not.

    Raises:
        ThreadxError: `delete_unasked`: nobody can be asked.
    """
    folder = home_folder(home)
    for run in runs:
        listed_run(folder, run)
    told = words.join(runs)
    if not yes and not sys.stdin.isatty():
        raise ThreadxError("delete_unasked", run=told)
    if not yes and not _said_yes(words, told):
        say(words("command.kept.not_deleted"))
        return 1
    for run in dict.fromkeys(runs):
        delete_run(run, folder)
        say(words("command.kept.deleted", run=run))
    return 0


def _said_yes(words: Words, told: str) -> bool:
    say(words("command.kept.deletes", run=told), err=True)
    sys.stderr.write(words("command.kept.question") + " ")
    sys.stderr.flush()
    answer = sys.stdin.readline().strip().casefold()
    return bool(answer) and answer in words("command.kept.yes").split(", ")
