"""Null calibration: how often the whole cycle believes in nothing, and how often it finds what is there.

The ordinary graph, with `rules` in every role, runs on series without an edge and on series with one that was
planted, each in a data folder of its own. What counts is the verdict. Of an edge that was missed it is told
where it was lost: never proposed, not kept by the search, or not believed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import betaincinv
from scipy.stats import ks_1samp, uniform

from backtest import Engine, StrategySpec
from backtest.engine.engines import executor
from backtest.validation.power import Evidence, power
from backtest.validation.traded import backtest_of, closes_of
from backtest.validation.trials import trial
from backtest.validation.verdict import VALUES
from base.shared import scratch_home
from graphs.optimization import graph
from nodes.context import OptimizationContext
from nodes.optimization.state import OptimizationInput
from reports.belief import GOOD_VERDICTS
from reports.calibrated import LOST, P_VALUES
from threadx.defaults import CALIBRATION_BARS, CALIBRATION_ITERATIONS, CALIBRATION_SHARPES
from vault.datasets import Dataset, register
from vault.ledger import Ledger
from vault.pools import Member, development_of, register_pool
from vault.synthetic.bars import DAYS_A_YEAR
from vault.synthetic.edges import EDGES, EDGES_INTRADAY, EDGES_KEPT, EVERY_EDGE, Planted, planted_prices
from vault.synthetic.nulls import NULLS, NULLS_INTRADAY, NULLS_KEPT, null_prices

ALIKE = 0.7
"""Correlation of two strategies' excess over holding from which on they are taken for the same edge."""
QUANTILES = (0.01, 0.05, 0.1, 0.25, 0.5)
"""Of p-values, of which as large a share should lie below them."""

STARTS = tuple(StrategySpec.preset(name) for name in ("buy_and_hold", "ma_crossover", "rsi_reversion"))
"""What the cycle begins with, by turns; with a planted edge always the first, which hints at nothing. A start
that trades makes the harder null: its search ends at more champions that could be believed."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One series to run.

    Attributes:
        number: seeds its randomness, together with the calibration's seed.
        seed: of the calibration.
        kind: of null or edge, those kept apart and of hourly bars included.
        strength: Sharpe ratio planted; None for a null.
        bars: days, whose hours are bars of their own where the kind has them.
        iterations: of the cycle at most.
        start: which of `STARTS` it begins with.
        pooled: instruments that are judged together, each with noise of its own and the same edge.
    """

    number: int
    seed: int
    kind: str
    strength: float | None
    bars: int
    iterations: int
    start: int = 0
    pooled: int = 1


def cases(
    nulls: int,
    planted: int,
    seed: int,
    *,
    bars: int = CALIBRATION_BARS,
    iterations: int = CALIBRATION_ITERATIONS,
    kept: bool = False,
    intraday: bool = False,
    pooled: int = 1,
    strengths: Sequence[float] = CALIBRATION_SHARPES,
) -> list[Case]:
    """All series: kinds of null by turns; kinds of edge and strengths by turns.

    With `kept` the kinds are those that nothing was tuned on, with `intraday` those of hourly bars;
    `pooled` instruments make one case.
    """
    groups = [(NULLS_KEPT, EDGES_KEPT)] * kept + [(NULLS_INTRADAY, EDGES_INTRADAY)] * intraday
    without, within = (
        [kind for group in told for kind in group] for told in zip(*(groups or [(NULLS, EDGES)]), strict=True)
    )
    common: dict[str, Any] = {"seed": seed, "bars": bars, "iterations": iterations, "pooled": pooled}
    found = [
        Case(
            number=number,
            kind=without[number % len(without)],
            strength=None,
            start=number // len(without) % len(STARTS),
            **common,
        )
        for number in range(nulls)
    ]
    for number in range(planted):
        found.append(
            Case(
                number=nulls + number,
                kind=within[number // len(strengths) % len(within)],
                strength=strengths[number % len(strengths)],
                **common,
            )
        )
    return found


PROCESSES = Engine("processes")
"""A cycle is Python above all: threads would wait for each other."""


def run_case(case: Case) -> dict[str, Any]:
    """Make one series, run the cycle on it, and tell the verdict."""
    generator = np.random.default_rng([case.seed, case.number])
    with scratch_home("threadx-calibrate-") as folder:
        context = OptimizationContext(
            home=str(folder),
            analyst=("rules",),
            strategist=("rules",),
            validator=("rules",),
            max_iterations=case.iterations,
            seed=case.number,
        )
        found, dataset = _registered(case, generator, context)
        run = f"case-{case.number}"
        state = graph.invoke(
            OptimizationInput(
                data=f"dataset:{dataset.development_hash}",
                spec=STARTS[case.start].model_dump(mode="json"),
                run=run,
            ),
            {"recursion_limit": 40 + 10 * case.iterations},
            context=context,
        )
        result = state["result"]
        value = (result["verdict"] or {}).get("value", "untested")
        champion = StrategySpec.model_validate(result["champion"]["strategy"])
        lost = None
        if found is not None and value not in GOOD_VERDICTS:
            lost = _lost(found.rule, champion, dataset, context, run)
    verdict, search, held = (result[name] or {} for name in ("verdict", "overfitting", "holdout"))
    opened = [one["fields"] for one in verdict.get("reasons", ()) if one["code"] == "holdout_opened"]
    return {
        "number": case.number,
        "kind": case.kind,
        "strength": case.strength,
        "realised_sharpe": None if found is None else round(found.sharpe, 4),
        "rule": None if found is None else found.rule.describe(),
        "verdict": value,
        "lost": lost,
        "limit": None if case.strength is None else _limit(case, dataset, search),
        "development_p": verdict.get("development_p"),
        "holdout_p": verdict.get("holdout_p"),
        "single_p": opened[0]["single_percent"] if opened else None,
        "combined_p": verdict.get("combined_p"),
        "trials": search.get("trials"),
        "excess_sharpe": search.get("excess_sharpe_annual"),
        "holdout_excess_sharpe": held.get("excess_sharpe_annual"),
        "champion": result["champion"]["description"],
        "untouched": champion.hash == STARTS[case.start].hash,
    }


def _run(shared: None, case: Case) -> dict[str, Any]:
    """A case, wherever it is run."""
    return run_case(case)


def _registered(
    case: Case, generator: np.random.Generator, context: OptimizationContext
) -> tuple[Planted | None, Dataset]:
    """The prices of a case, or the pool of them; and what was planted in the first of them."""
    members: list[Member] = []
    first: Planted | None = None
    for number in range(case.pooled):
        if case.strength is None:
            prices = null_prices(case.kind, case.bars, generator)
        else:
            same = np.random.default_rng([case.seed, case.number, 1]) if case.pooled > 1 else None
            found = planted_prices(
                case.kind, case.strength, case.bars, generator, context.costs, drawn_by=same
            )
            first, prices = first or found, found.prices
        symbol = case.kind.upper() + (f"-{number:03d}" if case.pooled > 1 else "")
        timeframe = "1h" if case.kind in {**NULLS_INTRADAY, **EDGES_INTRADAY} else "1d"
        members.append(Member(frame=prices, symbol=symbol, timeframe=timeframe))
    if case.pooled > 1:
        return first, register_pool(members, context.home_path)
    (one,) = members
    return first, register(one.frame, symbol=one.symbol, timeframe=one.timeframe, home=context.home_path)


def _lost(
    rule: StrategySpec, champion: StrategySpec, dataset: Dataset, context: OptimizationContext, run: str
) -> str:
    """Where an edge was lost: whether anything like it was tested, and whether the champion is like it."""
    home = context.home_path
    prices = development_of(dataset, home)
    told, kept = (
        trial(backtest_of(prices, spec, context.costs, context.fill), closes_of(prices)).blocks
        for spec in (rule, champion)
    )
    if _alike(told, kept):
        return "not_believed"
    ledger = Ledger(home)
    tested = ledger.evidence(
        ledger.snapshot(dataset.family), development_hash=dataset.development_hash, source=run
    ).blocks
    return "not_kept" if any(_alike(told, column) for column in tested.T) else "not_proposed"


def _alike(one: Any, other: Any) -> bool:
    """Whether two excesses, by blocks of time, are of the same edge; one that does not move is like none."""
    if not (np.std(one) > 0.0 and np.std(other) > 0.0):
        return False
    return bool(np.corrcoef(one, other)[0, 1] >= ALIKE)


def _limit(case: Case, dataset: Dataset, search: dict[str, Any]) -> float | None:
    """How often an edge of this size is believed that the search does not miss, as theory says.

    Independent noise: so many instruments of a ratio are one of its root of their number.
    """
    assert case.strength is not None
    year = DAYS_A_YEAR * EVERY_EDGE[case.kind].bars_a_day
    independent = search.get("independent_trials")
    if independent is None or not dataset.holdout_rows:
        return None
    evidence = Evidence(
        development_years=dataset.development_rows / year,
        holdout_years=dataset.holdout_rows / year,
        opening=1,
        independent=independent,
    )
    return round(power(case.strength * case.pooled**0.5, evidence), 6)


def interval(hits: int, count: int, confidence: float = 0.95) -> list[float]:
    """Exact interval of a rate (Clopper & Pearson 1934)."""
    if count == 0:
        return [0.0, 1.0]
    tail = (1.0 - confidence) / 2.0
    low = 0.0 if hits == 0 else float(betaincinv(hits, count - hits + 1, tail))
    high = 1.0 if hits == count else float(betaincinv(hits + 1, count - hits, 1.0 - tail))
    return [round(low, 6), round(high, 6)]


def _rate(found: Sequence[dict[str, Any]]) -> dict[str, Any]:
    believed = sum(one["verdict"] in GOOD_VERDICTS for one in found)
    verdicts = Counter(one["verdict"] for one in found)
    return {
        "count": len(found),
        "believed": believed,
        "rate": round(believed / len(found), 6) if found else None,
        "interval": interval(believed, len(found)),
        "verdicts": {value: verdicts[value] for value in VALUES},
    }


def _found(planted: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """As `_rate`, with where the others were lost and what theory allows."""
    lost = Counter(one["lost"] for one in planted)
    limits = [one["limit"] for one in planted if one["limit"] is not None]
    return {
        **_rate(planted),
        "lost": {where: lost[where] for where in LOST},
        "limit": round(float(np.mean(limits)), 6) if limits else None,
    }


def _by_kind(found: Sequence[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    kinds: dict[str, list[dict[str, Any]]] = {}
    for one in found:
        kinds.setdefault(one["kind"], []).append(one)
    return kinds


def _p_values(found: Sequence[dict[str, Any]], name: str) -> dict[str, Any]:
    """How p-values without an edge are spread; they may be too large, never too small.

    `below`: the share at or below each of `QUANTILES`. Then what Kolmogorov and Smirnov found against uniform
    ones: by how much the share of small values exceeds what is due at most (`above_uniform`, their D+), and
    by how much it falls short (`below_uniform`, D-); the chance of either (`too_small_p`, the only fault, and
    `too_large_p`) and of both (`not_uniform_p`). None without a p-value.
    """
    tests = {"too_small_p": "greater", "too_large_p": "less", "not_uniform_p": "two-sided"}
    values = [one[name] for one in found if one[name] is not None]
    if not values:
        return {"count": 0, **dict.fromkeys(("below", "above_uniform", "below_uniform", *tests))}
    told = {name: ks_1samp(values, uniform.cdf, alternative=side) for name, side in tests.items()}
    return {
        "count": len(values),
        "below": {f"{bound:g}": round(float(np.mean(np.array(values) <= bound)), 6) for bound in QUANTILES},
        "above_uniform": round(float(told["too_small_p"].statistic), 6),
        "below_uniform": round(float(told["too_large_p"].statistic), 6),
        **{name: round(float(one.pvalue), 6) for name, one in told.items()},
    }


def calibrate(
    nulls: int,
    planted: int,
    seed: int,
    *,
    bars: int = CALIBRATION_BARS,
    iterations: int = CALIBRATION_ITERATIONS,
    kept: bool = False,
    intraday: bool = False,
    pooled: int = 1,
    strengths: Sequence[float] | None = None,
    workers: int | None = None,
    engine: Engine = PROCESSES,
    done: Callable[[int], None] | None = None,
) -> dict[str, Any]:
    """Run all cases, several at a time.

    Args:
        nulls: series without an edge.
        planted: series with one, the strengths by turns.
        seed: of everything.
        bars: days of each series.
        iterations: of the cycle at most.
        kept: whether to take the kinds of series that nothing was tuned on.
        intraday: whether to take those of hourly bars, seven a day; beside the others with `kept`.
        pooled: instruments a case, judged together.
        strengths: Sharpe ratios to plant, by turns; `CALIBRATION_SHARPES` by default.
        workers: processes; one a core by default.
        engine: where cases are run.
        done: called with the number of finished series each time one is, in their order.

    Returns:
        Plain JSON: `false_rate` (`real` or `promising` without an edge), `power` by strength, and under
        `null` and `planted` counts with exact 95 % intervals, in all and by kind, the spread of p-values and
        how many champions are the start `untouched`, where edges were lost and what theory allows; `cases`,
        one entry each.
    """
    asked: dict[str, Any] = {
        "bars": bars,
        "iterations": iterations,
        "kept": kept,
        "intraday": intraday,
        "pooled": pooled,
    }
    planned = tuple(strengths or CALIBRATION_SHARPES)
    todo = cases(nulls, planted, seed, **asked, strengths=planned)
    found = []
    with closing(executor(engine, workers).results(_run, todo, None)) as results:
        for one in results:
            found.append(one)
            if done is not None:
                done(len(found))
    without = [one for one in found if one["strength"] is None]
    within = [one for one in found if one["strength"] is not None]
    by_strength = {
        f"{strength:g}": _found([one for one in within if one["strength"] == strength])
        for strength in planned
    }
    return {
        "seed": seed,
        **asked,
        "strengths": None if strengths is None else list(planned),
        "false_rate": _rate(without)["rate"],
        "power": {strength: told["rate"] for strength, told in by_strength.items()},
        "null": {
            **_rate(without),
            "untouched": sum(one["untouched"] for one in without),
            "p_values": {name: _p_values(without, name) for name in P_VALUES},
            "by_kind": {kind: _rate(told) for kind, told in _by_kind(without).items()},
        },
        "planted": {
            **_found(within),
            "by_strength": by_strength,
            "by_kind": {
                kind: {
                    f"{strength:g}": _found([one for one in told if one["strength"] == strength])
                    for strength in planned
                }
                for kind, told in _by_kind(within).items()
            },
        },
        "cases": found,
    }
