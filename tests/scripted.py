"""Scripted chat models: the one way in which tests replace a model.

    script = scripted_models(monkeypatch, {"ollama:deepseek-r1:70b": ['{"score": 7}', RetryableError(...)]})
    ... ask(...) ...
    assert script.calls["ollama:deepseek-r1:70b"][0].user == "..."

Each call takes the next step of its model: a text, an AIMessage, an exception to raise, or a function that
gets the Request and returns one of these. Models without a script are unreachable, as on a machine with no
server and no network. Waits between tries are recorded, not slept.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult

from nodes.seam import room
from providers import calling, opening
from providers.chat_model import OpenedModel
from providers.errors import UnavailableError
from providers.reference import Reference
from providers.request import Request
from providers.settings import ProviderSettings

Step = str | AIMessage | BaseException | Callable[[Request], "str | AIMessage | BaseException"]


class ScriptedChat(BaseChatModel):
    """A chat model that gives one step and keeps what it was sent."""

    give: Callable[[list[BaseMessage]], AIMessage]

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def _generate(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=self.give(messages))])


@dataclass
class Script:
    """What happened.

    Attributes:
        calls: the requests of each reference, in order.
        messages: the messages of each call, in order, over all references.
        order: the references in the order of their calls, unreachable ones included.
        pauses: waits between tries, seconds.
        left: steps not yet taken.
    """

    left: dict[str, list[Step]]
    calls: dict[str, list[Request]] = field(default_factory=lambda: defaultdict(list))
    messages: list[list[BaseMessage]] = field(default_factory=list)
    order: list[str] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)


def scripted_models(monkeypatch: pytest.MonkeyPatch, steps: Mapping[str, Sequence[Step]]) -> Script:
    """Replace every model by its script; see the module's text."""
    script = Script({reference: list(given) for reference, given in steps.items()})

    def open_model(reference: Reference, request: Request, settings: ProviderSettings) -> OpenedModel:
        name = str(reference)
        script.order.append(name)
        if name not in script.left:
            raise UnavailableError("unreachable", model=name, address="scripted")
        script.calls[name].append(request)
        if not script.left[name]:
            raise AssertionError(f"the script of {name} has no more steps")
        step: Any = script.left[name].pop(0)
        given = step(request) if callable(step) else step

        def give(messages: list[BaseMessage]) -> AIMessage:
            script.messages.append(messages)
            if isinstance(given, BaseException):
                raise given
            return given if isinstance(given, AIMessage) else AIMessage(given)

        return OpenedModel(model=ScriptedChat(give=give))

    monkeypatch.setattr(opening, "open_model", open_model)
    monkeypatch.setattr(room, "window_of", lambda reference, settings: None)
    monkeypatch.setattr(calling, "pause", script.pauses.append)
    return script
