"""Many separate optimisations that end in one table: each instrument, at each timeframe, all counted.

A row is an ordinary run, named by what it is of: prices, strategy, settings. The same call again finds the
runs that are finished, resumes the one that was interrupted, and begins the others; longer prices or other
settings are other runs.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, cast

import pandas as pd

from backtest import BacktestError, GapPolicy, PriceError, StrategySpec
from backtest.language.timeframes import timeframe as spelt
from backtest.statistics.multiple_testing import adjusted_p_values
from backtest.validation.verdict import Value, counted_among
from base.references import listed
from nodes.context import OptimizationContext
from nodes.further import Declared, declarations
from nodes.optimization.evidence.specs import chosen_strategy
from prompts import Words
from record.record import RunRecord
from record.run_tables import RETURNS, table_or_none
from reports.comparison import comparison
from threadx.api import begin
from threadx.arguments import checked
from threadx.errors import ThreadxError
from threadx.home import chosen_home
from threadx.pool import Data, Instrument, Table, instruments_of, tables_told
from threadx.results import OptimizationResult, Waiting
from threadx.runner import in_turn, nobody_watches, resume_run
from threadx.settings import make_context, make_reading
from threadx.terminal import Steps, Terminal
from threadx.watching import Watcher
from threadx.writable import writable
from vault.datasets import content_hash
from vault.errors import MarketError
from vault.readers.further import further_tables
from vault.readers.options import Reading
from vault.registered import read_any

_ANYWHERE = {"home", "language"}
"""Settings that change nothing of what is found."""
_LONGEST_SYMBOL = 24


@dataclass(frozen=True, kw_only=True)
class TableRow:
    """One optimisation of the table; what is not known of it is None.

    Attributes:
        symbol: instrument.
        timeframe: length of a bar.
        run: name of the run, whose files lie in `<home>/runs/<run>`.
        status: `finished`, `untested`, `failed`, `waiting` for a person, or `refused`: it could not be run.
        verdict: `real`, `promising`, `unproven` or `overfit`, the number of verdicts in the table counted.
        verdict_alone: the run's own, as if it had been the only one.
        combined_p: p-value behind the run's own verdict.
        adjusted_p: the same, adjusted for the number of verdicts (Benjamini & Yekutieli 2001).
        excess_sharpe: yearly, over holding with the same exposure, on development data.
        holdout_excess_sharpe: the same on the holdout.
        holdout_return: of the champion on the holdout, a fraction.
        holding_return: of holding through the holdout, a fraction.
        champion: what was judged, as a sentence.
        refusal: why it could not be run, as a sentence.
    """

    symbol: str
    timeframe: str
    run: str
    status: str
    verdict: str | None = None
    verdict_alone: str | None = None
    combined_p: float | None = None
    adjusted_p: float | None = None
    excess_sharpe: float | None = None
    holdout_excess_sharpe: float | None = None
    holdout_return: float | None = None
    holding_return: float | None = None
    champion: str | None = None
    refusal: str | None = None


@dataclass(frozen=True, kw_only=True)
class OptimizationTable:
    """What many optimisations came to.

    Attributes:
        rows: one an instrument and timeframe, in the order they were given.
        verdicts: number of rows that were judged: each p-value is adjusted for it.
    """

    rows: tuple[TableRow, ...]
    verdicts: int

    def to_frame(self) -> pd.DataFrame:
        """A line a row, indexed by symbol and timeframe."""
        return pd.DataFrame([asdict(row) for row in self.rows]).set_index(["symbol", "timeframe"])

    def to_json(self) -> str:
        """The whole table as JSON text."""
        told = {"verdicts": self.verdicts, "rows": [asdict(row) for row in self.rows]}
        return json.dumps(told, ensure_ascii=False, sort_keys=True, indent=2, allow_nan=False)


@dataclass(frozen=True, kw_only=True)
class _Cell:
    """What one row is to be of; `resample` where its bars are longer than those of the prices."""

    given: Instrument
    symbol: str
    timeframe: str
    resample: str | None
    run: str


@checked(OptimizationContext.model_fields, Reading.model_fields, but=("data",))
def optimize_each(
    data: Data,
    strategy: str | StrategySpec = "ma_crossover",
    params: Mapping[str, float | None] | None = None,
    *,
    timeframes: str | Sequence[str] = (),
    symbol: str | None = None,
    timeframe: str | None = None,
    gaps: GapPolicy = "accept",
    inputs: Mapping[str, Table] | None = None,
    offered: Mapping[str, Declared] | None = None,
    others: Sequence[str | Path] = (),
    run: str | None = None,
    watch: Watcher = nobody_watches,
    progress: bool | None = None,
    **settings: Any,
) -> OptimizationTable:
    """Optimise a strategy on each instrument, at each timeframe, separately; end in one table.

    The same call again goes on where it was stopped: nothing finished is done twice. Rows of one market share
    a holdout, and each opening of it weighs less than the one before, in the order of `timeframes`.

    Args:
        data: one table or file, or several, as in `optimize`; here each is optimised by itself.
        strategy: a preset's name, or a complete strategy.
        params: values that differ from the preset's.
        timeframes: of the bars: longer ones are made out of those of the prices; default: as they are.
        symbol: as in `optimize`.
        timeframe: length of a bar of the prices; default: measured; refused if the bars contradict it.
        gaps: treatment of missing bars.
        inputs: other tables by name, as in `optimize`: the same ones for every row.
        offered: what their series are, as in `optimize`.
        others: prices of other instruments, as in `optimize`.
        run: begins the names of the runs; another one begins all of them anew. Default: `each`.
        watch: called with every event of every run as it happens.
        progress: show what every run does, and each finished row, on standard error; None: on a terminal and
            in a notebook, not in a pipe.
        **settings: as in `optimize`. With `approve=True` rows wait for a decision; the others go on.

    Raises:
        BacktestError, MarketError: prices that cannot be read; what cannot be run on some prices is a row
            that says why.
        ProviderError, ReportError, SettingError, ThreadxError: as `optimize`; `resampled_twice`.
    """
    home = chosen_home(settings.pop("home", None), settings.get("language"))
    known = {name: settings.pop(name) for name in Reading.model_fields if name in settings}
    context, reading = make_context(home=home, **settings), make_reading(**known)
    writable(context.home_path)
    read = {"symbol": symbol, "timeframe": timeframe, "gaps": gaps}
    spec = chosen_strategy(strategy, params)
    about: list[Any] = [
        spec.model_dump(mode="json"),
        context.model_dump(mode="json", exclude=_ANYWHERE),
        [str(one) for one in others],
    ]
    if inputs:
        at_hand, places = tables_told(inputs)
        tables = {**at_hand, **further_tables(places, context.home_path)}
        about.append([[name, _digest(tables[name])] for name in sorted(tables)])
    if offered:
        told = declarations(offered)
        about.append([[name, told[name].model_dump(mode="json")] for name in sorted(told)])
    cells = list(_cells(data, _spelt(timeframes, reading), read, reading, context.home_path, about, run))
    rows: list[TableRow] = []
    with _steps(progress, Words(context.language)) as (words, steps):
        for number, cell in enumerate(cells, start=1):
            names = {"symbol": cell.symbol, "timeframe": cell.timeframe}
            watcher = watch
            if steps:
                which = words("command.each.working", **names, number=number, count=len(cells))
                steps.now(which)
                watcher = in_turn(steps.run(words, home, which), watch)
            asked = {**read, **known, **settings, "inputs": inputs, "offered": offered, "others": others}
            rows.append(_row(cell, spec, context.home_path, {**asked, "watch": watcher}))
            if steps:
                steps(words("command.each.done", **names, outcome=outcome_of(rows[-1], words, alone=True)))
    return _counted(rows)


def _digest(table: pd.DataFrame | pd.Series) -> str:
    """All that is read of a table: its columns by name, and its zone, which tells when a day ends."""
    frame = table.to_frame("value") if isinstance(table, pd.Series) else table
    about = [str(frame.index.dtype), *(f"{name} {kind}" for name, kind in frame.dtypes.items())]
    values = pd.util.hash_pandas_object(frame).to_numpy().tobytes()
    return hashlib.sha256(json.dumps(about).encode() + values).hexdigest()


def outcome_of(row: TableRow, words: Words, *, alone: bool = False) -> str:
    """The verdict of a row, or how it stands without one, in a word or two."""
    verdict = row.verdict_alone if alone else row.verdict
    if verdict is not None:
        return words(f"verdict.short.{verdict}")
    return words("command.each.refused" if row.status == "refused" else f"command.run_status.{row.status}")


@contextmanager
def _steps(progress: bool | None, words: Words) -> Iterator[tuple[Words, Steps | None]]:
    """What is told of finished rows on standard error, where anything is to be."""
    terminal = Terminal(words)
    if not (terminal.err.is_terminal or terminal.err.is_jupyter if progress is None else progress):
        yield words, None
        return
    with terminal.steps(words("command.progress.loading")) as steps:
        yield words, steps


def _spelt(timeframes: str | Sequence[str], reading: Reading) -> list[str]:
    """Timeframes as the engine spells them, each once.

    Raises:
        PriceError: `no_timeframe`.
        ThreadxError: `resampled_twice`.
    """
    told = listed(timeframes) if isinstance(timeframes, str) else list(timeframes)
    if told and reading.resample is not None:
        raise ThreadxError("resampled_twice")
    found: dict[str, None] = {}
    for one in told:
        if (name := spelt(str(one))) is None:
            raise PriceError("no_timeframe", name=str(one)[:40])
        found[name] = None
    return list(found)


def _cells(
    data: Data,
    timeframes: Sequence[str],
    read: Mapping[str, Any],
    reading: Reading,
    home: Path,
    about: list[Any],
    run: str | None,
) -> Iterator[_Cell]:
    """Every row there is to be; prices that cannot be read are told before anything is run."""
    instruments = instruments_of(data)
    if len(instruments) > 1 and read["symbol"] is not None:
        raise MarketError("symbol_of_pool", symbol=read["symbol"])
    for name, one in instruments:
        frame, source = read_any(one, home, **{**read, "symbol": name or read["symbol"]}, reading=reading)
        for wanted in timeframes or [source.timeframe]:
            longer = wanted if wanted != source.timeframe else None
            mark = hashlib.sha256(json.dumps([content_hash(frame), longer, *about]).encode()).hexdigest()[:8]
            label = re.sub(r"[^A-Za-z0-9.]", "", source.symbol)[:_LONGEST_SYMBOL]
            yield _Cell(
                given=(name, one),
                symbol=source.symbol,
                timeframe=wanted,
                resample=longer,
                run="-".join(part for part in (run or "each", label, wanted, mark) if part),
            )


def _row(cell: _Cell, spec: StrategySpec, home: Path, asked: Mapping[str, Any]) -> TableRow:
    """Run one cell to its end, or go on with it; prices that it cannot be run on refuse it, not the table."""
    names: dict[str, Any] = {"symbol": cell.symbol, "timeframe": cell.timeframe, "run": cell.run}
    name, one = cell.given
    longer = {} if cell.resample is None else {"resample": cell.resample}
    try:
        if RunRecord(home, cell.run).exists():
            outcome = resume_run(cell.run, home, asked["watch"])
        else:
            given: Data = one if name is None else {name: one}
            outcome = begin("optimization", given, spec, None, run=cell.run, home=home, **{**asked, **longer})
    except (BacktestError, MarketError) as error:
        return TableRow(**names, status="refused", refusal=str(error))
    if isinstance(outcome, Waiting):
        return TableRow(**names, status="waiting")
    found = cast(OptimizationResult, outcome)
    details = found.details
    if found.verdict is None:
        return TableRow(**names, status=found.status, champion=details["champion"]["description"])
    held = comparison(details, table_or_none(found.folder, RETURNS)).parts["holdout"]
    earned, market = held["champion"] or {}, held.get("market") or {}
    return TableRow(
        **names,
        status=found.status,
        verdict_alone=found.verdict,
        combined_p=details["verdict"]["combined_p"],
        excess_sharpe=details["overfitting"]["excess_sharpe_annual"],
        holdout_excess_sharpe=details["holdout"]["excess_sharpe_annual"],
        holdout_return=earned.get("total_return"),
        holding_return=market.get("total_return"),
        champion=details["champion"]["description"],
    )


def _counted(rows: Sequence[TableRow]) -> OptimizationTable:
    """The table, every verdict counted among all of them: whoever reads the best row looked at all."""
    chances = [row.combined_p for row in rows if row.combined_p is not None]
    adjusted = iter(adjusted_p_values(chances, "bhy").tolist() if chances else ())
    counted = []
    for row in rows:
        if row.combined_p is None:
            counted.append(row)
            continue
        p_value = round(next(adjusted), 10)
        verdict = counted_among(cast(Value, row.verdict_alone), p_value)
        counted.append(replace(row, adjusted_p=p_value, verdict=verdict))
    return OptimizationTable(rows=tuple(counted), verdicts=len(chances))
