"""What a person may say about proposals before they are tested, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from backtest import StrategySpec
from base.labels import LONGEST_LABEL, is_label, shown
from base.numbers import Numeric
from base.reasons import ReasonError, nearest, shape
from nodes.optimization.changes import KINDS, Change, SearchRange
from nodes.optimization.evidence.evidence import no_code
from nodes.optimization.schemas import Proposal
from nodes.optimization.trials.proposing import sort_proposals
from prompts import Language, text
from record.types import Member
from record.types import Proposal as Proposed

MOST = 100
"""Entries of a list: more than there are proposals, and little enough to be read at once."""

MOST_TOLD = 20
"""Problems that are told at once."""

Numbers = Annotated[list[int], Field(max_length=MOST)] | Literal["all"]


class Edit(Numeric):
    """Another change in the place of a proposed one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    proposal: int = Field(ge=1, description="Number of the proposal.")
    change: Change = Field(description="The change to test in its place.")


class Approval(Numeric):
    """A person's word on every proposal: accepted as it stands, rejected, or edited."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    accept: Numbers = Field(default=[], description="Numbers to test as proposed, or all.")
    reject: Numbers = Field(default=[], description="Numbers not to test, or all.")
    edit: list[Edit] = Field(
        default=[], max_length=MOST, description="Changes to test in the place of proposed ones."
    )


_FORMS: tuple[type[BaseModel], ...] = (Approval, Edit, SearchRange, *KINDS.values())
_NAMES = {name for form in _FORMS for name in form.model_fields}
_INSIDE: dict[str, type[BaseModel]] = {"edit": Edit, "SearchRange": SearchRange, **KINDS}


def awaited(proposals: Sequence[Proposed], approve: bool | Literal["code"]) -> list[Proposed]:
    """The proposals that wait for a person's word.

    Args:
        proposals: of the iteration.
        approve: all of them, none, or those that bring code.
    """
    if approve != "code":
        return [*proposals] if approve else []
    return [one for one in proposals if KINDS[one["change"]["kind"]].caged]


def read_approval(
    given: Any,
    proposals: Sequence[Proposed],
    spec: StrategySpec,
    tried: set[str],
    language: Language,
    grid: Mapping[str, Sequence[float]] | None = None,
    archive: Sequence[Member] = (),
    admit: Callable[[Change], None] = no_code,
) -> tuple[list[Proposed], list[str]]:
    """Apply a person's word to the proposals.

    Args:
        given: what came back, meant as an `Approval` in JSON.
        proposals: as the state has them.
        spec: the champion that edited changes apply to.
        tried: hashes of the strategies tested already.
        language: of the problems.
        grid: what the champion's values are searched among.
        archive: candidates that a proposal may change in the champion's place.
        admit: takes the code of an edited change into the language, or refuses it.

    Returns:
        (proposals, problems). Declined proposals are marked `declined`; edited ones lead to their new
        strategy and keep what they were as `proposed`. With problems nothing of it counts.
    """
    try:
        approval = Approval.model_validate(given)
    except ValidationError as error:
        return [], [
            text("base.error.at", language, where=".".join(map(str, where)), what=what) if where else what
            for where, what in faults(error, language).items()
        ]
    numbers = [proposal["number"] for proposal in proposals]
    accepted = numbers if approval.accept == "all" else list(approval.accept)
    rejected = numbers if approval.reject == "all" else list(approval.reject)
    edits = {edit.proposal: edit.change for edit in approval.edit}
    named = [*accepted, *rejected, *(edit.proposal for edit in approval.edit)]
    problems = [
        text(f"optimization.approval.{problem}", language, number=number)
        for problem, found in (
            ("unknown", sorted(set(named) - set(numbers))),
            ("undecided", sorted(set(numbers) - set(named))),
            ("twice", sorted({number for number in named if named.count(number) > 1})),
        )
        for number in found
    ]
    taken = tried | {proposal["hash"] for proposal in proposals if proposal["number"] in accepted}
    left: list[Proposed] = []
    for proposal in proposals:
        number = proposal["number"]
        if number in edits and not problems:
            changed, problem = _edited(
                proposal, edits[number], spec, taken, language, grid or {}, archive, admit
            )
            problems += [problem] if problem else []
            taken.add(changed["hash"])
            left.append(changed)
        elif number in rejected:
            left.append({**proposal, "declined": True})
        else:
            left.append(proposal)
    return ([], problems) if problems else (left, [])


def faults(
    error: ValidationError, language: Language, *, forms: bool = True
) -> dict[tuple[int | str, ...], str]:
    """What is wrong with an `Approval`, by field: one sentence, with what is allowed.

    A value may be a number or a range: pydantic complains of each form apart, under names that the file does
    not have. Where a range is given, its ends are at fault, not that it is no number.

    Args:
        error: as pydantic raised it.
        language: of the sentences.
        forms: tell of every form that a value may have, or else of the first alone.
    """
    found: dict[tuple[int | str, ...], list[str]] = {}
    allowed: dict[tuple[int | str, ...], list[str]] = {}
    for item in error.errors(include_url=False)[:MOST_TOLD]:
        place = item["loc"]
        unknown = item["type"] == "extra_forbidden"
        kept = [part for part in place if isinstance(part, int) or part in _NAMES]
        name = str(place[-1]) if place else ""
        where = (
            (*kept, name if is_label(name) else shown(name)) if unknown and name not in _NAMES else (*kept,)
        )
        if unknown:
            allowed[where] = _fields_at(place[:-1])
            reason = ReasonError(
                "value_unknown_key_near", nearest=nearest(name[:LONGEST_LABEL], allowed[where])
            )
        else:
            reason = shape(item)
        found.setdefault(where, []).append(reason.sentence(language).rstrip("."))
        if item["type"] == "union_tag_not_found":
            allowed[where] = list(KINDS)
    between = text("optimization.approval.between", language)
    told = {}
    for where, problems in found.items():
        if any(len(other) > len(where) and other[: len(where)] == where for other in found):
            continue
        problems = problems if forms else problems[:1]
        # Reasons begin small after the name of the field.
        what = between.join(dict.fromkeys(one[:1].lower() + one[1:] for one in problems))
        if names := allowed.get(where):
            what = text("optimization.approval.allowed", language, problem=what, names=", ".join(names))
        told[where] = what
    return told


def _fields_at(place: Sequence[int | str]) -> list[str]:
    """Names that an object at this place of an approval may have."""
    kind: type[BaseModel] = Approval
    for part in place:
        kind = _INSIDE.get(str(part), kind)
    return list(kind.model_fields)


def _edited(
    proposal: Proposed,
    change: Any,
    spec: StrategySpec,
    tried: set[str],
    language: Language,
    grid: Mapping[str, Sequence[float]],
    archive: Sequence[Member],
    admit: Callable[[Change], None],
) -> tuple[Proposed, str]:
    """(the proposal with another change, empty), or (the proposal, why it cannot be tested)."""
    other = Proposal(
        hypothesis=proposal["hypothesis"],
        base=proposal.get("base", 0),
        change=change,
        reason=proposal["reason"],
        expected_effect=proposal["expected_effect"],
    )
    usable, refused = sort_proposals([other], spec, tried, language, grid, archive, admit)
    if refused:
        words = text(
            "optimization.approval.refused",
            language,
            number=proposal["number"],
            sentence=refused[0]["sentence"],
            reason=refused[0]["reason_refused"],
        )
        return proposal, words
    was = {"change": proposal["change"], "sentence": proposal["sentence"]}
    return {**proposal, **usable[0], "number": proposal["number"], "proposed": was}, ""
