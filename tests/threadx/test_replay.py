"""A run repeated from its record: no model, no network, byte for byte; what has changed is named."""

import json
import shutil
from collections import Counter

import pandas as pd
import pytest
from langchain_core.messages import AIMessage

from nodes.optimization.state import ReviewInput
from providers.errors import DeadlineError, RetryableError
from record import versions
from record.errors import ReportError
from record.record import RunRecord
from tests.answers import analysis, by_role, proposals, risk, turn, verdicts
from tests.laws import some
from tests.optimization_runs import ALL_RULES
from tests.prices import made_up_prices
from tests.run_lines import lines
from tests.scripted import scripted_models
from threadx.audit.drift import notices
from threadx.audit.replaying import replay_run
from threadx.command import main
from threadx.runner import make_input, resume_run, start_run
from threadx.settings import make_context

pytestmark = pytest.mark.long

TEAM = {"analyst": "a, rules", "strategist": "s, rules", "validator": "v", "debate_rounds": 1}


@pytest.fixture
def prices(tmp_path):
    path = tmp_path / "TEST_1h.csv"
    made_up_prices(700, cycle=0.05).to_csv(path)
    return path


def run(tmp_path, prices, **settings):
    # Scripted answers change the given strategy, whatever a survey would find.
    usual = {"home": str(tmp_path / "home"), **ALL_RULES, "search": "single", "max_iterations": 2}
    context = make_context(**{**usual, **settings})
    return start_run(make_input(data=str(prices), run="r"), context), tmp_path / "home"


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder with a price file and the data folder of a finished run by rules."""
    folder = tmp_path_factory.mktemp("finished")
    made_up_prices(700, cycle=0.05).to_csv(folder / "TEST_1h.csv")
    run(folder, folder / "TEST_1h.csv", max_iterations=1)
    return folder


@pytest.fixture
def done(finished, tmp_path):
    """(data folder, price file): a copy of it for one test, the run's record naming the copy's price file."""
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    about = tmp_path / "home" / "runs" / "r" / "run.json"
    about.write_text(
        about.read_text(encoding="utf-8").replace(str(finished), str(tmp_path)), encoding="utf-8"
    )
    return tmp_path / "home", tmp_path / "TEST_1h.csv"


def thinking(words):
    return AIMessage(words, additional_kwargs={"reasoning_content": "First I look at the drawdown."})


def with_models(monkeypatch):
    """Every kind of outcome in one run: thoughts, corrections, doubts, tries, a time-out, an abstention."""
    busy = RetryableError("rate_limited", model="s", detail="busy")
    late = DeadlineError("time_out", model="v", seconds=900.0)
    return scripted_models(
        monkeypatch,
        {
            "ollama:a": [thinking(analysis()), "no JSON here", turn("stop"), analysis(), turn("stop")],
            "ollama:s": [busy, proposals(), turn(), "{", "{", turn(evidence=["Z9"]), turn()],
            "ollama:v": [verdicts("validated", "rejected", "validated"), turn(), late, turn("stop")],
        },
    )


def files(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }


def test_a_population_repeats_with_its_survey(tmp_path, prices):
    _, home = run(tmp_path, prices, search="population", max_iterations=1)
    again = replay_run("r", home)
    assert again.same, again.differences
    told = [event for event in RunRecord(home, "r").events() if event.kind == "survey"]
    assert len(told) == 1
    assert again.result["surveyed"] == told[0].data.configurations


def test_a_run_with_models_repeats_without_them(tmp_path, prices, monkeypatch):
    script = with_models(monkeypatch)
    result, home = run(tmp_path, prices, **TEAM)
    asked = len(script.order)
    assert result.degraded
    assert asked > 8
    before = files(home)
    prices.unlink()
    repeated = replay_run("r", home)
    assert repeated.same, repeated.differences
    assert {**repeated.result, "run": None} == {**result.details, "run": None}
    assert len(script.order) == asked, "nobody was asked again"
    assert files(home) == before, "nothing in the data folder was touched"
    assert [notice.code for notice in repeated.notices] == ["price_file_missing"]


def test_every_prompt_and_every_answer_is_on_record(tmp_path, prices, monkeypatch):
    script = with_models(monkeypatch)
    run(tmp_path, prices, **TEAM)
    events = lines(RunRecord(tmp_path / "home", "r"))
    calls = [event["data"] for event in events if event["kind"] == "call"]
    sent = {(request.system, request.user) for given in script.calls.values() for request in given}
    kept = {(call["prompt"]["system"], call["prompt"]["user"]) for call in calls if call["prompt"]}
    assert kept == sent
    answers = [call["answer"] for call in calls if call["answer"] is not None]
    assert "no JSON here" in answers
    assert analysis() in answers
    assert [call["thinking"] for call in calls if call["thinking"]] == ["First I look at the drawdown."]
    tries = Counter(failure["code"] for call in calls for failure in call["failures"])
    assert tries == {"rate_limited": 1, "time_out": 1}
    cited = {cited for event in events for cited in event["cites"]}
    assert cited <= {event["id"] for event in events}


def test_a_person_and_a_budget_are_replayed_too(tmp_path, prices, monkeypatch):
    scripted_models(monkeypatch, {"ollama:m": [by_role] * 50})
    team = {"analyst": "m", "strategist": "m", "validator": "m", "cache_hours": 0.0}
    waiting, home = run(tmp_path, prices, **team, approve=True, max_model_calls=5)
    word = {"accept": [1], "reject": [3], "edit": [{"proposal": 2, "change": risk(4.0, "trailing_stop_pct")}]}
    assert waiting.question["iteration"] == 1
    result = resume_run("r", home, word=word)
    assert result.details["stop_reason"] == "budget_model_calls"
    assert replay_run("r", home).same


def test_time_decides_the_same_again_whatever_the_clock_says(tmp_path, prices, monkeypatch):
    with monkeypatch.context() as late:
        late.setattr("record.event_log.EventLog.elapsed_seconds", lambda log: 61.0)
        # A score of 10 is out of reach: only the clock can end this search.
        result, home = run(tmp_path, prices, max_seconds=60.0, target_score=10.0)
    assert result.details["stop_reason"] == "budget_seconds"
    repeated = replay_run("r", home)
    assert repeated.same
    assert repeated.result["stop_reason"] == "budget_seconds"


def test_an_answer_from_the_cache_is_replayed_as_one(tmp_path, prices, monkeypatch):
    scripted_models(monkeypatch, {"ollama:m": [by_role] * 30})
    team = {"analyst": "m", "strategist": "m", "validator": "m", "max_iterations": 1}
    context = make_context(home=str(tmp_path / "home"), search="single", **team)
    start_run(ReviewInput(data=str(prices), run="first"), context, graph="review")
    start_run(make_input(data=str(prices), run="r"), context)
    calls = [e for e in lines(RunRecord(tmp_path / "home", "r")) if e["kind"] == "call"]
    cached = {event["node"] for event in calls if event["data"]["cached"]}
    assert cached == {"analyst", "strategist", "validator"}, "a review asks them the same"
    assert sum(event["counts"]["model_calls"] for event in calls if event["data"]["cached"]) == 0
    assert replay_run("r", tmp_path / "home").same


def test_a_forged_result_does_not_repeat(done):
    home, _ = done
    path = home / "runs" / "r" / "result.json"
    result = json.loads(path.read_text(encoding="utf-8"))
    result["final_score"] += 0.5
    path.write_text(json.dumps(result), encoding="utf-8")
    repeated = replay_run("r", home)
    assert not repeated.same
    assert repeated.differences == ("result.final_score",)


def test_a_question_that_was_never_asked_stops_the_replay_by_name(tmp_path, prices, monkeypatch):
    with_models(monkeypatch)
    _, home = run(tmp_path, prices, **TEAM)
    log = home / "runs" / "r" / "events.jsonl"
    kept = [
        line
        for line in log.read_text(encoding="utf-8").splitlines(keepends=True)
        if '"id":"i01.validator.call.1"' not in line
    ]
    log.write_text("".join(kept), encoding="utf-8")
    with pytest.raises(ReportError) as caught:
        replay_run("r", home)
    assert caught.value.code == "not_on_record"
    assert caught.value.fields["event"] == "i01.validator.call.1"


def test_other_prompts_stop_the_replay_by_name(tmp_path, prices, monkeypatch):
    with_models(monkeypatch)
    _, home = run(tmp_path, prices, **TEAM)
    log = home / "runs" / "r" / "events.jsonl"
    event = next(e for e in lines(RunRecord(home, "r")) if e["id"] == "i01.analyst.call.1")
    log.write_text(
        log.read_text(encoding="utf-8").replace(event["data"]["request"], "0" * 16), encoding="utf-8"
    )
    with pytest.raises(ReportError) as caught:
        replay_run("r", home)
    assert caught.value.code == "record_differs"
    assert caught.value.fields["event"] == "i01.analyst.call.1"


# --- what has changed ---------------------------------------------------------------------------


def corrected(frame):
    return frame.assign(close=frame["close"].where(frame.index != frame.index[50], frame["close"] * 1.0001))


def grown(frame):
    more = frame.tail(40).copy()
    more.index = pd.date_range(frame.index[-1], periods=41, freq="1h")[1:]
    return pd.concat([frame, more])


@pytest.mark.parametrize(
    ("change", "code"),
    [
        pytest.param(lambda frame: frame, None, id="the same"),
        pytest.param(corrected, "prices_changed", id="one close corrected"),
        pytest.param(lambda frame: frame.iloc[:-10], "prices_changed", id="holdout rows gone"),
        pytest.param(grown, "prices_grown", id="new rows"),
        pytest.param(lambda frame: frame.iloc[:0], "price_file_unreadable", id="emptied"),
    ],
)
def test_a_changed_price_file_is_named_and_the_registered_copy_used(done, change, code):
    home, prices = done
    frame = pd.read_csv(prices, index_col=0, parse_dates=True)
    change(frame).to_csv(prices)
    assert [notice.code for notice in notices(RunRecord(home, "r"), home)] == ([code] if code else [])
    if change in some((change,), (corrected,)):
        repeated = replay_run("r", home)
        assert repeated.same
        assert [notice.code for notice in repeated.notices] == ([code] if code else [])


def test_another_version_is_named(done, monkeypatch, capsys):
    home, _ = done
    now = versions.versions()
    other = {**now, "numpy": "9.9.9", "source": "ffffffffffff"}
    monkeypatch.setattr(versions, "versions", lambda: other)
    found = notices(RunRecord(home, "r"), home)
    assert [(notice.name, notice.then, notice.now) for notice in found] == [
        ("numpy", now["numpy"], "9.9.9"),
        ("source", now["source"], "ffffffffffff"),
    ]
    with pytest.raises(SystemExit) as left:
        main(["runs", "replay", "r", "--home", str(home), "--language", "en"])
    told = capsys.readouterr()
    assert left.value.code == 0
    assert f"version of numpy: {now['numpy']} → 9.9.9" in told.err


def test_a_run_that_goes_on_with_other_prices_or_versions_has_that_on_record(tmp_path, prices, monkeypatch):
    waiting, home = run(tmp_path, prices, approve=True, max_iterations=1)
    corrected(pd.read_csv(prices, index_col=0, parse_dates=True)).to_csv(prices)
    other = {**versions.versions(), "pandas": "9.9.9"}
    monkeypatch.setattr(versions, "versions", lambda: other)
    result = resume_run("r", home, word={"accept": "all"})
    noticed = [e["data"]["code"] for e in lines(RunRecord(home, "r")) if e["kind"] == "noticed"]
    assert noticed == ["version", "prices_changed"]
    assert waiting.run == result.run == "r"
    assert replay_run("r", home).same, "the run itself went on with what it had registered"


def test_prices_that_are_gone_are_read_again_or_named(done, capsys):
    home, prices = done
    shutil.rmtree(home / "datasets")
    assert replay_run("r", home).same, "the file that the run was given still holds them"
    assert not (home / "datasets").exists()
    prices.unlink()
    with pytest.raises(SystemExit) as left:
        main(["runs", "replay", "r", "--home", str(home), "--language", "en"])
    told = capsys.readouterr()
    assert left.value.code == 2
    assert "--data" in told.err.strip().splitlines()[-1]


@pytest.mark.parametrize(("name", "code"), [("nobody", "unknown_run"), ("open", "no_result")])
def test_what_cannot_be_replayed_is_named(tmp_path, prices, name, code):
    _, home = run(tmp_path, prices, approve=True, max_iterations=1)
    (home / "runs" / "r").rename(home / "runs" / "open")
    with pytest.raises(ReportError) as caught:
        replay_run(name, home)
    assert caught.value.code == code
