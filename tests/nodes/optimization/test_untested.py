"""A run in which nothing was tested: the holdout stays closed, nothing is judged, and every face says so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import threadx
from prompts import Language, Words
from record.errors import ReportError
from record.record import RunRecord
from tests.answers import by_role, proposals, verdicts, work
from tests.laws import some
from tests.optimization_runs import run_graph
from tests.prices import made_up_prices
from tests.run_lines import lines
from tests.scripted import scripted_models
from threadx.audit.checking import check_run
from threadx.command import main
from threadx.reporting import run_document
from threadx.views import holdout_view
from threadx.web.listing import list_runs
from threadx.web.pictures import Asked, NothingToDraw, drawn

TEAM = {"analyst": "m", "strategist": "m", "validator": "m", "cache_hours": 0.0, "max_iterations": 2}


def rejecting(request: Any) -> str:
    """Every proposal is found wanting."""
    return by_role(request, verdicts=verdicts(*["rejected"] * 3), work=work(*["rejected"] * 3))


def repeating(request: Any) -> str:
    """Proposes what the strategy is already."""
    return by_role(
        request, proposals=proposals({"kind": "param_adjustment", "parameter": "fast_period", "value": 5})
    )


WAYS: dict[str, tuple[dict[str, Any], list[Any]]] = {
    "nobody answers": ({}, []),
    "the validator rejects everything": ({}, [rejecting] * 99),
    "one agent rejects its own proposals": ({"roles": "single"}, [rejecting] * 99),
    "nothing is proposed but what stands": ({}, [repeating] * 99),
    "no call is left for the proposals": ({"max_model_calls": 1}, [by_role] * 99),
    "no backtest is left": ({"max_backtests": 1}, [by_role] * 99),
    "an answer that is none": ({}, ["nonsense"] * 99),
}


@pytest.fixture(scope="module", params=WAYS, ids=list(WAYS))
def home(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a run, `r`, in which nothing is tested."""
    folder = tmp_path_factory.mktemp("home")
    settings, steps = WAYS[request.param]
    with pytest.MonkeyPatch.context() as patch:
        scripted_models(patch, {"ollama:m": [*steps]} if steps else {})
        state, _ = run_graph(folder, given={"run": "r"}, **{**TEAM, **settings})
    assert state["result"]["verdict"] == RunRecord(folder, "r").result()["verdict"]
    return folder


@pytest.fixture
def untested(home: Path) -> dict[str, Any]:
    """Its result, as any program reads it."""
    told: dict[str, Any] = json.loads((home / "runs" / "r" / "result.json").read_text(encoding="utf-8"))
    return told


def test_the_holdout_stays_closed_and_nothing_is_judged(home: Path, untested: dict[str, Any]) -> None:
    assert not [one for entry in untested["history"] for one in entry["trials"] if one["backtests"]]
    assert not (home / "datasets" / "holdout_openings.jsonl").exists()
    events = lines(RunRecord(home, "r"))
    assert "holdout" not in {event["kind"] for event in events}
    assert {event["id"] for event in events} >= {cited for event in events for cited in event["cites"]}
    assert untested["status"] in ("untested", "failed")
    assert untested["verdict"] is None
    assert untested["holdout_metrics"] is None
    assert untested["champion"]["strategy"] == untested["initial"]["strategy"]


@pytest.mark.parametrize("language", some(["fr", "en"], ["fr"]))
def test_every_face_says_so(
    home: Path, untested: dict[str, Any], language: Language, capsys: pytest.CaptureFixture[str]
) -> None:
    words = Words(language)
    said = words("explain.untested")
    report = run_document(home, "r", words)
    assert said in [block.text for block in report.blocks if hasattr(block, "text")]
    (listed,), _ = list_runs(home)
    assert listed.line.status == untested["status"]
    assert words(f"web.runs.{listed.line.status}") != words("web.runs.finished")
    with pytest.raises(SystemExit):
        main(["runs", "show", "r", "--home", str(home), "--language", language])
    told = " ".join(capsys.readouterr().out.split())
    assert " ".join(said.split()[:4]) in told
    asked = Asked(run="r", what="holdout", suffix=".svg", width="wide", dark=False, version=0)
    with pytest.raises(NothingToDraw):
        drawn(home, asked, language)


def test_its_record_holds(home: Path) -> None:
    found = check_run("r", home)
    assert found.agrees
    assert not (home / "datasets" / "holdout_openings.jsonl").exists()


def test_a_person_who_rejects_everything_opens_nothing(tmp_path: Path) -> None:
    result = threadx.optimize(
        made_up_prices(cycle=0.05),
        symbol="TEST",
        timeframe="1h",
        home=str(tmp_path),
        max_iterations=1,
        approve=True,
        decide=lambda waiting: {"reject": [one["number"] for one in waiting.question["proposals"]]},
        **dict.fromkeys(("analyst", "strategist", "validator"), "rules"),
    )
    assert (result.status, result.holdout_metrics) == ("untested", None)
    assert not (tmp_path / "datasets" / "holdout_openings.jsonl").exists()
    record = RunRecord(tmp_path, result.run)
    with pytest.raises(ReportError) as refused:
        holdout_view(record, result.details, Words("en"))
    assert refused.value.code == "holdout_closed"


def test_the_command_does_not_end_well(tmp_path: Path) -> None:
    path = tmp_path / "TEST_1h.csv"
    made_up_prices(cycle=0.05).to_csv(path)
    rules = [f"--{role}=rules" for role in ("analyst", "strategist", "validator")]
    with pytest.raises(SystemExit) as left:
        main(["optimize", str(path), *rules, "--max-backtests=1", f"--home={tmp_path / 'home'}"])
    assert left.value.code == 1
    assert not list((tmp_path / "home").rglob("holdout_openings.jsonl"))


def test_one_test_is_enough_for_a_judgement(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = verdicts("validated", "rejected", "rejected")
    scripted_models(monkeypatch, {"ollama:m": [lambda request: by_role(request, verdicts=one)] * 99})
    state, _ = run_graph(tmp_path, **{**TEAM, "max_iterations": 1})
    assert state["result"]["status"] == "finished"
    assert state["result"]["verdict"]["value"] == state["judgement"]["verdict"]["value"]
    openings = (tmp_path / "datasets" / "holdout_openings.jsonl").read_text(encoding="utf-8")
    assert len(openings.splitlines()) == 1
