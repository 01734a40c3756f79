"""The Python face: one call a graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import ValidationError

from backtest import GapPolicy, StrategySpec, validate_prices
from backtest.prices import check_volume
from graphs.ensemble import graph as ensemble
from market.datasets import infer_timeframe, register
from nodes.context import EnsembleContext
from nodes.ensemble.state import EnsembleInput
from nodes.optimization.load import DATASET_PREFIX
from threadx.errors import from_validation
from threadx.results import OptimizationResult, SummaryResult
from threadx.runner import Watcher, make_context, make_input, nobody_watches, start_optimization, writable
from threadx.traces import bounded_traces

UNNAMED = "UNNAMED"


def optimize(
    data: pd.DataFrame | str | Path,
    strategy: str | StrategySpec = "ma_crossover",
    params: Mapping[str, float | None] | None = None,
    *,
    symbol: str | None = None,
    timeframe: str | None = None,
    gaps: GapPolicy = "accept",
    run: str | None = None,
    watch: Watcher = nobody_watches,
    **settings: Any,
) -> OptimizationResult:
    """Optimise a strategy on prices.

    Args:
        data: OHLCV table (see `backtest.validate_prices`), a file, or `sample:sp500`.
        strategy: a preset's name, or a whole strategy.
        params: values that differ from the preset's, risk included (`stop_loss_pct` in percent).
        symbol: for the record; with `timeframe` it tells one dataset from another.
        timeframe: for example `30m`; measured if left out, refused where the bars contradict it.
        gaps: what to do where bars are missing, as in `backtest.validate_prices`.
        run: a name for the run.
        watch: called with every event of the run as it happens.
        **settings: fields of `nodes.context.OptimizationContext` (analyst, max_iterations, home, seed, ...).

    Raises:
        BacktestError, MarketError, ProviderError, ThreadxError: bad input, typed, with code and fields.
    """
    context = make_context(**settings)
    own = strategy if isinstance(strategy, StrategySpec) else None
    if isinstance(data, pd.DataFrame):
        frame = validate_prices(data, gaps=gaps, timeframe=timeframe)
        if own is not None:
            check_volume(frame, own)
        named = symbol or UNNAMED
        writable(context.home_path)
        dataset = register(
            frame,
            symbol=named,
            timeframe=infer_timeframe(pd.DatetimeIndex(frame.index)),
            home=context.home_path,
        )
        reference = f"{DATASET_PREFIX}{dataset.development_hash}"
    else:
        reference = str(data)
    given = make_input(
        data=reference,
        strategy=own.name if own else strategy,
        spec=own.model_dump(mode="json") if own else None,
        params=dict(params or {}),
        symbol=symbol,
        timeframe=timeframe,
        gaps=gaps,
        run=run,
    )
    return start_optimization(given, context, watch)


def _nobody_waits(node: str) -> None:
    """Nobody watches."""


def summarize(
    *,
    as_of: str | None = None,
    data: str | None = None,
    watch: Callable[[str], None] = _nobody_waits,
    **settings: Any,
) -> SummaryResult:
    """Run the ensemble once and publish its summary.

    Args:
        as_of: ISO time whose hour the summary is for; now if left out.
        data: a folder of partitions, or `sample`; the data folder if left out.
        watch: called with the name of each node that is done.
        **settings: fields of `nodes.context.EnsembleContext`.

    Raises:
        MarketError, ProviderError, ThreadxError: bad input.
    """
    try:
        context = EnsembleContext(**{name: value for name, value in settings.items() if value is not None})
    except ValidationError as error:
        raise from_validation(error) from None
    writable(context.home_path)
    try:
        given = EnsembleInput(as_of=as_of, data=data)
    except ValidationError as error:
        raise from_validation(error) from None
    bounded_traces()
    state: dict[str, Any] = {}
    parts: Iterator[Any] = ensemble.stream(given, context=context, stream_mode=["updates", "values"])
    for mode, part in parts:
        if mode == "values":
            state = part
        else:
            for node in part:
                watch(node)
    path = state.get("summary_path")
    return SummaryResult(
        status=state["status"],
        degraded=state["degraded"],
        summary=state.get("summary"),
        path=Path(path) if path else None,
        failure=state.get("failure"),
    )
