"""`threadx sweep` on several instruments: every combination of a grid on each of them, and pooled."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from backtest import Costs, StrategySpec, SweepFile, universe
from backtest.data.inputs import with_inputs
from backtest.data.year import BarsPerYear
from backtest.engine.engines import Engine
from backtest.engine.ranking import ACCOUNT_LOST, ENTRIES_BELOW_ONE_UNIT, ENTRIES_UNAFFORDABLE, best_first
from backtest.types import Fill
from backtest.universe import UniverseSweep
from base.files import write_atomically
from base.reasons import because
from nodes.counted import registered_together, sweep_path
from nodes.further import Further
from prompts import Words
from reports.tables import bars_per_year_lines
from threadx.console import waiting
from threadx.errors import ThreadxError
from threadx.plain import say
from threadx.pool import Instrument, read_members
from threadx.terminal import Terminal
from threadx.work.swept import figure_cells, figure_heads, figures_told, show
from threadx.work.together import member_notes
from threadx.work.written import plain_rows, write_drawing, write_json
from vault.counted import count_sweep
from vault.errors import MarketError
from vault.readers.options import Reading


class Sweep(NamedTuple):
    """What the command was asked, the same for every instrument."""

    home: Path
    instruments: Sequence[Instrument]
    spec: StrategySpec
    grid: Mapping[str, Sequence[Any]]
    costs: Costs
    fill: Fill
    reading: Reading
    known: Mapping[str, Any]
    whole: bool
    out: str | None
    rank_by: str
    top: int
    picture_path: str | None
    picture_axes: Sequence[str]
    json_path: str | None


def sweep_together(words: Words, asked: Sweep, further: Further, engine: Engine) -> None:
    """The pooled account's best combinations, how the first fares on each instrument, all as Parquet files.

    Raises:
        MarketError, BacktestError, ThreadxError: bad input.
    """
    if (symbol := asked.known["symbol"]) is not None:
        raise MarketError("symbol_of_pool", symbol=symbol)
    known = {name: value for name, value in asked.known.items() if name != "symbol"}
    members = read_members(asked.instruments, asked.home, reading=asked.reading.whole, **known)
    reader = f"sweep {asked.spec.hash}" if asked.whole else None
    prices, dataset = registered_together(members, home=asked.home, reading=asked.reading, reader=reader)
    prices = {name: with_inputs(one, further.tables, asked.spec) for name, one in prices.items()}
    terms = (asked.costs, asked.fill)
    path = (
        Path(asked.out)
        if asked.out
        else sweep_path(asked.home, dataset, prices, asked.spec, asked.grid, *terms, whole=asked.whole)
    )
    terminal = Terminal(words)
    terminal.home(asked.home)
    with waiting(words("command.sweep_working")):
        swept = universe.sweep(prices, asked.spec, asked.grid, *terms, engine=engine)
    found = _written(swept, asked, path)
    count_sweep(asked.home, dataset, prices, asked.spec, asked.grid, *terms, found, whole=asked.whole)
    best = _best_on_each(swept, found, asked)
    part = words("command.part.all" if asked.whole else "command.part.development")
    title = words("command.backtest_title", symbol=dataset.symbol, timeframe=dataset.timeframe, part=part)
    if speaks := asked.json_path != "-":
        for line in member_notes(members, words):
            say(line)
        names, caption = [*asked.grid, "instruments_up"], asked.spec.describe(without=asked.grid)
        show(terminal, found, names, title, caption, swept.pooled.attrs["dropped"])
        say(words("command.sweep_pooled"))
        terminal.table(
            words("verdict.heading.instruments"),
            [words("command.allocation.instrument"), *figure_heads(words)],
            [[str(row["instrument"]), *figure_cells(terminal.cells, row)] for row in best],
        )
        say(words("command.written", folder=str(_beside(path))))
        for line in bars_per_year_lines(found.bars_per_year.to_dict(), words):
            say(line)
    if asked.picture_path is not None:
        from reports.charts.sweep import sweep_cells, sweep_chart  # noqa: PLC0415  # the drawing library takes 0.7 s that only a drawing has

        cells = sweep_cells(found.path, asked.grid, asked.picture_axes, asked.rank_by)
        write_drawing(sweep_chart(cells, words, about=f"{title} · {asked.spec.name}"), asked.picture_path)
        if speaks:
            say(words("command.written", folder=asked.picture_path))
    if asked.json_path is not None:
        told = {
            "dataset": dataset.model_dump(mode="json"),
            "part": "all" if asked.whole else "development",
            "strategy": asked.spec.model_dump(mode="json"),
            "settings": {**asked.costs.model_dump(), "fill": asked.fill},
            "dropped": swept.pooled.attrs["dropped"],
            **figures_told(found, asked.grid, asked.rank_by),
            "instruments": [
                {
                    "instrument": row["instrument"],
                    "at_the_first": row,
                    "top": plain_rows(_ranked(swept.by_instrument[str(row["instrument"])], asked)),
                }
                for row in best
            ],
            "file_by_instrument": str(_beside(path)),
        }
        text = json.dumps(told, ensure_ascii=False, sort_keys=True, indent=2, allow_nan=False)
        write_json(text, asked.json_path)


def _ranked(table: pd.DataFrame, asked: Sweep) -> pd.DataFrame:
    """The best rows, as a sweep of one instrument has them."""
    ranked = best_first(table, asked.rank_by)
    kept = ranked[ranked[asked.rank_by].notna() | ranked[ACCOUNT_LOST].notna()]
    return kept.head(asked.top).reset_index(drop=True)


def _beside(path: Path) -> Path:
    """The file of every combination on every instrument."""
    return path.with_name(f"{path.stem}-instruments{path.suffix}")


def _written(swept: UniverseSweep, asked: Sweep, path: Path) -> SweepFile:
    """Both files, and the pooled account as a sweep.

    Raises:
        ThreadxError: `unwritable_file`.
    """
    pooled = swept.pooled
    each = pd.concat(
        [table.assign(instrument=name) for name, table in swept.by_instrument.items()], ignore_index=True
    )
    try:
        write_atomically(path, lambda stream: pooled.to_parquet(stream, index=False), named=True)
        write_atomically(_beside(path), lambda stream: each.to_parquet(stream, index=False), named=True)
    except OSError as error:
        raise ThreadxError("unwritable_file", path=str(path), reason=because(error)) from None
    axes = list(asked.grid)
    hindered = {
        name: len(each[each[name] > 0].drop_duplicates(axes))
        for name in (ENTRIES_BELOW_ONE_UNIT, ENTRIES_UNAFFORDABLE)
    }
    year = {name: pooled.attrs["bars_per_year"][name] for name in ("value", "basis", "other")}
    return SweepFile(
        path=path,
        rows=len(pooled),
        dropped_by={},
        continued_from=0,
        untraded=int((pooled["n_trades"] == 0).sum()),
        lost=int(pooled[ACCOUNT_LOST].notna().sum()),
        below_one_unit=hindered[ENTRIES_BELOW_ONE_UNIT],
        unaffordable=hindered[ENTRIES_UNAFFORDABLE],
        top=_ranked(pooled, asked),
        bars_per_year=BarsPerYear(**year),
    )


def _best_on_each(swept: UniverseSweep, found: SweepFile, asked: Sweep) -> list[dict[str, Any]]:
    """A row an instrument: the pooled account's best combination on it; none where none can be ranked."""
    rows: list[dict[str, Any]] = []
    for name, table in swept.by_instrument.items():
        for _, best in found.top.head(1).iterrows():
            same = np.ones(len(table), dtype=np.bool_)
            for axis in asked.grid:
                same &= ((table[axis] == best[axis]) | (table[axis].isna() & pd.isna(best[axis]))).to_numpy()
            rows += [{"instrument": name, **row} for row in plain_rows(table[same])]
    return rows
