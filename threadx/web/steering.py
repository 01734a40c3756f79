"""What a person may do to a run from its page: stop it, take it up, decide on proposals that wait."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from base.files import write_text_atomically
from nodes.optimization.trials.approval import Approval, faults
from prompts import Language
from record.record import RunRecord
from threadx.web import jobs
from threadx.web.errors import WebError

JOB_LOG = "job.log"
WORD_FILE = "word.json"


@dataclass(frozen=True)
class Standing:
    """How a run stands, beside what its log says.

    Attributes:
        ours: a process started from a page is at work on it.
        held: somebody is at work on it.
        begun: it has a record.
        said: last lines of the process that was started from a page.
    """

    ours: bool
    held: bool
    begun: bool
    said: tuple[str, ...]


def standing(home: Path, record: RunRecord) -> Standing:
    """Look at locks and files."""
    job = jobs.at_work(home, "optimization")
    ours = job is not None and job.name == record.run
    begun = record.exists()
    return Standing(
        ours=ours,
        held=ours or (begun and record.is_held()),
        begun=begun,
        said=tuple(jobs.said(record.folder / JOB_LOG)),
    )


def take_up(home: Path, record: RunRecord, language: Language, word: Mapping[str, Any] | None = None) -> None:
    """Go on with a run that was interrupted, or that waits for a word.

    Args:
        home: the data folder.
        record: the run's.
        language: of what the process says.
        word: what a person says to the proposals (`nodes.optimization.trials.approval.Approval`).

    Raises:
        WebError: `busy`, `run_held`.
        ReportError: `linked_record`.
    """
    record.require_no_links()
    if record.is_held():
        raise WebError("run_held", name=record.run)
    arguments = ["runs", "resume", record.run, f"--language={language}"]
    if word is not None:
        path = record.folder / WORD_FILE
        write_text_atomically(path, json.dumps(word, ensure_ascii=False) + "\n")
        arguments.append(f"--edit={path}")
    jobs.start(home, "optimization", record.run, arguments, record.folder / JOB_LOG)


def stop(home: Path, record: RunRecord) -> None:
    """Interrupt a run that was started or taken up from a page; it can be taken up again.

    Raises:
        WebError: `not_at_work`.
    """
    jobs.stop(home, "optimization", record.run)


Leaf = str | int | float | bool | None


def leaves(change: Mapping[str, Any], prefix: str = "") -> dict[str, Leaf]:
    """The values of a change that a person may edit, by dotted path; its kind stays what it is."""
    found: dict[str, Leaf] = {}
    for name, value in change.items():
        path = f"{prefix}{name}"
        if isinstance(value, Mapping):
            found |= leaves(value, f"{path}.")
        elif path != "kind" and not isinstance(value, list):
            found[path] = value
    return found


def edited(change: Mapping[str, Any], values: Mapping[str, Leaf]) -> dict[str, Any]:
    """The change with other values at the paths of `leaves`; text where a number stood is read as one."""
    whole: dict[str, Any] = json.loads(json.dumps(change))
    for path, value in values.items():
        *parents, last = path.split(".")
        place = whole
        for parent in parents:
            place = place[parent]
        place[last] = _like(place[last], value)
    return whole


def edit_faults(edits: Sequence[Mapping[str, Any]], language: Language) -> dict[tuple[int, str], str]:
    """What of a person's edits cannot be meant, by proposal and path of `leaves`: one sentence each.

    Bounds and conditions are judged by the run itself, which knows the strategy.
    """
    try:
        Approval.model_validate({"edit": edits})
    except ValidationError as error:
        found = faults(error, language, forms=False)
        return {
            (edits[int(where[1])]["proposal"], ".".join(map(str, where[3:]))): what[:1].upper() + what[1:]
            for where, what in found.items()
            if where[:1] == ("edit",) and len(where) > 3
        }
    return {}


def _like(before: Leaf, value: Leaf) -> Leaf:
    if not isinstance(value, str):
        return value
    if not value.strip():
        return None
    if isinstance(before, str):
        return value.strip()
    try:
        return float(value.replace(",", "."))
    except ValueError:
        return value  # what cannot be meant is refused with its reason where the word is read
