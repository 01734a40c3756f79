"""The roles without a model: diverse, untiring, never repeating, and able to find what is there."""

import numpy as np
import pandas as pd
import pytest

from backtest import Costs, StrategySpec, run_backtest
from nodes.context import OptimizationContext
from nodes.optimization.trials.trial import p_value, tried
from tests.laws import cases
from tests.optimization_runs import ALL_RULES, run_graph
from tests.prices import made_up_prices
from vault.datasets import register
from vault.synthetic.edges import planted_prices


def of_kind(events, kind):
    return [event for event in events if event["kind"] == kind]


def test_every_iteration_brings_different_kinds_and_nothing_twice(tmp_path):
    last = min(cases(5), 8)
    state, events = run_graph(tmp_path, max_iterations=last, patience=20, use_debate=False)
    seen = {state["baseline"]["hash"]}
    for iteration in range(1, last + 1):
        made = [e["data"] for e in of_kind(events, "proposal") if e["iteration"] == iteration]
        assert len(made) >= 3
        assert len({proposal["change"]["kind"] for proposal in made}) >= 3
        assert all(proposal["hypothesis"] for proposal in made), "each answers a hypothesis"
        hashes = {proposal["hash"] for proposal in made}
        assert len(hashes) == len(made)
        assert not hashes & seen
        seen |= hashes
    assert not [refused for e in of_kind(events, "answer") for refused in e["data"].get("refused", [])]


def weekly(rows=2500, seed=5):
    """Daily prices that rise on Wednesdays and drift nowhere else."""
    random = np.random.default_rng(seed)
    index = pd.date_range("2015-01-01", periods=rows, freq="D", name="time")
    steps = random.normal(0.0, 0.008, rows) + np.where(index.day_of_week == 2, 0.006, -0.001)
    close = 100.0 * np.exp(np.cumsum(steps))
    opened = np.concatenate([[100.0], close[:-1]])
    high, low = np.maximum(opened, close) * 1.001, np.minimum(opened, close) * 0.999
    columns = {"open": opened, "high": high, "low": low, "close": close, "volume": np.full(rows, 100.0)}
    return pd.DataFrame(columns, index=index)


def momentum(rows=2500, seed=6):
    """Daily prices whose moves go on."""
    random = np.random.default_rng(seed)
    shocks = random.normal(0.0, 0.01, rows)
    drift = np.zeros(rows)
    for bar in range(1, rows):
        drift[bar] = 0.97 * drift[bar - 1] + random.normal(0.0, 0.0007)
    close = 100.0 * np.exp(np.cumsum(shocks * 0.6 + drift))
    opened = np.concatenate([[100.0], close[:-1]])
    high, low = np.maximum(opened, close) * 1.001, np.minimum(opened, close) * 0.999
    columns = {"open": opened, "high": high, "low": low, "close": close, "volume": np.full(rows, 100.0)}
    index = pd.date_range("2015-01-01", periods=rows, freq="D", name="time")
    return pd.DataFrame(columns, index=index)


@pytest.mark.parametrize(
    ("prices", "strategy"),
    [
        pytest.param(weekly(), "ma_crossover", id="by the calendar"),
        pytest.param(momentum(), "rsi_reversion", id="momentum"),
    ],
)
def test_a_planted_edge_is_found_and_holds_afterwards(tmp_path, prices, strategy):
    given = {"strategy": strategy, "params": {}}
    state, _ = run_graph(tmp_path, prices=prices, max_iterations=6, patience=6, use_debate=False, given=given)
    result = state["result"]
    assert result["applied_changes"]
    before, after = result["initial"]["holdout"]["metrics"], result["holdout_metrics"]
    assert after["sharpe_ratio"] > max(0.8, before["sharpe_ratio"] + 0.5)


def test_where_the_market_goes_nowhere_an_edge_is_traded_on_both_sides(tmp_path):
    """Prices that come back from above as well as from below: whoever only buys leaves half of it."""
    generator = np.random.default_rng([1, 283])
    planted = planted_prices("reversion", 3.0, 1260, generator, Costs(fee_bps=10, slippage_bps=2))
    assert planted.rule.entry_short is not None
    given = {"strategy": "buy_and_hold", "params": {}}
    state, _ = run_graph(tmp_path, prices=planted.prices, max_iterations=3, given=given)
    champion = state["result"]["champion"]["strategy"]
    assert champion["entry_long"] is not None
    assert champion["entry_short"] is not None


def test_noise_seldom_gets_anything_adopted(tmp_path):
    """The error allowed is one iteration in five; of 8 independent iterations more than 4 is 1 in 100."""
    adopted = 0
    for seed in range(4):
        state, _ = run_graph(
            tmp_path / str(seed),
            prices=made_up_prices(1500, seed=100 + seed),
            given={"strategy": "buy_and_hold", "params": {}},
            max_iterations=2,
            patience=9,
            use_debate=False,
            fee_bps=0.0,
            slippage_bps=0.0,
        )
        adopted += len(state["result"]["applied_changes"])
    assert adopted <= 4


def test_a_better_variant_is_told_from_an_equal_one(tmp_path):
    """The paired bootstrap sees costs that are saved, and sees nothing where half as much is traded."""
    dataset = register(made_up_prices(2000, seed=2), symbol="T", timeframe="1h", home=tmp_path)
    context = OptimizationContext(home=str(tmp_path), **ALL_RULES)
    fast = StrategySpec.preset("ma_crossover", fast_period=2, slow_period=5)
    half = fast.evolve(sizing={"equity_pct": 50.0})
    slow = StrategySpec.preset("ma_crossover", fast_period=2, slow_period=100)
    first, second, third = (
        tried(one.model_dump(mode="json"), {}, dataset, context) for one in (fast, half, slow)
    )
    assert p_value(third, first, 0) < 0.05
    assert p_value(second, first, 0) > 0.05
    assert p_value(first, first, 0) > 0.5, "a strategy is no better than itself"


def test_a_rising_market_is_no_lead_over_a_single_champion(tmp_path):
    """Four days of a rising week beside one earn more for their risk, and add as little to holding."""
    rising = made_up_prices(1500, seed=5, drift=0.004, frequency="1D")
    dataset = register(rising, symbol="T", timeframe="1d", home=tmp_path)
    context = OptimizationContext(home=str(tmp_path), **ALL_RULES, fee_bps=0.0, slippage_bps=0.0)
    often, seldom = (
        tried(
            StrategySpec(name="days", entry_long=days, exit_long=f"not ({days})").model_dump(mode="json"),
            {},
            dataset,
            context,
        )
        for days in ("weekday != 2", "weekday == 2")
    )
    assert p_value(often, seldom, 0, "sharpe") < 0.05
    assert p_value(often, seldom, 0, "skill") > 0.2


def test_searched_values_are_refitted_in_every_fold(tmp_path):
    dataset = register(made_up_prices(2000, cycle=0.05), symbol="T", timeframe="1h", home=tmp_path)
    context = OptimizationContext(home=str(tmp_path), **ALL_RULES)
    spec = StrategySpec.preset("ma_crossover")
    found = tried(spec.model_dump(mode="json"), {"slow_period": [10, 20, 40, 80]}, dataset, context)
    walk = found.figures["walk_forward"]
    assert walk["configurations"] == 4
    assert found.spec.params["slow_period"] in (10, 20, 40, 80)
    whole = run_backtest(
        made_up_prices(2000, cycle=0.05).iloc[: dataset.development_rows],
        found.spec,
        costs=Costs(fee_bps=10, slippage_bps=2),
    )
    assert found.figures["metrics"]["sharpe_ratio"] == pytest.approx(whole.metrics.sharpe_ratio, rel=1e-9)


def test_results_stream_one_by_one_with_their_figures(tmp_path):
    _, events = run_graph(tmp_path, max_iterations=1, use_debate=False)
    tested = [e for e in events if e["kind"] == "backtest" and e["node"] == "backtest_variant"]
    select = next(place for place, e in enumerate(events) if e["id"] == "i01.select")
    assert len(tested) >= 3
    for event in tested:
        assert events.index(event) < select
        assert event["data"]["figures"]["walk_forward"]["metrics"]["n_trades"] is not None
        assert event["data"]["p_value"] is None or 0 < event["data"]["p_value"] <= 1
