"""Many separate optimisations in one table: what a row is, what is counted, what a second call does."""

import json

import numpy as np
import pandas as pd
import pytest

import threadx
from base.errors import TypedError
from record.record import RunRecord
from tests.prices import made_up_prices
from threadx.command import main
from threadx.each import TableRow, _counted
from vault.datasets import openings
from vault.readers.options import Reading
from vault.readers.prices import read_prices

QUICK = {
    **{role: "rules" for role in ("analyst", "strategist", "validator")},
    "search": "single",
    "max_iterations": 1,
}


def prices(seed=5, frequency="6h", rows=640):
    return made_up_prices(rows, seed=seed, frequency=frequency, cycle=0.05)


class Stopped(Exception):
    """The process is gone."""


def test_a_table_goes_on_where_it_was_stopped(tmp_path):
    """As if it had never been: within a run, and behind a finished one."""
    data, asked = {"A": prices()}, {"timeframes": "6h,1d", **QUICK}
    whole = threadx.optimize_each(data, home=tmp_path / "whole", **asked)
    assert [(row.symbol, row.timeframe) for row in whole.rows] == [("A", "6h"), ("A", "1d")]
    seen = []

    def until(event):
        seen.append(event)
        if sum(one["node"] == "baseline" for one in seen) == 2:
            raise Stopped

    with pytest.raises(Stopped):
        threadx.optimize_each(data, home=tmp_path / "cut", watch=until, **asked)
    first = RunRecord(tmp_path / "cut", whole.rows[0].run)
    before = first.result_path.stat().st_mtime_ns
    resumed = threadx.optimize_each(data, home=tmp_path / "cut", **asked)
    assert resumed.to_json() == whole.to_json()
    assert first.result_path.stat().st_mtime_ns == before
    again = []
    assert threadx.optimize_each(data, home=tmp_path / "cut", watch=again.append, **asked) == resumed
    assert not again, "what is finished is not done twice"
    frame = resumed.to_frame()
    assert frame.loc[("A", "1d"), "run"] == whole.rows[1].run
    closes = data["A"]["close"]
    market = closes.iloc[-1] / closes.iloc[-129] - 1.0  # the last fifth
    assert frame.loc[("A", "6h"), "holding_return"] == pytest.approx(market, abs=0.02)
    family = RunRecord(tmp_path / "cut", whole.rows[0].run).run_result()["dataset"]["family"]
    assert openings(family, tmp_path / "cut") == 2, "timeframes of one market share its holdout"


def test_what_every_run_does_is_told_while_it_works(tmp_path, capsys):
    """In a log too, each line behind which of them it is of; the data folder is named once at most."""
    found = threadx.optimize_each(
        {"A": prices(), "B": prices(seed=6)}, home=tmp_path, progress=True, language="en", **QUICK
    )
    lines = capsys.readouterr().err.splitlines()
    for number, row in enumerate(found.rows, start=1):
        which = f"{row.symbol} 6h ({number} of 2) · "
        told = [line.removeprefix(which) for line in lines if line.startswith(which)]
        assert any(row.run in line for line in told)
        assert any(line.startswith("[1/1]") for line in told)
        assert lines.index(
            next(line for line in lines if line.startswith(f"{row.symbol} 6h: "))
        ) > lines.index(which + told[-1])


def row(verdict, p):
    return TableRow(
        symbol="A", timeframe="1d", run="r", status="finished", verdict_alone=verdict, combined_p=p
    )


def test_each_verdict_counts_all_of_the_table():
    """p·M·c(M)/j by hand: M = 4, c = 25/12."""
    found = _counted(
        [
            row("real", 0.0002),
            TableRow(symbol="B", timeframe="1d", run="r", status="refused", refusal="too short"),
            row("real", 0.004),
            row("promising", 0.019),
            row("overfit", 0.9),
        ]
    )
    assert found.verdicts == 4
    expected = [0.0002 * 25 / 3, None, 0.004 * 25 / 6, 0.019 * 25 / 9, 0.9 * 25 / 12]
    assert [one.adjusted_p for one in found.rows] == [
        None if p is None else pytest.approx(min(p, 1.0)) for p in expected
    ]
    assert [one.verdict for one in found.rows] == ["real", None, "promising", "unproven", "overfit"]
    alone = _counted([row("real", 0.0002)])
    assert (alone.rows[0].verdict, alone.rows[0].adjusted_p) == ("real", 0.0002)


def test_the_command_tells_one_line_a_row_and_what_cannot_be_run(tmp_path, capsys):
    folder = tmp_path / "prices"
    folder.mkdir()
    for name, frequency in (("AAA_6h", "6h"), ("BBB_1d", "1D")):
        prices(frequency=frequency, rows=500).to_csv(folder / f"{name}.csv", index_label="time")
    path = tmp_path / "table.json"
    asked = [
        "optimize",
        str(folder),
        "--timeframes",
        "6h",
        "--language",
        "en",
        "--home",
        str(tmp_path / "home"),
    ]
    asked += ["--search", "single", "--max-iterations", "1", "--json", str(path)]
    with pytest.raises(SystemExit) as left:
        main([*asked, *(f"--{role}=rules" for role in ("analyst", "strategist", "validator"))])
    assert left.value.code == 1, "a row could not be run"
    told = capsys.readouterr()
    head, first, second = (line.split("\t") for line in told.out.splitlines() if "\t" in line)
    assert len(head) == len(first) == len(second)
    assert (first[0], first[1], second[0], second[2]) == ("AAA", "6h", "BBB", "not possible")
    assert "BBB 6h: Timeframe 6h is not higher than the data’s own (1d)." in told.out
    rows = json.loads(path.read_text(encoding="utf-8"))["rows"]
    assert [one["status"] for one in rows] == ["finished", "refused"]
    assert float(first[6]) == pytest.approx(rows[0]["holding_return"])


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"timeframes": ["7h"]}, "no_timeframe"),
        ({"timeframes": "1d", "resample": "1d"}, "resampled_twice"),
        ({"symbol": "A"}, "symbol_of_pool"),
    ],
)
def test_what_no_row_could_be_run_with_is_refused_at_once(asked, code, tmp_path):
    with pytest.raises(TypedError) as caught:
        threadx.optimize_each({"A": prices(), "B": prices(6)}, home=tmp_path, **asked, **QUICK)
    assert caught.value.code == code
    assert not list(tmp_path.glob("runs/*"))


def test_longer_bars_of_a_file_are_told_and_keep_its_holdout(tmp_path):
    path = tmp_path / "AAA_6h.csv"
    frame = prices()
    frame.to_csv(path, index_label="time")
    read, source = read_prices(str(path), tmp_path, reading=Reading(resample="1d"))
    assert (source.timeframe, source.notices[-1].code, len(read)) == ("1d", "resampled", 160)
    np.testing.assert_array_equal(read["close"], frame["close"].to_numpy()[3::4])


def test_tables_whose_columns_change_names_or_whose_zone_does_are_others(tmp_path):
    """Else the row of the other one would be shown as this one's."""
    data = prices(rows=200)
    index = pd.DatetimeIndex(data.index)
    zoned = index if index.tz else index.tz_localize("UTC")
    table = pd.DataFrame({"a": range(200), "b": range(200, 0, -1)}, index=zoned)
    tables = [table, table.set_axis(["b", "a"], axis=1), table.tz_convert("Asia/Tokyo")]
    asked = {"approve": True, "home": tmp_path, **QUICK}
    found = [
        threadx.optimize_each(data.set_axis(zoned), inputs={"t": one}, **asked).rows[0].run for one in tables
    ]
    assert len(set(found)) == 3
