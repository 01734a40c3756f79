"""Choose on one stretch of time and test on the next, fold by fold: what a sweep's best is worth.

python examples/walk_forward_test.py
"""

from backtest import Costs, StrategySpec, walk_forward
from threadx import read_prices

prices, _ = read_prices("sample:sp500")
tested = walk_forward(
    prices,
    StrategySpec.preset("rsi_reversion"),
    grid={"rsi_period": range(5, 31, 5), "stop_loss_pct": [None, 3.0, 6.0]},
    costs=Costs(fee_bps=10, slippage_bps=2),
    folds=5,
    plateau=True,
)

for number, fold in enumerate(tested.folds, start=1):
    chosen = f"rsi_period={fold.spec.params['rsi_period']}, stop_loss_pct={fold.spec.risk.stop_loss_pct}"
    trained, test = fold.train.sharpe_ratio, fold.test.metrics
    print(f"fold {number}: {chosen}; Sharpe ratio {trained:.2f} in training, {test.sharpe_ratio} in the test")
