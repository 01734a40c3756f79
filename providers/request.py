"""One question to a chat model, and what came back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # a second that a list of models does not have
    from langchain_core.messages import BaseMessage

from providers.shapes import shape

# Digits and punctuation cost a token each in several tokenisers (Gemma, Qwen), Latin words about one for
# three letters where the tokeniser was made for another language, other scripts one a letter.
_PIECES = re.compile(r"\d|[A-Za-zÀ-ɏ]{1,3}|[^\W\d_]|[^\w\s]|_|\n[ \t]*")


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a model is asked.

    Attributes:
        role: who asks, for traces.
        system: who the model is.
        user: the evidence and the question.
        schema: JSON Schema (an object) of the answer.
        schema_words: sentence, in the prompt's language, that announces the schema where it is shown.
        closing: what comes after the schema: it changes from call to call.
        correction: empty, or (the invalid answer, what is wrong with it): the model answers once more.
        prompt_hash: for traces.
    """

    role: str
    system: str
    user: str
    schema: Mapping[str, Any]
    schema_words: str
    closing: str = ""
    correction: tuple[str, str] | None = None
    prompt_hash: str = ""

    def messages(self, *, show_schema: bool, system_role: bool = True) -> list[BaseMessage]:
        """The conversation.

        What differs least from call to call stands first: servers keep what they have read of a prompt as
        long as the next one begins with the same words.

        Args:
            show_schema: the question is followed by the schema's shape.
            system_role: the system part is a message of its own; else it begins the first question.
        """
        shown = f"{self.schema_words}\n{shape(self.schema)}" if show_schema else ""
        question = "\n\n".join(part for part in (self.user, shown, self.closing) if part)
        kinds = import_module("langchain_core.messages")
        conversation: list[BaseMessage] = [kinds.SystemMessage(self.system), kinds.HumanMessage(question)]
        if not system_role:
            conversation = [kinds.HumanMessage(f"{self.system}\n\n{question}")]
        if self.correction is not None:
            answer, errors = self.correction
            conversation += [kinds.AIMessage(answer), kinds.HumanMessage(errors)]
        return conversation


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What a model answered.

    Attributes:
        text: the answer without thoughts, not yet JSON; it ends in a blank where blanks filled its room, and
            is empty where the answer stands in `thinking`.
        thinking: what a reasoning model thought first.
        prompt_tokens: as the server counted them, or None.
        answer_tokens: thoughts included, as the server counted them, or None.
        latency_seconds: of the call that gave it; 0 from the cache.
    """

    text: str
    thinking: str
    prompt_tokens: int | None
    answer_tokens: int | None
    latency_seconds: float = 0.0


def estimate_tokens(text: str) -> int:
    """About how many tokens a text has, rather too many than too few, without a tokeniser."""
    return sum(1 for _ in _PIECES.finditer(text))
