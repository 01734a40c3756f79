"""How a strategy came to be what it is: each modification with its reasons, followed back along the record.

Events cite those they follow from, so nothing here is reconstructed: hypothesis, proposer, objections,
figures and the deciding test are all read where they were put on record.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

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

Event = Mapping[str, Any]


def strategy_evolution(events: Iterable[Event]) -> dict[str, Any]:
    """The evolution of the strategy of one optimisation run.

    Args:
        events: the run's record, in order.

    Returns:
        `start`, the initial strategy with its figures; `modifications`, one entry a proposal in the order of
        the run: `iteration`, `number`, `sentence`, `change`, `outcome`, `reason`, `expected_effect`,
        `hypotheses` (what the analyst had put up), `proposed_by`, `objections` (who, why), `before` and
        `after` (figures on development data), `decided_by` (the test and what it gave), `events` (ids to
        follow back); `stop`, why the search ended; `holdout`, the champion's figures there, once judged.
    """
    by_id = {event["id"]: event for event in events}
    baseline = by_id.get("i00.baseline")
    start = by_id.get("i00.load")
    champion = _figures(baseline["data"]["figures"]) if baseline else None
    modifications = []
    for event in by_id.values():
        if event["kind"] != "decision" or event["node"] != "select":
            continue
        data = event["data"]
        kept = champion
        for trial in data["trials"]:
            entry = _modification(event, trial, by_id, champion)
            modifications.append(entry)
            if trial["outcome"] == "adopted":
                kept = entry["after"]
        champion = kept
    stops = [e["data"] for e in by_id.values() if e["node"] == "converge" and e["data"].get("stop")]
    judged = by_id.get("judge")
    return {
        "start": {
            "strategy": start["data"]["strategy"] if start else None,
            "figures": _figures(baseline["data"]["figures"]) if baseline else None,
        },
        "modifications": modifications,
        "stop": stops[-1] if stops else None,
        "holdout": _figures(judged["data"]["champion"]) if judged else None,
    }


def _figures(figures: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return {name: figures[name] for name in _FIGURES if name in figures} if figures else None


def _modification(
    selected: Event, trial: Mapping[str, Any], by_id: Mapping[str, Event], before: dict[str, Any] | None
) -> dict[str, Any]:
    iteration, number = selected["iteration"], trial["number"]
    proposal = by_id.get(f"i{iteration:02d}.strategist.proposal.{number}")
    tested = by_id.get(f"i{iteration:02d}.backtest.{number}")
    debate = by_id.get(f"i{iteration:02d}.consensus")
    analysis = by_id.get(f"i{iteration:02d}.analyst.answer") or by_id.get(f"i{iteration:02d}.single.answer")
    ids = [event["id"] for event in (proposal, tested, selected, debate) if event]
    return {
        "iteration": iteration,
        "number": number,
        "sentence": trial["sentence"],
        "kind": trial["kind"],
        "change": trial["change"],
        "outcome": trial["outcome"],
        "reason": trial["reason"],
        "expected_effect": proposal["data"].get("expected_effect") if proposal else None,
        "hypotheses": _hypotheses(analysis, proposal),
        "proposed_by": _proposer(proposal, by_id),
        "objections": _objections(iteration, trial, by_id),
        "before": before,
        "after": _figures(tested["data"]["figures"]) if tested else None,
        "decided_by": {
            "champion_score": selected["data"]["score_before"],
            "score": trial["score"],
            **{name: value for name, value in trial.items() if name not in _TOLD},
        },
        "events": ids,
    }


def _hypotheses(analysis: Event | None, proposal: Event | None) -> list[dict[str, Any]]:
    """The hypotheses of the iteration; the one that the proposal names, where it names one."""
    found: list[dict[str, Any]] = ((analysis["data"].get("answer") or {}) if analysis else {}).get(
        "hypotheses", []
    )
    named = proposal["data"].get("hypothesis") if proposal else None
    if isinstance(named, int) and 1 <= named <= len(found):
        return [found[named - 1]]
    return found


def _proposer(proposal: Event | None, by_id: Mapping[str, Event]) -> dict[str, Any] | None:
    """Role and model: the answer that the proposal cites."""
    if proposal is None:
        return None
    for cited in proposal["cites"]:
        provenance = by_id[cited]["data"].get("provenance") if cited in by_id else None
        if provenance:
            return {
                "role": proposal["node"],
                "model": provenance["model"],
                "degraded": bool(provenance["degraded"]),
            }
    return {"role": proposal["node"], "model": "", "degraded": False}


def _objections(iteration: int, trial: Mapping[str, Any], by_id: Mapping[str, Event]) -> list[dict[str, Any]]:
    """Who was against it: the validator, the person who approves, and who wanted to stop after its tests."""
    found = []
    if trial["verdict"] == "rejected":
        single = by_id.get(f"i{iteration:02d}.single.answer")
        role = "single" if single else "validator"
        found.append({"by": role, "against": "test", "why": trial["verdict_reason"]})
    if trial["outcome"] == "declined":
        found.append({"by": "person", "against": "test", "why": None})
    consensus = by_id.get(f"i{iteration:02d}.consensus")
    for cited in reversed(consensus["cites"] if consensus else []):
        turn = by_id[cited]["data"] if cited in by_id else {}
        if turn.get("voice") in (consensus or {"data": {"dissent": []}})["data"]["dissent"] and not any(
            entry["by"] == turn["voice"] and entry["against"] == "consensus" for entry in found
        ):
            found.append({"by": turn["voice"], "against": "consensus", "why": turn["statement"]})
    return found
