"""Models in Ollama's folder on this machine, found by name; no server is asked.

`manifests/HOST/OWNER/NAME/TAG` names the layers of a model; the one with the weights is a GGUF file in
`blobs`.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from base.json_files import LARGEST, parse_json
from base.plain_files import read_plain
from base.reasons import ReasonError
from providers.errors import UnavailableError

FOLDER = "OLLAMA_MODELS"
"""Ollama's own variable."""

_WEIGHTS = "application/vnd.ollama.image.model"
_HOST, _OWNER, _TAG = "registry.ollama.ai", "library", "latest"
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
"""A word of a name: no separator, no `..`, no drive."""

_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")


def store() -> Path:
    """Where Ollama keeps its models."""
    told = os.environ.get(FOLDER, "").strip()
    return Path(told or os.path.expanduser("~/.ollama/models"))


def weights(name: str, *, model: str) -> Path:
    """The file with a model's weights; it is there.

    Args:
        name: as `ollama list` tells it; without a tag `latest`.
        model: the reference, for the error.

    Raises:
        UnavailableError: `no_model_name`, `not_in_store`.
    """
    digest = _digest(check_name(name, model=model))
    blob = store() / "blobs" / f"sha256-{digest}"
    if digest is None or not blob.is_file():
        raise UnavailableError("not_in_store", model=model, name=name, folder=str(store()))
    return blob


def check_name(name: str, *, model: str) -> Path:
    """Where the manifest of a model would be.

    Args:
        name: as for `weights`.
        model: the reference, for the error.

    Raises:
        UnavailableError: `no_model_name`: no model can be called that.
    """
    manifest = _manifest(name)
    if manifest is None:
        raise UnavailableError("no_model_name", model=model, name=name)
    return manifest


def names() -> list[str]:
    """Every model with weights in the folder, as Ollama names them."""
    root = store() / "manifests"
    found = []
    for path in sorted(root.glob("*/*/*/*")) if root.is_dir() else ():
        host, owner, name, tag = path.relative_to(root).parts
        place = (host, owner, name) if host != _HOST else (owner, name) if owner != _OWNER else (name,)
        told = f"{'/'.join(place)}:{tag}"
        if _manifest(told) == path and (digest := _digest(path)) is not None:
            found += [told] if (store() / "blobs" / f"sha256-{digest}").is_file() else []
    return found


def _manifest(name: str) -> Path | None:
    """Where a model's manifest would be; None for what is no name."""
    place, _, tag = name.rpartition(":") if ":" in name else (name, "", _TAG)
    parts = [*place.split("/"), tag]
    if len(parts) > 4 or not all(_PART.fullmatch(part) for part in parts):
        return None
    return store().joinpath("manifests", *(_HOST, _OWNER)[: 4 - len(parts)], *parts)


def _digest(manifest: Path) -> str | None:
    """The hash of the weights; None where no manifest of that form is there."""
    try:
        told: Any = parse_json(read_plain(manifest, LARGEST).decode())
        digests = [one["digest"] for one in told["layers"] if one.get("mediaType") == _WEIGHTS]
        read = _DIGEST.fullmatch(digests[0])
    except (OSError, ValueError, ReasonError, LookupError, TypeError, AttributeError):
        return None
    return read.group(1) if read is not None else None
