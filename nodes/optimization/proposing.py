"""What a proposal leads to: a strategy that can be tested, or the reason why not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from backtest import BacktestError, StrategySpec
from nodes.optimization.changes import apply_change, describe_change
from nodes.optimization.schemas import Change, Proposal
from prompts import Language, text


def _refusal(
    change: Change, spec: StrategySpec, tried: set[str], language: Language
) -> tuple[str | None, str | None]:
    """(hash, None) of the strategy the change leads to, or (None, why it cannot be tested)."""
    try:
        changed = apply_change(spec, change)
    except BacktestError as error:
        return None, text(f"backtest.error.{error.code}", language, **error.fields)
    if changed.hash in tried:
        return None, text("optimization.refusal.tried", language)
    return changed.hash, None


def sort_proposals(
    proposals: Sequence[Proposal], spec: StrategySpec, tried: set[str], language: Language
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Split proposals into (usable, refused), each proposal as plain JSON with its sentence.

    Usable ones are numbered from 1 and carry the `hash` of the strategy they lead to, and that strategy as
    `spec`; refused ones carry the `reason_refused`.
    """
    usable: list[dict[str, Any]] = []
    refused: list[dict[str, Any]] = []
    seen = set(tried)
    for proposal in proposals:
        found, why = _refusal(proposal.change, spec, seen, language)
        entry = {
            **proposal.model_dump(mode="json"),
            "sentence": describe_change(proposal.change, spec, language),
        }
        if found is None:
            refused.append({**entry, "reason_refused": why})
        else:
            seen.add(found)
            changed = apply_change(spec, proposal.change).model_dump(mode="json")
            usable.append({**entry, "number": len(usable) + 1, "hash": found, "spec": changed})
    return usable, refused
