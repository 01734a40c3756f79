"""Which models are there: those of the Ollama server, of an OpenAI-compatible one, and model files."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from base.references import OLLAMAS
from providers import embedded, ollama, ollama_store, openai
from providers.errors import ProviderError
from providers.gguf import is_later_part
from providers.reach import ask_json
from providers.reference import Reference
from providers.settings import ProviderSettings

OVERHEAD = 1.2
"""Bytes in memory for each of a file whose window cannot be weighed: its weights are not all of it."""
RUN_PROMPT = 6000
"""Tokens of the longest prompt of a run, rather too many than too few."""


@dataclass(frozen=True, kw_only=True)
class Installed:
    """One model that is there.

    Attributes:
        reference: as it is written in a chain.
        size: bytes of its file; None where the server does not say.
        quantisation: of its weights; empty where nothing is said.
        window: tokens it was trained for; None where nothing is said.
        token_bytes: memory that one token of the window takes; 0 where nothing is said.
        needs: tokens of the window that a run asks for.
        thinks: whether it can keep its thoughts apart.
        loaded: it is in memory now.
    """

    reference: str
    size: int | None = None
    quantisation: str = ""
    window: int | None = None
    token_bytes: int = 0
    needs: int = 0
    thinks: bool = False
    loaded: bool = False

    @property
    def memory(self) -> int | None:
        """Bytes in memory with the window of a run, about; None where its size is not known."""
        if self.size is None:
            return None
        if not self.token_bytes:
            return int(self.size * OVERHEAD)
        return self.size + self.token_bytes * min(self.window or self.needs, self.needs) + embedded.BUFFERS


def installed(settings: ProviderSettings) -> tuple[list[Installed], list[ProviderError]]:
    """Every model that could be asked now, and why a place has none."""
    found: list[Installed] = []
    silent: list[ProviderError] = []
    for look in (_ollama, _openai, _packaged, model_files):
        try:
            found += look(settings)
        except ProviderError as error:
            silent.append(error)
    return found, silent


def ollama_names(settings: ProviderSettings) -> list[str]:
    """The models that the Ollama server has.

    Raises:
        ProviderError: it does not answer.
    """
    return [str(one.get("name")) for one in _tags(settings)]


def _tags(settings: ProviderSettings) -> list[dict[str, Any]]:
    url = f"{settings.ollama_url}/api/tags"
    said = ask_json("GET", url, model=ollama.PROVIDER.name, seconds=settings.probe_seconds)
    return _objects(said.get("models"))


def _ollama(settings: ProviderSettings) -> list[Installed]:
    asked = Reference(ollama.PROVIDER.name, "")
    found = []
    for one in _tags(settings):
        name = str(one.get("name"))
        facts = ollama.probe_ollama(Reference(asked.provider, name), settings)
        details = one.get("details") if isinstance(one.get("details"), dict) else {}
        size = one.get("size")
        found.append(
            Installed(
                reference=f"{asked.provider}:{name}",
                size=size if isinstance(size, int) else None,
                quantisation=str(details.get("quantization_level") or "")
                if isinstance(details, dict)
                else "",
                window=facts.context_length,
                token_bytes=facts.token_bytes,
                needs=run_window(settings, thinks=facts.thinks),
                thinks=facts.thinks,
                loaded=facts.loaded is not None,
            )
        )
    return found


def _openai(settings: ProviderSettings) -> list[Installed]:
    """Only of one's own server: a hosted one lists hundreds."""
    if not openai.PROVIDER.local(settings):
        return []
    name = openai.PROVIDER.name
    key = openai.openai_key(Reference(name, ""), settings)
    said = ask_json(
        "GET", f"{settings.openai_url}/models", model=name, seconds=settings.probe_seconds, key=key
    )
    return [Installed(reference=f"{name}:{one['id']}") for one in _objects(said.get("data")) if one.get("id")]


def _packaged(settings: ProviderSettings) -> list[Installed]:
    small = Reference(embedded.PROVIDER.name, embedded.SMALL)
    embedded.probe_embedded(small, settings)
    return [_file(small, settings)]


def model_files(settings: ProviderSettings) -> list[Installed]:
    """Those of the data folder and of Ollama's; what is no language model is none of them."""
    folder = settings.model_files
    paths = sorted(folder.glob("**/*.[gG][gG][uU][fF]")) if folder is not None else []
    found = []
    whole = (str(path) for path in paths if not is_later_part(path))
    for name in (*whole, *(f"{OLLAMAS}{name}" for name in ollama_store.names())):
        with suppress(ProviderError):
            found.append(_file(Reference(embedded.PROVIDER.name, name), settings))
    return found


def run_window(settings: ProviderSettings, *, thinks: bool) -> int:
    """Tokens of the window that a run's calls take: a power of two, for a change of it is a load."""
    needed = RUN_PROMPT + settings.answer_tokens + (settings.thinking_tokens if thinks else 0)
    return 1 << (needed - 1).bit_length()


def _file(reference: Reference, settings: ProviderSettings) -> Installed:
    header = embedded.read_header(reference, embedded.path_of(reference))
    return Installed(
        reference=str(reference),
        size=header.size,
        quantisation=header.quantisation,
        window=header.window,
        token_bytes=header.token_bytes,
        needs=run_window(settings, thinks=False),
    )


def _objects(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def suggestion(models: list[Installed], memory: int) -> dict[str, Installed]:
    """A model for each role of the cycle: two where both fit into the memory together, else one for all.

    The largest that fits speaks for most; the analyst's thinks, where one does. With one model for all
    nothing is loaded anew within a run. Models of unknown size, and the embedded one, whose words are worth
    nothing, are suggested for no role.

    Args:
        models: what is there.
        memory: bytes for them.
    """
    fitting = [
        one
        for one in models
        if one.memory is not None and one.memory <= memory and one.reference != embedded.PROVIDER.sample
    ]
    if not fitting:
        return {}
    by_size = sorted(fitting, key=lambda one: (one.memory or 0, one.reference))
    largest = by_size[-1]
    analyst = next((one for one in reversed(by_size) if one.thinks), largest)
    if sum(one.memory or 0 for one in {analyst, largest}) > memory:
        analyst = largest
    return {"analyst": analyst, "strategist": largest, "validator": largest}
