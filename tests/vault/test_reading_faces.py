"""What the reader of prices assumes is told at every face, and its settings count at every door."""

import json

import numpy as np
import pandas as pd
import pytest

import threadx
from backtest import StrategySpec
from base.errors import TypedError
from record.record import RunRecord
from tests.price_writers import yahoo_frame
from tests.prices import made_up_prices
from threadx.command import main

PRICES = made_up_prices(rows=700, frequency="D", cycle=0.1).round(6)
RULES = {"analyst": ["rules"], "strategist": ["rules"], "validator": ["rules"]}


def french(path, prices=PRICES):
    times = prices.index.strftime("%d/%m/%Y")
    table = prices.set_axis(times, axis=0).rename_axis("Date").rename(columns={"close": "Clôture"})
    table.to_csv(path, sep=";", decimal=",", encoding="cp1252", float_format="%.6f")
    return path


def run(capsys, *arguments):
    """Exit code, output and errors of a command."""
    with pytest.raises(SystemExit) as left:
        main([str(one) for one in arguments])
    told = capsys.readouterr()
    return left.value.code, told.out, told.err


@pytest.mark.parametrize("command", ["backtest", "sweep"])
def test_commands_tell_and_write_it(tmp_path, capsys, command):
    path = french(tmp_path / "prix.csv")
    given = [command, path, "--home", tmp_path, "--language", "en"]
    given += ["--grid", "fast_period=3:6"] if command == "sweep" else []
    code, out, _ = run(capsys, *given)
    assert code == 0
    assert "Decimal comma" in out
    assert "day first" in out
    code, out, _ = run(capsys, *given, "--json", "-")
    told = json.loads(out)["reading"]
    assert [one["code"] for one in told["notices"]] == ["decimal_comma", "day_first"]
    assert told["options"]["decimal"] is None
    # A wrong word of the user's is not overridden by what the file looks like.
    assert run(capsys, *given, "--time-format", "%m/%d/%Y")[0] == 2
    assert run(capsys, *given, "--decimal", ".")[0] == 2


def test_a_run_keeps_it_in_its_record_and_repeats(tmp_path, capsys):
    path, home = french(tmp_path / "prix.csv"), tmp_path / "home"
    options = [*("--analyst", "rules"), *("--strategist", "rules"), *("--validator", "rules")]
    options += [*("--max-iterations", 1), *("--run", "r"), *("--home", home), *("--language", "en")]
    code, _, err = run(capsys, "optimize", path, *options, "--time-zone", "Europe/Paris")
    assert code == 0
    assert "Decimal comma" in err
    record = RunRecord(home, "r")
    read = record.log.find("i00.read")
    assert [one["code"] for one in read.data.notices] == ["decimal_comma", "day_first"]
    assert record.about()["input"]["reading"]["time_zone"] == "Europe/Paris"
    assert record.log.find("i00.load").data.dataset["zone"] == "Europe/Paris"
    replayed = threadx.replay("r", home=home)
    assert replayed.same, replayed.differences
    assert replayed.notices == ()


def test_python_takes_files_and_frames_of_any_layout(tmp_path):
    path = french(tmp_path / "prix.csv")
    found, source = threadx.read_prices(path, decimal=",", start="2024-06-01")
    np.testing.assert_array_equal(found.to_numpy(), PRICES.loc["2024-06-01":].to_numpy())
    assert [one.code for one in source.notices] == ["day_first"]
    frame = yahoo_frame(PRICES, tickers=("AAPL", "MSFT"))
    found, source = threadx.read_prices(frame, symbol="MSFT")
    assert source.symbol == "MSFT"
    np.testing.assert_array_equal(found["close"].to_numpy(), 2 * PRICES["close"].to_numpy())
    spec = StrategySpec(name="x", entry_long="close > open", exit_long="close < open")
    whole = threadx.backtest(frame, spec, symbol="MSFT", home=tmp_path)
    part = threadx.backtest(frame, spec, symbol="MSFT", home=tmp_path, start="2024-12-01")
    assert (part.equity.index == whole.equity.index[whole.equity.index >= "2024-12-01"]).all()
    outcome = threadx.optimize(
        frame, spec, symbol="MSFT", home=str(tmp_path), max_iterations=1, end="2025-10-01", **RULES
    )
    begun = RunRecord(tmp_path, outcome.run).log.find("i00.load").data.dataset
    assert (begun["symbol"], begun["last"][:10]) == ("MSFT", "2025-10-01")
    with pytest.raises(TypedError, match="decimal") as caught:
        threadx.read_prices(path, decimals=",")
    assert caught.value.code == "unknown_setting"


def test_prices_of_a_billionth_keep_their_digits(tmp_path, capsys):
    prices = PRICES.copy()
    prices.iloc[:, :4] *= 1e-9
    prices.to_parquet(tmp_path / "SHIB_1d.parquet")
    given = [
        "backtest",
        tmp_path / "SHIB_1d.parquet",
        "--home",
        tmp_path,
        "-p",
        "fast_period=3",
        "--json",
        "-",
    ]
    code, out, _ = run(capsys, *given)
    assert code == 0
    trades = json.loads(out)["trades"]
    opens = {time.isoformat(): price for time, price in prices["open"].items()}
    assert len(trades) > 3
    slippage = {trade["entry_price"] / opens[trade["entry_time"]] for trade in trades}
    assert max(slippage) - min(slippage) < 1e-12
    assert pd.Series([trade["entry_price"] for trade in trades]).nunique() > 3
