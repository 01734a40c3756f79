"""A whole run over a file with outages, filled: nothing is traded in them, whichever part of it trades."""

from __future__ import annotations

import sys
from collections import Counter

import numpy as np
import pytest

from backtest.engine.run import Market
from backtest.kernels.simulation import END_OF_DATA, ENTRY_BAR, EXIT_BAR, REASON
from tests.prices import made_up_prices
from threadx.command import main

RULES = ("--analyst", "rules", "--strategist", "rules", "--validator", "rules", "--search", "single")
# The functions that trade: baseline and variants by walk-forward and as a whole, then the last judgement.
PARTS = {
    "walk_forward",
    "try_strategy",
    "combinatorial_cross_validation",
    "meet_holdout",
    "held_out",
    "costs",
}


def test_a_run_over_outages_fills_nothing_in_them(tmp_path, monkeypatch):
    random = np.random.default_rng(3)
    whole = made_up_prices(1_200, frequency="1h", seed=5, cycle=0.05)
    begins = random.choice(np.arange(20, 1_190), 60, replace=False)
    lost = np.unique(
        [begin + k for begin in begins for k in range(random.integers(1, 7)) if begin + k < 1_199]
    )
    traded = whole.drop(whole.index[lost])
    path = tmp_path / "OUTAGES_1h.csv"
    traded.to_csv(path)
    real, known = Market.simulate, traded.index.tz_localize(None)
    met: Counter[str] = Counter()

    def simulate(self, signals, risk, sizing, equity, trades, *wanted):
        count, settled = real(self, signals, risk, sizing, equity, trades, *wanted)
        made_up = ~self.index.tz_localize(None).isin(known)
        assert np.isnan(self.traded.open[made_up]).all()  # no part has lost the marks
        rows = trades[:count]
        assert not made_up[rows[:, ENTRY_BAR].astype(int)].any()
        # Where the data of a part end, what is open is told at the last close.
        closed = rows[rows[:, REASON] != END_OF_DATA]
        assert not made_up[closed[:, EXIT_BAR].astype(int)].any()
        frame = sys._getframe(1)
        callers = set()
        while frame and len(callers) < 8:
            callers.add(frame.f_code.co_name)
            frame = frame.f_back
        for part in PARTS & callers:
            met[part] += int(made_up.any()) * count
        met["carried"] += sum(int(made_up[int(row[ENTRY_BAR]) : int(row[EXIT_BAR])].any()) for row in rows)
        return count, settled

    monkeypatch.setattr(Market, "simulate", simulate)
    with pytest.raises(SystemExit) as left:
        main(
            ["optimize", str(path), "--gaps", "fill", *RULES, "--max-iterations", "1", "--run", "r",
             "--home", str(tmp_path / "data"), "--language", "en"]
        )  # fmt: skip
    assert left.value.code == 0
    assert {part for part, trades in met.items() if trades} >= PARTS
    assert met["carried"] > 20
