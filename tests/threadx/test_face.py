"""The Python face: optimize, the orchestrator, and what they give back."""

import json

import pytest

import threadx
from backtest import BacktestError, StrategySpec
from nodes.errors import SettingError
from tests.prices import made_up_prices
from tests.scripted import scripted_models
from threadx import Analyst, OptimizationOrchestrator, Strategist, Validator
from threadx.settings import chain

RULES = {"analyst": "rules", "strategist": "rules", "validator": "rules", "max_iterations": 1}
PARAMS = {"fast_period": 5, "slow_period": 20, "stop_loss_pct": 2.0}


@pytest.fixture(scope="module")
def df():
    return made_up_prices(cycle=0.05)


def test_the_orchestrator_runs_the_shape_that_notebooks_use(tmp_path, monkeypatch):
    scripted_models(monkeypatch, {})
    orchestrator = OptimizationOrchestrator(
        analyst=Analyst(model="deepseek-r1:70b"),
        strategist=Strategist(model="gpt-oss:20b"),
        validator=Validator(model="gemma3:27b"),
        config={
            "max_iterations": 3,
            "convergence_threshold": 0.02,
            "target_score": 8.0,
            "home": str(tmp_path),
        },
    )
    result = orchestrator.optimize(
        initial_strategy="MA_Crossover",
        initial_params=PARAMS,
        data=made_up_prices(cycle=0.05, frequency="30min"),
        symbol="BTCUSDT",
        timeframe="30m",
    )
    assert 1 <= result.iterations <= 3
    assert 0.0 <= result.initial_score <= result.final_score <= 10.0
    assert isinstance(result.metrics["sharpe_ratio"], float)
    assert result.metrics != result.holdout_metrics
    assert all(change.description for change in result.applied_changes)
    assert result.degraded, "no model is there: rules stood in, and the result says so"
    assert result.details["dataset"]["symbol"] == "BTCUSDT"
    assert json.loads(result.to_json()) == result.details


def test_without_a_validator_nobody_validates(tmp_path, df):
    result = OptimizationOrchestrator(
        analyst=Analyst("rules"),
        strategist=Strategist("rules"),
        validator=None,
        config={"home": str(tmp_path), "max_iterations": 1},
    ).optimize("ma_crossover", PARAMS, df)
    assert set(result.details["brains"]) == {"analyst", "strategist"}


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("rules", ("rules",)),
        ("gpt-oss:20b", ("gpt-oss:20b", "rules")),
        (("gpt-oss:20b",), ("gpt-oss:20b",)),
        (["a", "b", "rules"], ("a", "b", "rules")),
    ],
)
def test_one_model_is_backed_by_rules_and_several_are_taken_as_given(model, expected):
    assert chain(model) == expected


def test_a_strategy_of_ones_own_is_optimised(tmp_path, df):
    own = StrategySpec(
        name="dip",
        params={"n": 5},
        entry_long="close < lowest(low, n)[1]",
        exit_long="close > sma(close, n)",
        risk={"stop_loss_pct": 2.0},
    )
    result = threadx.optimize(df, strategy=own, home=str(tmp_path), **RULES)
    assert result.details["initial"]["strategy"]["entry_long"] == own.entry_long
    assert result.details["dataset"]["timeframe"] == "1h", "measured on the index"


def test_a_watcher_sees_every_event_as_it_is_logged(tmp_path, df):
    seen = []
    result = threadx.optimize(df, params=PARAMS, home=str(tmp_path), watch=seen.append, **RULES)
    logged = (result.folder / "events.jsonl").read_text(encoding="utf-8").splitlines()
    assert sorted(event["id"] for event in seen) == sorted(json.loads(line)["id"] for line in logged)


def test_later_runs_keep_the_boundary_when_the_file_grows(tmp_path, df):
    first = threadx.optimize(df.iloc[:1200], symbol="A", home=str(tmp_path), **RULES)
    second = threadx.optimize(df, symbol="A", home=str(tmp_path), **RULES)
    assert first.details["dataset"]["boundary"] == second.details["dataset"]["boundary"]
    assert first.metrics == second.metrics, "the same development data give the same run"
    assert second.details["dataset"]["holdout_rows"] == first.details["dataset"]["holdout_rows"] + 300


@pytest.mark.parametrize(
    ("settings", "code", "help"),
    [
        ({"max_iteration": 3}, "unknown_setting", "max_iterations"),
        ({"max_iterations": 0}, "bad_setting", "au moins 1"),
        ({"language": "de"}, "bad_setting", "'fr', 'en'"),
    ],
)
def test_a_wrong_setting_is_named_with_what_would_do(tmp_path, df, settings, code, help):
    with pytest.raises(SettingError) as caught:
        threadx.optimize(df, home=str(tmp_path), **settings)
    assert caught.value.code == code
    assert caught.value.fields["name"] in settings
    assert help in str(caught.value)


def test_a_role_is_no_setting_of_the_orchestrator():
    with pytest.raises(SettingError) as caught:
        OptimizationOrchestrator(config={"analyst": "rules"})
    assert caught.value.code == "unknown_setting"


def test_bad_parameters_are_the_engines_own_error(tmp_path, df):
    with pytest.raises(BacktestError) as caught:
        threadx.optimize(df, params={"fast_period": 30, "slow_period": 20}, home=str(tmp_path), **RULES)
    assert caught.value.code == "parameter_order"


def test_summarize_publishes_and_says_what_it_stands_on(tmp_path):
    agents = dict.fromkeys(("technical", "macro", "sentiment", "quality", "arbiter"), "rules")
    steps = []
    result = threadx.summarize(data="sample", home=str(tmp_path), watch=steps.append, **agents)
    assert result.status == "finished"
    assert json.loads(result.path.read_text(encoding="utf-8"))["regime"] == result.summary["regime"]
    assert steps[0] == "gather"
    assert steps[-1] == "publish"


def test_a_timeframe_or_gaps_that_do_not_fit_are_refused(tmp_path, df):
    with pytest.raises(BacktestError, match="timeframe_contradicts"):
        threadx.optimize(df, timeframe="30m", home=str(tmp_path), **RULES)
    with pytest.raises(BacktestError, match="gaps_refused"):
        threadx.optimize(df.drop(df.index[100]), gaps="refuse", home=str(tmp_path), **RULES)
    assert not list(tmp_path.iterdir())
