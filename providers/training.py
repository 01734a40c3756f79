"""Until when a model may remember what markets did: the end of its training data."""

from __future__ import annotations

from datetime import date
from typing import Literal

Knowledge = Literal["after", "within", "unknown"]

CUT_OFFS = {
    "gemma3": date(2024, 8, 31),
    "gpt-oss": date(2024, 6, 30),
    "llama3.1": date(2023, 12, 31),
    "llama3.2": date(2023, 12, 31),
    "llama3.3": date(2023, 12, 31),
    "phi4": date(2024, 6, 30),
}
"""Last day of the training data by family, as the makers' model cards say; what stands nowhere is unknown."""


def cut_off(model: str) -> date | None:
    """The last day that a model's training data may hold; None where nobody has told.

    Args:
        model: `provider:model`, as records name it; a tag after a colon is not looked at. Nothing is known
            of a file by its path.
    """
    name = model.partition(":")[2].rpartition("/")[2].partition(":")[0].lower()
    return CUT_OFFS.get(name)


def knowledge(model: str, day: date) -> Knowledge | None:
    """Whether a day lies within a model's training data, after them, or nobody knows; None for `rules`.

    Args:
        model: as of `cut_off`.
        day: the day.
    """
    if model.partition(":")[0] == "rules":
        return None
    known = cut_off(model)
    if known is None:
        return "unknown"
    return "within" if known >= day else "after"


def may_remember(model: str, start: date) -> bool:
    """Whether a model may have seen what happened from a day on; one without a known cut-off may have.

    Args:
        model: as of `cut_off`; `rules` remembers nothing.
        start: the day.
    """
    return knowledge(model, start) in ("within", "unknown")
