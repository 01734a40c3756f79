"""What an agent is, as one entry: what graph, prompts, summary, reports and settings need to know of it.

One file declares one `AGENT`; what is said of it and by it stands in `prompts/texts/agents`. An entry that
leaves something unsaid is refused by its name when it is made, texts that are missing when it is collected.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel

from base.entries import EntryError
from base.errors import LANGUAGES, catalogue
from feeds.folder import DataFolder
from feeds.forecasts import Forecasts
from feeds.freshness import Quality
from feeds.macro import Macro
from feeds.news import News
from nodes.context import Context
from nodes.ensemble.schemas import AgentReport, ContributorHorizon, Prediction
from nodes.ensemble.types import Candidate, CitedRow, Row, Sourced
from prompts import Words

Evidence = Mapping[str, Any]
"""Rows by agent, beside the language: of every agent, a plugin's too, so their kinds are not known here."""

R = TypeVar("R", bound=Row)

RESERVED = frozenset(
    (
        *(
            "gather",
            "arbiter",
            "check",
            "publish",
            "pool",
            "models",
            "corrections",
            "fresh",
            "unattended",
            "back_run",
        ),
        *("agent_seconds", "arbiter_seconds", *Context.model_fields),
    )
)
"""Names of nodes, voices and settings, which no agent may have."""

TRACE = ("row", "origin", "origins")
"""Keys of an evidence row that say where it comes from: for the audit, not for a model."""


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """Everything that was known at the hour, as the readers of `feeds` returned it.

    Attributes:
        folder: the data folder, for an agent that reads a file of its own.
        hour: as of when (UTC); what is later does not exist.
        forecasts, macro, news: the three sources.
        quality: their freshness and defects.
    """

    folder: DataFolder
    hour: datetime
    forecasts: Forecasts
    macro: Macro
    news: News
    quality: Quality


@dataclass(frozen=True, kw_only=True)
class Citation(Generic[R]):
    """How a summary cites the rows of an agent.

    Attributes:
        source: what the summary calls where they come from; its words are `agents.cited.<source>`.
        made_by: what made them, for the field `model`; its words are `agents.made_by.<made_by>`.
        most: how many of them a summary by rules cites at most.
        row: the candidate that a row gives, or None.
        rationale: why a candidate matters, in one sentence.
        advice: what its candidates, of which there is one, recommend, given the arbiter's evidence; None for
            nothing.
        weakest_first: whether the lowest score matters most instead of the highest.
        instruments: whether a candidate's symbol is something to invest in, which the first advice names.
    """

    source: str
    made_by: str
    most: int
    row: Callable[[R], CitedRow | None]
    rationale: Callable[[Sourced, Words], str]
    advice: Callable[[list[Candidate], Evidence, Words], str | None] = lambda rows, evidence, words: None
    weakest_first: bool = False
    instruments: bool = False


_NOT_SAID: Any = object()
_SAID = ("name", "short", "task", "given", "ask")


@dataclass(frozen=True, kw_only=True)
class Agent(Generic[R]):
    """One agent of the ensemble.

    Attributes:
        name: of its node, its texts and its chain of models in the settings.
        schema: what it answers; with a view on markets an `AgentReport`.
        rows: its evidence: one dictionary a row, each with an `id`; empty means nothing to read.
        coverage: how much of what it should read is there, 0–1, computed by code.
        policy: its answer without a model.
        weight: what its view counts until its record says otherwise.
        reads: the source whose trust its view is multiplied with; None for an agent without a view on
            markets.
        cites: how a summary cites its rows; None where it cites none.
        bounded: what is left of an answer, where the rows hold words of strangers (`bounds.py`); a policy's
            own answer comes back as it is. None: the answer stands.
        quoted: the program's sentences by themselves with a stranger's words quoted in them, for a reader
            alone: no model reads these.
        facts: figures of its rows that the arbiter's rules use, by name.
    """

    name: str = _NOT_SAID
    schema: type[BaseModel] = _NOT_SAID
    rows: Callable[[Inputs], list[R]] = _NOT_SAID
    coverage: Callable[[Inputs], float] = _NOT_SAID
    policy: Callable[[Evidence], BaseModel] = _NOT_SAID
    weight: float = _NOT_SAID
    reads: Literal["forecast", "macro", "news"] | None = _NOT_SAID
    cites: Citation[R] | None = _NOT_SAID
    bounded: Callable[[Any, Evidence], BaseModel] | None = None
    quoted: Callable[[Evidence], dict[str, str]] = lambda evidence: {}
    facts: Callable[[list[R]], Mapping[str, float | None]] = lambda rows: {}

    def __post_init__(self) -> None:
        """Refuse an entry that leaves something unsaid or contradicts itself.

        Raises:
            EntryError: naming the entry and what is wrong.
        """
        missing = [one.name for one in fields(self) if getattr(self, one.name) is _NOT_SAID]
        if missing:
            name = "an agent without a name" if "name" in missing else self.name
            raise EntryError(f"{name}: {', '.join(missing)} not said")
        if not re.fullmatch(r"[a-z][a-z0-9_]*", self.name):
            raise EntryError(f"{self.name}: a name is small letters, digits and _")
        if (self.reads is not None) is not issubclass(self.schema, AgentReport):
            raise EntryError(
                f"{self.name}: an agent reads a source if, and only if, it has a view on markets"
            )


def collected(entries: tuple[Agent[Any], ...]) -> dict[str, Agent[Any]]:
    """Every entry by its name, in order.

    Raises:
        EntryError: two entries of a name or of a source, a name that is taken, or a text that is missing.
    """
    by_name: dict[str, Agent[Any]] = {}
    sources: set[str] = set()
    for entry in entries:
        wanted = [f"{entry.name}.{key}" for key in _SAID]
        if entry.cites is not None:
            wanted += [f"cited.{entry.cites.source}", f"made_by.{entry.cites.made_by}"]
        missing = [
            f"agents.{key} ({language})"
            for language in LANGUAGES
            for key in wanted
            if key not in catalogue("agents", language)
        ]
        if missing:
            raise EntryError(f"{entry.name}: {', '.join(missing)} not said")
        if entry.name in by_name or entry.name in RESERVED:
            raise EntryError(f"{entry.name}: there are two of this name")
        if entry.cites is not None and entry.cites.source in sources:
            raise EntryError(f"{entry.name}: there are two agents whose rows come from {entry.cites.source}")
        by_name[entry.name] = entry
        sources |= set() if entry.cites is None else {entry.cites.source}
    return by_name


def candidate(
    row: Row, *, horizon: ContributorHorizon, symbol: str, score: float, prediction: Prediction
) -> CitedRow:
    """A row of evidence in the form in which a summary cites it; scores are shown with two decimals."""
    return {
        "id": row["id"],
        "horizon": horizon,
        "symbol": symbol,
        "score": round(score, 2),
        "prediction": prediction,
    }
