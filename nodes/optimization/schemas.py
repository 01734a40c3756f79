"""What the roles answer: typed, bounded and described; the description is the instruction a model gets."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from nodes.optimization.changes import Change
from nodes.optimization.changes.base import Strict
from nodes.seam.free_text import FREE_TEXT

MOST_MEMBERS = 12
"""Candidates of a population that are kept at most: what a prompt has room for."""

MOST_PROPOSALS = 6
MOST_HYPOTHESES = 4

Sentence = Annotated[str, Field(min_length=1, max_length=400), FREE_TEXT]
"""Words that what holds them cannot do without."""

Remark = Annotated[str, Field(max_length=400), FREE_TEXT]
"""Words that may be missing: no decision rests on them."""

EvidenceId = Annotated[str, Field(min_length=1, max_length=12)]


class Hypothesis(Strict):
    """Something that may explain a weakness and can be tested."""

    evidence: list[EvidenceId] = Field(
        min_length=1,
        max_length=6,
        description="Ids of the evidence that supports it, as they stand in front of the lines.",
    )
    statement: Sentence = Field(description="What may be wrong, and why, in one sentence of your own.")
    test: Remark = Field(default="", description="Which change of the strategy would show it.")


class Analysis(Strict):
    """The analyst's reading of a backtest."""

    quality_score: float = Field(ge=0, le=10, description="Quality of the strategy as it stands, 0 to 10.")
    hypotheses: list[Hypothesis] = Field(
        min_length=1,
        max_length=MOST_HYPOTHESES,
        description="Explanations worth testing, most promising first.",
    )
    strengths: list[Sentence] = Field(
        default=[], max_length=5, description="What the figures speak for; empty if nothing."
    )
    weaknesses: list[Sentence] = Field(
        default=[], max_length=5, description="What the figures warn of; empty if nothing."
    )
    anomalies: list[Sentence] = Field(
        default=[],
        max_length=4,
        description="What does not fit together and may be an error or an accident; empty if nothing.",
    )


class Proposal(Strict):
    """One typed change and the reason for it."""

    hypothesis: int = Field(
        ge=0,
        le=MOST_HYPOTHESES,
        description="Number of the analyst's hypothesis that it tests; 0 if there is none.",
    )
    base: int = Field(
        default=0,
        ge=0,
        le=MOST_MEMBERS,
        description="Number of the candidate (C) that it changes; 0 is the champion.",
    )
    change: Change = Field(description="The change itself.")
    reason: Remark = Field(default="", description="Why this change, citing the evidence.")
    expected_effect: Remark = Field(
        default="", description="What should move, and in which direction; no figures."
    )


class Proposals(Strict):
    """What the strategist proposes to test next."""

    proposals: list[Proposal] = Field(
        min_length=3,
        max_length=MOST_PROPOSALS,
        description="Three to six changes of different kinds, none of them tried before.",
    )


Grounds = Annotated[list[EvidenceId], Field(max_length=6)]
"""Ids of the evidence that a verdict rests on."""


class Verdict(Strict):
    """The validator's word on one proposal."""

    proposal: int = Field(ge=1, le=MOST_PROPOSALS, description="Number of the proposal, from 1.")
    decision: Literal["validated", "rejected"] = Field(description="Whether it deserves a test.")
    priority: int = Field(ge=1, le=MOST_PROPOSALS, description="1 is tested first.")
    evidence: Grounds = Field(
        default=[], description="Ids of the evidence; without them a veto does not count."
    )
    reason: Remark = Field(
        default="", description="Why, for this proposal alone, in one sentence of your own."
    )


class Verdicts(Strict):
    """The validator's word on every proposal, and on the iteration as a whole."""

    verdicts: list[Verdict] = Field(
        min_length=1, max_length=MOST_PROPOSALS, description="One verdict a proposal."
    )
    confidence: float = Field(
        ge=0,
        le=10,
        description="How far the evidence of this iteration can be trusted: 0 not at all, 10 fully.",
    )
    concerns: list[Sentence] = Field(
        default=[],
        max_length=4,
        description="Signs of overfitting or of a statistical bias in the figures; empty if there are none.",
    )
