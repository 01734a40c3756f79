"""What every role of the cycle does: it is announced, gathers its evidence, asks, and goes on record.

A role is data: what it is shown, its schema, its checks, and what its answer comes to. `ask_role` is the one
frame that runs them, so that a call, an abstention and the end of the rules mean the same for each of them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Generic, NamedTuple, TypeVar

from pydantic import BaseModel

from backtest.language.functions import reference
from nodes.context import RULES, OptimizationContext
from nodes.errors import NodeError
from nodes.optimization.changes import kinds_told
from nodes.optimization.evidence.block import SHARED, Block, evidence_block
from nodes.optimization.evidence.claims import doubts, unfounded_claims
from nodes.optimization.evidence.evidence import Evidence, gather_evidence
from nodes.optimization.evidence.grounding import known_numbers
from nodes.optimization.state import DebateState, OptimizationState
from nodes.optimization.trials.elites import elites
from nodes.optimization.trials.workshop import Workshop, known
from nodes.run_events import record
from nodes.seam.ask import Abstention, Question, ask
from nodes.seam.journal import Journal
from nodes.seam.room import MOST_EVIDENCE
from prompts import Language, Prompt, render
from record.events import EventData, Exhausted, Proposed, RoleCalled
from record.record import RunRecord
from record.types import Doubt, Proposal, Provenance

REPAIRS = 2
"""How many times an answer goes back where it may bring code."""

S = TypeVar("S", OptimizationState, DebateState)
T = TypeVar("T", bound=BaseModel)


@dataclass(frozen=True, kw_only=True)
class Brief(Generic[S]):
    """What a role is asked with.

    Attributes:
        context: the run's settings.
        state: of the graph.
        iteration: the one at work.
        voice: who asks, as the record names it.
        called: id of the event that announces the role.
        evidence: everything it may know.
    """

    context: OptimizationContext
    state: S
    iteration: int
    voice: str
    called: str
    evidence: Evidence

    @property
    def language(self) -> Language:
        """Of prompts and complaints."""
        return self.context.language


class Made(NamedTuple, Generic[S]):
    """What an answer comes to: the event that tells it, a part of the state, and proposals to be recorded."""

    data: EventData
    update: S
    proposals: Sequence[Proposal] = ()


@dataclass(frozen=True, kw_only=True)
class Role(Generic[S, T]):
    """One role of the cycle.

    Attributes:
        name: of its prompt.
        schema: what it answers.
        case: the same for this very case (`nodes.optimization.case`).
        words_only: as `Question` has it.
        policy: its answer without a model.
        chain: its models, tried in order.
        made: what an answer comes to, its unfounded claims and its provenance given.
        abstained: the event of a role that could not answer.
        silent: the part of the state that a role without an answer leaves.
        follows: ids of events that its answer rests on, beside its own call.
        claims: what an answer states as fact: its numbers must be in what was shown.
        cited: ids of evidence that an answer cites; one that does not exist goes back once.
        own: what an answer adds to what its claims may cite.
        blocks: what it alone is shown besides.
        values: what else its prompt asks for; no claim may cite it.
        knows: the evidence with what `rules` alone are told besides.
        check: what makes an answer invalid.
        doubts: what sends an answer back once, beside unfounded numbers.
        answer: the last part of its answer's event id.
    """

    name: str
    schema: type[T]
    case: Callable[[Brief[S]], type[T]]
    policy: Callable[[Evidence], T]
    chain: Callable[[Brief[S]], Sequence[str]]
    made: Callable[[Brief[S], T, list[Doubt], Provenance], Made[S]]
    abstained: Callable[[Brief[S], Provenance], EventData]
    silent: Callable[[Brief[S]], S]
    follows: Callable[[Brief[S]], list[str]]
    claims: Callable[[T], list[str]]
    cited: Callable[[T], list[str]] = lambda answer: []
    own: Callable[[T], list[str]] = lambda answer: []
    blocks: Callable[[Brief[S]], dict[str, str]] = lambda brief: {}
    values: Callable[[Brief[S]], dict[str, str]] = lambda brief: {}
    knows: Callable[[Brief[S]], Evidence] = lambda brief: brief.evidence
    check: Callable[[Brief[S], T], list[str]] = lambda brief, answer: []
    doubts: Callable[[Brief[S], T], list[str]] = lambda brief, answer: []
    words_only: bool = False
    answer: str = "answer"


def ask_role(
    role: Role[S, T],
    state: S,
    context: OptimizationContext,
    iteration: int,
    *,
    voice: str | None = None,
    called: str | None = None,
    announced: RoleCalled | None = None,
) -> S:
    """Let a role take its turn; gives its part of the state.

    Args:
        role: which.
        state: of the graph.
        context: the run's settings.
        iteration: the one at work.
        voice: who asks; the role's own name where it is left out.
        called: id of the event that announces it; of iteration and voice where it is left out.
        announced: that event.
    """
    voice = voice or role.name
    called = called or f"i{iteration:02d}.{voice}"
    run = state["run_id"]
    record(context, run, called, voice, announced or RoleCalled(), iteration=iteration)
    language: Language = context.language
    gathered: Evidence = gather_evidence(state, iteration, named=context.named, language=language)
    workshop = Workshop(context=context, run=run, iteration=iteration, voice=voice, cites=called)
    evidence = replace(
        gathered,
        allow_code=context.allow_code,
        admit=workshop.admit,
        elites=elites(RunRecord(context.home_path, run).events(), state.get("bars_a_day", 1))
        if context.allow_code
        else [],
        seed=context.seed,
    )
    brief: Brief[S] = Brief(
        context=context, state=state, iteration=iteration, voice=voice, called=called, evidence=evidence
    )
    prices, of_rules = evidence.prices, role.knows(brief)
    own_blocks = role.blocks(brief)
    shown: dict[str, dict[str, str]] = {}
    told = f"{called}.{role.answer}"

    def claims_and_numbers(answer: T, parts: dict[str, str]) -> tuple[list[str], list[float]]:
        return role.claims(answer), known_numbers(*parts.values(), prices["timeframe"], *role.own(answer))

    def question(tokens: int) -> Question[T]:
        block: Block = evidence_block(gathered, language, tokens)
        parts: dict[str, str] = block.parts | own_blocks
        prompt: Prompt = render(
            f"optimization/{role.name}",
            language,
            begins=SHARED,
            left_out=block.note,
            kinds=kinds_told(language, code=context.allow_code),
            functions=reference(language, known(context, run)),
            **role.values(brief),
            **parts,
        )
        shown[prompt.hash] = parts
        return Question(
            role=voice,
            prompt=prompt,
            schema=role.schema,
            case=lambda: role.case(replace(brief, evidence=replace(evidence, offered=block.ids))),
            words_only=role.words_only,
            evidence={"dataset": {"symbol": prices["symbol"], "hash": prices["development_hash"]}},
            policy=lambda _: role.policy(of_rules),
            corrections=REPAIRS if context.allow_code else 1,
            check=lambda answer: role.check(brief, answer),
            doubts=lambda answer: [
                *role.doubts(brief, answer),
                *doubts(
                    *claims_and_numbers(answer, parts),
                    language,
                    cited=role.cited(answer),
                    known=block.ids,
                ),
            ],
            shorter=question,
            left_out=tuple(block.left_out),
        )

    journal = Journal(context, run, called, voice, iteration)
    try:
        answer = ask(question(MOST_EVIDENCE), chain=role.chain(brief), context=context, journal=journal)
    except NodeError as error:
        if error.code != "nothing_left":
            raise
        # The rules know no further change: an iteration without proposals, which the convergence test sees.
        record(context, run, told, voice, Exhausted(), iteration=iteration, cites=[called])
        return role.silent(brief)
    provenance = answer.provenance.plain()
    if isinstance(answer, Abstention):
        made = Made(role.abstained(brief, provenance), role.silent(brief))
    else:
        parts = shown[answer.provenance.prompt_hash]
        unfounded = unfounded_claims(*claims_and_numbers(answer.value, parts), language)
        if unfounded and provenance["model"] == RULES:
            # Rules read the whole evidence and count what was tried; a model knows what it was shown.
            whole = evidence_block(gathered, language, sys.maxsize).parts
            read = whole | own_blocks | {"tries": str(len(evidence.tried))}
            unfounded = unfounded_claims(*claims_and_numbers(answer.value, read), language)
        made = role.made(brief, answer.value, unfounded, provenance)
        workshop.settle(made.proposals, provenance["model"])
    cites = [called, *role.follows(brief)]
    record(context, run, told, voice, made.data, iteration=iteration, cites=cites)
    for proposal in made.proposals:
        record(
            context,
            run,
            f"i{iteration:02d}.strategist.proposal.{proposal['number']}",
            voice,
            Proposed(proposal=proposal),
            iteration=iteration,
            cites=[told],
        )
    return made.update
