"""The debate: turns are data, claims rest on evidence, a count decides nothing but whether to go on."""

import pytest

from backtest import StrategySpec
from nodes.optimization.debate_schemas import Turn
from nodes.optimization.policies.debate import speak
from tests.answers import by_role, turn
from tests.evidence import evidence as made_evidence
from tests.optimization_runs import run_graph
from tests.scripted import scripted_models

TEAM = {"analyst": "a", "strategist": "s", "validator": "v", "max_iterations": 1, "cache_hours": 0.0}


def debate(tmp_path, monkeypatch, turns, **settings):
    """A run whose voices say what is given, one list a voice."""
    left = {name: list(said) for name, said in turns.items()}

    def step(name):
        def answer(request):
            if "claims" in request.schema["properties"]:
                return left[name].pop(0)
            return by_role(request)

        return answer

    models = {f"ollama:{name}": [step(name)] * 20 for name in ("a", "s", "v")}
    script = scripted_models(monkeypatch, models)
    state, events = run_graph(tmp_path, **{**TEAM, **settings})
    return state, [event for event in events if event["kind"] == "debate_turn"], script, events


def test_a_turn_is_data_and_shown_as_text(tmp_path, monkeypatch):
    said = {"v": [turn("stop", ["M1", "M2"], "It loses.", 0.9)], "s": [turn("stop")], "a": [turn("stop")]}
    state, turns, script, _ = debate(tmp_path, monkeypatch, said)
    first = turns[0]["data"]
    assert first["claims"] == [{"statement": "It loses.", "evidence": ["M1", "M2"]}]
    assert (first["voice"], first["stance"], first["confidence"], first["round"]) == (
        "validator",
        "stop",
        0.9,
        1,
    )
    assert first["statement"] == "It loses."
    heard = [request.closing for request in script.calls["ollama:s"]][-1]
    assert "It loses." in heard
    assert "validator (stop, 0.90)" in heard
    assert state["debate"]["decision"] == "stop"


def test_agreement_ends_it_and_disagreement_goes_into_another_round(tmp_path, monkeypatch):
    said = {
        "a": [turn("continue"), turn("stop")],
        "s": [turn("stop"), turn("stop")],
        "v": [turn("stop"), turn("stop")],
    }
    state, turns, _, events = debate(tmp_path, monkeypatch, said, debate_rounds=4)
    assert [event["data"]["round"] for event in turns] == [1, 1, 1, 2, 2, 2]
    assert state["debate"]["dissent"] == []
    (counted,) = [event for event in events if event["kind"] == "consensus"]
    assert (counted["data"]["rounds"], counted["data"]["agreed"]) == (2, True)


def test_after_the_last_round_dissent_is_recorded(tmp_path, monkeypatch):
    said = {"a": [turn("continue")] * 2, "s": [turn("continue")] * 2, "v": [turn("stop")] * 2}
    state, turns, _, events = debate(tmp_path, monkeypatch, said, debate_rounds=2)
    assert len(turns) == 6
    assert state["debate"] | {"turns": None} == {
        "iteration": 1,
        "decision": "continue",
        "turns": None,
        "dissent": ["validator"],
    }
    (counted,) = [event for event in events if event["kind"] == "consensus"]
    assert counted["data"]["dissent"] == ["validator"]
    assert counted["cites"] == [f"i01.debate.{number}.turn" for number in range(1, 7)]


def test_a_claim_on_evidence_that_is_not_there_goes_back(tmp_path, monkeypatch):
    said = {"a": [turn("stop", ["Z99"]), turn("stop")], "s": [turn("stop")], "v": [turn("stop")]}
    _, turns, script, _ = debate(tmp_path, monkeypatch, said, language="en")
    sent_back = script.calls["ollama:a"][-1].correction[1]
    assert "Z99" in sent_back
    assert "M1" in sent_back
    assert turns[2]["data"]["provenance"]["corrections"] == 1


def test_a_voice_that_cannot_answer_is_silent_by_name(tmp_path, monkeypatch):
    said = {"a": ["no"] * 2, "s": [turn("stop")], "v": [turn("stop")]}
    state, turns, _, events = debate(tmp_path, monkeypatch, said)
    assert turns[2]["data"]["stance"] is None
    assert turns[2]["data"]["claims"] == []
    (counted,) = [event for event in events if event["kind"] == "consensus"]
    assert counted["data"]["silent"] == ["analyst"]
    assert state["debate"]["decision"] == "stop", "two of three"


def test_two_voices_debate_without_the_validator(tmp_path, monkeypatch):
    said = {"a": [turn("stop")] * 2, "s": [turn("continue")] * 2, "v": []}
    state, turns, script, _ = debate(tmp_path, monkeypatch, said, use_validator=False)
    assert [event["data"]["voice"] for event in turns] == ["strategist", "analyst", "analyst", "strategist"]
    assert state["debate"]["decision"] == "continue", "a tie goes on"
    assert "ollama:v" not in script.order


# --- the rules' voices --------------------------------------------------------------------------


def evidence(voice, idle, turns=(), score=3.0, patience=3):
    history = [{"adopted": None, "trials": []}] * idle
    return made_evidence(
        StrategySpec.preset("ma_crossover"),
        voice=voice,
        history=history if idle else [{"adopted": "x", "trials": []}],
        now={"score": score},
        turns=list(turns),
        cited=["M1"],
        target_score=8.0,
        patience=patience,
    )


@pytest.mark.parametrize(
    ("voice", "idle", "stance"),
    [
        ("validator", 1, "continue"),
        ("validator", 2, "stop"),
        ("analyst", 2, "continue"),
        ("analyst", 3, "stop"),
        ("strategist", 3, "continue"),
        ("strategist", 4, "stop"),
    ],
)
def test_each_voice_has_its_own_patience(voice, idle, stance):
    assert speak(evidence(voice, idle)).stance == stance


@pytest.mark.parametrize("patience", [1, 2, 5, 20])
def test_the_voices_are_as_patient_as_the_run(patience):
    ends = {
        voice: next(
            idle for idle in range(50) if speak(evidence(voice, idle, patience=patience)).stance == "stop"
        )
        for voice in ("validator", "analyst", "strategist")
    }
    assert ends == {"validator": max(1, patience - 1), "analyst": patience, "strategist": patience + 1}


def test_a_patient_run_is_not_ended_by_its_debate(tmp_path):
    # Nothing to be found: rules in every role go on as long as they are told to.
    settings = {"analyst": "rules", "strategist": "rules", "validator": "rules", "max_iterations": 6}
    state, _ = run_graph(tmp_path, patience=6, convergence_threshold=0.0, **settings)
    assert state["result"]["iterations"] == 6
    assert state["result"]["stop_reason"] in ("max_iterations", "no_gain")


def test_a_reached_target_is_enough_for_everybody():
    assert {speak(evidence(v, 0, score=8.0)).stance for v in ("analyst", "strategist", "validator")} == {
        "stop"
    }


def turns(**last):
    """The last turn of each voice, `stance confidence`."""
    found = []
    for voice, words in last.items():
        stance, confidence = words.split()
        found.append({"voice": voice, "stance": stance, "confidence": float(confidence)})
    return found


@pytest.mark.parametrize(
    ("last", "stance"),
    [
        pytest.param({}, "stop", id="the first round: its own mind"),
        pytest.param(
            {"analyst": "stop 0.6", "strategist": "continue 0.9", "validator": "continue 0.6"},
            "continue",
            id="alone against a surer one",
        ),
        pytest.param(
            {"analyst": "stop 0.6", "strategist": "continue 0.5", "validator": "continue 0.5"},
            "stop",
            id="alone, but the surest",
        ),
        pytest.param(
            {"analyst": "stop 0.6", "strategist": "continue 0.9", "validator": "stop 0.5"},
            "stop",
            id="not alone",
        ),
        pytest.param({"analyst": "stop 0.6", "strategist": "continue 0.9"}, "stop", id="one against one"),
    ],
)
def test_a_voice_of_the_rules_gives_way_where_it_stands_alone(last, stance):
    assert speak(evidence("analyst", 3, turns(**last))).stance == stance


def test_the_rules_rest_on_evidence_too():
    assert all(claim.evidence for claim in speak(evidence("analyst", 3)).claims)
    assert isinstance(speak(evidence("analyst", 3)), Turn)
