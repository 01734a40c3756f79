"""The log behind a record: what it knows without reading again, how it counts time, and who may write."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from base import private
from base.sources import source_digest
from record import event_log
from record.errors import ReportError
from record.event_log import EventLog
from record.events import Called, Event, EvidenceListed, Exhausted, Noticed, RoleCalled, Waiting
from record.record import RunRecord, release_all
from record.versions import changed_versions, versions
from tests.run_lines import lines

ROOT = Path(__file__).resolve().parents[2]
EXHAUSTED = Exhausted()
CALL = Called(
    model="rules",
    request="",
    prompt=None,
    correction=None,
    failures=[],
    answer=None,
    thinking="",
    prompt_tokens=None,
    answer_tokens=None,
    cached=False,
    latency_seconds=None,
)
ASKED = {"graph": "optimization", "input": {}, "context": {}}


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test moves."""
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    def passes(seconds):
        now[0] += seconds

    return passes


def forget():
    """What a new process would know: nothing."""
    event_log._known.clear()


def test_an_event_is_found_again_by_its_id(tmp_path):
    record = RunRecord(tmp_path, "r")
    for number in range(20):
        record.append(f"e{number}", "n", EvidenceListed(items=[{"id": f"E{number}", "name": "é" * number}]))
    assert record.log.find("e7").data.items[0]["id"] == "E7"
    assert record.log.find("e70") is None
    forget()
    assert record.log.find("e19").data.items[0]["id"] == "E19"


def test_what_another_process_wrote_is_seen(tmp_path):
    record = RunRecord(tmp_path, "r")
    record.append("one", "n", Exhausted(), counts={"model_calls": 2})
    line = record.events_path.read_bytes()
    other = line.replace(b'"one"', b'"two"')
    with record.events_path.open("ab") as stream:
        stream.write(other)
    assert record.log.find("two") is not None
    assert record.log.counted() == {"model_calls": 4}
    assert record.append("two", "n", RoleCalled()).kind == "exhausted", "what stands there stays"


def test_counts_add_up_over_the_run_and_repeats_cost_nothing(tmp_path):
    record = RunRecord(tmp_path, "r")
    for _ in range(3):
        record.append("i01.analyst.call.1", "analyst", CALL, counts={"model_calls": 1, "tokens": 120})
    record.append("i01.strategist.call.1", "strategist", CALL, counts={"model_calls": 3, "tokens": 10})
    forget()
    assert record.log.counted() == {"model_calls": 4, "tokens": 130}


def test_time_at_work_leaves_waits_and_interruptions_out(tmp_path, clock):
    log = EventLog(tmp_path / "events.jsonl")

    def append(event_id, data=EXHAUSTED):
        return log.append(Event(id=event_id, node="n", time="now", data=data)).elapsed_seconds

    assert append("a") == 0.0
    clock(5)
    assert append("b") == 5.0
    clock(2)
    assert append("asked", Waiting(run="r", iteration=1, help="", proposals=[])) == 7.0
    clock(3600)  # a person thinks
    assert log.elapsed_seconds() == 7.0
    assert append("said") == 7.0
    clock(1)
    assert log.elapsed_seconds() == 8.0
    assert append("c") == 8.0
    forget()
    clock(86_400)  # the process died, and was started again the next day
    assert log.elapsed_seconds() == 8.0
    assert append("d") == 8.0
    clock(4)
    assert log.elapsed_seconds() == 12.0


def test_a_replaced_file_is_read_anew(tmp_path):
    record = RunRecord(tmp_path, "r")
    record.append("one", "n", Exhausted())
    record.append("two", "n", Exhausted())
    first = record.events_path.read_bytes().splitlines(keepends=True)[0]
    record.events_path.write_bytes(first)
    assert record.log.find("two") is None
    record.append("two", "n", RoleCalled())
    assert [event["kind"] for event in lines(record)] == ["exhausted", "role_called"]


def test_who_holds_a_run_opens_its_log_once_and_every_event_stands_there_at_once(tmp_path, monkeypatch):
    opened = []
    opener = private.opener

    def counted(name, flags):
        opened.append(Path(name).name)
        return opener(name, flags)

    monkeypatch.setattr(private, "opener", counted)
    record = RunRecord(tmp_path, "r")
    record.hold("thread 1")
    for number in range(5):
        record.append(f"e{number}", "n", EXHAUSTED)
        assert [event["id"] for event in lines(record)] == [f"e{one}" for one in range(number + 1)]
    assert opened.count("events.jsonl") == 1
    with record.events_path.open("ab") as stream:
        stream.write(b'{"half')  # what a full disk leaves
    record.append("e5", "n", EXHAUSTED)
    assert [event["id"] for event in lines(record)][-2:] == ["e4", "e5"]
    before = record.events_path.read_bytes()
    record.events_path.unlink()
    record.append("e0", "n", EXHAUSTED)
    record.events_path.with_suffix(".new").write_bytes(before)
    record.events_path.with_suffix(".new").replace(record.events_path)
    record.append("e6", "n", EXHAUSTED)
    assert [event["id"] for event in lines(record)] == [f"e{one}" for one in range(7)]
    record.release()
    opened.clear()
    for number in (7, 8):
        record.append(f"e{number}", "n", EXHAUSTED)
    assert opened.count("events.jsonl") == 2


@pytest.mark.parametrize("ends", ["released", "its holder's end", "removed"])
def test_a_log_is_open_for_nobody_when_its_run_is_free(tmp_path, ends):
    record = RunRecord(tmp_path, "r")
    record.start(ASKED)
    record.hold("thread 1")
    record.append("one", "n", EXHAUSTED)
    stream = event_log._open[record.events_path]
    match ends:
        case "released":
            record.release("thread 2")
            assert not stream.closed
            record.release("thread 1")
        case "removed":
            record.remove()
            assert not record.folder.exists()
        case _:
            release_all("thread 1")
    assert stream.closed
    assert event_log._open == {}


def test_many_logs_are_known_at_once_but_not_for_ever(tmp_path):
    for number in range(40):
        RunRecord(tmp_path, f"r{number}").append("one", "n", Exhausted())
    assert len(event_log._known) <= 16
    assert RunRecord(tmp_path, "r0").log.find("one") is not None


def test_one_thread_holds_a_run_until_it_lets_go(tmp_path):
    record = RunRecord(tmp_path, "r")
    record.hold("thread 1")
    record.hold("thread 1")
    with pytest.raises(ReportError) as caught:
        RunRecord(tmp_path, "r").hold("thread 2")
    assert caught.value.code == "run_busy"
    record.release()
    record.release()
    RunRecord(tmp_path, "r").hold("thread 2")
    record.release()


HOLD = """
import sys
from pathlib import Path
from record.errors import ReportError
from record.record import RunRecord, release_all
try:
    RunRecord(Path(sys.argv[1]), "r").hold("other")
except ReportError as error:
    sys.exit(error.code)
"""


def test_another_process_cannot_have_it_meanwhile(tmp_path):
    def other():
        command = [sys.executable, "-c", HOLD, str(tmp_path)]
        return subprocess.run(
            command, cwd=ROOT, capture_output=True, check=False, text=True, encoding="utf-8"
        )

    record = RunRecord(tmp_path, "r")
    record.hold("thread 1")
    assert other().stderr.strip() == "run_busy"
    record.release()
    assert other().returncode == 0


@pytest.mark.parametrize(
    ("first", "second", "asked", "taken"),
    [
        pytest.param("t1", "t1", 1, False, id="the same thread, resumed"),
        pytest.param("t1", "t1", 2, True, id="the same thread, for something else"),
        pytest.param("t1", "t2", 1, True, id="another thread"),
        pytest.param("t1", None, 1, True, id="a graph without checkpoints"),
        pytest.param(None, None, 1, True, id="twice without checkpoints"),
    ],
)
def test_a_name_belongs_to_the_thread_that_began_it(tmp_path, first, second, asked, taken):
    record = RunRecord(tmp_path, "r")
    record.start({**ASKED, "input": {"a": 1}}, first)
    record.append("began", "load", Noticed(code="version", name="x", then="1", now="2"))
    if taken:
        with pytest.raises(ReportError) as caught:
            record.start({**ASKED, "input": {"a": asked}}, second)
        assert caught.value.code == "run_exists"
    else:
        record.start({**ASKED, "input": {"a": asked}}, second)
    assert record.about()["input"] == {"a": 1}


def test_a_record_says_which_code_made_it(tmp_path):
    record = RunRecord(tmp_path, "r")
    record.start(ASKED)
    then = record.about()["versions"]
    assert then == versions()
    assert changed_versions(then) == []
    assert then["source"] == source_digest()
    assert {"python", "numpy", "numba", "langgraph"} <= set(then)
    older = {**then, "numba": "0.1"}
    del older["pandas"]
    assert changed_versions(older) == [("numba", "0.1", then["numba"]), ("pandas", "–", then["pandas"])]
