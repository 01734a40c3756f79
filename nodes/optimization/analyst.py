"""Node `analyst`: opens an iteration and reads the champion's backtest."""

from __future__ import annotations

from typing import Any

from langgraph.runtime import Runtime

from backtest import StrategySpec
from market.datasets import Dataset
from nodes.ask import Abstention, Question, ask
from nodes.context import OptimizationContext
from nodes.optimization import rules
from nodes.optimization.claims import doubts, unfounded_claims, unknown_ids
from nodes.optimization.dossier import build_dossier
from nodes.optimization.evidence import (
    figure_lines,
    gather_evidence,
    history_lines,
    known_numbers,
    lesson_lines,
    quoted,
    reigning,
    strategy_lines,
)
from nodes.optimization.lessons import recall
from nodes.optimization.schemas import Analysis
from nodes.optimization.state import OptimizationState
from nodes.recording import record
from prompts import render


def configurations_compared(state: OptimizationState) -> int:
    """How many configurations the run has compared so far, the initial one and numeric search included."""
    tested: list[int] = [t["backtests"] for entry in state.get("history", []) for t in entry["trials"]]
    return 1 + sum(tested)


def _dossier(state: OptimizationState, context: OptimizationContext) -> dict[str, Any]:
    """The champion's figures; an iteration that adopted nothing keeps those of the one before."""
    champion, known = reigning(state), state.get("dossier")
    compared = configurations_compared(state)
    if known is not None and (known["hash"], known["compared"]) == (champion["figures"]["hash"], compared):
        return known
    dataset = Dataset.model_validate(state["dataset"])
    spec = StrategySpec.model_validate(champion["spec"])
    built = build_dossier(spec, champion["figures"], compared, dataset, context)
    return {**built, "compared": compared}


def claims_of(answer: Analysis) -> list[str]:
    """What an analysis states as fact; a test it suggests may name new numbers."""
    return [
        *answer.strengths,
        *answer.weaknesses,
        *answer.anomalies,
        *(hypothesis.statement for hypothesis in answer.hypotheses),
    ]


def analyst(state: OptimizationState, runtime: Runtime[OptimizationContext]) -> dict[str, Any]:
    """Ask for a reading of the champion; an analyst that cannot answer abstains and the cycle goes on."""
    context = OptimizationContext.of(runtime.context)
    iteration = state.get("iteration", 0) + 1
    called = f"i{iteration:02d}.analyst"
    record(context, state["run_id"], called, "role_called", "analyst", iteration=iteration)
    lessons = state.get("lessons")
    if lessons is None:
        lessons = recall(runtime.store, state)
    seen: OptimizationState = {**state, "dossier": _dossier(state, context), "lessons": lessons}
    evidence = gather_evidence(seen, iteration)
    strategy = strategy_lines(evidence, context.language)
    figures = figure_lines(evidence, context.language)
    history = history_lines(evidence, context.language)
    learnt = lesson_lines(evidence, context.language)
    numbers = known_numbers(strategy, figures, history, learnt, evidence["dataset"]["timeframe"])

    def check(answer: Analysis) -> list[str]:
        cited = [name for hypothesis in answer.hypotheses for name in hypothesis.evidence]
        return doubts(claims_of(answer), numbers, context.language, cited=cited, known=evidence["ids"])

    answer = ask(
        Question(
            role="analyst",
            prompt=render(
                "optimization/analyst",
                context.language,
                symbol=quoted(evidence["dataset"]["symbol"]),
                timeframe=quoted(evidence["dataset"]["timeframe"]),
                strategy=strategy,
                figures=figures,
                history=history,
                lessons=learnt,
            ),
            schema=Analysis,
            evidence={**evidence, "language": context.language},
            policy=rules.analyst,
            doubts=check,
        ),
        chain=context.analyst,
        context=context,
    )
    analysis = None
    if not isinstance(answer, Abstention):
        cited = [name for hypothesis in answer.value.hypotheses for name in hypothesis.evidence]
        analysis = {
            **answer.value.model_dump(mode="json"),
            "unfounded": unfounded_claims(claims_of(answer.value), numbers, context.language),
            "unknown_evidence": unknown_ids(cited, evidence["ids"]),
        }
    record(
        context,
        state["run_id"],
        f"{called}.answer",
        "answer" if analysis else "abstention",
        "analyst",
        iteration=iteration,
        cites=[called],
        data={
            "answer": analysis,
            "evidence": seen["dossier"]["items"],
            "lessons": lessons,
            "provenance": answer.provenance.model_dump(mode="json"),
        },
    )
    return {
        "iteration": iteration,
        "analysis": analysis,
        "dossier": seen["dossier"],
        "lessons": lessons,
    }
