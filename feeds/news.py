"""News of the last seven days: `news/dt=*/news_*.parquet`, several files a day, with duplicates and gaps."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from base.numbers import Numeric
from base.reasons import PlainError, ReasonError, plain
from feeds.folder import DataFolder
from feeds.lexicon import lexicon_score
from feeds.partitions import Partition, Problem, parse_moment, validation_reason
from feeds.quarantine import addresses_model, clean_text, seems_dictated
from feeds.sectors import sector_of

WINDOW_DAYS = 7
GENERAL = "MARKET"
"""Where news without a ticker is counted."""

LONGEST_TITLE = 300
_FILE_TIME = re.compile(r"news_([01]\d|2[0-3])([0-5]\d)([0-5]\d)\.parquet")
_ALIASES = {"published": "ts", "sentiment": "sent"}
TICKER = re.compile(r"[A-Z0-9^.=&:/_+-]{1,24}")
_DAY = timedelta(days=1)


def tickers_of(value: Any) -> Any:
    """A list, a text with separators, or a list printed as text; None is no ticker."""
    if value is None:
        return ()
    if isinstance(value, str):
        words = value.strip()
        if words.startswith(("[", "(", "{")):
            try:
                value = ast.literal_eval(words)
            except (ValueError, SyntaxError, MemoryError, RecursionError):
                value = words.strip("[](){}")
        if isinstance(value, str):
            value = re.split(r"[,;|\s]+", value)
    if not isinstance(value, list | tuple | set):
        return value
    cleaned = (str(item).strip().strip("'\"$").upper() for item in value if item is not None)
    return tuple(dict.fromkeys(item for item in cleaned if item and item not in {"NONE", "NAN", "NULL"}))


def _known_as_tickers(found: tuple[str, ...]) -> tuple[str, ...]:
    if bad := [ticker for ticker in found if not TICKER.fullmatch(ticker)]:
        raise ValueError(f"not a ticker: {bad[0][:24]!r}")
    return found


class NewsItem(Numeric):
    """One piece of news.

    Attributes:
        ts: when it was published (UTC); the first instant of the day when only the day is known.
        source: who published it.
        title: headline, 1–300 characters kept.
        link: address, or None.
        tickers: instruments it concerns; empty means the market as a whole.
        sent: tone, −1 to 1.
        scored_by: `source` when the file gave the tone, `lexicon` when code computed it.
        flags: subjects the source marked (`earnings`, `mna`, `geopolitics`, `macro`).
        sector: of `feeds.sectors`, where the source hints at one.
        doubtful: it may be dictating an answer to a model; its tone is not counted, and nobody quotes it.
        origin: the row it was made from (`headlines.csv#12`), where its builder says so.
        file: where the row came from, below the data folder.
        row: its number there, from 1.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    ts: datetime
    source: Annotated[str, Field(max_length=80)] = ""
    title: Annotated[str, Field(min_length=1, max_length=LONGEST_TITLE)]
    link: Annotated[str | None, Field(max_length=2000)] = None
    tickers: Annotated[
        tuple[str, ...], BeforeValidator(tickers_of), AfterValidator(_known_as_tickers), Field(max_length=200)
    ] = ()
    sent: Annotated[float, Field(ge=-1.0, le=1.0)]
    scored_by: Literal["source", "lexicon"]
    flags: tuple[str, ...] = ()
    sector: str | None = None
    doubtful: bool = False
    origin: Annotated[str | None, Field(max_length=300)] = None
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


class _Row(NamedTuple):
    """One row, whatever the hour: an item, a problem, or None for a text that speaks to a model."""

    found: NewsItem | Problem | None
    ts: datetime | None
    known: datetime | None  # from when it was known; None when it could not be told
    keys: frozenset[tuple[str, ...]]


@dataclass
class _File:
    rows: list[_Row] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    readable: bool = False


def read_news(folder: DataFolder, as_of: datetime) -> News:
    """Read every file of the last seven days that existed at the hour asked for.

    A row that gives no time of day is taken as known with its file when the file's name tells a time, and at
    the end of its day otherwise.

    Args:
        folder: the data folder, which holds `news/`.
        as_of: hour of the run (UTC): items published and files written later do not exist for it.

    Raises:
        MarketError: `unreadable_file`: a folder may not be read.
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
    used: set[tuple[Path, ...]] = set()
    listed: set[Path] = set()
    with folder.lock:
        for partition in folder.partitions("news", as_of):
            if partition.start < begin - _DAY:
                break
            before = len(news.items)
            listed.add(partition.path)
            for path in folder.files(partition.path):
                if not (path.name.startswith("news_") and path.name.endswith(".parquet")):
                    continue
                if (_written(path.name, partition) or partition.start) > as_of:
                    continue
                used.add((path,))
                read = folder.parsed("news", (path,), partial(_parse, folder, path, partition))
                _take(read, begin, as_of, seen, news)
            if news.partition is None and len(news.items) > before:
                news.partition = partition.start
        folder.forget_others("news", used)
        folder.forget_files(listed)
    news.items.sort(key=lambda item: (item.ts, item.title, item.source), reverse=True)
    return news


def _written(name: str, partition: Partition) -> datetime | None:
    """When a file appeared: the time in its name on the partition's day; None when the name tells none."""
    match = _FILE_TIME.fullmatch(name)
    if match is None:
        return None
    hour, minute, second = (int(part) for part in match.groups())
    return partition.start.replace(hour=hour, minute=minute, second=second)


def _take(read: _File, begin: datetime, as_of: datetime, seen: set[tuple[str, ...]], news: News) -> None:
    """Add to `news` what a file shows at the hour."""
    news.problems.extend(read.problems)
    news.files += read.readable
    for found, ts, known, keys in read.rows:
        if (ts is not None and ts <= begin) or (known is not None and known > as_of):
            news.outside += 1
        elif found is None:
            news.quarantined += 1
        elif isinstance(found, Problem):
            news.problems.append(found)
            news.refused += 1
        elif not keys.isdisjoint(seen):
            news.duplicates += 1
        else:
            news.items.append(found)
            seen |= keys


def _parse(folder: DataFolder, path: Path, partition: Partition) -> _File:
    read = _File()
    file = folder.relative(path)
    rows = folder.rows(path, read.problems, ("title",))
    read.readable = not read.problems or read.problems[0].code == "empty_file"
    written = _written(path.name, partition)
    for number, row in enumerate(rows, start=1):
        read.rows.append(_parse_row(row, file, number, written))
    return read


def _parse_row(row: dict[str, Any], file: str, number: int, written: datetime | None) -> _Row:
    for alias, name in _ALIASES.items():
        if row.get(name) is None and alias in row:
            row[name] = row[alias]
    ts: datetime | None = None
    known: datetime | None = None
    told = (row.get(name) for name in ("title", "summary", "source", "link", "sector_hint", "tickers"))
    # Before any other judgement: what is set aside must not even count as a refused row.
    orders = addresses_model("\n".join(str(text) for text in told if text))
    try:
        if row.get("ts") is None:
            raise ValueError("ts: missing")
        moment = parse_moment(row["ts"])
        ts = moment.time
        known = max(ts, written) if written else ts + (_DAY if moment.day_only else timedelta())
        if orders:
            return _Row(None, ts, known, frozenset())
        item = _item({**row, "ts": ts}, file, number)
    except ValidationError as error:
        return _Row(_refusal(file, number, validation_reason(error)), ts, known, frozenset())
    except ValueError:
        if orders:
            return _Row(None, None, None, frozenset())
        reason = plain(ReasonError("not_a_time", where="ts"))
        return _Row(_refusal(file, number, reason), ts, known, frozenset())
    same_story = (item.source.casefold(), item.title.casefold())
    keys = {same_story} | ({(item.link,)} if item.link else set())
    return _Row(item, ts, known, frozenset(keys))


def _refusal(file: str, number: int, reason: str | PlainError) -> Problem:
    return Problem(code="refused_row", file=file, row=number, reason=reason)


def _item(row: Mapping[str, Any], file: str, number: int) -> NewsItem:
    title = clean_text(str(row.get("title") or ""))
    given = row.get("sent")
    return NewsItem.model_validate(
        {
            **row,
            "source": clean_text(str(row.get("source") or "")),
            "title": title[:LONGEST_TITLE],
            "link": row.get("link") or None,
            "sent": lexicon_score(f"{title}. {row.get('summary') or ''}") if given is None else given,
            "scored_by": "lexicon" if given is None or row.get("scored_by") == "lexicon" else "source",
            "flags": tuple(sorted(name[5:] for name, on in row.items() if name.startswith("flag_") and on)),
            "sector": sector_of(row["sector_hint"]) if isinstance(row.get("sector_hint"), str) else None,
            "doubtful": seems_dictated(title[:LONGEST_TITLE]),
            "origin": row.get("origin") or None,
            "file": file,
            "row": number,
        }
    )
