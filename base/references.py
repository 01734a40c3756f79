"""How model references are written in text: chains with commas, and files by their path."""

from __future__ import annotations

import ntpath
import os
import re
from collections.abc import Iterable

MODEL_FILE = ".gguf"
"""How the name of a model file ends, in any case."""

OLLAMAS = "ollama/"
"""So begins the name of a model in Ollama's folder; a file in a folder of that name is `./ollama/…`."""

_PART = re.compile(r'\s*(?:"([^"]*)"|([^,]*?))\s*(?:,|\Z)')


def listed(text: str) -> tuple[str, ...]:
    """The references of a chain: commas separate them, and what stands in double quotes may hold commas."""
    found = (quoted or plain for quoted, plain in _PART.findall(text))
    return tuple(one.strip() for one in found if one.strip())


def joined(references: Iterable[str]) -> str:
    """The text that `listed` reads."""
    return ", ".join(f'"{one}"' if "," in one else one for one in references)


def file_of_reference(reference: str) -> str | None:
    """The path in `embedded:PATH.gguf`; None for every other reference."""
    provider, _, model = reference.partition(":")
    path = model.strip()
    if provider.strip().lower() != "embedded" or path.startswith(OLLAMAS):
        return None
    return path if path.lower().endswith(MODEL_FILE) else None


def placed(reference: str) -> str:
    """The same reference, its path absolute: a run may go on from another folder than it began in."""
    path = file_of_reference(reference)
    if path is None or ntpath.splitdrive(path)[0]:
        return reference
    return f"embedded:{os.path.abspath(os.path.expanduser(path))}"
