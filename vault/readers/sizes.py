"""How large what others send may become: a small file that swells into gigabytes was made to do harm."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from vault.errors import MarketError

SWELLING = 100
"""Times that prices may grow where they are unpacked or read. Real ones grow by ten."""

FREE = 64 * 1024**2
"""Bytes to which any file may grow."""

LARGEST = 4 * 1024**3
"""Bytes to which none may."""

MOST_COLUMNS = 20_000
"""Six columns for each of three thousand shares."""

MOST_VALUES = 5_000_000
"""Lists and objects in a JSON file: one a bar, hardly more."""

LONGEST_LINE = 2_000_000
"""Letters in a line of a text file."""

_MIB = 1024**2


def allowed(size: int) -> int:
    """Bytes that may come out of a file of `size` bytes."""
    return min(LARGEST, max(FREE, SWELLING * size))


def check_size(path: Path, size: int, becomes: int) -> int:
    """What a file may become at most.

    Args:
        path: for the reader.
        size: bytes of the file.
        becomes: bytes that it says it will become.

    Raises:
        MarketError: `swells`.
    """
    most = allowed(size)
    if becomes > most:
        raise MarketError(
            "swells", path=str(path), size=_mib(size), becomes=_mib(becomes), limit=most // _MIB
        )
    return most


def check_columns(path: Path, columns: int) -> None:
    """Refuse a table that is wider than any.

    Raises:
        MarketError: `too_many_columns`.
    """
    if columns > MOST_COLUMNS:
        raise MarketError("too_many_columns", path=str(path), columns=columns, limit=MOST_COLUMNS)


def check_lines(path: Path, lines: Iterable[str]) -> None:
    """Refuse a text file with lines longer than any table's.

    Raises:
        MarketError: `too_long_line`.
    """
    for number, line in enumerate(lines, 1):
        if len(line) > LONGEST_LINE:
            raise MarketError(
                "too_long_line", path=str(path), line=number, letters=len(line), limit=LONGEST_LINE
            )


def check_values(path: Path, content: bytes) -> None:
    """Refuse JSON that would be far larger in memory than its text.

    Raises:
        MarketError: `too_many_values`.
    """
    values = content.count(b"{") + content.count(b"[")
    if values > MOST_VALUES:
        raise MarketError("too_many_values", path=str(path), values=values, limit=MOST_VALUES)


def _mib(size: int) -> str:
    return f"{size / _MIB:.1f}" if size < 10 * _MIB else str(size // _MIB)
