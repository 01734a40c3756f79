"""An hour that was made later, by models that may have read what followed it, is told and kept apart."""

from __future__ import annotations

import json

import pytest

from nodes.ensemble.operation.partition import read_trace
from nodes.ensemble.scores.scoring import Scorer, kind_of
from nodes.ensemble.scores.track_record import keep_standing
from prompts import Words
from tests.nodes.ensemble.test_graph import run
from tests.nodes.ensemble.test_scoring import hour, market, prices
from tests.partitions import AS_OF, fill
from tests.scripted import scripted_models
from threadx.command import main

KNOWN, FRESH, UNKNOWN = "ollama:llama3.3:70b", "ollama:gpt-oss:20b", "ollama:m"
"""Training data that end on 2023-12-31 and on 2024-06-30, as the makers say, and nobody knows when."""

THIRD = [0.4, 0.3, 0.3]


def line(when, *, live=False, **models):
    voices = {voice: {"model": model, "7d": THIRD, "30d": THIRD} for voice, model in models.items()}
    return {"hour": when, "live": live, "voices": voices}


@pytest.mark.parametrize(
    ("model", "when", "kind"),
    [
        (KNOWN, "2024010100", "back_after"),
        (KNOWN, "2023123123", "back_within"),
        (FRESH, "2024031412", "back_within"),
        (UNKNOWN, "2030010100", "back_unknown"),
        ("rules", "2010010100", "back_rules"),
    ],
)
def test_a_voice_is_as_clean_as_its_model(model, when, kind):
    assert kind_of(line(when, technical=model), "technical") == kind
    assert kind_of(line(when, technical=model, live=True), "technical") == "live"


def test_who_hears_a_voice_that_remembers_is_in_its_class():
    said = line("2024031412", technical=FRESH, macro="rules", sentiment=UNKNOWN, pool="rules", arbiter=KNOWN)
    kinds = {voice: kind_of(said, voice) for voice in said["voices"]}
    assert kinds == {
        "technical": "back_within",
        "macro": "back_rules",
        "sentiment": "back_unknown",
        "pool": "back_within",
        "arbiter": "back_within",
    }
    alone = line("2024031412", technical="rules", pool="rules", arbiter=FRESH)
    assert kind_of(alone, "pool") == "back_rules", "the mean was computed before the arbiter spoke"
    assert kind_of(alone, "arbiter") == "back_within"


def test_only_what_cannot_be_remembered_gives_a_weight(tmp_path):
    history = market(prices(days=1200))  # from 2022 on
    factors = {}
    for model in (KNOWN, FRESH, UNKNOWN):
        scorer = Scorer(history)
        for day in range(740, 880):  # from January to May 2024
            truth = history.outcome(hour(day), "7d", hour(day + 7)).outcome
            said = line(f"{hour(day):%Y%m%d%H}", technical=model)
            said["voices"]["technical"]["7d"] = [0.9 if k == truth else 0.05 for k in range(3)]
            scorer.add([said])
        scorer.advance(hour(900))
        (kind,) = {row["kind"] for row in scorer.rows()}
        factors[kind] = keep_standing(tmp_path / kind, hour(900), scorer)["technical"]
    assert factors.keys() == {"back_after", "back_within", "back_unknown"}
    assert factors["back_after"] > 1.2
    assert factors["back_within"] == factors["back_unknown"] == 1.0


def command(*given, out):
    with pytest.raises(SystemExit):
        main([*given])
    return out.readouterr().out


def published(tmp_path, monkeypatch, model, language):
    stance = {"positive": 0.6, "neutral": 0.2, "negative": 0.2}
    report = {
        "outlook_days_7": stance,
        "outlook_days_30": stance,
        "drivers": [{"text": "Hausse.", "evidence": ["T1"]}],
        "confidence": 0.7,
    }
    scripted_models(monkeypatch, {model: [json.dumps(report)]})
    state = run(fill(tmp_path), technical=model, language=language)
    return state["summary"], read_trace(tmp_path, AS_OF)["run"]["memory"]


@pytest.mark.parametrize(
    ("model", "label", "until", "told"),
    [
        (FRESH, "within", "2024-06-30", {"fr": "au-delà de cette heure", "en": "reach beyond this hour"}),
        (UNKNOWN, "unknown", None, {"fr": "n’est pas connue", "en": "is unknown"}),
        (KNOWN, "after", "2023-12-31", {}),
        ("rules", None, None, {}),
    ],
    ids=["within", "unknown", "after", "rules"],
)
def test_the_hour_says_what_its_models_may_remember(tmp_path, monkeypatch, capsys, model, label, until, told):
    for language in ("fr", "en"):
        summary, memory = published(tmp_path / language, monkeypatch, model, language)
        limits = dict(zip(summary["limit_codes"], summary["limits"], strict=False))
        codes = [code for code in limits if code.startswith("memory")]
        assert codes == ([f"memory_{label}"] if told else [])
        if told:
            assert told[language] in limits[codes[0]]
            assert model in limits[codes[0]]
            assert until is None or Words(language).day(until) in limits[codes[0]]
        assert memory == (label and {"label": label, "models": {model: {"label": label, "until": until}}})
    asked = ["ensemble", "history", "--home", str(tmp_path / "en"), "--language", "en"]
    (row,) = json.loads(command(*asked, "--json", "-", out=capsys))["hours"]
    assert row["memory"] == label
    shown = {"within": "inside", "unknown": "unknown", "after": "after"}
    told = command(*asked, out=capsys)
    assert (shown[label] in told.split()) if label else ("Training:" not in told)
