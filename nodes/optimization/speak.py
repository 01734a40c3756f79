"""Node `speak`: the next voice of the debate takes its turn."""

from __future__ import annotations

from dataclasses import replace

from langgraph.runtime import Runtime

from nodes.context import OptimizationContext
from nodes.optimization.case import turn_of
from nodes.optimization.debate_schemas import MOST_CITED, Turn
from nodes.optimization.evidence.claims import unknown_evidence
from nodes.optimization.evidence.evidence import Evidence, proposal_lines, result_lines, turn_lines
from nodes.optimization.policies import debate
from nodes.optimization.role import Brief, Made, Role, ask_role
from nodes.optimization.state import DebateState
from prompts import text
from record.events import DebateTurn, RoleCalled
from record.types import Doubt, Provenance
from record.types import Turn as Spoken


def voices(context: OptimizationContext) -> tuple[str, ...]:
    """Who debates: three voices, or two with the validator off."""
    return ("analyst", "strategist", "validator") if context.use_validator else ("analyst", "strategist")


def speaker(context: OptimizationContext, spoken: int) -> str:
    """Whose turn it is: rounds go to and fro (C B A, A B C), so that neighbours share a model.

    On one card each change of the model is a load. The first round begins with who spoke last in the cycle.

    Args:
        context: who debates.
        spoken: turns so far.
    """
    order = voices(context)
    turn, place = divmod(spoken, len(order))
    return (order if turn % 2 else order[::-1])[place]


def _cited(evidence: Evidence, iteration: int) -> list[str]:
    """What the rules argue from: the score, while it is still the champion's, and the iteration's trials."""
    scored = evidence.figure("score") if evidence.now["hash"] == evidence.champion["hash"] else None
    trials = [name for name in evidence.ids if name.startswith(f"I{iteration}.")]
    return [*([scored["id"]] if scored else []), *trials][:MOST_CITED] or evidence.ids[:1]


def _tried(brief: Brief[DebateState]) -> str:
    """What is debated: what came of the iteration's proposals, or in a review the proposals."""
    if not _is_review(brief.state):
        return result_lines(brief.evidence, brief.language)
    nothing = text("optimization.evidence.nothing", brief.language)
    return proposal_lines(brief.state["proposals"], brief.evidence, brief.language) or nothing


def _is_review(state: DebateState) -> bool:
    return state.get("graph") == "review"


def _turn(brief: Brief[DebateState], turn: Spoken, provenance: Provenance) -> DebateTurn:
    """The event of a turn: with its round, and who spoke."""
    number = len(brief.state.get("turns", [])) // len(voices(brief.context)) + 1
    return DebateTurn(turn={**turn, "round": number, "provenance": provenance})


def _silence(brief: Brief[DebateState]) -> Spoken:
    """The turn of a voice that could not answer."""
    return {"voice": brief.voice, "stance": None, "statement": None, "confidence": None, "claims": []}


def _made(
    brief: Brief[DebateState], answer: Turn, unfounded: list[Doubt], provenance: Provenance
) -> Made[DebateState]:
    told = answer.model_dump(mode="json")
    turn: Spoken = {
        "voice": brief.voice,
        "stance": answer.stance,
        "confidence": answer.confidence,
        "claims": told["claims"],
        "statement": " ".join(claim.statement for claim in answer.claims),
        "unfounded": unfounded,
    }
    return Made(_turn(brief, turn, provenance), {"turns": [*brief.state.get("turns", []), turn]})


def _unknown(brief: Brief[DebateState], answer: Turn) -> list[str]:
    cited = (name for claim in answer.claims for name in claim.evidence)
    return unknown_evidence(cited, brief.evidence.ids, brief.language)


SPEAK = Role[DebateState, Turn](
    name="speak",
    schema=Turn,
    case=lambda brief: turn_of(brief.evidence),
    words_only=True,
    policy=debate.speak,
    chain=lambda brief: getattr(brief.context, brief.voice),
    made=_made,
    abstained=lambda brief, provenance: _turn(brief, _silence(brief), provenance),
    silent=lambda brief: {"turns": [*brief.state.get("turns", []), _silence(brief)]},
    follows=lambda brief: _follows(brief.state, brief.iteration),
    claims=lambda answer: [claim.statement for claim in answer.claims],
    blocks=lambda brief: {
        "tried": _tried(brief),
        "turns": turn_lines(brief.state.get("turns", []), brief.language),
    },
    values=lambda brief: {
        "voice": text(f"optimization.voice.{brief.voice}", brief.language),
        "question": text(
            f"optimization.debate.{'review' if _is_review(brief.state) else 'question'}", brief.language
        ),
    },
    knows=lambda brief: replace(
        brief.evidence,
        voice=brief.voice,
        turns=brief.state.get("turns", []),
        cited=_cited(brief.evidence, brief.iteration),
        target_score=brief.context.target_score,
        patience=brief.context.patience,
    ),
    check=_unknown,
    answer="turn",
)


def speak(state: DebateState, runtime: Runtime[OptimizationContext]) -> DebateState:
    """Ask the voice whose turn it is whether to go on; a voice that cannot answer abstains by name."""
    context = OptimizationContext.of(runtime.context)
    iteration, spoken = state["iteration"], len(state.get("turns", []))
    return ask_role(
        SPEAK,
        state,
        context,
        iteration,
        voice=speaker(context, spoken),
        called=f"i{iteration:02d}.debate.{spoken + 1}",
        announced=RoleCalled(debate=True),
    )


def _follows(state: DebateState, iteration: int) -> list[str]:
    """What the debate is about: the selection, or in a review the proposals."""
    if not _is_review(state):
        return [f"i{iteration:02d}.select"]
    return [f"i{iteration:02d}.strategist.proposal.{p['number']}" for p in state["proposals"]]
