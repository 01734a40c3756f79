"""The numeric engine: strategy language, indicators, simulation, metrics. No model, no network.

from backtest import Costs, StrategySpec, run_backtest
spec = StrategySpec.preset("ma_crossover", fast_period=5, slow_period=20, stop_loss_pct=2.0)
run_backtest(df, spec, costs=Costs(fee_bps=10)).metrics.sharpe_ratio
"""

from backtest.engine import BacktestResult, run_backtest
from backtest.errors import BacktestError, ExpressionError, PriceError, RequestError, StrategyError
from backtest.executor import run_pieces
from backtest.gaps import GAP_POLICIES, GapPolicy
from backtest.language import canonical_expression
from backtest.presets import PRESETS
from backtest.prices import validate_prices
from backtest.quality import QualityReport, quality_report
from backtest.strategy import StrategySpec
from backtest.streaming import SweepFile, sweep_to_parquet
from backtest.sweep import sweep
from backtest.types import AccountLost, Bounds, Costs, Metrics, Risk, Sizing
from backtest.year import BarsPerYear, bars_per_year

__all__ = [
    "GAP_POLICIES",
    "PRESETS",
    "AccountLost",
    "BacktestError",
    "BacktestResult",
    "BarsPerYear",
    "Bounds",
    "Costs",
    "ExpressionError",
    "GapPolicy",
    "Metrics",
    "PriceError",
    "QualityReport",
    "RequestError",
    "Risk",
    "Sizing",
    "StrategyError",
    "StrategySpec",
    "SweepFile",
    "bars_per_year",
    "canonical_expression",
    "quality_report",
    "run_backtest",
    "run_pieces",
    "sweep",
    "sweep_to_parquet",
    "validate_prices",
]
