"""Node `select`: arithmetic keeps the best variant, if it is better, and closes the iteration's record."""

from __future__ import annotations

from typing import Any

from langgraph.runtime import Runtime

from backtest.score import beats
from nodes.context import OptimizationContext
from nodes.optimization.evidence import reigning
from nodes.optimization.history import shortened
from nodes.optimization.state import OptimizationState
from nodes.recording import record


def _trials(state: OptimizationState, verdicts: dict[int, dict[str, Any]]) -> list[dict[str, Any]]:
    """One entry a proposal: what became of it, before anything is adopted."""
    trials = []
    for proposal in state["proposals"]:
        verdict = verdicts.get(proposal["number"])
        variant = state.get("variants", {}).get(proposal["hash"])
        figures = variant["figures"] if variant else None
        outcome = _untested(proposal, verdict) if variant is None else "kept_out" if figures else "failed"
        trials.append(
            {
                "number": proposal["number"],
                "kind": proposal["change"]["kind"],
                "change": proposal["change"],
                "sentence": proposal["sentence"],
                "reason": proposal["reason"],
                "hash": proposal["hash"],
                "verdict": verdict["decision"] if verdict else None,
                "verdict_reason": verdict["reason"] if verdict else None,
                "outcome": outcome,
                "backtests": variant.get("backtests", 1) if variant else 0,
                "score": figures["score"] if figures else None,
            }
        )
    return trials


def _untested(proposal: dict[str, Any], verdict: dict[str, Any] | None) -> str:
    """Why a proposal was not tested: a person's word comes before the validator's."""
    if proposal.get("declined"):
        return "declined"
    return "rejected" if verdict and verdict["decision"] == "rejected" else "unaffordable"


def select(state: OptimizationState, runtime: Runtime[OptimizationContext]) -> dict[str, Any]:
    """Adopt the best variant if it beats the champion (`backtest.score.beats`); a tie keeps the champion."""
    context = OptimizationContext.of(runtime.context)
    iteration, champion = state["iteration"], reigning(state)
    # A verdict list of an earlier iteration is not this one's: without proposals the validator was not asked.
    judged = state.get("verdicts") if context.use_validator and state["proposals"] else None
    trials = _trials(state, {verdict["proposal"]: verdict for verdict in judged or []})

    best, adopted = champion, None
    for trial, proposal in zip(trials, state["proposals"], strict=True):
        if trial["score"] is None:
            continue
        figures = state["variants"][trial["hash"]]["figures"]
        beats_champion = beats(
            figures["score"],
            champion["figures"]["score"],
            figures["blocks"],
            champion["figures"]["blocks"],
        )
        if not beats_champion and figures["score"] > champion["figures"]["score"]:
            trial["outcome"] = "uneven"
        if beats_champion and figures["score"] > best["figures"]["score"]:
            best = {"spec": proposal["spec"], "figures": figures, "iteration": iteration}
            adopted = trial
    if adopted is not None:
        adopted["outcome"] = "adopted"
    analysis = state["analysis"]
    entry = {
        "iteration": iteration,
        "analyst_score": analysis["quality_score"] if analysis else None,
        "trials": trials,
        "adopted": adopted["sentence"] if adopted else None,
        "score_before": champion["figures"]["score"],
        "score": best["figures"]["score"],
    }
    record(
        context,
        state["run_id"],
        f"i{iteration:02d}.select",
        "decision",
        "select",
        iteration=iteration,
        cites=[f"i{iteration:02d}.backtest.{t['number']}" for t in trials if t["backtests"]],
        data={**entry, "champion": best["figures"]["hash"]},
    )
    return {"champion": best, "history": [*shortened(state["history"]), entry]}
