"""A summary leads with what has changed since the last one published; one line says so where nothing has."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

import threadx
from graphs.ensemble import graph
from nodes.ensemble.changes import changes_between, last_published
from nodes.ensemble.context import EnsembleContext
from nodes.ensemble.operation.run_log import append_failure
from nodes.ensemble.schemas import LLMEnsembleSummary
from prompts import Words
from reports.markdown import to_markdown
from tests.commands import threadx as threadx_command
from tests.nodes.ensemble.test_recommendations import GOOD, answer, one
from tests.partitions import AS_OF, fill, forecast, write
from tests.scripted import scripted_models
from threadx.reporting import hour_document


def summed_up(home: Any, hours: int = 0, **settings: Any) -> dict[str, Any]:
    moment = AS_OF + timedelta(hours=hours)
    context = EnsembleContext(home=str(home), **{"models": "rules", "language": "en", **settings})
    return dict(graph.invoke({"as_of": moment.isoformat()}, context=context)["summary"])


def test_the_first_hour_has_nothing_to_be_compared_with(tmp_path):
    told = summed_up(fill(tmp_path))
    assert (told["since"], told["changes"]) == (None, [])


def test_nothing_new_is_one_line_first_everywhere(tmp_path):
    summed_up(fill(tmp_path))
    told = summed_up(tmp_path, 1)
    assert (told["since"], told["changes"]) == (AS_OF.isoformat(), [])
    line = "Nothing has changed since the summary of 14\u00a0Mar\u00a02024, 15:00\u00a0UTC."
    report = to_markdown(hour_document(tmp_path, AS_OF + timedelta(hours=1), Words("en"), drawn=False))
    assert line in report
    assert report.index(line) < report.index("Economic regime")
    size = Words("en")(f"ensemble.size.{told['recommendation_details'][0]['size']}")
    assert f"{size}. Expected move: " in report


def test_an_outlook_advice_and_limits_that_turn_are_told_by_code(tmp_path):
    before = summed_up(fill(tmp_path))
    assert before["outlook_days_30"] == "positive"
    rows = [forecast(f"N{number}", horizon, "down", 0.9) for number in range(9) for horizon in ("1w", "1m")]
    write(tmp_path / "forecast/dt=20240314/forecasts.parquet", rows)
    (tmp_path / "forecast/dt=20240314/final.parquet").unlink()
    told = summed_up(tmp_path, 1)
    kinds = {change["kind"] for change in told["changes"]}
    assert {"outlook_days_30", "recommendation", "limit"} <= kinds
    turned = next(change for change in told["changes"] if change["kind"] == "outlook_days_30")
    assert (turned["before"], turned["now"]) == ("positive", told["outlook_days_30"])
    gone = [
        change["before"]
        for change in told["changes"]
        if change["kind"] == "recommendation" and not change["now"]
    ]
    assert gone
    assert set(gone) <= set(before["recommendations"])
    new = [change["now"] for change in told["changes"] if change["kind"] == "limit"]
    assert any("final.parquet" in limit for limit in new)
    report = to_markdown(hour_document(tmp_path, AS_OF + timedelta(hours=1), Words("fr"), drawn=False))
    assert report.index("depuis la synthèse du 14\u00a0mars\u00a02024, 15:00\u00a0UTC") < report.index(
        "Régime"
    )
    assert "Perspective à 30 jours\u00a0: positive → " in report


def test_other_words_for_the_same_advice_are_no_change(tmp_path, monkeypatch):
    reworded = [{**item, "sentence": f"{item['sentence'].removesuffix('.')}, as before."} for item in GOOD]
    scripted_models(monkeypatch, {"ollama:m": [answer(*GOOD), answer(*reworded)]})
    summed_up(fill(tmp_path), arbiter="ollama:m")
    assert summed_up(tmp_path, 1, arbiter="ollama:m")["changes"] == []


def test_another_act_is_a_change(tmp_path, monkeypatch):
    other = [*GOOD[:2], one("wait")]
    scripted_models(monkeypatch, {"ollama:m": [answer(*GOOD), answer(*other)]})
    summed_up(fill(tmp_path), arbiter="ollama:m")
    found = summed_up(tmp_path, 1, arbiter="ollama:m")["changes"]
    assert found == [
        {"kind": "recommendation", "before": None, "now": other[2]["sentence"]},
        {"kind": "recommendation", "before": GOOD[2]["sentence"], "now": None},
    ]


def test_a_limit_whose_hours_move_on_is_the_same_limit(tmp_path):
    before, told = (summed_up(fill(tmp_path), hours) for hours in (125, 126))
    assert before["limits"] != told["limits"]
    assert any("late source" in limit.lower() or "outdated" in limit.lower() for limit in told["limits"])
    assert told["changes"] == []


def test_an_alert_raised_since_is_told(tmp_path):
    summed_up(fill(tmp_path))
    for _ in range(3):
        append_failure(tmp_path, hour=None, code="no_data", seconds=1.0)
    told = summed_up(tmp_path, 1)
    assert set(told["alerts"]) == {"success", "failures"}
    assert [(change["kind"], change["now"]) for change in told["changes"]] == [
        ("alert", "success"),
        ("alert", "failures"),
    ]


def test_a_rerun_of_an_hour_is_compared_with_the_hour_before(tmp_path):
    summed_up(fill(tmp_path))
    assert summed_up(tmp_path, 2) == summed_up(tmp_path, 2)


def test_the_sample_is_compared_with_nothing_but_the_sample(tmp_path):
    threadx.summarize(data="sample", home=str(tmp_path), models="rules", language="en")
    assert summed_up(fill(tmp_path))["since"] is None


def test_the_last_published_is_found_far_back_and_damaged_ones_are_passed_over(tmp_path):
    summed_up(fill(tmp_path))
    summed_up(tmp_path, 1)
    damaged = tmp_path / "llm_summary/dt=2024031416/summary.json"
    damaged.write_text("{", encoding="utf-8")
    found = last_published(tmp_path, AS_OF + timedelta(days=40), sample=False)
    assert found is not None
    assert found[0] == AS_OF


def old(**more: Any) -> LLMEnsembleSummary:
    content = {**json.loads(answer(*GOOD)), "recommendations": ["Do this.", "Do that.", "Wait."], **more}
    return LLMEnsembleSummary.model_validate(content)


def test_summaries_of_earlier_versions_are_compared_by_what_they_have():
    found = changes_between(old(limits=["30 hours late."]), old(risk_level="high", limits=["31 hours late."]))
    assert [(change.kind, change.before, change.now) for change in found] == [("risk_level", "low", "high")]


@pytest.mark.parametrize("language", ["fr", "en"])
def test_the_terminal_begins_with_it(tmp_path, language, monkeypatch):
    monkeypatch.setenv("THREADX_LANGUAGE", language)
    summed_up(fill(tmp_path), language=language)
    moment = f"{AS_OF + timedelta(hours=1):%Y-%m-%dT%H}"
    given = ["ensemble", "run", "--as-of", moment, "--models", "rules", "--home", str(tmp_path)]
    code, out, err = threadx_command(*given)
    assert code == 0, err
    shown = " ".join(out.split())
    line = {"fr": "Rien n’a changé depuis la synthèse du", "en": "Nothing has changed since the summary of"}[
        language
    ]
    first = {"fr": "Régime économique", "en": "Economic regime"}[language]
    assert shown.index(line) < shown.index(first)
