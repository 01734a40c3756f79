"""What the last node of a run does, whichever graph it ends: the frame of its result, and its files."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from base.files import write_text_atomically
from nodes.context import OptimizationContext
from nodes.optimization.role_statistics import brains, proposer_answered
from nodes.optimization.state import OptimizationState
from nodes.run_events import record
from record.events import RunFinished
from record.record import RunRecord, canonical_json
from record.results import Frame, RunTimes


def result_frame(state: OptimizationState, context: OptimizationContext) -> Frame:
    """What every result tells of its run: times and ids under `run` alone, the rest repeats."""
    log = RunRecord(context.home_path, state["run_id"])
    told, about = brains(log.events()), log.about()
    run: RunTimes = {
        "id": state["run_id"],
        "started": about["started"],
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    if parent := about.get("parent"):
        run["parent"] = parent
    return {
        "run": run,
        "status": "finished" if proposer_answered(told) else "failed",
        "degraded": any(brain["degraded"] for brain in told.values()),
        "brains": told,
        "dataset": state["dataset"],
        "settings": context.model_dump(mode="json", exclude={"home", "ollama_base_url", "openai_base_url"}),
        "spent": dict(sorted(log.log.counted().items())),
    }


def finish(
    state: OptimizationState,
    context: OptimizationContext,
    node: str,
    *,
    result: Frame,
    report: str,
    champion: str,
    cites: Sequence[str],
) -> None:
    """Write `report.md` and `result.json`; then the run's last event. A finished run stays as it is.

    Args:
        state: of the run.
        context: its settings.
        node: which ends it: the event's id too.
        result: for machines.
        report: for people.
        champion: hash of the strategy the run ends with.
        cites: what the result follows from.
    """
    log = RunRecord(context.home_path, state["run_id"])
    if log.log.ended():  # the process ended between the last event and its checkpoint
        return
    folder = log.folder
    write_text_atomically(folder / "report.md", report)
    write_text_atomically(folder / "result.json", canonical_json(result))
    record(
        context,
        state["run_id"],
        node,
        node,
        RunFinished(status=result["status"], champion=champion, degraded=result["degraded"]),
        iteration=state["iteration"],
        cites=cites,
    )
