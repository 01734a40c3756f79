"""Null calibration: how often the whole cycle believes in nothing, and how often it finds what is there.

The ordinary graph, with `rules` in every role, runs on series without an edge and on series with one that was
planted, each in a data folder of its own. What counts is the verdict.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from scipy.special import betaincinv

from backtest import StrategySpec, run_pieces
from backtest.validation.verdict import VALUES
from graphs.optimization import graph
from nodes.context import OptimizationContext
from nodes.optimization.state import OptimizationInput
from threadx.defaults import CALIBRATION_BARS, CALIBRATION_ITERATIONS
from vault.datasets import register
from vault.synthetic import EDGES, NULLS, Edge, Null, null_prices, planted_prices

STRENGTHS = (0.5, 1.0, 2.0, 3.0, 4.0)
"""Sharpe ratios of the planted edges."""
BELIEVED = ("real", "promising")
FALSE_LIMIT = 0.025
"""Rate of `real` or `promising` without an edge that the verdict was designed for."""

STARTS = tuple(StrategySpec.preset(name) for name in ("buy_and_hold", "ma_crossover", "rsi_reversion"))
"""What the cycle begins with, by turns; with a planted edge always the first, which hints at nothing. A start
that trades makes the harder null: its search ends at more champions that could be believed."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One series to run.

    Attributes:
        number: seeds its randomness, together with the calibration's seed.
        seed: of the calibration.
        kind: of null or edge.
        strength: Sharpe ratio planted; None for a null.
        bars: days.
        iterations: of the cycle at most.
        start: which of `STARTS` it begins with.
    """

    number: int
    seed: int
    kind: Null | Edge
    strength: float | None
    bars: int
    iterations: int
    start: int = 0


def cases(
    nulls: int,
    planted: int,
    seed: int,
    *,
    bars: int = CALIBRATION_BARS,
    iterations: int = CALIBRATION_ITERATIONS,
) -> list[Case]:
    """All series: kinds of null by turns; kinds of edge and strengths by turns."""
    common: dict[str, Any] = {"seed": seed, "bars": bars, "iterations": iterations}
    found = [
        Case(
            number=number,
            kind=NULLS[number % len(NULLS)],
            strength=None,
            start=number // len(NULLS) % len(STARTS),
            **common,
        )
        for number in range(nulls)
    ]
    for number in range(planted):
        found.append(
            Case(
                number=nulls + number,
                kind=EDGES[number // len(STRENGTHS) % len(EDGES)],
                strength=STRENGTHS[number % len(STRENGTHS)],
                **common,
            )
        )
    return found


def run_case(case: Case) -> dict[str, Any]:
    """Make one series, run the cycle on it, and tell the verdict."""
    generator = np.random.default_rng([case.seed, case.number])
    with TemporaryDirectory(prefix="threadx-calibrate-") as folder:
        context = OptimizationContext(
            home=folder,
            analyst=("rules",),
            strategist=("rules",),
            validator=("rules",),
            max_iterations=case.iterations,
            seed=case.number,
        )
        realised, rule = None, None
        if case.strength is None:
            prices = null_prices(case.kind, case.bars, generator)  # type: ignore[arg-type]
        else:
            found = planted_prices(
                case.kind,  # type: ignore[arg-type]
                case.strength,
                case.bars,
                generator,
                context.costs,
            )
            prices, realised, rule = found.prices, found.sharpe, found.rule.describe()
        dataset = register(prices, symbol=case.kind.upper(), timeframe="1d", home=Path(folder))
        state = graph.invoke(
            OptimizationInput(
                data=f"dataset:{dataset.development_hash}",
                spec=STARTS[case.start].model_dump(mode="json"),
                run=f"case-{case.number}",
            ),
            {"recursion_limit": 40 + 10 * case.iterations},
            context=context,
        )
        result = state["result"]
    verdict, search, held = (result[name] or {} for name in ("verdict", "overfitting", "holdout"))
    return {
        "number": case.number,
        "kind": case.kind,
        "strength": case.strength,
        "realised_sharpe": None if realised is None else round(realised, 4),
        "rule": rule,
        "verdict": verdict.get("value", "untested"),
        "development_p": verdict.get("development_p"),
        "holdout_p": verdict.get("holdout_p"),
        "combined_p": verdict.get("combined_p"),
        "trials": search.get("trials"),
        "excess_sharpe": search.get("excess_sharpe_annual"),
        "holdout_excess_sharpe": held.get("excess_sharpe_annual"),
        "champion": result["champion"]["description"],
    }


def interval(hits: int, count: int, confidence: float = 0.95) -> list[float]:
    """Exact interval of a rate (Clopper & Pearson 1934)."""
    if count == 0:
        return [0.0, 1.0]
    tail = (1.0 - confidence) / 2.0
    low = 0.0 if hits == 0 else float(betaincinv(hits, count - hits + 1, tail))
    high = 1.0 if hits == count else float(betaincinv(hits + 1, count - hits, 1.0 - tail))
    return [round(low, 6), round(high, 6)]


def _rate(found: Sequence[dict[str, Any]]) -> dict[str, Any]:
    believed = sum(one["verdict"] in BELIEVED for one in found)
    verdicts = Counter(one["verdict"] for one in found)
    return {
        "count": len(found),
        "believed": believed,
        "rate": round(believed / len(found), 6) if found else None,
        "interval": interval(believed, len(found)),
        "verdicts": {value: verdicts[value] for value in VALUES},
    }


def calibrate(
    nulls: int,
    planted: int,
    seed: int,
    *,
    bars: int = CALIBRATION_BARS,
    iterations: int = CALIBRATION_ITERATIONS,
    workers: int | None = None,
    done: Callable[[int], None] | None = None,
) -> dict[str, Any]:
    """Run all cases, in as many processes as there are cores.

    Args:
        nulls: series without an edge.
        planted: series with one, the strengths by turns.
        seed: of everything.
        bars: days of each series.
        iterations: of the cycle at most.
        workers: processes; one a core by default.
        done: called with the number of finished series each time one is.

    Returns:
        Plain JSON: `false_rate` (`real` or `promising` without an edge), `power` by strength, and under
        `null` and `planted` counts with exact 95 % intervals, in all and by kind; `cases`, one entry each.
    """
    found = run_pieces(
        run_case,
        cases(nulls, planted, seed, bars=bars, iterations=iterations),
        workers=workers,
        processes=True,
        done=done,
    )
    without = [one for one in found if one["strength"] is None]
    within = [one for one in found if one["strength"] is not None]
    by_strength = {
        f"{strength:g}": _rate([one for one in within if one["strength"] == strength])
        for strength in STRENGTHS
    }
    return {
        "seed": seed,
        "bars": bars,
        "iterations": iterations,
        "false_rate": _rate(without)["rate"],
        "power": {strength: told["rate"] for strength, told in by_strength.items()},
        "null": {
            **_rate(without),
            "by_kind": {kind: _rate([one for one in without if one["kind"] == kind]) for kind in NULLS},
        },
        "planted": {
            **_rate(within),
            "by_strength": by_strength,
            "by_kind": {
                kind: {
                    f"{strength:g}": _rate(
                        [one for one in within if one["kind"] == kind and one["strength"] == strength]
                    )
                    for strength in STRENGTHS
                }
                for kind in EDGES
            },
        },
        "cases": found,
    }
