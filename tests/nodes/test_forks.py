"""Time travel: a run from an earlier checkpoint, or from a state changed by hand, is a new run.

The walk: every checkpoint of a finished run, every way to go on from it. The run it came from stays as it was
to the byte, what came of it holds against its own record, and the holdout's log tells every opening.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from graphs.ensemble import graph as ensemble
from graphs.optimization import graph as optimization
from graphs.review import graph as review
from nodes.context import OptimizationContext
from nodes.ensemble.context import EnsembleContext
from nodes.ensemble.operation.partition import hour_folder
from nodes.errors import SettingError
from nodes.optimization import judge
from record.errors import ReportError
from record.record import RunRecord
from tests.laws import combined, some
from tests.optimization_runs import ALL_RULES, dataset_reference
from tests.partitions import AS_OF, fill
from tests.prices import made_up_prices
from tests.run_lines import lines
from threadx.audit.checking import check_run

pytestmark = pytest.mark.long

PARAMS = {"fast_period": 5, "slow_period": 20, "stop_loss_pct": 2.0}
SETTINGS: dict[str, Any] = {**ALL_RULES, "max_iterations": 1, "fee_bps": 7.0, "search": "single"}
"""One champion; the walk through every checkpoint has a population, its survey and its archive."""
PARENT = "first"


@dataclass
class Case:
    """A finished run with all of its checkpoints."""

    home: Path
    graph: Any
    thread: dict[str, Any]
    context: Any
    opened: list[str]

    def history(self) -> list[Any]:
        """Checkpoints from which something is left to be done, newest first."""
        return [one for one in self.graph.get_state_history(self.thread) if one.next]

    def files(self, run: str) -> dict[str, bytes]:
        folder = self.home / "runs" / run
        return {
            str(path.relative_to(folder)): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file() and path.suffix != ".lock"
        }

    def runs(self) -> set[str]:
        return {path.name for path in (self.home / "runs").iterdir()}

    def log(self) -> list[str]:
        path = self.home / "datasets" / "holdout_openings.jsonl"
        return path.read_text(encoding="utf-8").splitlines() if path.is_file() else []


def made(home: Path, graph: Any, given: Mapping[str, Any], context: Any, opened: list[str]) -> Case:
    kept = graph.copy(update={"checkpointer": InMemorySaver()})
    thread = {"configurable": {"thread_id": "t"}, "recursion_limit": 100}
    kept.invoke(given, thread, context=context)
    return Case(home, kept, thread, context, opened)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Who really opened the holdout."""
    readers: list[str] = []
    real = judge.holdout_of

    def spied(dataset: Any, home: Path, *, reader: str) -> Any:
        if not home.name.startswith("threadx-check-"):
            readers.append(reader)
        return real(dataset, home, reader=reader)

    monkeypatch.setattr(judge, "holdout_of", spied)
    return readers


def optimized(home: Path, opened: list[str], **more: Any) -> Case:
    context = OptimizationContext(home=str(home), **{**SETTINGS, **more})
    data = dataset_reference(home, made_up_prices(300, cycle=0.05))
    return made(home, optimization, {"data": data, "params": PARAMS, "run": PARENT}, context, opened)


class Ours(KeyError):
    """A fault of the program's own."""


def goes_on(graph: Any, thread: Any, how: str) -> Any:
    return graph.invoke(None, thread) if how == "invoke" else asyncio.run(graph.ainvoke(None, thread))


CHANGES = (("never", "same"), ("never", "other"), ("last", "same"), ("before", "same"))


@pytest.mark.parametrize(("change", "how"), combined(CHANGES, ("invoke", "ainvoke")))
def test_a_fault_of_our_own_is_not_laid_on_the_stored_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: tuple[str, str], how: str
) -> None:
    """Only where somebody else has had the state in hand may it be the state that does not fit."""
    changed, version = change
    monkeypatch.setenv("THREADX_HOME", str(tmp_path))
    graph = optimization.copy(update={"checkpointer": InMemorySaver()})
    thread: Any = {"configurable": {"thread_id": "t"}, "recursion_limit": 100}
    data = dataset_reference(tmp_path, made_up_prices(300, cycle=0.05))
    context = OptimizationContext(**SETTINGS)
    given = {"data": data, "params": PARAMS, "run": PARENT}
    graph.invoke(given, thread, context=context, interrupt_before=["converge", "judge"])
    assert graph.get_state(thread).next == ("converge",)
    if changed == "before":
        graph.update_state(thread, {"confidence": 1.0})
    while "judge" not in graph.get_state(thread).next:
        graph.invoke(None, thread, interrupt_before=["judge"])
    if changed == "last":
        graph.update_state(thread, {"confidence": 1.0})

    def fails(*given: Any, **named: Any) -> Any:
        raise Ours("champion")

    monkeypatch.setattr(judge, "holdout_of", fails)
    if version == "other":
        for path in (tmp_path / "runs").glob("*/run.json"):
            told = json.loads(path.read_text(encoding="utf-8"))
            told["versions"]["source"] = "0123456789ab"
            path.write_text(json.dumps(told), encoding="utf-8")
    if (changed, version) == ("never", "same"):
        with pytest.raises(Ours):
            goes_on(graph, thread, how)
        return
    with pytest.raises(SettingError) as caught:
        goes_on(graph, thread, how)
    assert caught.value.code == "stored_state"


def straight_on(case: Case, place: Any) -> Any:
    return case.graph.invoke(None, {**case.thread, **place.config}, context=case.context)


def without_settings(case: Case, place: Any) -> Any:
    """As Studio does it: the settings of the run that is gone on with are its own."""
    if "__start__" in place.next:  # which run it was is not known there
        return straight_on(case, place)
    return case.graph.invoke(None, {**case.thread, **place.config})


def asynchronously(case: Case, place: Any) -> Any:
    return asyncio.run(case.graph.ainvoke(None, {**case.thread, **place.config}, context=case.context))


def changed_by_hand(case: Case, place: Any) -> Any:
    """The state is changed, then the thread goes on from its newest checkpoint: no other is named."""
    if "__start__" in place.next:  # the input itself: changing the state there leaves no input
        return straight_on(case, place)
    case.graph.update_state({**case.thread, **place.config}, {"confidence": 1.0})
    return case.graph.invoke(None, case.thread, context=case.context)


WAYS: list[Callable[[Case, Any], Any]] = [straight_on, without_settings, asynchronously, changed_by_hand]


@pytest.mark.parametrize("turn", some([0, 2], [0]))
def test_from_every_checkpoint_of_an_optimization_a_new_run_goes_on(
    tmp_path: Path, opened: list[str], monkeypatch: pytest.MonkeyPatch, turn: int
) -> None:
    """Every fifth checkpoint in one of the ways by turns, in the soak each of them in two."""
    monkeypatch.setenv("THREADX_HOME", str(tmp_path))
    case = optimized(tmp_path, opened, search="population")
    places = case.history()
    assert {"load", "baseline", "analyst", "backtest_variant", "select", "judge", "report"} <= {
        name for place in places for name in place.next
    }
    before = case.files(PARENT)
    assert check_run(PARENT, tmp_path).agrees
    for number, place in enumerate(some(places, places[::5]), start=turn):
        known, told, read = case.runs(), len(case.log()), len(opened)
        state = WAYS[number % len(WAYS)](case, place)
        (fork,) = case.runs() - known
        assert state["run_id"] == fork
        assert state["result"]["run"]["id"] == fork
        assert case.files(PARENT) == before
        record = RunRecord(tmp_path, fork)
        about, result = record.about(), record.result()
        assert about["parent"]["run"] == PARENT
        assert about["parent"]["checkpoint"]
        assert result["run"]["parent"] == about["parent"]
        # The judge opened it itself unless it had been its parent's work.
        expected = 0 if place.next == ("report",) else 1
        assert opened[read:] == [fork] * expected
        assert len(case.log()) == told + expected
        if expected:
            assert result["holdout"]["opening"] == 1 + len(set(opened[:read]))
        checked = check_run(fork, tmp_path)
        assert [row for row in checked.rows if not row.agrees] == [], place.next
    assert check_run(PARENT, tmp_path).agrees


def test_a_fork_of_a_fork_names_its_own_parent(tmp_path: Path, opened: list[str]) -> None:
    case = optimized(tmp_path, opened)
    place = next(one for one in case.history() if one.next == ("select",))
    first = straight_on(case, place)["run_id"]
    again = next(one for one in case.history() if one.next == ("converge",) or one.next == ("debate",))
    assert again.values["run_id"] == first
    before = case.files(first)
    second = straight_on(case, again)["run_id"]
    assert RunRecord(tmp_path, second).about()["parent"]["run"] == first
    assert case.files(first) == before
    assert check_run(second, tmp_path).agrees


def test_a_fork_that_stands_still_goes_on_as_itself(tmp_path: Path, opened: list[str]) -> None:
    """The fork waits before the judge; taken up again it is the same run and not another fork."""
    case = optimized(tmp_path, opened)
    place = next(one for one in case.history() if "backtest_variant" in one.next)
    case.graph = case.graph.copy(update={"interrupt_before_nodes": ["judge"]})
    case.graph.invoke(None, {**case.thread, **place.config}, context=case.context)
    (fork,) = case.runs() - {PARENT}
    assert opened == [PARENT]
    state = case.graph.invoke(None, case.thread, context=case.context)
    assert state["run_id"] == fork
    assert case.runs() == {PARENT, fork}
    assert opened == [PARENT, fork]
    assert check_run(fork, tmp_path).agrees


def test_a_waiting_run_whose_state_was_changed_is_a_new_run(tmp_path: Path, opened: list[str]) -> None:
    case = optimized(tmp_path, opened, approve=True)
    waiting = case.graph.get_state(case.thread)
    assert waiting.interrupts
    before = case.files(PARENT)
    numbers = [one["number"] for one in waiting.values["proposals"]]
    case.graph.update_state(case.thread, {"confidence": 1.0}, as_node="validator")
    case.graph.invoke(None, case.thread, context=case.context)
    state = case.graph.invoke(Command(resume={"accept": numbers}), case.thread, context=case.context)
    assert state["run_id"] != PARENT
    assert case.files(PARENT) == before
    assert RunRecord(tmp_path, state["run_id"]).about()["parent"]["run"] == PARENT


def test_a_word_for_a_waiting_run_is_no_fork(tmp_path: Path, opened: list[str]) -> None:
    case = optimized(tmp_path, opened, approve=True)
    while interrupts := case.graph.get_state(case.thread).interrupts:
        numbers = [one["number"] for one in interrupts[0].value["proposals"]]
        case.graph.invoke(Command(resume={"accept": numbers}), case.thread, context=case.context)
    assert case.runs() == {PARENT}
    assert check_run(PARENT, tmp_path).agrees


def test_other_costs_for_a_run_that_goes_on_are_refused(tmp_path: Path, opened: list[str]) -> None:
    case = optimized(tmp_path, opened)
    place = next(one for one in case.history() if one.next == ("select",))
    case.context = case.context.model_copy(update={"fee_bps": 9.0})
    with pytest.raises(SettingError) as caught:
        straight_on(case, place)
    assert caught.value.code == "settings_changed"
    assert case.runs() == {PARENT}


def test_a_second_run_of_a_thread_begins_anew(tmp_path: Path, opened: list[str]) -> None:
    """Nothing of the first one's state is carried into it; a name that is taken is refused."""
    case = optimized(tmp_path, opened)
    data = dataset_reference(tmp_path, made_up_prices(300, cycle=0.05))
    given = {"data": data, "params": PARAMS}
    before = case.files(PARENT)
    with pytest.raises(ReportError) as caught:
        case.graph.invoke({**given, "run": PARENT}, case.thread, context=case.context)
    assert caught.value.code == "run_exists"
    assert case.files(PARENT) == before
    other = {"data": data}  # without name and parameters: the first one's are not taken over
    second = case.graph.invoke(other, case.thread, context=case.context)["run_id"]
    assert "parent" not in RunRecord(tmp_path, second).about()
    alone = made(tmp_path, optimization, {**other, "run": "alone"}, case.context, opened)
    found = RunRecord(tmp_path, second).result()
    expected = RunRecord(alone.home, "alone").result()
    for name in ("champion", "initial", "history", "applied_changes"):
        assert found[name] == expected[name]


def test_from_every_checkpoint_of_a_review_a_new_run_goes_on(tmp_path: Path, opened: list[str]) -> None:
    context = OptimizationContext(home=str(tmp_path), **SETTINGS)
    data = dataset_reference(tmp_path, made_up_prices(300, cycle=0.05))
    case = made(tmp_path, review, {"data": data, "params": PARAMS, "run": PARENT}, context, opened)
    before = case.files(PARENT)
    places = case.history()
    for number, place in enumerate(places):
        known = case.runs()
        (straight_on, asynchronously, changed_by_hand)[number % 3](case, place)
        (fork,) = case.runs() - known
        assert case.files(PARENT) == before
        assert RunRecord(tmp_path, fork).about()["parent"]["run"] == PARENT
        told = [event["id"] for event in lines(RunRecord(tmp_path, fork))]
        assert told[-1] == "review"
        assert sorted(told) == sorted(event["id"] for event in lines(RunRecord(tmp_path, PARENT)))
    assert opened == []


def test_what_another_process_has_ended_is_not_gone_through_twice(tmp_path: Path, opened: list[str]) -> None:
    """A server that was killed takes up its run, which `runs resume` has ended meanwhile elsewhere."""
    context = OptimizationContext(home=str(tmp_path), **SETTINGS)
    data = dataset_reference(tmp_path, made_up_prices(300, cycle=0.05))
    given = {"data": data, "params": PARAMS, "run": PARENT}
    servers = optimization.copy(update={"checkpointer": InMemorySaver()})
    thread: Any = {"configurable": {"thread_id": "of the server"}, "recursion_limit": 100}
    servers.invoke(given, thread, context=context, interrupt_before=["load"])
    case = made(tmp_path, optimization, given, context, opened)
    before, runs, log = case.files(PARENT), case.runs(), case.log()
    with pytest.raises(ReportError) as caught:
        servers.invoke(None, thread, context=context)
    assert caught.value.code == "run_ended_meanwhile"
    assert (case.files(PARENT), case.runs(), case.log()) == (before, runs, log)


def test_from_every_checkpoint_of_an_ensemble_a_new_run_goes_on(tmp_path: Path, opened: list[str]) -> None:
    """The hour's earlier version stays beside the new one, whose trace names the run it came from."""
    fill(tmp_path)
    context = EnsembleContext(home=str(tmp_path), models="rules")
    case = made(tmp_path, ensemble, {"as_of": AS_OF.isoformat()}, context, opened)
    (parent,) = case.runs()
    before = case.files(parent)
    folder = hour_folder(tmp_path, AS_OF)
    published = (folder / "summary.json").read_bytes()
    places = [one for one in case.history() if one.values.get("run")]
    assert {"technical", "arbiter", "check", "publish"} <= {name for one in places for name in one.next}
    for number, place in enumerate(places, start=1):
        known = case.runs()
        (straight_on, asynchronously, changed)[number % 3](case, place)
        (fork,) = case.runs() - known
        assert case.files(parent) == before
        about = RunRecord(tmp_path, fork).about()
        assert about["parent"]["run"] == parent
        trace = json.loads((folder / "trace_raw.json").read_text(encoding="utf-8"))
        assert trace["run"]["run"] == fork
        assert trace["run"]["parent"] == about["parent"]
        assert (folder / "summary.1.json").read_bytes() == published
        assert (folder / f"summary.{number}.json").is_file()


def changed(case: Case, place: Any) -> Any:
    case.graph.update_state({**case.thread, **place.config}, {"errors": []})
    return case.graph.invoke(None, case.thread, context=case.context)
