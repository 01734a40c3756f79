"""One walk: every error that the code can make × every face × both languages.

The errors are read off the source (`tests.raise_sites`), so that a new one is walked by itself; what files,
databases and the system refuse is walked with them. A face is whatever a person or an agent reads: exceptions
in Python, the terminal, a page, a tool's message, an answer of the LangGraph server, a record read again.
"""

from __future__ import annotations

import asyncio
import errno
import inspect
import io
import json
import pickle
import re
import sqlite3
from collections.abc import Callable
from functools import cache
from pathlib import Path
from string import Formatter
from typing import Any

import click
import pytest
from langgraph_api.serde import default
from rich.console import Console

import threadx
from base.errors import LANGUAGES, Language, TypedError, catalogue, text
from base.reasons import ReasonError, plain
from graphs import served
from graphs.door import Door
from nodes.context import OptimizationContext
from nodes.ensemble.operation.status import failure_reason
from prompts import Words
from reports.tables import failure_lines
from tests.base.test_errors import ENGLISH
from tests.laws import some
from tests.prompts.test_language_leaks import every_command
from tests.raise_sites import sites
from threadx import api, command, counted, summaries, tools
from threadx.command import build, main
from threadx.terminal import Progress
from threadx.web.frame import Problem
from threadx.web.new_page import Form
from threadx.web.relaunch import Relaunch
from threadx.web.running import Running
from threadx.web.steering_panel import Panel
from vault.readers.options import Reading

VALUE = "Zq7"
"""Stands for whatever an error tells of."""

NAMED = "time-zone"
"""Stands for an option that an error names itself."""

FRENCH = set("le la les des une est pas dans avec pour sur aux cette ce qui donnez il elle sont".split())  # noqa: SIM905
TERMINALS = (
    "feeds/builders/",
    "vault/boundaries",
    "vault/fetch",
    "threadx/work/",
    "threadx/commands/",
    "threadx/jobs/backfill.py",
    "threadx/jobs/schedule.py",
    "threadx/runner.py",
)
"""Where only the command comes by."""

QUOTED = re.compile(r"`[^`]*`|--[\w-]+|\S*[_/\\@=]\S*|\bthreadx [\w ]+|pip install [^)]*")
"""Code in a sentence, which is in no language."""

RAW = re.compile(r"\w+Error\(|^[a-z]+_[a-z_]+\b(?!=)|\{[\w-]*\}|\bNone\b(?! of)|\\n")
"""Codes and placeholders that a reader should never see."""

PARTS = re.compile(r"wanted_\w+|no_object")
"""Codes of errors that stand inside the sentence of another one, as all of `ReasonError` do."""

COLUMNS = set("open high low close volume".split())  # noqa: SIM905

GLUED = re.compile(r"[\w)»][:;!?»%](?:\s|$)|[ ](?:[:;!?»%](?:\s|$))|«[^\xa0]")
"""French punctuation without its no-break space."""


def made(code: str, kind: type[TypedError]) -> TypedError:
    """The error, each field with something in it that its text can show."""
    fields: dict[str, Any] = {}
    for language in LANGUAGES:
        for _, name, form, _ in Formatter().parse(catalogue(kind.room, language)[f"error.{code}"]):
            if name and name.startswith("--@"):
                fields[name.removeprefix("--@")] = NAMED
            elif name and not name.startswith("--") and "?" not in name:  # the number stands beside it
                fields[name.partition(".")[0]] = 7 if form else VALUE
    return kind(code, **fields)


@cache
def errors() -> list[Exception]:
    """Every error once, and what is no error of ours but ends work.

    Not read when tests are collected: every process of them would read all of the source.
    """
    kinds = {(site.kind, site.code) for site in sites() if site.code is not None}
    found: list[Exception] = [made(code, kind) for kind, code in sorted(kinds, key=str)]
    found += [OSError(number, "No such device", "/x/y.csv") for number in sorted(errno.errorcode)]
    found += [OSError(errno.ENOSPC, "No space left on device"), sqlite3.OperationalError("disk I/O error")]
    return found


class Raises:
    """What a face meets in the place of its work."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def __call__(self, *given: Any, **named: Any) -> Any:
        raise self.error


class Shown:
    """The line of a page that tells what went wrong."""

    said = ""
    tell: Any = Problem.tell

    def set_text(self, line: str) -> None:
        self.said = line

    def set_visibility(self, seen: bool) -> None:
        assert seen

    def classes(self, **changes: str) -> None:
        """Colours."""


def python_call(inner: tuple[Any, str], call: Callable[[Language], Any]) -> Callable[..., str]:
    """A function of the Python face whose inner work ends in an error: what the exception says."""

    def seen(error: Exception, language: Language, patch: pytest.MonkeyPatch) -> str:
        patch.setattr(*inner, Raises(error))
        with pytest.raises(TypedError) as caught:
            call(language)
        return str(caught.value)

    return seen


def traceback_line(error: Exception, language: Language, patch: pytest.MonkeyPatch) -> str | None:
    """What a process that was sent the error shows of it."""
    return str(pickle.loads(pickle.dumps(error))) if isinstance(error, TypedError) else None


def terminal(error: Exception, language: Language, patch: pytest.MonkeyPatch) -> str:
    said: list[str] = []
    patch.setattr(command, "_called", Raises(error))
    patch.setattr(command, "say", lambda told, err: said.append(str(told)))
    with pytest.raises(SystemExit) as left:
        main(["doctor", f"--language={language}"])
    assert left.value.code in (1, 2)
    (line,) = said
    return line


def page(draw: Callable[[Words, Shown], Any], place: str) -> Callable[..., str]:
    """A page whose work ends in an error: the line that it shows."""

    def seen(error: Exception, language: Language, patch: pytest.MonkeyPatch) -> str:
        patch.setattr(place, Raises(error))
        shown = Shown()
        asyncio.run(draw(Words(language, "page"), shown))
        return shown.said

    return seen


class Anything:
    """A field or a button of a page."""

    value = home = ""

    def disable(self) -> None:
        """It cannot be pressed."""

    enable = disable

    def tell(self, error: Exception) -> bool:
        """No field is at fault."""
        return False


def new_page(words: Words, shown: Shown) -> Any:
    form: Any = object.__new__(Form)
    form.words, form._problem, form._button, form.site = words, shown, Anything(), Anything()
    form.order, form._strategy = lambda: None, Anything()
    return form._start()


def run_page(words: Words, shown: Shown) -> Any:
    panel: Any = object.__new__(Panel)
    panel.words, panel._problem, panel._stop, panel._line = words, shown, Anything(), Shown()
    panel.site = panel.record = Anything()
    return panel._on_stop()


def summary_page(words: Words, shown: Shown) -> Any:
    button: Any = object.__new__(Relaunch)
    button.words, button._work = words, object.__new__(Running)
    button._work._line = shown
    button.site = button._source = button._models = Anything()
    return button._click()


def tool(error: Exception, language: Language, patch: pytest.MonkeyPatch) -> str:
    patch.setattr(tools, "tried", Raises(error))
    asked = {"data": "sample:sp500", "strategy": {"preset": "ma_crossover"}}
    call = {"name": "backtest_strategy", "args": asked, "id": "1", "type": "tool_call"}
    message = tools.backtest_tool(home="/x", language=language).invoke(call)
    assert message.status == "error"
    told = json.loads(message.content)
    assert told.keys() == {"error"}
    return str(told["error"])


def server(error: Exception, language: Language, patch: pytest.MonkeyPatch) -> str:
    """As the server writes an exception to its client."""
    patch.setattr(Door, "_enter", Raises(error))
    with pytest.raises(RuntimeError) as caught:
        served.optimization.invoke({"data": "sample:sp500"}, context={"language": language})
    return str(default(caught.value)["message"])


def record(error: Exception, language: Language, patch: pytest.MonkeyPatch) -> str | None:
    """Written to a record as JSON, and told from it inside another sentence, as reports do."""
    if not isinstance(error, TypedError):
        return None
    kept = json.loads(json.dumps(plain(error)))
    told = text("command.error.run_failed", language, reason=kept)
    return told.removeprefix(text("command.error.run_failed", language, reason=""))


PAGES = {
    "new page": page(new_page, "threadx.web.new_page.start"),
    "run page": page(run_page, "threadx.web.steering_panel.stop"),
    "summary page": page(summary_page, "threadx.web.relaunch.start"),
}
PRICES = "sample:sp500"
PYTHON = {
    "optimize": python_call((api, "begin"), lambda spoken: threadx.optimize(PRICES, language=spoken)),
    "review": python_call((api, "begin"), lambda spoken: threadx.review(PRICES, language=spoken)),
    "summarize": python_call((summaries, "run_summary"), lambda spoken: threadx.summarize(language=spoken)),
    "replay": python_call((api, "replay_run"), lambda _: threadx.replay("r")),
    "check": python_call((api, "check_run"), lambda _: threadx.check("r")),
    "export": python_call((api, "RunRecord"), lambda _: threadx.export_strategy_evolution("r")),
    "read_prices": python_call((api, "read_any"), lambda _: threadx.read_prices(PRICES)),
    "backtest": python_call((counted, "tried"), lambda _: threadx.backtest(PRICES)),
    "sweep": python_call((counted, "registered"), lambda _: threadx.sweep(PRICES)),
    "traceback": traceback_line,
}
FACES: dict[str, Callable[[Exception, Language, pytest.MonkeyPatch], str | None]] = {
    **PYTHON,
    **PAGES,
    "terminal": terminal,
    "tool": tool,
    "server": server,
    "record": record,
}


def faults(line: str, language: Language, *, part: bool) -> list[str]:
    """What is wrong with a sentence."""
    found = [] if line.strip() == line and line and "\n" not in line else ["not one line"]
    bare = QUOTED.sub(" ", line.replace(VALUE, " ").replace("\xa0", " "))
    words = {word.lower() for word in re.findall(r"[^\W\d_]+", bare)} - COLUMNS
    found += [f"foreign: {word}" for word in sorted(words & (ENGLISH if language == "fr" else FRENCH))]
    found += [f"raw: {one}" for one in RAW.findall(line)]
    if language == "fr":
        found += [f"glued: {one!r}" for one in GLUED.findall(QUOTED.sub("x", line))]
    if not part and not line[0].isupper() and not line.startswith((VALUE, "/x", "«", "“", "`")):
        found.append("no beginning")
    return found


def advised(template: str) -> list[str]:
    """The options in a template."""
    found = [name for _, name, _, _ in Formatter().parse(template) if name and name.startswith("--")]
    return [f"--{NAMED}" if name.startswith("--@") else name for name in found]


def terminals_own(room: str, code: str) -> bool:
    """Whether an error is made where only the command comes by."""
    places = {site.place for site in sites() if (site.kind.room, site.code) == (room, code)}
    return all(place.startswith(TERMINALS) for place in places)


def options(error: Exception, line: str, face: str) -> list[str]:
    """Options named as another face has them; what stands in code marks is a command to be typed."""
    if not isinstance(error, TypedError) or terminals_own(error.room, error.code):
        return []
    known = advised(catalogue(error.room, "fr")[f"error.{error.code}"])
    if face == "terminal":
        return [name for name in known if re.split("[=|]", name)[0] not in line]
    found = re.findall(r"(?<![\w-])--[a-z][a-z-]*", re.sub(r"`[^`]*`|pip install.*", "", line))
    if face in PAGES:  # what no form asks for is for whoever serves the pages
        labels = catalogue("web", "fr")
        return [name for name in found if f"setting.{name[2:].replace('-', '_')}" in labels]
    return found


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THREADX_HOME", str(tmp_path))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("face", FACES)
def test_every_error_is_a_sentence_at_every_face(
    face: str, language: Language, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THREADX_LANGUAGE", language)
    found = {}
    # What an error says is gone through at the terminal; that it says so elsewhere, by turns.
    turn = [*FACES].index(face) % 4
    for error in errors() if face == "terminal" else some(errors(), errors()[turn::4]):
        with monkeypatch.context() as patch:
            line = FACES[face](error, language, patch)
        if isinstance(error, TypedError):
            error.language = None  # some faces leave theirs on it
        part = isinstance(error, ReasonError) or bool(PARTS.fullmatch(getattr(error, "code", "")))
        if line is not None and (wrong := faults(line, language, part=part) + options(error, line, face)):
            found[repr(error)] = (line, wrong)
    assert found == {}


def test_every_option_that_an_error_advises_exists_at_its_face() -> None:
    root = build(Words("fr"))
    known = {
        name.lstrip("-").replace("-", "_")
        for one, _ in every_command(root, click.Context(root, info_name="threadx"))
        for option in one.params
        for name in (*option.opts, *option.secondary_opts)
    }
    functions = [
        getattr(threadx, name)
        for name in ("optimize_each", "optimize", "backtest", "sweep", "read_prices", "check")
    ]
    arguments = {name for one in functions for name in inspect.signature(one).parameters}
    arguments |= OptimizationContext.model_fields.keys() | Reading.model_fields.keys()
    for room in {site.kind.room for site in sites()}:
        for code, template in catalogue(room, "fr").items():
            for option, _, argument in (name.partition("|") for name in advised(template)):
                named = option[2:].partition("=")[0].replace("-", "_")
                assert named in known, code
                if code.startswith("error.") and not terminals_own(room, code.partition(".")[2]):
                    assert (argument.partition("=")[0] or named) in arguments, code


def failed_hour(code: str, words: Words) -> str:
    """Of the ensemble's log: terminal, page and summary."""
    return failure_reason({"status": "failed", "failure": code, "reason": None}, words)


def report_line(code: str, words: Words) -> str:
    """Of a run's report and result."""
    (line,) = failure_lines({"brains": {"analyst": {"failures": {f"ollama:m: {code}": 2}}}}, words)
    return line


def stood_in(code: str, words: Words) -> str:
    """Of the progress on the terminal."""
    seen = io.StringIO()
    progress = Progress(words, Console(file=seen, width=500), None, "/x")
    attempts = [{"model": "ollama:m", "code": code, "outcome": "error"}]
    progress._say_who_stood_in("analyst", {"model": "rules", "degraded": True, "attempts": attempts})
    return seen.getvalue().strip()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("tell", [failed_hour, report_line, stood_in])
def test_what_ended_a_call_has_a_name_wherever_it_is_told(
    tell: Callable[[str, Words], str], language: Language
) -> None:
    """`test_errors` holds the table of names against the codes that the source makes."""
    found = {}
    for code, name in catalogue("failure", language).items():
        line = tell(code, Words(language))
        wrong = faults(line, language, part=True) + [name] * (name not in line)
        if wrong:
            found[code] = (line, wrong)
    assert found == {}
