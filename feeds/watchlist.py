"""Instruments that the user follows: `watchlist.json` or `WATCHLIST` in the data folder, both optional."""

from __future__ import annotations

import json
from functools import partial

from pydantic import BaseModel, ConfigDict

from base.plain_files import read_plain_text
from base.reasons import ReasonError, because, plain
from feeds.folder import DataFolder
from feeds.news import TICKER, tickers_of
from feeds.partitions import Problem
from feeds.quarantine import addresses_model

FILES = ("watchlist.json", "WATCHLIST")


class Watchlist(BaseModel):
    """What the user follows.

    Attributes:
        tickers: in the order of the file, each once; empty when there is no file.
        problems: what was left aside.
        quarantined: entries that speak to a language model.
    """

    model_config = ConfigDict(frozen=True)

    tickers: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    quarantined: int = 0


def read_watchlist(folder: DataFolder) -> Watchlist:
    """The first of the two files that there is: a JSON list, a JSON object with `tickers`, or words.

    Words are separated by commas, spaces or lines; what follows `#` on a line is a remark.
    """
    paths = tuple(folder.root / name for name in FILES)
    with folder.lock:
        return folder.parsed("watchlist", paths, partial(_read, folder), keep=1)


def _read(folder: DataFolder) -> Watchlist:
    for name in FILES:
        try:
            text = read_plain_text(folder.root / name, "utf-8-sig").strip()
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            continue
        except (OSError, ValueError) as reason:
            problem = Problem(code="unreadable_file", file=name, reason=plain(because(reason)))
            return Watchlist(problems=(problem,))
        if addresses_model(text):
            return Watchlist(quarantined=1)
        content: object = " ".join(line.partition("#")[0] for line in text.splitlines())
        if text.startswith(("[", "{")):
            try:
                content = json.loads(text)
            except (ValueError, RecursionError) as reason:
                problem = Problem(code="unreadable_file", file=name, reason=plain(because(reason)))
                return Watchlist(problems=(problem,))
        if isinstance(content, dict):
            content = content.get("tickers", content.get("watchlist"))
        found = None if content is None else tickers_of(content)
        if not isinstance(found, tuple):
            problem = Problem(code="unreadable_file", file=name, reason=plain(ReasonError("no_tickers")))
            return Watchlist(problems=(problem,))
        bad = [
            Problem(
                code="refused_row",
                file=name,
                row=number,
                reason=plain(ReasonError("not_a_ticker", ticker=ticker[:24])),
            )
            for number, ticker in enumerate(found, start=1)
            if not TICKER.fullmatch(ticker)
        ]
        return Watchlist(tickers=tuple(t for t in found if TICKER.fullmatch(t)), problems=tuple(bad))
    return Watchlist()
