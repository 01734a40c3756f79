"""Every provider by its name, and which of them a reference means."""

from __future__ import annotations

import difflib
from fnmatch import fnmatchcase

from base.plugins import with_plugins
from providers import embedded, g4f, ollama, openai, rules
from providers.entry import Provider, collected
from providers.errors import UnknownModelError
from providers.reference import Reference
from providers.settings import ProviderSettings

_OWN = (ollama.PROVIDER, openai.PROVIDER, g4f.PROVIDER, embedded.PROVIDER, rules.PROVIDER)

PROVIDERS: dict[str, Provider] = collected(with_plugins("providers", _OWN, collected))
"""Every provider by its name, those of plugins too."""

ALMOST = 0.8
"""How like a provider's name (1 is the same) a word must be to count as one that was misspelt."""


def provider_of(reference: Reference) -> Provider:
    """The provider of a reference that was read by `parse_reference`."""
    return PROVIDERS[reference.provider]


def is_hosted(reference: Reference, settings: ProviderSettings) -> bool:
    """Whether others answer: their calls are short, and share the time of a chain."""
    provider = provider_of(reference)
    return provider.hosted and not provider.local(settings)


def parse_reference(text: str) -> Reference:
    """Read `provider:model`, `rules`, or an Ollama model name.

    Ollama names hold colons themselves, so whatever does not start with a known provider is Ollama's
    (`deepseek-r1:70b` is `ollama:deepseek-r1:70b`); whether such a model exists is for the server to say.
    Provider names are case-insensitive, model names are not changed.

    Raises:
        UnknownModelError: `empty_reference` without a model name, `misspelt_provider`, `unknown_model` for a
            name that a provider does not have whose models are known here.
    """
    words = text.strip()
    head, colon, model = words.partition(":")
    provider = PROVIDERS.get(head.strip().lower())
    model = model.strip()
    if provider is not None and provider.models == () and not model:
        return Reference(provider.name, "")
    if not head.strip() or (colon and not model) or (provider is not None and not model):
        raise UnknownModelError("empty_reference", reference=words, providers=", ".join(PROVIDERS))
    if provider is None:
        if meant := _meant(head.strip().lower()):
            raise UnknownModelError("misspelt_provider", reference=words, provider=head, nearest=meant)
        return Reference(ollama.PROVIDER.name, words)
    if provider.models is not None and not any(_names(one, model) for one in provider.models):
        known = ", ".join(provider.models) or provider.name
        raise UnknownModelError("unknown_model", reference=words, known=known)
    return Reference(provider.name, model)


def _names(known: str, model: str) -> bool:
    return fnmatchcase(model.lower(), known) if "*" in known else model == known


def _meant(head: str) -> str | None:
    """The provider whose name was misspelt, if one was: `llama3` is a model, `olama` is a slip."""
    near = difflib.get_close_matches(head, PROVIDERS, n=1, cutoff=ALMOST)
    return near[0] if near and near[0][0] == head[0] else None
