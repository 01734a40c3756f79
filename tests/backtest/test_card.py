"""The kernel of a graphics card: the source of the processor's, run here by numba's simulator of CUDA."""

import os
import pickle
import subprocess
import sys
import warnings

import numpy as np
import pytest

from backtest import Costs, Engine, StrategySpec, sweep
from backtest.engine import engines
from backtest.engine.batch import Batch
from backtest.engine.executor import HERE, Here
from backtest.engine.run import open_market
from backtest.engine.sweep import grid_axes
from backtest.kernels.simulation import TRADE_COLUMNS, trade_many
from tests.prices import made_up_prices

SIMULATED = """
import pickle, sys, warnings
warnings.simplefilter("ignore")  # what has no number in Python is no number on a card
from backtest.kernels.device import Card
with open(sys.argv[1], "rb") as file:
    given = pickle.load(file)
Card().trade_many(*given)
with open(sys.argv[1], "wb") as file:
    pickle.dump(given[-3:], file)
"""
BOTH = StrategySpec(
    name="both",
    params={"n": 5},
    entry_long="crosses_above(close, sma(close, n))",
    exit_long="crosses_below(close, sma(close, n))",
    entry_short="crosses_below(close, sma(close, n))",
    exit_short="crosses_above(close, sma(close, n))",
    risk={"stop_loss_pct": 2.0, "take_profit_atr": 3.0},
)
GRID = {
    "n": [3, 8],
    "trailing_stop_pct": [None, 1.5],
    "risk_per_trade_pct": [None, 1.0],
    "side": ["long", "both"],
}
COSTS = Costs(fee_bps=5, slippage_bps=1, borrow_bps_per_bar=0.5)


class Recorder:
    """Stands in the place of a card: keeps what one is asked, and has the processor answer."""

    def __init__(self):
        self.asked = []

    def trade_many(self, history, words, rows, estimates, table, terms, out, settled, none):
        trades = np.full((len(rows), len(history.bars.close), TRADE_COLUMNS), np.nan)
        for at in range(len(rows)):
            one = slice(at, at + 1)
            own = estimates._replace(
                atr_rows=estimates.atr_rows[one], volatility_rows=estimates.volatility_rows[one]
            )
            trade_many(history, words, rows[one], own, table[one], terms, out[one], settled[one], trades[at])
        blank = np.full_like(out, -1.0), np.zeros_like(settled), np.full_like(trades, np.nan)
        self.asked.append(((history, words, rows, estimates, table, terms, *blank), (out, settled, trades)))


def test_trades_and_figures_are_those_of_the_processor(tmp_path):
    recorder, prices = Recorder(), made_up_prices(200, cycle=0.05)
    batch = Batch(open_market(prices, COSTS, "next_open", None, 10_000.0, None), BOTH, grid_axes(BOTH, GRID))
    ((_, chunk),) = batch.chunks(Here(recorder))
    ((given, (figures, settled, trades)),) = recorder.asked
    assert len(chunk.metrics) == 16
    assert np.isfinite(trades[:, 2, 0]).all()  # every configuration trades
    path = tmp_path / "asked"
    path.write_bytes(pickle.dumps(given))
    simulated = {**os.environ, "NUMBA_ENABLE_CUDASIM": "1", "NUMBA_DISABLE_JIT": "1"}
    subprocess.run([sys.executable, "-c", SIMULATED, str(path)], env=simulated, check=True)
    there = pickle.loads(path.read_bytes())
    np.testing.assert_array_equal(there[2], trades)
    np.testing.assert_array_equal(there[1], settled)
    np.testing.assert_allclose(there[0], figures, rtol=1e-12, atol=0)  # powers differ in their last bit


def test_without_a_card_the_processor_does_the_work_and_says_so(monkeypatch):
    monkeypatch.setattr(engines, "find_spec", lambda name: object())
    monkeypatch.setattr("backtest.kernels.device.there", lambda: False)
    with pytest.warns(RuntimeWarning, match="NVIDIA"):
        assert engines.executor(Engine("cuda")) is HERE
    with warnings.catch_warnings(action="ignore", category=RuntimeWarning):
        found = sweep(made_up_prices(200), BOTH, {"n": [3, 8]}, engine=Engine("cuda"))
    assert len(found) == 2


def test_a_library_that_is_missing_is_named(monkeypatch):
    for kind, package in (("cuda", "numba_cuda"), ("dask", "distributed")):
        monkeypatch.setattr(engines, "find_spec", {}.get)
        with pytest.raises(engines.RequestError) as caught:
            engines.executor(Engine(kind, "tcp://there:1" if kind == "dask" else None))
        assert (caught.value.code, caught.value.fields["package"]) == ("engine_library", package)
