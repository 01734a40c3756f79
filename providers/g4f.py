"""Free hosted models, by g4f: its entry, which of its services may be used, and whether they answer."""

from __future__ import annotations

from providers.entry import Provider, lazily
from providers.errors import ProviderError, UnavailableError
from providers.reach import installed, reach
from providers.reference import Reference
from providers.settings import ProviderSettings, is_local, server_url

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


def probe_g4f(reference: Reference, settings: ProviderSettings) -> list[tuple[str, str]]:
    """The g4f providers of a model whose hosts answer, as (provider, the model's name there).

    Raises:
        UnavailableError: `not_installed` or `unreachable`.
    """
    installed("g4f", model=str(reference))
    if settings.g4f_base_url:
        url = server_url(settings.g4f_base_url)
        reach(url, model=str(reference), seconds=settings.probe_seconds)
        return [(url, reference.model)]
    answering: list[tuple[str, str]] = []
    trouble: ProviderError | None = None
    for provider, name, host in G4F_PROVIDERS[reference.model]:
        try:
            reach(f"https://{host}", model=str(reference), seconds=settings.probe_seconds)
        except UnavailableError as error:
            trouble = error
        else:
            answering.append((provider, name))
    if not answering and trouble is not None:
        raise trouble
    return answering


PROVIDER = Provider(
    name="g4f",
    models=tuple(G4F_PROVIDERS),
    sample="g4f:deepseek-r1",
    about="free services, no key; only the ensemble uses it by default",
    sends="the prompts, to the third parties behind g4f (api.kilo.ai, pollinations.g4f.space): market data, "
    "scores and headlines, never your files",
    hosted=True,
    probe=probe_g4f,
    open=lazily("providers.clients.g4f"),
    health=lambda reference, settings: ", ".join(service for service, _ in probe_g4f(reference, settings)),
    address=lambda settings: settings.g4f_base_url,
    content=None,
    window=None,
    local=lambda settings: bool(settings.g4f_base_url) and is_local(settings.g4f_base_url),
)
