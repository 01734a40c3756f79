"""Entries not taken, for want of one whole unit or of their costs, are told at every door."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from backtest import Costs
from prompts import Words
from threadx.command import main
from threadx.tools import backtest_tool

LANGUAGES = ("fr", "en")


def flowing(text):
    return " ".join(text.split())


def called(capsys, *arguments, language):
    with pytest.raises(SystemExit) as left:
        main([*map(str, arguments), "--language", language])
    assert left.value.code == 0
    return flowing(capsys.readouterr().out)


@pytest.fixture
def dear(tmp_path):
    """A price of 30,000 that is 25,000 every fifth day, as a file."""
    closes = [25_000.0 if day % 5 == 4 else 30_000.0 for day in range(500)]
    path = tmp_path / "DEAR_1d.csv"
    pd.DataFrame(
        {
            "date": pd.date_range("2022-01-01", periods=len(closes)).strftime("%Y-%m-%d"),
            **dict.fromkeys(("open", "high", "low", "close"), closes),
            "volume": 1.0,
        }
    ).to_csv(path, index=False)
    return path


def asked_for(path):
    """Closes of 25,000 that a bar follows, in the part of the file that is not held out, by hand."""
    closes = pd.read_csv(path)["close"].tolist()
    return lambda bars: sum(close == 25_000.0 for close in closes[: bars - 1])


STRATEGY = ("--entry-long", "close < 26000", "--exit-long", "close > 26000")


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_card_says_what_was_too_dear(tmp_path, capsys, dear, language):
    told = tmp_path / "result.json"
    common = ("backtest", dear, *STRATEGY, "--home", tmp_path / "data", "--json", told)
    shown = called(capsys, *common, "-p", "whole_units=1", language=language)
    card = json.loads(told.read_text(encoding="utf-8"))["card"]
    entries = asked_for(dear)(card["bars"])
    assert card["entries_below_one_unit"] == entries > 50
    words = Words(language)
    assert flowing(words("card.entries_below_one_unit", count=words.number(entries))) in shown
    shown = called(capsys, *common, "-p", "whole_units=1", "--capital", 100_000, language=language)
    assert "(whole_units)" not in shown
    assert json.loads(told.read_text(encoding="utf-8"))["card"]["entries_below_one_unit"] == 0


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_sweep_says_in_how_many_configurations(tmp_path, capsys, dear, language):
    file = tmp_path / "all.parquet"
    common = (
        "sweep", dear, *STRATEGY, "-p", "whole_units=1", "--grid", "leverage=1,2,4,10",
        "--fee-bps", 0, "--slippage-bps", 0, "--home", tmp_path / "data", "--out", file,
    )  # fmt: skip
    words = Words(language)
    # The account is 10,000 and stays so: four times that buys a unit at 30,000, twice that does not.
    sentence = flowing(words("command.sweep_below_one_unit", count=words.number(2)))
    assert sentence in called(capsys, *common, language=language)
    told = json.loads(called(capsys, *common, "--json", "-", language=language))
    assert told["configurations_below_one_unit"] == 2
    refused = {row["leverage"]: row["entries_below_one_unit"] for row in told["top"]}
    table = pd.read_parquet(file).set_index("leverage")["entries_below_one_unit"]
    assert (table > 0).tolist() == [True, True, False, False]
    assert refused.items() <= table.to_dict().items()


def test_the_agents_tool_says_it(tmp_path, dear):
    tool = backtest_tool(home=tmp_path / "data", language="en")
    strategy = {
        "entry_long": "close < 26000", "exit_long": "close > 26000",
        "sizing": {"whole_units": True},
    }  # fmt: skip
    told = json.loads(tool.invoke({"data": str(dear), "strategy": strategy}))
    assert told["metrics"]["n_trades"] == 0
    assert told["entries_below_one_unit"] == asked_for(dear)(told["bars"])


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_card_says_what_costs_forbid(tmp_path, capsys, dear, language):
    told = tmp_path / "result.json"
    common = ("backtest", dear, *STRATEGY, "--home", tmp_path / "data", "--json", told, "--capital", 400)
    shown = called(capsys, *common, "--fee-fixed", 500, language=language)
    card = json.loads(told.read_text(encoding="utf-8"))["card"]
    entries = asked_for(dear)(card["bars"])
    assert card["entries_unaffordable"] == entries > 50
    assert card["entries_below_one_unit"] == 0
    words = Words(language)
    sentence = flowing(words("card.entries_unaffordable", count=words.number(entries)))
    assert sentence in shown
    assert sentence not in called(capsys, *common, language=language)
    assert json.loads(told.read_text(encoding="utf-8"))["card"]["entries_unaffordable"] == 0


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_sweep_says_in_how_many_configurations_costs_forbid_entries(tmp_path, capsys, dear, language):
    file = tmp_path / "all.parquet"
    common = (
        "sweep", dear, *STRATEGY, "--grid", "leverage=1,2,50", "--fee-bps", 1000, "--slippage-bps", 0,
        "--home", tmp_path / "data", "--out", file,
    )  # fmt: skip
    words = Words(language)
    # To close fifty times the account costs more than the account, from the first moment.
    sentence = flowing(words("command.sweep_unaffordable", count=words.number(1)))
    assert sentence in called(capsys, *common, language=language)
    told = json.loads(called(capsys, *common, "--json", "-", language=language))
    assert told["configurations_unaffordable"] == 1
    found = pd.read_parquet(file).set_index("leverage")["entries_unaffordable"].to_dict()
    assert found.pop(50) > 50
    assert found == {1: 0, 2: 0}


def test_the_agents_tool_says_what_costs_forbid(tmp_path, dear):
    tool = backtest_tool(home=tmp_path / "data", costs=Costs(fee_fixed=20_000), language="en")
    strategy = {"entry_long": "close < 26000", "exit_long": "close > 26000"}
    told = json.loads(tool.invoke({"data": str(dear), "strategy": strategy}))
    assert told["metrics"]["n_trades"] == 0
    assert told["entries_unaffordable"] == asked_for(dear)(told["bars"])
