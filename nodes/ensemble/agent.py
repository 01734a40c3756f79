"""What an agent is: its rows, its schema, its rules, its weight. One file declares one `AGENT`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel

from feeds.folder import DataFolder
from feeds.forecasts import Forecasts
from feeds.freshness import Quality
from feeds.macro import Macro
from feeds.news import News
from nodes.ensemble.schemas import ContributorHorizon, Model, Prediction, Source

Row = dict[str, Any]
Evidence = Mapping[str, Any]


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
class Agent:
    """One agent of the ensemble.

    Attributes:
        name: of its node, its file, its prompt and its chain of models in the context.
        schema: what it answers; with a view on markets an `AgentReport`.
        rows: its evidence: one dictionary a row, each with an `id`; empty means nothing to read.
        coverage: how much of what it should read is there, 0–1, computed by code.
        policy: its answer without a model.
        weight: what its view counts until its record says otherwise.
        reads: the source whose trust its view is multiplied with; None for an agent without a view on
            markets.
        cites: the candidate that a row gives a summary to cite, or None.
        bounded: what is left of an answer, where the rows hold words of strangers (`bounds.py`); a policy's
            own answer comes back as it is. None: the answer stands.
        quoted: the program's sentences by themselves with a stranger's words quoted in them, for a reader
            alone: no model reads these.
    """

    name: str
    schema: type[BaseModel]
    rows: Callable[[Inputs], list[Row]]
    coverage: Callable[[Inputs], float]
    policy: Callable[[Evidence], BaseModel]
    weight: float
    reads: Literal["forecast", "macro", "news"] | None
    cites: Callable[[Row], Row | None]
    bounded: Callable[[Any, Evidence], BaseModel] | None = None
    quoted: Callable[[Evidence], dict[str, str]] = lambda evidence: {}


def candidate(
    row: Row,
    *,
    source: Source,
    model: Model,
    horizon: ContributorHorizon,
    symbol: str,
    score: float,
    prediction: Prediction,
) -> Row:
    """A row of evidence in the form in which a summary cites it; scores are shown with two decimals."""
    return {
        "id": row["id"],
        "source": source,
        "model": model,
        "horizon": horizon,
        "symbol": symbol,
        "score": round(score, 2),
        "prediction": prediction,
    }
