"""Whether TPE finds more in large ranges than a grid of fewer values, at equal numbers of combinations.

    python -m benchmarks.ranges [--data FILE ...] [--seed 0]

For every preset that trades: all of its parameters and its stop over their whole bounds, twelve values each.
A grid of at most 96 combinations is tried whole, and as many as that has by TPE. Each line: the t-statistic
of the excess of what they settle on (development), the score of the walk-forward tests, the score on the
holdout, and processor seconds.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from backtest import Costs, StrategySpec
from backtest.validation.score import score, score_walk_forward
from backtest.validation.traded import backtest_of, closes_of
from backtest.validation.trials import trial
from backtest.validation.walk_forward import walk_forward
from benchmarks.ablation import Case, opened
from nodes.optimization.changes.base import SearchRange
from nodes.optimization.trials.trial import LEAST_TRADES, combinations, t_statistic, thinned
from vault.pools import development_of, holdout_of

STOP = "stop_loss_pct"


def ranges_of(spec: StrategySpec) -> dict[str, list[float]]:
    """Everything that a strategist may let be searched at once."""
    bounds = spec.bounds()
    return {
        name: list(SearchRange(low=bounds[name].low, high=bounds[name].high).values(name, bounds[name]))
        for name in (*spec.params, STOP)
    }


def found(case: Case, spec: StrategySpec, seed: int) -> list[tuple[float, float, float, float]]:
    """(excess t, walk-forward score, holdout score, processor seconds) of the thinned grid, and of TPE."""
    costs = Costs(fee_bps=10, slippage_bps=2)
    prices = development_of(case.dataset, case.home)
    grid = ranges_of(spec)
    fewer = thinned(grid)
    told = []
    for values in (fewer, grid):
        begun = time.process_time()
        walk = walk_forward(
            prices,
            spec,
            values,
            costs=costs,
            plateau=True,
            least_trades=LEAST_TRADES,
            settle=True,
            most=combinations(fewer),
            seed=seed,
        )
        spent = time.process_time() - begun
        whole = backtest_of(prices, walk.spec, costs, "next_open")
        frames, starts = holdout_of(case.dataset, case.home, reader="ranges")
        held = backtest_of(frames, walk.spec, costs, "next_open", trade_from=starts)
        told.append(
            (
                t_statistic(trial(whole, closes_of(prices))),
                score_walk_forward(walk, whole, closes_of(prices)).value,
                score(held, closes_of(frames)).value,
                spent,
            )
        )
    return told


def main() -> None:
    """Every preset on every market, a line each, and what came of all."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", nargs="+", default=["sample:sp500", "sample:nasdaq"])
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    names = [name for name in StrategySpec.preset_names() if StrategySpec.preset(name).params]
    pairs = []
    for data in options.data:
        with tempfile.TemporaryDirectory() as folder:
            case = opened([data], Path(folder), 0)
            for name in names:
                thin, tpe = found(case, StrategySpec.preset(name), options.seed)
                pairs.append((thin, tpe))
                print(f"{case.name} {name}: grid {thin}, TPE {tpe}", flush=True)
    for place, told in enumerate(("excess t", "walk-forward score", "holdout score", "processor seconds")):
        both = [(thin[place], tpe[place]) for thin, tpe in pairs]
        more = sum(tpe > thin for thin, tpe in both)
        means = [statistics.mean(one) for one in zip(*both, strict=True)]
        print(f"{told}: grid {means[0]:.3f}, TPE {means[1]:.3f}; TPE more in {more} of {len(both)}")


if __name__ == "__main__":
    main()
