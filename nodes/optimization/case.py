"""What the roles may answer in this very case: ids, hypotheses, proposals and changes that exist.

A grammar that enforces these schemas lets nothing meaningless through. Where a server enforces none, an
answer that fits the general schema alone goes back once with what is wrong in this case; what is still
meaningless then is dropped or marked, part by part.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache, reduce
from operator import or_
from typing import Annotated, Any, TypeVar

from pydantic import Field

from backtest import StrategySpec
from nodes.optimization.changes import KINDS
from nodes.optimization.debate_schemas import Claim, Turn
from nodes.optimization.evidence.evidence import Evidence
from nodes.optimization.schemas import Analysis, Hypothesis, Proposal, Proposals, Verdict, Verdicts
from nodes.seam.narrowing import narrowed, one_of

A = TypeVar("A", bound=Analysis)
P = TypeVar("P", bound=Proposal)


def ids_of(evidence: Evidence) -> Any:
    """The type of a list of evidence ids."""
    return _list_of(evidence.ids)


def _list_of(ids: Collection[str]) -> Any:
    return list[one_of(ids)] if ids else list[str]  # type: ignore[misc]


def analysis_of(evidence: Evidence, base: type[A]) -> type[A]:
    """An analysis that cites evidence of the case."""
    hypothesis = narrowed(Hypothesis, evidence=ids_of(evidence))
    return narrowed(base, hypotheses=list[hypothesis])  # type: ignore[valid-type]


def proposal_of(evidence: Evidence, hypotheses: int | None, base: type[P]) -> type[P]:
    """A change that this strategy can have, for a hypothesis that was made.

    Args:
        evidence: of the case.
        hypotheses: how many were made; None where the same answer makes them.
        base: what a proposal has besides.
    """
    archive, spec = evidence.archive, evidence.spec.model_dump_json()
    bases = (0, *(one["number"] for one in archive if f"C{one['number']}" in evidence.ids))
    found = _proposal_on(base, bases, spec, bool(archive), evidence.allow_code)
    if hypotheses is None:
        return found
    return _proposal_for(found, hypotheses)  # type: ignore[arg-type]  # classes are hashable


@lru_cache(maxsize=16)
def _proposal_on(base: type[P], bases: tuple[int, ...], spec: str, several: bool, code: bool) -> type[P]:
    return narrowed(base, base=one_of(bases), change=_changes(spec, several, code))


@lru_cache(maxsize=16)
def _proposal_for(proposal: type[P], hypotheses: int) -> type[P]:
    return narrowed(proposal, hypothesis=one_of(range(1, hypotheses + 1) if hypotheses else [0]))


def proposals_of(evidence: Evidence, hypotheses: int) -> type[Proposals]:
    """Changes that this strategy can have."""
    return _several(proposal_of(evidence, hypotheses, Proposal))


@lru_cache(maxsize=16)
def _several(proposal: type[Proposal]) -> type[Proposals]:
    return narrowed(Proposals, proposals=list[proposal])  # type: ignore[valid-type]


def verdicts_of(evidence: Evidence, proposals: int) -> type[Verdicts]:
    """One verdict on each of the proposals, on evidence of the case."""
    numbers = one_of(range(1, proposals + 1))
    verdict = narrowed(Verdict, proposal=numbers, priority=numbers, evidence=ids_of(evidence))
    exactly = Field(min_length=proposals, max_length=proposals)
    return narrowed(Verdicts, verdicts=Annotated[list[verdict], exactly])  # type: ignore[valid-type]


def turn_of(evidence: Evidence) -> type[Turn]:
    """A turn of the debate that cites evidence of the case: every turn of an iteration has the same."""
    return _turn_that_cites(tuple(evidence.ids))


@lru_cache(maxsize=4)
def _turn_that_cites(ids: tuple[str, ...]) -> type[Turn]:
    claim = narrowed(Claim, evidence=_list_of(ids))
    return narrowed(Turn, claims=list[claim])  # type: ignore[valid-type]


@lru_cache(maxsize=16)
def _changes(spec: str, several: bool, code: bool) -> Any:
    """Every change that a strategy can have, as one type: first by its kind, then by what it is about.

    What brings code is among them only where the run allows it.
    Where a change may be to one of several strategies, names and conditions of one of them bind nothing.
    """
    strategy = StrategySpec.model_validate_json(spec)
    found: list[Any] = []
    for kind in KINDS.values():
        if kind.caged and not code:
            continue
        cases = (kind,) if several and kind.of_strategy else kind.cases(strategy)
        if len(cases) == 1:
            found.append(cases[0])
        elif cases:
            found.append(Annotated[reduce(or_, cases), Field(discriminator=kind.apart)])
    if len(found) == 1:
        return found[0]
    return Annotated[reduce(or_, found), Field(discriminator="kind")]
