"""The verdict of the champion: statistics, stress and verdict, from two backtests and the ledger."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from backtest import BacktestResult
from backtest.engine.pooled import Part as Traded
from backtest.engine.pooled import PooledResult
from backtest.kernels.simulation import ENTRY_PRICE, PROFIT, SIZE
from backtest.statistics.bootstrap import Interval as Estimated
from backtest.statistics.bootstrap import return_intervals, trade_intervals
from backtest.statistics.multiple_testing import HAIRCUT_METHODS, adjusted_p_values
from backtest.statistics.overfitting import (
    autocorrelation_adjusted_sharpe,
    deflated_sharpe_ratio,
    haircut_sharpe_ratio,
    minimum_track_record_length,
    probabilistic_sharpe_ratio,
)
from backtest.statistics.returns import Moments, bar_returns, moments
from backtest.validation.attribution import attribution
from backtest.validation.power import Evidence, sight
from backtest.validation.power import Sight as Seen
from backtest.validation.stress import Finding
from backtest.validation.trials import average_exposure, excess_returns, market_returns
from backtest.validation.verdict import (
    Part,
    Search,
    Verdict,
    among,
    decide,
    evidence_of_opening,
    variance_of_luck,
)
from record.types import (
    Attribution,
    Belief,
    Haircut,
    InstrumentBelief,
    InstrumentPart,
    Interval,
    JudgedVerdict,
    Overfitting,
    SearchFigures,
    Sight,
    StressFinding,
)

LEAST_FOR_INTERVALS = 20


def rounded(value: Any) -> Any:
    """Numbers within plain JSON at ten significant digits; what is not finite becomes None."""
    if isinstance(value, Mapping):
        return {name: rounded(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(inner) for inner in value]
    if isinstance(value, float):
        return float(f"{value:.10g}") if math.isfinite(value) else None
    return value


def excess_moments(result: BacktestResult, closes: ArrayLike | None) -> Moments:
    """Moments of the excess over holding with the same exposure."""
    return moments(excess_returns(result, closes))


def interval_figures(result: BacktestResult, generator: np.random.Generator) -> dict[str, Interval | None]:
    """95 % intervals of every headline metric, {"low", "high"} each; None where a metric has none."""
    rows = result.trade_values
    returns = bar_returns(result.equity_values, result.initial_capital)
    found: dict[str, Estimated | None] = {}
    if len(returns) >= LEAST_FOR_INTERVALS:
        found |= return_intervals(returns, result.periods_per_year, generator)
    found |= trade_intervals(
        rows[:, PROFIT], rows[:, PROFIT] / (rows[:, SIZE] * rows[:, ENTRY_PRICE]), generator
    )
    return {
        name: None if one is None else {"low": one.low, "high": one.high}
        for name, one in sorted(found.items())
    }


def overfitting_figures(
    development: BacktestResult,
    excess: Moments,
    verdict: Verdict,
    search: SearchFigures,
    trial_sharpes: Sequence[float],
    intervals: dict[str, Interval | None],
) -> Overfitting:
    """Every statistic of the development result, beside what the ledger says of the search.

    Ratios are per bar unless their name says `annual`. Of the deflated Sharpe ratio both conventions stand
    here: every trial counted, and clusters of trials that bet on the same thing. Haircuts count every trial,
    those of large searches as tests that found nothing.
    """
    root = math.sqrt(development.periods_per_year)
    shape = (excess.sharpe, excess.n_observations, excess.skew, excess.kurtosis)
    clustered = search["effective_trials"]
    ratios = _with(trial_sharpes, excess.sharpe)
    haircuts: dict[str, Haircut] = {}
    if excess.sharpe > 0.0:
        for method in HAIRCUT_METHODS:
            cut = haircut_sharpe_ratio(
                excess.sharpe, excess.n_observations, ratios, method, n_tests=search["trials"]
            )
            haircuts[method] = {
                "adjusted_p_value": cut.adjusted_p_value,
                "sharpe_annual": cut.sharpe * root,
                "haircut": cut.haircut,
            }
    own = bar_returns(development.equity_values, development.initial_capital)
    return {
        **search,
        "observations": excess.n_observations,
        "excess_sharpe": excess.sharpe,
        "excess_sharpe_annual": excess.sharpe * root,
        "skew": excess.skew,
        "kurtosis": excess.kurtosis,
        "average_exposure": average_exposure(development),
        "luck_sharpe": verdict.luck_sharpe,
        "luck_sharpe_annual": verdict.luck_sharpe * root,
        "probabilistic_sharpe": probabilistic_sharpe_ratio(*shape),
        "probabilistic_sharpe_2025": probabilistic_sharpe_ratio(*shape, form="2025"),
        "deflated_sharpe": deflated_sharpe_ratio(
            *shape, search["trials"], variance_of_luck(search["sharpe_variance"], excess.n_observations)
        ),
        "deflated_sharpe_clusters": (
            deflated_sharpe_ratio(*shape, clustered, variance_of_luck(variance, excess.n_observations))
            if clustered and (variance := search["cluster_variance"]) is not None
            else None
        ),
        "minimum_track_record_bars": minimum_track_record_length(*shape[:1], *shape[2:]),
        "haircuts": haircuts,
        "autocorrelation_adjusted_sharpe_annual": autocorrelation_adjusted_sharpe(
            own, development.periods_per_year
        ),
        "intervals": intervals,
    }


def _with(trial_sharpes: Sequence[float], own: float) -> list[float]:
    """The ratios of all trials, the champion's among them to its last digit."""
    others = [ratio for ratio in trial_sharpes if not math.isclose(ratio, own, rel_tol=1e-8)]
    same = len(trial_sharpes) - len(others)
    return [*others, *([own] * max(1, same))]


def bar_by_bar(
    *,
    development: BacktestResult,
    development_closes: pd.Series | None,
    holdout: BacktestResult,
    holdout_closes: pd.Series | None,
    tests: pd.Series,
    initial: tuple[BacktestResult, BacktestResult],
) -> pd.DataFrame:
    """What champion and initial strategy earned, bar by bar: `record.run_tables.RETURN_COLUMNS`.

    Args:
        development: of the champion, on the development part.
        development_closes: of its rows; None for several instruments.
        holdout: of the champion, on the holdout.
        holdout_closes: of all rows, the holdout's last.
        tests: returns of the champion's walk-forward tests.
        initial: of the initial strategy, on both parts.
    """
    parts = []
    for name, own, closes, first in (
        ("development", development, development_closes, initial[0]),
        ("holdout", holdout, holdout_closes, initial[1]),
    ):
        parts.append(
            pd.DataFrame(
                {
                    "part": name,
                    "market": market_returns(own, closes),
                    "champion": bar_returns(own.equity_values, own.initial_capital),
                    "champion_excess": excess_returns(own, closes),
                    "champion_tests": tests.reindex(own.index),
                    "initial": bar_returns(first.equity_values, first.initial_capital),
                },
                index=pd.Index(own.index, name="time"),
            )
        )
    return pd.concat(parts)


def by_instrument(
    development: PooledResult,
    holdout: PooledResult,
    *,
    search: SearchFigures,
    opening: int,
    findings: tuple[Finding, ...],
    remembering: Sequence[str],
) -> list[InstrumentBelief]:
    """The verdict on each instrument of a pool, beside that on all of them, in the order of their names.

    The strategy was chosen on the pool, by a search that counts on each instrument as that of so many
    independent configurations. Whoever looks at the best instrument looked at all: p-values are adjusted for
    their number (`bhy`). Stress tests are those of the pool.
    """
    outside = {part.name: part for part in holdout.parts}
    counted = Search(
        trials=round(search["independent_trials"] or search["trials"]),
        sharpe_variance=1.0,  # bounded by what luck can explain
    )
    verdicts: dict[str, Verdict] = {}
    for inside in development.parts:
        if (after := outside.get(inside.name)) is None:
            continue
        parts: dict[Part, Traded] = {"development": inside, "holdout": after}
        verdicts[inside.name] = decide(
            development=excess_moments(inside.result, inside.closes),
            holdout=excess_moments(after.result, after.closes),
            search=counted,
            opening=opening,
            trades=sum(part.result.metrics.n_trades for part in parts.values()),
            findings=findings,
            remembering=remembering,
            lost=[name for name, part in parts.items() if part.result.account_lost is not None],
        )
    chances = [one.combined_p for one in verdicts.values()]
    adjusted = dict(zip(verdicts, adjusted_p_values(chances, "bhy").tolist(), strict=True))
    found: list[InstrumentBelief] = []
    for part in development.parts:
        known = verdicts.get(part.name)
        found.append(
            {
                "symbol": part.name,
                "development": _of_part(part),
                "holdout": _of_part(outside[part.name]) if known else None,
                "combined_p": known.combined_p if known else None,
                "adjusted_p": adjusted[part.name] if known else None,
                "verdict": among(known.value, adjusted[part.name]) if known else None,
            }
        )
    return cast("list[InstrumentBelief]", rounded(found))


def _of_part(part: Traded) -> InstrumentPart:
    """What one instrument earned on one part, beside holding it."""
    result, metrics = part.result, part.result.metrics
    excess = excess_moments(result, part.closes)
    return {
        "first": result.index[0].isoformat(),
        "last": result.index[-1].isoformat(),
        "bars": len(result.index),
        "trades": metrics.n_trades,
        "total_return": metrics.total_return,
        "holding_return": float(np.prod(1.0 + market_returns(result, part.closes)) - 1.0),
        "sharpe_ratio": metrics.sharpe_ratio,
        "excess_sharpe_annual": excess.sharpe * math.sqrt(result.periods_per_year),
        "max_drawdown": metrics.max_drawdown,
    }


def _sight(
    development: BacktestResult,
    holdout: BacktestResult,
    excess: Moments,
    outside: Moments,
    search: SearchFigures,
    opening: int,
) -> Seen:
    """What the judgement could have seen; where trials were not compared, each counts in full."""
    roots = math.sqrt(development.periods_per_year), math.sqrt(holdout.periods_per_year)
    return sight(
        excess.sharpe * roots[0],
        outside.sharpe * roots[1],
        Evidence(
            development_years=excess.n_observations / development.periods_per_year,
            holdout_years=outside.n_observations / holdout.periods_per_year,
            opening=opening,
            independent=search["independent_trials"] or max(1, search["trials"]),
        ),
    )


def judged(
    *,
    development: BacktestResult,
    development_closes: pd.Series | None,
    holdout: BacktestResult,
    holdout_closes: pd.Series | None,
    search: SearchFigures,
    trial_sharpes: Sequence[float],
    opening: int,
    findings: tuple[Finding, ...],
    remembering: Sequence[str],
    seed: int,
) -> Belief:
    """Verdict and everything it rests on, as plain JSON: what the result's keys of the same names hold."""
    parts: dict[Part, BacktestResult] = {"development": development, "holdout": holdout}
    excess = excess_moments(development, development_closes)
    outside = excess_moments(holdout, holdout_closes)
    verdict = decide(
        development=excess,
        holdout=outside,
        search=Search(
            trials=search["trials"],
            sharpe_variance=search["sharpe_variance"],
            pbo=search["pbo"],
            familywise_p=search["familywise_p"],
        ),
        opening=opening,
        trades=development.metrics.n_trades + holdout.metrics.n_trades,
        findings=findings,
        remembering=remembering,
        lost=[name for name, result in parts.items() if result.account_lost is not None],
    )
    p_value, weight = evidence_of_opening(opening, outside.sharpe, outside.n_observations)
    generator = np.random.default_rng(seed)
    # Draws of its own: the intervals of earlier versions come again.
    drawn = np.random.default_rng(seed)
    earned = {
        name: cast(Attribution, attribution(result, closes, drawn).to_dict())
        for name, result, closes in (
            ("development", development, development_closes),
            ("holdout", holdout, holdout_closes),
        )
    }
    seen = _sight(development, holdout, excess, outside, search, opening)
    found: Belief = {
        "verdict": cast(JudgedVerdict, verdict.to_dict()),
        "overfitting": overfitting_figures(
            development, excess, verdict, search, trial_sharpes, interval_figures(development, generator)
        ),
        "sight": cast(Sight, seen.to_dict()),
        "attribution": earned,
        "stress": [cast(StressFinding, finding.to_dict()) for finding in findings],
        "holdout": {
            "opening": opening,
            "weight": weight,
            "p_value": p_value,
            "observations": outside.n_observations,
            "excess_sharpe": outside.sharpe,
            "excess_sharpe_annual": outside.sharpe * math.sqrt(holdout.periods_per_year),
            "average_exposure": average_exposure(holdout),
            "intervals": interval_figures(holdout, generator),
        },
    }
    return cast(Belief, rounded(found))
