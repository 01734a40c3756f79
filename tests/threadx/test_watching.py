"""Who watches a graph is told of each event as it happens, and of nothing more once that has failed."""

import threading
from typing import TypedDict

import pytest
from langgraph.graph import END, START, StateGraph
from langgraph.types import Send

from nodes.context import OptimizationContext
from nodes.run_events import record
from record.events import RoleCalled
from record.record import RunRecord
from tests.optimization_runs import ALL_RULES
from threadx.watching import go_through


class State(TypedDict, total=False):
    name: str


def works(home, watch):
    """Three branches side by side, each of which tells two events, and a step after them."""
    context = OptimizationContext(home=str(home), **ALL_RULES)

    def told(name):
        record(context, "r", name, "analyst", RoleCalled(), iteration=1)

    def branch(state):
        told(f"{state['name']}.1")
        told(f"{state['name']}.2")

    builder = StateGraph(State)
    builder.add_node("branch", branch)
    builder.add_node("after", lambda state: told("after"))
    builder.add_conditional_edges(
        START, lambda _: [Send("branch", {"name": name}) for name in "abc"], ["branch"]
    )
    builder.add_edge("branch", "after")
    builder.add_edge("after", END)
    try:
        go_through(builder.compile(), {}, {"configurable": {}}, context=context, watch=watch)
    finally:
        RunRecord(home, "r").release()


def test_every_event_is_told_once_one_at_a_time_as_it_is_recorded(tmp_path):
    told, alone = [], threading.Lock()

    def watch(event):
        assert alone.acquire(blocking=False)
        told.append(event["id"])
        assert event["id"] in [one.id for one in RunRecord(tmp_path, "r").events()]
        alone.release()

    works(tmp_path, watch)
    assert sorted(told) == sorted(one.id for one in RunRecord(tmp_path, "r").events())
    assert len(told) == 7
    assert told[-1] == "after"
    assert all(told.index(f"{name}.1") < told.index(f"{name}.2") for name in "abc")


class Gone(Exception):
    pass


def test_a_step_is_brought_to_its_end_when_the_watcher_fails_and_no_other_begins(tmp_path):
    told = []

    def watch(event):
        told.append(event["id"])
        raise Gone

    with pytest.raises(Gone):
        works(tmp_path, watch)
    assert len(told) == 1
    recorded = {one.id for one in RunRecord(tmp_path, "r").events()}
    assert recorded == {f"{name}.{number}" for name in "abc" for number in (1, 2)}
