"""Node `speak`: the next voice of the debate takes its turn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langgraph.runtime import Runtime

from nodes.context import OptimizationContext
from nodes.optimization.debate_schemas import MOST_CITED, Turn
from nodes.optimization.evidence.claims import doubts, unfounded_claims, unknown_evidence
from nodes.optimization.evidence.evidence import (
    figure,
    figure_lines,
    gather_evidence,
    history_lines,
    proposal_lines,
    quoted,
    strategy_lines,
    turn_lines,
)
from nodes.optimization.evidence.grounding import known_numbers
from nodes.optimization.policies import debate
from nodes.optimization.state import DebateState
from nodes.run_events import record
from nodes.seam.ask import Abstention, Question, ask
from nodes.seam.journal import Journal
from prompts import render, text
from record.events import DebateTurn, RoleCalled
from record.types import Turn as Spoken


def voices(context: OptimizationContext) -> tuple[str, ...]:
    """Who debates: three voices, or two with the validator off."""
    return ("analyst", "strategist", "validator") if context.use_validator else ("analyst", "strategist")


def _cited(evidence: Mapping[str, Any], iteration: int) -> list[str]:
    """What the rules argue from: the score, and the iteration's trials."""
    scored = figure(evidence, "score")
    trials = [name for name in evidence["ids"] if name.startswith(f"I{iteration}.")]
    return [*([scored["id"]] if scored else []), *trials][:MOST_CITED] or evidence["ids"][:1]


def speak(state: DebateState, runtime: Runtime[OptimizationContext]) -> dict[str, Any]:
    """Ask the voice whose turn it is whether to go on; a voice that cannot answer abstains by name."""
    context = OptimizationContext.of(runtime.context)
    iteration, turns = state["iteration"], state.get("turns", [])
    order = voices(context)
    voice = order[len(turns) % len(order)]
    said = f"i{iteration:02d}.debate.{len(turns) + 1}"
    record(context, state["run_id"], said, voice, RoleCalled(debate=True), iteration=iteration)
    evidence = gather_evidence(state, iteration)
    known = evidence["ids"]
    reviewing = state.get("graph") == "review"
    tried = history_lines(evidence, context.language)
    if reviewing:
        tried = proposal_lines(state["proposals"]) or text("optimization.evidence.nothing", context.language)

    parts = {
        "strategy": strategy_lines(evidence, context.language),
        "figures": figure_lines(evidence, context.language),
        "tried": tried,
        "turns": turn_lines(turns, context.language),
    }
    shown = known_numbers(*parts.values(), evidence["dataset"]["timeframe"])

    def check(answer: Turn) -> list[str]:
        cited = (name for claim in answer.claims for name in claim.evidence)
        return unknown_evidence(cited, known, context.language)

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
                symbol=quoted(evidence["dataset"]["symbol"]),
                timeframe=quoted(evidence["dataset"]["timeframe"]),
                **parts,
            ),
            schema=Turn,
            evidence={
                **evidence,
                "voice": voice,
                "turns": turns,
                "cited": _cited(evidence, iteration),
                "target_score": context.target_score,
                "language": context.language,
            },
            policy=debate.speak,
            check=check,
            doubts=lambda answer: doubts((c.statement for c in answer.claims), shown, context.language),
        ),
        chain={"analyst": context.analyst, "strategist": context.strategist, "validator": context.validator}[
            voice
        ],
        context=context,
        journal=Journal(context, state["run_id"], said, voice, iteration),
    )
    if isinstance(answer, Abstention):
        turn: Spoken = {
            "voice": voice,
            "stance": None,
            "statement": None,
            "confidence": None,
            "claims": [],
        }
    else:
        told = answer.value.model_dump(mode="json")
        said_so = [claim["statement"] for claim in told["claims"]]
        turn = {
            "voice": voice,
            "stance": answer.value.stance,
            "confidence": answer.value.confidence,
            "claims": told["claims"],
            "statement": " ".join(said_so),
            "unfounded": unfounded_claims(said_so, shown, context.language),
        }
    record(
        context,
        state["run_id"],
        f"{said}.turn",
        voice,
        DebateTurn(
            turn={**turn, "round": len(turns) // len(order) + 1, "provenance": answer.provenance.plain()}
        ),
        iteration=iteration,
        cites=[said, *_follows(state, iteration)],
    )
    return {"turns": [*turns, turn]}


def _follows(state: DebateState, iteration: int) -> list[str]:
    """What the debate is about: the selection, or in a review the proposals."""
    if state.get("graph") != "review":
        return [f"i{iteration:02d}.select"]
    return [f"i{iteration:02d}.strategist.proposal.{p['number']}" for p in state["proposals"]]
