"""Typed events: each kind comes back as it was written, and a damaged line is one error at its place."""

import importlib
import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from base.entries import EntryError
from base.errors import text
from base.reasons import ReasonError
from prompts import Words
from record.errors import ReportError
from record.events import EVENTS, Event, EventData, Exhausted, LedgerBegun, Started
from record.record import RunRecord
from tests.damage import mutations
from tests.optimization_runs import run_graph
from tests.run_lines import lines, typed
from threadx.web import narration

EARLY = [
    json.loads(line)
    for line in Path(__file__).with_name("early_events.jsonl").read_text(encoding="utf-8").splitlines()
]
"""One line of each form that four earlier versions wrote."""


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    state, _ = run_graph(home, max_iterations=1)
    return lines(RunRecord(home, state["run_id"]))


def test_every_line_of_a_run_comes_back_as_it_was_written(written):
    assert [event.plain() for event in typed(written)] == written
    assert {line["version"] for line in written} == {1}


@pytest.mark.parametrize("line", EARLY, ids=lambda line: f"{line['kind']} {line['node']}")
def test_a_line_of_an_earlier_version_is_of_version_1(line):
    assert Event.read(line).plain() == {**line, "version": 1}


def test_a_kind_means_what_its_node_or_id_says(written):
    by_id = {event.id: event.data for event in typed(written)}
    assert isinstance(by_id["i00.load"], Started)
    assert isinstance(by_id["i00.ledger"], LedgerBegun)


def kept(tmp_path, line):
    record = RunRecord(tmp_path, "r")
    record.append("one", "n", Exhausted())
    with record.events_path.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(line) + "\n")
    return record


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"kind": "surprise"}, "kind"),
        ({"kind": ["proposal"]}, "kind"),
        ({"version": 2}, "version"),
        ({"version": None}, "version"),
        ({"iteration": "1"}, "iteration"),
        ({"more": 1}, "more"),
        ({"data": {}}, "data.run"),
        ({"data": None}, "data"),
        ({"data": {**EARLY[0]["data"], "max_iterations": "2"}}, "data.max_iterations"),
        ({"data": {**EARLY[0]["data"], "misspelt": 2}}, "data.misspelt"),
    ],
)
@pytest.mark.parametrize("language", ["en", "fr"])
def test_what_is_wrong_is_told_with_its_place_in_the_log(tmp_path, change, named, language):
    record = kept(tmp_path, {**EARLY[0], **change})
    with pytest.raises(ReportError) as caught:
        list(record.events())
    said = text("reports.error.unreadable_record", language, **caught.value.fields)
    assert f"{record.events_path}:2" in said
    assert named in said


def as_numbers(value):
    """The value with every number as a float, as JSON knows no other."""
    return json.loads(json.dumps(value), parse_int=float)


def test_every_field_that_is_missing_or_of_another_type_is_an_error_or_was_optional(written):
    """Nothing but the typed error comes out, whatever is done to a field, and no value changes its type."""
    seen = set()
    for one in written:
        for label, changed in mutations(one):
            if (one["kind"], one["node"], label) in seen:
                continue
            seen.add((one["kind"], one["node"], label))
            try:
                told = typed([changed])[0].plain()
            except (ReasonError, ValidationError):
                continue
            frame = {"version": 1, "iteration": 0, "cites": [], **changed}
            frame = {name: value for name, value in frame.items() if value is not None}
            assert as_numbers(told) == as_numbers(frame), label
    assert len(seen) > 1_000


def test_a_new_kind_is_a_class_and_a_text(tmp_path, monkeypatch):
    monkeypatch.setattr("record.events.EVENTS", EVENTS.copy())

    class Rested(EventData):
        kind = "rested"
        says = "web.event.lessons"

        count: int

    record = RunRecord(tmp_path, "r")
    record.append("one", "n", Rested(count=3))
    (event,) = record.events()
    assert event.data == Rested(count=3)
    assert narration.line(event, Words("en")).title == Words("en")("web.event.lessons", count=3)
    with pytest.raises(EntryError, match=r"^Again and Rested are both rested at any place$"):

        class Again(Rested):
            pass


def test_half_a_kind_is_refused_by_its_name(monkeypatch):
    monkeypatch.setattr("record.events.EVENTS", EVENTS.copy())
    with pytest.raises(EntryError, match=r"^Silent: says not said$"):

        class Silent(EventData):
            kind = "silent"

    with pytest.raises(EntryError, match=r"^Empty: says not said$"):

        class Empty(EventData):
            kind = "empty"
            says = ""


def test_a_kind_whose_text_is_missing_is_refused_by_its_name(monkeypatch):
    class Mute(EventData):
        says = "web.event.never_written"

    monkeypatch.setitem(EVENTS, ("mute", ""), Mute)
    with pytest.raises(EntryError, match=r"^Mute: web.event.never_written \(fr\) not said$"):
        importlib.reload(narration)
    monkeypatch.undo()
    importlib.reload(narration)
