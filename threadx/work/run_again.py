"""`threadx runs resume` and `threadx runs replay`: taking up what was interrupted, and repeating it."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

from base.json_files import read_json
from base.plugins import PREFIX
from base.reasons import ReasonError, because
from prompts import Words
from record.record import RunRecord, as_recorded, canonical_json
from threadx.audit.replaying import replay_run
from threadx.errors import ThreadxError
from threadx.runner import resume_run
from threadx.settings import make_context
from threadx.terminal import Terminal
from threadx.work.outcome import show_outcome
from threadx.work.written import write_json


def _numbers(given: str | None) -> list[int] | str:
    """`1,3` as numbers, `all` as it is, nothing as none.

    Raises:
        ThreadxError: `bad_numbers`.
    """
    if given is None:
        return []
    if given.strip() == "all":
        return "all"
    try:
        return [int(part) for part in given.split(",")]
    except ValueError:
        raise ThreadxError("bad_numbers", given=given) from None


def _word(accept: str | None, reject: str | None, edit: str | None) -> dict[str, Any] | None:
    """What the person says, or None for nothing.

    Raises:
        ThreadxError: `bad_numbers`, `no_edit_file`, `bad_edit_file`.
    """
    if accept is None and reject is None and edit is None:
        return None
    word: dict[str, Any] = {"accept": _numbers(accept), "reject": _numbers(reject)}
    if edit is not None:
        path = Path(edit)
        if not path.is_file():
            raise ThreadxError("no_edit_file", path=edit)
        try:
            given = read_json(path)
        except (OSError, ValueError, ReasonError) as error:
            raise ThreadxError("bad_edit_file", path=edit, reason=because(error)) from None
        # A whole word may stand in the file, or only the changes.
        word = {**word, **given} if isinstance(given, dict) else {**word, "edit": given}
    return word


def resume(
    words: Words,
    run: str,
    accept: str | None,
    reject: str | None,
    edit: str | None,
    json_path: str | None,
    home: str | None,
    language: str,
    debug: bool,
) -> int:
    """The run taken up where it stopped; a word of the person's is handed to it."""
    word = _word(accept, reject, edit)
    terminal = Terminal(words)
    folder = make_context(home=home).home_path
    record = RunRecord(folder, run)
    limit, ended = record.about()["context"].get("max_iterations"), record.log.ended()
    with terminal.progress(folder, limit) as watch:
        outcome = resume_run(run, folder, watch, word)
    with as_recorded(record.result_path) if ended else nullcontext():  # nothing was left to do
        return show_outcome(terminal, outcome, json_path)


def replay(
    words: Words, run: str, json_path: str | None, home: str | None, language: str, debug: bool
) -> int:
    """The run repeated offline; exit code 1 where it came out otherwise."""
    terminal = Terminal(words)
    folder = make_context(home=home).home_path
    with terminal.progress(folder) as watch:
        repeated = replay_run(run, folder, watch)
    for notice in repeated.notices:
        terminal.notice(notice.as_data())
    if json_path != "-":
        others = [notice.name for notice in repeated.notices if notice.name.startswith(PREFIX)]
        if repeated.same and others:
            names = ", ".join(name.removeprefix(PREFIX) for name in others)
            terminal.lines([words("command.replay.same_with_others", run=run, names=names)])
        elif repeated.same:
            terminal.lines([words("command.replay.same", run=run)])
        else:
            places = ", ".join(repeated.differences)
            terminal.lines([words("command.replay.different", run=run, differences=places)])
    write_json(canonical_json(repeated.result), json_path)
    return 0 if repeated.same else 1
