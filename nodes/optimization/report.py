"""Node `report`: gathers the result from state and record, and writes it for machines and for people."""

from __future__ import annotations

from collections.abc import Sequence

from langgraph.runtime import Runtime

from backtest import StrategySpec
from nodes.context import OptimizationContext
from nodes.optimization.evidence.evidence import reigning
from nodes.optimization.evidence.history import backtests_done, whole_history
from nodes.optimization.evidence.lessons import remember
from nodes.optimization.finishing import finish, result_frame
from nodes.optimization.role_statistics import unfounded_answers
from nodes.optimization.state import OptimizationState
from nodes.optimization.trials.workshop import credit
from prompts import Words
from record.events import Surveyed
from record.record import RunRecord
from record.results import KeptChange, RunResult
from record.run_view import RunView
from record.types import Iteration
from reports.markdown import optimization_report


def applied_changes(history: Sequence[Iteration]) -> list[KeptChange]:
    """Every change that was kept, in order, with its reason and the score before and after."""
    changes: list[KeptChange] = []
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


def survey_change(state: OptimizationState, surveyed: Surveyed | None, words: Words) -> list[KeptChange]:
    """The survey's champion in place of the given strategy as the first change; none where that stayed."""
    if surveyed is None or surveyed.champion["given"] == state["initial"]:
        return []
    champion, before = surveyed.champion, state["baseline"]["score"]
    own = next(one for one in surveyed.archive if one["given_first"])
    spec = StrategySpec.model_validate(champion["spec"])
    return [
        {
            "iteration": 0,
            "description": words("optimization.change.surveyed", old=state["initial"]["name"], new=spec.name),
            "kind": "survey",
            "change": {"kind": "survey", "strategy": champion["spec"]},
            "reason": words(
                "optimization.change.surveyed_reason",
                count=words.number(surveyed.configurations),
                t=words.number(champion["excess_t"]),
                before=words.number(own["excess_t"]),
            ),
            "score_before": before,
            "score_after": champion["figures"]["score"],
        }
    ]


def report(state: OptimizationState, runtime: Runtime[OptimizationContext]) -> OptimizationState:
    """Write `result.json` and `report.md`; times and ids stand under `run` alone, the rest repeats.

    Where nothing was tested there is no judgement: `verdict` and all of the holdout are None, the status is
    `untested`, or `failed` where nobody proposed.
    """
    context = OptimizationContext.of(runtime.context)
    log = RunRecord(context.home_path, state["run_id"])
    champion, judgement = reigning(state), state.get("judgement")
    history, words = whole_history(log), Words(context.language)
    kept = [*survey_change(state, RunView.of(log.events()).surveyed, words), *applied_changes(history)]
    spec = StrategySpec.model_validate(champion["spec"])
    frame = result_frame(state, context)
    if judgement is None and frame["status"] == "finished":
        frame["status"] = "untested"
    result: RunResult = {
        "run": frame["run"],
        "status": frame["status"],
        "degraded": frame["degraded"],
        "brains": frame["brains"],
        "dataset": frame["dataset"],
        "settings": frame["settings"],
        "spent": frame["spent"],
        "stop_reason": state["decision"]["reason"],
        "iterations": state["iteration"],
        "final_score": champion["figures"]["score"],
        "initial_score": state["baseline"]["score"],
        "metrics": champion["figures"]["metrics"],
        "holdout_metrics": judgement["champion"]["metrics"] if judgement else None,
        "applied_changes": kept,
        "champion": {
            "strategy": champion["spec"],
            "description": spec.describe(),
            "hash": spec.hash,
            "found_in_iteration": champion["iteration"],
            "development": champion["figures"],
            "holdout": judgement["champion"] if judgement else None,
        },
        "initial": {
            "strategy": state["initial"],
            "development": state["baseline"],
            "holdout": judgement["initial"] if judgement else None,
        },
        "verdict": judgement["verdict"] if judgement else None,
        "overfitting": judgement["overfitting"] if judgement else None,
        "sight": judgement["sight"] if judgement else None,
        "attribution": judgement.get("attribution") if judgement else None,
        "stress": judgement["stress"] if judgement else [],
        "holdout": {**judgement["holdout"], "hash": judgement["holdout_hash"]} if judgement else None,
        "walk_forward": {
            **champion["figures"]["walk_forward"],
            "cross_validation": judgement["cross_validation"] if judgement else None,
        },
        "trials": backtests_done(state),
        "history": history,
        "unfounded": unfounded_answers(log.events()),
        "lessons": remember(runtime.store, state, history),
    }
    if context.search == "population":
        result["surveyed"], result["archive"] = state["surveyed"], state["archive"]
    if judgement and "earlier_openings" in judgement:
        result["earlier_openings"] = judgement["earlier_openings"]
    if judgement and "instruments" in judgement:
        result["instruments"] = judgement["instruments"]
    if judgement and "declared" in judgement:
        result["declared"] = judgement["declared"]
    if judgement and "missing_evidence" in judgement:
        result["missing_evidence"] = judgement["missing_evidence"]
    credit(context, state["run_id"], history, judgement["verdict"]["value"] if judgement else None)
    finish(
        state,
        context,
        "report",
        result=result,
        report=optimization_report(result, words),
        champion=spec.hash,
        cites=["judge"] if judgement else [f"i{state['iteration']:02d}.converge"],
    )
    # Every trial of every iteration stands in the file; a checkpoint need not hold it too.
    return {"result": {name: value for name, value in result.items() if name != "history"}}
