"""What the ensemble is given, and what it carries from node to node: plain JSON, one writer a key."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict


class EnsembleInput(BaseModel):
    """Which hour, from which data."""

    model_config = ConfigDict(extra="forbid")

    as_of: Annotated[
        str | None,
        Field(
            title="As of",
            description="Hour of the summary, ISO (2018-12-31T22) or YYYYMMDDHH, UTC; now if left out, "
            "the end of the sample with the sample.",
            examples=["2018-12-31T22"],
            max_length=40,
        ),
    ] = None
    data: Annotated[
        str | None,
        Field(
            title="Data",
            description="A folder with forecast/, macro/, news/; or sample; the data folder if left out.",
            examples=["sample"],
            min_length=1,
            max_length=4096,
        ),
    ] = None


class Consultation(TypedDict):
    """One agent's turn."""

    role: str
    status: Literal["answered", "abstained", "no_data"]
    code: str  # why it abstained; empty otherwise
    report: dict[str, Any] | None
    degraded: bool
    provenance: dict[str, Any] | None
    prompt: dict[str, str] | None


class EnsembleState(TypedDict, total=False):
    """One writer a key, named beside it."""

    as_of: str | None  # the caller
    data: str | None  # the caller
    hour: str  # gather: ISO hour, UTC
    sample: bool  # gather: the inputs are the packaged sample
    evidence: dict[str, Any]  # gather: rows by agent, see `nodes.ensemble.evidence`
    notices: dict[str, Any]  # gather: what was missing, stale, refused, quarantined
    technical: Consultation  # technical
    macro: Consultation  # macro
    sentiment: Consultation  # sentiment
    quality: Consultation  # quality
    arbiter: Consultation  # arbiter: its latest turn
    draft: dict[str, Any] | None  # arbiter: the latest summary it gave
    turns: list[Consultation]  # arbiter: earlier turns, for the trace
    errors: list[str]  # check: what is wrong with the draft
    verdict: Literal["publish", "revise"]  # check
    invented: list[int]  # check: places of contributors that no evidence carries
    status: Literal["finished", "degraded", "failed"]  # publish
    degraded: bool  # publish
    failure: str  # publish: why nothing could be said; empty otherwise
    summary: dict[str, Any] | None  # publish
    summary_path: str | None  # publish
