"""What an interrupted run is taken up from."""

import contextlib
import gc
import io
import logging
import operator
import pickle
import sqlite3
import threading
import warnings
from pathlib import Path
from typing import Annotated, TypedDict

import ormsgpack
import pytest
from langgraph.checkpoint.serde import jsonplus
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import START, StateGraph
from langgraph.types import Command, Send, interrupt

from tests.answers import by_role, turn
from tests.prices import made_up_prices
from tests.scripted import scripted_models
from threadx.checkpoints import PlainSerializer, StepsSaver, checkpoints
from threadx.errors import ThreadxError
from threadx.results import Waiting
from threadx.runner import make_input, resume_run, start_run
from threadx.settings import make_context


def written(tmp_path, monkeypatch, rounds):
    """(places of all checkpoints, turns spoken) of a run of one iteration whose voices never agree."""
    places = []
    put = SqliteSaver.put

    def watched(saver, config, *rest):
        stored = put(saver, config, *rest)
        places.append(config["configurable"]["checkpoint_ns"])
        return stored

    monkeypatch.setattr(SqliteSaver, "put", watched)

    def voice(stance):
        return lambda request: turn(stance) if "claims" in request.schema["properties"] else by_role(request)

    models = {"ollama:a": voice("continue"), "ollama:s": voice("stop"), "ollama:v": voice("continue")}
    scripted_models(monkeypatch, {name: [said] * 30 for name, said in models.items()})
    prices = tmp_path / "TEST_1h.csv"
    prices.parent.mkdir(exist_ok=True)
    made_up_prices(500, cycle=0.05).to_csv(prices)
    context = make_context(
        home=str(tmp_path / "h"),
        analyst="a",
        strategist="s",
        validator="v",
        max_iterations=1,
        debate_rounds=rounds,
        cache_hours=0.0,
    )
    spoken = []
    start_run(
        make_input(data=str(prices), run="r"),
        context,
        lambda event: spoken.append(event["id"]) if event["kind"] == "debate_turn" else None,
    )
    return list(places), len(spoken)


def test_a_debate_writes_no_checkpoints_however_long_it_is(tmp_path, monkeypatch):
    short, three = written(tmp_path / "a", monkeypatch, 1)
    long, twelve = written(tmp_path / "b", monkeypatch, 4)
    assert (three, twelve) == (3, 12)
    assert set(short) == {""}
    assert long == short


class Counted(TypedDict):
    done: Annotated[list[str], operator.add]


def test_sisters_of_a_branch_that_fails_keep_their_work_and_a_step_alone_writes_once(tmp_path, monkeypatch):
    worked, broken, saved = [], [True], threading.Semaphore(0)
    put_writes = StepsSaver.put_writes

    def counted(saver, config, writes, task_id, task_path=""):
        put_writes(saver, config, writes, task_id, task_path)
        if "push" in task_path:
            saved.release()

    def branch(state):
        worked.append(state["name"])
        if state["name"] == "b" and broken:
            assert all(saved.acquire(timeout=60) for _ in range(2))  # LangGraph saves nothing after an error
            raise RuntimeError(state["name"])
        return {"done": [state["name"]]}

    builder = StateGraph(Counted)
    builder.add_node("first", lambda state: {"done": ["first"]})
    builder.add_node("branch", branch)
    builder.add_node("asked", lambda state: {"done": [interrupt("?")]})
    builder.add_edge(START, "first")
    builder.add_conditional_edges("first", lambda state: [Send("branch", {"name": name}) for name in "abc"])
    builder.add_edge("branch", "asked")
    config = {"configurable": {"thread_id": "t"}}

    def kept():
        with contextlib.closing(sqlite3.connect(tmp_path / "checkpoints.sqlite")) as connection:
            rows = connection.execute("select task_path, channel from writes")
            return {(path.split(", ")[0].strip("~"), channel) for path, channel in rows}

    monkeypatch.setattr(StepsSaver, "put_writes", counted)
    with checkpoints(tmp_path) as saver, pytest.raises(RuntimeError, match=r"^b"):
        builder.compile(checkpointer=saver).invoke({"done": []}, config)
    assert ("__pregel_pull", "done") not in kept()
    assert ("__pregel_push", "done") in kept()
    broken.clear()
    worked.clear()
    with checkpoints(tmp_path) as saver:
        builder.compile(checkpointer=saver).invoke(None, config)
    assert worked == ["b"]
    assert ("__pregel_pull", "__interrupt__") in kept()
    with checkpoints(tmp_path) as saver:
        state = builder.compile(checkpointer=saver).invoke(Command(resume="yes"), config)
    assert state["done"] == ["first", "a", "b", "c", "yes"]


def test_a_finished_run_leaves_no_checkpoint_behind(tmp_path, monkeypatch):
    places, _ = written(tmp_path, monkeypatch, 1)
    assert places
    with sqlite3.connect(tmp_path / "h" / "checkpoints.sqlite") as connection:
        rows = [connection.execute(f"SELECT count(*) FROM {name}") for name in ("checkpoints", "writes")]
        assert [row.fetchone() for row in rows] == [(0,), (0,)]
    connection.close()


class Gone(Exception):
    pass


@pytest.mark.parametrize("table", ["checkpoints", "writes"])
def test_files_stay_open_until_the_graph_has_ended_although_the_watcher_fails(tmp_path, monkeypatch, table):
    """A terminal that went away: closed under a thread that writes, SQLite takes the whole process along."""
    name = {"checkpoints": "put", "writes": "put_writes"}[table]
    stored, closed, failed = getattr(StepsSaver, name), threading.Event(), threading.Event()
    ended = []

    class Watched(sqlite3.Connection):
        def close(self):
            closed.set()
            super().close()

    def slow(saver, *rest):
        if failed.wait(20) and not closed.wait(0.5):
            ended.append(stored(saver, *rest))
        return None if name == "put_writes" else rest[0]

    def fails(event):
        monkeypatch.setattr(StepsSaver, name, stored)
        failed.set()
        raise Gone

    connect = sqlite3.connect

    def watched(path, **named):
        factory = Watched if Path(path).name == "checkpoints.sqlite" else sqlite3.Connection
        return connect(path, factory=factory, **named)

    monkeypatch.setattr(sqlite3, "connect", watched)
    monkeypatch.setattr(StepsSaver, name, slow)
    prices = tmp_path / "TEST_1h.csv"
    made_up_prices(500, cycle=0.05).to_csv(prices)
    context = make_context(home=str(tmp_path / "h"), analyst="rules", strategist="rules", validator="rules")
    with pytest.raises(Gone):
        start_run(make_input(data=str(prices), run="r"), context, fails)
    assert ended
    assert closed.is_set()


class Bomb:
    """What runs a command when pickle reads it."""

    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return exec, (f"open({str(self.target)!r}, 'w').close()",)


def bombs(target):
    """(kind, bytes) of checkpoints that make the file if anything in them is called."""
    command = f"open({str(target)!r}, 'w').close()"

    def called(code, *parts):
        return "msgpack", ormsgpack.packb(ormsgpack.Ext(code, ormsgpack.packb(parts)))

    yield called(jsonplus.EXT_CONSTRUCTOR_SINGLE_ARG, "builtins", "exec", command)
    yield called(jsonplus.EXT_CONSTRUCTOR_POS_ARGS, "builtins", "exec", [command])
    yield called(jsonplus.EXT_CONSTRUCTOR_KW_ARGS, "builtins", "open", {"file": str(target), "mode": "w"})
    yield called(jsonplus.EXT_METHOD_SINGLE_ARG, "os", "path", str(target), "realpath")
    yield called(jsonplus.EXT_PYDANTIC_V2, "builtins", "open", {"file": str(target), "mode": "w"}, "x")
    spoken = f'{{"lc": 2, "type": "constructor", "id": ["builtins", "exec"], "args": ["{command}"]}}'
    yield "json", spoken.encode()
    stream = io.BytesIO()
    pickle.dump(Bomb(target), stream)
    yield "pickle", stream.getvalue()


def went_off(serializer, target):
    """How many bombs made the file."""
    count = 0
    for bomb in bombs(target):
        with contextlib.suppress(ThreadxError, AttributeError), warnings.catch_warnings(action="ignore"):
            serializer.loads_typed(bomb)
            gc.collect(1)  # an open file that nobody keeps: it is as young as can be
        count += target.exists()
        target.unlink(missing_ok=True)
    return count


def test_a_checkpoint_that_somebody_sent_runs_nothing(tmp_path, caplog):
    caplog.set_level(logging.CRITICAL)
    open_to_all = jsonplus.JsonPlusSerializer(
        pickle_fallback=True, allowed_json_modules=True, allowed_msgpack_modules=True
    )
    assert went_off(open_to_all, tmp_path / "made") >= 5
    assert went_off(PlainSerializer(), tmp_path / "made") == 0


def test_a_checkpoint_says_what_langgraphs_own_serializer_would_write():
    history = [{"iteration": 1, "score": 1.5, "trials": []}]
    parts = {"history": history, "debate": {}, "analysis": None, "iteration": 7}
    saved = {"v": 4, "id": "1f", "channel_values": parts}
    later = {**saved, "channel_values": {**parts, "history": [*history, {"iteration": 2}]}}
    serializer, langgraphs = PlainSerializer(), jsonplus.JsonPlusSerializer()
    for value in (saved, later, history, {}, [], None, 7, "text", b"raw"):
        assert langgraphs.loads_typed(serializer.dumps_typed(value)) == value


@pytest.mark.parametrize("kind", ["json", "pickle"])
def test_what_this_program_never_writes_is_refused_by_name(kind):
    with pytest.raises(ThreadxError) as caught:
        PlainSerializer().loads_typed((kind, b"{}"))
    assert caught.value.code == "foreign_checkpoint"


def test_a_run_whose_checkpoints_were_exchanged_is_no_way_in(tmp_path, caplog):
    caplog.set_level(logging.CRITICAL)
    prices, home = tmp_path / "TEST_1h.csv", tmp_path / "h"
    made_up_prices(500, cycle=0.05).to_csv(prices)
    settings = {"analyst": "rules", "strategist": "rules", "validator": "rules", "max_iterations": 1}
    context = make_context(home=str(home), search="single", approve=True, **settings)
    assert isinstance(start_run(make_input(data=str(prices), run="r"), context), Waiting)
    kind, content = next(bombs(tmp_path / "made"))
    with contextlib.closing(sqlite3.connect(home / "checkpoints.sqlite")) as connection, connection:
        connection.execute("UPDATE checkpoints SET type = ?, checkpoint = ?", (kind, content))
        connection.execute("UPDATE writes SET type = ?, value = ?", (kind, content))
    with contextlib.suppress(Exception):  # whatever comes of it: what counts is what does not
        resume_run("r", home)
    assert not (tmp_path / "made").exists()
