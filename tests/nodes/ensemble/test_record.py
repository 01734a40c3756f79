"""What became of the forecasts, as a person sees it: pictures of score and history, the record's page."""

import json
import re
from datetime import UTC, timedelta

import numpy as np
import pandas as pd
import pytest

from graphs.ensemble import graph
from nodes.ensemble.context import EnsembleContext
from nodes.ensemble.scores.stances import stances_path
from nodes.ensemble.scores.track_record import standing_line
from providers.calls_log import append_line
from tests.partitions import AS_OF, fill
from threadx.command import main
from threadx.web.watching import watched

BEGIN = pd.Timestamp("2022-01-01", tz=UTC)
DAYS = 500
LAST = "2023-05-01T00"


@pytest.fixture
def scored(tmp_path):
    """Prices and a year of daily forecasts: one voice leans up, the arbiter says a third each."""
    rng = np.random.default_rng(5)
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.01, DAYS)))
    table = pd.DataFrame({"date": pd.date_range("2022-01-01", periods=DAYS), "Volume": 1.0})
    folder = tmp_path / "prices/ticker=SPY"
    folder.mkdir(parents=True)
    table.assign(**dict.fromkeys(("Open", "High", "Low", "Close"), close)).to_parquet(
        folder / "prices.parquet"
    )
    for day in range(120, 460):
        lean = [round(float(one), 4) for one in rng.dirichlet([3, 2, 1])]
        voices = {
            "technical": {"model": "ollama:m", "7d": lean, "30d": [0.5, 0.3, 0.2]},
            "arbiter": {"model": "ollama:m", "7d": [0.34, 0.33, 0.33], "30d": [0.34, 0.33, 0.33]},
        }
        hour = BEGIN + timedelta(days=day, hours=12)
        append_line(
            stances_path(tmp_path), {"hour": f"{hour:%Y%m%d%H}", "live": day % 2 == 0, "voices": voices}
        )
    return tmp_path


def threadx(*arguments):
    with pytest.raises(SystemExit) as left:
        main([*map(str, arguments)])
    return left.value.code


def drawn_rows(path):
    """The rows that a chart's own page holds."""
    begin = [found.end() for found in re.finditer(r'"datasets": *', path.read_text(encoding="utf-8"))][-1]
    tables, _ = json.JSONDecoder().raw_decode(path.read_text(encoding="utf-8")[begin:])
    return [row for rows in tables.values() for row in rows]


def test_score_draws_every_voices_calibration(scored, tmp_path, capsys):
    picture = tmp_path / "calibration.html"
    told = tmp_path / "scores.json"
    asked = ("ensemble", "score", f"--home={scored}", f"--as-of={LAST}", "--language=en")
    assert threadx(*asked, "--picture", picture, "--picture-horizon=7d", "--json", told) == 0
    assert str(picture) in capsys.readouterr().out.replace("\n", "")
    rows = [row for row in drawn_rows(picture) if "count" in row]
    scores = [
        row
        for row in json.loads(told.read_text(encoding="utf-8"))["scores"]
        if (row["kind"], row["horizon"]) == ("live", "7d")
    ]
    expected = {(one["said"], one["happened"], one["n"]) for row in scores for one in row["calibration"]}
    assert {(row["predicted"], row["observed"], row["count"]) for row in rows} == expected
    assert {row["source"] for row in rows} == {"The technical agent", "The arbiter"}
    for row in scores:  # each forecast tells three probabilities
        assert sum(one["n"] for one in row["calibration"]) == 3 * row["n"]


@pytest.mark.parametrize(("suffix", "begin"), [("png", b"\x89PNG"), ("svg", b"<svg"), ("pdf", b"%PDF")])
def test_pictures_in_every_form(scored, tmp_path, suffix, begin):
    picture = tmp_path / f"c.{suffix}"
    asked = ("ensemble", "score", f"--home={scored}", f"--as-of={LAST}", "--picture-horizon=30d")
    assert threadx(*asked, "--picture", picture) == 0
    assert picture.read_bytes().startswith(begin)


def test_history_draws_the_outlooks(tmp_path):
    fill(tmp_path)
    for hours in (0, 1):
        given = {"as_of": (AS_OF + timedelta(hours=hours)).isoformat()}
        graph.invoke(given, context=EnsembleContext(home=str(tmp_path), models="rules"))
    picture, told = tmp_path / "outlook.html", tmp_path / "history.json"
    asked = ("ensemble", "history", f"--home={tmp_path}")
    assert threadx(*asked, "--picture", picture, "--json", told) == 0
    found = json.loads(told.read_text(encoding="utf-8"))["hours"]
    tones = [row["tone"] for row in drawn_rows(picture) if "tone" in row]
    names = ("regime", "outlook_days_7", "outlook_days_30", "risk_level")
    assert sorted(tones) == sorted(row[name] for row in found for name in names)


@pytest.mark.parametrize("command", ["score", "history"])
@pytest.mark.parametrize("name", ["c.gif", "c.svg"], ids=["no such form", "nothing to draw"])
def test_what_cannot_be_drawn_is_one_line_and_leaves_no_file(tmp_path, capsys, command, name):
    picture = tmp_path / name
    assert threadx("ensemble", command, f"--home={tmp_path}", "--picture", picture) == 2
    told = capsys.readouterr().err
    assert len(told.strip().splitlines()) == 1
    assert name in told or "prices/ticker" in told  # what is missing first
    assert not picture.exists()


def test_the_page_is_told_of_the_record_once_there_is_one(scored):
    assert watched(scored).standing is None
    assert threadx("ensemble", "score", f"--home={scored}", f"--as-of={LAST}") == 0
    line = watched(scored).standing
    assert line == standing_line(scored, pd.Timestamp(LAST, tz=UTC).to_pydatetime())
    assert line["based_on"]["arbiter"]["windows"] > 0
    assert "arbiter" not in line["factors"]  # weighs no weight of its own
