"""What a run is about in words: instrument, timeframe, strategies, and the title of its page."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from base.errors import catalogue
from nodes.context import RULES
from prompts import Words
from record.run_view import RunView
from record.types import OWN, Strategy
from reports.tables import instrument_title
from vault.datasets import Dataset

ROLES = ("analyst", "strategist", "validator", "single")
_HOURS = re.compile(r"hours_(\d+)_(\d+)")


def timeframe_name(timeframe: str, words: Words) -> str:
    """`daily` for `1d`; what has no name of its own stays as it is."""
    return catalogue("web", words.language).get(f"timeframe.{timeframe}", timeframe)


def prices_name(dataset: Dataset, words: Words) -> str:
    """`S&P 500 (^GSPC), daily`."""
    return f"{instrument_title(dataset.symbol, words)}, {timeframe_name(dataset.timeframe, words)}"


def strategy_name(strategy: Strategy, words: Words) -> str:
    """A preset or a family of the survey in words; a person's own strategy by its own name."""
    name = str(strategy.get("family") or strategy.get("name") or OWN)
    if name == OWN:
        return words("report.population.own")
    if hours := _HOURS.fullmatch(name):
        return words("web.family.hours", first=hours[1], last=hours[2])
    known = catalogue("web", words.language)
    return known.get(f"preset.{name}") or known.get(f"family.{name}") or name


def without_model(view: RunView, context: Mapping[str, Any]) -> bool:
    """Whether no model takes part: none was chosen, or none of those chosen has answered so far."""
    chosen = [chain for role in ROLES if (chain := context.get(role))]
    if chosen and all(list(chain) == [RULES] for chain in chosen):
        return True
    return not set(view.models) - {RULES} and bool(view.models or view.stood_in)


def title(view: RunView, about: Mapping[str, Any], words: Words) -> str:
    """Instrument, timeframe, and strategy → champion; empty before the prices are read."""
    if view.dataset is None or view.initial is None:
        return ""
    told = {
        "instrument": instrument_title(view.dataset["symbol"], words),
        "timeframe": timeframe_name(view.dataset["timeframe"], words),
        "start": strategy_name(view.initial, words),
    }
    if about.get("graph") == "review":
        found = words("web.fold.title_review", **told)
    else:
        found = _course(view, told, words)
    if without_model(view, about.get("context", {})):
        found = words("web.fold.no_model", title=found)
    return found


def _course(view: RunView, told: Mapping[str, str], words: Words) -> str:
    best = view.champion_spec
    if best is None or view.status in (None, "failed", "untested"):
        return words("web.fold.title_start", **told)
    champion = strategy_name(best, words)
    if champion != told["start"]:
        return words("web.fold.title", champion=champion, **told)
    kept = sum(selection["adopted"] is not None for selection in view.history.values())
    if best == view.initial:
        return words("web.fold.title_kept", **told)
    return words("web.fold.title_changed", count=max(1, kept), **told)
