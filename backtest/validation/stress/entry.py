"""One stress test as one entry: its name, what it does, and what its failing means for the verdict.

Its words stand in `prompts/texts/stress`: `name.<name>` is its name for a reader and `<name>` its sentence,
filled with the fields of its finding; `not_applicable.<name>`, if there, says why it means nothing here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, Literal

from backtest.validation.stress.case import Finding
from base.entries import EntryError
from base.errors import LANGUAGES, catalogue

Failing = Literal["fatal", "essential", "told"]

_NOT_SAID: Any = object()


@dataclass(frozen=True, kw_only=True, slots=True)
class StressTest:
    """One stress test. Every attribute must be given.

    Attributes:
        name: of its texts and findings.
        run: the test itself; it must draw all randomness from the case's generator. A plugin's is given one
            instrument at a time, and of many the worst finding counts.
        failing: `fatal` shows that the future is known, so that no other figure means anything; `essential`
            keeps a result from being called real; `told` is told and changes nothing.
    """

    name: str = _NOT_SAID
    run: Callable[[Any], Finding] = _NOT_SAID
    failing: Failing = _NOT_SAID

    def __post_init__(self) -> None:
        """Refuse an entry that leaves something unsaid.

        Raises:
            EntryError: naming the entry and what it lacks.
        """
        missing = [one.name for one in fields(self) if getattr(self, one.name) is _NOT_SAID]
        if missing:
            name = "a stress test without a name" if "name" in missing else self.name
            raise EntryError(f"{name}: {', '.join(missing)} not said")
        if not re.fullmatch(r"[a-z][a-z0-9_]*", self.name):
            raise EntryError(f"{self.name}: a name is small letters, digits and _")


def collected(entries: tuple[StressTest, ...]) -> dict[str, StressTest]:
    """Every entry by its name, in order.

    Raises:
        EntryError: two entries of a name, or a text that is missing.
    """
    by_name: dict[str, StressTest] = {}
    for entry in entries:
        missing = [
            f"stress.{key} ({language})"
            for language in LANGUAGES
            for key in (f"name.{entry.name}", entry.name)
            if key not in catalogue("stress", language)
        ]
        if missing:
            raise EntryError(f"{entry.name}: {', '.join(missing)} not said")
        if entry.name in by_name:
            raise EntryError(f"{entry.name}: there are two entries of this name")
        by_name[entry.name] = entry
    return by_name
