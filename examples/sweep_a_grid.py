"""Sweep 16,000 configurations of a moving-average crossover in about a second, and look at the best plateau.

python examples/sweep_a_grid.py
"""

from backtest import Costs, StrategySpec, sweep
from threadx import read_prices

prices, _ = read_prices("sample:nasdaq")
crossover = StrategySpec.preset("ma_crossover")
table = sweep(
    prices,
    crossover,
    grid={
        "fast_period": range(2, 61),
        "slow_period": range(20, 401, 5),
        "stop_loss_pct": [None, 2.0, 5.0, 10.0],
    },
    costs=Costs(fee_bps=10, slippage_bps=2),
)
columns = ["fast_period", "slow_period", "stop_loss_pct", "sharpe_ratio", "max_drawdown", "n_trades"]
best = table.sort_values("sharpe_ratio", ascending=False).head(10)

print(f"{len(table):,} configurations")
print(best[columns].to_string(index=False))
print("Best of many is luck first: see examples/walk_forward_test.py")
