"""Headlines from feeds and tables, as rows under the names of the news partitions.

RSS and Atom (an address, or a file), CSV, Parquet, Feather, JSON and JSON lines with the column names that
publishers and collectors use.
"""

from __future__ import annotations

import calendar
import html
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import feedparser
import httpx
import pandas as pd

from base.paths import typed_path
from vault.errors import MarketError
from vault.readers.prices import EXTENSIONS as TABLES
from vault.readers.prices import read_table

FEEDS = (".xml", ".rss", ".atom", ".rdf")
_TIMEOUT_SECONDS = 20.0
_MOST_BYTES = 20_000_000

# Names under which the fields of a news partition come, the best first.
_COLUMNS: dict[str, tuple[str, ...]] = {
    "ts": (
        "ts",
        "published",
        "published_at",
        "pubdate",
        "publishedat",
        "datetime",
        "timestamp",
        "date",
        "time",
    ),
    "title": ("title", "headline", "titre"),
    "link": ("link", "url"),
    "source": ("source", "publisher", "provider", "site"),
    "summary": ("summary", "description", "abstract", "resume"),
    "tickers": ("tickers", "symbols", "ticker", "symbol"),
    "sent": ("sent", "sentiment"),
    "sector_hint": ("sector_hint", "sector", "subject", "category"),
}
_TAG = re.compile(r"</?[A-Za-z][^<>|]*>")


def read_headlines(reference: str) -> list[tuple[str, list[dict[str, Any]]]]:
    """Rows of a feed's address, a file, or every file of a folder.

    Args:
        reference: `https://…`, or a path.

    Returns:
        (name to show, rows) of each file; a row's number is its place from 1. Fields are those of the news
        partitions, as found; `ts` is any form that `feeds.partitions.parse_moment` takes.

    Raises:
        MarketError: `missing_file`, `unreachable_feed`, `unreadable_feed`, `unknown_extension`,
            `unreadable_file`, `no_headlines`.
    """
    if reference.startswith(("http://", "https://")):
        return [(reference, _feed(_download(reference), reference))]
    path = typed_path(reference)
    if path.is_dir():
        files = [file for file in sorted(path.iterdir()) if file.suffix.lower() in (*FEEDS, *TABLES)]
        if not files:
            raise MarketError("no_headlines", path=str(path))
        return [(file.name, _file(file)) for file in files]
    if not path.is_file():
        raise MarketError("missing_file", path=str(path))
    return [(path.name, _file(path))]


def _file(path: Path) -> list[dict[str, Any]]:
    if path.suffix.lower() in FEEDS:
        return _feed(path.read_bytes(), path.name)
    if path.suffix.lower() not in TABLES:
        known = ", ".join((*FEEDS, *TABLES))
        raise MarketError("unknown_extension", path=str(path), known=known)
    return list(_rows(read_table(path), path))


def _rows(table: pd.DataFrame, path: Path) -> Iterator[dict[str, Any]]:
    """Rows of a table under the partitions' names.

    Raises:
        MarketError: `no_headlines`: no column of titles, or none of times.
    """
    table = table.reset_index() if table.index.name or isinstance(table.index, pd.DatetimeIndex) else table
    names = {str(column).strip().lower(): column for column in table.columns}
    chosen = {
        field: names[found]
        for field, wanted in _COLUMNS.items()
        if (found := next((name for name in wanted if name in names), None)) is not None
    }
    if not {"ts", "title"} <= chosen.keys():
        raise MarketError("no_headlines", path=str(path))
    flags = {name: column for name, column in names.items() if name.startswith("flag_")}
    columns = {**chosen, **flags}
    for row in table[list(columns.values())].itertuples(index=False, name=None):
        yield {name: _plain(cell) for name, cell in zip(columns, row, strict=True)}


def _plain(cell: Any) -> Any:
    if hasattr(cell, "tolist"):
        cell = cell.tolist()
    return None if cell is None or cell is pd.NaT or cell is pd.NA or cell != cell else cell


def _feed(content: bytes, name: str) -> list[dict[str, Any]]:
    parsed = feedparser.parse(content)
    if not parsed.entries:
        reason = str(parsed.get("bozo_exception") or "0")
        raise MarketError("unreadable_feed", path=name, reason=reason.splitlines()[0][:160])
    source = str(parsed.feed.get("title") or name)
    return [_entry(entry, source) for entry in parsed.entries]


def _entry(entry: Mapping[str, Any], source: str) -> dict[str, Any]:
    published = entry.get("published_parsed") or entry.get("updated_parsed")
    return {
        "ts": None if published is None else datetime.fromtimestamp(calendar.timegm(published), UTC),
        "title": entry.get("title"),
        "link": entry.get("link"),
        "source": source,
        "summary": entry.get("summary"),
        "sector_hint": next((tag.get("term") for tag in entry.get("tags") or ()), None),
    }


def _download(address: str) -> bytes:
    """The body of a feed.

    Raises:
        MarketError: `unreachable_feed`.
    """
    body = bytearray()
    try:
        with httpx.stream("GET", address, timeout=_TIMEOUT_SECONDS, follow_redirects=True) as answer:
            answer.raise_for_status()
            for part in answer.iter_bytes():
                body += part
                if len(body) > _MOST_BYTES:
                    raise MarketError("unreachable_feed", path=address, reason=f"> {_MOST_BYTES} bytes")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        reason = str(error).splitlines()[0][:160] if str(error) else type(error).__name__
        raise MarketError("unreachable_feed", path=address, reason=reason) from error
    return bytes(body)


def without_markup(texts: Iterable[Any]) -> list[str]:
    """Texts without HTML tags and entities; absent ones are empty."""
    return [html.unescape(_TAG.sub(" ", html.unescape(str(text)))) if text else "" for text in texts]
