"""From a model reference to a chat model.

`open_model` is the one place where tests put scripted models (`tests/scripted.py` does it).
"""

from __future__ import annotations

from providers.chat_model import OpenedModel
from providers.errors import ProviderError
from providers.reference import Reference
from providers.registry import provider_of
from providers.request import Request
from providers.settings import ProviderSettings


def open_model(reference: Reference, request: Request, settings: ProviderSettings) -> OpenedModel:
    """A model that can answer the request.

    Asks first whether anybody is there, and only then imports the provider's library.

    Raises:
        ProviderError: the provider is not there, lacks the model, or cannot take the prompt.
        UnknownModelError: `rules`, which is a policy and no model.
    """
    provider = provider_of(reference)
    return provider.open(reference, provider.probe(reference, settings), request, settings)


def window_of(reference: Reference, settings: ProviderSettings) -> int | None:
    """Tokens of a model's largest window, prompt and answer together; None where nobody knows, or answers."""
    provider = provider_of(reference)
    try:
        return provider.window(provider.probe(reference, settings)) if provider.window is not None else None
    except ProviderError:
        return None  # whoever asks the model meets the reason
