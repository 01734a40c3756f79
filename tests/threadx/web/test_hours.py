"""The published hours as their page shows them: which one, what changed, what is damaged; and the logs."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from nodes.ensemble.operation import run_log
from nodes.ensemble.operation.run_log import append_run
from nodes.ensemble.schemas import Change
from prompts import Words
from providers import Health
from providers.calls_log import CallsLog
from threadx.web.hours import history, hour_key, parse_hour, read_hour
from threadx.web.observability_page import alarms
from threadx.web.summary_page import change_in_words
from threadx.web.watching import watched


def summary(**differing: Any) -> dict[str, Any]:
    row = {
        "source": "macro",
        "model": "regime",
        "horizon": "1m",
        "symbol": "US",
        "score": 0.5,
        "prediction": "neutre",
        "rationale": "r",
    }
    return {
        "regime": "incertain",
        "risk_level": "low",
        "outlook_days_7": "neutral",
        "outlook_days_30": "neutral",
        "key_drivers": ["a", "b", "c"],
        "contributors": [row] * 3,
        "limits": [],
        "recommendations": ["x", "y", "z"],
        "tensions": [],
        **differing,
    }


def publish(home: Path, hour: str, content: Any) -> None:
    folder = home / "llm_summary" / f"dt={hour}"
    folder.mkdir(parents=True)
    text = content if isinstance(content, str) else json.dumps(content)
    (folder / "summary.json").write_text(text, encoding="utf-8")


def test_the_newest_hour_is_shown_unless_another_is_asked_for(tmp_path: Path) -> None:
    for hour in ("2026112109", "2026112110", "latest"):
        publish(tmp_path, hour, summary())
    newest = read_hour(tmp_path)
    assert newest is not None
    assert hour_key(newest.hour) == "2026112110"
    earlier = read_hour(tmp_path, datetime(2026, 11, 21, 9, tzinfo=UTC))
    assert earlier is not None
    assert (hour_key(earlier.hour), earlier.since) == ("2026112109", None)
    assert read_hour(tmp_path, datetime(2026, 11, 21, 8, tzinfo=UTC)) is None


@pytest.mark.parametrize("text", ["", "latest", "../../secret", "2026112199", "20261121", "２０２６112110"])
def test_what_is_no_hour_is_none(text: str) -> None:
    assert parse_hour(text) is None


def test_damaged_hour_hides_neither_itself_nor_its_neighbours(tmp_path: Path) -> None:
    publish(tmp_path, "2026112109", "{")
    publish(tmp_path, "2026112110", summary())
    damaged = read_hour(tmp_path, datetime(2026, 11, 21, 9, tzinfo=UTC))
    assert damaged is not None
    assert damaged.summary is None
    assert [(hour_key(hour), told is None, turned) for hour, told, turned in history(tmp_path)] == [
        ("2026112110", False, None),
        ("2026112109", True, None),
    ]


def test_differences_from_the_hour_before_are_told(tmp_path: Path) -> None:
    publish(tmp_path, "2026112109", summary())
    publish(tmp_path, "2026112111", summary(risk_level="high", recommendations=["w", "y", "z"]))
    (_, now, turned), (_, before, none) = history(tmp_path)
    assert now is not None
    assert before is not None
    assert none is None
    assert turned == [Change(kind="risk_level", before="low", now="high"), *turned[1:]]
    assert [(one.kind, one.before, one.now) for one in turned[1:]] == [
        ("recommendation", None, "w"),
        ("recommendation", "x", None),
    ]
    assert change_in_words(Words("en"), turned) == "Risk level: low → high; recommendations: 2"
    assert change_in_words(Words("en"), []) == "no change"
    # A summary of an earlier version compares nothing itself: the page does.
    shown = read_hour(tmp_path)
    assert shown is not None
    assert (shown.since, shown.changes) == ("2026-11-21T09:00:00+00:00", tuple(turned))


def test_an_empty_data_folder_has_nothing_to_show(tmp_path: Path) -> None:
    assert read_hour(tmp_path) is None
    assert history(tmp_path) == []
    found = watched(tmp_path)
    assert (found.runs, found.models, found.success, found.cache_share, found.tokens) == (
        (),
        (),
        None,
        None,
        0,
    )
    assert list(tmp_path.iterdir()) == []


def run(status: str, seconds: float) -> dict[str, Any]:
    return {
        "run": "r",
        "hour": "2026-11-21T09:00:00+00:00",
        "status": status,
        "failure": "",
        "seconds": seconds,
    }


def test_the_last_ten_runs_and_the_weeks_figures(tmp_path: Path) -> None:
    for second in range(12):
        append_run(tmp_path, run("finished" if second else "failed", float(second)))
    found = watched(tmp_path)
    assert [line["seconds"] for line in found.runs] == [float(second) for second in range(11, 1, -1)]
    assert found.success == pytest.approx(11 / 12)
    assert found.week.p95_seconds == run_log.quantile([float(second) for second in range(12)], 0.95)


def test_calls_are_counted_by_model_and_the_cache_apart(tmp_path: Path) -> None:
    log = CallsLog(tmp_path / "logs")
    base = {"kind": "call", "role": "macro", "attempt": 1, "prompt_tokens": 10, "answer_tokens": 5}
    for outcome, code, cached in (
        ("answered", "", False),
        ("answered", "", True),
        *[("error", "limit_notice", False)] * 2,
    ):
        log.append(
            {**base, "model": "g4f:x", "outcome": outcome, "code": code, "seconds": 2.0, "cached": cached}
        )
    (model,) = watched(tmp_path).models
    assert (model.model, model.tries, model.answered, model.cached) == ("g4f:x", 3, 1, 1)
    assert (model.prompt_tokens + model.answer_tokens, model.p95_seconds) == (60, 2.0)
    assert model.circuit.is_open
    assert model.last_failure == "limit_notice"
    assert watched(tmp_path).cache_share == 0.5


@pytest.mark.parametrize(("down", "told"), [(7, True), (5, True), (4, False), (0, False)])
def test_most_models_down_is_an_alarm(tmp_path: Path, down: int, told: bool) -> None:
    health = [Health(f"m{one}", one >= down, "ready", "") for one in range(8)]
    assert alarms(watched(tmp_path), health, Words("en")) == (
        [f"Alert: {down} of 8 models do not answer."] if told else []
    )
