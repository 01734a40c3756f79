"""The evidence that the next roles are to see: the champion's figures, and lessons of finished runs."""

from __future__ import annotations

from langgraph.store.base import BaseStore

from nodes.context import OptimizationContext
from nodes.optimization.evidence.evidence import reigning
from nodes.optimization.evidence.history import backtests_done
from nodes.optimization.evidence.items import build_dossier, candidate_item
from nodes.optimization.evidence.lessons import recall
from nodes.optimization.parsed import parsed
from nodes.optimization.state import OptimizationState
from nodes.run_events import record
from record.events import EvidenceListed, LessonsRecalled
from record.record import RunRecord
from record.types import Dossier, Lesson
from vault.datasets import Dataset


def prepare_dossier(
    state: OptimizationState, context: OptimizationContext, iteration: int, after: str
) -> Dossier:
    """The champion's figures and the candidates, put on record: every id that is cited stands there.

    They are those of the next iteration, its debate too: what has been read of them is not read again.

    Args:
        state: with the champion and the archive, if there is one.
        context: the run's settings.
        iteration: 0 before the first.
        after: the node that leaves them; what the survey leaves replaces what the baseline did.
    """
    champion = reigning(state)
    dossier = build_dossier(
        parsed(champion["spec"]),
        champion["figures"],
        backtests_done(state),
        Dataset.model_validate(state["dataset"]),
        context,
    )
    dossier["items"] += [candidate_item(one) for one in state.get("archive") or []]
    record(
        context,
        state["run_id"],
        f"i{iteration:02d}.evidence",
        "evidence",
        EvidenceListed(items=dossier["items"]),
        iteration=iteration,
        cites=[f"i{iteration:02d}.{after}"],
    )
    return {**dossier, "champion": champion}


def prepare_lessons(
    state: OptimizationState, store: BaseStore | None, context: OptimizationContext
) -> list[Lesson]:
    """What finished runs taught, recalled once a run.

    A resumed run and a replay take it from the record, for the store has learnt more since.
    """
    log = RunRecord(context.home_path, state["run_id"])
    said = log.log.told("i00.lessons", LessonsRecalled) or log.answers.told("i00.lessons", LessonsRecalled)
    lessons = said.lessons if said else recall(store, state)
    record(
        context,
        state["run_id"],
        "i00.lessons",
        "evidence",
        LessonsRecalled(lessons=lessons),
        cites=["i00.load"],
    )
    return lessons
