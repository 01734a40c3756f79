"""What a proposal leads to: a strategy (or a search) that can be tested, or the reason why not."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import cast

from backtest import BacktestError, StrategySpec
from backtest.cage.errors import CodeError
from base.same import Same
from nodes.errors import ChangeError
from nodes.optimization.changes import (
    Change,
    apply_change,
    change_hash,
    complexity,
    describe_change,
    present,
    search_grid,
)
from nodes.optimization.evidence.evidence import Evidence, no_code
from nodes.optimization.parsed import parsed
from nodes.optimization.schemas import Proposal
from prompts import Language, text
from record.types import Grid, Member, Refused
from record.types import Proposal as Proposed

REFUSALS = (BacktestError, ChangeError, CodeError)
"""What a change that cannot be made raises."""


@dataclass(frozen=True, kw_only=True)
class Lead:
    """What is to be tested.

    Attributes:
        spec: the changed strategy; of searched values, where the search begins.
        grid: values by name that each fold of the walk-forward test chooses among: the change's own, and
            those that the champion was found with.
        hash: identity of the test: of the strategy, or of strategy and grid.
    """

    spec: StrategySpec
    grid: Grid
    hash: str


def lead(spec: StrategySpec, grid: Mapping[str, Sequence[float]], change: Change) -> Lead:
    """Where a change of the champion leads.

    A value once found by search stays searched: were it fixed from then on, a variant would be compared with
    the champion by values that had seen the test. A change that fixes such a value ends its search.

    Raises:
        BacktestError, ChangeError, CodeError: the change cannot be made.
    """
    changed = apply_change(spec, change)
    own = search_grid(spec, change)
    fixed = change.fixes(spec)
    kept = {
        name: list(values)
        for name, values in grid.items()
        if name not in fixed and present(changed, name) is not None
    }
    searched = {**kept, **{name: list(values) for name, values in own.items()}}
    return Lead(spec=changed, grid=dict(sorted(searched.items())), hash=trial_hash(changed, searched))


def trial_hash(spec: StrategySpec, grid: Mapping[str, Sequence[float]]) -> str:
    """Identity of a test: the strategy's own hash, or that of strategy and grid."""
    if not grid:
        return spec.hash
    words = json.dumps([spec.hash, dict(grid)], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(words.encode()).hexdigest()[:16]


def complaints(refused: Sequence[Refused]) -> list[str]:
    """Each refused proposal of `sort_proposals` with the reason, for the model that made it."""
    return [f"{entry['sentence']}: {entry['reason_refused']}" for entry in refused]


def sorted_by(
    evidence: Evidence, proposals: Sequence[Proposal], language: Language
) -> tuple[list[Proposed], list[Refused]]:
    """`sort_proposals` by what a role was given: the champion, its grid and what was tried.

    An answer is checked, doubted and taken apart: it is sorted once.
    """
    return _sorted_by(evidence, Same(proposals), language)


@lru_cache(maxsize=2)
def _sorted_by(
    evidence: Evidence, proposals: Same[Sequence[Proposal]], language: Language
) -> tuple[list[Proposed], list[Refused]]:
    tried = set(evidence.tried)
    return sort_proposals(
        proposals.it, evidence.spec, tried, language, evidence.grid, evidence.archive, evidence.admit
    )


def none_usable(evidence: Evidence, proposals: Sequence[Proposal], language: Language) -> list[str]:
    """Nothing to complain of while one proposal can be tested; else every reason at once."""
    usable, refused = sorted_by(evidence, proposals, language)
    return [] if usable else complaints(refused)


def candidate_words(candidate: Member) -> str:
    """A candidate by its id and family: `C3 donchian_breakout`."""
    return f"C{candidate['number']} {candidate['family']}"


def sort_proposals(
    proposals: Sequence[Proposal],
    spec: StrategySpec,
    tried: set[str],
    language: Language,
    grid: Mapping[str, Sequence[float]] | None = None,
    archive: Sequence[Member] = (),
    admit: Callable[[Change], None] = no_code,
) -> tuple[list[Proposed], list[Refused]]:
    """Split proposals into (usable, refused), each proposal as plain JSON with its sentence.

    Usable ones are numbered from 1 and carry what they lead to (`spec`, `grid`, `hash`) and how many
    `conditions` they add; refused ones carry the `reason_refused`.

    Args:
        proposals: typed changes with their reasons.
        spec: the champion.
        tried: hashes of what was tested before.
        language: of sentences and reasons.
        grid: what the champion's values are searched among.
        archive: candidates that a proposal may change in the champion's place.
        admit: takes the code of a change into the language, or refuses it.
    """
    bases = {one["number"]: one for one in archive}
    usable: list[Proposed] = []
    refused: list[Refused] = []
    seen = set(tried)
    for proposal in proposals:
        base, searched = spec, grid or {}
        if candidate := bases.get(proposal.base):
            base = parsed(candidate["spec"]).offering(spec.readable)
            searched = candidate["grid"]
        told = describe_change(proposal.change, base, language)
        if candidate:
            told = text(
                "optimization.change.of_candidate",
                language,
                candidate=candidate_words(candidate),
                change=told,
            )
        entry = {
            **proposal.model_dump(mode="json"),
            "change_hash": change_hash(proposal.change),
            "sentence": told,
        }
        if proposal.base and not candidate:
            why = text("optimization.refusal.base", language, number=proposal.base, count=len(bases))
            refused.append(cast(Refused, {**entry, "reason_refused": why}))
            continue
        try:
            admit(proposal.change)
            leads = lead(base, searched, proposal.change)
        except REFUSALS as error:
            why = text(f"{error.room}.error.{error.code}", language, **error.fields)
            refused.append(cast(Refused, {**entry, "reason_refused": why}))
            continue
        if leads.hash in seen:
            why = text("optimization.refusal.tried", language)
            refused.append(cast(Refused, {**entry, "reason_refused": why}))
            continue
        seen.add(leads.hash)
        found = {
            **entry,
            "number": len(usable) + 1,
            "hash": leads.hash,
            "spec": leads.spec.model_dump(mode="json"),
            "grid": leads.grid,
            "conditions": complexity(leads.spec) - complexity(spec),
        }
        usable.append(cast(Proposed, found))
    return usable, refused
