"""A home with one of everything, each file of it damaged in each way, and everybody who reads it.

`answer` runs a reader in this process and says what is wrong with its answer: it must work, or leave with 1
or 2 and a clear line.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from copy import copy
from pathlib import Path
from typing import Any
from unittest import mock

import httpx
import pandas as pd

from nodes.context import OptimizationContext
from nodes.errors import SettingError
from nodes.model_settings import provider_settings
from prompts import Words
from providers.installed import model_files
from record.errors import ReportError
from record.record import RunRecord
from record.scorecards import Card, keep, kept_cards
from tests.gguf_files import gguf
from tests.optimization_runs import ALL_RULES
from tests.partitions import AS_OF, fill
from tests.prices import made_up_prices
from threadx.command import main
from threadx.web.listing import read_outcome
from threadx.web.models_page import choice

RULES = [part for role, model in ALL_RULES.items() for part in (f"--{role}", model)]
HOUR = f"{AS_OF:%Y%m%d%H}"
PRICES = "TEST_1h.csv"
"""Beside the home; so the walk damages what ThreadX keeps, not what a person gives."""

WAYS: dict[str, Callable[[bytes], bytes | None]] = {
    "empty": lambda content: b"",
    "empty object": lambda content: b"{}",
    "half": lambda content: content[: len(content) // 2],
    "rubbish": lambda content: bytes(range(1, 256)) * 40,
    "wrong type": lambda content: b'[1, "two", null]\n',
    "other encoding": lambda content: '{"é": "ü"}\n'.encode("utf-16"),
    "zeros": lambda content: b"\0" * max(len(content), 64),
    "zeros at the end": lambda content: content[: -len(content) // 4] + b"\0" * (len(content) // 4),
    "folder": lambda content: None,
}
"""What is in the file's place; None is a folder."""

_NAMED = ["-s", "ma_crossover", "-p", "fast_period=5", "-p", "slow_period=20"]

COMMANDS: dict[str, list[str]] = {
    "runs list": ["runs", "list"],
    "runs show": ["runs", "show", "one"],
    "runs show --explain": ["runs", "show", "one", "--explain"],
    "runs report": ["runs", "report", "one", "--format", "md"],
    "runs check": ["runs", "check", "one"],
    "runs replay": ["runs", "replay", "one"],
    "runs resume": ["runs", "resume", "one"],
    "runs resume waiting": ["runs", "resume", "waiting", "--reject", "all"],
    "runs show ensemble": ["runs", "show", "ENSEMBLE"],
    "backtest": ["backtest", PRICES, *_NAMED],
    "backtest --all": ["backtest", PRICES, *_NAMED, "--all"],
    "sweep": ["sweep", PRICES, "-s", "ma_crossover", "--grid", "fast_period=5,6"],
    "optimize": ["optimize", PRICES, *_NAMED, *RULES, "--max-iterations", "1", "--run", "new"],
    "review": ["review", PRICES, *_NAMED, *RULES, "--run", "new"],
    "data check": ["data", "check", PRICES],
    "data advance": ["data", "advance", PRICES],
    "ensemble run": ["ensemble", "run", "--models", "rules", "--as-of", HOUR],
    "ensemble history": ["ensemble", "history"],
    "ensemble score": ["ensemble", "score"],
    "ensemble report": ["ensemble", "report", HOUR, "--format", "md"],
    "models use": ["models", "use", "rules"],
    "doctor": ["doctor"],
}

FACES: dict[str, tuple[str, str, tuple[Any, ...]]] = {
    "page of runs": ("threadx.web.listing", "list_runs", ()),
    "page of hours": ("threadx.web.hours", "read_hour", ()),
    "page of history": ("threadx.web.hours", "history", ()),
    "page of a new run": ("threadx.web.order", "registered", ()),
    "page of work": ("threadx.web.jobs", "at_work", ("optimization",)),
    "page of models": ("tests.damage", "page_of_models", ()),
    "run page": ("tests.damage", "page_of_a_run", ("one",)),
}
"""What pages read, by module and function."""

READERS = (*COMMANDS, *FACES)


def page_of_models(home: Path) -> None:
    """What the page of models reads of a home, and so the list; its settings may be refused in a sentence."""
    kept_cards(home, "en")
    with contextlib.suppress(SettingError):
        choice(str(home))
        model_files(provider_settings(OptimizationContext(home=str(home))))


def page_of_a_run(home: Path, run: str) -> None:
    """What the page of a run says of its end; it may say that the record cannot be read."""
    with contextlib.suppress(ReportError):
        read_outcome(RunRecord(home, run), Words("en"))


def changed_pages(url: str, home: Path, run: str, every: int = 1) -> Iterator[tuple[str, str | None]]:
    """The page of a run as a browser gets it, for each field of each kind of its events that was changed.

    Args:
        url: where the pages of the home are served.
        home: the data folder.
        run: of which copies are changed.
        every: of the changed fields one in so many.

    Returns:
        What was done, and what is wrong with the page: it must show the run, or say that it is unreadable.
    """
    kept = home / "runs" / run
    changed = field_mutations((kept / "events.jsonl").read_bytes(), lines=True, every=every)
    for number, (label, content) in enumerate(changed):
        odd = home / "runs" / f"odd-{run}-{number}"  # nothing of another one is remembered under this name
        shutil.copytree(kept, odd)
        (odd / "events.jsonl").write_bytes(content)
        page = httpx.get(f"{url}/threadx/runs/{odd.name}", timeout=120)
        shutil.rmtree(odd)
        clear = page.status_code == 200 and odd.name in page.text and "Traceback" not in page.text
        yield label, None if clear else f"{page.status_code}: {page.text[:200]}"


UNHEARD = {
    "forecast": ["ensemble run"],
    "macro": ["ensemble run"],
    "news": ["ensemble run"],
    "prices": ["ensemble run", "ensemble score"],
    "sweeps": ["sweep"],
}
"""By folder, who reads what Arrow opens by itself."""


_OF_RUNS = ("runs list", "runs show", "runs report", "page of runs", "run page")
_OF_HOURS = ("ensemble history", "ensemble report", "page of hours", "page of history")
FIELD_READERS: dict[str, tuple[str, ...]] = {
    "runs/one/result.json": (*_OF_RUNS, "runs resume"),
    "runs/one/run.json": (*_OF_RUNS, "runs show --explain", "runs resume"),
    "runs/one/events.jsonl": ("runs show --explain", "runs report", "runs resume", "run page"),
    "runs/waiting/run.json": ("runs list", "runs resume waiting"),
    "runs/waiting/events.jsonl": ("runs list", "runs resume waiting"),
    "runs/ensemble-*/result.json": ("runs show ensemble",),
    "runs/ensemble-*/run.json": ("runs show ensemble",),
    "llm_summary/*/summary.json": _OF_HOURS,
    "llm_summary/*/trace_raw.json": (*_OF_HOURS, "ensemble score"),
    "ensemble/stances.jsonl": ("ensemble score", "ensemble run"),
    "ensemble/run-lock/holder.json": ("ensemble run",),
    "logs/ensemble.log": ("ensemble history", "ensemble run"),
    "datasets/*[0-9a-f].json": ("backtest", "page of a new run"),
    "datasets/holdout_openings.jsonl": ("runs list", "backtest"),
    "datasets/splits.json": ("backtest", "data check"),
    "watchlist.json": ("ensemble run",),
    "jobs/optimization.json": ("page of work",),
}
"""Who is asked when a field of a file is not what it was."""


def build(folder: Path) -> Path:
    """A home with one of everything that ThreadX keeps, and a price file beside it."""
    home = folder / "home"
    made_up_prices(rows=600, cycle=0.05).to_csv(folder / PRICES)
    fill(home)
    start = ["optimize", PRICES, *_NAMED, *RULES, "--max-iterations", "1"]
    for arguments in (
        [*start, "--run", "one"],
        [*start, "--run", "waiting", "--approve"],
        COMMANDS["sweep"],
        COMMANDS["backtest"],
        COMMANDS["ensemble run"],
        COMMANDS["models use"],
    ):
        problem = _called(home, arguments)
        assert problem is None, problem
    write_prices(home / "prices" / "ticker=SPY" / "prices.parquet")
    (home / "jobs").mkdir()
    job = {"name": "one", "pid": 1, "begun": None, "log": "x"}
    (home / "jobs" / "optimization.json").write_text(json.dumps(job) + "\n", encoding="utf-8")
    card = Card()
    card.roles["analyst"].add("first", 1)
    keep(home, "rules", card, "en", 6)
    gguf(home / "models" / "x.gguf")
    (home / "watchlist.json").write_text('["SPY"]', encoding="utf-8")
    for path in home.rglob(".*"):
        if path.is_file():
            path.unlink()
    return home


def write_prices(path: Path) -> None:
    """Daily bars until a week after the hour of the summary."""
    frame = made_up_prices(rows=400, frequency="1D")
    path.parent.mkdir(parents=True)
    frame.set_axis(pd.date_range(end="2024-03-21", periods=400, freq="D", tz="UTC")).to_parquet(path)


def files(home: Path) -> list[str]:
    """Every file of the home but locks, by its name below it."""
    found = (path.relative_to(home).as_posix() for path in sorted(home.rglob("*")) if path.is_file())
    return [name for name in found if not name.endswith((".lock", "-shm", "-wal", "report.md"))]


def damage(path: Path, way: str) -> None:
    """Damage a file; what SQLite keeps beside it goes, so that it says nothing else."""
    written = WAYS[way](path.read_bytes())
    for beside in path.parent.glob(f"{path.name}-*"):
        beside.unlink()
    path.unlink()
    if written is None:
        path.mkdir()
        (path / "something").write_text("here", encoding="utf-8")
    else:
        path.write_bytes(written)


def answer(home: Path, reader: str) -> str | None:
    """What is wrong with the reader's answer; None where it works or is clear."""
    if reader in FACES:
        module, function, more = FACES[reader]
        try:
            getattr(importlib.import_module(module), function)(home, *more)
        except BaseException as error:
            return f"{type(error).__name__}: {error}"
        return None
    return _called(home, COMMANDS[reader])


def others_harmed(home: Path, file: str) -> str | None:
    """What a damaged file has done to the list of runs, which must show the others; None for nothing."""
    hurt = file.split("/")[1] if file.startswith("runs/") else ""
    expected = {path.name for path in (home / "runs").iterdir()} - {hurt}
    told = io.StringIO()
    try:
        with contextlib.redirect_stdout(told), contextlib.redirect_stderr(io.StringIO()):
            main(["runs", "list", "--json", "-", "--home", str(home)])
    except SystemExit as left:
        if left.code:
            return f"runs list leaves with {left.code}"
    except BaseException as error:
        return f"runs list: {type(error).__name__}"
    shown = {line["run"] for line in json.loads(told.getvalue())}
    missing = {name for name in expected - shown if not name.startswith("ensemble-")}
    return f"runs list hides {sorted(missing)}" if missing else None


def _called(home: Path, arguments: list[str]) -> str | None:
    told, failed = io.StringIO(), io.StringIO()
    given = [str(home.parent / PRICES) if part == PRICES else part for part in arguments]
    if "ENSEMBLE" in given:
        names = sorted(path.name for path in (home / "runs").glob("ensemble-*"))
        given = [names[0] if part == "ENSEMBLE" else part for part in given]
    try:
        with contextlib.redirect_stdout(told), contextlib.redirect_stderr(failed):
            main([*given, "--home", str(home), "--language", "en"])
    except SystemExit as left:
        code = left.code
    except BaseException as error:
        return f"{type(error).__name__}: {error}"
    else:
        code = 0
    said = failed.getvalue()
    if "Traceback" in said or "Traceback" in told.getvalue():
        return "a traceback"
    if code not in (0, 1, 2):
        return f"left with {code}: {said.strip()[-200:]}"
    if code and not (said.strip() or told.getvalue().strip()):
        return f"left with {code} without a word"
    if code == 2 and "Usage" in said:
        return f"misused: {said}"
    return None


@contextlib.contextmanager
def watched(home: Path) -> Iterator[set[str]]:
    """Names of the home's files that Python, SQLite or `pandas.read_parquet` opens inside the block."""
    found: set[str] = set()
    root = os.path.realpath(home)
    active = [True]

    def note(path: object) -> None:
        if active[0] and isinstance(path, str | bytes | os.PathLike):
            named = os.path.realpath(os.fsdecode(path))
            if named.startswith(root + os.sep):
                found.add(Path(named).relative_to(root).as_posix())

    def hear(event: str, arguments: tuple[Any, ...]) -> None:
        if event in ("open", "sqlite3.connect"):
            note(arguments[0])

    sys.addaudithook(hear)
    read = pd.read_parquet

    def read_parquet(path: Any, *more: Any, **named: Any) -> Any:
        note(path)
        return read(path, *more, **named)

    try:
        with mock.patch.object(pd, "read_parquet", read_parquet):
            yield found
    finally:
        active[0] = False  # an audit hook cannot be taken away


def readers(home: Path, folder: Path) -> dict[str, list[str]]:
    """Who opens which file, found by running everybody once on a copy of the home."""
    opened = {name: UNHEARD.get(name.partition("/")[0], [])[:] for name in files(home)}
    for reader in READERS:
        copy = copied(home, folder)
        with watched(copy) as found:
            problem = answer(copy, reader)
        assert problem is None, (reader, problem)
        for name in found & opened.keys():
            opened[name] += [] if reader in opened[name] else [reader]
        shutil.rmtree(copy.parent)
    return opened


def copied(home: Path, folder: Path) -> Path:
    """A copy of the home with what lies beside it, in a folder that did not exist."""
    number = 1
    while (place := folder / f"copy-{number}").exists():
        number += 1
    shutil.copytree(home.parent, place, symlinks=True)
    return place / home.name


def field_mutations(content: bytes, *, lines: bool, every: int = 1) -> Iterator[tuple[str, bytes]]:
    """The file with one field missing, null, of another type or with a value that nobody knows.

    Args:
        content: JSON, or JSON lines.
        lines: a document a line; of lines of one kind the first is changed.
        every: of the changed fields one in so many.
    """
    documents = [json.loads(line) for line in content.splitlines()] if lines else [json.loads(content)]
    written = [json.dumps(one, ensure_ascii=False) + "\n" for one in documents]
    seen: set[object] = set()
    for number, document in enumerate(documents):
        for label, changed in mutations(document):
            mark = (document.get("kind") if isinstance(document, dict) else None, label)
            if mark in seen:
                continue
            seen.add(mark)
            if (len(seen) - 1) % every:
                continue
            told = json.dumps(changed, ensure_ascii=False) + "\n"
            yield f"{number}:{label}", "".join([*written[:number], told, *written[number + 1 :]]).encode()


def mutations(document: Any) -> Iterator[tuple[str, Any]]:
    """The same for a value: (what was done, the changed value, which shares all else with the value)."""
    for place in _places(document):
        for way, change in FIELD_WAYS.items():
            changed = copy(document)
            holder = changed
            for step in place[:-1]:
                holder[step] = copy(holder[step])
                holder = holder[step]
            if change(holder, place[-1]):
                yield f"{'.'.join(map(str, place))}: {way}", changed


def _places(value: Any, place: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Each field; of a list the first item stands for the others."""
    inside = (
        value.items() if isinstance(value, dict) else enumerate(value[:1]) if isinstance(value, list) else ()
    )
    for name, part in inside:
        yield (*place, name)
        yield from _places(part, (*place, name))


def _without(holder: Any, name: Any) -> bool:
    del holder[name]
    return True


def _null(holder: Any, name: Any) -> bool:
    was, holder[name] = holder[name], None
    return was is not None


def _other_type(holder: Any, name: Any) -> bool:
    match holder[name]:
        case dict():
            holder[name] = ["x"]
        case list():
            holder[name] = {"x": 1}
        case str():
            holder[name] = 7
        case _:
            holder[name] = {"x": ["y"]}
    return True


def _unknown(holder: Any, name: Any) -> bool:
    was = holder[name]
    if isinstance(was, str):
        holder[name] = "no such {word}"
    elif isinstance(was, list) and was:
        holder[name] = [[]]
    elif isinstance(was, dict):
        holder[name] = {"no such": {"x": 1}}
    elif isinstance(was, int | float):
        holder[name] = -(10**30)
    return holder[name] is not was


FIELD_WAYS: dict[str, Callable[[Any, Any], bool]] = {
    "missing": _without,
    "null": _null,
    "other type": _other_type,
    "unknown": _unknown,
}
"""What is done to a field; False where it stays as it was."""
