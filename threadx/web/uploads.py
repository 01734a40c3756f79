"""Price files that people bring: checked, and kept in the data folder under a name of ours."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from base import private
from base.files import file_name, write_atomically
from threadx.web.errors import WebError
from threadx.web.guard import LARGEST_UPLOAD
from vault.readers.price_files import PRICE_EXTENSIONS
from vault.readers.prices import PriceSource, read_prices, read_table

FOLDER = "uploads"
TABLES = "tables"
"""Where further tables lie: they need not hold prices, so nobody is offered them as prices."""
PRICES = "prices"
"""Where `threadx data fetch` keeps what it fetches."""
Read = TypeVar("Read")
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]+")


def kept_name(name: str) -> str:
    """The name a file is kept under: of what the client sent, only letters, digits, dashes and underscores.

    Raises:
        WebError: `unknown_type`.
    """
    last = name.replace("\\", "/").rpartition("/")[2]
    stem, dot, suffix = last.rpartition(".")
    if not dot or f".{suffix.lower()}" not in PRICE_EXTENSIONS:
        raise WebError("unknown_type", known=", ".join(PRICE_EXTENSIONS))
    inside, dot, inner = stem.rpartition(".")
    if dot and f".{inner.lower()}" in PRICE_EXTENSIONS:  # of what is packed the inner ending says what it is
        stem, suffix = inside, f"{inner}.{suffix}"
    return file_name(f"{_UNSAFE.sub('_', stem)[:60].strip('_') or 'prices'}.{suffix.lower()}")


def keep(home: Path, name: str, content: bytes, **how: Any) -> PriceSource:
    """Keep a file that holds prices.

    Args:
        home: the data folder.
        name: what the client calls it.
        content: its bytes.
        **how: as for `vault.readers.prices.read_prices`: how it is to be read.

    Returns:
        What was read; `reference` is where it lies, relative to the data folder.

    Raises:
        WebError: `unknown_type`, `upload_too_large`.
        MarketError, BacktestError: it holds no usable prices; nothing is kept.
    """
    path, source = _kept(home / FOLDER, name, content, lambda path: read_prices(str(path), home, **how)[1])
    return source.model_copy(update={"reference": path.relative_to(home).as_posix()})


def keep_table(home: Path, name: str, content: bytes) -> str:
    """Keep a further table, whatever its columns are; its path, relative to the data folder.

    Raises:
        WebError: `unknown_type`, `upload_too_large`.
        MarketError: it cannot be read; nothing is kept.
    """
    return _kept(home / TABLES, name, content, read_table)[0].relative_to(home).as_posix()


def _kept(folder: Path, name: str, content: bytes, read: Callable[[Path], Read]) -> tuple[Path, Read]:
    """Where a file lies that could be read, and what was read."""
    kept = kept_name(name)
    if len(content) > LARGEST_UPLOAD:
        raise WebError("upload_too_large", limit=LARGEST_UPLOAD // 1024 // 1024)
    path = folder / hashlib.sha256(content).hexdigest()[:12] / kept
    new = not path.parent.exists()
    private.make_folder(path.parent)
    write_atomically(path, lambda stream: stream.write(content))
    try:
        return path, read(path)
    except RuntimeError:
        if new:
            shutil.rmtree(path.parent)
        raise


def own_files(home: Path) -> list[str]:
    """Price files that a form offers, relative to the data folder: those brought, then those of `prices/`."""
    there = (path for path in (home / PRICES).rglob("*") if path.suffix.lower() in PRICE_EXTENSIONS)
    return uploads(home) + sorted(path.relative_to(home).as_posix() for path in there)


def uploads(home: Path, folder: str = FOLDER) -> list[str]:
    """The files kept, relative to the data folder, the newest first."""
    found = [path for path in (home / folder).glob("*/*") if path.suffix in PRICE_EXTENSIONS]
    found.sort(key=lambda path: (-path.stat().st_mtime_ns, path.name))
    return [path.relative_to(home).as_posix() for path in found]
