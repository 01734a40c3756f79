"""A lost account at the doors: command, sweep table and picture, report and page, in both languages.

Prices are written as people write them; nothing but the files and the command line goes in.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backtest import Costs, StrategySpec, sweep_to_parquet
from backtest.validation.stress import StressCase, stress_tests
from nodes.optimization.evidence.figures import trial_figures
from nodes.optimization.trials.judging import judged
from nodes.optimization.trials.trial import try_strategy
from prompts import Words
from reports.charts.sweep import sweep_cells, sweep_chart
from reports.explain import explain
from reports.html import to_html
from reports.tables import lost_lines
from tests.backtest.test_ruin import violent
from tests.laws import cases
from tests.optimization_runs import run_graph
from tests.run_lines import typed
from threadx.command import main
from threadx.web.narration import line

RULES = ("--analyst", "rules", "--strategist", "rules", "--validator", "rules", "--search", "single")
LOST = {"en": "account lost on 2022-02-06", "fr": "compte perdu le 2022-02-06"}


@pytest.fixture
def threadx(tmp_path, capsys):
    def call(*arguments: Any, language: str = "en"):
        with pytest.raises(SystemExit) as left:
            main([*map(str, arguments), "--home", str(tmp_path / "data"), "--language", language])
        told = capsys.readouterr()
        return left.value.code, told.out, told.err

    return call


def flat_bars(closes: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "date": pd.date_range("2022-01-01", periods=len(closes)).strftime("%Y-%m-%d"),
            **dict.fromkeys(("open", "high", "low", "close"), closes),
            "volume": 1.0,
        }
    )


@pytest.fixture
def rising(tmp_path):
    """2 % a day: a short at 100 % of bar 1 is lost at the first price above twice its own, of bar 36."""
    path = tmp_path / "UP_1d.csv"
    flat_bars(100.0 * 1.02 ** np.arange(600)).to_csv(path, index=False)
    return path


@pytest.mark.parametrize("language", ["fr", "en"])
def test_a_run_that_begins_with_a_lost_account_ends_well(tmp_path, threadx, rising, language):
    strategy = ("--entry-short", "close > 0")
    code, told, progress = threadx(
        "optimize", rising, *strategy, *RULES, "--max-iterations", 1, "--run", "r", language=language
    )
    assert code == 0
    flowing = " ".join(told.split())
    assert LOST[language] in flowing
    assert LOST[language].partition(" 2022")[0] in progress.lower()
    result = json.loads((tmp_path / "data" / "runs" / "r" / "result.json").read_text(encoding="utf-8"))
    initial = result["initial"]["development"]
    assert (initial["score"], initial["metrics"]["sharpe_ratio"]) == (0.0, None)
    # Sold at 102 less 2 bps of slippage; twice that, less 10 bps of fee at either end, is all there is.
    price = pytest.approx(2 * 102 * 0.9998 / 1.001, rel=1e-9)
    assert initial["account_lost"] == {"bar": 36, "time": "2022-02-06T00:00:00", "price": price}
    assert initial["walk_forward"]["account_lost"]["bar"] > 36
    # Whoever is resumed finds the same end.
    again, out, _ = threadx("runs", "resume", "r", "--json", "-", language=language)
    assert again == 0
    assert json.loads(out) == result
    report = next((tmp_path / "data" / "runs" / "r").glob("report.*"))
    assert LOST[language] in " ".join(report.read_text(encoding="utf-8").lower().split())


def test_variants_that_lose_the_account_are_rejected_with_the_reason(tmp_path):
    """A squeeze in every fold: whatever is short through one loses all, what stops out survives."""
    random = np.random.default_rng(3)
    steps = random.normal(-0.004, 0.01, 1_500)
    steps[60::115] = 0.9  # more than doubles within a bar
    steps[61::115] = -0.85
    close = 100.0 * np.exp(np.cumsum(steps))
    opening = np.concatenate([[100.0], close[:-1]])
    prices = pd.DataFrame(
        {
            "open": opening,
            "high": np.maximum(opening, close),
            "low": np.minimum(opening, close),
            "close": close,
            "volume": 1.0,
        },
        index=pd.date_range("2020-01-01", periods=1_500, freq="D", name="time"),
    )
    spec = StrategySpec(name="s", entry_short="close < sma(close, 5)", exit_short="close > sma(close, 5)")
    _, events = run_graph(tmp_path, prices=prices, given={"spec": spec.model_dump(mode="json"), "params": {}})
    events = typed(events)
    result = json.loads(next(tmp_path.glob("runs/*/result.json")).read_text(encoding="utf-8"))
    trials = [trial for entry in result["history"] for trial in entry["trials"]]
    lost = [trial for trial in trials if trial["account_lost"]]
    assert lost
    for trial in lost:
        assert (trial["outcome"], trial["score"]) == ("account_lost", 0.0)
    assert result["verdict"]["value"] in ("real", "promising", "unproven", "overfit")
    for language in ("fr", "en"):
        words = Words(language)
        assert lost_lines(result, words)
        page = to_html(explain(result, words, events=events))
        assert words("optimization.outcome.account_lost") in page.replace("&#x27;", "'")
        told = [line(event, words) for event in events if event.kind == "backtest"]
        assert any(
            one and words("report.account_lost.name").lower() in f"{one.title} {one.body}".lower()
            for one in told
        )


@settings(max_examples=cases(15), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 2**32),
    bars=st.integers(150, 400),
    reach=st.sampled_from([0.005, 0.02, 0.05]),
    wicks=st.sampled_from([0.0, 0.01]),
    leverage=st.sampled_from([1.0, 3.0, 9.0]),
)
def test_all_that_judges_a_strategy_takes_a_lost_account(
    seed: int, bars: int, reach: float, wicks: float, leverage: float
) -> None:
    """Stress tests, folds with a search, intervals, statistics, verdict: of anything, and as plain JSON."""
    spec = StrategySpec(
        name="both",
        params={"n": 5},
        entry_long="close > sma(close, n)",
        exit_long="close < sma(close, n)",
        entry_short="close < sma(close, n)",
        exit_short="close > sma(close, n)",
        sizing={"leverage": leverage},
    )
    costs = Costs(fee_bps=5, interest_pct_per_year=10, funding_bps_per_8h=1)
    prices = violent(seed, bars, reach, wicks, 0.3, {}, costs=costs, fill="next_open").prices
    prices = prices.assign(volume=1.0)
    case = StressCase.open(prices, spec, costs, generator=np.random.default_rng(0))
    tried = try_strategy(prices, spec, {"n": [3, 5, 9]}, costs, "next_open")
    told = trial_figures(tried.spec, tried.walk, tried.whole, prices["close"])
    found = judged(
        development=tried.whole,
        development_closes=prices["close"],
        holdout=case.result,
        holdout_closes=prices["close"],
        search={
            "trials": 5, "sharpe_variance": 0.01, "pbo": None, "familywise_p": None, "compared": 0,
            "independent_trials": None, "effective_trials": 2, "cluster_variance": 0.01,
            "data_snooping": None,
        },
        trial_sharpes=[0.1, 0.2],
        opening=1,
        findings=stress_tests(case),
        remembering=(),
        seed=0,
    )  # fmt: skip
    json.dumps([told, found], allow_nan=False)
    if tried.whole.account_lost or case.result.account_lost:
        assert found["verdict"]["value"] in ("unproven", "overfit")


@pytest.mark.parametrize(("language", "told"), [("fr", "perdent le compte"), ("en", "lose the account")])
@pytest.mark.parametrize("rank_by", ["volatility", "sharpe_ratio", "n_trades"])
def test_a_sweep_puts_lost_accounts_last_and_says_when(tmp_path, threadx, rising, rank_by, language, told):
    file = tmp_path / "all.parquet"
    code, out, _ = threadx(
        "sweep", rising, "--entry-short", "close > 0", "--grid", "equity_pct=20,100,50", "--grid",
        "stop_loss_pct=none,5", "--rank-by", rank_by, "--out", file, "--json", "-", language=language,
    )  # fmt: skip
    assert code == 0
    found = json.loads(out)
    ends = [row["account_lost"] for row in found["top"]]
    survivors = [row for row in found["top"] if row["account_lost"] is None]
    assert found["account_lost"] == len(ends) - len(survivors) > 0
    assert ends[: len(survivors)] == [None] * len(survivors)
    assert all(end.startswith("2022-0") for end in ends[len(survivors) :])
    code, out, _ = threadx(
        "sweep", rising, "--entry-short", "close > 0", "--grid", "equity_pct=20,100,50", "--grid",
        "stop_loss_pct=none,5", "--out", file, language=language,
    )  # fmt: skip
    assert told in out
    assert LOST[language] in out


def test_a_lost_account_is_no_best_cell_of_a_picture(tmp_path):
    prices = flat_bars(100.0 * 1.02 ** np.arange(200)).set_index(
        pd.date_range("2022-01-01", periods=200, name="time")
    )
    spec = StrategySpec(name="s", entry_short="close > 0")
    grid = {"equity_pct": [20.0, 100.0], "stop_loss_pct": [None, 5.0]}
    found = sweep_to_parquet(prices.drop(columns="date"), spec, grid, tmp_path / "all.parquet")
    cells = sweep_cells(found.path, grid, ["equity_pct", "stop_loss_pct"], "volatility")
    table = cells.table.set_index(["equity_pct", "stop_loss_pct"])["volatility"]
    assert np.isnan(table.loc[(100.0, np.nan)])
    assert table.notna().sum() >= 2
    sweep_chart(cells, Words("en"))
