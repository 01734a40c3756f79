"""What a voice says in the debate: claims that rest on evidence, a stance, and how sure it is."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from base.numbers import Numeric
from nodes.seam.free_text import FREE_TEXT

MOST_CITED = 6

EvidenceId = Annotated[str, Field(min_length=1, max_length=60)]


class Claim(Numeric):
    """One argument and what it rests on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    evidence: list[EvidenceId] = Field(
        min_length=1, max_length=MOST_CITED, description="Ids of the evidence it rests on, as listed."
    )
    statement: Annotated[str, Field(min_length=1, max_length=300), FREE_TEXT] = Field(
        description="One argument in one sentence, from the figures, answering what was said before."
    )


class Turn(Numeric):
    """What one voice says in the debate."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    stance: Literal["continue", "stop"] = Field(
        description="continue the search, or stop with the present champion."
    )
    confidence: float = Field(ge=0, le=1, description="How sure you are, 0 to 1.")
    claims: list[Claim] = Field(min_length=1, max_length=3, description="Your arguments, strongest first.")
