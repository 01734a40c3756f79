"""Runs the graphs with checkpoints on disk, so that a killed run can be taken up where it was."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.sqlite import SqliteSaver
from pydantic import ValidationError

from graphs.optimization import builder
from nodes.context import OptimizationContext
from nodes.optimization.load import new_run_name
from nodes.optimization.state import OptimizationInput
from reports.errors import ReportError
from reports.record import RunRecord
from threadx.errors import ThreadxError, from_validation
from threadx.results import OptimizationResult
from threadx.traces import bounded_traces

Watcher = Callable[[dict[str, Any]], None]


def make_context(**settings: Any) -> OptimizationContext:
    """The cycle's settings; what is None is left to the environment and the defaults.

    Raises:
        ThreadxError: `bad_setting`, naming the setting.
    """
    try:
        return OptimizationContext(**{name: value for name, value in settings.items() if value is not None})
    except ValidationError as error:
        raise from_validation(error) from None


def make_input(**given: Any) -> OptimizationInput:
    """The cycle's input; what is None is left out.

    Raises:
        ThreadxError: `bad_setting`, naming the field.
    """
    try:
        return OptimizationInput(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        raise from_validation(error) from None


def writable(home: Path) -> Path:
    """The data folder, made if need be.

    Raises:
        ThreadxError: `unwritable_home`.
    """
    try:
        home.mkdir(parents=True, exist_ok=True)
        with FileLock(home / ".writable.lock", timeout=10):
            pass
    except (OSError, Timeout) as error:
        raise ThreadxError("unwritable_home", home=str(home), reason=error.__class__.__name__) from None
    return home


@contextmanager
def _checkpoints(home: Path) -> Iterator[SqliteSaver]:
    connection = sqlite3.connect(home / "checkpoints.sqlite", check_same_thread=False, timeout=30)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        yield SqliteSaver(connection)
    finally:
        connection.close()


@contextmanager
def _held(record: RunRecord) -> Iterator[None]:
    """One process works on a run at a time; the lock of a dead one is free at once."""
    record.folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(record.folder / ".run.lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise ReportError("run_busy", run=record.run) from None
    try:
        yield
    finally:
        lock.release()


def nobody_watches(event: dict[str, Any]) -> None:
    """Nobody watches."""


def start_optimization(
    given: OptimizationInput, context: OptimizationContext, watch: Watcher = nobody_watches
) -> OptimizationResult:
    """Run the optimisation cycle to its end.

    Args:
        given: what to optimise.
        context: settings.
        watch: called with every event as it happens.

    Raises:
        BacktestError, MarketError, ProviderError: bad input; nothing of the run is left behind.
        ThreadxError: the data folder cannot be written.
    """
    writable(context.home_path)
    named = given.model_copy(update={"run": given.run or new_run_name()})
    record = RunRecord(context.home_path, str(named.run))
    if record.exists():
        raise ReportError("run_exists", run=record.run)
    try:
        with _held(record):
            return _run(record, named, context, watch)
    finally:
        if not record.exists():
            _forget(record)


def _forget(record: RunRecord) -> None:
    """Remove the folder of a run that bad input stopped before it began."""
    (record.folder / ".run.lock").unlink(missing_ok=True)
    if record.folder.is_dir() and not any(record.folder.iterdir()):
        record.folder.rmdir()


def resume_optimization(run: str, home: Path, watch: Watcher = nobody_watches) -> OptimizationResult:
    """Take up a run where it was interrupted; a finished one gives its result again.

    Raises:
        ReportError: `unknown_run`, `run_busy` or `unreadable_record`.
    """
    record = RunRecord(home, run)
    about = record.about()
    context = OptimizationContext.model_validate({**about["context"], "home": str(home)})
    with _held(record):
        # The last event follows the result: a kill between the two leaves the last node to be done again.
        if any(event["kind"] == "finished" for event in record.events()):
            return OptimizationResult.from_details(record.result(), record.folder)
        return _run(record, OptimizationInput.model_validate(about["input"]), context, watch)


def _run(
    record: RunRecord, given: OptimizationInput, context: OptimizationContext, watch: Watcher
) -> OptimizationResult:
    config: RunnableConfig = {
        "configurable": {"thread_id": record.run},
        "run_name": "optimization",
        "tags": ["threadx", "optimization"],
        "metadata": {"run": record.run, "strategy": given.strategy, "symbol": given.symbol or given.data},
        "recursion_limit": 40 + 10 * context.max_iterations,
    }
    bounded_traces()
    with _checkpoints(context.home_path) as saver:
        graph = builder.compile(checkpointer=saver, name="optimization")
        # A checkpoint means that the run was interrupted: None goes on from it, an input would begin anew.
        begun = bool(graph.get_state(config).values)
        # Each step is on disk before the next begins: after a kill nothing is lost but the step at work.
        parts: Iterator[Any] = graph.stream(
            None if begun else given,
            config,
            context=context,
            stream_mode="custom",
            subgraphs=True,
            durability="sync",
        )
        for _, event in parts:
            watch(event)
        details: dict[str, Any] = graph.get_state(config).values["result"]
    return OptimizationResult.from_details(details, record.folder)
