"""What a GGUF file says of the model in it.

The file may be anything: whatever it claims is held against its size before it is read.
Layout: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import mmap
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from base.plain_files import opened_plain

_MAGIC = b"GGUF"
_VERSIONS = (2, 3)
_MOST_KEYS = 100_000
_LONGEST_KEY = 65_535
_MOST_WORDS = 4_000_000
"""Texts in all lists of a file: the largest vocabularies have half a million, with as many merges."""
_LONGEST_KEPT = 200
"""Letters or items of a value that is kept; templates and vocabularies are passed over."""

_TEXT, _LIST = 8, 9
_FORMS: Final = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_FILE_TYPES = {
    **{0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1", 10: "Q2_K", 11: "Q3_K_S"},
    **{12: "Q3_K_M", 13: "Q3_K_L", 14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S", 17: "Q5_K_M", 18: "Q6_K"},
    **{25: "IQ4_NL", 30: "IQ4_XS", 32: "BF16", 38: "MXFP4"},
}
"""`general.file_type`, as `llama_ftype` of llama.cpp numbers them."""

_PART = re.compile(r"-(\d{5})-of-(\d{5})\.gguf\Z", re.IGNORECASE)


class GgufError(Exception):
    """The file is no whole GGUF file.

    Attributes:
        known: it begins like one.
    """

    def __init__(self, *, known: bool) -> None:
        super().__init__("damaged" if known else "no GGUF file")
        self.known = known


@dataclass(frozen=True, kw_only=True)
class Gguf:
    """A model file.

    Attributes:
        size: bytes, of all parts where it is split.
        kind: what `general.type` says: `model`, `adapter`, `mmproj`; a projector is no model of its own.
        window: tokens it was trained for; None where it does not say.
        token_bytes: memory that one token of the window takes.
        quantisation: of its weights; empty for one not known here.
        tensors: of all parts; a vocabulary alone has none.
    """

    size: int
    kind: str
    window: int | None
    token_bytes: int
    quantisation: str
    tensors: int


def read_gguf(path: Path) -> Gguf:
    """What a file says, read once for as long as it is the same.

    Raises:
        GgufError: it is none, or not whole.
        OSError: it cannot be read.
    """
    told = path.stat()
    return _read(path, told.st_size, told.st_mtime_ns)


@lru_cache(maxsize=64)
def _read(path: Path, size: int, modified: int) -> Gguf:
    parts = parts_of(path)
    said: dict[str, Any] = {}
    tensors = 0
    for number, part in enumerate(parts):
        header, count = _header(part)
        tensors += count
        said = said or header
        if number and not header:
            raise GgufError(known=True)
    name = said.get("general.architecture")
    window = _whole(said.get(f"{name}.context_length")) or None
    return Gguf(
        size=sum(part.stat().st_size for part in parts),
        kind="mmproj" if name == "clip" else str(said.get("general.type", "model")),
        window=window,
        token_bytes=token_bytes(said, str(name)),
        quantisation=_FILE_TYPES.get(_whole(said.get("general.file_type"), none=-1), ""),
        tensors=tensors,
    )


def is_later_part(path: Path) -> bool:
    """Whether a file is a part of a split model other than the first, by which it is named."""
    split = _PART.search(path.name)
    return split is not None and int(split.group(1)) > 1


def parts_of(path: Path) -> list[Path]:
    """Every file of a model, in order; one that is split has its number and their count in its name.

    Raises:
        GgufError: one of them is missing.
    """
    split = _PART.search(path.name)
    if split is None:
        return [path]
    count = int(split.group(2))
    stem = path.name[: split.start()]
    parts = [path.with_name(f"{stem}-{one:05}-of-{count:05}{path.suffix}") for one in range(1, count + 1)]
    if not parts or not all(part.is_file() for part in parts):
        raise GgufError(known=True)
    return parts


def _whole(value: Any, none: int = 0) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else none


def token_bytes(said: Mapping[str, Any], name: str) -> int:
    """Memory that a token of the window takes: keys and values in half precision, of every layer.

    Rather too much where layers look back less far; 0 where it is not said.

    Args:
        said: keys of a GGUF header; Ollama's server tells the same.
        name: of the architecture.
    """
    layers = _whole(said.get(f"{name}.block_count"))
    heads = _whole(said.get(f"{name}.attention.head_count"))
    width = _whole(said.get(f"{name}.embedding_length"))
    pairs = said.get(f"{name}.attention.head_count_kv", heads)
    in_all = sum(map(_whole, pairs)) if isinstance(pairs, list) else layers * _whole(pairs)
    each = width // heads if heads else 0
    key = _whole(said.get(f"{name}.attention.key_length"), none=each)
    value = _whole(said.get(f"{name}.attention.value_length"), none=each)
    return 2 * in_all * (key + value)


def _header(path: Path) -> tuple[dict[str, Any], int]:
    """The keys and short values of a file whose weights are all there, and the number of its tensors.

    Raises:
        GgufError: as `read_gguf`.
    """
    with opened_plain(path) as stream:
        if stream.read(len(_MAGIC)) != _MAGIC:
            raise GgufError(known=False)
        with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
            try:
                return _Reader(data).header()
            except (struct.error, ValueError) as error:
                raise GgufError(known=True) from error


class _Reader:
    """A place in a file, and what stands there."""

    def __init__(self, data: mmap.mmap) -> None:
        self.data = data
        self.place = len(_MAGIC)
        self.words = 0

    def header(self) -> tuple[dict[str, Any], int]:
        """Every key with its value, where that is short; and the number of tensors.

        Raises:
            ValueError, struct.error: the file ends too early, or says what cannot be.
        """
        version, tensors, keys = self._numbers("IQQ")
        if version not in _VERSIONS or keys > _MOST_KEYS or tensors > _MOST_KEYS:
            raise ValueError
        said: dict[str, Any] = {}
        for _ in range(keys):
            name = self._text(_LONGEST_KEY)
            said[name] = self._value(*self._numbers("I"))
        last = max((self._tensor() for _ in range(tensors)), default=0)
        alignment = _whole(said.get("general.alignment", 32))
        if not alignment or self.place + last > len(self.data):
            raise ValueError
        return said, tensors

    def _numbers(self, form: str) -> tuple[Any, ...]:
        found = struct.unpack_from(f"<{form}", self.data, self.place)
        self.place += struct.calcsize(f"<{form}")
        return found

    def _skip(self, count: int) -> None:
        if count > len(self.data) - self.place:
            raise ValueError
        self.place += count

    def _text(self, longest: int) -> str:
        (length,) = self._numbers("Q")
        begin = self.place
        self._skip(length)
        return self.data[begin : self.place].decode(errors="replace") if length <= longest else ""

    def _value(self, kind: int) -> Any:
        """A value; None for a long one."""
        if kind == _TEXT:
            return self._text(_LONGEST_KEPT)
        if kind != _LIST:
            return self._numbers(_form(kind))[0]
        kind, count = self._numbers("IQ")
        if kind == _TEXT:
            self.words += count
            if self.words > _MOST_WORDS:
                raise ValueError
            for _ in range(count):
                self._skip(*self._numbers("Q"))
            return None
        form = _form(kind)
        if count <= _LONGEST_KEPT:
            return list(self._numbers(form * count))
        self._skip(count * struct.calcsize(form))
        return None

    def _tensor(self) -> int:
        """Where a tensor begins, after the header."""
        self._text(0)
        (dimensions,) = self._numbers("I")
        self._skip(8 * dimensions + 4)
        return int(self._numbers("Q")[0])


def _form(kind: int) -> str:
    """The letter of a number's type; a list within a list has none.

    Raises:
        ValueError: there is no such type.
    """
    if kind not in _FORMS:
        raise ValueError
    return _FORMS[kind]
