"""How a strategy came to be what it is: each modification with its reasons, followed back along the record.

Events cite those they follow from, so nothing here is reconstructed: hypothesis, proposer, objections,
figures and the deciding test are all read where they were put on record.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from record.events import (
    AnalystAnswer,
    BaselineTested,
    Consensus,
    Converged,
    DebateTurn,
    Event,
    Judged,
    Proposed,
    Selected,
    Started,
    Surveyed,
    VariantEvent,
)
from record.types import (
    Evolution,
    Figures,
    Hypothesis,
    Modification,
    Objection,
    Proposal,
    Proposer,
    Selection,
    Trial,
)

_TOLD = {
    "number",
    "kind",
    "change",
    "sentence",
    "reason",
    "hash",
    "verdict",
    "verdict_reason",
    "outcome",
    "score",
    "backtests",
    "hypothesis",
}
_FIGURES = ("score", "metrics", "blocks", "hash")


def strategy_evolution(events: Iterable[Event]) -> Evolution:
    """The evolution of the strategy of one optimisation run, from its record in order."""
    by_id = {event.id: event for event in events}
    found: Evolution = {
        "start": {"strategy": None, "figures": None},
        "modifications": [],
        "stop": None,
        "holdout": None,
    }
    before = None
    for event in by_id.values():
        match event.data:
            case Started(strategy=strategy):
                found["start"]["strategy"] = strategy
            case BaselineTested(figures=figures):
                before = found["start"]["figures"] = _figures(figures)
            case Surveyed(champion=champion):
                before = _figures(champion["figures"])
            case Selected(selection=selection):
                kept = before
                for trial in selection["trials"]:
                    entry = _modification(event, selection, trial, by_id, before)
                    found["modifications"].append(entry)
                    if trial["outcome"] == "adopted":
                        kept = entry["after"]
                before = kept
            case Converged(decision=decision) if decision["stop"]:
                found["stop"] = decision
            case Judged(judgement=judgement):
                found["holdout"] = _figures(judgement["champion"])
            case _:
                pass
    return found


def _figures(figures: Figures | None) -> dict[str, Any] | None:
    return {name: value for name, value in figures.items() if name in _FIGURES} if figures else None


def _modification(
    selected: Event,
    selection: Selection,
    trial: Trial,
    by_id: Mapping[str, Event],
    before: dict[str, Any] | None,
) -> Modification:
    iteration, number = selected.iteration, trial["number"]
    ids = (
        f"i{iteration:02d}.strategist.proposal.{number}",
        f"i{iteration:02d}.backtest.{number}",
        selected.id,
        f"i{iteration:02d}.consensus",
    )
    proposed, tested, _, debate = (by_id.get(name) for name in ids)
    analysis = by_id.get(f"i{iteration:02d}.analyst.answer") or by_id.get(f"i{iteration:02d}.single.answer")
    proposal = proposed.data.proposal if proposed and isinstance(proposed.data, Proposed) else None
    figures = tested.data.variant["figures"] if tested and isinstance(tested.data, VariantEvent) else None
    return {
        "iteration": iteration,
        "number": number,
        "sentence": trial["sentence"],
        "kind": trial["kind"],
        "change": trial["change"],
        "outcome": trial["outcome"],
        "reason": trial["reason"],
        "expected_effect": proposal.get("expected_effect") if proposal else None,
        "hypotheses": _hypotheses(analysis, proposal),
        "proposed_by": _proposer(proposed, by_id),
        "objections": _objections(iteration, trial, debate, by_id),
        "before": before,
        "after": _figures(figures),
        "decided_by": {
            "champion_score": selection["score_before"],
            "score": trial["score"],
            "champion_excess_t": selection.get("excess_t_before"),
            **{name: value for name, value in trial.items() if name not in _TOLD},
        },
        "events": [name for name in ids if name in by_id],
    }


def _hypotheses(analysis: Event | None, proposal: Proposal | None) -> list[Hypothesis]:
    """The hypothesis that the proposal says it tests; none where it names none."""
    answer = analysis.data if analysis else None
    found = answer.answer.get("hypotheses", []) if isinstance(answer, AnalystAnswer) else []
    named = proposal.get("hypothesis", 0) if proposal else 0
    return [found[named - 1]] if 1 <= named <= len(found) else []


def _proposer(proposed: Event | None, by_id: Mapping[str, Event]) -> Proposer | None:
    """Role and model: the answer that the proposal cites."""
    if proposed is None:
        return None
    cited = (by_id[name].data.answered_by for name in proposed.cites if name in by_id)
    provenance = next(filter(None, cited), None)
    return {
        "role": proposed.node,
        "model": provenance["model"] if provenance else "",
        "degraded": bool(provenance and provenance["degraded"]),
    }


def _objections(
    iteration: int, trial: Trial, debate: Event | None, by_id: Mapping[str, Event]
) -> list[Objection]:
    """Who was against it: the validator, the person who approves, and who wanted to stop after its tests."""
    found: list[Objection] = []
    if trial["verdict"] == "rejected":
        single = by_id.get(f"i{iteration:02d}.single.answer")
        role = "single" if single else "validator"
        found.append({"by": role, "against": "test", "why": trial["verdict_reason"]})
    if trial["outcome"] == "declined":
        found.append({"by": "person", "against": "test", "why": None})
    if debate is not None and isinstance(debate.data, Consensus):
        told = set(debate.data.dissent)
        for name in reversed(debate.cites):  # the last turn of each voice
            turn = by_id[name].data if name in by_id else None
            if isinstance(turn, DebateTurn) and (voice := turn.turn["voice"]) in told:
                told.remove(voice)
                found.append({"by": voice, "against": "consensus", "why": turn.turn["statement"]})
    return found
