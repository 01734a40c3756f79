"""Ledger, openings and records witness for each other: what is taken out of one is said in the verdict."""

import json
import shutil
import sqlite3

import pytest

from prompts import Words
from record.record import RunRecord
from reports.belief import reason_lines
from tests.optimization_runs import run_graph
from tests.prices import made_up_prices
from tests.vault.test_ledger import put
from vault.datasets import open_holdout, openings, register
from vault.ledger import Ledger
from vault.openings import LOG, add_opening, read_openings

RUN = {"max_iterations": 1, "language": "en"}
SWEPT = 790


@pytest.fixture(scope="module")
def used(tmp_path_factory):
    """A home in which 790 configurations were swept, and two runs have opened the holdout."""
    home = tmp_path_factory.mktemp("used")
    dataset = register(made_up_prices(cycle=0.05), symbol="TEST", timeframe="1h", home=home)
    Ledger(home).count_search(
        dataset.family,
        about={"a": "sweep"},
        configurations=SWEPT,
        sharpe_mean=0.0,
        sharpe_variance=1e-4,
        origin="sweep",
        source="sweep",
    )
    for name in ("first", "second"):
        run_graph(home, given={"run": name}, **RUN)
    return home, dataset.family


def _removed(home):
    for path in (*home.glob("ledger.sqlite*"), home / "datasets" / LOG):
        path.unlink()


def _rows(home):
    """The rows of the sweep, and the first opening."""
    connection = sqlite3.connect(home / "ledger.sqlite", isolation_level=None)
    connection.execute("DROP TRIGGER searches_remain")
    connection.execute("DELETE FROM searches")
    connection.close()
    log = home / "datasets" / LOG
    log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[1:]))


def _rubbish(home):
    for path in (home / "ledger.sqlite", home / "datasets" / LOG):
        path.write_bytes(b"\0rubbish" * 2000)


@pytest.mark.parametrize("taken_away", [_removed, _rows, _rubbish])
def test_what_is_taken_away_is_said_and_the_larger_number_counts(tmp_path, used, taken_away):
    home = shutil.copytree(used[0], tmp_path / "home")
    before = Ledger(home).snapshot(used[1]).trials
    assert before > SWEPT
    taken_away(home)
    result = run_graph(home, given={"run": "third"}, **RUN)[0]["result"]
    assert result["overfitting"]["trials"] >= before
    assert result["holdout"]["opening"] >= 3
    said = {one["code"]: one for one in result["missing_evidence"]}
    assert (said["trials"]["witnessed"], said["openings"]["witnessed"]) == (before, 2)
    for language in ("fr", "en"):
        lines = reason_lines(result, Words(language))[: len(said)]
        assert any(str(before) in line and "first" in line for line in lines)
    record = RunRecord(home, "third")
    assert record.result()["missing_evidence"] == result["missing_evidence"]
    report = (record.folder / "report.md").read_text(encoding="utf-8")
    assert all(f"- {line}" in report for line in reason_lines(result, Words("en")))
    if taken_away is not _removed:
        return
    # It stays said, and nothing is made up for twice.
    later = run_graph(home, given={"run": "fourth"}, **RUN)[0]["result"]
    assert later["overfitting"]["trials_before"] == result["overfitting"]["trials"]
    assert later["holdout"]["opening"] == result["holdout"]["opening"] + 1
    assert later["missing_evidence"]


def test_where_nothing_is_missing_nothing_is_said(used):
    for name in ("first", "second"):
        record = RunRecord(used[0], name)
        assert "missing_evidence" not in record.result()
        begun, judged, closed = (
            record.log.find(event).plain()["data"]["heads"]
            for event in ("i00.ledger", "judge.evidence", "judge.closed")
        )
        assert begun["ledger"]["number"] < judged["ledger"]["number"] <= closed["ledger"]["number"]
        assert begun["openings"]["number"] == judged["openings"]["number"] == closed["openings"]["number"] - 1


def _change(home, *statements):
    connection = sqlite3.connect(home / "ledger.sqlite", isolation_level=None)
    for name in ("trials", "looks", "searches", "links"):
        for what in ("stay", "remain"):
            connection.execute(f"DROP TRIGGER {name}_{what}")
    for statement in statements:
        connection.execute(statement)
    connection.close()


@pytest.mark.parametrize(
    ("statement", "changed", "broken"),
    [
        ("UPDATE trials SET sharpe = 9 WHERE spec_hash = 'b'", 1, False),
        ("DELETE FROM trials WHERE spec_hash = 'b'", 1, False),
        ("DELETE FROM looks WHERE spec_hash = 'b'", 1, False),
        ("DELETE FROM links WHERE kind = 'trial' AND name = 'b'", 0, True),
        ("UPDATE links SET content = 'x' WHERE kind = 'trial' AND name = 'b'", 1, True),
        ("UPDATE trials SET sharpe = 9 WHERE spec_hash = 'old'", 1, False),
    ],
)
def test_every_row_of_the_ledger_is_in_its_chain(tmp_path, statement, changed, broken):
    put(tmp_path, ["old"])
    # A ledger of an earlier version: no chain, and its rows stand.
    connection = sqlite3.connect(tmp_path / "ledger.sqlite", isolation_level=None)
    connection.execute("DROP TABLE links")
    connection.execute("PRAGMA user_version = 1")
    connection.close()
    ledger = Ledger(tmp_path)
    first = ledger.head()
    assert (first.number, ledger.snapshot("family").trials) == (1, 1)
    put(tmp_path, ["a", "b", "c"])
    put(tmp_path, ["b"], source="run 2")
    chain = ledger.chain("family")
    assert (chain.changed, chain.broken, chain.configurations) == (0, False, 4)
    assert first.is_in(chain.hashes)
    assert len(chain.hashes) == 1 + 6 + 1
    _change(tmp_path, statement)
    found = ledger.chain("family")
    assert (bool(found.changed), found.broken) == (bool(changed), broken)
    assert put(tmp_path, ["d"]) == 1, "it is never fatal"


def test_an_opening_cannot_be_taken_out_or_changed_unseen(tmp_path):
    dataset = register(made_up_prices(), symbol="A", timeframe="1h", home=tmp_path)
    folder = tmp_path / "datasets"
    old = {"time": "2025", "family": dataset.family, "reader": "old", "holdout_hash": dataset.holdout_hash}
    (folder / LOG).write_text(json.dumps(old) + "\n", encoding="utf-8", newline="")
    for name in ("a", "b"):
        open_holdout(dataset, tmp_path, reader=name)
    log = read_openings(folder)
    assert (log.readers({dataset.family}), log.broken) == (["old", "a", "b"], 0)
    lines = (folder / LOG).read_text(encoding="utf-8").splitlines(keepends=True)
    for changed in ([*lines[1:]], [lines[0].replace("old", "new"), *lines[1:]], [lines[0], lines[2]]):
        (folder / LOG).write_text("".join(changed), encoding="utf-8", newline="")
        assert read_openings(folder).broken
        assert open_holdout(dataset, tmp_path, reader="c")[2] == len(changed) + 1
    (folder / LOG).write_text("".join([lines[0], "rubbish\n", lines[2]]), encoding="utf-8", newline="")
    found = read_openings(folder)
    assert (found.unreadable, bool(found.broken)) == (1, True)
    assert openings(dataset.family, tmp_path) == openings("another", tmp_path) + 2 == 3


def test_a_torn_last_line_is_cut_off_and_kept(tmp_path):
    line = {"family": "f", "reader": "a", "time": "2026"}
    add_opening(tmp_path, line)
    whole = (tmp_path / LOG).read_bytes()
    add_opening(tmp_path, {**line, "reader": "b"})
    both = (tmp_path / LOG).read_bytes()
    for size in range(len(whole), len(both) + 1):
        (tmp_path / LOG).write_bytes(both[:size])
        readers = ["a", "b"] if size >= len(both) - 1 else ["a"]
        assert read_openings(tmp_path).readers({"f"}) == readers
        kept = sorted(tmp_path.glob(f"{LOG}.torn-*"))
        assert [one.read_bytes() for one in kept] == [both[len(whole) : size]][: len(kept)]
        assert bool(kept) == (len(whole) < size < len(both) - 1)
        for one in kept:
            one.unlink()
        assert not read_openings(tmp_path).broken
