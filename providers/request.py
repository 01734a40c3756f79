"""One question to a chat model, and what came back."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage

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
        correction: empty, or (the invalid answer, what is wrong with it): the model answers once more.
        prompt_hash: for traces.
    """

    role: str
    system: str
    user: str
    schema: Mapping[str, Any]
    schema_words: str
    correction: tuple[str, str] | None = None
    prompt_hash: str = ""

    def messages(self, *, show_schema: bool, system_role: bool = True) -> list[BaseMessage]:
        """The conversation.

        Args:
            show_schema: the schema's text ends the system part, once.
            system_role: the system part is a message of its own; else it begins the first question.
        """
        system = self.system
        if show_schema:
            schema = json.dumps(self.schema, ensure_ascii=False, separators=(",", ":"))
            system = f"{system}\n\n{self.schema_words}\n{schema}"
        conversation: list[BaseMessage] = [SystemMessage(system), HumanMessage(self.user)]
        if not system_role:
            conversation = [HumanMessage(f"{system}\n\n{self.user}")]
        if self.correction is not None:
            answer, errors = self.correction
            conversation += [AIMessage(answer), HumanMessage(errors)]
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
