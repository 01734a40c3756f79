"""Recommendations are typed: what to do, with what, how long and how much; dates and amounts by code."""

from __future__ import annotations

import json
from typing import Any

import pytest

import threadx
from nodes.ensemble.case import summary_of
from nodes.ensemble.claims.languages import is_in
from nodes.ensemble.schemas import LLMEnsembleSummary
from nodes.ensemble.scores.track_record import standing_path
from providers.calls_log import append_line
from tests.partitions import AS_OF, fill, forecast, write
from tests.scripted import scripted_models

ENGLISH = {
    "keep": "Stay invested with care.",
    "add": "Add a little SPY.",
    "reduce": "Trim gold (GLD) a little.",
    "wait": "Wait for the next summary.",
    "hedge": "Keep 20% in cash.",
}


def one(act: str = "keep", instrument: str = "MARKET", **more: Any) -> dict[str, Any]:
    told = {"act": act, "instrument": instrument, "horizon": "30d", "size": "small"}
    return {**told, "sentence": ENGLISH[act], "reversal": "Inflation above 4%.", **more}


GOOD = [one("keep"), one("hedge"), one("add", "SPY")]


def answer(*recommendations: dict[str, Any], **more: Any) -> str:
    rows = [("SPY", "haussier"), ("QQQ", "haussier"), ("GLD", "baissier")]
    return json.dumps(
        {
            "regime": "expansion_modérée",
            "risk_level": "low",
            "outlook_days_7": "positive",
            "outlook_days_30": "positive",
            "key_drivers": ["One.", "Two.", "Three."],
            "contributors": [
                {
                    "source": "technique",
                    "model": "momentum",
                    "horizon": "7d",
                    "symbol": symbol,
                    "score": 0.7,
                    "prediction": prediction,
                    "rationale": "A clear signal.",
                }
                for symbol, prediction in rows
            ],
            "limits": [],
            "recommendations": recommendations,
            "tensions": [],
            **more,
        }
    )


def summed_up(home: Any, **settings: Any) -> dict[str, Any]:
    given = {"models": "rules", "arbiter": "ollama:m", "language": "en", **settings}
    return dict(threadx.summarize(as_of=AS_OF.isoformat(), home=str(home), **given).summary)


def test_code_adds_date_move_costs_and_record(tmp_path, monkeypatch):
    scripted_models(monkeypatch, {"ollama:m": [answer(*GOOD)]})
    told = summed_up(fill(tmp_path))
    assert told["recommendations"] == [item["sentence"] for item in GOOD]
    keep, _, add = told["recommendation_details"]
    assert (add["act"], add["instrument"], add["size"], add["sentence"]) == (
        "add",
        "SPY",
        "small",
        "Add a little SPY.",
    )
    assert add["until"] == "2024-04-13"
    assert (add["expected_move"], add["costs"]) == (0.01, 0.0024)
    assert (add["voice"], keep["voice"]) == ("technical", "arbiter")
    assert (add["skill"], add["windows"]) == (None, 0)


def test_the_record_of_the_voice_so_far_is_told_where_forecasts_were_scored(tmp_path, monkeypatch):
    based = {"technical": {"skill": -0.08, "windows": 12}, "arbiter": {"skill": 0.05, "windows": 9}}
    line = {"as_of": "2024-03-13T00:00:00+00:00", "factors": {"technical": 0.9}, "based_on": based}
    append_line(standing_path(fill(tmp_path)), line)
    scripted_models(monkeypatch, {"ollama:m": [answer(*GOOD)]})
    keep, _, add = summed_up(tmp_path)["recommendation_details"]
    assert (add["skill"], add["windows"], keep["skill"]) == (-0.08, 12, 0.05)


def test_instruments_are_those_of_the_hour(tmp_path, monkeypatch):
    root = fill(tmp_path)
    (root / "watchlist.json").write_text('["MC.PA"]', encoding="utf-8")
    script = scripted_models(monkeypatch, {"ollama:m": [answer(*GOOD)]})
    summed_up(root)
    schema = script.calls["ollama:m"][0].schema["$defs"]["Proposal"]["properties"]
    assert schema["instrument"]["enum"] == ["MARKET", "SPY", "QQQ", "GLD", "MC.PA"]
    assert schema["act"]["enum"] == ["keep", "add", "reduce", "wait", "hedge"]
    assert schema["horizon"]["enum"] == ["7d", "30d"]
    assert summary_of(("MARKET",)) is summary_of(("MARKET",))


def test_an_instrument_of_the_watchlist_alone_has_no_move(tmp_path, monkeypatch):
    root = fill(tmp_path)
    (root / "watchlist.json").write_text('["MC.PA"]', encoding="utf-8")
    watched = one("wait", "MC.PA", sentence="Wait two weeks before buying LVMH (MC.PA).")
    scripted_models(monkeypatch, {"ollama:m": [answer(*GOOD[:2], watched)]})
    found = summed_up(root)["recommendation_details"][2]
    assert (found["instrument"], found["expected_move"], found["voice"]) == ("MC.PA", None, "arbiter")


BAD = {
    "duplicate": (one("keep", sentence="Stay as you are."), "repeats"),
    "same words": (one("keep", "QQQ", sentence="Stay invested, with care!"), "repeats"),
    "each other": (one("reduce", sentence="Trim a little."), "contradicts"),
    "outlook": (one("reduce", "MARKET", sentence="Sell a third of your shares."), "contradicts"),
    "forecast": (one("add", "GLD", sentence="Add a little gold (GLD)."), "contradicts the forecast of"),
    "rising": (one("reduce", "QQQ", sentence="Trim the Nasdaq 100 (QQQ)."), "contradicts the forecast of"),
    "certain": (one("wait", sentence="A rise is certain, wait calmly."), "certain"),
    "certainly": (one("wait", sentence="Wait: it will certainly rise."), "certain"),
    "guaranteed": (one("wait", sentence="Wait for guaranteed gains."), "guaranteed"),
    "no risk": (one("wait", sentence="Wait without any risk."), "without any risk"),
    "borrow": (one("wait", sentence="Wait, then borrow to invest."), "borrow"),
    "leverage": (one("wait", sentence="Wait, then use leverage."), "leverage"),
    "margin": (one("wait", sentence="Wait, then invest on margin."), "margin"),
    "French kin": (one("wait", sentence="Wait for a placement sans risque."), "sans risque"),
    "language": (
        one("wait", sentence="Attendre la prochaine synthèse avant de vendre ou de renforcer."),
        "in English",
    ),
    "German": (
        one("wait", sentence="Warten Sie mit dem Kauf und bleiben Sie ruhig, bis es klar ist."),
        "in English",
    ),
    "data gap": (one("wait", sentence="Wait for the missing data on inflation."), "limits"),
    "other act": (one("wait", sentence="Buy a little of everything."), "something else than the act"),
    "other instrument": (one("wait", "QQQ", sentence="Wait before touching SPY."), "another instrument"),
    "claim": (one("wait", sentence="Wait: SPY will gain 14.5%."), "14.5%"),
}


@pytest.mark.parametrize(("bad", "complaint"), BAD.values(), ids=BAD)
def test_bad_advice_goes_back_once_and_then_code_does_without(tmp_path, monkeypatch, bad, complaint):
    script = scripted_models(monkeypatch, {"ollama:m": [answer(GOOD[0], GOOD[2], bad)] * 2})
    told = summed_up(fill(tmp_path))
    calls = script.calls["ollama:m"]
    assert len(calls) == 2
    assert complaint in calls[1].user.split("is refused")[1]
    assert bad["sentence"] not in told["recommendations"]
    assert told["recommendations"][:2] == [GOOD[0]["sentence"], GOOD[2]["sentence"]]
    assert len(told["recommendations"]) == len(told["recommendation_details"]) == 3
    assert any(limit.startswith("1 sentence was removed or rewritten") for limit in told["limits"])


def test_a_gap_in_the_data_ends_up_among_the_limits(tmp_path, monkeypatch):
    bad = BAD["data gap"][0]
    scripted_models(monkeypatch, {"ollama:m": [answer(GOOD[0], GOOD[1], bad)] * 2})
    told = summed_up(fill(tmp_path))
    assert bad["sentence"] in told["limits"]


def test_better_advice_is_taken(tmp_path, monkeypatch):
    scripted_models(monkeypatch, {"ollama:m": [answer(GOOD[0], GOOD[2], BAD["borrow"][0]), answer(*GOOD)]})
    assert summed_up(fill(tmp_path))["recommendations"] == [item["sentence"] for item in GOOD]


FAIR = [
    one("wait", sentence="Nothing is certain: wait."),
    one("wait", sentence="Wait, and never borrow to invest."),
    one("wait", sentence="Wait without leverage, for a certain time."),
    one("wait", sentence="Wait for the inflation data of next week."),
    one("wait", sentence="Certain shares are dear: wait."),
    one("hedge", sentence="No investment is without risk: keep a reserve."),
]


@pytest.mark.parametrize("fair", FAIR, ids=lambda item: item["sentence"])
def test_warnings_are_no_promises(tmp_path, monkeypatch, fair):
    script = scripted_models(monkeypatch, {"ollama:m": [answer(GOOD[0], GOOD[2], fair)]})
    assert fair["sentence"] in summed_up(fill(tmp_path))["recommendations"]
    assert len(script.calls["ollama:m"]) == 1


FRENCH = {
    "Rester investi avec prudence, rien n’est certain.": True,
    "Attendre, sans emprunter ni recourir à l’effet de levier.": True,
    "Garder des emprunts d’État dans le portefeuille.": True,
    "Certains titres sont chers\u00a0: attendre.": True,
    "Aucun placement n’est sans risque\u00a0: rester prudent.": True,
    "Attendre les données d’emploi de vendredi.": True,
    "Attendre\u00a0: la hausse est certaine.": False,
    "Rester investi, sans aucun risque.": False,
    "Rester investi, c’est garanti.": False,
    "Attendre, puis emprunter pour investir.": False,
    "Attendre, puis utiliser un effet de levier.": False,
    "Rester investi à crédit.": False,
    "Recouper avec d’autres sources de données.": False,
    "Wait for the next summary before you do anything.": False,
}


@pytest.mark.parametrize(("sentence", "fair"), FRENCH.items())
def test_french_advice_is_read_as_closely(tmp_path, monkeypatch, sentence, fair):
    good = [one("keep", sentence="Ne rien changer."), one("add", "SPY", sentence="Renforcer un peu SPY.")]
    told = [
        {**item, "reversal": "Une inflation au-dessus de 4 %."}
        for item in (*good, one("wait", sentence=sentence))
    ]
    script = scripted_models(monkeypatch, {"ollama:m": [answer(*told)] * 2})
    found = summed_up(fill(tmp_path), language="fr")
    assert (sentence in found["recommendations"]) == fair
    assert len(script.calls["ollama:m"]) == (1 if fair else 2)


@pytest.mark.parametrize("language", ["fr", "en"])
@pytest.mark.parametrize("way", ["up", "down", "flat"])
def test_rules_give_at_least_three_that_agree_with_the_outlook_and_each_other(tmp_path, language, way):
    root = fill(tmp_path)
    (root / "forecast/dt=20240314/final.parquet").unlink()
    rows = [forecast(f"N{number}", horizon, way, 0.9) for number in range(9) for horizon in ("1w", "1m")]
    write(root / "forecast/dt=20240314/forecasts.parquet", rows)
    told = summed_up(root, arbiter="rules", language=language)
    details = told["recommendation_details"]
    assert 3 <= len(details) <= 5
    assert len({(item["act"], item["instrument"]) for item in details}) == len(details)
    acts = {item["act"] for item in details}
    assert ("add" in acts) <= (told["outlook_days_30"] == "positive")
    assert ("reduce" in acts) <= (told["outlook_days_30"] == "negative")
    for item in details:
        if item["act"] in ("add", "reduce"):
            assert abs(item["expected_move"]) > item["costs"]
    assert not any("source" in sentence.lower() for sentence in told["recommendations"])


def test_a_move_that_does_not_pay_its_costs_is_not_advised_on(tmp_path):
    root = fill(tmp_path)
    (root / "forecast/dt=20240314/final.parquet").unlink()
    rows = [forecast(f"N{n}", h, "up", 0.9, expected_return=0.001) for n in range(9) for h in ("1w", "1m")]
    write(root / "forecast/dt=20240314/forecasts.parquet", rows)
    told = summed_up(root, arbiter="rules")
    assert told["outlook_days_30"] == "positive"
    assert not any(item["act"] == "add" for item in told["recommendation_details"])


def test_a_summary_of_an_earlier_version_is_still_read():
    old = {**json.loads(answer(*GOOD)), "recommendations": ["Do this.", "Do that.", "Wait."]}
    read = LLMEnsembleSummary.model_validate(old)
    assert read.recommendations == ["Do this.", "Do that.", "Wait."]
    assert read.recommendation_details == []


@pytest.mark.parametrize(
    ("text", "language", "told"),
    [
        ("Attendre la prochaine synthèse.", "fr", True),
        ("Wait for the next summary.", "fr", False),
        ("Wait for the next summary.", "en", True),
        ("Attendre la prochaine synthèse et ne rien vendre.", "en", False),
        ("Warten Sie mit dem Kauf und bleiben Sie ruhig.", "fr", False),
        ("Espere a la próxima síntesis antes de vender el oro.", "fr", False),
        ("等待下一个摘要。", "en", False),
        ("Подождать следующего отчёта.", "fr", False),
        ("SPY.", "fr", True),
        ("Garder SPY.", "en", True),  # too little to tell
    ],
)
def test_language_is_told_by_small_words(text, language, told):
    assert is_in(text, language) == told
