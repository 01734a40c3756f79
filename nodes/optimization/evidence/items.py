"""The figures that roles argue from, computed once a champion: each item has an id that answers cite.

M metrics with 95 % intervals, W walk-forward, X exits, S sides, T time of entry, G regime at entry,
D drawdowns, P what a step of each parameter does, K the market itself, O overfitting; C candidates of the
population, by their t-statistic of the excess over holding. Development data only.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import pandas as pd

from backtest import BacktestError, BacktestResult, Costs, StrategySpec, sweep, universe
from backtest.language.tree import show
from backtest.statistics.bootstrap import Interval, return_intervals, trade_intervals
from backtest.statistics.overfitting import (
    expected_maximum_sharpe,
    minimum_backtest_length,
    minimum_track_record_length,
    probabilistic_sharpe_ratio,
)
from backtest.statistics.returns import Moments, Returns, bar_returns, moments
from backtest.types import Fill
from backtest.validation.traded import Traded, backtest_of, shown_prices
from nodes.context import OptimizationContext
from nodes.optimization.changes import complexity, present
from nodes.optimization.parsed import parsed
from record.types import Dossier, Figures, Finding, Item, Member
from vault.datasets import Dataset
from vault.pools import development_of

HEADLINE = (
    "sharpe_ratio",
    "sortino_ratio",
    "calmar_ratio",
    "total_return",
    "cagr",
    "volatility",
    "max_drawdown",
    "profit_factor",
    "win_rate",
    "expectancy",
    "avg_trade",
    "n_trades",
    "exposure",
    "best_trade",
    "worst_trade",
)
REPLICATIONS = 400
DRAWDOWNS = 3
TREND_BARS = 100
VOLATILITY_BARS = 50
PARTS_OF_DAY = 4
LEAST_TRADES = 5
MOST_SENSITIVITIES = 8


@dataclass(frozen=True, kw_only=True)
class _Case:
    """What the items are drawn from; of several instruments `prices` is their basket."""

    traded: Traded
    prices: pd.DataFrame
    spec: StrategySpec
    result: BacktestResult
    figures: Figures
    costs: Costs
    fill: Fill
    seed: int

    @property
    def returns(self) -> Returns:
        return bar_returns(self.result.equity_values, self.result.initial_capital)


def build_dossier(
    spec: StrategySpec,
    figures: Figures,
    configurations: int,
    dataset: Dataset,
    context: OptimizationContext,
) -> Dossier:
    """Every figure about one strategy on the development part.

    Args:
        spec: the champion.
        figures: `trial_figures` of it.
        configurations: how many were compared in the run so far, numeric search included.
        dataset: prices.
        context: costs, fill, seed.

    Returns:
        Its items in order of their ids, figures with ten digits.
    """
    found = _of_champion(
        spec.model_dump_json(),
        json.dumps(figures, sort_keys=True),
        dataset.model_dump_json(),
        str(context.home_path),
        context.costs.model_dump_json(),
        context.fill,
        context.seed,
    )
    counted = _identified("O", _overfitting(found.case, configurations))
    return {"hash": spec.hash, "items": [*found.items, *counted]}


class _OfChampion(NamedTuple):
    """What holds of a champion however much was searched: its case, and every item but the last letter's."""

    case: _Case
    items: tuple[Item, ...]


@lru_cache(maxsize=4)
def _of_champion(
    spec: str, figures: str, dataset: str, home: str, costs: str, fill: Fill, seed: int
) -> _OfChampion:
    """Everything is named by content: a champion that stays for another iteration is not resampled anew."""
    strategy, terms = StrategySpec.model_validate_json(spec), Costs.model_validate_json(costs)
    traded = development_of(Dataset.model_validate_json(dataset), Path(home))
    result = backtest_of(traded, strategy, terms, fill)
    case = _Case(
        traded=traded,
        prices=shown_prices(traded, result),
        spec=strategy,
        result=result,
        figures=json.loads(figures),
        costs=terms,
        fill=fill,
        seed=seed,
    )
    items = [_identified(letter, source(case)) for letter, source in _SOURCES.items()]
    return _OfChampion(case, tuple(chain.from_iterable(items)))


def _identified(letter: str, found: Iterable[Finding]) -> list[Item]:
    """Findings with the ids that answers cite."""
    return [
        cast(Item, {"id": f"{letter}{number}", **{name: _exact(value) for name, value in one.items()}})
        for number, one in enumerate(found, start=1)
    ]


def candidate_item(member: Member) -> Item:
    """A candidate of the population as an item: its excess t, and what it trades."""
    spec = parsed(member["spec"])
    conditions = {place: show(tree) for place, tree in spec.trees.items()}
    if member["side"] == "both":  # the short side of most is the mirror image: a prompt is short
        conditions = {place: told for place, told in conditions.items() if place.endswith("_long")}
    found = {
        "id": f"C{member['number']}",
        "name": "candidate",
        "value": _exact(member["excess_t"]),
        "family": member["family"],
        "side": member["side"],
        "bars_held": member["bars_held"],
        "trades": member["trades"],
        **conditions,
        **spec.params,
        **spec.risk.active(),
    }
    return cast(Item, found)


def _exact(value: Any) -> Any:
    """Ten significant digits, as figures have them: who shows one rounds it, and nobody rounds it twice."""
    if isinstance(value, list):
        return [_exact(part) for part in value]
    if isinstance(value, float):
        return None if not math.isfinite(value) else float(f"{value:.10g}")
    return value


def _metrics(case: _Case) -> Iterator[Finding]:
    generator = np.random.default_rng(case.seed)
    intervals: dict[str, Interval | None] = {}
    if len(case.returns) >= 10:
        intervals |= return_intervals(
            case.returns, case.result.periods_per_year, generator, replications=REPLICATIONS
        )
    trades = case.result.trades
    intervals |= trade_intervals(trades["pnl"], trades["return"], generator, replications=REPLICATIONS)
    for name in HEADLINE:
        item: Finding = {"name": name, "value": case.figures["metrics"][name]}
        if (found := intervals.get(name)) is not None:
            item |= {"low": found.low, "high": found.high}
        yield item


def _walk(case: _Case) -> Iterator[Finding]:
    walk = case.figures["walk_forward"]
    yield {"name": "score", "value": case.figures["score"]}
    for name in ("sharpe_ratio", "total_return", "max_drawdown", "profit_factor", "n_trades"):
        yield {"name": f"walk_forward_{name}", "value": walk["metrics"][name]}
    blocks = list(case.figures["blocks"])
    yield {"name": "walk_forward_fold_sharpes", "value": blocks}
    losing = sum(block is None or block <= 0 for block in blocks)
    yield {"name": "losing_folds", "value": losing, "of": len(blocks)}
    if walk["efficiency"] is not None:
        yield {"name": "walk_forward_efficiency", "value": walk["efficiency"]}


def _group(name: str, part: pd.DataFrame, all_trades: pd.DataFrame) -> Finding:
    """A group of trades: how many, average return, share of wins, profit over the sum of all |profits|."""
    return {
        "name": name,
        "n": len(part),
        "average_return": float(part["return"].mean()),
        "win_rate": float((part["pnl"] > 0).mean()),
        "profit": float(part["pnl"].sum() / max(float(all_trades["pnl"].abs().sum()), 1e-12)),
    }


def _groups(prefix: str, keys: pd.Series, case: _Case) -> Iterator[Finding]:
    trades = case.result.trades
    for key, part in sorted(trades.groupby(keys.to_numpy()), key=lambda group: str(group[0])):
        yield _group(f"{prefix} {key}", part, trades)


def _exits(case: _Case) -> Iterator[Finding]:
    return _groups("exit", case.result.trades["exit_reason"], case)


def _sides(case: _Case) -> Iterator[Finding]:
    return _groups("side", case.result.trades["side"], case)


def _times(case: _Case) -> Iterator[Finding]:
    """Parts of the day where bars are shorter than a day, else weekdays."""
    times = pd.DatetimeIndex(case.result.trades["entry_time"])
    if is_intraday(case.prices.index):
        hours = 24 // PARTS_OF_DAY
        labels = [f"{hour // hours * hours:02d}-{(hour // hours + 1) * hours:02d}" for hour in times.hour]
        return _groups("entry hour", pd.Series(labels, dtype=object), case)
    return _groups("entry weekday", pd.Series(times.day_of_week.astype(str), dtype=object), case)


def is_intraday(index: pd.Index) -> bool:
    """Whether bars are shorter than a day."""
    steps = np.diff(pd.DatetimeIndex(index).asi8)
    unit = pd.Timedelta(1, unit=pd.DatetimeIndex(index).unit)
    return bool(len(steps)) and pd.Timedelta(int(np.median(steps)) * unit) < pd.Timedelta(days=1)


def bars_a_day(index: pd.Index) -> int:
    """Bars of a usual day among those that have any; 1 for days and longer bars."""
    if not is_intraday(index):
        return 1
    days = pd.DatetimeIndex(index).tz_localize(None).normalize()
    return int(np.median(np.unique(days, return_counts=True)[1]))


def session(index: pd.Index) -> tuple[int, ...]:
    """Hours of the day in which bars usually begin, where an exchange is closed for half of it; else none."""
    counts = np.bincount(pd.DatetimeIndex(index).hour, minlength=24)
    hours = np.flatnonzero(2 * counts >= counts.max())
    return tuple(map(int, hours)) if hours[-1] - hours[0] < 12 else ()


def _regimes(case: _Case) -> Iterator[Finding]:
    """Trend and volatility at the bar before the entry, which the signal could know."""
    trades = case.result.trades
    if isinstance(case.traded, pd.DataFrame):
        labels = _regimes_at(case.traded, trades)
    else:
        owners = trades["instrument"]
        parts = [_regimes_at(df, trades[owners == name]) for name, df in case.traded.items()]
        labels = pd.concat(parts).reindex(trades.index)
    return _groups("regime", labels, case)


def _regimes_at(prices: pd.DataFrame, trades: pd.DataFrame) -> pd.Series:
    """The regime of each trade on one instrument."""
    close = prices["close"]
    up = close > close.rolling(TREND_BARS).mean()
    swings = close.pct_change().rolling(VOLATILITY_BARS).std()
    rough = swings > swings.median()
    index = pd.DatetimeIndex(prices.index)
    entered = pd.DatetimeIndex(trades["entry_time"])
    at = np.maximum(index.get_indexer(entered if index.tz is None else entered.tz_convert(index.tz)) - 1, 0)
    labels = [
        f"{'up' if up.iloc[place] else 'down'}trend, {'high' if rough.iloc[place] else 'low'} volatility"
        for place in at
    ]
    return pd.Series(labels, index=trades.index, dtype=object)


def _drawdowns(case: _Case) -> Iterator[Finding]:
    """The deepest drawdowns, none overlapping another."""
    equity = case.result.equity_values
    peaks = np.maximum.accumulate(np.concatenate([[case.result.initial_capital], equity]))[1:]
    depth = equity / peaks - 1.0
    under = np.concatenate([[False], depth < 0.0, [False]])
    starts = np.flatnonzero(~under[:-1] & under[1:])
    stops = np.flatnonzero(under[:-1] & ~under[1:])
    worst = sorted(
        zip(starts, stops, strict=True), key=lambda span: (depth[span[0] : span[1]].min(), span[0])
    )
    for start, stop in worst[:DRAWDOWNS]:
        yield {
            "name": "drawdown",
            "value": float(depth[start:stop].min()),
            "from": case.result.index[int(start)].date().isoformat(),
            "from_bar": int(start),
            "bars": int(stop - start),
            "recovered": bool(stop < len(equity)),
        }


def _sensitivities(case: _Case) -> Iterator[Finding]:
    """Sharpe ratio on the whole development part with one value a step or two away, all else equal."""
    bounds = case.spec.bounds()
    settings = {**case.spec.risk.active(), **case.spec.sizing.active()}
    active = [name for name in sorted(settings) if name in bounds]
    for name in [*sorted(case.spec.params), *active][:MOST_SENSITIVITIES]:
        bound = bounds[name]
        now = float(present(case.spec, name) or 0.0)
        step = max(bound.step, abs(now) * 0.1)
        if bound.integer:
            step = float(max(1, round(step)))
        values = [now + shift * step for shift in (-2, -1, 0, 1, 2)]
        values = [value for value in values if bound.low <= value <= bound.high]
        try:
            table = _swept(case, {name: values})
        except BacktestError:
            continue  # beside a bound of order there may be nothing to compare with
        yield {
            "name": f"sharpe_ratio by {name}",
            "values": [float(value) for value in table[name]],
            "sharpe": [float(value) for value in table["sharpe_ratio"]],
        }


def _swept(case: _Case, grid: dict[str, list[float]]) -> pd.DataFrame:
    """A sweep of the prices, or the pooled one."""
    if isinstance(case.traded, pd.DataFrame):
        return sweep(case.traded, case.spec, grid, costs=case.costs, fill=case.fill)
    return universe.sweep(case.traded, case.spec, grid, case.costs, case.fill, workers=1).pooled


def _market(case: _Case) -> Iterator[Finding]:
    """What the prices do by themselves: drift, volatility, memory from bar to bar, hours and weekdays."""
    close = case.prices["close"].to_numpy(float)
    returns = close[1:] / close[:-1] - 1.0
    found = moments(returns)
    year = math.sqrt(case.result.periods_per_year)
    yield {
        "name": "market_sharpe_ratio_of_holding",
        "value": found.sharpe * year,
        "standard_errors": found.sharpe * math.sqrt(returns.size),
    }
    yield {"name": "market_volatility_annualised", "value": found.deviation * year}
    for lag in (1, 5, 20):
        yield {"name": f"market_variance_ratio_{lag + 1}_bars", "value": variance_ratio(returns, lag + 1)}
    times = pd.DatetimeIndex(case.prices.index[1:])
    fields = {"weekday": times.day_of_week}
    if is_intraday(case.prices.index):
        fields["hour"] = times.hour
    for name, keys in sorted(fields.items()):
        yield from _seasons(name, np.asarray(keys), returns)


def _seasons(name: str, keys: np.ndarray[Any, np.dtype[Any]], returns: Returns) -> Iterator[Finding]:
    """The best and the worst hour or weekday, with how many standard errors it stands off the rest."""
    scores = []
    for key in np.unique(keys):
        part = returns[keys == key]
        if len(part) < 20 or part.std(ddof=1) == 0.0:
            continue
        error = part.std(ddof=1) / math.sqrt(len(part))
        scores.append(((part.mean() - returns.mean()) / error, int(key), float(part.mean())))
    if len(scores) < 2:
        return
    for words, (strength, key, mean) in (("best", max(scores)), ("worst", min(scores))):
        yield {
            "name": f"market_{words}_{name}",
            "value": key,
            "average_return": mean,
            "standard_errors": float(strength),
        }


def variance_ratio(returns: Returns, bars: int) -> float:
    """Variance of returns over `bars` bars against that of one bar, times `bars`.

    Above 1 moves go on (momentum), below 1 they come back; 1 where nothing moves (Lo & MacKinlay 1988,
    overlapping, not corrected for bias).
    """
    if len(returns) <= bars or returns.std() == 0.0:
        return 1.0
    sums = np.convolve(returns, np.ones(bars), mode="valid")
    return float(sums.var() / (bars * returns.var()))


def _overfitting(case: _Case, configurations: int) -> Iterator[Finding]:
    found: Moments = moments(case.returns)
    year = math.sqrt(case.result.periods_per_year)
    yield {"name": "configurations_compared_so_far", "value": configurations}
    # Trials without skill have Sharpe ratios of variance 1 / n: what the luckiest of so many would show.
    luck = expected_maximum_sharpe(configurations, 1.0 / found.n_observations)
    yield {"name": "sharpe_ratio_that_luck_alone_reaches", "value": luck * year}
    if found.deviation > 0.0:
        yield {
            "name": "probability_that_sharpe_exceeds_luck",
            "value": probabilistic_sharpe_ratio(
                found.sharpe, found.n_observations, found.skew, found.kurtosis, benchmark=luck
            ),
        }
        needed = minimum_track_record_length(found.sharpe, found.skew, found.kurtosis)
        if math.isfinite(needed):
            yield {"name": "years_of_data_needed", "value": needed / case.result.periods_per_year}
    years = found.n_observations / case.result.periods_per_year
    yield {"name": "years_of_data", "value": years}
    yield {
        "name": "years_below_which_luck_gives_sharpe_1",
        "value": minimum_backtest_length(max(2, configurations)),
    }
    yield {"name": "conditions", "value": complexity(case.spec)}
    whole, walked = (
        case.figures["metrics"]["sharpe_ratio"],
        case.figures["walk_forward"]["metrics"]["sharpe_ratio"],
    )
    if whole is not None and walked is not None:
        yield {"name": "sharpe_ratio_whole_minus_walk_forward", "value": whole - walked}


_SOURCES: dict[str, Callable[[_Case], Iterator[Finding]]] = {
    "M": _metrics,
    "W": _walk,
    "X": _exits,
    "S": _sides,
    "T": _times,
    "G": _regimes,
    "D": _drawdowns,
    "P": _sensitivities,
    "K": _market,
}
"""All but `_overfitting`, which grows with the search."""
