"""Which providers answer, for `threadx doctor`: quick, and without an exception for what is merely absent."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from base.plugins import PluginError
from providers.errors import ProviderError
from providers.registry import parse_reference, provider_of
from providers.settings import ProviderSettings

READY = "ready"


@dataclass(frozen=True)
class Health:
    """Whether a model would answer now.

    Attributes:
        reference: as written in the chain.
        ok: it would.
        code: `ready`, or an error's code; the texts are `providers.health.ready` and `providers.error.CODE`,
            and an error's text says what to install, start, set or pull.
        detail: what answered (address, file, services), or the error in one line.
        fields: placeholders of the text.
        room: whose text it is; not the providers' where a plugin fails.
    """

    reference: str
    ok: bool
    code: str
    detail: str
    fields: dict[str, Any] = field(default_factory=dict)
    room: str = ProviderError.room

    @property
    def text_key(self) -> str:
        """Key of the sentence for a reader, in `prompts/texts`."""
        return f"providers.health.{READY}" if self.ok else f"{self.room}.error.{self.code}"


def check(reference: str, settings: ProviderSettings) -> Health:
    """Ask one provider whether it would answer; bounded by `settings.probe_seconds` a question."""
    try:
        read = parse_reference(reference)
        detail = provider_of(read).health(read, settings)
    except (ProviderError, PluginError) as error:
        return Health(reference, False, error.code, repr(error), error.fields, error.room)
    return Health(reference, True, READY, detail, {"model": reference, "detail": detail})


def check_all(chains: Iterable[Iterable[str]], settings: ProviderSettings) -> list[Health]:
    """`check` for each reference of some chains once, in the order of first appearance, side by side."""
    references = list(dict.fromkeys(reference for chain in chains for reference in chain))
    with ThreadPoolExecutor(max_workers=max(1, min(8, len(references)))) as pool:
        return list(pool.map(lambda reference: check(reference, settings), references))
