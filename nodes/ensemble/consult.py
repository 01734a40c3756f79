"""One agent's turn: ask, and put the answer or the abstention into plain JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel

from nodes.ask import Abstention, Question, ask
from nodes.context import EnsembleContext
from nodes.ensemble.schemas import AgentReport, QualityReport
from nodes.ensemble.state import Consultation, EnsembleState
from prompts import Prompt, Words, render

Report = TypeVar("Report", bound=BaseModel)

_ROUNDING = 0.02


def consult(
    role: str,
    state: EnsembleState,
    context: EnsembleContext,
    *,
    chain: Sequence[str],
    schema: type[Report],
    policy: Callable[[Mapping[str, Any]], Report],
    rows: str,
) -> Consultation:
    """Let an agent read its rows; without rows, or without an answer, it abstains by name.

    Args:
        role: name of the node, of its rows in the evidence and of its prompt.
        state: after `gather`.
        context: the run's settings.
        chain: models, tried in order.
        schema: what it answers.
        policy: its rules.
        rows: its evidence as the prompt shows it.
    """
    if not state["evidence"][role]:
        return no_data(role)
    words = Words(context.language)
    known = {row["id"] for row in state["evidence"][role]}
    prompt = render(f"ensemble/{role}", context.language, hour=state["hour"], rows=rows)
    question = Question(
        role=role,
        prompt=prompt,
        schema=schema,
        evidence={**state["evidence"], "language": context.language},
        policy=policy,
        check=lambda report: report_errors(report, known, words),
        corrections=context.corrections,
    )
    return consultation(role, question, chain, context)


def consultation(
    role: str, question: Question[Any], chain: Sequence[str], context: EnsembleContext
) -> Consultation:
    """Ask, and keep what a later step or the audit needs."""
    answer = ask(question, chain=chain, context=context)
    provenance = answer.provenance.model_dump(mode="json")
    if isinstance(answer, Abstention):
        return {
            "role": role,
            "status": "abstained",
            "code": answer.code,
            "report": None,
            "degraded": True,
            "provenance": provenance,
            "prompt": _kept(question.prompt),
        }
    return {
        "role": role,
        "status": "answered",
        "code": "",
        "report": answer.value.model_dump(mode="json"),
        "degraded": answer.provenance.degraded,
        "provenance": provenance,
        "prompt": _kept(question.prompt),
    }


def no_data(role: str) -> Consultation:
    """The turn of an agent that has nothing to read: no model is asked for an opinion about nothing."""
    return {
        "role": role,
        "status": "no_data",
        "code": "no_data",
        "report": None,
        "degraded": True,
        "provenance": None,
        "prompt": None,
    }


def report_errors(report: BaseModel, known: set[str], words: Words) -> list[str]:
    """What a schema cannot say: probabilities add up, and every reason rests on a row that exists."""
    errors = []
    cited: list[str] = []
    if isinstance(report, AgentReport):
        for name in ("outlook_days_7", "outlook_days_30"):
            stance = getattr(report, name)
            total = stance.positive + stance.neutral + stance.negative
            if abs(total - 1.0) > _ROUNDING:
                errors.append(words("ensemble.check.sum", field=name, total=words.number(total)))
        cited = [row for driver in report.drivers for row in driver.evidence]
    elif isinstance(report, QualityReport):
        cited = [row for concern in report.concerns for row in concern.evidence]
    if unknown := sorted(set(cited) - known):
        errors.append(words("ensemble.check.unknown_rows", rows=", ".join(unknown)))
    return errors


def _kept(prompt: Prompt) -> dict[str, str]:
    return {"name": prompt.name, "system": prompt.system, "user": prompt.user}
