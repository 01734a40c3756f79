"""Node `report`: gathers the result from state and record, and writes it for machines and for people."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from langgraph.runtime import Runtime

from backtest import StrategySpec
from backtest.files import write_text_atomically
from nodes.context import OptimizationContext
from nodes.optimization.evidence import reigning
from nodes.optimization.lessons import remember
from nodes.optimization.state import OptimizationState
from nodes.recording import record
from prompts import Words
from reports.markdown import optimization_report
from reports.record import RunRecord, canonical_json

ROLES = ("analyst", "strategist", "validator")


def brains(events: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Which model did each role: answers by model, how many were degraded, how often the role abstained."""
    told: dict[str, dict[str, Any]] = {}
    for event in events:
        if event["node"] not in ROLES or "provenance" not in event["data"]:
            continue
        brain = told.setdefault(
            event["node"], {"calls": 0, "answers": {}, "degraded": 0, "abstentions": 0, "failures": {}}
        )
        provenance = event["data"]["provenance"]
        brain["calls"] += 1
        if provenance["model"]:
            brain["answers"][provenance["model"]] = brain["answers"].get(provenance["model"], 0) + 1
        else:
            brain["abstentions"] += 1
        brain["degraded"] += bool(provenance["degraded"])
        for attempt in provenance["attempts"]:
            if attempt["outcome"] != "answered":
                key = f"{attempt['model']}: {attempt['code']}"
                brain["failures"][key] = brain["failures"].get(key, 0) + 1
    return {role: told[role] for role in ROLES if role in told}


def applied_changes(state: OptimizationState) -> list[dict[str, Any]]:
    """Every change that was kept, in order, with its reason and the score before and after."""
    changes = []
    for entry in state["history"]:
        for trial in entry["trials"]:
            if trial["outcome"] == "adopted":
                changes.append(
                    {
                        "iteration": entry["iteration"],
                        "description": trial["sentence"],
                        "kind": trial["kind"],
                        "change": trial["change"],
                        "reason": trial["reason"],
                        "score_before": entry["score_before"],
                        "score_after": entry["score"],
                    }
                )
    return changes


def report(state: OptimizationState, runtime: Runtime[OptimizationContext]) -> dict[str, Any]:
    """Write `result.json` and `report.md`; times and ids stand under `run` alone, the rest repeats."""
    context = OptimizationContext.of(runtime.context)
    log = RunRecord(context.home_path, state["run_id"])
    champion, judgement = reigning(state), state["judgement"]
    told = brains(list(log.events()))
    # Without one answer from its strategist the cycle has tested nothing: a failure, not a result.
    answered = "strategist" in told and told["strategist"]["abstentions"] < told["strategist"]["calls"]
    spec = StrategySpec.model_validate(champion["spec"])
    settings = context.model_dump(mode="json", exclude={"home", "ollama_base_url", "openai_base_url"})
    result: dict[str, Any] = {
        "run": {
            "id": state["run_id"],
            "started": log.about()["started"],
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        },
        "status": "finished" if answered else "failed",
        "degraded": any(brain["degraded"] for brain in told.values()),
        "stop_reason": state["decision"]["reason"],
        "iterations": state["iteration"],
        "final_score": champion["figures"]["score"],
        "initial_score": state["baseline"]["score"],
        "metrics": champion["figures"]["metrics"],
        "holdout_metrics": judgement["champion"]["metrics"],
        "applied_changes": applied_changes(state),
        "champion": {
            "strategy": champion["spec"],
            "description": spec.describe(),
            "hash": spec.hash,
            "found_in_iteration": champion["iteration"],
            "development": champion["figures"],
            "holdout": judgement["champion"],
        },
        "initial": {
            "strategy": state["initial"],
            "development": state["baseline"],
            "holdout": judgement["initial"],
        },
        "trials": len(state.get("variants", {})) + 1,
        "history": state["history"],
        "brains": told,
        "dataset": state["dataset"],
        "settings": settings,
    }
    remember(runtime.store, state, state["history"])
    write_text_atomically(log.folder / "report.md", optimization_report(result, Words(context.language)))
    write_text_atomically(log.folder / "result.json", canonical_json(result))
    record(
        context,
        state["run_id"],
        "report",
        "finished",
        "report",
        iteration=state["iteration"],
        cites=["judge"],
        data={"status": result["status"], "champion": spec.hash, "degraded": result["degraded"]},
    )
    return {"result": result}
