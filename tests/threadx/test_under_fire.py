"""The invariants of `benchmarks.under_fire` see what breaks them."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

from benchmarks.under_fire import ledger_rows, logs, openings
from record.events import Exhausted
from record.record import RunRecord


def test_a_torn_log_without_its_end_is_seen(tmp_path: Path) -> None:
    record = RunRecord(tmp_path, "one")
    record.append("a", "n", Exhausted())
    assert list(logs([record])) == ["one: 0 ends"]
    line = record.events_path.read_bytes()
    record.events_path.write_bytes(line * 2 + line[:9])
    assert list(logs([record])) == ["one: an event twice", "one: 0 ends", "one: half a line"]


def test_a_look_at_a_holdout_that_is_no_runs_is_seen(tmp_path: Path) -> None:
    (tmp_path / "datasets").mkdir()
    lines = [json.dumps({"reader": reader}) for reader in ("one", "two", "one")]
    (tmp_path / "datasets" / "holdout_openings.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert openings(tmp_path, ["one"]) == ["two"]


def test_a_trial_counted_twice_is_seen(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite")) as ledger:
        ledger.execute("CREATE TABLE trials (family, spec_hash)")
        ledger.execute("CREATE TABLE looks (family, spec_hash, source)")
        ledger.execute("CREATE TABLE searches (family, search_hash, source)")
        ledger.executemany(
            "INSERT INTO trials VALUES (?, ?)", [("f", "a"), ("f", "b"), ("g", "a"), ("f", "a")]
        )
        ledger.execute("INSERT INTO looks VALUES ('f', 'a', 'one')")
        ledger.commit()
    assert ledger_rows(tmp_path) == (5, ["trials: ('f', 'a', 2)"])
