"""The scorecard's made-up backtests: the engine bears out the fault of each, and what would mend it."""

import pytest

from backtest import run_backtest
from nodes.context import OptimizationContext
from nodes.optimization.changes import CHANGE
from nodes.optimization.trials.trial import tried
from threadx.scorecard.cases import CASES, GAIN
from threadx.scorecard.marking import Bench
from vault.datasets import load_development, register

BY_NAME = {case.name: case for case in CASES}
REMEDIES = {
    "tight_stop": {"kind": "risk_management", "parameter": "stop_loss_pct", "value": 3.0},
    "costs": {
        "kind": "replace_condition",
        "side": "long",
        "entry": "zscore(close, 20) < -1.5",
        "exit": "zscore(close, 20) > 0.5",
    },
    "wrong_side": {
        "kind": "replace_condition",
        "side": "long",
        "entry": "close > sma(close, 50)",
        "exit": "close < sma(close, 50)",
    },
    "ranges": {"kind": "add_filter", "side": "long", "condition": "adx(14) > 25"},
    "filter": {"kind": "add_filter", "side": "long", "condition": "close > sma(close, 100)"},
    "lucky": {"kind": "param_adjustment", "parameter": "period", "value": 20},
}
BESIDE_THE_POINT = {
    "tight_stop": {"kind": "risk_management", "parameter": "stop_loss_pct", "value": 0.2},
    "costs": {"kind": "risk_management", "parameter": "take_profit_pct", "value": 5.0},
    "wrong_side": {"kind": "add_filter", "side": "long", "condition": "close < sma(close, 100)"},
    "ranges": {"kind": "risk_management", "parameter": "stop_loss_pct", "value": 20.0},
    "filter": {"kind": "add_filter", "side": "long", "condition": "close < sma(close, 100)"},
    "lucky": {"kind": "risk_management", "parameter": "max_bars", "value": 500},
}


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    home = tmp_path_factory.mktemp("scorecard")
    known = {}

    def on(name):
        if name not in known:
            case = BY_NAME[name]
            dataset = register(case.prices(), symbol="MADE-UP", timeframe="1h", home=home)
            context = OptimizationContext(home=str(home))
            figures = tried(case.spec.model_dump(mode="json"), {}, dataset, context).figures
            known[name] = Bench(case, dataset, figures, context)
        return known[name]

    return on


def earned(bench, spec, **costs):
    prices = load_development(bench.dataset, bench.context.home_path)
    terms = bench.context.costs.model_copy(update=costs)
    return run_backtest(prices, spec, costs=terms, fill=bench.context.fill)


@pytest.mark.parametrize("name", BY_NAME)
def test_the_fault_can_be_mended_and_what_is_beside_the_point_does_not_mend_it(name, engine):
    bench = engine(name)
    mended = bench.made(CHANGE.validate_python(REMEDIES[name]))
    assert bench.case.aims(mended)
    assert bench.case.fits(mended)
    assert not bench.case.fits(bench.made(CHANGE.validate_python(BESIDE_THE_POINT[name])))


@pytest.mark.parametrize("name", sorted(BY_NAME.keys() - {"lucky"}))
def test_the_strategy_is_poor_and_the_remedy_is_no_small_gain(name, engine):
    bench = engine(name)
    assert bench.figures["score"] < 2.0
    assert bench.made(CHANGE.validate_python(REMEDIES[name])).gain > 2.0 * GAIN


def test_the_looser_the_stop_the_higher_the_score(engine):
    bench = engine("tight_stop")
    scores = [
        bench.made(CHANGE.validate_python({**REMEDIES["tight_stop"], "value": stop})).figures_after["score"]
        for stop in (1.0, 3.0)
    ]
    assert bench.figures["score"] < min(scores)
    stops = bench.figures["exits"]["stop"]
    assert stops["trades"] > 0.5 * bench.figures["metrics"]["n_trades"]


def test_without_costs_it_earns(engine):
    bench = engine("costs")
    assert earned(bench, bench.case.spec).metrics.total_return < -0.2
    assert earned(bench, bench.case.spec, fee_bps=0.0, slippage_bps=0.0).metrics.total_return > 0.2


def test_the_mirrored_side_earns(engine):
    bench = engine("wrong_side")
    spec = bench.case.spec
    mirrored = spec.evolve(
        entry_long=None, exit_long=None, entry_short=spec.entry_long, exit_short=spec.exit_long
    )
    assert earned(bench, spec).metrics.total_return < -0.2
    assert earned(bench, mirrored).metrics.total_return > 0.2


def test_it_trades_too_often_in_ranges(engine):
    bench = engine("ranges")
    fewer = bench.made(CHANGE.validate_python(REMEDIES["ranges"]))
    assert fewer.trades < 0.5


def test_its_losses_are_in_downtrends(engine):
    bench = engine("filter")
    prices = load_development(bench.dataset, bench.context.home_path)
    trades = earned(bench, bench.case.spec).trades
    down = (prices["close"] < prices["close"].rolling(100).mean()).loc[trades["entry_time"]].to_numpy()
    assert trades["pnl"][down].sum() < 0.0 < trades["pnl"][~down].sum()


def test_without_its_three_best_trades_it_loses(engine):
    trades = earned(engine("lucky"), BY_NAME["lucky"].spec).trades["pnl"].sort_values()
    assert len(trades) < 20
    assert trades[:-3].sum() < 0.0 < trades.sum()


def test_nothing_that_is_shown_tells_the_fault():
    assert {case.spec.name for case in CASES} == {"case"}
