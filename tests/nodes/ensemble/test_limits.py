"""Every limit names its true cause, in the reader's language."""

from __future__ import annotations

import json
from typing import Any

import pytest

import threadx
from base.errors import LANGUAGES, catalogue
from nodes.ensemble.claims import silences
from nodes.ensemble.claims.silences import reasons_of
from prompts import Words
from providers.errors import DeadlineError, RefusedError, UnavailableError
from reports.tables import instrument
from tests.partitions import AS_OF, fill, forecast, news, write
from tests.scripted import scripted_models

BREAKER = UnavailableError("breaker_open", model="g4f:deepseek-r1", failed=3, tries=3, hours=2.4)
WAITING = UnavailableError("breaker_open", model="g4f:deepseek-r1", failed=3, tries=3, hours=0.0)
DOWN = UnavailableError("unreachable", model="ollama:m", address="http://127.0.0.1:1")
NOT_PULLED = UnavailableError("model_not_pulled", model="ollama:m", address="x", name="m")
CHAIN = ("g4f:deepseek-r1", "ollama:m", "rules")

WHY = [
    pytest.param(
        BREAKER, "disjoncteur ouvert, prochain essai dans 2,4 h", "circuit breaker open", id="breaker"
    ),
    pytest.param(WAITING, "déjà appelé par un autre agent", "already called by another agent", id="queue"),
    pytest.param(
        DeadlineError("time_out", model="g4f:deepseek-r1", seconds=30),
        "délai dépassé",
        "timed out",
        id="deadline",
    ),
    pytest.param(
        DeadlineError("no_time_left", model="g4f:deepseek-r1"),
        "temps épuisé",
        "out of time",
        id="chain's deadline",
    ),
    pytest.param("Ni chaud ni froid.", "réponse refusée, pas de JSON", "answer refused, no JSON", id="prose"),
    pytest.param(
        '{"a": 1}', "réponse refusée, structure incorrecte", "answer refused, wrong structure", id="schema"
    ),
    pytest.param(
        RefusedError("payment_required", model="g4f:deepseek-r1", detail="402"),
        "paiement demandé",
        "payment required",
        id="payment",
    ),
    pytest.param(DOWN, "injoignable", "unreachable", id="down"),
]


def limits_of(home: Any, **settings: Any) -> list[str]:
    result = threadx.summarize(as_of=AS_OF.isoformat(), home=str(home), **{"models": "rules", **settings})
    return list(result.summary["limits"])


@pytest.mark.parametrize(("failure", "french", "english"), WHY)
@pytest.mark.parametrize("language", ["fr", "en"])
def test_an_agent_that_abstains_says_why_its_model_did_not_answer(
    tmp_path, monkeypatch, failure, french, english, language
):
    scripted_models(monkeypatch, {"g4f:deepseek-r1": [failure] * 9})
    told = limits_of(fill(tmp_path), technical="g4f:deepseek-r1", language=language)
    (line,) = [one for one in told if one.startswith(("L’agent technique", "The technical agent"))]
    assert (french if language == "fr" else english) in line
    assert "(g4f:deepseek-r1)" in line


@pytest.mark.parametrize("failure", [pytest.param(p.values[0], id=p.id) for p in WHY])
def test_no_model_answered_is_said_only_where_none_was_asked_and_none_could(tmp_path, monkeypatch, failure):
    scripted_models(monkeypatch, {"g4f:deepseek-r1": [failure] * 40, "ollama:m": [NOT_PULLED] * 10})
    told = " ".join(limits_of(fill(tmp_path), models=CHAIN))
    never_asked = failure in (BREAKER, WAITING, DOWN) or getattr(failure, "code", "") == "no_time_left"
    assert ("Aucun modèle de langage n’a répondu, car aucun n’a pu être interrogé" in told) == never_asked
    assert "Aucun modèle disponible" not in told
    assert "modèle non téléchargé (ollama:m)" in told
    if not never_asked:
        # After so many failures of the agents the arbiter may meet an open breaker: then it says that.
        assert "Des règles fixes ont répondu à la place de" in told


def test_agents_with_different_reasons_are_told_apart(tmp_path, monkeypatch):
    scripted_models(monkeypatch, {"ollama:slow": [DeadlineError("time_out", model="ollama:slow", seconds=9)]})
    gone = ("ollama:gone", "rules")
    told = limits_of(fill(tmp_path), technical=("ollama:slow", "rules"), macro=gone, quality=gone)
    assert (
        "Des règles fixes ont répondu à la place de l’agent technique\u00a0: délai dépassé (ollama:slow)."
        in told
    )
    assert (
        "Des règles fixes ont répondu à la place de l’agent macro et de l’agent qualité\u00a0: "
        "injoignable (ollama:gone)." in told
    )


def test_rules_by_choice_are_no_failure(tmp_path):
    told = " ".join(limits_of(fill(tmp_path)))
    assert "comme demandé" in told
    assert "n’a répondu" not in told


def test_the_last_failure_of_a_model_counts_and_a_broken_cache_is_no_reason():
    attempts = [
        {"model": "a:b", "outcome": "error", "code": "cache_failed", "fields": {}},
        {"model": "a:b", "outcome": "error", "code": "server_error", "fields": {}},
        {"model": "a:b", "outcome": "error", "code": "rate_limited", "fields": {}},
        {"model": "rules", "outcome": "answered", "code": "", "fields": {}},
    ]
    found: Any = {"model": "rules", "degraded": True, "attempts": attempts}
    assert reasons_of(found, Words("en")) == "too many requests (a:b)"
    for code in ("not_json", "two_answers", "nothing_said"):
        refused: Any = {**found, "attempts": [{**attempts[1], "code": code}]}
        assert reasons_of(refused, Words("en")).startswith("answer refused, ")
    assert reasons_of({**found, "attempts": []}, Words("en")) == "no model configured"
    assert reasons_of(None, Words("fr")) == "aucun modèle configuré"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_code_has_words_in_both_languages(language):
    assert set(catalogue("failure", language)) >= silences.NEVER_REACHED | silences.REFUSED


@pytest.mark.parametrize("symbol", ["GC=F", "CL=F", "^VIX", "EURUSD=X", "XLU", "BTC-USD", "MC.PA"])
@pytest.mark.parametrize("language", ["fr", "en"])
def test_a_symbol_of_the_exchanges_is_called_by_its_name(symbol, language):
    assert instrument(symbol, Words(language)) != symbol
    assert instrument(symbol, Words(language)).endswith(f"({symbol})")


def test_no_bare_symbol_stands_in_a_summary(tmp_path):
    root = fill(tmp_path)
    (root / "forecast/dt=20240314/final.parquet").unlink()
    rows = [forecast(name, horizon, "up", 0.7) for name in ("GC=F", "CL=F") for horizon in ("1w", "1m")]
    write(root / "forecast/dt=20240314/forecasts.parquet", rows)
    result = threadx.summarize(as_of=AS_OF.isoformat(), home=str(root), models="rules", language="en")
    told = json.dumps([result.summary["key_drivers"], result.summary["recommendations"]])
    assert "gold (GC=F)" in told
    assert "GC=F" not in told.replace("(GC=F)", "")


SECTORS = ["Technology"] * 40 + ["Financial Services"] * 20 + ["Energy"] * 5 + ["Utilities"]


@pytest.mark.parametrize(
    ("hints", "told"),
    [
        pytest.param(SECTORS, True, id="few utilities"),
        pytest.param(SECTORS[::4], False, id="too few headlines to tell"),
        pytest.param([None] * 70, False, id="sectors not known"),
    ],
)
def test_a_sector_hardly_covered_is_told_where_sectors_are_known(tmp_path, hints, told):
    root = fill(tmp_path)
    items = [news(f"Report {number}", sector_hint=hint) for number, hint in enumerate(hints)]
    write(root / "news/dt=20240314/news_110000.parquet", items)
    found = [one for one in limits_of(root) if "secteurs" in one]
    assert bool(found) == told
    if told:
        assert "services aux collectivités (1)" in found[0]
        assert "technologie" not in found[0]
