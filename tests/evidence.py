"""The evidence of a role with nothing in it but what a test gives."""

from backtest import StrategySpec
from nodes.optimization.evidence.evidence import Evidence

NO_PRICES = {
    "symbol": "NONE",
    "timeframe": "1d",
    "development_hash": "0" * 16,
    "development_rows": 0,
    "holdout_rows": 0,
}


def evidence(spec: StrategySpec, **given) -> Evidence:
    """Of a first iteration; `given` are fields of `Evidence`."""
    figures = {"score": 0.0}
    return Evidence(
        **{
            "iteration": 1,
            "prices": NO_PRICES,
            "spec": spec,
            "grid": {},
            "bounds": spec.bounds(),
            "champion": figures,
            "now": figures,
            "baseline": figures,
            "items": [],
            "lessons": [],
            "history": [],
            "archive": [],
            "tried": frozenset(),
            "own_names": [],
            "named": False,
            "language": "en",
            **given,
        }
    )
