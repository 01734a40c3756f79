"""The seed's way of calling ThreadX: its import paths, its configuration, its results by name."""

import subprocess
import sys
from pathlib import Path

import pytest

import threadx
from backtest import Costs, StrategySpec, run_backtest
from nodes.errors import SettingError
from tests.laws import some
from tests.prices import made_up_prices
from tests.scripted import scripted_models
from threadx import Analyst, OptimizationOrchestrator, ThreadxError, Validator
from threadx.backtest.engine import BacktestEngine
from vault.ledger import Ledger

pytestmark = pytest.mark.long

SNIPPET = """
from threadx.llm.agents import Analyst, Strategist, Validator
from threadx.llm.orchestrator import OptimizationOrchestrator
from threadx.backtest.engine import BacktestEngine

config = {
    "max_iterations": 10,
    "convergence_threshold": 0.02,
    "target_score": 8.0,
    "models": {"analyst": "deepseek-r1:70b", "strategist": "gpt-oss:20b", "validator": "gemma3:27b"},
}
analyst = Analyst(model=config["models"]["analyst"])
strategist = Strategist(model=config["models"]["strategist"])
validator = Validator(model=config["models"]["validator"])
orchestrator = OptimizationOrchestrator(
    analyst=analyst, strategist=strategist, validator=validator, config=config
)
result = orchestrator.optimize(
    initial_strategy="MA_Crossover",
    initial_params={"fast_period": 5, "slow_period": 20, "stop_loss_pct": 2.0},
    data=df_ohlcv,
    symbol="BTCUSDT",
    timeframe="30m",
)
print(f"{result.iterations} itérations, {result.final_score}/10, {result.metrics['sharpe_ratio']:.2f}")
for change in result.applied_changes:
    print(f"  - {change['description']}")
orchestrator.plot_convergence()
orchestrator.show_debate_tree()
orchestrator.export_strategy_evolution()
"""


def test_the_seeds_snippet_runs_as_it_stands(monkeypatch, capsys):
    scripted_models(monkeypatch, {})
    names = {"df_ohlcv": made_up_prices(cycle=0.1, frequency="30min")}
    exec(compile(SNIPPET, "snippet", "exec"), names)
    told = capsys.readouterr().out.splitlines()
    result = names["result"]
    assert told[0].startswith(f"{result.iterations} itérations, {result.final_score}/10")
    assert told[1:] == [f"  - {change.description}" for change in result.applied_changes]
    assert result.applied_changes, "on these prices something is improved"
    asked = result.details["settings"]
    assert asked["analyst"] == ["deepseek-r1:70b", "rules"]
    assert asked["validator"] == ["gemma3:27b", "rules"]


def test_changes_and_figures_are_read_by_name(tmp_path):
    change = threadx.AppliedChange(
        iteration=1, description="d", kind="k", reason="r", score_before=1.0, score_after=2.0, change={}
    )
    assert [change[name] for name in ("iteration", "description", "score_after")] == [1, "d", 2.0]
    metrics = run_backtest(made_up_prices(300), StrategySpec.preset("ma_crossover")).metrics
    assert {name: metrics[name] for name in metrics.to_dict()} == metrics.to_dict()
    for thing in (change, metrics):
        with pytest.raises(KeyError, match="to_dict"):
            thing["to_dict"]


def test_models_of_the_configuration_are_those_of_roles_that_are_not_given():
    models = {"analyst": "rules", "validator": ["a:1", "rules"]}
    made = OptimizationOrchestrator(config={"models": models})
    assert (made.analyst.model, made.validator.model) == ("rules", ["a:1", "rules"])
    assert made.strategist.model == OptimizationOrchestrator().strategist.model
    without = OptimizationOrchestrator(validator=None, config={"models": models})
    assert without.validator is None


@pytest.mark.parametrize(
    ("roles", "models", "code"),
    [
        ({"analyst": Analyst("rules")}, {"analyst": "gpt-oss:20b"}, "models_differ"),
        ({"validator": Validator(["a:1"])}, {"validator": ["a:1", "rules"]}, "models_differ"),
        ({}, {"critic": "gpt-oss:20b"}, "unknown_role"),
    ],
)
def test_models_that_contradict_or_belong_to_nobody_are_refused(roles, models, code):
    with pytest.raises(ThreadxError) as caught:
        OptimizationOrchestrator(**roles, config={"models": models})
    assert caught.value.code == code


IMPORTS = [
    "import threadx",
    "import threadx.backtest.engine, threadx",
    "import threadx; from threadx.backtest.engine import run_backtest",
    "import threadx; from threadx import backtest; import threadx.backtest.engine",
    "import threadx.orchestrator, threadx",
]


@pytest.mark.parametrize("imports", some(IMPORTS, IMPORTS[1::2]))
def test_backtest_is_a_call_and_a_package_in_whatever_order_it_is_imported(imports, tmp_path):
    """In processes of their own: what is imported once stays imported."""
    code = f"""
{imports}
result = threadx.backtest("sample:sp500", params={{"fast_period": 5}}, home={str(tmp_path)!r})
print(result.metrics["n_trades"])
from threadx.backtest.engine import BacktestEngine
from threadx import backtest
assert backtest is threadx.backtest
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, encoding="utf-8"
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 10


def test_the_counted_backtest_sees_the_development_part_and_stands_in_the_ledger(tmp_path):
    prices = made_up_prices(600, cycle=0.05)
    spec = StrategySpec.preset("ma_crossover", fast_period=5)
    costs = Costs(fee_bps=10.0, slippage_bps=2.0)
    first = threadx.backtest(prices, "MA_Crossover", {"fast_period": 5}, symbol="A", home=tmp_path)
    pure = run_backtest(prices.iloc[: len(first.index)], spec, costs=costs)
    assert len(first.index) < 0.8 * len(prices)
    assert first.metrics == pure.metrics
    threadx.backtest(prices, spec, symbol="A", home=tmp_path)
    threadx.backtest(prices, params={"fast_period": 6}, symbol="A", home=tmp_path)
    assert trials(tmp_path) == 2, "the same strategy twice is one trial"
    whole = threadx.backtest(prices, spec, symbol="A", home=tmp_path, whole=True)
    assert len(whole.index) == len(prices)
    openings = (tmp_path / "datasets" / "holdout_openings.jsonl").read_text(encoding="utf-8")
    assert openings.count(spec.hash) == 1


def trials(home: Path) -> int:
    """Rows of the ledger, whatever they were counted for."""
    with Ledger(home)._open() as connection:
        return int(connection.execute("SELECT count(*) FROM trials").fetchone()[0])


def test_the_engine_class_is_the_pure_engine_with_its_terms(tmp_path):
    prices = made_up_prices(300)
    engine = BacktestEngine(initial_capital=500.0, costs=Costs(fee_bps=7.0), fill="close")
    spec = StrategySpec.preset("rsi_reversion", rsi_period=10)
    expected = run_backtest(prices, spec, Costs(fee_bps=7.0), fill="close", initial_capital=500.0)
    assert engine.run(prices, "rsi_reversion", {"rsi_period": 10}).metrics == expected.metrics
    assert engine.run(prices, spec).metrics == expected.metrics
    with pytest.raises(SettingError, match="params_beside_strategy"):
        engine.run(prices, spec, {"rsi_period": 10})
