"""What the roles answer: typed, bounded and described; the description is the instruction a model gets."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Sentence = Annotated[str, Field(min_length=1, max_length=400)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Hypothesis(_Strict):
    """Something that may explain a weakness and can be tested."""

    statement: Sentence = Field(description="What may be wrong, and why, in one sentence.")
    test: Sentence = Field(description="Which change of the strategy would show it.")


class Analysis(_Strict):
    """The analyst's reading of a backtest."""

    quality_score: float = Field(ge=0, le=10, description="Quality of the strategy as it stands, 0 to 10.")
    strengths: list[Sentence] = Field(min_length=1, max_length=5, description="What the figures speak for.")
    weaknesses: list[Sentence] = Field(min_length=1, max_length=5, description="What the figures warn of.")
    hypotheses: list[Hypothesis] = Field(
        min_length=1, max_length=4, description="Explanations worth testing, most promising first."
    )


RiskParameter = Literal[
    "stop_loss_pct",
    "take_profit_pct",
    "trailing_stop_pct",
    "stop_loss_atr",
    "take_profit_atr",
    "trailing_stop_atr",
    "max_bars",
]


class ParamAdjustment(_Strict):
    """Set one of the strategy's own parameters to another value."""

    kind: Literal["param_adjustment"]
    parameter: Annotated[str, Field(max_length=60)] = Field(
        description="Name of the strategy's parameter, as listed."
    )
    value: float = Field(description="New value, within the listed bounds.")


class AddFilter(_Strict):
    """Require one more condition for an entry."""

    kind: Literal["add_filter"]
    side: Literal["long", "short"] = Field(description="Which entries are filtered.")
    condition: Annotated[str, Field(max_length=160)] = Field(
        description="A condition in the strategy language, "
        "for example adx(14) > 25 or close > sma(close, 100)."
    )


class RiskManagement(_Strict):
    """Set, or remove, one rule of risk."""

    kind: Literal["risk_management"]
    parameter: RiskParameter = Field(description="Which rule.")
    value: float | None = Field(description="New value in the rule's unit, or null to remove the rule.")


Change = Annotated[ParamAdjustment | AddFilter | RiskManagement, Field(discriminator="kind")]


class Proposal(_Strict):
    """One typed change and the reason for it."""

    change: Change = Field(description="The change itself.")
    reason: Sentence = Field(description="Why this change, from which hypothesis or figure.")
    expected_effect: Sentence = Field(description="What should move, and in which direction.")


class Proposals(_Strict):
    """What the strategist proposes to test next."""

    proposals: list[Proposal] = Field(
        min_length=3, max_length=3, description="Exactly three different changes, none of them tried before."
    )


class Verdict(_Strict):
    """The validator's word on one proposal."""

    proposal: int = Field(ge=1, le=3, description="Number of the proposal, from 1.")
    decision: Literal["validated", "rejected"] = Field(description="Whether it deserves a test.")
    priority: int = Field(ge=1, le=3, description="1 is tested first.")
    reason: Sentence = Field(description="Why.")


class Verdicts(_Strict):
    """The validator's word on every proposal."""

    verdicts: list[Verdict] = Field(min_length=1, max_length=3, description="One verdict a proposal.")
