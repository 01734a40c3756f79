"""What a role claims, held against what it was shown: numbers and evidence ids."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from nodes.optimization.evidence.grounding import unfounded
from nodes.optimization.schemas import Analysis
from prompts import Language, text
from record.types import Doubt


def claims_of(answer: Analysis) -> list[str]:
    """What an analysis states as fact; a test it suggests may name new numbers."""
    return [
        *answer.strengths,
        *answer.weaknesses,
        *answer.anomalies,
        *(hypothesis.statement for hypothesis in answer.hypotheses),
    ]


def cited_by(answer: Analysis) -> list[str]:
    """Ids of the evidence that an analysis cites."""
    return [name for hypothesis in answer.hypotheses for name in hypothesis.evidence]


def unfounded_claims(claims: Iterable[str], numbers: Sequence[float], language: Language) -> list[Doubt]:
    """Claims that cite a number which the evidence does not hold."""
    found: list[Doubt] = []
    for claim in claims:
        if wrong := unfounded(claim, numbers, language):
            found.append({"claim": claim, "numbers": wrong})
    return found


def unknown_ids(cited: Iterable[str], known: Sequence[str]) -> list[str]:
    """Cited ids that no evidence has."""
    return sorted(set(cited) - set(known))


def unknown_evidence(cited: Iterable[str], known: Sequence[str], language: Language) -> list[str]:
    """A complaint about the cited ids that no evidence has, if there are any."""
    if not (wrong := unknown_ids(cited, known)):
        return []
    return [text("optimization.refusal.evidence", language, wrong=", ".join(wrong), known=", ".join(known))]


def doubts(
    claims: Iterable[str],
    numbers: Sequence[float],
    language: Language,
    *,
    cited: Iterable[str] = (),
    known: Sequence[str] = (),
) -> list[str]:
    """What goes back to the role once: each unfounded number, and ids that do not exist."""
    unfounded_numbers = [
        text(
            "optimization.refusal.unfounded",
            language,
            numbers=", ".join(one["numbers"]),
            claim=one["claim"],
        )
        for one in unfounded_claims(claims, numbers, language)
    ]
    return [*unfounded_numbers, *unknown_evidence(cited, known, language)]
