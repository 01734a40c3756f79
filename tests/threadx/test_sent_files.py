"""A home that somebody sent: what ThreadX writes there goes through no link, and what it reads there ends."""

import os
import subprocess
import sys
from itertools import cycle
from pathlib import Path

import pytest

from base.aside import BESIDE, taken
from base.errors import text
from record.record import RunRecord
from tests import damage
from tests.laws import some
from threadx.command import main
from threadx.web import jobs, report_file

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(sys.platform == "win32", reason="links need a right, and pipes are none"),
]

WRITERS = {
    "runs": ("runs resume", "runs resume waiting", "runs replay", "optimize"),
    "datasets": ("backtest", "sweep", "data advance"),
    "sweeps": ("sweep",),
    "ensemble": ("ensemble run", "ensemble score"),
    "logs": ("ensemble run", "ensemble score"),
    "llm_summary": ("ensemble run",),
    ".": ("backtest", "runs resume waiting", "ensemble run", "models use"),
}
"""Who writes below which folder of a home."""

WRITTEN_LATER = ("report.md", "report.en.pdf", "job.log", "word.json", ".run.lock", "answers.jsonl")
SPECIAL = {
    "pipe": lambda path: os.mkfifo(path),
    "endless": lambda path: path.symlink_to("/dev/zero"),
}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return damage.build(tmp_path_factory.mktemp("built"))


@pytest.fixture
def home(built, tmp_path):
    taken()
    return damage.copied(built, tmp_path)


def linked(path: Path, victims: Path) -> Path:
    """A link in the file's place, to a file of the user's with the same content."""
    victim = victims / f"victim-{len(list(victims.iterdir()))}"
    victim.write_bytes(path.read_bytes() if path.is_file() else b"the user's own\n")
    path.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(victim)
    return victim


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def left_with(arguments, home, capsys):
    with pytest.raises(SystemExit) as left:
        main([*arguments, "--home", str(home), "--language", "en"])
    return left.value.code, capsys.readouterr().err.replace("\n", " ")


@pytest.mark.parametrize("room", WRITERS)
def test_no_command_writes_through_a_link_of_a_home(home, tmp_path, room):
    victims = tmp_path / "victims"
    victims.mkdir()
    names = [
        name
        for name in damage.files(home)
        if name.startswith(f"{room}/") or (room == "." and "/" not in name)
    ]
    assert names
    for name in names:
        linked(home / name, victims)
    before = contents(victims)
    problems = {writer: damage.answer(home, writer) for writer in WRITERS[room]}
    assert contents(victims) == before
    assert not any(problems.values()), problems


@pytest.mark.parametrize(
    ("database", "arguments"),
    [
        ("ledger.sqlite", ["backtest", "sample:sp500"]),
        ("checkpoints.sqlite", ["runs", "resume", "waiting", "--reject", "all"]),
    ],
)
def test_a_link_in_the_place_of_what_sqlite_writes_beside_a_database_is_refused_by_name(
    home, tmp_path, capsys, database, arguments
):
    victims = tmp_path / "victims"
    victims.mkdir()
    for ending in BESIDE:
        path = home / f"{database}{ending}"
        linked(path, victims)
        before = contents(victims)
        code, said = left_with(arguments, home, capsys)
        assert (code, "this is a link" in said, path.name in said) == (2, True, True), said
        assert contents(victims) == before
        path.unlink()


def test_a_report_of_a_page_is_not_written_through_a_link_that_comes_meanwhile(home, tmp_path, monkeypatch):
    victims = tmp_path / "victims"
    victims.mkdir()
    record = RunRecord(home, "one")
    path = record.folder / "report.en.pdf"

    def made(command, **_):
        linked(path, victims)
        (told,) = (part.removeprefix("--out=") for part in command if part.startswith("--out="))
        Path(told).write_bytes(b"%PDF-1.7")
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(subprocess, "run", made)
    with pytest.raises(OSError, match="link"):
        report_file.pdf(home, record, "en")
    assert set(contents(victims).values()) == {b"the user's own\n"}
    monkeypatch.setattr(report_file, "_made", lambda *_: b"%PDF-1.7")
    assert report_file.pdf(home, record, "en") == path.read_bytes() == b"%PDF-1.7"
    assert not path.is_symlink()


def test_a_run_that_holds_a_link_is_refused_in_one_sentence_and_nothing_changes(home, tmp_path, capsys):
    victims = tmp_path / "victims"
    victims.mkdir()
    folder = home / "runs" / "waiting"
    for name in sorted({path.name for path in folder.iterdir()} | set(WRITTEN_LATER)):
        path = folder / name
        kept = path.read_bytes() if path.is_file() else None
        linked(path, victims)
        before = contents(home / "runs"), contents(victims)
        code, said = left_with(["runs", "resume", "waiting", "--reject", "all"], home, capsys)
        assert code == 2, name
        assert " ".join(text("reports.error.linked_record", "en", path=str(path)).split()) in " ".join(
            said.split()
        )
        assert (contents(home / "runs"), contents(victims)) == before, name
        assert damage.others_harmed(home, "runs/waiting/x") is None
        path.unlink()
        if kept is not None:
            path.write_bytes(kept)
    assert damage.answer(home, "runs resume waiting") is None


def test_a_run_that_is_a_link_itself_is_refused_and_the_folder_of_all_runs_may_be_one(home, tmp_path, capsys):
    (home / "runs").rename(tmp_path / "kept")
    (home / "runs").symlink_to(tmp_path / "kept")
    assert damage.answer(home, "runs resume") is None
    (tmp_path / "kept" / "waiting").rename(tmp_path / "elsewhere")
    (tmp_path / "kept" / "waiting").symlink_to(tmp_path / "elsewhere")
    before = contents(tmp_path / "elsewhere")
    code, said = left_with(["runs", "resume", "waiting", "--reject", "all"], home, capsys)
    assert (code, "is a link" in said) == (2, True)
    assert contents(tmp_path / "elsewhere") == before


@pytest.mark.parametrize("name", ["optimization.log", "ensemble.log", "optimization.json"])
def test_work_of_a_page_writes_through_no_link(home, tmp_path, monkeypatch, name):
    victims = tmp_path / "victims"
    victims.mkdir()
    victim = linked(home / "jobs" / name, victims)
    before = victim.read_bytes()
    log = home / "jobs" / (name if name.endswith(".log") else "other.log")
    with pytest.raises(OSError, match="link"):
        jobs.start(home, "optimization", "x", ["--version"], log)
    assert victim.read_bytes() == before


def test_what_never_ends_harms_its_own_item_alone(home):
    ways = cycle(SPECIAL)
    quick = ("ensemble history", "runs show", "models use", *damage.FACES)
    names = damage.files(home)
    for name in some(names, names[::2]):
        path, kept, way = home / name, (home / name).read_bytes(), next(ways)
        path.unlink()
        SPECIAL[way](path)
        # What computes a run again is slow, and reads the run and its prices alone.
        read = name.startswith(some(("",), ("runs/one/", "datasets/")))
        readers = (*quick, "runs check") if read else quick
        problems = {reader: damage.answer(home, reader) for reader in readers}
        assert not any(problems.values()), (name, way, problems)
        assert damage.others_harmed(home, name) is None, (name, way)
        path.unlink(missing_ok=True)
        path.write_bytes(kept)
