"""What a person has written on a run: tags, a note, whether it is put away; and that it came from elsewhere.

`<run>/label.json` stands beside the record and is no part of it: nothing of it is hashed, replayed or sent
along, and a run without one has none of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from base import locks, private
from base.files import write_text_atomically
from base.plain_files import read_plain
from base.reasons import because
from record.errors import ReportError
from record.record import ENSEMBLE_PREFIX, RunRecord, canonical_json, runs_folder

LABEL = "label.json"

LONGEST_TAG = 40
MOST_TAGS = 20
LONGEST_NOTE = 10_000

_TAG = re.compile(rf"[^\W_][\w .:/+#&-]{{0,{LONGEST_TAG - 1}}}")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


class Label(BaseModel):
    """What is written on a run.

    Attributes:
        tags: in the order in which they were given, each once whatever its capitals.
        note: any text; empty for none.
        archived: left out of the usual list.
        imported: ISO time at which it was taken in from a file of somebody else's; empty for a run made here.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    tags: tuple[str, ...] = ()
    note: str = ""
    archived: bool = False
    imported: str = ""

    def has(self, tag: str) -> bool:
        """Whether it has a tag, whatever the capitals."""
        return tag.casefold() in {one.casefold() for one in self.tags}


def read_label(folder: Path) -> Label:
    """What is written on the run of a folder.

    Raises:
        ReportError: `unreadable_record`.
    """
    path = folder / LABEL
    if not path.exists() and not path.is_symlink():
        return Label()
    try:
        return Label.model_validate_json(read_plain(path))
    except (OSError, ValidationError) as error:
        raise ReportError("unreadable_record", path=str(path), reason=because(error)) from None


def write_label(folder: Path, label: Label) -> None:
    """Keep it, whole or not at all.

    Raises:
        OSError: the folder cannot be written; a link stands there.
    """
    write_text_atomically(folder / LABEL, canonical_json(label.model_dump(mode="json")))


def listed_run(home: Path, run: str) -> RunRecord:
    """A run that may be labelled, put away or deleted: one of those that lists of runs show.

    Raises:
        ReportError: `bad_run_name`; `unknown_run`, for those of the ensemble too, which has its own history.
    """
    record = RunRecord(home, run)
    if run.startswith(ENSEMBLE_PREFIX) or not record.exists():
        raise ReportError("unknown_run", run=run)
    return record


def _changed(home: Path, run: str, change: Callable[[Label], Label]) -> Label:
    record = listed_run(home, run)
    record.require_no_links()
    private.make_folder(runs_folder(home))
    # Two pages may change one label at the same time; the lock lies beside the runs, which may be deleted.
    with locks.lock(runs_folder(home) / ".labels.lock"):
        label = change(read_label(record.folder))
        write_label(record.folder, label)
    return label


def tag_run(home: Path, run: str, add: Iterable[str] = (), remove: Iterable[str] = ()) -> Label:
    """Add and take off tags; one that is there, or not there, is left so.

    Raises:
        ReportError: `unknown_run`, `bad_tag`, `too_many_tags`, `linked_record`, `unreadable_record`.
        OSError: the folder cannot be written.
    """
    added = [_tag(one) for one in add]
    gone = {one.strip().casefold() for one in remove}

    def change(label: Label) -> Label:
        kept: dict[str, str] = {}
        for one in (*label.tags, *added):
            if one.casefold() not in gone:
                kept.setdefault(one.casefold(), one)
        if len(kept) > MOST_TAGS:
            raise ReportError("too_many_tags", run=run, most=MOST_TAGS)
        return label.model_copy(update={"tags": tuple(kept.values())})

    return _changed(home, run, change)


def note_run(home: Path, run: str, note: str) -> Label:
    """Write a note on a run in the place of the one that is there; an empty one takes it away.

    Raises:
        ReportError: as `tag_run`; `long_note`.
        OSError: the folder cannot be written.
    """
    told = _CONTROLS.sub("", note.replace("\r\n", "\n").replace("\r", "\n")).strip()
    if len(told) > LONGEST_NOTE:
        raise ReportError("long_note", most=LONGEST_NOTE)
    return _changed(home, run, lambda label: label.model_copy(update={"note": told}))


def archive_run(home: Path, run: str, *, archived: bool = True) -> Label:
    """Put a run away, or back on the list; it stays what it is, and a witness of what was seen.

    Raises:
        ReportError: as `tag_run`; `run_busy`: somebody is at work on it.
        OSError: the folder cannot be written.
    """
    if listed_run(home, run).is_held():
        raise ReportError("run_busy", run=run)
    return _changed(home, run, lambda label: label.model_copy(update={"archived": archived}))


def _tag(given: str) -> str:
    """A tag as it is kept: words with single spaces.

    Raises:
        ReportError: `bad_tag`.
    """
    tag = " ".join(given.split())
    if not _TAG.fullmatch(tag):
        raise ReportError("bad_tag", tag=given[: 2 * LONGEST_TAG], most=LONGEST_TAG)
    return tag


NO_LABEL = Label()
