"""A review reads, proposes and debates; it tests nothing, changes nothing and leaves the holdout closed."""

import json

import pytest

import threadx
from backtest import run_backtest
from nodes.optimization import backtest_variant
from record.record import RunRecord
from tests.answers import by_role, turn
from tests.optimization_runs import ALL_RULES
from tests.prices import made_up_prices
from tests.run_lines import lines
from tests.scripted import scripted_models
from threadx.command import main

PARAMS = {"fast_period": 5, "slow_period": 20, "stop_loss_pct": 2.0}


@pytest.fixture(scope="module")
def df():
    return made_up_prices(900, cycle=0.05)


def test_a_review_tells_what_the_backtest_is_worth_and_what_might_be_changed(tmp_path, df):
    result = threadx.review(df, params=PARAMS, home=str(tmp_path), language="en", run="v", **ALL_RULES)
    assert result.status == "finished"
    assert result.analysis["weaknesses"]
    assert len(result.proposals) >= 3
    for proposal in result.proposals:
        assert proposal["expected_effect"]
        assert proposal["reason"]
        assert proposal["verdict"]["decision"] in ("validated", "rejected")
    events = lines(RunRecord(tmp_path, "v"))
    assert {event["node"] for event in events if event["kind"] == "backtest"} == {"baseline"}
    assert not (tmp_path / "datasets" / "holdout_openings.jsonl").exists()
    report = (result.folder / "report.md").read_text(encoding="utf-8")
    assert result.proposals[0]["sentence"] in report
    assert "Nothing was tested" in report
    assert json.loads((result.folder / "result.json").read_text(encoding="utf-8")) == result.details


def test_no_strategy_but_the_given_one_is_ever_run(tmp_path, df, monkeypatch):
    """Whatever a role says, the engine sees the initial strategy alone."""
    specs = set()

    def watched(prices, spec, **more):
        specs.add(spec.hash)
        return run_backtest(prices, spec, **more)

    def forbidden(*args, **more):
        raise AssertionError("a review tests nothing")

    monkeypatch.setattr("backtest.validation.traded.run_backtest", watched)
    monkeypatch.setattr(backtest_variant, "tools", forbidden)
    scripted_models(monkeypatch, {"ollama:m": [by_role] * 30})
    team = {"analyst": "m", "strategist": "m", "validator": "m", "cache_hours": 0.0}
    result = threadx.review(df, params=PARAMS, home=str(tmp_path), **team)
    assert specs == {result.details["strategy"]["hash"]}


def test_the_debate_of_a_review_hears_the_proposals(tmp_path, df, monkeypatch):
    script = scripted_models(
        monkeypatch, {"ollama:m": [lambda request: by_role(request, turn=turn("stop"))] * 9}
    )
    team = {"analyst": "m", "strategist": "m", "validator": "m", "cache_hours": 0.0, "language": "en"}
    result = threadx.review(df, params=PARAMS, home=str(tmp_path), **team)
    assert result.details["debate"]["decision"] == "stop"
    spoken = [request for request in script.calls["ollama:m"] if "claims" in request.schema["properties"]]
    assert len(spoken) == 3
    assert "deserves further research" in spoken[0].user
    assert result.proposals[0]["sentence"] in spoken[0].closing


@pytest.mark.parametrize(
    ("settings", "absent"),
    [({"use_validator": False}, "validator"), ({"use_debate": False}, "consensus")],
)
def test_validator_and_debate_can_be_left_out(tmp_path, df, settings, absent):
    threadx.review(df, params=PARAMS, home=str(tmp_path), run="v", **ALL_RULES, **settings)
    assert absent not in {event["node"] for event in lines(RunRecord(tmp_path, "v"))}


def test_a_review_without_a_strategist_fails_and_says_so(tmp_path, df, monkeypatch):
    scripted_models(monkeypatch, {})
    result = threadx.review(
        df, params=PARAMS, home=str(tmp_path), analyst="rules", strategist="away", validator="rules"
    )
    assert result.status == "failed"
    assert result.proposals == ()


def test_the_command_reviews_shows_and_replays(tmp_path, df, capsys):
    path = tmp_path / "TEST_1h.csv"
    df.to_csv(path)
    rules = [part for role, model in ALL_RULES.items() for part in (f"--{role}", model)]

    def call(*arguments):
        with pytest.raises(SystemExit) as left:
            main([*map(str, arguments), "--home", str(tmp_path / "h"), "--language", "en"])
        return left.value.code, capsys.readouterr()

    code, told = call("review", path, *rules, "--run", "v", "--json", "-")
    assert code == 0
    whole = json.loads(told.out)
    code, told = call("runs", "show", "v", "--json", "-")
    assert json.loads(told.out) == whole
    code, told = call("runs", "show", "v")
    assert "Nothing was tested or changed" in told.out
    code, told = call("runs", "replay", "v")
    assert code == 0
    assert "is reproduced byte for byte" in told.out
    code, told = call("runs", "list")
    assert "finished" in told.out
