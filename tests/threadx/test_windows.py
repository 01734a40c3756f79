"""ThreadX on Windows, as far as another machine can tell: sources, modules, processes, names, code pages.

Tests marked `posix` play Windows on a machine that is none; on Windows every other test is the real thing.
"""

from __future__ import annotations

import ast
import importlib.util
import io
import json
import ntpath
import re
import shutil
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path, PureWindowsPath
from typing import Any

import click
import pandas as pd
import pytest
from langgraph_sdk import get_sync_client

from base.files import file_name
from prompts import Words
from record.errors import ReportError
from record.record import run_folder
from tests.browser import served
from tests.langgraph_server import PROJECT, langgraph_server
from tests.laws import some
from tests.optimization_runs import ALL_RULES
from tests.prices import made_up_prices
from tests.windows import OURS, PORTABLE, parsed, posix_only, sources, unencoded, windows
from threadx import command as face
from threadx.web.uploads import kept_name

pytestmark = pytest.mark.long

RULES = [part for role, model in ALL_RULES.items() for part in (f"--{role}", model)] + ["--search", "single"]
LANGUAGES = ("fr", "en")
CODE_PAGES = ("cp1252", "cp850", "ascii")


@pytest.fixture(scope="module")
def prices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small file of prices."""
    path = tmp_path_factory.mktemp("prices") / "TEST_1h.csv"
    made_up_prices(cycle=0.05).to_csv(path)
    return path


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


# What is written


def found_in(files: list[Path], look: Callable[[Path], list[Any]]) -> dict[str, list[Any]]:
    """What a look at each file finds, by its name; there must be files."""
    assert files
    return {path.relative_to(PROJECT).as_posix(): found for path in files if (found := look(path))}


@pytest.mark.parametrize("room", [*OURS, "benchmarks", "docs", "examples", "tests", "notebooks"])
def test_text_is_read_and_written_as_utf8(room: str) -> None:
    assert found_in(sources(room), lambda path: list(unencoded(parsed(path)))) == {}


@pytest.mark.parametrize("room", [*OURS, "benchmarks"])
def test_no_source_names_what_windows_does_not_have(room: str) -> None:
    def look(path: Path) -> list[str]:
        asked = ["sys.platform"] if "sys.platform" in path.read_text(encoding="utf-8") else []
        return [*posix_only(parsed(path)), *asked]

    files = [path for path in sources(room) if path.relative_to(PROJECT).as_posix() not in PORTABLE]
    assert found_in(files, look) == {}


IMPORTS = (ast.Import, ast.ImportFrom)


def test_no_test_needs_for_its_collection_what_windows_does_not_have() -> None:
    """A marker skips a test there; an import at the top of its file fails before the marker is read."""

    def look(path: Path) -> list[str]:
        imports = [node for node in parsed(path).body if isinstance(node, IMPORTS)]
        return list(posix_only(ast.Module(imports, [])))

    files = [path for path in sources("tests") if path.name.startswith("test_")]
    assert found_in([*files, *sources("examples")], look) == {}


@pytest.mark.parametrize(
    ("text", "finds"),
    [
        ("import fcntl", 1),
        ("from os import killpg", 1),
        ("import os\nos.setsid()", 1),
        ("import signal\nsignal.SIGKILL", 1),
        ("import subprocess\nsubprocess.Popen([], pass_fds=(3,))", 1),
        ("import signal\nsignal.SIGINT", 0),
    ],
)
def test_the_reader_of_sources_sees(text: str, finds: int) -> None:
    assert len(list(posix_only(ast.parse(text)))) == finds


@pytest.mark.parametrize(
    ("text", "finds"),
    [
        ("open(p)", 1),
        ("open(p, 'w')", 1),
        ("open(p, mode='a')", 1),
        ("p.open()", 1),
        ("p.open('w')", 1),
        ("p.read_text()", 1),
        ("p.write_text(t)", 1),
        ("subprocess.run(a, text=True)", 1),
        ("logging.FileHandler(p)", 1),
        ("open(p, 'rb')", 0),
        ("p.open('ab')", 0),
        ("open(p, encoding='utf-8')", 0),
        ("StressCase.open(prices, spec)", 0),
    ],
)
def test_the_reader_of_encodings_sees(text: str, finds: int) -> None:
    assert len(list(unencoded(ast.parse(text)))) == finds


# Names


def reserved(name: str) -> bool:
    """Whether Windows keeps a name for itself, as the standard library knows it."""
    if hasattr(ntpath, "isreserved"):  # from Python 3.13 on
        return bool(ntpath.isreserved(name))
    return PureWindowsPath(name).is_reserved()


AWKWARD = [
    "BTC/USDT:USDT", "CON", "nul.csv", "com1", "LPT9.parquet", "aux.tar.gz", "CONIN$", "con ", "a.", "...",
    "a ", " ", "", "a<b>|c?d*e\"f", "a\x00b\n", "..\\..\\x", "prn .txt", "AUXILIARY", "console.csv",
]  # fmt: skip


@pytest.mark.parametrize("told", AWKWARD)
def test_any_name_becomes_one_that_windows_can_have(told: str) -> None:
    name = file_name(told)
    assert name
    assert not reserved(name)
    assert not re.search(r'[\x00-\x1f<>:"/\\|?*]|[ .]$', name)
    assert file_name(name) == name


@pytest.mark.parametrize("name", ["AUXILIARY", "console.csv", "dt=2024", "BTCUSDT-USDT", "^GSPC", "été.csv"])
def test_a_name_that_windows_can_have_stays(name: str) -> None:
    assert file_name(name) == name


@pytest.mark.parametrize("run", ["CON", "nul", "com1.old", "a.", "Lpt1"])
def test_a_run_is_not_named_like_a_device(tmp_path: Path, run: str) -> None:
    with pytest.raises(ReportError, match="bad_run_name"):
        run_folder(tmp_path, run)


@pytest.mark.parametrize("name", ["CON.csv", "nul.parquet", "com1.CSV"])
def test_an_upload_is_not_kept_under_the_name_of_a_device(name: str) -> None:
    assert not reserved(kept_name(name))


# Modules and processes

EVERY_MODULE = """
import importlib, pkgutil, sys
for room in sys.argv[1:]:
    for one in pkgutil.walk_packages(importlib.import_module(room).__path__, f"{room}."):
        if not one.name.endswith("__main__"):
            importlib.import_module(one.name)
            print(one.name)
import threadx.web.jobs, os
seen = threadx.web.jobs.processes
assert seen.sys.platform == "win32" and not hasattr(seen.os, "killpg"), "Windows is not played here"
"""


def python(*arguments: str, folder: Path = PROJECT, **settings: str) -> subprocess.CompletedProcess[bytes]:
    """A Python on Windows, its output through pipes."""
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=windows(**settings), capture_output=True, check=False
    )


COMMANDS = """
import json, sys
from threadx.command import main
for arguments in json.loads(sys.argv[1]):
    try:
        main(arguments)
    except SystemExit as left:
        assert left.code == 0, arguments
"""


def threadx(*commands: tuple[Any, ...], **settings: str) -> str:
    """What commands say to a pipe on Windows, one after the other in one process, where all end well."""
    given = json.dumps([[*map(str, one)] for one in commands])
    done = python("-c", COMMANDS, given, **settings)
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")[-4000:]
    done.stderr.decode("utf-8")
    return done.stdout.decode("utf-8")


@pytest.mark.soak  # sources are read above for what Windows lacks, and a run imports most of them below
@pytest.mark.posix
def test_every_module_can_be_imported() -> None:
    done = python("-c", EVERY_MODULE, *OURS)
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")[-2000:]
    assert len(done.stdout.splitlines()) > 150


@pytest.fixture(scope="module")
def worked(prices: Path, home: Path) -> str:
    """What is said while a home is filled: a finished run `one`, its reports, a sweep, a summary."""
    place = ("--home", home)
    summary = ("ensemble", "run", "--data", "sample", "--models", "rules", *place)
    return threadx(
        ("optimize", prices, *RULES, "--max-iterations", 1, "--run", "one", *place),
        ("runs", "list", *place),
        ("runs", "check", "one", *place),
        *(
            ("runs", "report", "one", "--format", form, *place)
            for form in some(("pdf", "html", "md"), ("md",))
        ),
        ("sweep", prices, "--symbol", "BTC/USDT:USDT", "--grid", "fast_period=3:6", *place),
        summary,
        summary,  # the hour stands
    )


@pytest.mark.posix
def test_a_run_its_record_and_a_sweep(worked: str, home: Path) -> None:
    """Everything that these write is named as Windows allows, and nothing open is replaced or removed."""
    assert "é" in worked
    (written,) = (home / "sweeps").iterdir()
    assert written.name.startswith("BTC_USDT_USDT-")
    assert list(home.glob("llm_summary/dt=*/summary.1.json"))


JOB = """
import sys, time
from pathlib import Path
from threadx.web import jobs
home, prices = Path(sys.argv[1]), sys.argv[2]
log = home / "said.log"
jobs.start(home, "optimization", "job", ["optimize", prices, "--run=job", "--max-iterations=50",
    *sys.argv[3:]], log)
try:
    jobs.start(home, "optimization", "other", ["optimize", prices], home / "other.log")
except RuntimeError as refused:
    print(refused.code)
while not jobs.said(log):
    assert jobs.at_work(home, "optimization")
    time.sleep(0.05)
jobs.stop(home, "optimization", "job")
print(jobs.at_work(home, "optimization"))
"""


@pytest.mark.soak
@pytest.mark.posix
def test_a_run_is_started_from_a_page_and_stopped(prices: Path, home: Path) -> None:
    done = python("-c", JOB, str(home), str(prices), *RULES, "--language=en", THREADX_LANGUAGE="en")
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")[-2000:]
    assert done.stdout.decode("utf-8").split() == ["busy", "None"]
    assert (home / "said.log").read_text(encoding="utf-8").splitlines()[-1] == Words("en")(
        "command.interrupted"
    )


DEAF = """
import os, sys, time
from pathlib import Path
from threadx.web import jobs
jobs.GRACE_SECONDS = 0.1
home, log = Path(sys.argv[1]), Path(sys.argv[1]) / "deaf.log"
os.environ["PYTHONPATH"] = os.pathsep.join([sys.argv[2], os.environ["PYTHONPATH"]])  # of its children alone
jobs.start(home, "ensemble", "deaf", [], log)
while "at work" not in jobs.said(log):
    assert jobs.at_work(home, "ensemble")
    time.sleep(0.05)
jobs.stop(home, "ensemble", "deaf")
print(jobs.at_work(home, "ensemble"), jobs._children)
"""


@pytest.mark.posix
def test_work_that_does_not_hear_is_ended(tmp_path: Path) -> None:
    package = tmp_path / "path" / "threadx"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(
        "import signal, time\n"
        "for one in (signal.SIGINT, signal.SIGBREAK): signal.signal(one, signal.SIG_IGN)\n"
        "print('at work', flush=True)\n"
        "time.sleep(600)",
        encoding="utf-8",
    )
    done = python("-c", DEAF, str(tmp_path), str(package.parent), folder=tmp_path)
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")[-2000:]
    assert done.stdout.decode("utf-8").split() == ["None", "[]"]


def page(url: str) -> str:
    with urllib.request.urlopen(url) as answer:
        return str(answer.read().decode("utf-8"))


@pytest.mark.soak  # what pages import and start is imported and started above
@pytest.mark.posix
@pytest.mark.server
@pytest.mark.usefixtures("worked")
def test_the_pages_are_served(home: Path, tmp_path: Path) -> None:
    with served(home, tmp_path, windows(OLLAMA_HOST="http://127.0.0.1:9")) as url:
        assert "/threadx/runs/one" in page(f"{url}/threadx")
        for path in ("/threadx/new", "/threadx/runs/one", "/llm_summary", "/observability"):
            assert "<html" in page(f"{url}{path}")
        with urllib.request.urlopen(f"{url}/threadx/runs/one/report.pdf") as report:
            assert report.read(4) == b"%PDF"


@pytest.mark.soak
@pytest.mark.posix
@pytest.mark.server
@pytest.mark.skipif(importlib.util.find_spec("langgraph_cli") is None, reason="the studio extra is not here")
def test_the_server_runs_a_graph(prices: Path, tmp_path: Path) -> None:
    with langgraph_server(tmp_path, PYTHONPATH=windows()["PYTHONPATH"]) as server:
        context = {role: [model] for role, model in ALL_RULES.items()} | {"max_iterations": 1}
        server.home.mkdir(exist_ok=True)
        given = {"data": str(shutil.copy(prices, server.home)), "run": "studio"}
        with get_sync_client(url=server.url) as client:
            client.runs.wait(None, "optimization", input=given, context=context)
        result = json.loads((server.home / "runs" / "studio" / "result.json").read_text(encoding="utf-8"))
        assert result["status"] == "finished"
        assert "studio" in page(f"{server.url}/threadx")


# Code pages


class Console(io.TextIOWrapper):
    """A stream with the machine's own code page: a file, or an old terminal."""

    def __init__(self, encoding: str, terminal: bool) -> None:
        super().__init__(io.BytesIO(), encoding=encoding, errors="strict", newline="")
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal

    def told(self) -> str:
        """What was written, as whoever reads the stream's encoding sees it."""
        self.flush()
        return bytes(self.buffer.getvalue()).decode(self.encoding)  # type: ignore[attr-defined]


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str]]:
    def call(encoding: str, terminal: bool, *arguments: Any) -> tuple[int, str]:
        streams = Console(encoding, terminal), Console(encoding, terminal)
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", streams[0])
            patch.setattr(sys, "stderr", streams[1])
            with pytest.raises(SystemExit) as left:
                face.main([*map(str, arguments)])
        code = left.value.code
        assert isinstance(code, int)
        return code, "".join(stream.told() for stream in streams)

    return call


def leaves(group: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The words that call each command."""
    if isinstance(group, click.Group):
        for name in group.list_commands(click.Context(group)):
            found = group.get_command(click.Context(group), name)
            assert found is not None
            yield from leaves(found, (*path, name))
    else:
        yield path


EVERY_COMMAND = sorted(leaves(face.build(Words("en"))))


@pytest.fixture(scope="module")
def calls(prices: Path, worked: str) -> list[tuple[Any, ...]]:
    """Calls that show what commands say when they work, and when they do not."""
    return [
        ("backtest", prices, "-s", "ma_crossover"),
        ("sweep", prices, "--grid", "fast_period=3:6"),
        ("data", "check", prices),
        ("runs", "list"),
        ("runs", "show", "one"),
        ("runs", "show", "one", "--explain"),
        ("runs", "check", "one"),
        ("ensemble", "run", "--data", "sample", "--models", "rules"),
        ("ensemble", "history"),
        ("backtest", "nulle-part-où.csv"),
        ("backtest", prices, "--entry-long", "cloze → 3"),
        ("nope",),
    ]


@pytest.mark.parametrize(
    ("encoding", "language"),
    some([*product(CODE_PAGES, LANGUAGES)], [("cp1252", "fr"), ("ascii", "en")]),
)
def test_a_file_gets_utf8_from_every_command(
    said: Any, calls: list[tuple[Any, ...]], home: Path, encoding: str, language: str
) -> None:
    for words in EVERY_COMMAND:
        code, told = said(encoding, False, *words, "--help", "--language", language)
        assert code == 0
        assert Words(language)("command.help.usage") in told
    for call in some(calls, calls[LANGUAGES.index(language) :: 2]):
        extra = () if call == ("nope",) else ("--home", home)
        code, told = said(encoding, False, *call, *extra, "--language", language)
        assert code in (0, 2), told
        assert "�" not in told
        assert "\\x" not in told
        assert "\\u" not in told


@pytest.mark.parametrize(
    ("encoding", "language"),
    some([*product(("cp1252", "cp850"), LANGUAGES)], [("cp850", "fr")]),
)
def test_an_old_terminal_can_show_every_command(
    said: Any, calls: list[tuple[Any, ...]], home: Path, encoding: str, language: str
) -> None:
    for call in calls:
        extra = () if call == ("nope",) else ("--home", home)
        code, told = said(encoding, True, *call, *extra, "--language", language)
        assert code in (0, 2), told
        if call[:2] == ("runs", "check"):
            assert re.search(r"^(\x1b\[\d+m)?-+\+-", told, re.MULTILINE)
            assert re.search(r"^\d \d{3} chiffres", told, re.MULTILINE), "a space is one in any code page"


def test_prices_saved_on_windows_are_read(tmp_path: Path, said: Any) -> None:
    """Rows that end in CR LF, behind a byte-order mark, in a folder with a space."""
    path = tmp_path / "Mes données" / "BTC_1h.csv"
    path.parent.mkdir()
    text = made_up_prices(cycle=0.05).to_csv()
    path.write_bytes(("\ufeff" + text.replace("\n", "\r\n")).encode())
    code, told = said("cp1252", False, "backtest", path, "--home", tmp_path / "home")
    assert code == 0, told
    assert isinstance(pd.read_csv(path), pd.DataFrame)


@pytest.mark.local
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6], ids=["four", "six"])
def test_an_address_is_told_only_once_it_is_ours(
    said: Any, tmp_path: Path, language: str, family: socket.AddressFamily
) -> None:
    host = "127.0.0.1" if family == socket.AF_INET else "::1"
    with socket.create_server((host, 0), family=family) as taken:
        port = taken.getsockname()[1]
        call = ("ui", "--host", host, "--port", port, "--home", tmp_path, "--language", language)
        code, told = said("utf-8", False, *call)
    assert code == 2
    (line,) = told.splitlines()
    assert f":{port}" in line
    assert "http" not in line
    assert "--port" in line
