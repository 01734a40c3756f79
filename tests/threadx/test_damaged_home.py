"""One bad file harms itself alone: the short form of the walk that `benchmarks.damage` makes in full."""

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from itertools import cycle
from pathlib import Path

import pytest

from base.aside import taken
from base.leftovers import beginning, sweep
from record.record import RunRecord
from tests import damage
from tests.laws import some
from tests.run_lines import lines
from threadx.command import main
from threadx.repairing import examine
from threadx.work import doctor
from vault.splits import read_marks, read_splits

pytestmark = pytest.mark.long

QUICK = ("ensemble history", *damage.FACES)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return damage.build(tmp_path_factory.mktemp("built"))


@pytest.fixture
def home(built, tmp_path):
    taken()
    return damage.copied(built, tmp_path)


def test_whatever_is_damaged_lists_and_pages_show_the_rest(home):
    ways = cycle(damage.WAYS)
    for name in damage.files(home):
        path, kept, way = home / name, (home / name).read_bytes(), next(ways)
        damage.damage(path, way)
        problems = {reader: damage.answer(home, reader) for reader in QUICK}
        assert not any(problems.values()), (name, way, problems)
        assert damage.others_harmed(home, name) is None, (name, way)
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        path.write_bytes(kept)


@pytest.mark.parametrize("pattern", damage.FIELD_READERS)
def test_a_field_that_is_missing_unknown_or_of_another_kind_harms_its_file_alone(home, pattern):
    (path,) = home.glob(pattern)
    name, kept = path.relative_to(home).as_posix(), path.read_bytes()
    changed = list(damage.field_mutations(kept, lines=path.suffix != ".json"))
    tried = some(changed[:: len(changed) // 5 or 1], changed[:: len(changed) // 2 or 1])
    for number, (label, content) in enumerate(tried):
        readers = damage.FIELD_READERS[pattern]
        path.write_bytes(content)
        assert damage.answer(home, readers[number % len(readers)]) is None, (label, readers)
        path.write_bytes(content)
        assert damage.others_harmed(home, name) is None, label
        path.write_bytes(kept)


@pytest.mark.parametrize("reader", damage.FIELD_READERS["runs/one/result.json"])
def test_whoever_shows_a_result_tells_of_a_verdict_that_is_none(home, reader):
    path = home / "runs" / "one" / "result.json"
    told = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**told, "verdict": 5}), encoding="utf-8")
    assert damage.answer(home, reader) is None


def test_a_run_goes_on_without_what_was_damaged_and_says_so(home, capsys):
    (marks,) = (path.name for path in home.glob("datasets/*.marks.npz"))
    for name, way in {
        "ledger.sqlite": "rubbish",
        "checkpoints.sqlite": "half",
        "memory.sqlite": "folder",
        f"datasets/{marks}": "empty",
        "datasets/holdout_openings.jsonl": "half",
    }.items():
        damage.damage(home / name, way)
    command = [*damage.COMMANDS["optimize"], "--home", home, "--language", "en"]
    with pytest.raises(SystemExit) as left:
        main([str(home.parent / part) if part == damage.PRICES else str(part) for part in command])
    told = capsys.readouterr()
    assert left.value.code == 0
    for name in ("ledger.sqlite", "checkpoints.sqlite", "memory.sqlite", marks):
        assert f"{name}.damaged-1" in told.err.replace("\n", "")
    assert "holdout_openings.jsonl.torn-1" in told.err.replace("\n", "")
    missing = {one["code"] for one in RunRecord(home, "new").result()["missing_evidence"]}
    assert missing == {"trials", "openings"}
    assert "record of one" in told.out.replace("\n", " ")


def test_a_run_that_waits_is_taken_up_though_its_checkpoints_are_gone(home):
    damage.damage(home / "checkpoints.sqlite", "zeros")
    assert damage.answer(home, "runs resume waiting") is None
    events = Counter(event["id"] for event in lines(RunRecord(home, "waiting")))
    assert set(events.values()) == {1}
    assert RunRecord(home, "waiting").log.ended()


def _damaged(home):
    """Something of every kind: {name: bytes that were there when it had been damaged, None for a folder}."""
    (sweep_table,) = (path.name for path in home.glob("sweeps/*.parquet"))
    described = json.loads((home / "datasets/splits.json").read_text(encoding="utf-8"))[0]["family"]
    hour = "llm_summary/dt=2024031415"
    found = {}
    for name, way in {
        "ledger.sqlite": "half",
        "checkpoints.sqlite": "rubbish",
        "memory.sqlite": "folder",
        "datasets/splits.json": "empty object",
        f"datasets/{described}.marks.npz": "empty",
        f"datasets/{described}.parquet": "half",
        "datasets/holdout_openings.jsonl": "half",
        "runs/one/run.json": "empty object",
        "runs/one/result.json": "zeros",
        "runs/one/trials.parquet": "rubbish",
        "runs/waiting/events.jsonl": "half",
        f"{hour}/summary.json": "empty",
        "jobs/optimization.json": "wrong type",
        f"sweeps/{sweep_table}": "half",
    }.items():
        damage.damage(home / name, way)
        found[name] = (home / name).read_bytes() if (home / name).is_file() else None
    return found


def test_doctor_finds_all_that_is_damaged_and_repair_loses_nothing(home, monkeypatch, capsys):
    monkeypatch.setattr(doctor, "check_all", lambda references, settings: [])
    (before,) = read_splits(home / "datasets")
    assert examine(home) == []
    damaged = _damaged(home)
    (home / "datasets" / ".x.json.tmpab_cd").write_bytes(b"")  # not a temporary file of ours
    found = {one.path.relative_to(home).as_posix() for one in examine(home)}
    assert found == damaged.keys()
    names = {path.relative_to(home).as_posix() for path in home.rglob("*") if path.is_file()}
    for part in ("", "--repair"):
        with pytest.raises(SystemExit):
            main(["doctor", *filter(None, [part]), "--home", str(home), "--language", "en"])
        told = capsys.readouterr().out
        assert all(f"• {name}:" in told for name in damaged)
        if not part:
            now = {path.relative_to(home).as_posix() for path in home.rglob("*") if path.is_file()}
            assert {name for name in names ^ now if not name.endswith(".lock")} == set(), "it tells, no more"
    assert {one.remedy for one in examine(home)} == {"restore"}
    kept = [path.read_bytes() for path in home.rglob("*") if path.is_file()]
    for name, content in damaged.items():
        assert content is None or name.endswith(".jsonl") or content in kept, name
    (split,) = read_splits(home / "datasets")
    assert split == before.model_copy(update={"compared": False})  # it is compared again when prices come
    assert read_marks(home / "datasets", split.family) is not None
    assert damage.answer(home, "page of hours") is None
    assert json.loads((home / "llm_summary/dt=2024031415/summary.json").read_text(encoding="utf-8"))


_KILLED = """
import os
from pathlib import Path
from base.files import write_atomically
def write(stream):
    stream.write(b"half")
    stream.flush()
    os._exit(9)
write_atomically(Path(os.environ["TARGET"]), write)
"""


def test_what_a_killed_process_left_is_swept_and_nothing_else(home, monkeypatch):
    monkeypatch.setenv("TARGET", str(home / "runs" / "one" / "result.json"))
    assert subprocess.run([sys.executable, "-c", _KILLED], check=False).returncode == 9
    folder = home / "runs" / "one"
    (left,) = folder.glob(".result.json.*")
    mine = folder / f"{beginning('result.json')}abc.part"
    others = folder / ".result.json.ffffff-1-abc.part"  # of another machine, just now
    beyond = folder / f"{beginning('result.json').replace(f'-{os.getpid()}-', f'-{10**12}-')}abc.part"
    for path in (mine, others, beyond, folder / ".report.lock"):
        path.write_bytes(b"")
    whole = (folder / "result.json").read_bytes()
    assert damage.answer(home, "runs resume") is None
    assert not left.exists()
    assert not beyond.exists(), "no process has a number like that"
    assert mine.exists()
    assert others.exists()
    assert (folder / "result.json").read_bytes() == whole
    assert sweep(Path(folder / "nowhere")) == []
