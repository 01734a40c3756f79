"""Node `arbiter`: reconciles the agents' reports into one summary, again when the check sends it back."""

from __future__ import annotations

import json
from typing import Any

from langgraph.runtime import Runtime

from nodes.ask import Question
from nodes.context import EnsembleContext
from nodes.ensemble import arbiter_rules
from nodes.ensemble.consult import consultation, no_data
from nodes.ensemble.evidence import candidates, lines
from nodes.ensemble.pooling import AGENTS, factors, pool, weights
from nodes.ensemble.schemas import LLMEnsembleSummary
from nodes.ensemble.state import EnsembleState
from prompts import Words, render


def arbiter(state: EnsembleState, runtime: Runtime[EnsembleContext]) -> dict[str, Any]:
    """Ask for the summary; with no agent's report there is nothing to reconcile, and nobody is asked."""
    context = EnsembleContext.of(runtime.context)
    words = Words(context.language)
    before = state.get("turns", [])
    reports = {agent: state[agent]["report"] for agent in AGENTS if state[agent]["report"] is not None}  # type: ignore[literal-required]
    if not reports:
        turn = no_data("arbiter")
        return {"arbiter": turn, "turns": [*before, turn], "draft": None}
    trust = factors(state["evidence"]["quality"])
    rows = candidates(state["evidence"])
    pooled = pool(reports, trust)
    review = ""
    if state.get("errors"):
        review = words(
            "ensemble.check.review",
            # The number also keeps the cache from giving the same refused answer again.
            turn=len(before),
            errors="\n".join(f"- {error}" for error in state["errors"]),
            draft=json.dumps(state["draft"], ensure_ascii=False),
        )
    silent = [words(f"ensemble.agent.{agent}") for agent in AGENTS if agent not in reports]
    prompt = render(
        "ensemble/arbiter",
        context.language,
        hour=state["hour"],
        reports=lines({"agent": agent, **report} for agent, report in reports.items()),
        silent=", ".join(silent) or words("ensemble.face.none"),
        weights=lines([weights(reports, trust)]),
        pooled=lines([pooled]),
        rows=lines(rows),
        review=review,
    )
    odds = [row["recession_prob"] for row in state["evidence"]["macro"] if row["recession_prob"] is not None]
    question = Question(
        role="arbiter",
        prompt=prompt,
        schema=LLMEnsembleSummary,
        evidence={
            "language": context.language,
            "reports": reports,
            "pooled": pooled,
            "candidates": rows,
            "recession_prob": odds[-1] if odds else None,
        },
        policy=arbiter_rules.arbiter,
        # What schema errors have used up is no longer there for the check's, and the reverse.
        corrections=max(context.corrections - len(before), 0),
    )
    turn = consultation("arbiter", question, context.arbiter, context)
    draft = turn["report"] if turn["report"] is not None else state.get("draft")
    return {"arbiter": turn, "turns": [*before, turn], "draft": draft}
