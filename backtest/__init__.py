"""The numeric engine: strategy language, indicators, simulation, metrics. No model, no network.

from backtest import Costs, StrategySpec, run_backtest
spec = StrategySpec.preset("ma_crossover", fast_period=5, slow_period=20, stop_loss_pct=2.0)
run_backtest(df, spec, costs=Costs(fee_bps=10)).metrics.sharpe_ratio

Names are imported at first use, so that `Costs` alone loads no kernel.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from backtest import portfolio, universe, weights
    from backtest.coded.taking import from_code
    from backtest.data.funding import with_funding
    from backtest.data.prices import validate_prices
    from backtest.data.quality import QualityReport, quality_report
    from backtest.data.resampling import resample_bars
    from backtest.data.year import BarsPerYear, bars_per_year
    from backtest.engine.engines import Engine
    from backtest.engine.executor import run_pieces
    from backtest.engine.run import BacktestResult, run_backtest
    from backtest.engine.streaming import SweepFile, sweep_to_parquet
    from backtest.engine.sweep import sweep
    from backtest.errors import (
        BacktestError,
        CodedError,
        ExpressionError,
        PriceError,
        RequestError,
        StrategyError,
    )
    from backtest.language.parser import canonical_expression
    from backtest.presets import PRESETS
    from backtest.strategy import StrategySpec
    from backtest.types import (
        GAP_POLICIES,
        AccountLost,
        Bounds,
        Costs,
        GapPolicy,
        Input,
        Metrics,
        Risk,
        Sizing,
    )
    from backtest.validation.walk_forward import FoldResult, WalkForward, walk_forward

__all__ = [
    "GAP_POLICIES",
    "PRESETS",
    "AccountLost",
    "BacktestError",
    "BacktestResult",
    "BarsPerYear",
    "Bounds",
    "CodedError",
    "Costs",
    "Engine",
    "ExpressionError",
    "FoldResult",
    "GapPolicy",
    "Input",
    "Metrics",
    "PriceError",
    "QualityReport",
    "RequestError",
    "Risk",
    "Sizing",
    "StrategyError",
    "StrategySpec",
    "SweepFile",
    "WalkForward",
    "bars_per_year",
    "canonical_expression",
    "from_code",
    "portfolio",
    "quality_report",
    "resample_bars",
    "run_backtest",
    "run_pieces",
    "sweep",
    "sweep_to_parquet",
    "universe",
    "validate_prices",
    "walk_forward",
    "weights",
    "with_funding",
]

_HOMES = {
    "backtest.engine.run": ("BacktestResult", "run_backtest"),
    "backtest.coded.taking": ("from_code",),
    "backtest.errors": (
        "BacktestError",
        "CodedError",
        "ExpressionError",
        "PriceError",
        "RequestError",
        "StrategyError",
    ),
    "backtest.engine.engines": ("Engine",),
    "backtest.engine.executor": ("run_pieces",),
    "backtest.data.funding": ("with_funding",),
    "backtest.language.parser": ("canonical_expression",),
    "backtest.presets": ("PRESETS",),
    "backtest.data.prices": ("validate_prices",),
    "backtest.data.quality": ("QualityReport", "quality_report"),
    "backtest.data.resampling": ("resample_bars",),
    "backtest.strategy": ("StrategySpec",),
    "backtest.engine.streaming": ("SweepFile", "sweep_to_parquet"),
    "backtest.engine.sweep": ("sweep",),
    "backtest.types": (
        "GAP_POLICIES",
        "AccountLost",
        "Bounds",
        "Costs",
        "GapPolicy",
        "Input",
        "Metrics",
        "Risk",
        "Sizing",
    ),
    "backtest.data.year": ("BarsPerYear", "bars_per_year"),
    "backtest.validation.walk_forward": ("FoldResult", "WalkForward", "walk_forward"),
}


_MODULES = ("portfolio", "universe", "weights")


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"backtest.{name}")
    for module, names in _HOMES.items():
        if name in names:
            return globals().setdefault(name, getattr(import_module(module), name))
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
