"""Vetoes that count: each rests on evidence of the case and has a reason of its own."""

from __future__ import annotations

from collections.abc import Sequence

from nodes.context import RULES
from nodes.seam.free_text import words_of
from prompts import Language, text
from record.types import Provenance, Verdict


def groundless(verdicts: Sequence[Verdict], known: Sequence[str]) -> set[int]:
    """Proposals whose veto cites no evidence of the case, gives no reason, or repeats another's.

    Where every proposal is rejected with one text, none of them is judged.

    Args:
        verdicts: of one answer, in order.
        known: ids of the evidence.
    """
    vetoes = [verdict for verdict in verdicts if verdict["decision"] == "rejected"]
    reasons: set[tuple[str, ...]] = set()
    found: set[int] = set()
    for veto in vetoes:
        reason = tuple(words_of(veto["reason"]))
        if not reason or reason in reasons or not set(veto.get("evidence", [])) & set(known):
            found.add(veto["proposal"])
        reasons.add(reason)
    # A text that was said before has been left out: no reason is none of its own.
    everything = len(vetoes) == len(verdicts) > 1 and len(reasons - {()}) <= 1
    return {veto["proposal"] for veto in vetoes} if everything else found


def veto_complaints(verdicts: Sequence[Verdict], known: Sequence[str], language: Language) -> list[str]:
    """A complaint that names the proposals whose veto has no grounds, if there are any."""
    wrong = sorted(groundless(verdicts, known))
    numbers = ", ".join(map(str, wrong))
    return [text("optimization.refusal.groundless", language, numbers=numbers)] if wrong else []


def weighed(verdicts: Sequence[Verdict], known: Sequence[str], provenance: Provenance) -> list[Verdict]:
    """The verdicts that count: a model's veto without grounds is an abstention, which vetoes nothing.

    The vetoes of `rules` are arithmetic on the figures, so two of them may share a reason.
    """
    without = set() if provenance["model"] == RULES else groundless(verdicts, known)
    return [
        {**verdict, "decision": "abstained"} if verdict["proposal"] in without else verdict
        for verdict in verdicts
    ]
