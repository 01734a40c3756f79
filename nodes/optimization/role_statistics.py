"""Who answered in a run, as its record tells it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from nodes.seam.journal import MODEL_BUDGETS
from record.events import Event
from record.results import UnfoundedClaim
from record.types import Brain, Provenance

ROLES = ("analyst", "strategist", "validator", "single")


@dataclass
class _Tally:
    """A role's answers as they are counted; see `record.types.Brain`."""

    calls: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    repaired: int = 0
    degraded: int = 0
    abstentions: int = 0
    refused: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    said: dict[str, str] = field(default_factory=dict)

    def add(self, provenance: Provenance) -> None:
        """Count one answer, or its absence."""
        model = provenance["model"]
        self.calls += 1
        if model:
            self.answers[model] += 1
        else:
            self.abstentions += 1
        self.repaired += bool(provenance.get("repairs"))
        self.degraded += provenance["degraded"]
        for attempt in provenance["attempts"]:
            if attempt["code"] in MODEL_BUDGETS:
                self.refused += 1
            elif attempt["outcome"] != "answered" and not attempt.get("repeated"):
                key = f"{attempt['model']}: {attempt['code']}"
                self.failures[key] += 1
                detail = attempt.get("fields", {}).get("detail")
                if isinstance(detail, str) and detail:  # else a reason of ours about an answer
                    self.said[key] = detail

    def plain(self) -> Brain:
        """Plain JSON."""
        told: Brain = {
            "calls": self.calls,
            "answers": dict(self.answers),
            "repaired": self.repaired,
            "degraded": self.degraded,
            "abstentions": self.abstentions,
            "refused": self.refused,
            "failures": dict(self.failures),
        }
        return {**told, "said": self.said} if self.said else told


def brains(events: Iterable[Event]) -> dict[str, Brain]:
    """Which models did each role."""
    tallies: dict[str, _Tally] = {}
    for event in events:
        provenance = event.data.answered_by
        if event.node in ROLES and provenance is not None:
            tallies.setdefault(event.node, _Tally()).add(provenance)
    return {role: tallies[role].plain() for role in ROLES if role in tallies}


def proposer_answered(told: Mapping[str, Brain]) -> bool:
    """Whether who proposes answered once, or was only kept from it by a budget.

    Without one answer the cycle has tested nothing: a failure, not a result.
    """
    brain = told.get("strategist") or told.get("single")
    if brain is None:
        return False
    return bool(brain["abstentions"] < brain["calls"] or brain["refused"] == brain["calls"])


def unfounded_answers(events: Iterable[Event]) -> list[UnfoundedClaim]:
    """Every claim whose figures no evidence bears out: `iteration`, `role`, `claim` and its `numbers`."""
    return [
        {"iteration": event.iteration, "role": event.node, **claim}
        for event in events
        if event.node in ROLES
        for claim in event.data.doubts
    ]
