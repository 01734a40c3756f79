"""What agents and arbiter may answer at this very hour: rows, instruments, horizons and scores that exist.

A grammar that enforces these schemas lets nothing meaningless through. Where a server enforces none, an
agent's unknown row goes back, and what a summary invents is found by its check.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, Field

from nodes.ensemble.agents import AGENTS
from nodes.ensemble.schemas import (
    AgentReport,
    ArbiterAnswer,
    Concern,
    Contributor,
    Driver,
    Proposal,
    QualityReport,
)
from nodes.ensemble.types import Candidate, Row
from nodes.seam.narrowing import narrowed, one_of

R = TypeVar("R", bound=BaseModel)


def report_of(schema: type[R], rows: Sequence[Row]) -> type[R]:
    """A report whose reasons rest on rows that were given; what a plugin answers else stays as it is."""
    found: type[R] = _report(schema, tuple(row["id"] for row in rows))
    return found


@lru_cache(maxsize=64)
def _report(schema: type[Any], ids: tuple[str, ...]) -> type[Any]:
    cited: Any = list[one_of(ids)]  # type: ignore[misc]
    if issubclass(schema, AgentReport):
        return narrowed(schema, drivers=list[narrowed(Driver, evidence=cited)])  # type: ignore[misc]
    if issubclass(schema, QualityReport):
        return narrowed(schema, concerns=list[narrowed(Concern, evidence=cited)])  # type: ignore[misc]
    return schema


@lru_cache(maxsize=16)
def summary_of(instruments: tuple[str, ...]) -> type[ArbiterAnswer]:
    """The summary as the arbiter is asked for it: sources, models and instruments are those of this hour."""
    cited = [agent.cites for agent in AGENTS.values() if agent.cites is not None]
    row = narrowed(
        Contributor,
        source=one_of(dict.fromkeys(one.source for one in cited)),
        model=one_of(dict.fromkeys(one.made_by for one in cited)),
    )
    proposal = narrowed(Proposal, instrument=one_of(instruments))
    return narrowed(
        ArbiterAnswer,
        contributors=list[row],  # type: ignore[valid-type]
        recommendations=list[proposal],  # type: ignore[valid-type]
    )


def summary_of_rows(base: type[ArbiterAnswer], rows: Sequence[Candidate]) -> type[ArbiterAnswer]:
    """The same with contributors that are like the rows of this hour.

    Args:
        base: as `summary_of` makes it.
        rows: that contributors may copy; without any the base is all that can be said.
    """
    if not rows:
        return base
    made, scores = base.model_fields["contributors"].annotation, [row["score"] for row in rows]
    within = Annotated[float, Field(ge=min(scores), le=max(scores))]
    words: dict[str, Any] = {
        name: one_of(dict.fromkeys(str(row[name]) for row in rows))
        for name in ("source", "model", "horizon", "symbol", "prediction")
    }
    assert made is not None
    (contributor,) = made.__args__
    return narrowed(base, contributors=list[narrowed(contributor, **words, score=within)])  # type: ignore[misc]
