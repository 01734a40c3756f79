"""What the roles answer: typed, bounded and described; the description is the instruction a model gets."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from nodes.optimization.changes import Change
from nodes.optimization.changes.base import Strict

MOST_PROPOSALS = 6
MOST_HYPOTHESES = 4

Sentence = Annotated[str, Field(min_length=1, max_length=400)]
EvidenceId = Annotated[str, Field(min_length=1, max_length=12)]


class Hypothesis(Strict):
    """Something that may explain a weakness and can be tested."""

    statement: Sentence = Field(description="What may be wrong, and why, in one sentence.")
    test: Sentence = Field(description="Which change of the strategy would show it.")
    evidence: list[EvidenceId] = Field(
        min_length=1,
        max_length=6,
        description="Ids of the evidence that supports it, as they stand in front of the lines, such as M1.",
    )


class Analysis(Strict):
    """The analyst's reading of a backtest."""

    quality_score: float = Field(ge=0, le=10, description="Quality of the strategy as it stands, 0 to 10.")
    strengths: list[Sentence] = Field(min_length=1, max_length=5, description="What the figures speak for.")
    weaknesses: list[Sentence] = Field(min_length=1, max_length=5, description="What the figures warn of.")
    anomalies: list[Sentence] = Field(
        default=[],
        max_length=4,
        description="What does not fit together and may be an error or an accident; empty if nothing.",
    )
    hypotheses: list[Hypothesis] = Field(
        min_length=1,
        max_length=MOST_HYPOTHESES,
        description="Explanations worth testing, most promising first.",
    )


class Proposal(Strict):
    """One typed change and the reason for it."""

    hypothesis: int = Field(
        ge=0,
        le=MOST_HYPOTHESES,
        description="Number of the analyst's hypothesis that it tests; 0 if there is none.",
    )
    change: Change = Field(description="The change itself.")
    reason: Sentence = Field(description="Why this change, citing the evidence.")
    expected_effect: Sentence = Field(description="What should move, and in which direction; no figures.")


class Proposals(Strict):
    """What the strategist proposes to test next."""

    proposals: list[Proposal] = Field(
        min_length=3,
        max_length=MOST_PROPOSALS,
        description="Three to six changes of different kinds, none of them tried before.",
    )


class Verdict(Strict):
    """The validator's word on one proposal."""

    proposal: int = Field(ge=1, le=MOST_PROPOSALS, description="Number of the proposal, from 1.")
    decision: Literal["validated", "rejected"] = Field(description="Whether it deserves a test.")
    priority: int = Field(ge=1, le=MOST_PROPOSALS, description="1 is tested first.")
    reason: Sentence = Field(description="Why, citing the evidence.")


class Verdicts(Strict):
    """The validator's word on every proposal, and on the iteration as a whole."""

    verdicts: list[Verdict] = Field(
        min_length=1, max_length=MOST_PROPOSALS, description="One verdict a proposal."
    )
    concerns: list[Sentence] = Field(
        default=[],
        max_length=4,
        description="Signs of overfitting or of a statistical bias in the figures; empty if there are none.",
    )
    confidence: float = Field(
        ge=0,
        le=10,
        description="How far the evidence of this iteration can be trusted: 0 not at all, 10 fully.",
    )
