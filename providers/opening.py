"""From a model reference to a chat model.

`open_model` is the one place where tests put scripted models (`tests/scripted.py` does it).
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from providers.errors import UnknownModelError
from providers.opened import OpenedModel
from providers.probe import probe_embedded, probe_g4f, probe_ollama, probe_openai
from providers.reference import Reference
from providers.request import Request
from providers.settings import ProviderSettings


def open_model(reference: Reference, request: Request, settings: ProviderSettings) -> OpenedModel:
    """A model that can answer the request.

    Asks first whether anybody is there, and only then imports the provider's library.

    Raises:
        ProviderError: the provider is not there, lacks the model, or cannot take the prompt.
        UnknownModelError: `rules`, which is a policy and no model.
    """
    facts: Any
    match reference.provider:
        case "ollama":
            facts = probe_ollama(reference, settings)
        case "g4f":
            facts = probe_g4f(reference, settings)
        case "openai":
            facts = probe_openai(reference, settings)
        case "embedded":
            facts = probe_embedded(reference)
        case "rules":
            raise UnknownModelError("unknown_model", reference="rules", known="ollama, g4f, openai, embedded")
    client = import_module(f"providers.{reference.provider}_chat")
    opened: OpenedModel = client.open_model(reference, facts, request, settings)
    return opened
