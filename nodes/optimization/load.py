"""Node `load`: prices, their split, and the strategy to start from."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, cast
from uuid import uuid4

import pandas as pd
from langgraph.runtime import Runtime

from backtest import BacktestError, StrategySpec
from backtest.cage.trying import require_cage
from backtest.data.inputs import Tables
from backtest.data.prices import check_volume
from nodes.context import OptimizationContext
from nodes.forking import checkpoint_here, fork, gone_through_again
from nodes.further import Further
from nodes.optimization.evidence.specs import chosen_strategy
from nodes.optimization.state import OptimizationInput, OptimizationState, StrategyInput
from nodes.serving import prices_of
from providers import parse_reference
from record.errors import ReportError
from record.record import RunRecord
from record.types import Prices
from vault.adding import use
from vault.datasets import DATASET_PREFIX, Dataset
from vault.errors import MarketError
from vault.pools import Member, joined, member_of, named, register_member, register_pool
from vault.readers.further import further_tables
from vault.readers.options import Reading
from vault.readers.prices import PriceSource, read_prices
from vault.registered import find_registered

_LEFT = (
    *("champion", "archive", "surveyed", "analysis", "verdicts", "confidence", "approval"),
    *("debate", "decision", "judgement", "variants", "result"),
)
"""Keys of the state that are asked for before this run has written them."""


def new_run_name(now: datetime | None = None) -> str:
    """A name that sorts by time and is taken by nobody: `20261121-034512-1f2e3d`."""
    moment = now or datetime.now(UTC)
    return f"{moment:%Y%m%d-%H%M%S}-{uuid4().hex[:6]}"


def initial_strategy(given: StrategyInput) -> StrategySpec:
    """The strategy the input names: a whole one of its own, or a preset with parameters.

    Raises:
        BacktestError: the strategy, a parameter or a condition is not valid.
        SettingError: `params_beside_strategy`.
    """
    whole = None if given.spec is None else StrategySpec.model_validate(given.spec)
    return chosen_strategy(given.strategy if whole is None else whole, given.params)


def prepare(given: StrategyInput, context: OptimizationContext) -> OptimizationState:
    """Read and split the prices, build the strategy, name the run.

    Returns:
        What the state begins with.

    Raises:
        BacktestError, CodeError, MarketError, ProviderError, SettingError: bad input; there is nothing to
            go on with.
    """
    for reference in (*context.analyst, *context.strategist, *context.validator):
        parse_reference(reference)  # a model that cannot be meant is bad input, not an answer that failed
    if context.allow_code:
        require_cage()
    use(context.home_path)
    tables = _tables(given, context)
    spec = _offering(given, tables)
    pool = getattr(given, "pool", [])
    dataset = _pooled(given, pool, spec, tables, context) if pool else _alone(given, spec, tables, context)
    # Every series by its name: whoever goes through the run again has no tables to find them in.
    offered = {"offered": spec.offered} if isinstance(given, OptimizationInput) else {}
    request = given.model_copy(update={"run": _free(given.run, context), **offered})
    # What an earlier run on the same thread left is no part of this one.
    left = cast(OptimizationState, dict.fromkeys(_LEFT))
    return {
        **left,
        "iteration": 0,
        "run_id": str(request.run),
        "request": request.model_dump(mode="json"),
        "dataset": as_prices(dataset),
        "initial": spec.model_dump(mode="json"),
        "history": [],
    }


def _tables(given: StrategyInput, context: OptimizationContext) -> Tables:
    """The tables beside the prices, by name."""
    home = context.home_path
    return further_tables({name: prices_of(one, home) for name, one in given.inputs.items()}, home)


def _offering(given: StrategyInput, tables: Tables) -> StrategySpec:
    """The strategy to start from, with what its changes may read beside what it declares itself."""
    spec = initial_strategy(given)
    if not isinstance(given, OptimizationInput):
        return spec
    return Further.of(tables, given.offered).offered_to(spec)


def _complete(member: Member, spec: StrategySpec, tables: Tables) -> Member:
    """Prices with all that the strategy reads."""
    check_volume(member.frame, spec)  # of the holdout too: at the end of a run it would be too late
    return joined(member, spec, tables)


def _alone(given: StrategyInput, spec: StrategySpec, tables: Tables, context: OptimizationContext) -> Dataset:
    """The prices of one instrument, or a pool that is registered already."""
    if given.data.startswith(DATASET_PREFIX):
        # Where files of other instruments are read, it is they of which some settings tell.
        files = any(not one.startswith(DATASET_PREFIX) for one in getattr(given, "other_data", ()))
        of_others = Reading.model_fields.keys() - {"start", "end"} if files else set()
        found = find_registered(
            given.data,
            context.home_path,
            gaps="accept" if files else given.gaps,
            timeframe=given.timeframe,
            symbol=given.symbol,
            reading=Reading(**given.reading.model_dump(exclude=of_others)),
        )
        if not (tables or spec.offered):
            return found
        members = [_complete(member_of(one, context.home_path), spec, tables) for one in found.members]
        if not tables:  # what is on offer stands with the prices: they are registered as they are
            return found
        if found.instruments:
            return register_pool(members, context.home_path)
        return register_member(members[0], context.home_path)
    frame, source = read_prices(
        prices_of(given.data, context.home_path),
        context.home_path,
        gaps=given.gaps,
        timeframe=given.timeframe,
        symbol=given.symbol,
        reading=given.reading,
    )
    return register_member(_complete(Member.of(frame, source), spec, tables), context.home_path)


def _pooled(
    given: StrategyInput,
    pool: Sequence[str],
    spec: StrategySpec,
    tables: Tables,
    context: OptimizationContext,
) -> Dataset:
    """The prices of several instruments under one boundary.

    Raises:
        BacktestError, MarketError: as `read_prices` and `vault.pools.register_pool`, naming the file;
            `symbol_of_pool`: one symbol for several instruments.
    """
    if given.symbol is not None:
        raise MarketError("symbol_of_pool", symbol=given.symbol)
    members = []
    for told in (given.data, *pool):
        symbol, reference = named(told, prices_of(told, context.home_path))
        if reference.startswith(DATASET_PREFIX):
            found = find_registered(reference, context.home_path, symbol=symbol, reading=Reading())
            members.append(_complete(member_of(found, context.home_path), spec, tables))
            continue
        frame, source = _read(
            reference, given, context, given.reading, timeframe=given.timeframe, symbol=symbol
        )
        members.append(_complete(Member.of(frame, source), spec, tables))
    return register_pool(members, context.home_path)


def _read(
    reference: str, given: StrategyInput, context: OptimizationContext, reading: Reading, **known: Any
) -> tuple[pd.DataFrame, PriceSource]:
    """One of several files; what is wrong with it is told with its name."""
    try:
        return read_prices(
            prices_of(reference, context.home_path),
            context.home_path,
            gaps=given.gaps,
            reading=reading,
            **known,
        )
    except (BacktestError, MarketError) as error:
        if "path" in error.fields:
            raise
        # It says what is wrong, but not in which of the files.
        raise MarketError("unusable_prices", data=reference, reason=error) from error


def as_prices(dataset: Dataset) -> Prices:
    """A dataset as the state carries it."""
    return cast(Prices, dataset.model_dump(mode="json"))


def _free(named: str | None, context: OptimizationContext) -> str:
    """The run's name; a finished run that is gone through again from its first step is forked.

    Raises:
        ReportError: `run_ended_meanwhile`: a server that was killed takes up what another process has ended.
    """
    if named is None:
        return new_run_name()
    known = RunRecord(context.home_path, named)
    if not known.log.ended():
        return named
    if not gone_through_again():
        raise ReportError("run_ended_meanwhile", run=named)
    return fork(known, context, checkpoint=checkpoint_here(), before="")


def load(state: OptimizationInput, runtime: Runtime[OptimizationContext]) -> OptimizationState:
    """Begin an optimisation: it needs a holdout, for its end.

    Bad input is raised as the room's own error.
    """
    context = OptimizationContext.of(runtime.context)
    begun = prepare(state, context)
    dataset = begun["dataset"]
    if dataset["holdout_rows"] == 0:
        raise MarketError("no_holdout", symbol=dataset["symbol"], boundary=dataset["boundary"])
    own = [dataset["family"], *(one["family"] for one in dataset.get("instruments", []))]
    others = _other_datasets(state, own, context)
    return {**begun, "others": [as_prices(one) for one in others], "graph": "optimization"}


def _other_datasets(
    given: OptimizationInput, families: Sequence[str], context: OptimizationContext
) -> list[Dataset]:
    """Prices of other instruments, registered like any: what is run on them later meets the same boundary.

    Raises:
        MarketError: `unusable_prices`, or another file that cannot be used; `same_prices`.
    """
    home, found = context.home_path, list[Dataset]()
    tables = _tables(given, context) if given.other_data else {}
    spec = _offering(given, tables)
    for reference in given.other_data:
        if reference.startswith(DATASET_PREFIX):
            dataset = find_registered(reference, home, reading=Reading())
            if tables:
                dataset = register_member(joined(member_of(dataset, home), spec, tables), home)
        else:
            member = Member.of(*_read(reference, given, context, given.reading.whole))
            dataset = register_member(joined(member, spec, tables), home)
        if dataset.family in (*families, *(one.family for one in found)):
            raise MarketError("same_prices", data=reference)
        found.append(dataset)
    return found
