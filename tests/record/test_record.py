"""The event log: whole lines, each once, whatever kills the process."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from record.errors import ReportError
from record.events import EvidenceListed, Exhausted
from record.record import RunRecord, as_recorded, comparable
from reports.population import population_lines
from tests.run_lines import lines


def item(name):
    return {"id": "E1", "name": name}


def test_an_event_is_written_once_and_read_back(tmp_path):
    record = RunRecord(tmp_path, "r1")
    one, other = EvidenceListed(items=[item("x1")]), EvidenceListed(items=[item("x2")])
    record.append("i01.a", "analyst", one, iteration=1, cites=["i00.load"])
    record.append("i01.a", "analyst", other, iteration=1)
    record.append("i01.ab", "analyst", Exhausted(), iteration=1)
    events = lines(record)
    assert [event["id"] for event in events] == ["i01.a", "i01.ab"]
    assert events[0]["data"] == {"items": [item("x1")]}
    assert events[0]["cites"] == ["i00.load"]


@pytest.mark.parametrize("cut", [1, 10, 60])
def test_a_half_written_line_is_no_event_and_is_written_again(tmp_path, cut):
    record = RunRecord(tmp_path, "r1")
    record.append("one", "n", EvidenceListed(items=[item("été")]))
    record.append("two", "n", EvidenceListed(items=[item("hiver")]))
    whole = record.events_path.read_bytes()
    record.events_path.write_bytes(whole[:-cut])
    assert [event["id"] for event in lines(record)] == ["one"]
    record.append("two", "n", EvidenceListed(items=[item("hiver")]))
    assert [event["id"] for event in lines(record)] == ["one", "two"]


def test_parallel_writers_lose_nothing(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: RunRecord(tmp_path, "r1").append(f"e{n % 20}", "n", Exhausted()), range(60)))
    ids = [event["id"] for event in lines(RunRecord(tmp_path, "r1"))]
    assert sorted(ids) == sorted(f"e{n}" for n in range(20))


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".hidden", "x" * 81, "a\x00b"])
def test_a_name_that_could_leave_the_folder_is_refused(tmp_path, name):
    with pytest.raises(ReportError) as caught:
        RunRecord(tmp_path, name)
    assert caught.value.code == "bad_run_name"


def test_a_damaged_line_is_named(tmp_path):
    record = RunRecord(tmp_path, "r1")
    record.append("one", "n", Exhausted())
    record.events_path.write_bytes(b"not json\n" + record.events_path.read_bytes())
    with pytest.raises(ReportError) as caught:
        list(record.events())
    assert caught.value.code == "unreadable_record"
    assert ":1" in caught.value.fields["path"]


def test_a_list_that_lacks_what_is_looked_for_is_a_record_of_another_shape(tmp_path):
    """Population of a result without the strategy that the run was given, as fuzzing made it."""
    result = {"archive": [{"given_first": False, "hash": "a"}], "champion": {"hash": "a"}, "surveyed": 1}
    with pytest.raises(ReportError) as caught, as_recorded(tmp_path / "result.json"):
        population_lines(result, lambda key, **fields: key)
    assert caught.value.code == "unreadable_record"
    assert caught.value.fields["reason"].code == "other_shape"


def test_unknown_and_unfinished_runs_are_told_apart(tmp_path):
    record = RunRecord(tmp_path, "r1")
    with pytest.raises(ReportError) as caught:
        record.about()
    assert caught.value.code == "unknown_run"
    record.start({"graph": "optimization", "input": {}, "context": {}})
    with pytest.raises(ReportError) as caught:
        record.result()
    assert caught.value.code == "no_result"


def test_comparable_leaves_times_out_at_any_depth():
    event = {"time": "now", "data": {"latency_seconds": 1.0, "list": [{"seconds": 2, "kept": 3}]}}
    assert comparable(event) == {"data": {"list": [{"kept": 3}]}}
    assert json.dumps(comparable(event))
