"""Node `review`: what the roles made of a backtest, for machines and for people. Nothing was tested."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from langgraph.runtime import Runtime

from backtest import StrategySpec
from backtest.files import write_text_atomically
from nodes.context import OptimizationContext
from nodes.optimization.answering import brains, proposer_answered
from nodes.optimization.state import OptimizationState
from nodes.recording import FINISHED, record
from prompts import Words
from reports.record import RunRecord, canonical_json
from reports.review_markdown import review_report

SHOWN = ("number", "sentence", "change", "reason", "expected_effect", "hash")


def review(state: OptimizationState, runtime: Runtime[OptimizationContext]) -> dict[str, Any]:
    """Write `result.json` and `report.md` of a review; times and ids stand under `run` alone."""
    context = OptimizationContext.of(runtime.context)
    log = RunRecord(context.home_path, state["run_id"])
    told = brains(log.events())
    verdicts = {verdict["proposal"]: verdict for verdict in state.get("verdicts") or []}
    spec = StrategySpec.model_validate(state["initial"])
    result: dict[str, Any] = {
        "run": {
            "id": state["run_id"],
            "started": log.about()["started"],
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        },
        "graph": "review",
        "status": "finished" if proposer_answered(told) else "failed",
        "degraded": any(brain["degraded"] for brain in told.values()),
        "final_score": state["baseline"]["score"],
        "strategy": {"strategy": state["initial"], "description": spec.describe(), "hash": spec.hash},
        "development": state["baseline"],
        "analysis": state["analysis"],
        "proposals": [
            {
                **{name: proposal[name] for name in SHOWN if name in proposal},
                "verdict": verdicts.get(proposal["number"]),
            }
            for proposal in state["proposals"]
        ],
        "debate": state.get("debate"),
        "brains": told,
        "dataset": state["dataset"],
        "settings": context.model_dump(mode="json", exclude={"home", "ollama_base_url", "openai_base_url"}),
        "spent": dict(sorted(log.log.counted().items())),
    }
    write_text_atomically(log.folder / "report.md", review_report(result, Words(context.language)))
    write_text_atomically(log.folder / "result.json", canonical_json(result))
    record(
        context,
        state["run_id"],
        "review",
        FINISHED,
        "review",
        iteration=state["iteration"],
        cites=[f"i{state['iteration']:02d}.strategist.answer"],
        data={"status": result["status"], "champion": spec.hash, "degraded": result["degraded"]},
    )
    return {"result": result}
