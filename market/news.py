"""News of the last seven days: `news/dt=*/news_*.parquet`, several files a day, with duplicates and gaps."""

from __future__ import annotations

import ast
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

import pandas as pd
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from market.lexicon import lexicon_score
from market.partitions import (
    Partition,
    Problem,
    partitions_as_of,
    read_parquet,
    records,
    relative,
    validation_reason,
)
from market.quarantine import addresses_model

WINDOW_DAYS = 7
GENERAL = "MARKET"
"""Where news without a ticker is counted."""

_FILE_TIME = re.compile(r"news_(\d{2})(\d{2})(\d{2})\.parquet")
_ALIASES = {"published": "ts", "sentiment": "sent"}


def _time(value: Any) -> Any:
    """ISO text, epoch (s, ms, µs or ns by its size) or a timestamp, as UTC."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | float):
        for unit, largest in (("s", 1e11), ("ms", 1e14), ("us", 1e17)):
            if abs(value) < largest:
                return pd.Timestamp(value, unit=unit, tz="UTC").to_pydatetime(warn=False)
        return pd.Timestamp(int(value), unit="ns", tz="UTC").to_pydatetime(warn=False)
    try:
        moment = pd.Timestamp(value)
    except (ValueError, TypeError):
        return value
    moment = moment.tz_localize(UTC) if moment.tzinfo is None else moment.tz_convert(UTC)
    return moment.to_pydatetime(warn=False)


def _tickers(value: Any) -> Any:
    """A list, a text with separators, or a list printed as text; None is no ticker."""
    if value is None:
        return ()
    if isinstance(value, str):
        words = value.strip()
        if words.startswith(("[", "(")):
            try:
                value = ast.literal_eval(words)
            except (ValueError, SyntaxError):
                value = words.strip("[]()")
        if isinstance(value, str):
            value = re.split(r"[,;|\s]+", value)
    if not isinstance(value, list | tuple | set):
        return value
    cleaned = (str(item).strip().strip("'\"$").upper() for item in value if item is not None)
    return tuple(dict.fromkeys(item for item in cleaned if item and item not in {"NONE", "NAN", "NULL"}))


class NewsItem(BaseModel):
    """One piece of news.

    Attributes:
        ts: when it was published (UTC).
        source: who published it.
        title: headline, 1–300 characters kept.
        link: address, or None.
        tickers: instruments it concerns; empty means the market as a whole.
        sent: tone, −1 to 1.
        scored_by: `source` when the file gave the tone, `lexicon` when code computed it.
        flags: subjects the source marked (`earnings`, `mna`, `geopolitics`, `macro`).
        file: where the row came from, below the data folder.
        row: its number there, from 1.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    ts: Annotated[datetime, BeforeValidator(_time)]
    source: Annotated[str, Field(max_length=80)] = ""
    title: Annotated[str, Field(min_length=1, max_length=1000)]
    link: Annotated[str | None, Field(max_length=2000)] = None
    tickers: Annotated[tuple[str, ...], BeforeValidator(_tickers)] = ()
    sent: Annotated[float, Field(ge=-1.0, le=1.0)]
    scored_by: Literal["source", "lexicon"]
    flags: tuple[str, ...] = ()
    file: str
    row: int


class News(BaseModel):
    """What was published in the window before the hour asked for.

    Attributes:
        partition: start of the newest partition that gave an item, or None.
        items: newest first, each once.
        files: files read.
        duplicates: rows left out because an earlier row told the same.
        outside: rows older than the window or later than the hour asked for.
        quarantined: rows whose text speaks to a language model.
        problems: what was left aside.
        refused: rows refused.
    """

    partition: datetime | None
    items: list[NewsItem]
    files: int
    duplicates: int
    outside: int
    quarantined: int
    problems: list[Problem]
    refused: int


def read_news(root: Path, as_of: datetime) -> News:
    """Read every file of the last seven days that existed at the hour asked for.

    Args:
        root: data folder, the one that holds `news/`.
        as_of: hour of the run (UTC): items published and files written later do not exist for it.
    """
    news = News(
        partition=None,
        items=[],
        files=0,
        duplicates=0,
        outside=0,
        quarantined=0,
        problems=[],
        refused=0,
    )
    begin = as_of - timedelta(days=WINDOW_DAYS)
    seen: set[tuple[str, ...]] = set()
    for partition in partitions_as_of(root / "news", as_of):
        if partition.start < begin - timedelta(days=1):
            continue
        before = len(news.items)
        for path in sorted(partition.path.glob("news_*.parquet")):
            if _written(path, partition) <= as_of:
                _read_file(path, root, begin, as_of, seen, news)
        if news.partition is None and len(news.items) > before:
            news.partition = partition.start
    news.items.sort(key=lambda item: (item.ts, item.title), reverse=True)
    return news


def _written(path: Path, partition: Partition) -> datetime:
    """When a file appeared: the time in its name on the partition's day, else the partition's start."""
    match = _FILE_TIME.fullmatch(path.name)
    if match is None:
        return partition.start
    hour, minute, second = (int(part) for part in match.groups())
    return partition.start.replace(hour=0) + timedelta(hours=hour, minutes=minute, seconds=second)


def _read_file(
    path: Path, root: Path, begin: datetime, as_of: datetime, seen: set[tuple[str, ...]], news: News
) -> None:
    table = read_parquet(path, root, news.problems)
    if table is None:
        return
    news.files += 1
    file = relative(path, root)
    for number, row in records(table):
        try:
            item = _item(row, file, number)
        except ValidationError as error:
            news.problems.append(
                Problem(code="refused_row", file=file, row=number, reason=validation_reason(error))
            )
            news.refused += 1
            continue
        same_story = (item.source.casefold(), item.title.casefold())
        keys = {same_story} | ({(item.link,)} if item.link else set())
        if not begin < item.ts <= as_of:
            news.outside += 1
        elif addresses_model(f"{item.title}\n{row.get('summary') or ''}"):
            news.quarantined += 1
        elif keys & seen:
            news.duplicates += 1
        else:
            news.items.append(item)
            seen |= keys


def _item(row: dict[str, object], file: str, number: int) -> NewsItem:
    fields = dict(row)
    for alias, name in _ALIASES.items():
        if fields.get(name) is None and alias in fields:
            fields[name] = fields[alias]
    title = " ".join(str(fields.get("title") or "").split())
    given = fields.get("sent")
    return NewsItem.model_validate(
        {
            **fields,
            "source": fields.get("source") or "",
            "title": title[:300],
            "link": fields.get("link") or None,
            "sent": lexicon_score(f"{title}. {fields.get('summary') or ''}") if given is None else given,
            "scored_by": "lexicon" if given is None else "source",
            "flags": tuple(
                sorted(name[5:] for name, on in fields.items() if name.startswith("flag_") and on)
            ),
            "file": file,
            "row": number,
        }
    )
