"""Pools: prices of several instruments under one boundary, so that one strategy can be judged on all of them.

All holdouts begin at one moment: instruments move together, and whoever had seen one of them behind it would
know something of the others. Where none of the instruments has a cut yet, it is that of their common clock;
else the latest boundary of all, and development ends where the first of them ends.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd

from backtest import StrategySpec
from backtest.data.inputs import Tables
from backtest.data.together import CommonClock, common_clock
from base.files import write_text_atomically
from base.labels import is_label
from vault.datasets import Dataset, load_development, open_holdout, register, undivided
from vault.errors import MarketError
from vault.fingerprints import nanoseconds
from vault.readers.further import join
from vault.readers.options import Notice
from vault.readers.prices import PriceSource
from vault.splits import Cut, find_split, locked_splits, usual_cut

Traded = pd.DataFrame | Mapping[str, pd.DataFrame]
"""Prices of one instrument, or of several by name."""

MOST_NAMED = 4


@dataclass(frozen=True, kw_only=True)
class Member:
    """Prices that are to be registered, in a pool or alone, as `vault.datasets.register` takes them."""

    frame: pd.DataFrame
    symbol: str
    timeframe: str
    notices: tuple[Notice, ...] = ()

    @classmethod
    def of(cls, frame: pd.DataFrame, source: PriceSource) -> Member:
        """Prices as their reader told them."""
        return cls(frame=frame, symbol=source.symbol, timeframe=source.timeframe, notices=source.notices)


def joined(member: Member, spec: StrategySpec, tables: Tables) -> Member:
    """The prices with every series of other tables that a strategy reads, as `vault.readers.further.join`."""
    frame, notices = join(member.frame, tables, spec)
    return replace(member, frame=frame, notices=(*member.notices, *notices))


def register_member(member: Member, home: Path) -> Dataset:
    """Register prices that are to stand alone; errors as `vault.datasets.register`."""
    return register(
        member.frame, symbol=member.symbol, timeframe=member.timeframe, home=home, notices=member.notices
    )


def named(told: str, path: str | None = None) -> tuple[str | None, str]:
    """`ETHUSDT=eth.csv` as a symbol and a reference to prices; without a symbol None.

    Args:
        told: as it was given.
        path: where it would be a file: the name of one may hold an equals sign itself.
    """
    symbol, equals, reference = told.partition("=")
    if equals and reference.strip() and is_label(symbol.strip()) and not os.path.exists(path or told):
        return symbol.strip(), reference.strip()
    return None, told


def register_pool(members: Sequence[Member], home: Path) -> Dataset:
    """Register prices of several instruments under one boundary, and the pool of them.

    Args:
        members: two instruments at least, in any order.
        home: the data folder.

    Raises:
        RequestError: `instrument_timeframe`, `instrument_time_zone`.
        MarketError: `too_small_pool`; `same_symbol`, two of one name; `same_market`, two of one market;
            `too_few_rows`, `no_development_rows`, `damaged_splits`.
        OSError: the data folder cannot be written.
    """
    ordered = sorted(members, key=lambda one: one.symbol)
    if len(ordered) < 2:
        raise MarketError("too_small_pool", count=len(ordered))
    for one, following in pairwise(ordered):
        if one.symbol == following.symbol:
            raise MarketError("same_symbol", symbol=one.symbol)
    clock = common_clock({one.symbol: pd.DatetimeIndex(one.frame.index) for one in ordered})
    cut = _cut(ordered, clock, home)
    found: list[Dataset] = []
    for one in ordered:
        dataset = register(
            one.frame,
            symbol=one.symbol,
            timeframe=one.timeframe,
            home=home,
            notices=one.notices,
            cut=cut,
        )
        for other in found:
            if other.family == dataset.family:
                raise MarketError("same_market", symbol=dataset.symbol, other=other.symbol)
        found.append(dataset)
    pool = _pool(found, clock, cut)
    path = home / "datasets" / f"{pool.development_hash}.json"
    write_text_atomically(path, pool.model_dump_json(indent=1) + "\n")
    return pool


def registered_anew(pool: Dataset, members: Sequence[Dataset], home: Path) -> Dataset:
    """A pool under today's boundaries of its instruments; itself where none was moved.

    Args:
        pool: as it was registered.
        members: its instruments as they would be registered now.
        home: the data folder.
    """
    if all(one.advances == now.advances for one, now in zip(pool.instruments, members, strict=True)):
        return pool
    return register_pool([member_of(one, home) for one in members], home)


def member_of(dataset: Dataset, home: Path) -> Member:
    """Registered prices of one instrument, to stand in a pool.

    Raises:
        MarketError: `missing_dataset`, `damaged_dataset`; `one_instrument_only` for a pool.
    """
    return Member(
        frame=undivided(dataset, home),
        symbol=dataset.symbol,
        timeframe=dataset.timeframe,
        notices=dataset.notices,
    )


def development_of(dataset: Dataset, home: Path) -> Traded:
    """The development rows of one instrument, or those of each instrument of a pool by its name.

    Raises:
        MarketError: `missing_dataset`, `damaged_dataset`.
    """
    if not dataset.instruments:
        return load_development(dataset, home)
    return {one.symbol: load_development(one, home) for one in dataset.instruments}


def holdout_of(dataset: Dataset, home: Path, *, reader: str) -> tuple[Traded, Mapping[str, pd.Timestamp]]:
    """Open the holdout of a dataset, or of every instrument of a pool that has rows behind the boundary.

    Returns:
        (prices, starts): all rows, and by symbol the time of the first row of the holdout.

    Raises:
        MarketError, OSError: as `vault.datasets.open_holdout`.
    """
    frames, starts = {}, {}
    for one in dataset.members:
        if one.holdout_hash or not dataset.instruments:
            frame, start, _ = open_holdout(one, home, reader=reader)
            frames[one.symbol], starts[one.symbol] = frame, frame.index[start]
    return (frames if dataset.instruments else frames[dataset.symbol]), starts


def _cut(members: Sequence[Member], clock: CommonClock, home: Path) -> Cut:
    """One moment for all."""
    folder = home / "datasets"
    with locked_splits(folder) as splits:
        known = [
            found.split
            for one in members
            if (
                found := find_split(
                    splits, one.frame, symbol=one.symbol, timeframe=one.timeframe, folder=folder
                )
            )
        ]
    if known:
        return Cut(min(one.development_end for one in known), max(one.boundary for one in known))
    times = nanoseconds(clock.times)
    end, start = usual_cut(len(times))
    return Cut(int(times[end]), int(times[start]))


def _pool(members: Sequence[Dataset], clock: CommonClock, cut: Cut) -> Dataset:
    """The record of a pool; `members` by symbol."""

    def of(part: str) -> str:
        told = [[one.symbol, getattr(one, part)] for one in members]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]

    inside, outside = (np.zeros(len(clock.times), dtype=np.bool_) for _ in range(2))
    for one in members:
        rows = clock.rows[one.symbol]
        inside[rows[: one.development_rows]] = True
        outside[rows[one.development_rows + one.embargo_rows :]] = True
    last, holdout = int(np.flatnonzero(inside)[-1]), int(outside.sum())
    names = [one.symbol for one in members]
    if len(names) > MOST_NAMED:
        names = [*names[: MOST_NAMED - 1], f"…({len(names)})"]
    boundary = pd.Timestamp(cut.boundary, tz="UTC")
    zone = clock.times.tz
    family = hashlib.sha256(" ".join(sorted(one.family for one in members)).encode()).hexdigest()[:16]
    return Dataset(
        family=family,
        symbol="+".join(names),
        timeframe=members[0].timeframe,
        development_hash=of("development_hash"),
        holdout_hash=of("holdout_hash") if holdout else "",
        development_rows=last + 1,
        embargo_rows=len(clock.times) - last - 1 - holdout,
        holdout_rows=holdout,
        boundary=(boundary.tz_localize(None) if zone is None else boundary.tz_convert(zone)).isoformat(),
        first=clock.times[0].isoformat(),
        development_last=clock.times[last].isoformat(),
        last=clock.times[-1].isoformat(),
        zone="" if zone is None else str(zone),
        notices=tuple(dict.fromkeys(notice for one in members for notice in one.notices)),
        instruments=tuple(members),
    )
