"""Builder: news partitions from feeds and tables of headlines, each once, with tickers, topics and tone."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import numpy as np
import pandas as pd
from pydantic import ValidationError

from base.reasons import ReasonError, plain
from feeds.builders.headlines import read_headlines, without_markup
from feeds.builders.writing import Watch, write_partition
from feeds.folder import DataFolder
from feeds.lexicon import lexicon_score
from feeds.news import LONGEST_TITLE, NewsItem, read_news
from feeds.partitions import Moment, Problem, parse_moment, validation_reason
from feeds.quarantine import addresses_model, clean_text
from feeds.tagging import TOPICS, Names, topics_of
from vault.errors import MarketError
from vault.readers.prices import read_table

_DAY = timedelta(days=1)
_LONGEST_SUMMARY = 500
_GAUGE_HIGHEST = 100.0
_TRACKING = re.compile(r"utm_|fbclid|gclid|mc_[ce]id|ref$|ftag", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class BuiltNews:
    """What was written.

    Attributes:
        files: Parquet files, in order of time; empty when nothing was new.
        written: headlines written.
        by_ticker: how many of them name each instrument, most named first.
        duplicates: headlines told before, in the inputs or in the folder.
        outside: older than the window, or not yet published at the hour.
        quarantined: headlines that speak to a language model; they are not written.
        refused: rows that are no news, with file, row and reason.
        left_out: inputs that could not be used, `watch` was told why.
    """

    files: tuple[Path, ...]
    written: int
    by_ticker: dict[str, int]
    duplicates: int
    outside: int
    quarantined: int
    refused: tuple[Problem, ...]
    left_out: tuple[str, ...]


@dataclass
class _Tally:
    duplicates: int = 0
    outside: int = 0
    quarantined: int = 0


def build_news(
    references: Iterable[str],
    root: Path,
    as_of: datetime,
    *,
    names: Names,
    gauges: Mapping[Path, tuple[str, ...]] | None = None,
    days: float = 7.0,
    by_hour: bool = False,
    watch: Watch = lambda what, error: None,
) -> BuiltNews:
    """Read headlines as they were known at an hour and write `news/dt=YYYYMMDD/news_HH0000.parquet`.

    A headline that gives no time of day counts from the end of its day. What the folder's news of the last
    seven days already tell is not told again.

    Args:
        references: addresses of feeds, files and folders.
        root: data folder to write to.
        as_of: hour (UTC).
        names: finds instruments where a row names none.
        gauges: tables of a mood from 0 to 100 a day (fear and greed) → instruments; each day is a headline
            with its own figure as tone.
        days: how far back to go.
        by_hour: one file for each hour in which something became known, for back-runs over an archive; else
            one file, written at the hour.
        watch: told each input that is read, and each that is left out with the reason.

    Raises:
        MarketError: `no_news_inputs`: none of the inputs could be used (nothing is written);
            `unwritable_folder`.
    """
    inputs: list[tuple[str, list[dict[str, Any]]]] = []
    left_out: list[str] = []
    for reference in references:
        try:
            inputs += read_headlines(reference)
        except MarketError as error:
            left_out.append(reference)
            watch(reference, error)
    for path, tickers in (gauges or {}).items():
        try:
            inputs.append((path.name, _gauge_rows(path, tickers)))
        except MarketError as error:
            left_out.append(path.name)
            watch(path.name, error)
    if not inputs:
        raise MarketError("no_news_inputs", count=len(left_out))
    tally = _Tally()
    refused: list[Problem] = []
    found: list[tuple[datetime, dict[str, Any]]] = []
    for file, rows in inputs:
        for number, row in enumerate(rows, start=1):
            try:
                moment = _time_of(row)
            except ValueError:
                refused.append(
                    Problem(
                        code="refused_row",
                        file=file,
                        row=number,
                        reason=plain(ReasonError("not_a_time", where="ts")),
                    )
                )
                continue
            known = moment.time + (_DAY if moment.day_only else timedelta())
            if not as_of - timedelta(days=days) < known <= as_of:
                tally.outside += 1
            elif (kept := _news_row(row, moment.time, file, number, names, refused, tally)) is not None:
                found.append((known, kept))
        watch(file, None)
    new = _once(found, _told(root, as_of), tally)
    files = _write(new, root, as_of, by_hour=by_hour)
    named = Counter(ticker for _, row in new for ticker in row["tickers"] or ())
    return BuiltNews(
        files=files,
        written=len(new),
        by_ticker=dict(sorted(named.items(), key=lambda pair: (-pair[1], pair[0]))),
        duplicates=tally.duplicates,
        outside=tally.outside,
        quarantined=tally.quarantined,
        refused=tuple(refused),
        left_out=tuple(left_out),
    )


def _gauge_rows(path: Path, tickers: tuple[str, ...]) -> list[dict[str, Any]]:
    """A headline a day of a mood index: its column's name, day and figure, and the words beside it.

    Raises:
        MarketError: as `read_table`; `bad_gauge`: no column from 0 to 100.
    """
    table = read_table(path)
    names = {str(column).strip().lower(): column for column in table.columns}
    day = next((names[name] for name in ("date", "timestamp", "time", "datetime") if name in names), None)
    values = [
        column
        for column in table.columns
        if column != day
        and pd.api.types.is_numeric_dtype(table[column])
        and not pd.api.types.is_bool_dtype(table[column])
        and bool(table[column].dropna().between(0.0, _GAUGE_HIGHEST).all())
    ]
    if day is None or not values:
        raise MarketError("bad_gauge", path=path.name, columns=", ".join(map(str, table.columns))[:120])
    beside = [column for column in table.columns if column != day and column not in values]
    label = " ".join(str(values[0]).split("_")).capitalize()
    rows = []
    for moment, value, told in zip(
        table[day], table[values[0]], table[beside[0]] if beside else [None] * len(table), strict=True
    ):
        known = not (value is None or np.isnan(value))
        words = f" ({told})" if isinstance(told, str) and told.strip() else ""
        try:
            date = f"{parse_moment(moment).time:%Y-%m-%d}"
        except ValueError:
            date = None
        rows.append(
            {
                "ts": date,
                "title": f"{label} {date}: {value:g}/100{words}" if known else None,
                "source": path.stem,
                "link": None,
                "tickers": tickers,
                "sent": round((float(value) - 50.0) / 50.0, 4) if known else None,
            }
        )
    return rows


def _time_of(row: Mapping[str, Any]) -> Moment:
    """When a row was published.

    Raises:
        ValueError: it says nothing that is a time.
    """
    if row.get("ts") is None:
        raise ValueError("ts: missing")
    try:
        return parse_moment(row["ts"])
    except ValueError:
        raise ValueError("ts: not a time") from None


def _news_row(
    row: Mapping[str, Any],
    ts: datetime,
    file: str,
    number: int,
    names: Names,
    refused: list[Problem],
    tally: _Tally,
) -> dict[str, Any] | None:
    """A row as a partition holds it; None when it is left aside."""
    texts = [row.get(name) for name in ("title", "summary", "source", "sector_hint", "link", "tickers")]
    raw = "\n".join(str(text) for text in texts if text)
    title, summary, source, hint = (clean_text(text) for text in without_markup(texts[:4]))
    # Before and after markup is taken off: either may carry the order.
    if addresses_model(raw) or addresses_model("\n".join((title, summary, source, hint))):
        tally.quarantined += 1
        return None
    given = row.get("tickers")
    told = " ".join((title, summary[:_LONGEST_SUMMARY], hint))
    try:
        item = NewsItem.model_validate(
            {
                "ts": ts,
                "source": source[:80],
                "title": title[:LONGEST_TITLE],
                "link": row.get("link") or None,
                "tickers": given if given is not None and len(given) else names.tickers(told),
                "sent": lexicon_score(f"{title}. {summary}") if row.get("sent") is None else row["sent"],
                "scored_by": "lexicon" if row.get("sent") is None else "source",
                "origin": f"{file}#{number}"[-300:],
                "file": file,
                "row": number,
            }
        )
    except ValidationError as error:
        refused.append(Problem(code="refused_row", file=file, row=number, reason=validation_reason(error)))
        return None
    topics = topics_of(told)
    return {
        "ts": ts.isoformat(),
        "source": item.source,
        "title": item.title,
        "link": item.link,
        "summary": summary[:_LONGEST_SUMMARY] or None,
        "tickers": list(item.tickers) or None,
        "sent": item.sent,
        **{f"flag_{name}": bool(row.get(f"flag_{name}")) or name in topics for name in TOPICS},
        "sector_hint": hint[:80] or None,
        "scored_by": item.scored_by,
        "origin": item.origin,
    }


def _keys(title: str, link: str | None) -> set[str]:
    """What makes two headlines the same story: the address without what tracks its reader, or the words."""
    return {
        key for key in (_address(link) if link else "", " ".join(re.findall(r"\w+", title.casefold()))) if key
    }


def _address(link: str) -> str:
    """An address without scheme, fragment, and the parameters that tell where its reader came from."""
    parts = urlsplit(link)
    asked = [pair for pair in parse_qsl(parts.query) if not _TRACKING.match(pair[0])]
    return f"{parts.netloc.removeprefix('www.')}{parts.path.rstrip('/')}?{urlencode(asked)}"


def _told(root: Path, as_of: datetime) -> set[str]:
    """What the folder already tells."""
    news = read_news(DataFolder(root), as_of)
    return set().union(*(_keys(item.title, item.link) for item in news.items)) if news.items else set()


def _once(
    found: Iterable[tuple[datetime, dict[str, Any]]], told: set[str], tally: _Tally
) -> list[tuple[datetime, dict[str, Any]]]:
    """Each story at its first telling, by time."""
    new = []
    for known, row in sorted(found, key=lambda pair: (pair[0], pair[1]["origin"])):
        keys = _keys(row["title"], row["link"])
        if keys & told:
            tally.duplicates += 1
        else:
            told |= keys
            new.append((known, row))
    return new


def _place(root: Path, moment: datetime) -> Path:
    return root / "news" / f"dt={moment:%Y%m%d}" / f"news_{moment:%H%M%S}.parquet"


def _write(
    rows: Iterable[tuple[datetime, dict[str, Any]]], root: Path, as_of: datetime, *, by_hour: bool
) -> tuple[Path, ...]:
    """One file at the hour, or one for each hour by the end of which something was known."""
    hours: dict[datetime, list[dict[str, Any]]] = {}
    for known, row in rows:
        hour = known.replace(minute=0, second=0, microsecond=0)
        hour = as_of if not by_hour else hour if hour == known else hour + timedelta(hours=1)
        hours.setdefault(hour, []).append(row)
    files = []
    for hour, part in sorted(hours.items()):
        # A second build for the hour stands before the first, a second each: what was published stays.
        path = _place(root, hour)
        while path.exists():
            hour -= timedelta(seconds=1)
            path = _place(root, hour)
        write_partition(path.parent, {path.name: pd.DataFrame(part)})
        files.append(path)
    return tuple(files)
