"""Who answered in a run, as its record tells it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from nodes.seam.journal import MODEL_BUDGETS
from record.events import Event
from record.results import UnfoundedClaim
from record.types import Brain

ROLES = ("analyst", "strategist", "validator", "single")


def brains(events: Iterable[Event]) -> dict[str, Brain]:
    """Which models did each role."""
    told: dict[str, Brain] = {}
    for event in events:
        provenance = event.data.answered_by
        if event.node not in ROLES or provenance is None:
            continue
        brain = told.setdefault(
            event.node,
            {
                "calls": 0,
                "answers": {},
                "repaired": 0,
                "degraded": 0,
                "abstentions": 0,
                "refused": 0,
                "failures": {},
            },
        )
        brain["calls"] += 1
        if provenance["model"]:
            brain["answers"][provenance["model"]] = brain["answers"].get(provenance["model"], 0) + 1
        else:
            brain["abstentions"] += 1
        brain["repaired"] += bool(provenance.get("repairs"))
        brain["degraded"] += bool(provenance["degraded"])
        for attempt in provenance["attempts"]:
            if attempt["code"] in MODEL_BUDGETS:
                brain["refused"] += 1
            elif attempt["outcome"] != "answered" and not attempt.get("repeated"):
                key = f"{attempt['model']}: {attempt['code']}"
                brain["failures"][key] = brain["failures"].get(key, 0) + 1
                detail = attempt.get("fields", {}).get("detail")
                if isinstance(detail, str) and detail:  # else a reason of ours about an answer
                    brain.setdefault("said", {})[key] = detail
    return {role: told[role] for role in ROLES if role in told}


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
