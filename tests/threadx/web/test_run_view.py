"""What a run's page says, decided from its events alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from graphs.optimization import graph
from nodes.optimization import changes
from prompts import Words
from prompts.texts import LANGUAGES
from record.errors import ReportError
from record.events import Event, Exhausted, RoleCalled, Waiting
from record.log_reader import LogReader
from record.record import RunRecord
from record.run_view import RunView
from threadx.web.listing import list_runs, read_outcome
from threadx.web.narration import line
from threadx.web.steering_panel import CHANGE_FIELDS

RULES = {"analyst": "rules", "strategist": "rules", "validator": "rules"}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with one run of two iterations."""
    folder = tmp_path_factory.mktemp("home")
    graph.invoke(
        {
            "data": "sample:sp500",
            "run": "told",
            "params": {"fast_period": 5, "slow_period": 20, "stop_loss_pct": 2.0},
        },
        context={**RULES, "max_iterations": 2, "home": str(folder)},
        config={"recursion_limit": 100},
    )
    return folder


@pytest.fixture(scope="module")
def events(home: Path) -> list[Event]:
    return list(RunRecord(home, "told").events())


def event(kind: str, node: str, iteration: int = 1, **data: Any) -> Event:
    return Event.read(
        {
            "id": f"{node}.{kind}",
            "kind": kind,
            "node": node,
            "iteration": iteration,
            "cites": [],
            "time": "2026-11-21T04:05:06.789+00:00",
            "data": data,
        }
    )


def provenance(model: str = "rules", degraded: bool = False) -> dict[str, Any]:
    return {"model": model, "degraded": degraded, "attempts": []}


def prefixes(events: list[Event]) -> Iterator[RunView]:
    """The view after each event, as a page that was open from the start shows it."""
    view = RunView()
    for each in events:
        view.take([each])
        yield view


def test_finished_run_agrees_with_its_result(home: Path, events: list[Event]) -> None:
    view = RunView()
    view.take(events)
    outcome = read_outcome(RunRecord(home, "told"), Words("en"))
    assert outcome is not None
    result = outcome.result
    assert Words("en")("explain.heading.verdict") in outcome.report
    assert (view.status, view.stop_reason) == (result["status"], result["stop_reason"])
    assert (view.initial_score, view.score) == (result["initial_score"], result["final_score"])
    assert (view.iteration, view.degraded, view.at_work) == (result["iterations"], result["degraded"], None)
    told = [
        (trial["sentence"], trial["outcome"], trial["score"])
        for e in result["history"]
        for trial in e["trials"]
    ]
    assert told
    assert [(trial.sentence, trial.state, trial.score) for trial in view.trials.values()] == told
    assert view.folds == result["walk_forward"]["per_fold"]


def test_page_opened_late_says_what_a_page_open_all_along_says(events: list[Event]) -> None:
    late = RunView()
    late.take(events)
    *_, live = prefixes(events)
    assert live == late


def test_somebody_is_at_work_until_the_end(events: list[Event]) -> None:
    working = [view.at_work for view in prefixes(events)]
    assert None not in working[:-1]
    assert working[-1] is None
    for language in LANGUAGES:
        for node in filter(None, working):
            assert Words(language)(f"web.node.{node}")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_event_of_a_run_has_words(events: list[Event], language: Any) -> None:
    words = Words(language)
    for each in events:
        told = line(each, words)
        if each.kind in ("role_called", "debate_turn"):
            assert told is None
        else:
            assert told is not None
            assert told.title != words("web.event.other", kind=each.kind, node=each.node)


def test_an_event_without_words_of_its_own_is_named_and_kept() -> None:
    strange = event("verdict", "check", verdict="publish", errors=[], invented={})
    view = RunView()
    view.take([strange])
    told = line(strange, Words("en"))
    assert view.events == [strange]
    assert told is not None
    assert told.title == "check: verdict"


def test_rejected_proposal_shows_the_objection() -> None:
    proposal = event("proposal", "strategist", number=1, sentence="slow_period: 20 → 30", reason="slower")
    verdicts = [{"proposal": 1, "decision": "rejected", "priority": 1, "reason": "too few trades"}]
    view = RunView()
    view.take([proposal, event("answer", "validator", verdicts=verdicts, provenance=provenance())])
    (trial,) = view.trials.values()
    assert (trial.state, trial.objection, trial.score) == ("rejected", "too few trades", None)


def test_a_single_agents_verdict_stands_before_its_proposal() -> None:
    answer = {"quality_score": 3.0, "strengths": ["a."], "weaknesses": ["b."]}
    verdicts = [{"proposal": 1, "decision": "rejected", "priority": 1, "reason": "too few trades"}]
    said = {"answer": answer, "refused": [], "verdicts": verdicts, "stance": "continue"}
    single = event("answer", "single", **said, provenance=provenance())
    view = RunView.of([single, event("proposal", "single", number=1, sentence="s", reason="r")])
    assert (view.trials[1, 1].state, view.trials[1, 1].objection) == ("rejected", "too few trades")


def test_test_that_the_engine_refused_is_shown_as_failed() -> None:
    refused = {"code": "unknown_strategy", "name": "x", "known": "y"}
    failed = event("error", "backtest_variant", number=1, sentence="s", figures=None, error=refused)
    view = RunView()
    view.take([event("proposal", "strategist", number=1, sentence="s", reason="r"), failed])
    assert view.trials[1, 1].state == "failed"
    told = line(failed, Words("fr"))
    assert told is not None
    assert told.tone == "bad"


def test_degraded_answer_marks_the_run_and_names_its_stand_in() -> None:
    answer = {"quality_score": 3.0, "strengths": ["a."], "weaknesses": ["b."]}
    given = event("answer", "analyst", answer=answer, provenance=provenance(degraded=True))
    view = RunView()
    view.take([given])
    told = line(given, Words("en"))
    assert view.degraded
    assert told is not None
    assert "in place of a model that did not answer" in told.body


def test_voice_that_cannot_answer_is_heard_as_an_abstention() -> None:
    silent = {"voice": "analyst", "stance": None, "statement": None, "confidence": None}
    view = RunView()
    view.take([event("debate_turn", "analyst", **silent, provenance=provenance(""))])
    (turn,) = view.debates[1].turns
    assert (turn["voice"], turn["stance"], turn["provenance"]["model"]) == ("analyst", None, "")


def test_log_is_read_once_and_only_whole_lines(tmp_path: Path) -> None:
    record = RunRecord(tmp_path, "growing")
    reader = LogReader(record)
    assert reader.new_events() == []
    record.append("a", "load", RoleCalled())
    assert [each.id for each in reader.new_events()] == ["a"]
    assert reader.new_events() == []
    with record.events_path.open("ab") as stream:
        stream.write(b'{"id":"half')
    assert reader.new_events() == []
    record.append("b", "baseline", Exhausted())
    assert [each.id for each in reader.new_events()] == ["b"]


def test_damaged_log_is_an_error_and_not_an_empty_run(tmp_path: Path) -> None:
    record = RunRecord(tmp_path, "damaged")
    record.append("a", "load", RoleCalled())
    record.events_path.write_bytes(b"not json\n")
    with pytest.raises(ReportError, match="unreadable_record"):
        LogReader(record).new_events()


def test_list_of_runs_tells_finished_open_and_unreadable_apart(home: Path) -> None:
    RunRecord(home, "open").start({"graph": "optimization", "input": {"data": "x.csv"}, "context": {}})
    broken = RunRecord(home, "broken")
    broken.start({"graph": "optimization", "input": {}, "context": {}})
    (broken.folder / "run.json").write_text("{", encoding="utf-8")
    asked = RunRecord(home, "asked")
    asked.start({"graph": "optimization", "input": {"data": "x.csv"}, "context": {}})
    question = Waiting(run="asked", iteration=1, help="", proposals=[])
    asked.append("i01.approve", "approve", question, iteration=1)
    held = RunRecord(home, "held")
    held.start({"graph": "optimization", "input": {"data": "x.csv"}, "context": {}})
    held.hold("held")
    lines, total = list_runs(home)
    held.release()
    assert total == 5
    assert {each.line.run: each.line.status for each in lines} == {
        "told": "finished",
        "open": "interrupted",
        "asked": "waiting",
        "held": "at_work",
        "broken": "unreadable",
    }


def test_without_a_data_folder_there_is_nothing_to_show(tmp_path: Path) -> None:
    assert list_runs(tmp_path / "none") == ([], 0)


def test_every_value_of_a_change_has_a_name_in_both_languages() -> None:
    kinds = [one for one in vars(changes).values() if isinstance(one, type) and issubclass(one, BaseModel)]
    fields = {name for kind in kinds for name in kind.model_fields} - {"kind"}
    assert fields == CHANGE_FIELDS
    for language in LANGUAGES:
        assert all(Words(language)(f"changes.field.{name}") for name in fields)
