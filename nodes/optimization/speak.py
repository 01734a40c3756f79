"""Node `speak`: the next voice of the debate takes its turn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langgraph.runtime import Runtime

from nodes.ask import Abstention, Question, ask
from nodes.context import OptimizationContext
from nodes.journal import Journal
from nodes.optimization import debate_rules
from nodes.optimization.evidence import (
    figure_lines,
    gather_evidence,
    history_lines,
    proposal_lines,
    strategy_lines,
    turn_lines,
)
from nodes.optimization.state import DebateState
from nodes.optimization.turns import Turn
from nodes.recording import record
from prompts import render, text


def voices(context: OptimizationContext) -> tuple[str, ...]:
    """Who debates: three voices, or two with the validator off."""
    return ("analyst", "strategist", "validator") if context.use_validator else ("analyst", "strategist")


def evidence_ids(evidence: Mapping[str, Any]) -> list[str]:
    """What a claim may rest on: the score, each metric by its name, and each iteration remembered."""
    iterations = [f"i{entry['iteration']:02d}" for entry in evidence["history"]]
    return ["score", "blocks", *sorted(evidence["champion"]["metrics"]), *iterations]


def speak(state: DebateState, runtime: Runtime[OptimizationContext]) -> dict[str, Any]:
    """Ask the voice whose turn it is whether to go on; a voice that cannot answer abstains by name."""
    context = OptimizationContext.of(runtime.context)
    iteration, turns = state["iteration"], state.get("turns", [])
    order = voices(context)
    voice = order[len(turns) % len(order)]
    said = f"i{iteration:02d}.debate.{len(turns) + 1}"
    record(context, state["run_id"], said, "role_called", voice, iteration=iteration, data={"debate": True})
    evidence = gather_evidence(state, iteration)
    known = evidence_ids(evidence)
    reviewing = state.get("graph") == "review"
    tried = history_lines(evidence, context.language)
    if reviewing:
        tried = proposal_lines(state["proposals"]) or text("optimization.evidence.nothing", context.language)

    def check(answer: Turn) -> list[str]:
        cited = {name for claim in answer.claims for name in claim.evidence}
        if unknown := sorted(cited - set(known)):
            wrong, right = ", ".join(unknown), ", ".join(known)
            return [text("optimization.refusal.evidence", context.language, wrong=wrong, known=right)]
        return []

    answer = ask(
        Question(
            role=voice,
            prompt=render(
                "optimization/speak",
                context.language,
                voice=text(f"optimization.voice.{voice}", context.language),
                question=text(
                    f"optimization.debate.{'review' if reviewing else 'question'}", context.language
                ),
                symbol=evidence["dataset"]["symbol"],
                timeframe=evidence["dataset"]["timeframe"],
                strategy=strategy_lines(evidence, context.language),
                figures=figure_lines(evidence["champion"], context.language),
                tried=tried,
                turns=turn_lines(turns, context.language),
                ids=", ".join(known),
            ),
            schema=Turn,
            evidence={
                **evidence,
                "voice": voice,
                "turns": turns,
                "last_iteration": known[-1:] if evidence["history"] else [],
                "target_score": context.target_score,
                "language": context.language,
            },
            policy=debate_rules.speak,
            check=check,
        ),
        chain={"analyst": context.analyst, "strategist": context.strategist, "validator": context.validator}[
            voice
        ],
        context=context,
        journal=Journal(context, state["run_id"], said, voice, iteration),
    )
    if isinstance(answer, Abstention):
        turn: dict[str, Any] = {
            "voice": voice,
            "stance": None,
            "statement": None,
            "confidence": None,
            "claims": [],
        }
    else:
        told = answer.value.model_dump(mode="json")
        turn = {"voice": voice, **told, "statement": " ".join(c["statement"] for c in told["claims"])}
    record(
        context,
        state["run_id"],
        f"{said}.turn",
        "debate_turn",
        voice,
        iteration=iteration,
        cites=[said, *_follows(state, iteration)],
        data={
            **turn,
            "round": len(turns) // len(order) + 1,
            "provenance": answer.provenance.model_dump(mode="json"),
        },
    )
    return {"turns": [*turns, turn]}


def _follows(state: DebateState, iteration: int) -> list[str]:
    """What the debate is about: the selection, or in a review the proposals."""
    if state.get("graph") != "review":
        return [f"i{iteration:02d}.select"]
    return [f"i{iteration:02d}.strategist.proposal.{p['number']}" for p in state["proposals"]]
