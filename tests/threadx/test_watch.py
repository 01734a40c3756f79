"""`threadx watch`: what a person sees of a run that another process is at work on."""

import json

import pytest

from record.record import RunRecord
from tests.optimization_runs import ALL_RULES
from tests.prices import made_up_prices
from threadx import optimize
from threadx.command import main
from threadx.work import watch as watching

RUN = "watched"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A data folder with a finished run."""
    folder = tmp_path_factory.mktemp("home")
    settings = {"max_iterations": 1, "use_debate": False, "search": "single", **ALL_RULES}
    optimize(made_up_prices(600), home=folder, run=RUN, language="en", **settings)
    return folder


@pytest.fixture
def threadx(home, capsys):
    def call(*arguments):
        with pytest.raises(SystemExit) as left:
            main([*arguments, "--home", str(home), "--language", "en"])
        told = capsys.readouterr()
        return left.value.code, told.out, told.err

    return call


@pytest.fixture
def rewound(home):
    """The run as it was when its third event was written; gives back what follows."""
    record = RunRecord(home, RUN)
    kept = {path: path.read_bytes() for path in (record.events_path, record.result_path)}
    lines = kept[record.events_path].splitlines(keepends=True)
    record.events_path.write_bytes(b"".join(lines[:3]))
    record.result_path.unlink()
    yield record, lines[3:], kept[record.result_path]
    record.release()
    for path, content in kept.items():
        path.write_bytes(content)


def test_a_run_is_followed_to_its_end_with_each_line_once(threadx, rewound, monkeypatch):
    record, left, result = rewound
    record.hold("another")

    def meanwhile(_seconds):
        with record.events_path.open("ab") as log:
            log.write(b"".join(left[:4]))
        del left[:4]
        if not left:
            record.result_path.write_bytes(result)
            record.release("another")

    monkeypatch.setattr(watching.time, "sleep", meanwhile)
    code, out, err = threadx("watch", RUN)
    assert code == 0
    lines = err.splitlines()
    assert sum(line.startswith("Run watched: ") for line in lines) == 1
    assert sum(line.startswith("[1/1] tested, score ") for line in lines) >= 3
    assert out.count("Verdict: ") == 1
    assert "\x1b" not in out + err, "a pipe gets plain lines"


def test_who_stops_watching_leaves_the_run_alone(threadx, rewound, monkeypatch):
    record, _, _ = rewound
    record.hold("another")
    before = record.events_path.read_bytes()

    def interrupt(_seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr(watching.time, "sleep", interrupt)
    code, out, err = threadx("watch", RUN)
    assert (code, out) == (0, "")
    assert "No longer watching watched, which is still at work" in err.splitlines()[-1]
    assert record.events_path.read_bytes() == before
    assert record.is_held()


def test_a_finished_run_shows_its_end_at_once(threadx, home):
    code, out, err = threadx("watch", RUN, "--json", "-")
    assert (code, err) == (0, "")
    assert json.loads(out) == RunRecord(home, RUN).result()


def test_a_run_that_stands_still_is_told_how_to_resume(threadx, rewound):
    code, out, err = threadx("watch", RUN)
    assert (code, out) == (2, "")
    assert "threadx runs resume watched" in err
    assert len(err.splitlines()) == 1


def test_a_run_of_the_ensemble_has_nothing_to_watch(threadx, home):
    RunRecord(home, "ensemble-x").start({"graph": "ensemble", "input": {}, "context": {}})
    code, _, err = threadx("watch", "ensemble-x")
    assert code == 2
    assert "threadx ensemble history" in err
