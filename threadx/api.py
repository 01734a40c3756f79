"""The Python interface: one call per graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

from backtest import Costs, Engine, GapPolicy, StrategySpec
from backtest.data.inputs import Tables
from backtest.data.prices import check_volume
from backtest.engine.engines import using
from backtest.types import Fill
from base.errors import LANGUAGES, Language, in_language, readers_language
from nodes.context import OptimizationContext
from nodes.counted import registered
from nodes.following import Following, follow_seal, seal_run
from nodes.further import Declared, Further
from nodes.optimization.evidence.specs import chosen_strategy
from prompts import Words
from record.evolution import strategy_evolution
from record.record import RunRecord
from threadx.arguments import checked
from threadx.audit.checking import Check, check_run
from threadx.audit.replaying import Replay, replay_run
from threadx.home import chosen_home
from threadx.pool import Data, Instrument, Table, instruments_of, read_members, reference_of, tables_told
from threadx.results import OptimizationResult, ReviewResult, Waiting
from threadx.runner import (
    Outcome,
    ended,
    in_turn,
    make_input,
    nobody_watches,
    resume_run,
    start_run,
)
from threadx.settings import make_context, make_reading
from threadx.terminal import Terminal
from threadx.watching import Watcher
from threadx.writable import writable
from vault.datasets import DATASET_PREFIX, Dataset
from vault.declared import Declaration, Direction, whole_market
from vault.declared import declare as declare_hypothesis
from vault.errors import MarketError
from vault.pools import joined, register_member, register_pool
from vault.readers.further import further_tables
from vault.readers.options import Reading
from vault.readers.prices import PriceSource
from vault.registered import read_any

Decider = Callable[[Waiting], Mapping[str, Any]]
"""A person's word on proposals that wait: `{"accept": [1, 3], "reject": [2], "edit": [...]}`."""


@checked(OptimizationContext.model_fields, Reading.model_fields, but=("data",))
def optimize(
    data: Data,
    strategy: str | StrategySpec = "ma_crossover",
    params: Mapping[str, float | None] | None = None,
    *,
    symbol: str | None = None,
    timeframe: str | None = None,
    gaps: GapPolicy = "accept",
    inputs: Mapping[str, Table] | None = None,
    offered: Mapping[str, Declared] | None = None,
    others: Sequence[str | Path] = (),
    run: str | None = None,
    watch: Watcher = nobody_watches,
    decide: Decider | None = None,
    progress: bool | None = None,
    engine: Engine | None = None,
    **settings: Any,
) -> OptimizationResult:
    """Optimise a strategy on prices.

    Args:
        data: OHLCV table (see `read_prices`), a file, or `sample:sp500`. Several of them (a list, a folder,
            or tables and files by name) are one pool: one strategy is searched and judged on all of them,
            their holdouts begin at one moment, and figures are of the account that holds equal parts of all.
        strategy: a preset's name, or a complete strategy.
        params: values that differ from the preset's, risk included (`stop_loss_pct` in percent); not with a
            complete strategy, which has its own.
        symbol: for the record; of a file or table with several instruments it names the one to read.
        timeframe: for example `30m`; default: measured; refused if the bars contradict it.
        gaps: treatment of missing bars, as in `backtest.validate_prices`.
        inputs: other tables by name (or files, or `sample:NAME`), whose columns the strategy declares, as in
            `backtest.run_backtest`; development and holdout parts are cut at the same moment as the prices.
            A table of which it reads nothing is on offer: changes may read each column of numbers whose name
            conditions can write.
        offered: what further series on offer are, by name: columns of such tables. What is not described is a
            price or a volume where its column is called so, else of kind `none`.
        others: files (or `sample:NAME`) of other instruments: the final strategy is tested on the development
            part of each, as one of its stress tests.
        run: a name for the run.
        watch: called with every event of the run as it happens, one at a time; variants tested side by side
            tell theirs from threads of their own. What it raises ends the run after the step at work.
        decide: with `approve=True`, called for a decision on the proposals of each iteration.
        progress: show progress on standard error. None: on a terminal and in a notebook, not in a
            pipe, and not with `watch`.
        engine: where strategies are tested, as in `backtest.sweep`; what THREADX_ENGINE says when None.
        **settings: fields of `nodes.context.OptimizationContext` (analyst, max_iterations, home, seed, ...),
            and of `vault.readers.options.Reading` (time_format, time_zone, decimal, adjust, start, end,
            resample).

    Raises:
        BacktestError, MarketError, ProviderError, SettingError, ThreadxError: bad input, typed, with code and
            fields; `run_waits` if the run waits for a person and `decide` is None.
    """
    home = chosen_home(settings.pop("home", None), settings.get("language"))
    with using(engine), _shown(progress, watch, home, settings.get("language")) as watcher:
        outcome = begin(
            "optimization",
            data,
            strategy,
            params,
            symbol=symbol,
            timeframe=timeframe,
            gaps=gaps,
            inputs=inputs,
            offered=offered,
            others=others,
            run=run,
            watch=watcher,
            home=home,
            **settings,
        )
        folder = outcome.folder.parents[1]
        while isinstance(outcome, Waiting) and decide is not None:
            outcome = resume_run(outcome.run, folder, watcher, decide(outcome))
    return ended(outcome)


@contextmanager
def _shown(progress: bool | None, watch: Watcher, home: str, language: str | None) -> Iterator[Watcher]:
    """The caller's watcher, and before it a line a step on standard error where progress is to be told."""
    known: Language = language if language in LANGUAGES else readers_language()
    terminal = Terminal(Words(known))
    seen = terminal.err.is_terminal or terminal.err.is_jupyter
    if not (progress if progress is not None else seen and watch is nobody_watches):
        yield watch
        return
    with terminal.progress(home) as tell:
        yield in_turn(tell, watch)


@checked(OptimizationContext.model_fields, Reading.model_fields)
def review(
    data: pd.DataFrame | str | Path,
    strategy: str | StrategySpec = "ma_crossover",
    params: Mapping[str, float | None] | None = None,
    *,
    symbol: str | None = None,
    timeframe: str | None = None,
    gaps: GapPolicy = "accept",
    inputs: Mapping[str, Table] | None = None,
    run: str | None = None,
    watch: Watcher = nobody_watches,
    progress: bool | None = None,
    **settings: Any,
) -> ReviewResult:
    """Review a backtest: three changes are proposed and debated, none is tested.

    Arguments and errors are those of `optimize`.
    """
    home = chosen_home(settings.pop("home", None), settings.get("language"))
    with _shown(progress, watch, home, settings.get("language")) as watcher:
        outcome = begin(
            "review",
            data,
            strategy,
            params,
            symbol=symbol,
            timeframe=timeframe,
            gaps=gaps,
            inputs=inputs,
            run=run,
            watch=watcher,
            home=home,
            **settings,
        )
    assert isinstance(outcome, ReviewResult), "a review has nobody to wait for"
    return outcome


@checked(Reading.model_fields)
def read_prices(
    data: pd.DataFrame | str | Path,
    *,
    symbol: str | None = None,
    timeframe: str | None = None,
    gaps: GapPolicy = "accept",
    home: str | Path | None = None,
    **reading: Any,
) -> tuple[pd.DataFrame, PriceSource]:
    """Prices in the form that every other function takes, and the assumptions made while reading.

    Args:
        data: OHLCV table of any layout (columns of two levels as yfinance makes them included), a file of any
            program, `sample:sp500`, or `dataset:HASH`: the development rows of registered prices.
        symbol: the instrument to read if the file or table holds several.
        timeframe: for example `30m`; default: measured; refused if the bars contradict it.
        gaps: treatment of missing bars, as in `backtest.validate_prices`.
        home: the data folder, in which relative paths are looked for too.
        **reading: fields of `vault.readers.options.Reading` (time_format, time_zone, decimal, adjust, start,
            end, resample).

    Returns:
        (prices, source): float64 columns open, high, low, close, volume on a DatetimeIndex; `source.notices`
        tells what was assumed, skipped or repaired.

    Raises:
        BacktestError, MarketError, ThreadxError: bad input, typed, with code and fields.
    """
    named = data if isinstance(data, pd.DataFrame) else str(data)
    known = make_reading(**reading)
    return read_any(named, _home(home), gaps=gaps, timeframe=timeframe, symbol=symbol, reading=known)


def begin(
    graph: str,
    data: Data,
    strategy: str | StrategySpec,
    params: Mapping[str, float | None] | None,
    *,
    symbol: str | None,
    timeframe: str | None,
    gaps: GapPolicy,
    inputs: Mapping[str, Table] | None = None,
    offered: Mapping[str, Declared] | None = None,
    others: Sequence[str | Path] = (),
    run: str | None,
    watch: Watcher,
    **settings: Any,
) -> Outcome:
    """Start a run of `optimization` or `review`, to its end or until it waits; arguments as `optimize`."""
    known = {name: settings.pop(name) for name in Reading.model_fields if name in settings}
    home = chosen_home(settings.pop("home", None), settings.get("language"))
    reading, context = make_reading(**known), make_context(home=home, **settings)
    with in_language(context.language):
        start = chosen_strategy(strategy, params)
        own = strategy if isinstance(strategy, StrategySpec) else None
        instruments = instruments_of(data, several=graph == "optimization")
        at_hand, places = tables_told(inputs or {})
        reference, *pool = [reference_of(name, one) for name, one in instruments if isinstance(one, str)] or [
            ""
        ]
        if len(instruments) == 1:
            name, alone = instruments[0]
            symbol, reference = symbol or name, alone if isinstance(alone, str) else reference
        if at_hand or any(isinstance(one, pd.DataFrame) for _, one in instruments):
            folder = context.home_path
            tables = {**at_hand, **further_tables(places, folder)}
            if graph == "optimization":
                start = Further.of(tables, offered or {}).offered_to(start)
                offered = start.offered
            dataset = _registered(instruments, start, tables, folder, symbol, timeframe, gaps, reading)
            reference, pool, places = f"{DATASET_PREFIX}{dataset.development_hash}", [], {}
            # The tables are read; what was said of them may tell of the others' files still.
            symbol, timeframe, reading = dataset.symbol, dataset.timeframe, reading.whole
            if tables:
                told: list[Instrument] = [(None, str(one)) for one in others]
                members = read_members(told, folder, gaps=gaps, reading=reading)
                rest = [register_member(joined(one, start, tables), folder) for one in members]
                others = [f"{DATASET_PREFIX}{one.development_hash}" for one in rest]
            if tables or not others:
                gaps, reading = "accept", Reading()
        given = make_input(
            graph,
            data=reference,
            strategy=own.name if own else strategy,
            spec=own.model_dump(mode="json") if own else None,
            params=dict(params or {}),
            symbol=symbol,
            timeframe=timeframe,
            gaps=gaps,
            reading=reading,
            run=run,
            pool=pool or None,
            inputs=places or None,
            offered=offered or None,
            other_data=[str(one) for one in others] or None,
        )
    return start_run(given, context, watch, graph)


def _registered(
    instruments: Sequence[Instrument],
    spec: StrategySpec,
    tables: Tables,
    home: Path,
    symbol: str | None,
    timeframe: str | None,
    gaps: GapPolicy,
    reading: Reading,
) -> Dataset:
    """Tables, alone or in a pool, in the vault, with the series of others that the strategy reads."""
    if len(instruments) > 1 and symbol is not None:
        raise MarketError("symbol_of_pool", symbol=symbol)
    told = [(name or symbol, one) for name, one in instruments]
    members = read_members(told, home, gaps=gaps, timeframe=timeframe, reading=reading)
    for one in members:
        check_volume(one.frame, spec)
    members = [joined(one, spec, tables) for one in members]
    writable(home)
    return register_pool(members, home) if len(members) > 1 else register_member(members[0], home)


def _home(home: str | Path | None) -> Path:
    return make_context(home=chosen_home(home)).home_path


@checked()
def replay(run: str, *, home: str | Path | None = None, watch: Watcher = nobody_watches) -> Replay:
    """Repeat a finished run from its record, without models or network; see `threadx.audit.replaying`.

    Args:
        run: its name.
        home: the data folder; default: the usual one.
        watch: called with every event as it is repeated.
    """
    return replay_run(run, _home(home), watch)


@checked()
def check(run: str, *, home: str | Path | None = None, files: Sequence[str | Path] = ()) -> Check:
    """Recompute the figures of a finished run; see `threadx.audit.checking`.

    Args:
        run: its name.
        home: the data folder; default: the usual one.
        files: price files to use if the run's prices are no longer registered.
    """
    return check_run(run, _home(home), [str(one) for one in files])


@checked()
def follow(
    run: str,
    *,
    data: pd.DataFrame | str | Path | None = None,
    inputs: Mapping[str, Table] | None = None,
    home: str | Path | None = None,
) -> Following:
    """Seal the champion of a finished run, or judge a sealed one on the bars that opened since.

    Args:
        run: its name.
        data: prices that reach further than the run's; default: where the run's came from.
        inputs: tables beside them, by name, as in `optimize`; default: where the run's came from.
        home: the data folder; default: the usual one.

    Raises:
        ReportError: `unknown_run`, `no_result`, `nothing_to_follow` or `unreadable_record`.
        MarketError: the prices cannot be read, or are not those of the run; `damaged_seal`.
    """
    folder = _home(home)
    seal = seal_run(run, folder)
    at_hand, places = tables_told(inputs or {})
    tables = None if inputs is None else {**at_hand, **further_tables(places, folder)}
    given = data if data is None or isinstance(data, pd.DataFrame) else str(data)
    return follow_seal(seal, folder, given, tables)


@checked(Reading.model_fields)
def declare(
    data: pd.DataFrame | str | Path,
    strategy: str | StrategySpec,
    params: Mapping[str, float | None] | None = None,
    *,
    text: str,
    direction: Direction = "above",
    declared_by: str = "person",
    costs: Costs | None = None,
    fill: Fill = "next_open",
    symbol: str | None = None,
    timeframe: str | None = None,
    gaps: GapPolicy = "accept",
    home: str | Path | None = None,
    **reading: Any,
) -> Declaration:
    """Declare one hypothesis about a market before anybody looks at it; nothing is tested.

    The first `optimize` on this market judges it once, as a single trial, beside its own champion.

    Args:
        data: OHLCV table, a file, or `sample:NAME`.
        strategy: name of a preset, or a strategy.
        params: values that differ from the preset's.
        text: the hypothesis, 500 characters at most.
        direction: whether the strategy is to earn more (`above`) or less (`below`) than holding with the same
            exposure.
        declared_by: `person`, or the reference of the model whose idea it is: what it may remember counts.
        costs: of trading; default: as for `optimize`.
        fill: where orders are filled.
        symbol: the instrument.
        timeframe: length of a bar.
        gaps: treatment of missing bars.
        home: the data folder; default: the usual one.
        **reading: fields of `vault.readers.options.Reading`.

    Raises:
        MarketError: `declared_late`: the market has been looked at; `declared_before`: it has a hypothesis.
        BacktestError, ThreadxError: bad input.
    """
    folder = _home(home)
    found = registered(
        data,
        symbol=symbol,
        timeframe=timeframe,
        gaps=gaps,
        home=folder,
        reading=whole_market(Reading(**reading)),
    )
    return declare_hypothesis(
        found.dataset,
        folder,
        text=text,
        strategy=chosen_strategy(strategy, params),
        direction=direction,
        costs=costs or OptimizationContext().costs,
        fill=fill,
        declared_by=declared_by,
    )


@checked()
def export_strategy_evolution(run: str, *, home: str | Path | None = None) -> dict[str, Any]:
    """Each change of a run's strategy with its reasons, as data; see `record.evolution.strategy_evolution`.

    Args:
        run: its name; it need not be finished.
        home: the data folder; default: the usual one.

    Raises:
        ReportError: `unknown_run` or `unreadable_record`.
    """
    record = RunRecord(_home(home), run)
    about = record.about()
    return {"run": run, "graph": about["graph"], **strategy_evolution(record.events())}
