"""Model references: `provider:model`."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Literal, get_args

from providers.errors import UnknownModelError

Provider = Literal["ollama", "g4f", "openai", "embedded", "rules"]
PROVIDERS: tuple[Provider, ...] = get_args(Provider)

EMBEDDED_MODELS = ("smollm2",)

G4F_PROVIDERS: dict[str, tuple[tuple[str, str, str], ...]] = {
    "deepseek-r1": (
        ("Pollinations", "deepseek-r1", "pollinations.g4f.space"),
        ("KiloCode", "deepseek/deepseek-r1", "api.kilo.ai"),
    ),
    "deepseek-r1-0528": (("KiloCode", "deepseek/deepseek-r1-0528", "api.kilo.ai"),),
    "qwen-2.5-72b": (("KiloCode", "qwen/qwen-2.5-72b-instruct", "api.kilo.ai"),),
    "qwen-2.5-coder-32b": (("KiloCode", "qwen/qwen-2.5-coder-32b-instruct", "api.kilo.ai"),),
    "glm-4.5": (("KiloCode", "z-ai/glm-4.5", "api.kilo.ai"),),
    "glm-4.6": (("KiloCode", "z-ai/glm-4.6", "api.kilo.ai"),),
    "glm-4.7": (("KiloCode", "z-ai/glm-4.7", "api.kilo.ai"),),
}
"""What `g4f:NAME` may use: g4f's provider, the model's name there, and the host that receives the prompt.

Explicit on purpose: left to itself g4f starts a browser. Only providers that answer over plain HTTPS are
listed, none that solves a captcha or swaps the model for another; `tests/providers/test_g4f.py` holds the
list against g4f's own registry.
"""


ALMOST = 0.8
"""How like a provider's name (1 is the same) a word must be to count as one that was misspelt."""


@dataclass(frozen=True)
class Reference:
    """One model of one provider.

    Attributes:
        provider: who answers.
        model: its name there; empty for `rules`.
    """

    provider: Provider
    model: str

    def __str__(self) -> str:
        return f"{self.provider}:{self.model}" if self.model else self.provider


def parse_reference(text: str) -> Reference:
    """Read `provider:model`, `rules`, or an Ollama model name.

    Ollama names hold colons themselves, so whatever does not start with a known provider is Ollama's
    (`deepseek-r1:70b` is `ollama:deepseek-r1:70b`); whether such a model exists is for the server to say.
    Provider names are case-insensitive, model names are not changed.

    Raises:
        UnknownModelError: `empty_reference` without a model name, `misspelt_provider`, `unknown_model` for a
            name that g4f or the embedded provider do not have (their lists are known here).
    """
    words = text.strip()
    head, colon, model = words.partition(":")
    provider = next((name for name in PROVIDERS if name == head.strip().lower()), None)
    model = model.strip()
    if provider == "rules" and not model:
        return Reference("rules", "")
    if provider == "rules":
        raise UnknownModelError("unknown_model", reference=words, known="rules")
    if not words or not head.strip() or (colon and not model) or (provider is not None and not model):
        raise UnknownModelError("empty_reference", reference=words, providers=", ".join(PROVIDERS))
    if provider is None:
        if meant := _meant(head.strip().lower()):
            raise UnknownModelError("misspelt_provider", reference=words, provider=head, nearest=meant)
        return Reference("ollama", words)
    known: tuple[str, ...] | None = {"g4f": tuple(G4F_PROVIDERS), "embedded": EMBEDDED_MODELS}.get(provider)
    if known is not None and model not in known:
        raise UnknownModelError("unknown_model", reference=words, known=", ".join(known))
    return Reference(provider, model)


def _meant(head: str) -> str | None:
    """The provider whose name was misspelt, if one was: `llama3` is a model, `olama` is a slip."""
    near = difflib.get_close_matches(head, PROVIDERS, n=1, cutoff=ALMOST)
    return near[0] if near and near[0][0] == head[0] else None
