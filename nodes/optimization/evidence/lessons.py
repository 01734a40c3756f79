"""What finished runs taught about a kind of change on a kind of market, kept in the graph's store.

A lesson holds figures of its run's development part only, and is never told to a run whose development part
ends earlier: memory of the future would be a leak.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from langgraph.store.base import BaseStore

from nodes.optimization.changes import CHANGE
from nodes.optimization.state import OptimizationState
from record.types import Iteration, Lesson

ROOT = "lessons"
MOST_LESSONS = 8
MOST_RUNS = 200
RISING = 0.5
TRENDING = 0.05

_TRIED = ("adopted", "account_lost", "kept_out", "uneven", "luck", "needless")


def _label(words: str) -> str:
    """A store's namespace allows no points and no empty parts."""
    return re.sub(r"[^\w-]", "_", words.strip().lower()) or "-"


def namespace(state: OptimizationState) -> tuple[str, ...]:
    """Where lessons of the same symbol, timeframe and strategy family are kept."""
    dataset = state["dataset"]
    family = state["initial"].get("family") or "own"
    return ROOT, _label(dataset["symbol"]), _label(dataset["timeframe"]), _label(family)


def _moment(words: str) -> pd.Timestamp:
    moment = pd.Timestamp(words)
    return moment.tz_localize("UTC") if moment.tz is None else moment.tz_convert("UTC")


def recall(store: BaseStore | None, state: OptimizationState) -> list[Lesson]:
    """Lessons that this run may know, those with most tests behind them first.

    Returns:
        Summed over the runs they come from; empty without a store.
    """
    if store is None:
        return []
    present = _moment(state["dataset"]["development_last"])
    sums: dict[tuple[str, str], list[int]] = {}
    for item in store.search(namespace(state), limit=MOST_RUNS):
        told = item.value
        if item.key == state["run_id"] or _moment(told["data_end"]) > present:
            continue
        for lesson in told["lessons"]:
            counts = sums.setdefault((lesson["change"], told["market"]), [0, 0])
            counts[0] += lesson["tested"]
            counts[1] += lesson["helped"]
    ranked = sorted(sums.items(), key=lambda entry: (-entry[1][0], -entry[1][1], entry[0]))
    return [
        {"change": change, "tested": tested, "helped": helped, "market": market}
        for (change, market), (tested, helped) in ranked[:MOST_LESSONS]
    ]


def remember(store: BaseStore | None, state: OptimizationState, history: Sequence[Iteration]) -> list[Lesson]:
    """Put down what this run taught, under its own name: a resumed run writes the same again.

    Args:
        store: the graph's; None keeps nothing.
        state: the finished run's.
        history: every iteration of it, whole.

    Returns:
        What was put down.
    """
    counts: dict[str, list[int]] = {}
    for entry in history:
        for trial in entry["trials"]:
            if trial["outcome"] in _TRIED:
                tally = counts.setdefault(kind_of_change(trial["change"]), [0, 0])
                tally[0] += 1
                tally[1] += trial["outcome"] == "adopted"
    lessons: list[Lesson] = [
        {"change": change, "tested": tested, "helped": helped}
        for change, (tested, helped) in sorted(counts.items())
    ]
    if store is not None and lessons:
        value = {
            "data_end": state["dataset"]["development_last"],
            "market": kind_of_market(state),
            "lessons": lessons,
        }
        store.put(namespace(state), state["run_id"], value, index=False)
    return lessons


def kind_of_change(change: Mapping[str, Any]) -> str:
    """A change without its figures: `risk_management stop_loss_pct`, `add_filter adx`."""
    return CHANGE.validate_python(change).subject()


def kind_of_market(state: OptimizationState) -> str:
    """Where the development part went, and whether its moves went on: `falling, trending`."""
    items = {item["name"]: item["value"] for item in state["dossier"]["items"] if "value" in item}
    holding = items.get("market_sharpe_ratio_of_holding") or 0.0
    ratio = items.get("market_variance_ratio_6_bars") or 1.0
    drift = "rising" if holding > RISING else "falling" if holding < -RISING else "sideways"
    memory = "trending" if ratio > 1 + TRENDING else "reverting" if ratio < 1 - TRENDING else "random"
    return f"{drift}, {memory}"
