"""Sweeps too large for memory: results go to Parquet as they come, and an interrupted one continues.

While it runs, `PATH.parts/` holds finished stretches of the grid, each a Parquet file that appeared whole,
and what the sweep is about. At the end they become the one file PATH, and the folder goes.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as parquet

from backtest.data.inputs import Tables, with_inputs
from backtest.data.year import BarsPerYear
from backtest.engine.batch import Batch
from backtest.engine.engines import Engine, executor
from backtest.engine.ranking import ACCOUNT_LOST, ENTRIES_BELOW_ONE_UNIT, ENTRIES_UNAFFORDABLE, best_first
from backtest.engine.run import Market, open_market
from backtest.engine.sweep import chunk_table, grid_axes, heard
from backtest.errors import RequestError
from backtest.kernels.simulation import METRICS
from backtest.strategy import StrategySpec
from backtest.types import Costs, Fill
from base.files import write_atomically, write_text_atomically

ROWS_A_PART = 250_000
SECONDS_A_PART = 5.0

_PART = re.compile(r"part-(\d{10})-(\d{10})\.parquet")
_DROPPED = b"threadx.dropped_by"
_ABOUT = "_about.json"  # readers of Parquet folders pass over names with an underscore


@dataclass(frozen=True, kw_only=True)
class SweepFile:
    """A finished sweep.

    Attributes:
        path: the Parquet file, one row a configuration, as `sweep` gives them.
        rows: how many.
        dropped_by: combinations that make no sense, by error code.
        continued_from: combinations that an earlier, interrupted sweep had already done.
        untraded: configurations without a trade, whose metrics of trades and of risk are undefined.
        lost: configurations that lose their account.
        below_one_unit: configurations that could not take entries for want of one whole unit.
        unaffordable: configurations that could not take entries whose costs the account could not pay.
        top: the best rows, best first; equal ones in the order of the grid.
        bars_per_year: bars a year, and where the figure comes from.
    """

    path: Path
    rows: int
    dropped_by: dict[str, int]
    continued_from: int
    untraded: int
    lost: int
    below_one_unit: int
    unaffordable: int
    top: pd.DataFrame
    bars_per_year: BarsPerYear


def sweep_to_parquet(
    df: pd.DataFrame,
    spec: StrategySpec,
    grid: Mapping[str, Iterable[Any]],
    path: Path | str,
    costs: Costs | None = None,
    fill: Fill = "next_open",
    periods_per_year: float | None = None,
    initial_capital: float = 10_000.0,
    trade_from: datetime | str | None = None,
    *,
    rank_by: str = "sharpe_ratio",
    top: int = 20,
    progress: Callable[[int, int], None] | None = None,
    workers: int | None = None,
    engine: Engine | None = None,
    inputs: Tables | None = None,
) -> SweepFile:
    """`sweep` in bounded memory, its rows written as they come.

    A sweep that is interrupted (Ctrl-C, a crash) keeps what is done in `PATH.parts`, which any reader of
    Parquet folders reads; the same call goes on from there. Other prices, strategy, grid, costs or terms
    begin anew.

    Args:
        df: as in `sweep`, and so every argument not named here.
        spec: the strategy.
        grid: values by name.
        path: the Parquet file to make or replace.
        costs: fees and slippage.
        fill: where orders are filled.
        periods_per_year: bars a year.
        initial_capital: cash at the start.
        trade_from: start of trading.
        rank_by: the metric that the best rows are chosen by, the largest first; undefined ones never are,
            lost accounts come last.
        top: how many best rows are kept in memory.
        progress: called in this thread with the combinations done and their number.
        workers: pieces at a time.
        engine: as in `sweep`; rows come in the order of the grid wherever they are made.
        inputs: other tables by name, as in `run_backtest`.

    Raises:
        BacktestError: as `sweep`; `unknown_metric`.
        OSError: the file cannot be written.
    """
    if rank_by not in METRICS:
        raise RequestError("unknown_metric", name=rank_by, known=", ".join(METRICS))
    path = Path(path)
    axes = grid_axes(spec, grid)
    df, where = with_inputs(df, inputs, spec), executor(engine, workers)
    market = open_market(df, costs or Costs(), fill, periods_per_year, initial_capital, trade_from)
    market.bank.check_columns(heard(spec, axes))
    batch = Batch(market, spec, axes, workers)
    folder = path.with_name(f"{path.name}.parts")
    done = continued_from = _take_up(folder, _about(market, spec, axes))
    if progress:
        progress(done, batch.count)

    tables: list[pd.DataFrame] = []
    dropped: Counter[str] = Counter()
    begun, since = done, time.monotonic()
    with closing(batch.chunks(where, done)) as chunks:
        for done, chunk in chunks:
            tables.append(chunk_table(axes, chunk, market.index))
            dropped += chunk.dropped
            full = sum(map(len, tables)) >= ROWS_A_PART or time.monotonic() - since >= SECONDS_A_PART
            if full or done == batch.count:
                _write_part(folder, begun, done, pd.concat(tables, ignore_index=True), dropped)
                tables, dropped = [], Counter()
                begun, since = done, time.monotonic()
            if progress:
                progress(done, batch.count)
    return _finish(folder, path, rank_by, top, continued_from, axes, market.bars_per_year)


def _about(market: Market, spec: StrategySpec, axes: Mapping[str, list[Any]]) -> str:
    """What makes two sweeps the same one."""
    digest = hashlib.sha256()
    for column in market.bank.prices:
        digest.update(column.tobytes())
    digest.update(market.index.asi8.tobytes())
    for name, declared in sorted(spec.inputs.items()):
        digest.update(market.bank.own(name, declared.kind).tobytes())
    return json.dumps(
        {
            "prices": digest.hexdigest(),
            "strategy": spec.model_dump(mode="json", exclude={"name"}),
            "grid": axes,
            "columns": [*METRICS, ACCOUNT_LOST, ENTRIES_BELOW_ONE_UNIT, ENTRIES_UNAFFORDABLE],
            "terms": [
                *market.terms,
                *(hashlib.sha256(one.tobytes()).hexdigest() for one in market.charges),
            ],
        },
        indent=1,
    )


def _parts(folder: Path) -> list[tuple[int, int, Path]]:
    """Finished stretches that follow each other from the first combination on."""
    found = []
    done = 0
    for name in sorted(folder.glob("part-*.parquet")):
        match = _PART.fullmatch(name.name)
        if match and int(match[1]) == done:
            found.append((done, int(match[2]), name))
            done = int(match[2])
    return found


def _take_up(folder: Path, about: str) -> int:
    """Make the folder of parts, or find how far an equal sweep had come."""
    written = folder / _ABOUT
    if written.is_file() and written.read_text(encoding="utf-8") == about:
        parts = _parts(folder)
        return parts[-1][1] if parts else 0
    if folder.exists():
        shutil.rmtree(folder)
    write_text_atomically(written, about)
    return 0


def _write_part(folder: Path, start: int, stop: int, table: pd.DataFrame, dropped: Counter[str]) -> None:
    rows = pa.Table.from_pandas(table, preserve_index=False)
    rows = rows.replace_schema_metadata({**(rows.schema.metadata or {}), _DROPPED: json.dumps(dropped)})
    write_atomically(
        folder / f"part-{start:010d}-{stop:010d}.parquet", lambda stream: parquet.write_table(rows, stream)
    )


def _finish(
    folder: Path,
    path: Path,
    rank_by: str,
    top: int,
    continued_from: int,
    axes: Mapping[str, list[Any]],
    per_year: BarsPerYear,
) -> SweepFile:
    """One file of all parts, one of them in memory at a time."""
    rows = untraded = lost = below_one_unit = unaffordable = 0
    dropped: Counter[str] = Counter()
    best: pd.DataFrame | None = None

    def write(stream: Any) -> None:
        nonlocal rows, untraded, lost, below_one_unit, unaffordable, best
        writer: parquet.ParquetWriter | None = None
        try:
            for _, _, name in _parts(folder):
                part = parquet.read_table(name)
                dropped.update(json.loads(part.schema.metadata[_DROPPED]))
                part = part.replace_schema_metadata({b"pandas": part.schema.metadata[b"pandas"]})
                rows += len(part)
                writer = writer or parquet.ParquetWriter(stream, part.schema)
                writer.write_table(part)
                frame = part.to_pandas()
                untraded += int((frame["n_trades"] == 0).sum())
                lost += int(frame[ACCOUNT_LOST].notna().sum())
                below_one_unit += int((frame[ENTRIES_BELOW_ONE_UNIT] > 0).sum())
                unaffordable += int((frame[ENTRIES_UNAFFORDABLE] > 0).sum())
                both = frame if best is None else pd.concat([best, frame])
                ranked = best_first(both, rank_by)
                best = ranked[ranked[rank_by].notna() | ranked[ACCOUNT_LOST].notna()].head(top)
            if rows == 0:
                raise RequestError("empty_grid", name=", ".join(axes) or "-")
        finally:
            if writer is not None:
                writer.close()

    try:
        write_atomically(path, write, named=True)
    except RequestError:
        shutil.rmtree(folder)
        raise
    shutil.rmtree(folder)
    assert best is not None
    return SweepFile(
        path=path,
        rows=rows,
        dropped_by={code: count for code, count in dropped.items() if count},
        continued_from=continued_from,
        untraded=untraded,
        lost=lost,
        below_one_unit=below_one_unit,
        unaffordable=unaffordable,
        top=best.reset_index(drop=True),
        bars_per_year=per_year,
    )
