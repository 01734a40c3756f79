"""The population: candidates kept diverse by family, holding time and side, ranked by their excess t.

Nothing here asks for significance: the verdict does, once, and charges every configuration that was tried.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from backtest import StrategySpec
from backtest.cage.description import gain
from backtest.validation.traded import opened, times_of
from nodes.context import OptimizationContext
from nodes.optimization.evidence.items import bars_a_day
from nodes.optimization.parsed import parsed
from nodes.optimization.schemas import MOST_MEMBERS
from nodes.optimization.trials.seeds import FAMILIES
from record.types import Grid, Member, Strategy
from vault.datasets import Dataset
from vault.pools import development_of

LEAST_TRADES = 10
"""Trades below which a t-statistic is no ground for a rank; the verdict asks for as many."""

LEAST_LEAD = 0.25
"""Standard errors by which a candidate must lead the champion, once more for each condition more that it has:
what is less is the noise of the ranking."""

_DAYS = (2.0, 5.0, 20.0)
"""Days held on average that part one holding time from the next."""
_PART_OF_A_DAY = 0.5
"""The same where bars are shorter than a day."""


def member(
    *,
    spec: Strategy,
    given: Strategy,
    grid: Grid,
    excess_t: float,
    trades: int,
    bars_held: float,
    iteration: int,
    given_first: bool = False,
) -> Member:
    """A candidate, before it has a place in the archive."""
    strategy = parsed(spec)
    return {
        "number": 0,
        "hash": strategy.hash,
        "family": family(strategy),
        "side": side(strategy),
        "bars_held": round(bars_held, 1),
        "trades": trades,
        "excess_t": excess_t,
        "iteration": iteration,
        "given_first": given_first,
        "spec": spec,
        "given": given,
        "grid": grid,
    }


def family(spec: StrategySpec) -> str:
    """A preset's name or a seed's; `own` for any other: a person's own names stay out of prompts."""
    return spec.family or (spec.name if spec.name in FAMILIES else "own")


def side(spec: StrategySpec) -> Literal["long", "short", "both"]:
    """Which sides it trades."""
    if spec.entry_short is None:
        return "long"
    return "both" if spec.entry_long is not None else "short"


def usual_day(dataset: Dataset, context: OptimizationContext) -> int:
    """Bars of the day in which holding times are told: 1 for longer bars, and by the rule of before."""
    if context.intraday == "bars":
        return 1
    market = opened(development_of(dataset, context.home_path), context.costs, context.fill)
    return bars_a_day(times_of(market))


def holding(bars: float, bars_a_day: int) -> int:
    """The class of a holding time, 0 for the shortest.

    Args:
        bars: held on average.
        bars_a_day: see `usual_day`.
    """
    limits = _DAYS if bars_a_day == 1 else (_PART_OF_A_DAY, *_DAYS)
    return sum(bars / bars_a_day > limit for limit in limits)


def archived(members: Iterable[Member], champion: str, bars_a_day: int) -> list[Member]:
    """The best of every family, holding time and side, best first, at most `MOST_MEMBERS`.

    Args:
        members: candidates, those of the archive before included.
        champion: hash of the champion, which stays whatever its rank, as does the strategy that the run began
            with.
        bars_a_day: see `usual_day`.
    """
    ranked = sorted(members, key=lambda one: (-one["excess_t"], not one["given_first"], one["hash"]))
    known: set[str] = set()
    taken: set[tuple[str, int, str]] = set()
    always: list[Member] = []
    best: list[Member] = []
    for one in ranked:
        if one["hash"] in known:
            continue
        known.add(one["hash"])
        cell = (one["family"], holding(one["bars_held"], bars_a_day), one["side"])
        if one["given_first"] or one["hash"] == champion:
            always.append(one)
        elif one["trades"] >= LEAST_TRADES and cell not in taken:
            best.append(one)
        else:
            continue
        taken.add(cell)
    kept = [*always, *best[: MOST_MEMBERS - len(always)]]
    kept.sort(key=lambda one: (-one["excess_t"], one["hash"]))
    return [{**one, "number": number} for number, one in enumerate(kept, start=1)]


def pays(challenger: float, champion: float, length: int) -> bool:
    """Whether the gain in likelihood, in bits, pays for code that is so many conditions long."""
    return gain(challenger, champion) >= length


def leads(challenger: float, champion: float, more_conditions: int = 0) -> bool:
    """Whether one excess t is above another by more than the noise of the ranking."""
    return challenger - champion > LEAST_LEAD * (1 + max(0, more_conditions))
