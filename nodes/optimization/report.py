"""Node `report`: gathers the result from state and record, and writes it for machines and for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from langgraph.runtime import Runtime

from backtest import StrategySpec
from backtest.files import write_text_atomically
from nodes.context import OptimizationContext
from nodes.optimization.answering import brains, proposer_answered, unfounded_answers
from nodes.optimization.evidence import reigning
from nodes.optimization.history import backtests_done, whole_history
from nodes.optimization.lessons import remember
from nodes.optimization.state import OptimizationState
from nodes.recording import record
from prompts import Words
from reports.markdown import optimization_report
from reports.record import RunRecord, canonical_json


def applied_changes(history: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Every change that was kept, in order, with its reason and the score before and after."""
    changes = []
    for entry in history:
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
    told = brains(log.events())
    history = whole_history(log)
    spec = StrategySpec.model_validate(champion["spec"])
    settings = context.model_dump(mode="json", exclude={"home", "ollama_base_url", "openai_base_url"})
    result: dict[str, Any] = {
        "run": {
            "id": state["run_id"],
            "started": log.about()["started"],
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        },
        "status": "finished" if proposer_answered(told) else "failed",
        "degraded": any(brain["degraded"] for brain in told.values()),
        "stop_reason": state["decision"]["reason"],
        "iterations": state["iteration"],
        "final_score": champion["figures"]["score"],
        "initial_score": state["baseline"]["score"],
        "metrics": champion["figures"]["metrics"],
        "holdout_metrics": judgement["champion"]["metrics"],
        "applied_changes": applied_changes(history),
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
        "verdict": judgement["verdict"],
        "overfitting": judgement["overfitting"],
        "stress": judgement["stress"],
        "holdout": {**judgement["holdout"], "hash": judgement["holdout_hash"]},
        "walk_forward": {
            **champion["figures"]["walk_forward"],
            "cross_validation": judgement["cross_validation"],
        },
        "trials": backtests_done(state),
        "history": history,
        "brains": told,
        "unfounded": unfounded_answers(log.events()),
        "lessons": remember(runtime.store, state, history),
        "dataset": state["dataset"],
        "settings": settings,
        "spent": dict(sorted(log.log.counted().items())),
    }
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
    # Every trial of every iteration stands in the file; a checkpoint need not hold it too.
    return {"result": {name: value for name, value in result.items() if name != "history"}}
