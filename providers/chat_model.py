"""A chat model ready to be asked, with what is particular to its provider."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from providers.errors import ProviderError
from providers.settings import Parameter

if TYPE_CHECKING:  # a second that a list of models does not have
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import AIMessage


def _no_verification(message: AIMessage) -> None:
    """Nothing beyond what every provider's answer is checked for."""


def _no_translation(error: Exception) -> ProviderError | None:
    """The model raises typed errors itself."""
    return None


def _nothing_to_close() -> None:
    """The model holds no connection."""


@dataclass(frozen=True, kw_only=True)
class OpenedModel:
    """A chat model ready to be asked.

    Attributes:
        model: LangChain's client.
        show_schema: whether the prompt must show the schema.
        droppable: parameters that were sent and can be left out if the server refuses them.
        guesses: also where the server does not say what it minds, one after the other.
        system_role: whether the first message has a role of its own.
        window: tokens of prompt and answer together; None where it is not known.
        total_seconds: deadline of one call.
        idle_seconds: longest time between two tokens.
        first_seconds: longest time until the first one; None for `idle_seconds`.
        verify: raises a ProviderError for an answer that looks right but is not.
        translate: the typed error for what the client raises, or None if it is none of its own.
        close: hangs up, also in the midst of an answer that came too late.
    """

    model: BaseChatModel
    show_schema: bool = True
    droppable: frozenset[Parameter] = frozenset()
    guesses: bool = False
    system_role: bool = True
    window: int | None = None
    total_seconds: float = 900.0
    idle_seconds: float = 900.0
    first_seconds: float | None = None
    verify: Callable[[AIMessage], None] = _no_verification
    translate: Callable[[Exception], ProviderError | None] = _no_translation
    close: Callable[[], None] = _nothing_to_close
