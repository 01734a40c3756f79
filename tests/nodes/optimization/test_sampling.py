"""Grids too large to be tried whole: what TPE finds, and that no fold sees its own test."""

import numpy as np
import pytest

from backtest import Costs, StrategySpec
from backtest.validation.sampling import sampled
from backtest.validation.walk_forward import walk_forward
from nodes.context import OptimizationContext
from nodes.optimization.trials import trial
from nodes.optimization.trials.trial import MOST_CONFIGURATIONS, searched, thinned, tried
from tests.optimization_runs import ALL_RULES, run_graph
from tests.prices import made_up_prices
from threadx.audit.checking import check_run
from threadx.audit.replaying import replay_run
from vault.datasets import register

SIZES = (12, 12, 12)
SPEC = StrategySpec.preset("rsi_reversion")
GRID = {
    "rsi_period": [2, 3, 4, 5, 7, 9, 11, 14, 18, 22, 26, 30],
    "oversold": [10, 15, 20, 25, 30, 35, 40],
    "overbought": [55, 60, 65, 70, 75, 80, 85],
}


def hill(top):
    """A smooth surface over the places of the grid, its top at one of them."""

    def score(places):
        return -(((np.stack(places, axis=-1) - np.array(top)) / 12.0) ** 2).sum(axis=-1)

    return score


@pytest.mark.parametrize("top", [(3, 8, 5), (9, 1, 3), (5, 5, 9)])
def test_tpe_finds_a_better_place_between_those_of_a_thinned_grid(top):
    score = hill(top)
    axes = [[float(value) for value in range(size)] for size in SIZES]
    few = thinned(dict(zip("abc", axes, strict=True)))
    grid = max(
        score(place)
        for place in np.ndindex(*SIZES)
        if all(np.array(place)[i] in few["abc"[i]] for i in range(3))
    )
    count = len(few["a"]) * len(few["b"]) * len(few["c"])
    found, _ = sampled(SIZES, count, 1, lambda batch: score(np.unravel_index(batch, SIZES))[None], seed=7)
    assert len(set(found.tolist())) == count
    assert score(np.unravel_index(found, SIZES)).max() > grid


def test_the_same_seed_asks_for_the_same_and_another_for_others():
    def scores(batch):
        return np.stack([hill(top)(np.unravel_index(batch, SIZES)) for top in ((3, 8, 5), (9, 1, 3))])

    first, again, other = (sampled(SIZES, 40, 2, scores, seed=seed)[0].tolist() for seed in (1, 1, 2))
    assert first == again != other


def test_no_fold_chooses_by_what_comes_after_its_training():
    """Other prices behind the third fold's test change nothing of what the first three have chosen."""
    prices = made_up_prices(rows=900, cycle=0.05)
    other = prices.copy()
    late = slice(600, None)
    columns = ["open", "high", "low", "close"]
    other.iloc[late, :4] = prices[columns].iloc[late].to_numpy() * np.linspace(1.0, 2.0, 300)[:, None]

    def folds(frame):
        found = walk_forward(
            frame, SPEC, GRID, Costs(fee_bps=5), plateau=True, settle=True, most=48, seed=3, workers=1
        )
        assert found.configurations == 48
        return [(one.spec.params, one.fold.test_stop) for one in found.folds]

    before, after = folds(prices), folds(other)
    seen = sum(stop <= 600 for _, stop in before)
    assert seen >= 3
    assert before[:seen] == after[:seen]
    assert before != after


def test_every_combination_that_is_tried_is_counted(tmp_path):
    dataset = register(made_up_prices(900, cycle=0.05), symbol="T", timeframe="1h", home=tmp_path)
    context = OptimizationContext(home=str(tmp_path), **ALL_RULES)
    grid = searched(GRID, None, "sampled")
    found = tried(SPEC.model_dump(mode="json"), grid, dataset, context)
    assert found.figures["walk_forward"]["configurations"] == MOST_CONFIGURATIONS
    assert len({one.spec_hash for one in found.looked_at[1:]}) == MOST_CONFIGURATIONS
    assert found.spec.hash in {one.spec_hash for one in found.looked_at[1:]}
    assert found.looked_at[0].spec_hash == found.spec.hash


def test_a_run_tells_what_was_sampled_and_comes_again(tmp_path, monkeypatch):
    monkeypatch.setattr(trial, "MOST_CONFIGURATIONS", 20)
    state, _ = run_graph(tmp_path, ranges="sampled", max_iterations=1, language="en", use_debate=False)
    (told,) = [one for one in state["history"][0]["trials"] if one["backtests"] == 20]
    assert told["sentence"].endswith("; of 56 combinations TPE tried 20")
    assert told["sentence"] in (tmp_path / "runs" / state["run_id"] / "report.md").read_text(encoding="utf-8")
    assert check_run(state["run_id"], tmp_path).agrees
    assert replay_run(state["run_id"], tmp_path).same


def test_a_small_allowance_takes_fewer_values():
    assert searched(GRID, 20, "sampled") == thinned(GRID, 20)
    assert searched(GRID, None, "thinned") == thinned(GRID)
