"""Every door to the ensemble is under its lock: of two starts one runs, the other is refused clearly."""

import asyncio
import subprocess
import sys
import threading

import pytest
from langgraph.checkpoint.memory import InMemorySaver

import threadx
from graphs.ensemble import graph
from nodes.ensemble.context import EnsembleContext
from nodes.ensemble.errors import BusyError, PublishError
from nodes.ensemble.operation import lease
from nodes.ensemble.operation.lease import HUNG_SECONDS, LEASE
from nodes.ensemble.operation.partition import hour_folder, published_hours
from nodes.ensemble.operation.run_log import read_runs
from nodes.errors import SettingError
from prompts import Words
from tests import commands
from tests.langgraph_server import PROJECT, clean_environment
from tests.partitions import AS_OF, fill
from tests.scripted import scripted_models
from threadx.web import jobs, relaunch
from vault.errors import MarketError

pytestmark = pytest.mark.long

GIVEN = {"as_of": AS_OF.isoformat()}
HOLDER = """
import sys
from graphs.ensemble import graph
from nodes.ensemble.context import EnsembleContext
from nodes.ensemble.errors import PublishError
for home in iter(sys.stdin.readline, ""):
    context = EnsembleContext(home=home.strip(), models="rules")
    try:
        for node in graph.stream({"as_of": sys.argv[1]}, context=context, stream_mode="updates"):
            if "technical" in node:
                print("at work", flush=True)
                sys.stdin.readline()
        print("published", flush=True)
    except PublishError as error:
        print(error.code, flush=True)
"""


def rules(home, **more):
    return EnsembleContext(home=str(home), **{"models": "rules", **more})


@pytest.fixture(scope="module")
def other():
    """Another process that runs the graph, one home after the other."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, AS_OF.isoformat()],
        cwd=PROJECT,
        env=clean_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    yield process
    process.kill()
    process.communicate()


@pytest.fixture
def holder(other, tmp_path):
    """It has begun here, and stands still in the middle until it is told to go on."""
    fill(tmp_path)
    assert told_by(other, str(tmp_path)) == "at work"
    return other


def told_by(process, line):
    """What it says next."""
    process.stdin.write(f"{line}\n")
    process.stdin.flush()
    return process.stdout.readline().rstrip("\n")


def by_invoke(home):
    graph.invoke(GIVEN, context=rules(home))


def by_stream(home):
    list(graph.stream(GIVEN, context=rules(home).model_dump(), stream_mode="values"))


def by_ainvoke(home):
    asyncio.run(graph.ainvoke(GIVEN, context=rules(home)))


def by_the_servers_own_way(home):
    """The LangGraph server copies the graph with a checkpointer of its own and streams its events."""

    async def events():
        copied = graph.copy(update={"checkpointer": InMemorySaver()})
        config = {"configurable": {"thread_id": "t"}}
        return [
            event async for event in copied.astream_events(GIVEN, config, context=rules(home), version="v2")
        ]

    asyncio.run(events())


def by_api(home):
    threadx.summarize(as_of=AS_OF.isoformat(), home=str(home), models="rules")


DOORS = [by_invoke, by_stream, by_ainvoke, by_the_servers_own_way, by_api]


def test_of_two_starts_at_once_one_runs_whatever_the_doors(tmp_path, holder):
    for door in DOORS:
        with pytest.raises(BusyError) as caught:
            door(tmp_path)
        assert caught.value.fields["pid"] == holder.pid
    code, _, refused = commands.threadx("ensemble", "run", "--models=rules", f"--home={tmp_path}")
    assert code == 2
    assert len(refused.strip().splitlines()) == 1
    assert str(holder.pid) in refused
    relaunch.start(tmp_path, Words("fr"), sample=False, models="rules")
    jobs._children[-1].wait()
    (said,) = [line for line in jobs.said(relaunch.log_path(tmp_path)) if line.strip()]
    assert str(holder.pid) in said
    assert published_hours(tmp_path) == []
    assert read_runs(tmp_path, 1e12) == []  # a refusal is no failure
    assert told_by(holder, "go on") == "published"
    assert published_hours(tmp_path) == [AS_OF]


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.__name__)
def test_every_door_gives_the_lock_back(tmp_path, door):
    fill(tmp_path)
    door(tmp_path)
    door(tmp_path)
    assert (hour_folder(tmp_path, AS_OF) / "summary.1.json").is_file()


def test_a_dead_run_frees_the_lock_at_once_and_a_hung_one_after_an_hour(tmp_path, holder, monkeypatch):
    wall = lease.now
    monkeypatch.setattr(lease, "now", lambda: wall() + HUNG_SECONDS)
    by_invoke(tmp_path)
    assert told_by(holder, "go on") == "lease_lost"
    assert not (hour_folder(tmp_path, AS_OF) / "summary.1.json").exists()


def test_an_error_gives_the_lock_back_and_is_on_record_whatever_the_door(tmp_path):
    (tmp_path / "forecast").mkdir()
    for door in DOORS:
        with pytest.raises(MarketError):
            door(tmp_path)
    assert [line["failure"] for line in read_runs(tmp_path, 1e12)] == ["no_usable_data"] * len(DOORS)
    with pytest.raises(MarketError):  # a mistake of whoever asks is none of the ensemble's failures
        graph.invoke({"as_of": "noon"}, context=rules(tmp_path))
    assert len(read_runs(tmp_path, 1e12)) == len(DOORS)


def test_a_cancelled_run_gives_the_lock_back(tmp_path, monkeypatch):
    fill(tmp_path)
    asked, go_on = threading.Event(), threading.Event()

    def waiting(request):
        asked.set()
        go_on.wait()
        return "{}"

    scripted_models(monkeypatch, {"ollama:m": [waiting]})

    async def cancelled():
        run = asyncio.create_task(graph.ainvoke(GIVEN, context=rules(tmp_path, macro="ollama:m")))
        await asyncio.to_thread(asked.wait)
        with pytest.raises(BusyError):
            await graph.ainvoke(GIVEN, context=rules(tmp_path))
        run.cancel()
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await run

    asyncio.run(cancelled())
    by_invoke(tmp_path)


def test_who_waits_at_an_interrupt_blocks_nobody_and_takes_the_lock_again(tmp_path, holder):
    waiting = graph.copy(update={"checkpointer": InMemorySaver(), "interrupt_before_nodes": ["publish"]})
    config = {"configurable": {"thread_id": "t"}}
    with pytest.raises(BusyError):
        waiting.invoke(GIVEN, config, context=rules(tmp_path))
    assert told_by(holder, "go on") == "published"
    waiting.invoke(GIVEN, config, context=rules(tmp_path))
    assert waiting.get_state(config).next == ("publish",)
    by_invoke(tmp_path)  # meanwhile
    with lease.leased(tmp_path), pytest.raises(BusyError):
        waiting.invoke(None, config, context=rules(tmp_path))
    resumed = waiting.invoke(None, config, context=rules(tmp_path))
    assert resumed["status"] == "finished"
    assert (hour_folder(tmp_path, AS_OF) / "summary.2.json").is_file()


def test_the_lease_is_in_no_checkpoint_and_cannot_be_forged(tmp_path):
    fill(tmp_path)
    kept = graph.copy(update={"checkpointer": InMemorySaver()})
    config = {"configurable": {"thread_id": "t", LEASE: "mine"}}
    with lease.leased(tmp_path), pytest.raises(BusyError):
        kept.invoke(GIVEN, config, context=rules(tmp_path))
    kept.invoke(GIVEN, config, context=rules(tmp_path))
    found = list(kept.get_state_history({"configurable": {"thread_id": "t"}}))
    assert found
    assert not any(LEASE in one.metadata or LEASE in one.values for one in found)


def test_an_unwritable_folder_is_one_clear_error(tmp_path):
    (tmp_path / "ensemble").write_text("a file where a folder should be", encoding="utf-8")
    fill(tmp_path)
    with pytest.raises(PublishError) as caught:
        by_invoke(tmp_path)
    assert caught.value.code == "publish_failed"


@pytest.mark.parametrize("given", [{"datta": "sample"}, {"data": "sample", "as_of": 3}], ids=["key", "value"])
def test_an_input_that_is_refused_takes_no_lock_and_is_no_failure(tmp_path, given):
    """A mistake of whoever asks makes no run that is due find another at work, and no hour look failed."""
    context = rules(tmp_path)
    with lease.leased(tmp_path), pytest.raises(SettingError):
        graph.invoke(given, context=context)
    with lease.leased(tmp_path), pytest.raises(SettingError):
        asyncio.run(graph.ainvoke(given, context=context))
    with pytest.raises(SettingError):
        graph.invoke(given, context=context)
    assert read_runs(tmp_path, 1e12) == []


def test_a_killed_run_is_followed_at_once(tmp_path, holder):
    """The last test of the file: nobody starts the other process again."""
    holder.kill()
    holder.wait()
    by_invoke(tmp_path)
    assert published_hours(tmp_path) == [AS_OF]
