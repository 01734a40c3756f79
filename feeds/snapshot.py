"""Everything a data folder says as of an hour."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from feeds.folder import DataFolder
from feeds.forecasts import Forecasts, read_forecasts
from feeds.freshness import Quality, read_quality
from feeds.macro import Macro, read_macro
from feeds.news import News, read_news
from feeds.partitions import Problem
from feeds.watchlist import Watchlist, read_watchlist


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """What was known at an hour, each source with what was left aside while reading it.

    Attributes:
        as_of: the hour (UTC).
        forecasts: newest usable partition.
        macro: newest usable partition.
        news: the last seven days.
        quality: how far each of them can be relied on.
        watchlist: instruments that the user follows; no part of what was known, it is a setting of today.
    """

    as_of: datetime
    forecasts: Forecasts
    macro: Macro
    news: News
    quality: Quality
    watchlist: Watchlist

    @property
    def usable(self) -> bool:
        """Whether any of the three sources says something."""
        return bool(self.forecasts.rows or self.macro.rows or self.news.items)

    @property
    def problems(self) -> list[Problem]:
        """What was left aside in every source."""
        return [
            *self.forecasts.problems,
            *self.macro.problems,
            *self.news.problems,
            *self.quality.problems,
            *self.watchlist.problems,
        ]

    @property
    def quarantined(self) -> int:
        """Texts of any source that speak to a language model."""
        return (
            self.forecasts.quarantined
            + self.macro.quarantined
            + self.news.quarantined
            + self.quality.quarantined
            + self.watchlist.quarantined
        )


def read_snapshot(folder: DataFolder, as_of: datetime) -> Snapshot:
    """Read every source as of an hour.

    Args:
        folder: from `feeds.folder.open_folder`; a back-run keeps one and asks it hour after hour.
        as_of: hour of the run (UTC).

    Raises:
        MarketError: `unreadable_file`: a folder may not be read.
    """
    forecasts, macro, news = (
        read_forecasts(folder, as_of),
        read_macro(folder, as_of),
        read_news(folder, as_of),
    )
    return Snapshot(
        as_of=as_of,
        forecasts=forecasts,
        macro=macro,
        news=news,
        quality=read_quality(folder, as_of, forecasts, macro, news),
        watchlist=read_watchlist(folder),
    )
