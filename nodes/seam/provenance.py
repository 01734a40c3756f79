"""Where an answer, or its absence, comes from: every try of every model, and who answered in the end."""

from __future__ import annotations

from typing import Any, Literal, cast

from pydantic import BaseModel, ConfigDict

from nodes.seam.journal import MODEL_BUDGETS
from record.types import Attempt as RecordedAttempt
from record.types import Provenance as Recorded

INVALID_SCHEMA = "invalid_schema"
FAILED_CHECK = "failed_check"
DOUBTED = "doubted"
NOTHING_SAID = "nothing_said"


Fields = dict[str, str | int | float | dict[str, Any]]
"""Placeholders of an error's text by name; an error among them as `base.reasons.plain` gives it."""


class Attempt(BaseModel):
    """One try of one model.

    Attributes:
        model: reference.
        outcome: `answered`; `invalid` (an answer against schema or checks); `error` (no answer).
        code: empty, or what was wrong: an error's code, `invalid_schema`, `failed_check`, `doubted` or
            `nothing_said`.
        detail: the same in one line.
        fields: placeholders of the text `text_key`.
        latency_seconds: time of this try.
        repeated: the run met this failure before, and nobody was asked again.
    """

    model_config = ConfigDict(frozen=True)

    model: str
    outcome: Literal["answered", "invalid", "error"]
    code: str = ""
    detail: str = ""
    fields: Fields = {}
    latency_seconds: float = 0.0
    repeated: bool = False

    def plain(self) -> RecordedAttempt:
        """Plain JSON, as events carry it."""
        return cast(RecordedAttempt, self.model_dump(mode="json"))

    @property
    def text_key(self) -> str:
        """Key in `prompts/texts` of the sentence for a reader; empty for an answer."""
        if not self.code:
            return ""
        ours = (INVALID_SCHEMA, FAILED_CHECK, DOUBTED, NOTHING_SAID, *MODEL_BUDGETS)
        room = "nodes" if self.code in ours else "providers"
        return f"{room}.error.{self.code}"


class Provenance(BaseModel):
    """Where an answer, or its absence, comes from.

    Attributes:
        role: who asked.
        model: the reference that answered; empty when none did.
        degraded: `rules` answered although it was not first in the chain.
        attempts: every try in order.
        latency_seconds: of all of it, waits included.
        prompt_tokens: of every call that was answered, or None when no server counted.
        answer_tokens: the same for answers, thoughts included.
        cached: an earlier identical call answered.
        prompt_name: the prompt's file.
        prompt_hash: hash of the prompt as rendered.
        thinking: what the model thought before the answer that counts.
        corrections: how often an answer was sent back.
        unsaid: free texts that said nothing and were left out of the answer (`nodes.seam.free_text`).
        repairs: what was read leniently in the answer that counts (`providers.extraction`,
            `nodes.seam.reading`, `thinking`, `blanks`).
    """

    model_config = ConfigDict(frozen=True)

    role: str
    model: str
    degraded: bool
    attempts: list[Attempt]
    latency_seconds: float
    prompt_tokens: int | None
    answer_tokens: int | None
    cached: bool
    prompt_name: str
    prompt_hash: str
    thinking: str
    corrections: int
    unsaid: list[str] = []
    repairs: list[str] = []

    def plain(self) -> Recorded:
        """Plain JSON, as events carry it."""
        return cast(Recorded, self.model_dump(mode="json"))

    def without_timings(self) -> Recorded:
        """Plain JSON without latencies: equal for equal runs."""
        return cast(
            Recorded,
            self.model_dump(
                mode="json", exclude={"latency_seconds": True, "attempts": {"__all__": {"latency_seconds"}}}
            ),
        )
