"""What a judgement could have seen, and what is likely after it: power, and the edge to expect.

Sharpe ratios are of the excess over holding, a year. The chosen strategy is the best of m independent trials,
m the number that has the same chance of a high result as all that were tried (`independent_trials`). What is
seen of a true ratio θ is normal around it: `z = θ·√years + noise`.

Power: the chance that `p ≤ 2 %` and `p_h ≤ 50 %`, the bounds of `promising`, for a strategy that the search
offers. Edge: before anything is seen, one of the m trials has an edge, `θ ~ N(0, SLAB²)`, as likely as not,
and all others have none; then the best is chosen, and seen once more on the holdout. A result that the best
of m would reach without an edge speaks for none: multiplicity is paid in the odds, not in the size of the
edge (Scott & Berger 2010, Annals of Statistics 38(5)). Refuted: a useful edge lies above the 95 % bound of
both parts together, the selection not even counted, which could only have raised it.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from backtest.kernels.simulation import Floats
from backtest.statistics.sharpe import NORMAL
from backtest.validation.verdict import MOST_OPENINGS, PROMISING_HOLDOUT_P, PROMISING_P, share_of_error

SLAB = 1.0
"""Deviation of the true yearly excess Sharpe ratios of trials that have an edge."""
SOME = 0.5
"""Chance that a search holds such a trial."""
USEFUL = 0.5
"""Yearly excess Sharpe ratio below which an edge hardly pays for the trouble."""
SURE = 0.95
CONFIDENCE = 0.9
POWERFUL = 0.8
ASKED = (0.5, 1.0, 1.5, 2.0, 3.0)
"""Yearly Sharpe ratios whose chance of being recognised is told."""
_LONGEST = 200.0

Outcome = Literal["refuted", "undecided"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """What was seen, in yearly terms.

    Attributes:
        development_years: length of the development part.
        holdout_years: length of the holdout.
        opening: which opening of the holdout this is.
        independent: independent trials that the search amounts to, at least 1.
    """

    development_years: float
    holdout_years: float
    opening: int
    independent: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Edge:
    """The true yearly excess Sharpe ratio after everything that was seen.

    Attributes:
        expected: mean.
        low: lower end of the 90 % interval.
        high: upper end.
        positive: chance that it is above 0: net of costs, it pays more than holding does.
    """

    expected: float
    low: float
    high: float
    positive: float


@dataclass(frozen=True, kw_only=True)
class Sight:
    """What is told beside the verdict.

    Attributes:
        edge: what to expect.
        power: chance of `promising` or better, by true yearly excess Sharpe ratio.
        years_needed: of history in all, divided alike, for 80 % power at a ratio of 1; None beyond 200.
        outcome: `refuted` where a useful edge is excluded with 95 %, else `undecided`.
    """

    edge: Edge
    power: dict[float, float]
    years_needed: float | None
    outcome: Outcome

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON; ratios as texts where they are keys."""
        return {
            "edge": asdict(self.edge),
            "power": {f"{ratio:g}": chance for ratio, chance in self.power.items()},
            "years_needed": self.years_needed,
            "outcome": self.outcome,
        }


def power(ratio: float, evidence: Evidence) -> float:
    """Chance that a strategy of this true yearly excess Sharpe ratio becomes `promising` or `real`.

    Args:
        ratio: of the strategy that the search offers, a year.
        evidence: lengths, opening and search.
    """
    if evidence.opening > MOST_OPENINGS:
        return 0.0
    step = 0.01
    centre = ratio * math.sqrt(evidence.development_years)
    inside = np.arange(centre - 7.0, centre + 7.0, step)
    developments = -np.expm1(evidence.independent * np.log1p(-_upper(inside)))
    weights = math.sqrt(evidence.development_years), math.sqrt(evidence.holdout_years)
    wanted = -NORMAL.inv_cdf(PROMISING_P) * math.hypot(*weights)
    missing = (wanted - weights[0] * _quantiles(developments)) / weights[1]
    most = np.minimum(_upper(missing), PROMISING_HOLDOUT_P) / share_of_error(evidence.opening)
    needed = _quantiles(most)
    reached = _upper(needed - ratio * math.sqrt(evidence.holdout_years))
    density = np.exp(-0.5 * (inside - centre) ** 2) / math.sqrt(2.0 * math.pi)
    return float((density * reached).sum() * step)


def years_needed(ratio: float, evidence: Evidence) -> float | None:
    """Years of history, divided as this one, at which `power` reaches 80 %; None beyond 200.

    Args:
        ratio: true yearly excess Sharpe ratio.
        evidence: the division, the search and the opening.
    """
    total = evidence.development_years + evidence.holdout_years

    def at(years: float) -> float:
        scale = years / total
        return power(
            ratio,
            Evidence(
                development_years=evidence.development_years * scale,
                holdout_years=evidence.holdout_years * scale,
                opening=evidence.opening,
                independent=evidence.independent,
            ),
        )

    low, high = 0.0, _LONGEST
    if at(high) < POWERFUL:
        return None
    while high - low > 0.005 * high:
        middle = 0.5 * (low + high)
        low, high = (low, middle) if at(middle) >= POWERFUL else (middle, high)
    return high


def edge(development: float, holdout: float, evidence: Evidence) -> Edge:
    """The true ratio that both results leave likely.

    Args:
        development: yearly excess Sharpe ratio on the development part, the best of the search.
        holdout: the same on the holdout.
        evidence: lengths and search.
    """
    from scipy.special import log_ndtr  # noqa: PLC0415  # 0.4 s of the start of every command

    years = evidence.development_years, evidence.holdout_years
    z = development * math.sqrt(years[0])
    ratios = np.arange(-6.0, 10.0, 0.01)
    misses = [-0.5 * n * (seen - ratios) ** 2 for seen, n in zip((development, holdout), years, strict=True)]
    with_edge = np.exp(misses[0] + misses[1] - 0.5 * (ratios / SLAB) ** 2 + 0.5 * z**2)
    with_edge *= SOME * 0.01 / (SLAB * math.sqrt(2.0 * math.pi))
    # Without: a search that holds none, or one whose edge did worse than the best of the others.
    below, others = float(log_ndtr(z)), evidence.independent - 1.0
    beaten = float(log_ndtr(z / math.sqrt(1.0 + years[0] * SLAB**2))) - below
    without = (1.0 - SOME) * evidence.independent + SOME * others * math.exp(beaten)
    without *= math.exp(-0.5 * years[1] * holdout**2)
    total = without + float(with_edge.sum())
    weights = with_edge / total
    weights[np.abs(ratios).argmin()] += without / total
    grown = np.cumsum(weights)
    tail = (1.0 - CONFIDENCE) / 2.0
    return Edge(
        expected=float((weights * ratios).sum()),
        low=_clean(ratios[np.searchsorted(grown, tail)]),
        high=_clean(ratios[np.searchsorted(grown, 1.0 - tail)]),
        positive=float(weights[ratios > 1e-9].sum()),
    )


def excludes_useful(development: float, holdout: float, evidence: Evidence) -> bool:
    """Whether the one-sided 95 % bound of both parts stands below `USEFUL`; arguments as of `edge`."""
    years = evidence.development_years, evidence.holdout_years
    mean = (development * years[0] + holdout * years[1]) / sum(years)
    return mean + NORMAL.inv_cdf(SURE) / math.sqrt(sum(years)) < USEFUL


def sight(development: float, holdout: float, evidence: Evidence) -> Sight:
    """Everything that is told beside the verdict; arguments as of `edge`."""
    return Sight(
        edge=edge(development, holdout, evidence),
        power={ratio: power(ratio, evidence) for ratio in ASKED},
        years_needed=years_needed(1.0, evidence),
        outcome="refuted" if excludes_useful(development, holdout, evidence) else "undecided",
    )


def _clean(ratio: float) -> float:
    """A place of the grid without the dust of its sums."""
    return round(float(ratio), 2) + 0.0


def _upper(values: Floats) -> Floats:
    """P(Z ≥ each value)."""
    from scipy.special import ndtr  # noqa: PLC0415

    found: Floats = ndtr(-values)
    return found


def _quantiles(chances: Floats) -> Floats:
    """The standard normal quantile that leaves each chance above it, within ten deviations."""
    from scipy.special import ndtri  # noqa: PLC0415

    found: Floats = -ndtri(np.clip(chances, 1e-23, 1.0 - 1e-16))
    return found
