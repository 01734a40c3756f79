"""Node `speak`: the next voice of the debate takes its turn."""

from __future__ import annotations

from typing import Any

from langgraph.runtime import Runtime

from nodes.ask import Abstention, Question, ask
from nodes.context import OptimizationContext
from nodes.optimization import rules
from nodes.optimization.evidence import (
    figure_lines,
    gather_evidence,
    history_lines,
    strategy_lines,
    turn_lines,
)
from nodes.optimization.schemas import Turn
from nodes.optimization.state import DebateState
from nodes.recording import record
from prompts import render, text


def voices(context: OptimizationContext) -> tuple[str, ...]:
    """Who debates: three voices, or two with the validator off."""
    return ("analyst", "strategist", "validator") if context.use_validator else ("analyst", "strategist")


def speak(state: DebateState, runtime: Runtime[OptimizationContext]) -> dict[str, Any]:
    """Ask the voice whose turn it is whether to go on; a voice that cannot answer abstains by name."""
    context = OptimizationContext.of(runtime.context)
    iteration, turns = state["iteration"], state.get("turns", [])
    order = voices(context)
    voice = order[len(turns) % len(order)]
    said = f"i{iteration:02d}.debate.{len(turns) + 1}"
    record(context, state["run_id"], said, "role_called", voice, iteration=iteration, data={"debate": True})
    evidence = gather_evidence(state, iteration)
    answer = ask(
        Question(
            role=voice,
            prompt=render(
                "optimization/speak",
                context.language,
                voice=text(f"optimization.voice.{voice}", context.language),
                symbol=evidence["dataset"]["symbol"],
                timeframe=evidence["dataset"]["timeframe"],
                strategy=strategy_lines(evidence, context.language),
                figures=figure_lines(evidence, context.language),
                history=history_lines(evidence, context.language),
                turns=turn_lines(turns, context.language),
            ),
            schema=Turn,
            evidence={
                **evidence,
                "voice": voice,
                "turns": turns,
                "target_score": context.target_score,
                "patience": context.patience,
                "language": context.language,
            },
            policy=rules.speak,
        ),
        chain={"analyst": context.analyst, "strategist": context.strategist, "validator": context.validator}[
            voice
        ],
        context=context,
    )
    if isinstance(answer, Abstention):
        turn = {"voice": voice, "stance": None, "statement": None, "confidence": None}
    else:
        turn = {"voice": voice, **answer.value.model_dump(mode="json")}
    record(
        context,
        state["run_id"],
        f"{said}.turn",
        "debate_turn",
        voice,
        iteration=iteration,
        cites=[said, f"i{iteration:02d}.select"],
        data={**turn, "provenance": answer.provenance.model_dump(mode="json")},
    )
    return {"turns": [*turns, turn]}
