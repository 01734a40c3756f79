"""The final strategy on other instruments: on their development parts; nothing else of theirs is touched."""

import json

import numpy as np
import pytest

from backtest import Costs, StrategySpec, run_backtest
from backtest.statistics.returns import moments
from backtest.validation.trials import excess_returns
from nodes.errors import SettingError
from record.record import RunRecord
from tests.prices import made_up_prices
from threadx.command import main
from threadx.runner import make_input, start_run
from threadx.settings import make_context
from vault.datasets import Dataset, load_development, openings
from vault.ledger import Ledger

RULES = {
    "analyst": "rules",
    "strategist": "rules",
    "validator": "rules",
    "max_iterations": 1,
    "search": "single",
}
OPTIONS = ["--analyst", "rules", "--strategist", "rules", "--validator", "rules", "--language", "en"]


def files(folder, change=1.0):
    """(prices, two others); `change` moves the last fifth of the others only."""
    folder.mkdir(exist_ok=True)
    paths = []
    for name, seed, rows in (("OWN", 5, 700), ("ONE", 6, 700), ("TWO", 7, 500)):
        frame = made_up_prices(rows, frequency="1D", seed=seed, cycle=0.05)
        if name != "OWN":
            noise = np.linspace(1.0, change, rows // 5)[:, None]
            frame.iloc[-(rows // 5) :, :4] = frame.iloc[-(rows // 5) :, :4].to_numpy() * noise
        path = folder / f"{name}_1d.csv"
        frame.to_csv(path)
        paths.append(str(path))
    return paths


def run(folder, change=1.0):
    own, *others = files(folder, change)
    home = folder / "home"
    context = make_context(home=str(home), **RULES)
    start_run(make_input(data=own, run="r", other_data=others), context)
    return home, RunRecord(home, "r").result()


def finding(result):
    return next(one for one in result["stress"] if one["name"] == "other_symbols")


def test_others_count_by_their_development_part_alone(tmp_path):
    home, result = run(tmp_path / "a")
    begun = RunRecord(home, "r").log.find("i00.load").plain()["data"]
    datasets = [Dataset.model_validate(one) for one in begun["others"]]
    assert [one.symbol for one in datasets] == ["ONE", "TWO"]
    spec = StrategySpec.model_validate(result["champion"]["strategy"])
    ratios = []
    for one in datasets:
        prices = load_development(one, home)
        assert len(prices) == one.development_rows < 0.8 * (len(prices) + one.holdout_rows) + 1
        found = run_backtest(prices, spec, Costs(fee_bps=10, slippage_bps=2))
        ratios.append(moments(excess_returns(found, prices["close"])).sharpe * np.sqrt(365))
    told = finding(result)["fields"]
    assert told["symbols"] == 2
    assert told["positive"] == sum(ratio > 0 for ratio in ratios)
    assert told["median"] == pytest.approx(np.median(ratios), rel=1e-8)
    # Nobody has looked into their holdouts, and nothing was chosen among on them.
    for one in datasets:
        assert openings(one.family, home) == 0
        assert Ledger(home).snapshot(one.family).trials == 0
    _, changed = run(tmp_path / "b", change=3.0)
    assert finding(changed) == finding(result)


@pytest.mark.parametrize(
    ("other", "word"),
    [("missing.csv", "missing.csv"), ("OWN_1d.csv", "same prices"), ("bad.csv", "bad.csv")],
)
def test_a_file_that_will_not_do_is_one_line_before_anything_runs(tmp_path, capsys, other, word):
    own, one, _ = files(tmp_path)
    (tmp_path / "bad.csv").write_text("nothing,here\n1,2\n", encoding="utf-8")
    home = tmp_path / "home"
    with pytest.raises(SystemExit) as left:
        main(
            ["optimize", own, "--other", one, "--other", str(tmp_path / other), "--home", str(home), *OPTIONS]
        )
    assert left.value.code == 2
    error = capsys.readouterr().err
    assert len(error.strip().splitlines()) == 1
    assert word in error
    assert not (home / "runs").exists() or not list((home / "runs").iterdir())


def test_the_command_passes_them_on(tmp_path, capsys):
    own, one, two = files(tmp_path)
    shared = ["--max-iterations", "1", "--json", "-", "--home", str(tmp_path / "home"), *OPTIONS]
    with pytest.raises(SystemExit) as left:
        main(["optimize", own, "--other", one, "--other", two, *shared])
    assert left.value.code == 0
    assert finding(json.loads(capsys.readouterr().out))["fields"]["symbols"] == 2


def test_a_review_has_no_last_judgement_and_takes_no_others():
    with pytest.raises(SettingError, match="other_data"):
        make_input("review", other_data=["sample:nasdaq"])
