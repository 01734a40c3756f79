"""`dataset:HASH` names prices that were read already: what one says of reading them counts or is refused.

The walk: every setting of reading × every face that takes prices.
"""

import json
from typing import Any

import click
import pandas as pd
import pytest

import threadx
from base.errors import TypedError, shown_at
from graphs.optimization import graph as optimization
from graphs.review import graph as review
from prompts import Words
from record.record import RunRecord
from tests.laws import combined
from tests.optimization_runs import ALL_RULES
from tests.prices import made_up_prices
from tests.prompts.test_language_leaks import every_command
from tests.vault.test_reading_faces import RULES, french, run
from threadx.command import build
from threadx.tools import backtest_tool
from threadx.web.order import READING, Order, check
from vault.boundaries import advance_registered
from vault.datasets import find_dataset, openings, register
from vault.readers.options import Notice

PRICES = made_up_prices(rows=700, frequency="D", cycle=0.1)
QUICK = [f"--{role}=rules" for role in RULES] + ["--run=r"]
GIVEN: dict[str, Any] = {
    "symbol": "OTHER",
    "timeframe": "4h",
    "gaps": "fill",
    "time_format": "%d/%m/%Y",
    "time_zone": "Europe/Paris",
    "decimal": ",",
    "adjust": True,
    "start": "2024-06-01",
    "end": "2024-12-31",
    "resample": "1w",
}
WINDOW = ("start", "end")
COMMANDS = {
    "backtest": [],
    "sweep": ["--grid", "fast_period=3:6"],
    "optimize": [*QUICK, "--max-iterations=1"],
    "review": QUICK,
    "declare": ["--text", "dips are bought"],
    "data check": [],
    "data advance": ["--to", "2025-09-01"],
}
"""Every command that takes prices, and what else makes it short."""


@pytest.fixture
def data(tmp_path):
    dataset = register(PRICES, symbol="TEST", timeframe="1d", home=tmp_path)
    return f"dataset:{dataset.development_hash}"


def test_the_walk_knows_every_setting():
    assert GIVEN.keys() == READING.keys()


def asked(name):
    """A setting in the input of a graph."""
    return (
        {name: GIVEN[name]} if name in ("symbol", "timeframe", "gaps") else {"reading": {name: GIVEN[name]}}
    )


FACES = {
    "optimize": lambda data, home, name: threadx.optimize(
        data, home=str(home), **RULES, **{name: GIVEN[name]}
    ),
    "review": lambda data, home, name: threadx.review(data, home=str(home), **RULES, **{name: GIVEN[name]}),
    "graph": lambda data, home, name: optimization.invoke(
        {"data": data, **asked(name)}, context={"home": str(home), **ALL_RULES}
    ),
    "review_graph": lambda data, home, name: review.invoke(
        {"data": data, **asked(name)}, context={"home": str(home), **ALL_RULES}
    ),
    "form": lambda data, home, name: check(
        Order(
            data=data,
            strategy="ma_crossover",
            models=dict.fromkeys(("analyst", "strategist", "validator"), "rules"),
            reading={name: GIVEN[name]},
        ),
        "en",
        home,
    ),
    "backtest": lambda data, home, name: threadx.backtest(data, home=home, **{name: GIVEN[name]}),
    "sweep": lambda data, home, name: threadx.sweep(
        data, grid={"fast_period": [3, 5]}, home=home, **{name: GIVEN[name]}
    ),
    "read_prices": lambda data, home, name: threadx.read_prices(data, home=home, **{name: GIVEN[name]}),
}
LOOKING = ("backtest", "sweep", "read_prices", "check")
"""Faces at which a window looks at a part of the rows."""


@pytest.mark.parametrize(("face", "name"), combined([*FACES], [*GIVEN], times=2))
def test_a_setting_that_cannot_count_is_refused_by_name(data, tmp_path, face, name):
    if face in LOOKING and name in WINDOW:
        return  # counts: below
    with pytest.raises(TypedError) as refused:
        FACES[face](data, tmp_path, name)
    assert refused.value.code == "reading_of_registered"
    assert f"{name}=" in refused.value.sentence("en")
    assert f"{name}=" in refused.value.sentence("fr")
    with shown_at("page"):
        assert f"{name}=" not in refused.value.sentence("en")
    assert not (tmp_path / "runs").exists() or not [*(tmp_path / "runs").glob("*/run.json")]


@pytest.mark.parametrize(("command", "name"), combined([*COMMANDS], [*GIVEN], times=2))
def test_the_command_says_so_in_its_own_words(data, tmp_path, capsys, command, name):
    if command.split()[-1] in LOOKING and name in WINDOW:
        return
    option = f"--{name.replace('_', '-')}"
    given = [option] if GIVEN[name] is True else [option, GIVEN[name]]
    given += COMMANDS[command]
    code, _, err = run(capsys, *command.split(), data, "--home", tmp_path, "--language", "en", *given)
    assert code == 2
    assert option in err
    assert "registered" in err


def test_the_walk_knows_every_command_that_takes_prices():
    whole = build(Words("en"))
    taking = {
        context.command_path.strip()
        for one, context in every_command(whole, click.Context(whole))
        if any(part.name == "data" and part.metavar in ("DATA", "DATA...") for part in one.params)
    }
    assert taking == COMMANDS.keys()


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_takes_the_reference(data, tmp_path, capsys, command):
    code, out, err = run(
        capsys, *command.split(), data, "--home", tmp_path, "--json", "-", *COMMANDS[command]
    )
    assert code == 0, err
    assert json.loads(out)


def test_no_more_than_the_development_rows_is_looked_at_before_it_is_registered_anew(data, tmp_path, capsys):
    known = find_dataset(data.removeprefix("dataset:"), tmp_path)
    code, out, _ = run(capsys, "data", "check", data, "--home", tmp_path, "--json", "-")
    assert (code, json.loads(out)["rows"]) == (0, known.development_rows)
    prices, source = threadx.read_prices(data, home=tmp_path)
    pd.testing.assert_frame_equal(prices, PRICES.iloc[: known.development_rows], check_freq=False)
    assert (source.kind, source.symbol, source.rows) == ("registered", "TEST", len(prices))
    part, source = threadx.read_prices(data, home=tmp_path, start=GIVEN["start"], end=GIVEN["end"])
    pd.testing.assert_frame_equal(part, prices.loc[GIVEN["start"] : GIVEN["end"]], check_freq=False)
    assert source.rows == len(part)
    with pytest.raises(TypedError, match=r"holdout|vault|after") as refused:
        threadx.read_prices(data, home=tmp_path, start=str(PRICES.index[-5].date()))
    assert refused.value.code == "window_in_holdout"
    given = ("--home", tmp_path, "--to", "2025-10-01", "--json", "-")
    code, out, _ = run(capsys, "data", "advance", data, *given)
    moved = json.loads(out)
    assert (code, moved["boundary"][:10]) == (0, "2025-10-01")
    assert moved["development_rows"] > known.development_rows
    assert moved["holdout_rows"] == (PRICES.index >= "2025-10-01").sum()
    assert (moved["last"], openings(known.family, tmp_path)) == (known.last, 0)


@pytest.mark.parametrize("face", ["optimize", "graph", "backtest", "read_prices", "data check"])
def test_a_reference_of_before_a_moved_boundary_meets_todays(data, tmp_path, capsys, face):
    """What was its holdout is development now: no verdict may rest on it, and everybody may see it."""
    named = data.removeprefix("dataset:")
    moved = advance_registered(find_dataset(named, tmp_path), tmp_path, "2025-10-01")
    assert moved.development_hash != named
    if face in ("optimize", "graph"):
        begun = {"data": data, "run": "r"}
        if face == "optimize":
            threadx.optimize(**begun, home=str(tmp_path), max_iterations=1, **RULES)
        else:
            optimization.invoke(begun, context={"home": str(tmp_path), "max_iterations": 1, **ALL_RULES})
        dataset = RunRecord(tmp_path, "r").result()["dataset"]
        assert (dataset["boundary"], len(dataset["advances"])) == (moved.boundary, 1)
        return
    if face == "data check":
        rows = json.loads(run(capsys, "data", "check", data, "--home", tmp_path, "--json", "-")[1])["rows"]
    elif face == "backtest":
        rows = len(threadx.backtest(data, home=tmp_path).equity)
    else:
        rows = len(threadx.read_prices(data, home=tmp_path)[0])
    assert rows == moved.development_rows


@pytest.mark.parametrize("name", WINDOW)
def test_a_boundary_is_not_moved_for_a_part_of_a_file(tmp_path, capsys, name):
    PRICES.to_csv(tmp_path / "TEST_1d.csv")
    given = ("data", "advance", tmp_path / "TEST_1d.csv", "--home", tmp_path, "--language", "en")
    code, _, err = run(capsys, *given, f"--{name}", GIVEN[name])
    assert (code, f"leave out --{name}" in err) == (2, True)


def test_a_window_looks_at_a_part_of_the_development_rows(data, tmp_path):
    whole = threadx.backtest(data, home=tmp_path)
    part = threadx.backtest(data, home=tmp_path, start=GIVEN["start"], end=GIVEN["end"])
    index = whole.equity.index
    pd.testing.assert_index_equal(
        part.equity.index, index[(index >= GIVEN["start"]) & (index < "2025-01-01")], exact="equiv"
    )
    assert len(part.equity) < len(whole.equity)
    assert len(threadx.sweep(data, grid={"fast_period": [3, 5]}, home=tmp_path, start=GIVEN["start"])) == 2
    with pytest.raises(TypedError) as refused:
        threadx.backtest(data, home=tmp_path, start=str(PRICES.index[-5].date()))
    assert refused.value.code == "window_in_holdout"


def test_registered_prices_are_taken_by_every_face(data, tmp_path, capsys):
    same = threadx.backtest(PRICES, symbol="TEST", home=tmp_path)
    # What is said and true of them is no contradiction.
    found = threadx.backtest(data, home=tmp_path, symbol="test", timeframe="1d")
    assert found.metrics == same.metrics
    assert threadx.backtest(data, home=tmp_path, whole=True).equity.index[-1] == PRICES.index[-1]
    told = json.loads(
        backtest_tool(home=tmp_path).invoke({"data": data, "strategy": {"preset": "ma_crossover"}})
    )
    assert (told["symbol"], told["bars"]) == ("TEST", len(same.equity))
    code, out, _ = run(capsys, "backtest", data, "--home", tmp_path, "--json", "-")
    assert code == 0
    assert json.loads(out)["dataset"]["symbol"] == "TEST"
    with pytest.raises(TypedError) as refused:
        threadx.backtest("dataset:0123456789abcdef", home=tmp_path)
    assert refused.value.code == "missing_dataset"


def test_settings_count_for_the_other_prices_of_a_run(data, tmp_path):
    other = french(tmp_path / "prix.csv", made_up_prices(rows=700, frequency="D", seed=5).round(6))
    outcome = threadx.optimize(
        data, home=str(tmp_path), others=[other], decimal=",", max_iterations=1, run="r", **RULES
    )
    begun = RunRecord(tmp_path, outcome.run).log.find("i00.load").data
    assert len(begun.others) == 1
    with pytest.raises(TypedError) as refused:
        threadx.optimize(data, home=str(tmp_path), others=[data], decimal=",", **RULES)
    assert refused.value.code == "reading_of_registered"


def test_what_was_assumed_is_told_of_frames_and_of_registered_prices_too(tmp_path, capsys):
    raw = PRICES.set_axis([f"{one:%d/%m/%Y}" for one in PRICES.index]).rename_axis("Date").reset_index()
    outcome = threadx.optimize(
        raw, symbol="TEST", home=str(tmp_path), max_iterations=1, run="r", language="en", **RULES
    )
    record = RunRecord(tmp_path, "r")
    read = record.log.find("i00.read").data.notices
    assert [one["code"] for one in read] == ["day_first"]
    data = f"dataset:{record.log.find('i00.load').data.dataset['development_hash']}"
    again = threadx.review(data, home=str(tmp_path), run="again", language="en", **RULES)
    assert RunRecord(tmp_path, "again").log.find("i00.read").data.notices == read
    for folder in (outcome.folder, again.folder):
        assert "Dates read day first" in (folder / "report.md").read_text(encoding="utf-8")
    replayed = threadx.replay("r", home=tmp_path)
    assert replayed.same, replayed.differences
    assert replayed.result["dataset"]["notices"] == read
    code, out, _ = run(capsys, "backtest", data, "--home", tmp_path, "--language", "en")
    assert code == 0
    assert "Dates read day first" in out


def test_notices_stand_with_the_registration(tmp_path):
    told = (Notice(code="decimal_comma", fields={"value": "1,5"}),)
    first = register(PRICES, symbol="TEST", timeframe="1d", home=tmp_path, notices=told)
    assert first.notices == told
    assert register(PRICES, symbol="TEST", timeframe="1d", home=tmp_path).notices == ()
    assert "notices" not in register(PRICES, symbol="TEST", timeframe="1d", home=tmp_path).model_dump()
