"""One provider as one entry: everything that calls, health, cache, oversight and docs need of it.

An entry is light. The provider's library is imported by its `open`, after its `probe` has found somebody who
answers. An entry that leaves something unsaid is refused by its name when it is made.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from importlib import import_module
from typing import Any

from base.entries import EntryError
from providers.chat_model import OpenedModel
from providers.reference import Reference
from providers.request import Request
from providers.settings import ProviderSettings

Opening = Callable[[Reference, Any, Request, ProviderSettings], OpenedModel]

_NOT_SAID: Any = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """One provider. Every attribute must be given.

    Attributes:
        name: what stands before the colon of a reference.
        models: the models that it has, where they are known here (a `*` stands for any letters); None where
            only its server knows; empty where a reference names no model.
        sample: a reference that `threadx doctor` asks about where no chain names the provider.
        about: what it is and what it needs, for the README, in Markdown.
        sends: what leaves this machine, and to whom.
        hosted: others run it: its calls share the time of a chain, and may answer with a notice of limits.
        probe: asks within `settings.probe_seconds` whether it would answer, without importing its library;
            raises a ProviderError if not. What it returns is given to `open`.
        open: a chat model for a request, after a probe.
        health: like `probe`, and tells what answered: an address, a file, services. It costs no tokens.
        address: the server that its settings name, empty for none: another server's answers are not kept
            for this one.
        content: of a reference, what tells another model in the place of the same name: its answers are not
            kept for this one. None for a provider whose names stand for one model each.
        window: tokens of the window, of what `probe` returned, or None where it does not say; None for a
            provider that never says.
        local: whether the server is one's own, where what is absent is mended by hand.
    """

    name: str = _NOT_SAID
    models: tuple[str, ...] | None = _NOT_SAID
    sample: str = _NOT_SAID
    about: str = _NOT_SAID
    sends: str = _NOT_SAID
    hosted: bool = _NOT_SAID
    probe: Callable[[Reference, ProviderSettings], Any] = _NOT_SAID
    open: Opening = _NOT_SAID
    health: Callable[[Reference, ProviderSettings], str] = _NOT_SAID
    address: Callable[[ProviderSettings], str] = _NOT_SAID
    content: Callable[[Reference], str] | None = _NOT_SAID
    window: Callable[[Any], int | None] | None = _NOT_SAID
    local: Callable[[ProviderSettings], bool] = _NOT_SAID

    def __post_init__(self) -> None:
        """Refuse an entry that leaves something unsaid.

        Raises:
            EntryError: naming the entry and what it lacks.
        """
        told = {field.name: getattr(self, field.name) for field in fields(self)}
        missing = [name for name, value in told.items() if value is _NOT_SAID or value == ""]
        if missing:
            name = "a provider without a name" if "name" in missing else self.name
            raise EntryError(f"{name}: {', '.join(missing)} not said")
        if not re.fullmatch(r"[a-z][a-z0-9_-]*", self.name):
            raise EntryError(f"{self.name}: a name is small letters, digits, - and _")
        if self.sample != self.name and not self.sample.startswith(f"{self.name}:"):
            raise EntryError(f"{self.name}: the sample {self.sample} is not one of its references")


def lazily(client: str) -> Opening:
    """The function `open_model` of a module that is imported at its first call.

    Args:
        client: the module's full name; it may import the provider's library.
    """

    def open_model(
        reference: Reference, facts: Any, request: Request, settings: ProviderSettings
    ) -> OpenedModel:
        opened: OpenedModel = import_module(client).open_model(reference, facts, request, settings)
        return opened

    return open_model


def collected(entries: tuple[Provider, ...]) -> dict[str, Provider]:
    """Every entry by its name, in order.

    Raises:
        EntryError: two entries of a name.
    """
    by_name: dict[str, Provider] = {}
    for entry in entries:
        if entry.name in by_name:
            raise EntryError(f"{entry.name}: there are two entries of this name")
        by_name[entry.name] = entry
    return by_name
