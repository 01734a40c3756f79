"""State in PostgreSQL: two processes of one data folder share trials, openings, runs, lessons and locks."""

import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import traceback
from contextlib import closing
from dataclasses import replace

import psycopg
import pytest

from base import shared
from base.schema import DatabaseError
from base.tables import in_file
from nodes.ensemble.errors import BusyError
from nodes.ensemble.operation.lease import leased
from nodes.optimization.evidence.witnesses import missing_evidence
from record.errors import ReportError
from record.record import RunRecord
from tests.commands import threadx
from tests.killing import SETTINGS, begin, forked, go_on, killed_at_event, left, word
from tests.langgraph_server import PROJECT
from tests.postgres_server import binaries, postgres_server
from tests.prices import made_up_prices
from tests.vault.test_ledger import made_up, put
from threadx.audit.checking import check_run
from threadx.audit.replaying import replay_run
from threadx.errors import ThreadxError
from threadx.repairing import examine
from threadx.results import Waiting
from threadx.runner import make_input, resume_run, start_run
from threadx.settings import make_context
from threadx.web.ready import ready
from vault.datasets import find_dataset, open_holdout, register
from vault.ledger import SCHEMA, Ledger
from vault.openings import add_opening, read_openings

pytestmark = pytest.mark.skipif(
    binaries() is None or sys.platform == "win32",
    reason="no PostgreSQL server is installed (initdb is neither on the path nor in /usr/lib/postgresql)",
)


@pytest.fixture(scope="module")
def server():
    with postgres_server() as running:
        yield running


@pytest.fixture
def address(server, monkeypatch):
    found = server.new_database()
    monkeypatch.setenv(shared.VARIABLE, found)
    return found


WORK = """
import sys
from pathlib import Path
from nodes.ensemble.operation.lease import leased
from record.record import RunRecord
from tests.vault.test_ledger import put
from vault.datasets import find_dataset, open_holdout
home = Path(sys.argv[1])
counted = put(home, ["a", "b"], source="theirs")
opening = open_holdout(find_dataset(sys.argv[2], home), home, reader="theirs")[2]
RunRecord(home, "r").hold("theirs")
with leased(home):
    print(counted, opening, flush=True)
    sys.stdin.read()
"""


def test_what_another_process_counted_opened_and_holds_is_known_here(tmp_path, address):
    dataset = register(made_up_prices(500), symbol="TEST", timeframe="1h", home=tmp_path)
    another = subprocess.Popen(
        [sys.executable, "-c", WORK, tmp_path, dataset.development_hash],
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert another.stdout is not None
        assert another.stdout.readline().split() == [b"2", b"1"]
        assert put(tmp_path, ["b", "c"], source="ours") == 1
        assert Ledger(tmp_path).snapshot("family").trials == 3
        assert open_holdout(dataset, tmp_path, reader="ours")[2] == 2
        record = RunRecord(tmp_path, "r")
        assert record.is_held()
        with pytest.raises(ReportError, match="r"):
            record.hold("ours")
        with pytest.raises(BusyError), leased(tmp_path):
            pass
    finally:
        another.kill()
        another.communicate()
    while record.is_held():  # the server notices the end of a dead process by itself
        pass
    record.hold("ours")
    record.release()
    with leased(tmp_path) as lease:
        lease.require()


def test_the_same_work_reads_the_same_from_files_and_from_the_database(tmp_path, server, monkeypatch):
    def done(home):
        ledger = Ledger(home)
        put(home, ["b", "a"], source="before")
        snapshot = ledger.snapshot("family", ["kin"])
        ledger.count("family", [made_up("c", blocks=4)], development_hash="other", origin="run", source="me")
        bare = replace(made_up("a", sharpe=0.1 + 0.2), blocks=None)
        ledger.count("family", [bare], development_hash="other", origin="backtest", source="me")
        put(home, ["d"], family="kin", source="me")
        sweep = {"about": {"a": 1}, "configurations": 3_000_000_000, "sharpe_mean": 1 / 3}
        for source in ("me", "them"):
            ledger.count_search("family", **sweep, sharpe_variance=1e-9, origin="sweep", source=source)
        ledger.count_lost("family", present=1, witnessed=3, sharpe_variance=None, source="me")
        assert ledger.count("family", [], development_hash="rows", origin="run", source="me") == 0
        found = [ledger.evidence(snapshot, development_hash=rows, source="me") for rows in ("rows", "other")]
        chain = ledger.chain("family")
        assert (chain.broken, chain.changed) == (False, 0)
        tables = [
            one.table.assign(hash=one.table["hash"].where(one.table["origin"] != "lost")) for one in found
        ]
        return snapshot, ledger.snapshot("family").trials, chain.configurations, len(chain.hashes), tables

    in_files = done(tmp_path / "files")
    monkeypatch.setenv(shared.VARIABLE, server.new_database())
    in_database = done(tmp_path / "database")
    # Numbers of rows are the store's own affair: which come before them is what counts.
    assert in_files[0].trials == in_database[0].trials == 2
    assert in_files[1:4] == in_database[1:4]
    for one, other in zip(in_files[4], in_database[4], strict=True):
        assert one.map(str).equals(other.map(str))


def test_nothing_in_the_database_can_be_changed_and_what_is_changed_all_the_same_is_seen(
    tmp_path, server, address
):
    family = register(made_up_prices(500), symbol="TEST", timeframe="1h", home=tmp_path).family
    put(tmp_path, ["a", "b"], family=family)
    add_opening(tmp_path / "datasets", {"family": "f", "reader": "first"})
    add_opening(tmp_path / "datasets", {"family": "f", "reader": "second"})
    for table in ("trials", "looks", "links", "openings"):
        for statement in (f"DELETE FROM threadx.{table}", f"TRUNCATE threadx.{table}"):
            with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
                server.execute(statement, address)
    for table in ("trials", "openings"):
        server.execute(f"ALTER TABLE threadx.{table} DISABLE TRIGGER ALL", address)
    server.execute("UPDATE threadx.trials SET sharpe = 9 WHERE spec_hash = 'b'", address)
    server.execute("DELETE FROM threadx.openings WHERE number = 1", address)
    assert [(one.path.name, one.problem) for one in examine(tmp_path)] == [("ledger", "changed")]
    assert read_openings(tmp_path / "datasets").broken == 1


@pytest.fixture(scope="module")
def in_files(tmp_path_factory):
    """A data folder with a run that has ended, its state in files; and the prices of that run."""
    folder = tmp_path_factory.mktemp("files")
    prices = folder / "TEST_1h.csv"
    made_up_prices(500, cycle=0.05).to_csv(prices)
    home = folder / "home"
    begin(home, str(prices))
    go_on(home)
    return home, str(prices)


def test_a_run_that_was_killed_goes_on_in_another_process_as_if_nothing_had_been(
    tmp_path, server, address, in_files
):
    there, prices = in_files
    undisturbed = left(there)
    chosen = next(event for event, node in undisturbed["nodes"].items() if node == "select")

    def doomed():
        killed_at_event(chosen, before=False)
        begin(tmp_path, prices)
        go_on(tmp_path)

    assert os.WTERMSIG(forked(doomed)) == signal.SIGKILL
    schema = f"threadx_{json.loads((tmp_path / shared.MARK).read_text(encoding='utf-8'))['home'][:12]}"
    kept = f"SELECT count(*) FROM {schema}.checkpoints"
    assert server.execute(kept, address) != [(0,)]
    go_on(tmp_path)
    assert left(tmp_path) == undisturbed
    assert server.execute(kept, address) == [(0,)]
    assert server.execute("SELECT count(*) FROM threadx.store", address) == [(1,)]
    counted = "SELECT (SELECT count(*) FROM threadx.links), (SELECT count(*) FROM threadx.openings)"
    before = server.execute(counted, address)
    assert (replay_run("r", tmp_path).same, check_run("r", tmp_path).agrees) == (True, True)
    assert server.execute(counted, address) == before  # what is repeated elsewhere counts nowhere
    kept = sorted(path.name for path in tmp_path.rglob("*") if path.suffix in (".sqlite", ".jsonl"))
    assert kept == ["events.jsonl"]


def test_a_folder_that_has_trials_is_carried_over_whole_and_remembers_where_they_are(
    tmp_path, server, address, in_files, monkeypatch
):
    home = shutil.copytree(in_files[0], tmp_path / "home")
    monkeypatch.delenv(shared.VARIABLE)
    family = json.loads((home / "datasets" / "splits.json").read_text(encoding="utf-8"))[0]["family"]
    before = Ledger(home).chain(family), read_openings(home / "datasets"), Ledger(home).snapshot(family)
    monkeypatch.setenv(shared.VARIABLE, address)
    code, _, said = threadx("backtest", in_files[1], "--home", home, "--language", "en")
    assert (code, said.count("\n")) == (2, 1)
    assert "threadx data migrate" in said
    for _ in range(2):  # a second call finds everything where it is
        code, out, _ = threadx("data", "migrate", "--home", home, "--json", "-")
        assert code == 0
        assert (json.loads(out)["trials"], json.loads(out)["openings"]) == (before[2].trials, 1)
    assert (
        Ledger(home).chain(family),
        read_openings(home / "datasets"),
        Ledger(home).snapshot(family),
    ) == before
    assert server.execute("SELECT key FROM threadx.store", address) == [("r",)]
    assert put(home, ["new"], family=family) == 1
    # Every head that the run has on record is found again: its evidence is whole.
    assert missing_evidence(home, find_dataset(family, home), "later") == []
    monkeypatch.delenv(shared.VARIABLE)
    code, _, said = threadx("backtest", in_files[1], "--home", home, "--language", "en")
    assert (code, "THREADX_DATABASE" in said) == (2, True)
    monkeypatch.setenv(shared.VARIABLE, server.new_database())
    with pytest.raises(DatabaseError, match=re.escape(str(home))) as refused:
        Ledger(home).head()
    assert refused.value.code == "other_database"
    monkeypatch.setenv(shared.VARIABLE, address)
    another = shutil.copytree(in_files[0], tmp_path / "another")
    with in_file(another / "ledger.sqlite", SCHEMA) as tables:  # a trial that the database does not know
        tables.execute(
            "INSERT INTO links SELECT number + 1, kind, family, name, source, row, 0, content, 'x'"
            " FROM links ORDER BY number DESC LIMIT 1"
        )
    code, _, said = threadx("data", "migrate", "--home", another, "--language", "en")
    assert (code, "empty database" in said) == (2, True)


def test_a_session_that_the_server_has_ended_holds_nothing(tmp_path, server, address):
    record = RunRecord(tmp_path, "r")
    record.hold("me")
    record.hold("me")
    server.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1", address
    )
    with pytest.raises(DatabaseError) as lost:
        record.hold("me")
    assert lost.value.code == "database_unusable"
    record.release()
    record.hold("me")
    record.release()


def test_a_run_whose_database_goes_away_stops_with_a_sentence_and_goes_on_when_it_is_back(
    tmp_path, server, address, in_files
):
    cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"

    first = iter([True])

    def watch(event):
        if next(first, False):
            server.execute(f"{cut} AND pid <> pg_backend_pid()", address)

    asked, context = make_input(data=in_files[1], run="r"), make_context(home=str(tmp_path), **SETTINGS)
    waiting = start_run(asked, context)
    assert isinstance(waiting, Waiting)
    with pytest.raises(ThreadxError) as stopped:
        resume_run("r", tmp_path, watch, word(waiting))
    assert stopped.value.code == "run_stopped"
    assert "threadx runs resume r" in stopped.value.sentence("en")
    assert resume_run("r", tmp_path).status == "finished"


@pytest.mark.parametrize(
    "case", ["no address", "another kind", "wrong password", "nobody there", "no driver"]
)
@pytest.mark.parametrize("language", ["fr", "en"])
def test_what_cannot_be_used_is_one_sentence_without_the_password(
    tmp_path, server, monkeypatch, case, language
):
    given = {
        "no address": "postgresql://me:s%zz3cret-word-7@[half",
        "another kind": "mysql://me:s3cret-word-7@host/name",
        "wrong password": server.address("postgres", "s3cret-word-7"),
        "nobody there": f"postgresql://me:s3cret-word-7@/name?host={tmp_path}&password=s3cret-word-8",
        "no driver": server.address("postgres", "s3cret-word-7"),
    }[case]
    monkeypatch.setenv(shared.VARIABLE, given)
    if case == "no driver":
        monkeypatch.setitem(sys.modules, "base.postgres", None)
    code, out, said = threadx("backtest", "sample:sp500", "--home", tmp_path / "home", "--language", language)
    assert (code, out, said.count("\n")) == (2, "", 1)
    assert ("THREADX_DATABASE" in said, "cret-word" in said) == (True, False)
    with pytest.raises(DatabaseError) as raised:
        Ledger(tmp_path / "home").head()
    assert "cret-word" not in "".join(traceback.format_exception(raised.value))


@pytest.mark.local
@pytest.mark.parametrize(
    ("host", "told"),
    [("unknown", "no host is called"), ("x" * 64, "no host is called"), ("[::1]", "connection is refused")],
)
def test_a_list_of_runs_says_that_its_database_cannot_be_asked_and_why(tmp_path, monkeypatch, host, told):
    def unknown(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "in the language of the system")

    if host == "unknown":
        monkeypatch.setattr(socket, "getaddrinfo", unknown)
    monkeypatch.setenv(shared.VARIABLE, f"postgresql://me:s3cret-word-7@{host}:9/name")
    code, out, said = threadx("runs", "list", "--home", tmp_path / "none", "--language", "en")
    assert (code, out, said.count("\n"), "cret-word" in said) == (2, "", 1, False)
    assert told in said
    assert not (tmp_path / "none").exists()


def test_another_kind_of_address_is_refused_where_no_state_is_asked_for(tmp_path, monkeypatch):
    monkeypatch.setenv(shared.VARIABLE, "mysql://me:s3cret-word-7@host/name")
    code, out, said = threadx("runs", "list", "--home", tmp_path)
    assert (code, out, said.count("THREADX_DATABASE"), "cret-word" in said) == (2, "", 1, False)


def test_a_newer_ledger_is_not_touched(tmp_path):
    put(tmp_path, ["a"])
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite")) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(DatabaseError) as refused:
        put(tmp_path, ["b"])
    assert (refused.value.code, refused.value.fields["found"]) == ("newer_state", 99)


def test_a_process_is_ready_while_its_folder_and_its_database_can_be_used(
    tmp_path, server, address, monkeypatch
):
    assert ready(tmp_path).status_code == 200
    monkeypatch.setenv(shared.VARIABLE, server.address("gone"))
    assert (ready(tmp_path).status_code, bytes(ready(tmp_path).body)) == (503, b"database\n")
    monkeypatch.delenv(shared.VARIABLE)
    (tmp_path / "file").touch()
    assert (ready(tmp_path / "file").status_code, bytes(ready(tmp_path / "file").body)) == (
        503,
        b"data_folder\n",
    )


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"home": "a; DROP SCHEMA threadx"}, "damaged_home"),
        ({"database": "1" * 32}, "other_database"),
        ({"version": 2, "more": True}, "newer_state"),
    ],
)
def test_a_folder_that_somebody_has_marked_otherwise_is_refused(tmp_path, address, changed, code):
    put(tmp_path, ["a"])
    mark = json.loads((tmp_path / shared.MARK).read_text(encoding="utf-8"))
    there = tmp_path / "there"
    there.mkdir()
    (there / shared.MARK).write_text(json.dumps({**mark, **changed}), encoding="utf-8")
    with pytest.raises(DatabaseError) as refused:
        put(there, ["b"])
    assert refused.value.code == code
