"""Backtest one strategy on packaged daily prices of the S&P 500, and compare it with buy and hold.

python examples/backtest_a_strategy.py
"""

from backtest import Costs, StrategySpec, run_backtest
from threadx import read_prices

prices, _ = read_prices("sample:sp500")
strategy = StrategySpec(
    name="dip",
    params={"n": 10},
    entry_long="close < lowest(low, n)[1] and close > sma(close, 200)",
    exit_long="close > sma(close, n)",
    risk={"stop_loss_pct": 5.0},
)
result = run_backtest(prices, strategy, costs=Costs(fee_bps=10, slippage_bps=2))

print(strategy)
print(f"Sharpe ratio {result.metrics.sharpe_ratio:.2f}, maximum drawdown {result.metrics.max_drawdown:.1%}")
print(
    f"total return {result.metrics.total_return:.1%}, in the market {result.metrics.exposure:.0%} of the time"
)
print(f"buy and hold {prices['close'].iloc[-1] / prices['close'].iloc[0] - 1:.1%}")
print(result.trades.groupby("exit_reason")["return"].agg(["count", "mean"]))
