"""Node `check`: holds the draft against the evidence and decides whether it goes back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langgraph.runtime import Runtime

from nodes.context import EnsembleContext
from nodes.ensemble.evidence import candidates
from nodes.ensemble.state import EnsembleState
from prompts import Words

_ROUNDING = 0.0051
"""Scores are shown with two decimals."""


def check(state: EnsembleState, runtime: Runtime[EnsembleContext]) -> dict[str, Any]:
    """Every contributor must be a row of evidence, with its own score and prediction."""
    context = EnsembleContext.of(runtime.context)
    draft = state["draft"]
    if draft is None:
        return {"errors": [], "invented": [], "verdict": "publish"}
    wrong = contributor_errors(draft["contributors"], candidates(state["evidence"]), Words(context.language))
    answered = state["arbiter"]["status"] == "answered"
    again = bool(wrong) and answered and len(state["turns"]) <= context.corrections
    return {
        "errors": list(wrong.values()),
        "invented": list(wrong),
        "verdict": "revise" if again else "publish",
    }


def contributor_errors(
    contributors: list[dict[str, Any]], rows: list[dict[str, Any]], words: Words
) -> dict[int, str]:
    """What is wrong with each contributor that no row of evidence carries, by its place."""
    by_key = {(row["source"], row["symbol"], row["horizon"]): row for row in rows}
    found = {}
    seen = set()
    for place, given in enumerate(contributors):
        key = (given["source"], given["symbol"], given["horizon"])
        named = {"place": place + 1, "symbol": given["symbol"], "source": given["source"]}
        row = by_key.get(key)
        if row is None:
            horizons = _others(key, by_key)
            found[place] = words("ensemble.check.invented", horizon=given["horizon"], known=horizons, **named)
        elif key in seen:
            found[place] = words("ensemble.check.repeated", horizon=given["horizon"], **named)
        else:
            seen.add(key)
            differing = [
                name
                for name in ("model", "score", "prediction")
                if (abs(given[name] - row[name]) > _ROUNDING if name == "score" else given[name] != row[name])
            ]
            if differing:
                figures = ", ".join(f"{name}={row[name]}" for name in differing)
                found[place] = words("ensemble.check.altered", figures=figures, **named)
    return found


def _others(key: tuple[str, str, str], rows: Mapping[tuple[str, str, str], Any]) -> str:
    """What the source does hold, to choose from: the symbol's horizons, else its symbols."""
    source, symbol, _ = key
    horizons = [row[2] for row in rows if row[:2] == (source, symbol)]
    symbols = dict.fromkeys(row[1] for row in rows if row[0] == source)
    return ", ".join(horizons or list(symbols)[:10]) or "–"
