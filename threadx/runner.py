"""Runs the graphs with checkpoints on disk, so that a killed run can be resumed."""

from __future__ import annotations

import sqlite3
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from langchain_core.runnables import RunnableConfig
from langgraph.graph import StateGraph
from langgraph.types import Command

from base.reasons import because
from base.schema import DatabaseError
from graphs.optimization import builder as optimization
from graphs.review import builder as review
from nodes.context import OptimizationContext
from nodes.copies import Store, is_asked_for
from nodes.forking import settings_to_go_on
from nodes.given import read_input
from nodes.optimization.evidence.evidence import gather_evidence
from nodes.optimization.load import new_run_name
from nodes.optimization.state import OptimizationInput, ReviewInput, StrategyInput
from nodes.optimization.trials.approval import awaited, read_approval
from nodes.optimization.trials.workshop import Workshop, restore
from record.errors import ReportError
from record.events import Noticed
from record.record import RunRecord, as_recorded
from record.run_view import RunView
from record.versions import check_plugins
from threadx.audit.drift import Notice, notices, server_notices
from threadx.checkpoints import checkpoints, lessons, own_steps
from threadx.errors import ThreadxError, ThreadxWarning
from threadx.results import OptimizationResult, ReviewResult, Waiting, read_result
from threadx.traces import bounded_traces, give_feedback
from threadx.watching import Watcher, go_through
from threadx.writable import writable
from vault.adding import use
from vault.errors import MarketError
from vault.ledger import Ledger

BUILDERS: dict[str, StateGraph[Any, Any, Any, Any]] = {"optimization": optimization, "review": review}
INPUTS: dict[str, type[StrategyInput]] = {"optimization": OptimizationInput, "review": ReviewInput}

Outcome = OptimizationResult | ReviewResult | Waiting


def make_input(graph: str = "optimization", **given: Any) -> StrategyInput:
    """A graph's input; what is None is left out.

    Raises:
        SettingError: naming the field.
    """
    return read_input(INPUTS[graph], {name: value for name, value in given.items() if value is not None})


@contextmanager
def _held(record: RunRecord, thread: str) -> Iterator[None]:
    """One process, and one thread of it, works on a run at a time; the lock of a dead one is free at once."""
    record.hold(thread, anew=True)
    try:
        yield
    finally:
        record.release()


def nobody_watches(event: dict[str, Any]) -> None:
    """Nobody watches."""


def in_turn(*watchers: Watcher) -> Watcher:
    """Several that watch as one, each told in turn."""

    def tell(event: dict[str, Any]) -> None:
        for one in watchers:
            one(event)

    return tell


def start_run(
    given: StrategyInput,
    context: OptimizationContext,
    watch: Watcher = nobody_watches,
    graph: str = "optimization",
) -> Outcome:
    """Run a graph to its end, or until it waits for a person.

    Args:
        given: what to optimise or to review.
        context: settings.
        watch: called with every event as it happens.
        graph: `optimization` or `review`.

    Raises:
        BacktestError, MarketError, ProviderError: bad input; nothing of the run is left behind.
        ThreadxError: the data folder cannot be written; `run_stopped`.
        ReportError: the name is taken.
    """
    writable(context.home_path)
    named = given.model_copy(update={"run": given.run or new_run_name()})
    record = RunRecord(context.home_path, str(named.run))
    with _held(record, record.run):
        try:
            if record.exists():
                raise ReportError("run_exists", run=record.run)
            return _run(record, graph, record.run, named, context, watch, fresh=True)
        finally:
            record.discard()  # where bad input stopped it before it began


def ended(outcome: Outcome) -> OptimizationResult:
    """The result of an optimisation that has come to its end.

    Raises:
        ThreadxError: `run_waits`, or `not_an_optimization` for a review.
    """
    match outcome:
        case OptimizationResult():
            return outcome
        case Waiting(run=run):
            raise ThreadxError("run_waits", run=run)
        case ReviewResult(run=run):
            raise ThreadxError("not_an_optimization", run=run)


def resume_run(
    run: str, home: Path, watch: Watcher = nobody_watches, word: Mapping[str, Any] | None = None
) -> Outcome:
    """Resume a run where it was interrupted or where it waits; a finished one returns its result.

    A run of the LangGraph server, whose checkpoints are the server's own, is repeated from its
    start: models and people are not asked again, since their answers are in its record.

    Args:
        run: its name.
        home: the data folder.
        watch: called with every event as it happens.
        word: a person's decision on the waiting proposals (`nodes.optimization.trials.approval.Approval`).

    Raises:
        ReportError: `unknown_run`, `run_busy`, `not_resumable`, `record_differs`, `plugins_differ` or
            `unreadable_record`.
        SettingError: `server_elsewhere`.
        ThreadxError: `run_stopped`, `bad_word`, or `nothing_waits` for a decision that is not awaited.
    """
    record = RunRecord(home, run)
    about = record.about()
    writable(home)
    thread = about.get("thread", run)
    if thread is None:
        raise ReportError("not_resumable", run=run)
    context = settings_to_go_on(record, OptimizationContext)
    with as_recorded(record.folder / "run.json"):
        given = INPUTS[about["graph"]].model_validate(about["input"])
    with _held(record, thread), as_recorded(record.events_path):
        # The last event follows the result: a kill between the two leaves the last node to be done again.
        if RunView.of(record.events()).status is not None:
            if word is not None:
                raise ThreadxError("nothing_waits", run=run)
            return read_result(record)
        use(home)
        restore(record, home)
        check_plugins(run, about.get("versions", {}))
        for notice in [*notices(record, home), *server_notices(record, context)]:
            _tell(record, notice, watch)
        return _run(record, about["graph"], thread, given, context, watch, word=word)


def _tell(record: RunRecord, notice: Notice, watch: Watcher) -> None:
    """Put on record that a run goes on with something else than it began with."""
    name = f"noticed.{notice.code}.{notice.name}.{notice.now}"
    watch(record.append(name, "resume", Noticed(**notice.as_data())).plain())


def _run(
    record: RunRecord,
    graph_name: str,
    thread: str,
    given: StrategyInput,
    context: OptimizationContext,
    watch: Watcher,
    *,
    fresh: bool = False,
    word: Mapping[str, Any] | None = None,
) -> Outcome:
    trace = uuid4()
    config: RunnableConfig = {
        "configurable": {"thread_id": thread},
        "run_name": graph_name,
        "tags": ["threadx", graph_name],
        "run_id": trace,
        "metadata": {"run": record.run, "strategy": given.strategy, "symbol": given.symbol or given.data},
        "recursion_limit": 40 + 10 * context.max_iterations,
    }
    traces = bounded_traces()
    home = context.home_path
    with (
        _told_as_stopped(record),
        Ledger(home).kept_open(),
        checkpoints(home) as saver,
        lessons(home) as store,
    ):
        if fresh:
            saver.delete_thread(thread)  # of a run of the same name whose folder is gone
        graph = own_steps(BUILDERS[graph_name].compile(checkpointer=saver, store=store, name=graph_name))
        snapshot = graph.get_state(config)
        # A checkpoint means that the run was interrupted: None goes on from it, an input would begin anew.
        begin: Any = None if snapshot.values else given
        if word is not None:
            if not snapshot.values:  # its checkpoints are gone: through its record again, to where it waits
                go_through(graph, given, config, context=context, watch=watch)
                snapshot = graph.get_state(config)
            if not snapshot.interrupts:
                raise ThreadxError("nothing_waits", run=record.run)
            _check_word(word, snapshot.values, context)
            begin = Command(resume=dict(word))
        # What a step did is on record before it ends; its checkpoint may follow while the next one works.
        go_through(graph, begin, config, context=context, watch=watch, durability="async")
        if waiting := graph.get_state(config).interrupts:
            return Waiting(run=record.run, folder=record.folder, question=waiting[0].value)
        saver.delete_thread(thread)  # what was needed to take it up again
    outcome = read_result(record)
    _copy(record, context)
    if isinstance(outcome, OptimizationResult):
        give_feedback(traces, trace, outcome.details)
    return outcome


def _copy(record: RunRecord, context: OptimizationContext) -> None:
    """Copy a finished run where the environment asks for it; what fails there is no fault of the run.

    Warns:
        ThreadxWarning: there is no copy, and why.
    """
    if not is_asked_for():
        return
    try:
        Store().put(record.run, context.home_path)
    except ReportError as error:
        told = ThreadxError("not_copied", run=record.run, reason=error)
        warnings.warn(told.sentence(context.language), ThreadxWarning, stacklevel=2)


@contextmanager
def _told_as_stopped(record: RunRecord) -> Iterator[None]:
    """A full disk or a broken one ends a run that has begun with how to go on; its record stays whole.

    Raises:
        ThreadxError: `run_stopped`, or `unwritable_home` where it has not begun.
    """
    try:
        yield
    except BrokenPipeError:  # who watched has gone
        raise
    except MarketError as error:
        if error.code != "unusable_ledger" or not record.exists():
            raise
        raise ThreadxError("run_stopped", run=record.run, **error.fields) from error
    except DatabaseError as error:
        if error.code != "database_unusable" or not record.exists():
            raise
        where, reason = error.fields["address"], error.fields["reason"]
        raise ThreadxError("run_stopped", run=record.run, path=where, reason=reason) from error
    except (OSError, sqlite3.Error) as error:
        where = getattr(error, "filename", None)
        if not record.exists() and where is None:
            raise ThreadxError(
                "unwritable_home", home=str(record.folder.parents[1]), reason=because(error)
            ) from error
        if not record.exists():
            raise
        where = where or record.folder
        raise ThreadxError("run_stopped", run=record.run, path=str(where), reason=because(error)) from error


def _check_word(word: Mapping[str, Any], state: Mapping[str, Any], context: OptimizationContext) -> None:
    """Refuse a word that does not fit before anything is changed.

    Raises:
        ThreadxError: `bad_word`, with every problem.
    """
    evidence = gather_evidence(state, state["iteration"])  # type: ignore[arg-type]  # a state from its checkpoint
    run, iteration = state["run_id"], state["iteration"]
    workshop = Workshop(context=context, run=run, iteration=iteration, voice="", cites="", recording=False)
    about = (context.language, evidence.grid, evidence.archive, workshop.admit)
    asked = awaited(state["proposals"], context.approve)
    _, problems = read_approval(word, asked, evidence.spec, set(evidence.tried), *about)
    if problems:
        raise ThreadxError("bad_word", problems="; ".join(problems))
