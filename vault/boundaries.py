"""The one way in which a boundary moves: forward, by a person's own word, counted and dated."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd

from vault.datasets import Dataset, openings, register, undivided
from vault.errors import MarketError
from vault.fingerprints import nanoseconds
from vault.readers.options import Notice
from vault.splits import Advance, embargo_rows, find_split, locked_splits, usual_cut

LEAST_HOLDOUT = 10
"""Rows behind a boundary at least: what the shortest history that is split keeps."""


def advance_registered(dataset: Dataset, home: Path, to: str | None = None) -> Dataset:
    """The same for prices that are registered already; arguments and errors as `advance`.

    Raises:
        MarketError: `missing_dataset`, `damaged_dataset`.
    """
    frame = undivided(dataset, home)
    names = {"symbol": dataset.symbol, "timeframe": dataset.timeframe}
    return advance(frame, **names, home=home, to=to, notices=dataset.notices)


def advance(
    frame: pd.DataFrame,
    *,
    symbol: str,
    timeframe: str,
    home: Path,
    to: str | None = None,
    notices: tuple[Notice, ...] = (),
) -> Dataset:
    """Move the boundary of prices forward: their holdout up to the new boundary becomes development.

    The move is on record in the split, and so in every dataset registered from then on. Trials stay counted;
    so do openings that saw a row which is still behind the boundary.

    Args:
        frame: canonical prices, n rows.
        symbol: instrument.
        timeframe: length of a bar.
        home: the data folder.
        to: where the holdout is to begin, ISO, in the zone of the prices where it names none; by default
            where it would begin if these prices were new.
        notices: what the reader of the prices assumed.

    Returns:
        The prices as registered under the new boundary.

    Raises:
        MarketError: `nothing_to_advance`: these prices have no boundary yet; `not_forward`;
            `no_development_rows`; `no_rows_behind`: fewer than `LEAST_HOLDOUT` rows would be holdout;
            `too_few_rows`, `bad_time`.
        OSError: the data folder cannot be written.
    """
    times = nanoseconds(frame.index)
    end, start = usual_cut(len(frame))
    if to is not None:
        start = int(np.searchsorted(times, _moment(to, frame)))
        if len(frame) - start < LEAST_HOLDOUT:
            raise MarketError("no_rows_behind", boundary=to, rows=len(frame) - start, least=LEAST_HOLDOUT)
        end = max(0, start - embargo_rows(len(frame)))
    folder = home / "datasets"
    with locked_splits(folder) as splits:
        found = find_split(splits, frame, symbol=symbol, timeframe=timeframe, folder=folder)
        if found is None:
            raise MarketError("nothing_to_advance", symbol=symbol)
        split = found.split
        before, after = split.boundary, int(times[start])
        if after <= before or int(times[end]) <= split.development_end:
            raise MarketError("not_forward", symbol=symbol, before=_iso(before), after=_iso(after))
        if end == 0:  # told before anything is moved: what begins in its own holdout cannot be registered
            raise MarketError("no_development_rows", symbol=symbol, boundary=_iso(after))
        split.advances.append(
            Advance(
                time=datetime.now(UTC).isoformat(timespec="milliseconds"),
                before=_iso(before),
                after=_iso(after),
                openings=openings(split.family, home, since=_iso(before)),
            )
        )
        split.development_end, split.boundary = int(times[end]), after
    return register(frame, symbol=symbol, timeframe=timeframe, home=home, notices=notices)


def _iso(moment: int) -> str:
    return pd.Timestamp(moment, tz="UTC").isoformat()


def _moment(given: str, frame: pd.DataFrame) -> int:
    """A time as somebody writes it, as UTC nanoseconds.

    Raises:
        MarketError: `bad_time`.
    """
    try:
        moment = pd.Timestamp(given)
    except ValueError:
        raise MarketError("bad_time", value=given) from None
    if pd.isna(moment):
        raise MarketError("bad_time", value=given)
    if moment.tz is None:
        moment = moment.tz_localize(pd.DatetimeIndex(frame.index).tz or "UTC")
    return int(moment.tz_convert("UTC").as_unit("ns").value)
