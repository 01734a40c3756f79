"""Scores of what was said, once its horizon has fully passed: Brier, calibration, hits, against baselines.

Brier is the sum over the three outcomes of (probability − what happened)², 0 the best and 2 the worst [Brier
1950]. Climatology says the shares of past moves known at the hour; 'no change' says neutral with certainty.
Skill is 1 − Brier / Brier of climatology. Hourly forecasts of one week share most of their outcome:
`windows` counts those whose horizons do not overlap, and is what a record is worth.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from typing_extensions import TypedDict

from nodes.ensemble.schemas import DAYS, ProposalHorizon
from nodes.ensemble.scores.memory import memory_of
from nodes.ensemble.scores.outcomes import NEUTRAL, MarketHistory, Outcome
from nodes.ensemble.scores.stances import hour_of
from nodes.ensemble.types import Stances

Kind = Literal["live", "back_rules", "back_after", "back_unknown", "back_within"]
"""Said at its hour; later, by rules; later, by models whose training data end before the hour, end nobody
knows when, or reach beyond it, so that they may remember what came."""
REMEMBERED: frozenset[Kind] = frozenset(("back_unknown", "back_within"))
"""Kinds that prove no skill."""

BINS = 10
_NO_CHANGE = (0.0, 1.0, 0.0)


class Calibration(TypedDict):
    """A tenth of probability: what was said there on average, how often it happened, and of how many."""

    said: float
    happened: float
    n: int


class ScoreRow(TypedDict):
    """Means of one voice, horizon and kind."""

    voice: str
    horizon: ProposalHorizon
    kind: Kind
    n: int
    windows: int
    brier: float
    brier_climatology: float
    brier_no_change: float
    skill: float
    hit_rate: float
    hit_rate_climatology: float
    hit_rate_no_change: float
    calibration_error: float
    calibration: list[Calibration]


@dataclass
class Tally:
    """Running sums of one voice, horizon and kind.

    Attributes:
        n: forecasts scored.
        windows: of them, those whose horizons do not overlap.
        brier, brier_climatology, brier_no_change: sums.
        hits, hits_climatology, hits_no_change: how often the likeliest outcome happened.
        bins: (probabilities summed, happened, n) a tenth of probability, over all three outcomes.
        open_until: end of the last window counted.
    """

    n: int = 0
    windows: int = 0
    brier: float = 0.0
    brier_climatology: float = 0.0
    brier_no_change: float = 0.0
    hits: int = 0
    hits_climatology: int = 0
    hits_no_change: int = 0
    bins: list[list[float]] = field(default_factory=lambda: [[0.0, 0.0, 0.0] for _ in range(BINS)])
    open_until: datetime | None = None

    def add(self, shares: Sequence[float], found: Outcome, hour: datetime, end: datetime) -> None:
        """Count one forecast."""
        self.n += 1
        if self.open_until is None or hour >= self.open_until:
            self.windows += 1
            self.open_until = end
        happened = found.outcome
        self.brier += brier(shares, happened)
        self.brier_climatology += brier(found.climatology, happened)
        self.brier_no_change += brier(_NO_CHANGE, happened)
        self.hits += likeliest(shares) == happened
        self.hits_climatology += likeliest(found.climatology) == happened
        self.hits_no_change += happened == NEUTRAL
        for outcome, share in enumerate(shares):
            one = self.bins[min(int(share * BINS), BINS - 1)]
            one[0] += share
            one[1] += outcome == happened
            one[2] += 1

    @property
    def skill(self) -> float:
        """1 − Brier / Brier of climatology; 0 without forecasts."""
        return 1.0 - self.brier / self.brier_climatology if self.brier_climatology else 0.0

    @property
    def calibration_error(self) -> float:
        """Mean distance between what was said and how often it happened, weighted by the bins' sizes."""
        total = sum(one[2] for one in self.bins)
        return sum(abs(one[0] - one[1]) for one in self.bins) / total if total else 0.0

    def as_row(self, voice: str, horizon: ProposalHorizon, kind: Kind) -> ScoreRow:
        """The means as plain JSON."""
        n = self.n
        return {
            "voice": voice,
            "horizon": horizon,
            "kind": kind,
            "n": n,
            "windows": self.windows,
            "brier": round(self.brier / n, 4),
            "brier_climatology": round(self.brier_climatology / n, 4),
            "brier_no_change": round(self.brier_no_change / n, 4),
            "skill": round(self.skill, 4),
            "hit_rate": round(self.hits / n, 4),
            "hit_rate_climatology": round(self.hits_climatology / n, 4),
            "hit_rate_no_change": round(self.hits_no_change / n, 4),
            "calibration_error": round(self.calibration_error, 4),
            "calibration": [
                {"said": round(one[0] / one[2], 4), "happened": round(one[1] / one[2], 4), "n": int(one[2])}
                for one in self.bins
                if one[2]
            ],
        }


def brier(shares: Sequence[float], happened: int) -> float:
    """Sum over the outcomes of (probability − what happened)²."""
    return sum((share - (place == happened)) ** 2 for place, share in enumerate(shares))


def likeliest(shares: Sequence[float]) -> int:
    """The outcome with the largest probability; of equal ones neutral, then positive."""
    return max((NEUTRAL, 0, 2), key=lambda place: shares[place])


class Scorer:
    """Scores lines of stances as their horizons pass; hours must come in order.

    Args:
        market: what happened.
    """

    def __init__(self, market: MarketHistory) -> None:
        self.market = market
        self.tallies: dict[tuple[str, ProposalHorizon, Kind], Tally] = {}
        self._waiting: dict[ProposalHorizon, deque[Stances]] = {horizon: deque() for horizon in DAYS}

    def add(self, lines: Iterable[Stances]) -> None:
        """Take in hours to be scored later."""
        for line in lines:
            for queue in self._waiting.values():
                queue.append(line)

    def advance(self, as_of: datetime) -> None:
        """Score every hour whose horizon has fully passed at `as_of`."""
        for horizon, queue in self._waiting.items():
            length = timedelta(days=DAYS[horizon])
            while queue and hour_of(queue[0]) + length <= as_of:
                line = queue.popleft()
                hour = hour_of(line)
                if (found := self.market.outcome(hour, horizon, as_of)) is None:
                    continue
                for voice, said in line["voices"].items():
                    tally = self.tallies.setdefault((voice, horizon, kind_of(line, voice)), Tally())
                    tally.add(said[horizon], found, hour, hour + length)

    def rows(self) -> list[ScoreRow]:
        """One row a voice, horizon and kind."""
        return [tally.as_row(*key) for key, tally in self.tallies.items()]


def kind_of(line: Stances, voice: str) -> Kind:
    """When, and by whom, something was said."""
    if line["live"]:
        return "live"
    match memory_of(line, voice):
        case "after":
            return "back_after"
        case "unknown":
            return "back_unknown"
        case "within":
            return "back_within"
    return "back_rules"
