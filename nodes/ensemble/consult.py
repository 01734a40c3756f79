"""One agent's turn: ask, and put the answer or the abstention into plain JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, cast

from langgraph.runtime import Runtime
from pydantic import BaseModel

from base.json_files import Json
from base.plugins import PluginError
from base.reasons import PlainError, plain
from nodes.ensemble.agent import Agent
from nodes.ensemble.case import report_of
from nodes.ensemble.claims.claims import Known, agent_facts, strangers
from nodes.ensemble.context import EnsembleContext
from nodes.ensemble.operation.run_events import note
from nodes.ensemble.policies.evidence import fenced
from nodes.ensemble.policies.pooling import OUTLOOKS
from nodes.ensemble.schemas import AgentReport, QualityReport
from nodes.ensemble.state import Consultation, EnsembleState
from nodes.ensemble.types import Report, Row
from nodes.seam.ask import Abstention, Question, ask
from prompts import Prompt, Words, render
from record.events import AgentAbstained, AgentAnswer

_ROUNDING = 0.02


class Node(Protocol):
    """A node of the graph."""

    def __call__(self, state: EnsembleState, runtime: Runtime[EnsembleContext]) -> EnsembleState:
        """Do the node's work."""


def agent_node(agent: Agent[Any]) -> Node:
    """The graph's node of an agent: it asks, and an agent that cannot answer abstains; the others go on."""

    def node(state: EnsembleState, runtime: Runtime[EnsembleContext]) -> EnsembleState:
        context = EnsembleContext.of(runtime.context)
        turn = consult(agent, state, context)
        data = told(turn)
        note(state, context, f"{agent.name}.{data.kind}", agent.name, data)
        return {"agents": {agent.name: turn}}

    node.__name__ = agent.name
    return node


def consult(agent: Agent[Any], state: EnsembleState, context: EnsembleContext) -> Consultation:
    """Let an agent read its rows; without rows, or without an answer, it abstains by name.

    Args:
        agent: who.
        state: after `gather`.
        context: the run's settings.
    """
    rows, coverage = state["evidence"][agent.name], state["coverage"][agent.name]
    if failure := state.get("failed", {}).get(agent.name):
        return failed(agent.name, coverage, failure)
    if not rows:
        return no_data(agent.name, coverage)
    try:
        return _heard(agent, rows, coverage, state, context)
    except PluginError as error:
        return failed(agent.name, coverage, plain(error))


def _heard(
    agent: Agent[Any], rows: Sequence[Row], coverage: float, state: EnsembleState, context: EnsembleContext
) -> Consultation:
    """What an agent says of its rows.

    Raises:
        PluginError: a function of a plugin fails.
    """
    words = Words(context.language)
    prompt = render(
        "ensemble/agent",
        context.language,
        **{part: words(f"agents.{agent.name}.{part}") for part in ("task", "given", "ask")},
        hour=state["hour"],
        rows=fenced(rows, state["hour"], words),
    )
    known = agent_facts(rows, state["hour"], words)
    question = Question(
        role=agent.name,
        prompt=prompt,
        schema=agent.schema,
        case=lambda: report_of(agent.schema, rows),
        evidence={**state["evidence"], "language": context.language},
        policy=agent.policy,
        check=lambda report: report_errors(report, rows, known, words),
        corrections=context.corrections,
        fresh=context.fresh,
        hosted_seconds=context.agent_seconds,
        watched=not context.back_run,
        unattended=context.unattended,
        run=state["run"],
    )
    turn = consultation(agent.name, question, context.chain(agent.name), context, coverage)
    if agent.bounded is None or turn["report"] is None:
        return turn
    given = cast(Report, turn["report"])
    report = agent.bounded(agent.schema.model_validate(given), question.evidence)
    kept = cast(Report, report.model_dump(mode="json"))
    moved = any(kept[name] != given[name] for name in OUTLOOKS)
    brought_back = moved or kept["confidence"] != given["confidence"]
    return {**turn, "report": kept, "brought_back": brought_back}


def consultation(
    role: str,
    question: Question[Any],
    chain: Sequence[str],
    context: EnsembleContext,
    coverage: float | None = None,
) -> Consultation:
    """Ask, and keep what a later step or the audit needs."""
    answer = ask(question, chain=chain, context=context)
    provenance = answer.provenance.plain()
    if isinstance(answer, Abstention):
        return {
            "role": role,
            "status": "abstained",
            "code": answer.code,
            "failure": None,
            "report": None,
            "coverage": coverage,
            "degraded": True,
            "brought_back": False,
            "said": [dict(one) for one in answer.said],
            "provenance": provenance,
            "prompt": _kept(question.prompt),
        }
    return {
        "role": role,
        "status": "answered",
        "code": "",
        "failure": None,
        "report": answer.value.model_dump(mode="json"),
        "coverage": coverage,
        "degraded": answer.provenance.degraded,
        "brought_back": False,
        "said": [dict(one) for one in answer.said],
        "provenance": provenance,
        "prompt": _kept(question.prompt),
    }


def no_data(role: str, coverage: float | None = None) -> Consultation:
    """The turn of an agent that has nothing to read: no model is asked for an opinion about nothing."""
    return {
        "role": role,
        "status": "no_data",
        "code": "no_data",
        "failure": None,
        "report": None,
        "coverage": coverage,
        "degraded": True,
        "brought_back": False,
        "said": [],
        "provenance": None,
        "prompt": None,
    }


def failed(role: str, coverage: float, failure: PlainError) -> Consultation:
    """The turn of an agent whose plugin failed: it abstains, the others go on."""
    silent = no_data(role, coverage)
    return {**silent, "status": "abstained", "code": failure["code"], "failure": failure}


def told(turn: Consultation) -> AgentAnswer:
    """A turn as an event tells it: everything but prompt and raw answers, which the trace keeps."""
    kind = AgentAnswer if turn["status"] == "answered" else AgentAbstained
    return kind(
        status=turn["status"],
        code=turn["code"],
        report=cast(Json | None, turn["report"]),
        coverage=turn["coverage"],
        degraded=turn["degraded"],
        brought_back=turn["brought_back"],
        provenance=turn["provenance"],
    )


def report_errors(report: BaseModel, rows: Sequence[Row], known: Known, words: Words) -> list[str]:
    """What a schema cannot say: probabilities add up, reasons rest on rows and say only their figures."""
    errors = []
    reasons: list[Any] = []
    if isinstance(report, AgentReport):
        for name in ("outlook_days_7", "outlook_days_30"):
            stance = getattr(report, name)
            total = stance.positive + stance.neutral + stance.negative
            if abs(total - 1.0) > _ROUNDING:
                errors.append(words("ensemble.check.sum", field=name, total=words.number(total)))
        reasons = report.drivers
    elif isinstance(report, QualityReport):
        reasons = report.concerns
    cited = {identifier for reason in reasons for identifier in reason.evidence}
    if unknown := sorted(cited - {row["id"] for row in rows}):
        errors.append(words("ensemble.check.unknown_rows", rows=", ".join(unknown)))
    for place, reason in enumerate(reasons, start=1):
        if found := strangers(reason.text, known):
            errors.append(words("ensemble.check.stranger_reason", place=place, found=", ".join(found)))
    return errors


def _kept(prompt: Prompt) -> dict[str, str]:
    return {"name": prompt.name, "system": prompt.system, "user": prompt.user}
