"""`threadx runs`: what was run, why it came out so, taking up what was interrupted, and repeating it."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

from base.json_files import read_json
from base.plugins import PREFIX
from base.reasons import ReasonError, because
from nodes.context import Context
from nodes.ensemble.operation.run_events import RUN_PREFIX
from prompts import Words
from record.errors import ReportError
from record.evolution import strategy_evolution
from record.record import RunRecord, as_recorded, canonical_json, run_folder, runs_folder
from record.run_view import RunView
from reports.explanation import explanation
from reports.forms import Format
from threadx.audit.replaying import replay_run
from threadx.errors import ThreadxError
from threadx.reporting import run_document
from threadx.results import SummaryResult
from threadx.runner import make_context, read_result, resume_run
from threadx.terminal import Terminal
from threadx.work.outcome import show_outcome
from threadx.work.written import write_json, write_report

_COLUMNS = ("run", "started", "instrument", "strategy", "status", "verdict", "score")


def _home(home: str | None) -> Path:
    return (Context() if home is None else Context(home=home)).home_path


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


def _line(record: RunRecord, words: Words) -> dict[str, Any]:
    """What is told of a run in the list; what is not known is None, so a damaged record hides no other."""
    try:
        with as_recorded(record.folder):
            line = _readable(record)
            _cells(line, words)  # what can be shown
            return line
    except ReportError as error:
        unknown = dict.fromkeys(("graph", "data", "symbol", "timeframe", "strategy", "verdict", "score"))
        told = str(error)
        return {"run": record.run, "started": "", "status": "unreadable", "problem": told, **unknown}


def _readable(record: RunRecord) -> dict[str, Any]:
    about = record.about()
    asked = about["input"]
    line = {
        "run": record.run,
        "graph": about["graph"],
        "started": about["started"],
        "data": asked.get("data"),
        "symbol": asked.get("symbol"),
        "timeframe": asked.get("timeframe"),
        "strategy": (asked.get("spec") or {}).get("name") or asked.get("strategy"),
        "verdict": None,
        "score": None,
    }
    try:
        result = record.result()
    except ReportError as error:
        if error.code != "no_result":
            raise
        return line | {"status": "waiting" if RunView.of(record.events()).waits else "open"}
    return line | {
        "status": result["status"],
        "symbol": result["dataset"]["symbol"],
        "timeframe": result["dataset"]["timeframe"],
        "verdict": (result.get("verdict") or {}).get("value"),
        "score": result["final_score"],
    }


def _cells(line: dict[str, Any], words: Words) -> list[str]:
    verdict = line["verdict"]
    return [
        line["run"],
        line["started"][:10] or "–",
        " ".join(line[name] for name in ("symbol", "timeframe") if line[name]) or line["data"] or "–",
        line["strategy"] or "–",
        words(f"command.run_status.{line['status']}"),
        words(f"verdict.short.{verdict}") if verdict else "–",
        words.number(line["score"]),
    ]


def listing(words: Words, json_path: str | None, home: str | None, language: str, debug: bool) -> None:
    """Runs of the cycle, the newest first."""
    folder = _home(home)
    records = (
        RunRecord(folder, path.parent.name)
        for path in runs_folder(folder).glob("*/run.json")
        if not path.parent.name.startswith(RUN_PREFIX)  # `threadx ensemble history` lists those
    )
    told = (_line(record, words) for record in records)
    lines = sorted(told, key=lambda line: (line["started"], line["run"]), reverse=True)
    if json_path != "-":
        Terminal(words).columns(
            [words(f"command.runs_column.{name}") for name in _COLUMNS],
            [_cells(line, words) for line in lines],
            words_columns=range(6),
        )
    write_json(canonical_json(lines), json_path)


def show(
    words: Words, run: str, explain: bool, json_path: str | None, home: str | None, language: str, debug: bool
) -> None:
    """A run's result, or why it came out so."""
    record = RunRecord(_home(home), run)
    about = record.about()
    terminal = Terminal(words)
    if about.get("graph") == "ensemble":
        result = record.result()
        if json_path != "-":
            with as_recorded(record.result_path):
                terminal.summary(SummaryResult.from_details(result))
        write_json(canonical_json(result), json_path)
    elif explain:
        with as_recorded(record.events_path):
            evolution = strategy_evolution(record.events())
            if json_path != "-":
                terminal.lines(explanation(evolution, words))
        told = {"run": run, "graph": about["graph"], **evolution}
        write_json(canonical_json(told), json_path)
    else:
        with as_recorded(record.result_path):
            show_outcome(terminal, read_result(record), json_path)


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


def report(
    words: Words, run: str, form: Format, out: str | None, home: str | None, language: str, debug: bool
) -> None:
    """The run as a document."""
    folder = _home(home)
    document = run_document(folder, run, words, drawn=form != "md")
    with as_recorded(run_folder(folder, run)):
        write_report(words, document, form, out, run_folder(folder, run) / f"report.{language}.{form}")
