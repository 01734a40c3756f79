"""What the ensemble is given, and what it carries from node to node: plain JSON, one writer a key."""

from __future__ import annotations

from typing import Annotated, Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from base.json_files import Json
from base.reasons import PlainError
from nodes.ensemble.agents import AGENTS
from nodes.ensemble.schemas import LLMEnsembleSummary
from nodes.ensemble.types import Draft, Forecasted, Notices, Report, Skill, Stances
from record.types import Provenance


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


class EnsembleOutput(BaseModel):
    """What the ensemble gives back: of the state, the part that a caller is after."""

    run: Annotated[str | None, Field(title="Run", description="Name of the run's record.")] = None
    hour: Annotated[str | None, Field(title="Hour", description="ISO hour, UTC.")] = None
    status: Annotated[
        Literal["finished", "degraded", "failed"] | None,
        Field(title="Status", description="failed: nothing could be said, and no hour was written."),
    ] = None
    degraded: Annotated[
        bool | None,
        Field(title="Degraded", description="Whether rules stood in for a model that did not answer."),
    ] = None
    failure: Annotated[
        str | None, Field(title="Failure", description="Why nothing could be said; empty otherwise.")
    ] = None
    summary: Annotated[
        LLMEnsembleSummary | None, Field(title="Summary", description="The investment summary of the hour.")
    ] = None
    summary_path: Annotated[
        str | None, Field(title="File", description="The summary's file in the data folder.")
    ] = None


class _Turn(TypedDict):
    role: str
    status: Literal["answered", "abstained", "no_data"]


class Message(_Turn):
    """What one agent was asked, as the trace keeps it."""

    prompt: dict[str, str] | None


class Answer(_Turn):
    """What one agent answered, as the trace keeps it."""

    code: str  # why it abstained; empty otherwise
    report: Report | Draft | None  # an agent's, or the arbiter's
    coverage: float | None  # how much of what it should read was there, by code; None for the arbiter
    degraded: bool
    brought_back: bool  # code moved the view, which lay too far from what its rows count
    said: list[dict[str, str]]  # every text a model gave, refused ones too: {model, text}
    provenance: Provenance | None


class Consultation(Answer):
    """One agent's turn."""

    failure: PlainError | None  # of an agent of a plugin that failed: its error (`base.reasons.plain`)
    prompt: dict[str, str] | None


def joined(left: dict[str, Consultation], right: dict[str, Consultation]) -> dict[str, Consultation]:
    """The turns of agents that worked side by side."""
    return {**left, **right}


class EnsembleState(TypedDict, total=False):
    """One writer a key, named beside it; the agents each write their own entry of `agents`."""

    as_of: str | None  # the caller
    data: str | None  # the caller
    run: str  # gather: name of the run's record; empty in a back-run, which keeps none
    began: float  # gather: seconds since 1970
    hour: str  # gather: ISO hour, UTC
    sample: bool  # gather: the inputs are the packaged sample
    evidence: dict[str, list[Any]]  # gather: rows by agent
    coverage: dict[str, float]  # gather: by agent
    failed: dict[str, PlainError]  # gather: why an agent of a plugin could not read, by agent
    record: dict[str, float]  # gather: what each agent's record makes of its weight
    instruments: Forecasted  # gather: what a recommendation may be about, and what is forecast of it
    scored: dict[str, Skill]  # gather: skill and windows of each voice's past forecasts, as known at the hour
    notices: Notices  # gather: what was missing, stale, refused, quarantined
    agents: Annotated[dict[str, Consultation], joined]  # each agent: its own entry
    arbiter: Consultation  # arbiter: its latest turn
    draft: Draft | None  # arbiter: the latest summary it gave
    turns: list[Consultation]  # arbiter: every turn, for the trace
    errors: list[str]  # check: what is wrong with the draft
    verdict: Literal["publish", "revise"]  # check
    invented: dict[str, list[int]]  # check: places that no evidence carries, by field of the draft
    status: Literal["finished", "degraded", "failed"]  # publish
    degraded: bool  # publish
    failure: str  # publish: why nothing could be said; empty otherwise
    summary: Json | None  # publish: a `schemas.LLMEnsembleSummary`
    summary_path: str | None  # publish
    stances: Stances | None  # publish: what each voice said, to be scored later


def reports_of(state: EnsembleState) -> dict[str, Report]:
    """The reports of the agents that answered, in the registry's order."""
    reports = ((name, state["agents"][name]["report"]) for name in AGENTS)
    return {name: cast(Report, report) for name, report in reports if report is not None}
