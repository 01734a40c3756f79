"""Node `arbiter`: reconciles the agents' reports into one summary, again when the check sends it back."""

from __future__ import annotations

import json
from typing import cast

from langgraph.runtime import Runtime

from nodes.ensemble.agents import AGENTS, WEIGHED
from nodes.ensemble.case import summary_of, summary_of_rows
from nodes.ensemble.consult import consultation, no_data, told
from nodes.ensemble.context import EnsembleContext
from nodes.ensemble.operation.run_events import note
from nodes.ensemble.policies.arbiter import arbiter_policy
from nodes.ensemble.policies.evidence import arbiter_evidence, candidates, fenced, lines
from nodes.ensemble.policies.instruments import instruments_of
from nodes.ensemble.policies.pooling import factors, pool, weights, within_reach
from nodes.ensemble.policies.words import agent_name
from nodes.ensemble.schemas import ArbiterAnswer
from nodes.ensemble.state import EnsembleState, reports_of
from nodes.ensemble.types import Draft, Report
from nodes.seam.ask import Question
from prompts import Words, render


def arbiter(state: EnsembleState, runtime: Runtime[EnsembleContext]) -> EnsembleState:
    """Ask for the summary; with no agent's report there is nothing to reconcile, and nobody is asked."""
    context = EnsembleContext.of(runtime.context)
    before = state.get("turns", [])
    reports = reports_of(state)
    turn = consultation(*_question(state, context, reports), context) if reports else no_data("arbiter")
    number = len(before) + 1
    note(state, context, f"t{number}.arbiter", "arbiter", told(turn), number)
    draft = state.get("draft")
    if turn["report"] is not None:
        pooled = pool(reports, factors(state["evidence"]["quality"]), state["record"])
        draft = within_reach(cast(Draft, turn["report"]), pooled)
    return {"arbiter": turn, "turns": [*before, turn], "draft": draft}


def _question(
    state: EnsembleState, context: EnsembleContext, reports: dict[str, Report]
) -> tuple[str, Question[ArbiterAnswer], tuple[str, ...]]:
    words, before = Words(context.language), state.get("turns", [])
    trust, record = factors(state["evidence"]["quality"]), state["record"]
    rows, pooled = candidates(state["evidence"]), pool(reports, trust, record)
    advisable = instruments_of(state)
    review = ""
    if state.get("errors"):
        review = words(
            "ensemble.check.review",
            # The number also keeps the cache from giving the same refused answer again.
            turn=len(before),
            errors="\n".join(f"- {error}" for error in state["errors"]),
            draft=json.dumps(state["draft"], ensure_ascii=False),
        )
    silent = [agent_name(agent, words) for agent in AGENTS if agent not in reports]
    prompt = render(
        "ensemble/arbiter",
        context.language,
        hour=state["hour"],
        reports=fenced(
            (
                {"agent": agent, "coverage": state["agents"][agent]["coverage"], **report}
                for agent, report in reports.items()
            ),
            state["hour"],
            words,
        ),
        order=", ".join(words(f"agents.{agent.name}.short") for agent in WEIGHED),
        silent=", ".join(silent) or words("ensemble.face.none"),
        weights=lines([weights(reports, trust, record)]),
        pooled=lines([pooled]),
        rows=fenced(rows, state["hour"], words),
        review=review,
    )
    schema = summary_of(tuple(advisable))
    question = Question(
        role="arbiter",
        prompt=prompt,
        schema=schema,
        case=lambda: summary_of_rows(schema, rows),
        checked=True,
        evidence=arbiter_evidence(state["evidence"], reports, pooled, advisable, context.language),
        policy=arbiter_policy,
        # What schema errors have used up is no longer there for the check's, and the reverse.
        corrections=max(context.corrections - len(before), 0),
        fresh=context.fresh,
        hosted_seconds=context.arbiter_seconds,
        watched=not context.back_run,
        unattended=context.unattended,
        run=state["run"],
    )
    return "arbiter", question, context.chain("arbiter")
