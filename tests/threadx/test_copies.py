"""Copies of finished runs: sent once, checked by their hash when they come back, and never half there."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from nodes.copies import VARIABLE, Store, missing_copies
from record.errors import ReportError
from record.labels import tag_run
from record.record import LOCK, RunRecord, run_folder
from tests.commands import threadx
from tests.optimization_runs import run_graph

SECRET = "s3cret-word-7"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a finished run."""
    home = tmp_path_factory.mktemp("made")
    run_graph(home, given={"run": "done"}, max_iterations=1, language="en")
    return home


@pytest.fixture(params=["memory", "file", pytest.param("s3", marks=pytest.mark.local)])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An empty store of each kind."""
    address = {
        "memory": "memory://bucket/copies",
        "file": (tmp_path / "disk" / "deep").as_uri(),
        "s3": "s3://bucket/copies",
    }[request.param]
    monkeypatch.setenv(VARIABLE, address)
    fsspec.filesystem("memory").store.clear()
    if request.param != "s3":
        yield address
        return
    # Not in the locks, whose python-dateutil is too new for Amazon's library: pip install s3fs 'moto[server]'
    why = "no lock has s3fs and moto: their python-dateutil is another one"
    pytest.importorskip("s3fs", reason=why)
    server = pytest.importorskip("moto.server", reason=why).ThreadedMotoServer(port=0)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    fsspec.filesystem("s3", skip_instance_cache=True).mkdir("bucket")
    yield address
    server.stop()


def content(home: Path) -> dict[str, bytes]:
    folder = run_folder(home, "done")
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != LOCK
    }


def objects(place: str) -> list[str]:
    files, root = fsspec.url_to_fs(place, use_listings_cache=False)
    return sorted(files.ls(root, detail=False)) if files.exists(root) else []


def test_a_run_is_sent_once_and_comes_back_as_it_was(place: str, made: Path, tmp_path: Path) -> None:
    home = tmp_path / "other"
    tag_run(made, "done", ["first"])
    for told in ("Run done copied to ", "Nothing to copy"):
        code, out, _ = threadx("runs", "copy", "--home", made, "--language", "en")
        assert (code, out.startswith(told)) == (0, True)
    assert len(objects(place)) == 1
    tag_run(made, "done", ["second"])  # what a person writes on it since goes with it, in the same place
    assert threadx("runs", "copy", "done", "--home", made)[0] == 0
    assert len(objects(place)) == 1

    assert threadx("runs", "fetch", "--list", "--home", home)[1] == "done\n"
    assert threadx("runs", "fetch", "--home", home)[0] == 0
    assert content(home) == content(made)
    assert "Nothing to fetch" in threadx("runs", "fetch", "--home", home, "--language", "en")[1]
    with pytest.raises(ReportError) as there:
        Store().get("done", home)
    assert there.value.code == "run_exists"
    assert missing_copies(tmp_path / "third", Store()) == ["done"]


@pytest.mark.parametrize("how", ["cut off", "another run's", "foreign"])
def test_a_copy_that_is_not_whole_brings_nothing(place: str, made: Path, tmp_path: Path, how: str) -> None:
    Store().put("done", made)
    (path,) = objects(place)
    files, _ = fsspec.url_to_fs(place)
    whole, name = files.cat_file(path), path
    match how:
        case "cut off":
            files.pipe_file(path, whole[:-9])
        case "another run's":
            name = path.replace("done", "other")
            files.pipe_file(name, whole)
        case _:
            files.pipe_file(path.rpartition("/")[0] + "/readme.txt", b"no copy")
    run = "other" if how == "another run's" else "done"
    assert Store().runs() == sorted({"done", run})
    home = tmp_path / "home"
    if how == "foreign":
        Store().get(run, home)
        return
    with pytest.raises(ReportError) as damaged:
        Store().get(run, home)
    assert damaged.value.code == "damaged_copy"
    assert not run_folder(home, run).exists()


def test_a_run_is_copied_when_it_finishes_and_one_that_cannot_be_is_finished_all_the_same(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    roles = ("--analyst", "rules", "--strategist", "rules", "--validator", "rules", "--no-debate")
    asked = ("optimize", "sample:sp500", "--max-iterations", "1", *roles, "--home", tmp_path / "home")
    if not place.startswith("file"):
        assert threadx(*asked, "--run", "r")[0] == 0
        assert Store().runs() == ["r"]
        return
    (tmp_path / "file").touch()
    monkeypatch.setenv(VARIABLE, (tmp_path / "file" / "below").as_uri())
    code, _, said = threadx(*asked, "--run", "r", "--language", "en")
    assert code == 0
    (told,) = [line for line in said.splitlines() if "was not copied" in line]
    assert told.startswith(
        "Run r is finished and kept here, and was not copied. The place for copies file:///"
    )
    assert RunRecord(tmp_path / "home", "r").result()["status"] == "finished"


@pytest.mark.parametrize(
    ("address", "library", "told"),
    [
        ("", True, "is not set"),
        ("/mnt/disk", True, "does not hold the address"),
        (f"nothing://me:{SECRET}@host/x", True, "does not hold the address"),
        ("s3://bucket/threadx", False, "uv sync --extra s3"),
        (f"memory://me:{SECRET}@host/x", True, "There is no copy of a run gone in"),
    ],
)
def test_a_place_that_cannot_be_used_is_one_sentence_without_the_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str, library: bool, told: str
) -> None:
    monkeypatch.setenv(VARIABLE, address)
    if not library:
        monkeypatch.setitem(sys.modules, "s3fs", None)
    code, out, said = threadx("runs", "fetch", "gone", "--home", tmp_path / "home", "--language", "en")
    assert (code, out, said.count("\n"), SECRET in said) == (2, "", 1, False)
    assert told in said
