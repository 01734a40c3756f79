"""What a person does with runs that are there: tags, notes, putting away, deleting, sharing as one file."""

from __future__ import annotations

import io
import json
import shutil
import sqlite3
import stat
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import threadx as package
from base.errors import text
from base.reasons import ReasonError
from nodes import sharing
from nodes.optimization.evidence.witnesses import witnesses
from nodes.sharing import share_run, take_in
from record.errors import ReportError
from record.labels import LABEL, archive_run, read_label, tag_run
from record.record import RunRecord
from record.run_list import newest_runs
from tests.commands import threadx
from tests.prices import made_up_prices
from threadx import ThreadxError
from threadx.audit.checking import check_run
from threadx.deleting import delete_run
from threadx.repairing import examine
from vault.ledger import Ledger
from vault.openings import LOG

RULES: dict[str, Any] = dict.fromkeys(("analyst", "strategist", "validator"), "rules")
SECRET = "sk-1234567890abcdef"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a finished run and one that waits, and the sender's own price file beside it."""
    folder = tmp_path_factory.mktemp("sender")
    prices = folder / "PRIVATE_1h.csv"
    made_up_prices(rows=600, cycle=0.05).to_csv(prices)
    settings = {**RULES, "home": str(folder / "home"), "max_iterations": 1, "language": "en"}
    package.optimize(str(prices), run="done", **settings)
    with pytest.raises(ThreadxError, match="run_waits"):
        package.optimize(str(prices), run="waits", approve=True, **settings)
    return folder


@pytest.fixture
def home(built: Path, tmp_path: Path) -> Path:
    shutil.copytree(built / "home", tmp_path / "home")
    return tmp_path / "home"


def runs(home: Path, *arguments: str) -> tuple[int, str, str]:
    return threadx("runs", *arguments, "--home", home, "--language", "en")


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def test_what_is_written_on_a_run_leaves_its_record_as_it_was_and_chooses_it_in_the_list(home: Path) -> None:
    before, sent = contents(home), share_run("done", home)
    assert runs(home, "tag", "done", "Crypto", "to  discuss", "draft")[0] == 0
    assert runs(home, "tag", "done", "crypto", "--remove", "DRAFT")[1] == "done: Crypto and to discuss\n"
    assert runs(home, "note", "done", "5 bp of fees")[0] == 0
    assert runs(home, "note", "done")[1] == "5 bp of fees\n"
    after = contents(home)
    assert {name: after[name] for name in before} == before
    assert set(after) - set(before) == {f"runs/done/{LABEL}", "runs/.labels.lock"}
    assert share_run("done", home) == sent
    told = json.loads(runs(home, "list", "--tag", "CRYPTO", "--json", "-")[1])
    assert [(one["run"], one["tags"], one["note"]) for one in told] == [
        ("done", ["Crypto", "to discuss"], "5 bp of fees")
    ]
    assert json.loads(runs(home, "list", "--tag", "crypto", "--tag", "draft", "--json", "-")[1]) == []
    assert "Crypto" in runs(home, "list")[1]
    assert runs(home, "note", "done", "--remove")[0] == 0
    assert runs(home, "note", "done")[1] == "No note.\n"


@pytest.mark.parametrize("tag", ["a,b", "<b>", "-x", "x" * 41, "line\x1bfeed", "   "])
def test_what_is_no_tag_is_refused(home: Path, tag: str) -> None:
    with pytest.raises(ReportError, match="bad_tag"):
        tag_run(home, "done", ["good", tag])
    assert not (home / "runs" / "done" / LABEL).exists()


def test_a_label_that_cannot_be_read_is_told_and_the_doctor_puts_it_aside(home: Path) -> None:
    path = home / "runs" / "done" / LABEL
    path.write_text('{"tags": 7}', encoding="utf-8")
    lines, _ = newest_runs(home)
    assert {line.run: line.status for line in lines} == {"done": "unreadable", "waits": "waiting"}
    (found,) = [one for one in examine(home) if one.path == path]
    found.mend()
    assert {line.status for line in newest_runs(home)[0]} == {"finished", "waiting"}


def test_an_archived_run_is_out_of_the_list_and_of_nothing_else(home: Path) -> None:
    assert runs(home, "archive", "done")[0] == 0
    assert [line.run for line in newest_runs(home)[0]] == ["waits"]
    assert [line.run for line in newest_runs(home, archived=True)[0]] == ["done"]
    assert runs(home, "show", "done")[0] == 0
    family = RunRecord(home, "done").run_result()["dataset"]["family"]
    assert {one.run for one in witnesses(home, family)} == {"done", "waits"}
    assert runs(home, "archive", "done", "--undo")[0] == 0
    assert {line.run for line in newest_runs(home)[0]} == {"done", "waits"}


def test_a_run_that_somebody_is_at_work_on_is_neither_put_away_nor_deleted(home: Path) -> None:
    record, before = RunRecord(home, "waits"), contents(home)
    record.hold("somebody")
    try:
        for act in (lambda: archive_run(home, "waits"), lambda: delete_run("waits", home)):
            with pytest.raises(ReportError, match="run_busy"):
                act()
    finally:
        record.release()
    assert contents(home) == before


def test_deleting_takes_the_run_and_its_steps_and_nothing_that_was_seen(home: Path) -> None:
    family = RunRecord(home, "done").run_result()["dataset"]["family"]
    seen = Ledger(home).snapshot(family), (home / "datasets" / LOG).read_bytes()
    code, _, said = runs(home, "delete", "done")
    assert (code, "--yes" in said) == (2, True)
    assert (home / "runs" / "done").is_dir()
    for run in ("done", "waits"):
        code, told, _ = runs(home, "delete", run, "--yes")
        assert (code, "still count" in told) == (0, True)
    assert [path.name for path in (home / "runs").iterdir() if path.is_dir()] == []
    assert (Ledger(home).snapshot(family), (home / "datasets" / LOG).read_bytes()) == seen
    with sqlite3.connect(home / "checkpoints.sqlite") as kept:
        assert kept.execute("select count(*) from checkpoints").fetchone() == (0,)
    kept.close()
    assert runs(home, "delete", "done", "--yes")[0] == 2


@pytest.mark.parametrize(("answer", "left"), [("n\n", True), ("\n", True), ("yes\n", False)])
def test_whoever_sits_at_a_terminal_is_asked(
    home: Path, monkeypatch: pytest.MonkeyPatch, answer: str, left: bool
) -> None:
    class Typed(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdin", Typed(answer))
    code, _, asked = runs(home, "delete", "done")
    assert (home / "runs" / "done").exists() == left
    assert (code, "[y/N]" in asked, "stays seen" in asked) == (1 if left else 0, True, True)


def test_a_shared_run_opens_elsewhere_to_the_same_figures_and_is_marked(
    built: Path, home: Path, tmp_path: Path
) -> None:
    path, there = tmp_path / "sent.zip", tmp_path / "there"
    assert runs(home, "export", "done", str(path))[0] == 0
    assert runs(there, "import", str(path))[0] == 0
    (line,), _ = newest_runs(there)
    assert (line.run, line.status, bool(line.label.imported)) == ("done", "finished", True)
    assert json.loads(runs(there, "show", "done", "--json", "-")[1]) == json.loads(
        runs(home, "show", "done", "--json", "-")[1]
    )
    assert runs(there, "show", "done", "--explain")[0] == 0
    assert check_run("done", there, files=[str(built / "PRIVATE_1h.csv")]).agrees
    assert share_run("done", there) == path.read_bytes()
    assert witnesses(there, RunRecord(there, "done").run_result()["dataset"]["family"]) == []
    assert not (there / "ledger.sqlite").exists()
    code, _, said = runs(there, "import", str(path))
    assert (code, "already exists" in said) == (2, True)
    assert runs(there, "import", str(path), "--as", "theirs")[0] == 0
    assert "Run theirs" in runs(there, "report", "theirs")[1]
    assert RunRecord(there, "theirs").result()["run"]["id"] == "theirs"
    assert runs(home, "export", "waits", str(path))[0] == 2


def test_a_shared_run_tells_nothing_of_its_sender(
    built: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_API_KEY", SECRET)
    folder = home / "runs" / "done"
    about = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    addresses = [about["context"][name] for name in ("ollama_base_url", "openai_base_url")]
    said = f"{SECRET} at http://192.168.7.9:8000/v1 and {addresses[0]} in {about['input']['data']}\n"
    with (folder / "report.md").open("a", encoding="utf-8") as report:
        report.write(said)
    tag_run(home, "done", ["mine alone"])
    sent = share_run("done", home)
    with zipfile.ZipFile(io.BytesIO(sent)) as archive:
        whole = b"\n".join(archive.read(name) for name in archive.namelist()).decode("utf-8", "replace")
    for private in (SECRET, "192.168.7.9", "://", str(built), about["context"]["home"], "mine alone"):
        assert private not in whole, private
    assert all(address.partition("://")[2] not in whole for address in addresses)
    assert '"PRIVATE_1h.csv"' in whole


def entry(
    name: str, mode: int = stat.S_IFREG | 0o644, *, kind: int = zipfile.ZIP_DEFLATED
) -> zipfile.ZipInfo:
    made = zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0))
    made.compress_type, made.create_system, made.external_attr = kind, 3, mode << 16
    return made


def packed(files: dict[str, bytes], *more: tuple[zipfile.ZipInfo, bytes]) -> bytes:
    sent = io.BytesIO()
    with zipfile.ZipFile(sent, "w") as archive:
        for made, content in (*((entry(name), content) for name, content in files.items()), *more):
            archive.writestr(made, content)
    return sent.getvalue()


def encrypted(sent: bytes) -> bytes:
    """The archive whose entries say that a password is needed."""
    found = bytearray(sent)
    for mark, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        place = -1
        while (place := found.find(mark, place + 1)) >= 0:
            found[place + offset] |= 1
    return bytes(found)


def changed(files: dict[str, bytes], name: str, **fields: Any) -> dict[str, bytes]:
    return {**files, name: json.dumps({**json.loads(files[name]), **fields}).encode()}


HOSTILE: dict[str, Callable[[dict[str, bytes]], bytes]] = {
    "no archive": lambda files: b"PK\5\6 nothing of the kind",
    "empty": lambda files: b"",
    "cut off": lambda files: packed(files)[:-40],
    "damaged": lambda files: packed(files).replace(b"PK\3\4", b"PK\3\5", 1),
    "a way out": lambda files: packed(files, (entry("../../escaped.txt"), b"x")),
    "a whole path": lambda files: packed(files, (entry("/tmp/escaped.txt"), b"x")),
    "a drive": lambda files: packed(files, (entry("C:\\escaped.txt"), b"x")),
    "hidden behind a zero": lambda files: packed(
        {name: content for name, content in files.items() if name != "report.md"},
        (entry("report.md_.exe"), b"x"),
    ).replace(b"report.md_.exe", b"report.md\0.exe"),
    "a stranger": lambda files: packed(files, (entry("label.json"), b"{}")),
    "a folder": lambda files: packed(files, (entry("more/", stat.S_IFDIR | 0o755), b"")),
    "a link": lambda files: packed(
        {name: content for name, content in files.items() if name != "report.md"},
        (entry("report.md", stat.S_IFLNK | 0o777), b"/etc/passwd"),
    ),
    "twice": lambda files: packed(files, (entry("report.md"), b"x")),
    "a bomb": lambda files: packed({**files, "report.md": bytes(3_000_000)}),
    "another packing": lambda files: packed(
        {name: content for name, content in files.items() if name != "report.md"},
        (entry("report.md", kind=zipfile.ZIP_LZMA), b"x"),
    ),
    "encrypted": lambda files: encrypted(packed(files)),
    "without its log": lambda files: packed(
        {name: content for name, content in files.items() if name != "events.jsonl"}
    ),
    "a name that leaves": lambda files: packed(changed(files, "run.json", run="../done")),
    "another kind of run": lambda files: packed(changed(files, "run.json", graph="ensemble")),
    "no end": lambda files: packed({**files, "events.jsonl": files["events.jsonl"].splitlines()[0] + b"\n"}),
    "nonsense in the log": lambda files: packed({**files, "events.jsonl": b'{"kind": "x"}\n'}),
    "a number as its question": lambda files: packed(changed(files, "run.json", input=7)),
    "a number as its prices": lambda files: packed(changed(files, "run.json", input={"data": 7})),
    "deep": lambda files: packed({**files, "result.json": b"[" * 100_000}),
    "no table": lambda files: packed({**files, "trials.parquet": b"PAR1" + b"\xff" * 64 + b"PAR1"}),
}


@pytest.fixture(scope="module")
def files(built: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(share_run("done", built / "home"))) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.mark.parametrize("how", HOSTILE)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_hostile_file_is_refused_in_one_sentence_and_nothing_is_kept(
    files: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(sharing, "LARGEST_INSIDE", sum(map(len, files.values())) + 1_000_000)
    there = tmp_path / "deep" / "er" / "home"
    with pytest.raises(ReportError, match="not_a_shared_run") as refused:
        take_in(HOSTILE[how](files), there, path="sent.zip")
    assert refused.value.sentence("en").startswith("sent.zip is not a shared run that can be opened (")
    assert [*tmp_path.rglob("*")] == []


def test_a_list_that_is_too_long_is_refused_before_it_is_read(
    files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = packed(files, *((entry(f"{number:060d}"), b"") for number in range(2_000)))

    def read(*_: Any) -> None:
        raise AssertionError("the list was read")

    monkeypatch.setattr(sharing.zipfile, "ZipFile", read)
    with pytest.raises(ReasonError, match="damaged_archive"):
        sharing.unpacked(sent)


def test_a_path_that_a_sender_wrote_is_looked_for_nowhere(files: dict[str, bytes], tmp_path: Path) -> None:
    asked = json.loads(files["run.json"])["input"]
    far = "\\\\far.example\\share\\prices.csv"
    sent = changed(files, "run.json", input={**asked, "data": far}, source=far, thread="waits")
    take_in(packed(sent), tmp_path)
    about = RunRecord(tmp_path, "done").about()
    assert (about["input"]["data"], about["source"], about["thread"]) == ("prices.csv", "prices.csv", None)
    assert read_label(tmp_path / "runs" / "done").imported
    assert text("reports.error.not_resumable", "en", run="done") in " ".join(
        runs(tmp_path, "resume", "done")[2].split()
    )
