"""Evidence on bars that did not exist when a strategy was sealed; it may be looked at after every bar.

Somebody bets on each bar's excess over holding, a stake fixed before the bar. Where the strategy has no edge
no stake makes him richer on average, so that his capital, 1 at first, reaches 20 with a chance of 5 % at
most, however often it is looked at (Ville 1939). Capital is the e-value; the inverse of the highest reached
so far is a p-value that always holds (Shafer 2021, Journal of the Royal Statistical Society A 184(2); Waudby-
Smith & Ramdas 2024, Journal of the Royal Statistical Society B 86(1)). A second bettor bets against a useful
edge.

Excess is the strategy's return, net of costs, less the market's times the average exposure that was sealed.
Stakes are those that grow fastest at the yearly Sharpe ratios of `STAKES`, in equal parts, as deviations of
the excess seen so far; none loses everything before a bar of `RUIN` deviations. What falls further is not
paid in full, so each bar costs `FEE` deviations: the bound of 5 % holds wherever falls beyond `RUIN`
deviations are worth less than that on average, as with Student's t of three degrees of freedom.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from backtest.kernels.simulation import Floats
from backtest.validation.power import USEFUL

STAKES = (0.5, 1.0, 2.0, 3.0)
RUIN = 12.0
FEE = 0.001
DECISIVE = 20.0
"""Capital at which a question is decided: 5 % error at most."""
_HALF_LIFE = 60.0
"""Bars after which a squared excess counts half in the deviation."""

Outcome = Literal["confirmed", "refuted", "open"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What is fixed before the first bar.

    Attributes:
        exposure: average share of the account in the market, shorts negative.
        deviation: of the excess, per bar; above 0.
        bars_per_year: of the prices.
    """

    exposure: float
    deviation: float
    bars_per_year: float

    @property
    def stakes(self) -> Floats:
        """Shares of the capital at stake for one deviation of excess, ascending."""
        asked = np.asarray(STAKES) / math.sqrt(self.bars_per_year)
        return np.unique(np.minimum(asked, 1.0 / RUIN))

    def years_needed(self, ratio: float) -> float | None:
        """Years until an edge of this yearly Sharpe ratio is confirmed, on average; None if it never is."""
        stakes, edge = self.stakes, ratio / math.sqrt(self.bars_per_year) - FEE
        growth = self.bars_per_year * float((stakes * edge - stakes**2 / 2.0).max())
        return math.log(DECISIVE * stakes.size) / growth if growth > 0.0 else None


@dataclass(frozen=True, kw_only=True)
class Forward:
    """What the new bars say.

    Attributes:
        bars: how many.
        excess_sharpe: yearly Sharpe ratio of their excess; None for fewer than two, or without any.
        capital: of who bets on an edge, now.
        highest: the highest it was.
        against: highest capital of who bets against a yearly Sharpe ratio of `USEFUL`.
        p_value: of "no edge", whenever looked at.
        outcome: which question was decided first; `open` while none is.
        decided_at: number of the bar that decided; None while open.
        path: capital of the first bettor after each bar.
    """

    bars: int
    excess_sharpe: float | None
    capital: float
    highest: float
    against: float
    p_value: float
    outcome: Outcome
    decided_at: int | None
    path: Floats

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON, without the path."""
        return {name: value for name, value in asdict(self).items() if name != "path"}


def judge_forward(excess: ArrayLike, plan: Plan) -> Forward:
    """Judge the excess of the bars since a strategy was sealed.

    Args:
        excess: n returns over holding with the plan's exposure, one a bar, finite.
        plan: as it was sealed.
    """
    values = np.asarray(excess, dtype=np.float64)
    scaled = values / _deviations(values, plan.deviation)
    useful = USEFUL / math.sqrt(plan.bars_per_year)
    path = _capital(scaled - FEE, plan.stakes)
    against = _capital(useful - scaled - FEE, plan.stakes)
    decided = {name: _first(one) for name, one in (("confirmed", path), ("refuted", against))}
    reached = {name: bar for name, bar in decided.items() if bar is not None}
    outcome: Any = min(reached, key=lambda name: reached[name]) if reached else "open"
    highest = float(path.max(initial=1.0))
    spread = float(values.std(ddof=1)) if values.size > 1 else 0.0
    return Forward(
        bars=values.size,
        excess_sharpe=float(values.mean()) / spread * math.sqrt(plan.bars_per_year) if spread else None,
        capital=float(path[-1]) if values.size else 1.0,
        highest=highest,
        against=float(against.max(initial=1.0)),
        p_value=1.0 / highest,
        outcome=outcome,
        decided_at=reached.get(outcome),
        path=path,
    )


def _deviations(values: Floats, sealed: float) -> Floats:
    """The deviation known before each bar: the sealed one, or the recent one where it is larger."""
    keep = 0.5 ** (1.0 / _HALF_LIFE)
    found = np.empty(values.size)
    variance = sealed**2
    for bar, value in enumerate(values):
        found[bar] = variance
        variance = keep * variance + (1.0 - keep) * value**2
    return np.maximum(sealed, np.sqrt(found))


def _capital(gains: Floats, stakes: Floats) -> Floats:
    """Capital after each bar, in equal parts on all stakes; a part that is lost stays lost."""
    factors = np.maximum(0.0, 1.0 + stakes[:, None] * gains)
    capital: Floats = np.cumprod(factors, axis=1).mean(axis=0)
    return capital


def _first(path: Floats) -> int | None:
    """Number of the first bar at which a question is decided."""
    reached = path >= DECISIVE
    return int(reached.argmax()) + 1 if reached.any() else None
