"""A run is held while somebody is at work on it, and by nobody once that has ended, whichever way."""

import asyncio
import threading

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.errors import GraphRecursionError

from graphs.optimization import graph as compiled
from nodes.optimization import select
from nodes.optimization.trials import trial
from nodes.run_lock import invocations
from record.errors import ReportError
from record.record import RunRecord
from tests.optimization_runs import dataset_reference
from tests.prices import made_up_prices
from threadx.runner import resume_run
from threadx.settings import make_context

PARAMS = {"fast_period": 5, "slow_period": 20, "stop_loss_pct": 2.0}
TEAM = {
    "analyst": "rules",
    "strategist": "rules",
    "validator": "rules",
    "max_iterations": 1,
    "search": "single",
}


class Broken(RuntimeError):
    """A node that cannot do its work, as far as anybody knows."""


@pytest.fixture
def served():
    """The graph as the LangGraph server runs it: compiled once, with the server's own checkpoints."""
    return compiled.copy({"checkpointer": InMemorySaver()})


@pytest.fixture
def asked(tmp_path):
    """(input, {"context", "config"}) of a run named `r`."""
    given = {
        "data": dataset_reference(tmp_path, made_up_prices(500, cycle=0.05)),
        "params": PARAMS,
        "run": "r",
    }
    context = make_context(home=str(tmp_path), **TEAM)
    return given, {"context": context, "config": {"configurable": {"thread_id": "t"}}}


def breaks(*_, **__):
    raise Broken


def test_a_node_that_raises_keeps_nothing(tmp_path, monkeypatch, served, asked):
    given, settings = asked
    with monkeypatch.context() as patched:
        patched.setattr(select, "record", breaks)
        with pytest.raises(Broken):
            served.invoke(given, **settings)
    record = RunRecord(tmp_path, "r")
    assert record.exists()
    assert not record.is_held()
    # The same thread goes on from its checkpoint.
    assert served.invoke(None, **settings)["result"]["status"] == "finished"
    assert not record.is_held()


def test_another_takes_it_up_at_once(tmp_path, monkeypatch, served, asked):
    given, settings = asked
    with monkeypatch.context() as patched:
        patched.setattr(select, "record", breaks)
        with pytest.raises(Broken):
            served.invoke(given, **settings)
    record = RunRecord(tmp_path, "r")
    record.hold("another thread of this process")
    record.release()
    assert resume_run("r", tmp_path).details["status"] == "finished"


def test_a_branch_that_raises_keeps_nothing_for_its_sisters(tmp_path, monkeypatch, served, asked):
    given, settings = asked
    real, called = trial.try_strategy, threading.Lock()

    def first_breaks(prices, spec, grid, *how):
        if grid and called.acquire(blocking=False):
            raise Broken
        return real(prices, spec, grid, *how)

    monkeypatch.setattr(trial, "try_strategy", first_breaks)
    trial._tried.cache_clear()
    with pytest.raises(Broken):
        served.invoke(given, **settings)
    assert called.locked()
    assert not RunRecord(tmp_path, "r").is_held()


def test_a_stream_that_is_broken_off_and_a_limit_of_steps_keep_nothing(tmp_path, served, asked):
    given, settings = asked
    record = RunRecord(tmp_path, "r")
    for event in (stream := served.stream(given, **settings, stream_mode="custom")):
        if event["node"] == "analyst":
            assert record.is_held()
            break
    stream.close()
    assert not record.is_held()
    settings["config"]["recursion_limit"] = 2
    with pytest.raises(GraphRecursionError):
        served.invoke(None, **settings)
    assert not record.is_held()


def test_whoever_works_on_after_a_cancellation_keeps_nothing_either(tmp_path, monkeypatch, served, asked):
    """A thread cannot be stopped: its event is written, and the run stays free."""
    given, settings = asked
    record = RunRecord(tmp_path, "r")
    begun, go_on, done = threading.Event(), threading.Event(), threading.Event()
    real = select.record

    def late(*arguments, **named):
        begun.set()
        assert go_on.wait(60)
        try:
            return real(*arguments, **named)
        finally:
            done.set()

    monkeypatch.setattr(select, "record", late)

    async def cancelled():
        work = asyncio.create_task(served.ainvoke(given, **settings))
        assert await asyncio.to_thread(begun.wait, 60)
        assert record.is_held()
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        assert not record.is_held()
        go_on.set()
        assert await asyncio.to_thread(done.wait, 60)

    asyncio.run(cancelled())
    assert record.log.find("i01.select") is not None
    assert not record.is_held()


def test_a_run_at_work_is_no_other_invocations_of_the_same_thread(tmp_path, served, asked):
    given, settings = asked
    for event in (stream := served.stream(given, **settings, stream_mode="custom")):
        if event["node"] == "strategist":
            break
    with pytest.raises(ReportError) as caught:
        served.invoke(None, **settings)
    assert caught.value.code == "run_busy"
    assert RunRecord(tmp_path, "r").is_held()
    stream.close()


def test_nothing_is_remembered_of_invocations_that_have_ended(tmp_path, served, asked):
    given, settings = asked
    served.invoke(given, **settings)
    assert invocations._roots == {}
