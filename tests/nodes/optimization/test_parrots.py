"""Models that copy, over the wire: nothing of it is taken for an opinion, and no veto of it holds."""

import json
import re

import pytest

from graphs.review import graph
from nodes.context import OptimizationContext
from nodes.optimization.evidence.block import SHARED
from prompts.prompt import _joined
from tests.answers import REASONS, analysis, by_role, proposals, turn, verdicts
from tests.ollama_emulator import Scripted, ollama_emulator
from tests.optimization_runs import dataset_reference, run_graph
from tests.scripted import scripted_models

TEAM = {"analyst": "m:1b", "strategist": "m:1b", "validator": "m:1b"}
ASKED = {**TEAM, "language": "en", "cache_hours": 0.0, "max_iterations": 1}


def sentence_of(messages):
    """The first instruction of a role's own: what stands after the evidence."""
    asked = messages[1]["content"].partition("</evidence>")[2]
    return re.match(r"[^.]+\.[^.]+\.", " ".join(asked.split())).group(0)


def kind_of(fields):
    kinds = {"verdicts": "verdicts", "stance": "turn", "quality_score": "analysis", "proposals": "proposals"}
    return next(kind for field, kind in kinds.items() if field in fields)


def parrot(body):
    """Fills every text with an instruction of the prompt, as a small model did."""
    words = sentence_of(body["messages"])
    hypothesis = {"statement": words, "test": words, "evidence": ["M1"]}
    return {
        "analysis": analysis(
            strengths=[words], weaknesses=[words], anomalies=[words], hypotheses=[hypothesis] * 2
        ),
        "proposals": proposals(hypothesis=0, reason=words, expected_effect=words),
        "verdicts": verdicts(*["rejected"] * 3, reasons=[words] * 3, concerns=[words]),
        "turn": turn(statement=words),
    }[kind_of(body["format"]["properties"])]


@pytest.mark.model
def test_a_model_that_copies_its_instructions_says_nothing_and_vetoes_nothing(tmp_path):
    with ollama_emulator({"m:1b": Scripted(answer=parrot)}) as emulator:
        state, events = run_graph(tmp_path, ollama_base_url=emulator.url, **ASKED)
    copied = {sentence_of(body["messages"]) for body in emulator.chats}
    told = json.dumps(
        [{**event["data"], "provenance": None} for event in events if event["kind"] != "call"],
        ensure_ascii=False,
    )
    assert not [words for words in copied if words in told]
    assert state["analysis"] is None, "it has said nothing"
    assert [verdict["decision"] for verdict in state["verdicts"]] == ["abstained"] * 3
    tested = [
        event for event in events if event["kind"] == "backtest" and event["node"] == "backtest_variant"
    ]
    assert len(tested) == 3, "an abstention vetoes nothing"
    report = (tmp_path / "runs" / state["run_id"] / "report.md").read_text(encoding="utf-8")
    assert not [words for words in copied if words in report]
    spoken = [event["data"] for event in events if event["kind"] == "debate_turn"]
    assert spoken
    assert all(turn["stance"] is None for turn in spoken), "whoever has no argument abstains"


VETOES = {
    "grounds of its own": (REASONS[1:3], ["M1"], ["validated", "rejected", "rejected"]),
    "no evidence": (REASONS[1:3], [], ["validated", "abstained", "abstained"]),
    "another case's evidence": (REASONS[1:3], ["Z4"], ["validated", "abstained", "abstained"]),
    "repeats another": ([REASONS[1], f"{REASONS[1]} "], ["M1"], ["validated", "rejected", "abstained"]),
    "all with one text": (["It is noise."] * 3, ["M1"], ["abstained"] * 3),
    "breaks off": ([REASONS[1], "It cannot hold because"], ["M1"], ["validated", "rejected", "abstained"]),
}


@pytest.mark.parametrize(("reasons", "evidence", "told"), VETOES.values(), ids=VETOES.keys())
def test_a_veto_needs_grounds_of_its_own(reasons, evidence, told, tmp_path, monkeypatch):
    decided = ["rejected"] * 3 if len(reasons) == 3 else ["validated", "rejected", "rejected"]
    reasons = reasons if len(reasons) == 3 else [REASONS[0], *reasons]
    said = verdicts(*decided, reasons=reasons, evidence=evidence)
    answers = {"analyst": [analysis()], "strategist": [proposals()], "validator": [said] * 2}
    script = scripted_models(monkeypatch, {f"ollama:{role}": steps for role, steps in answers.items()})
    context = OptimizationContext(
        home=str(tmp_path), language="en", use_debate=False, **{role: role for role in TEAM}
    )
    state = graph.invoke({"data": dataset_reference(tmp_path)}, context=context)
    asked = script.calls["ollama:validator"]
    assert [call.correction is not None for call in asked] == [False, True][: 1 + ("abstained" in told)]
    assert [verdict["decision"] for verdict in state["verdicts"]] == told


def test_the_vetoes_of_the_rules_are_arithmetic_and_hold(tmp_path, monkeypatch):
    filters = [
        {"kind": "add_filter", "side": "long", "condition": f"adx({period}) > 20"} for period in (10, 14, 20)
    ]
    other = {"kind": "param_adjustment", "parameter": "fast_period", "value": 8}
    script = {"ollama:strategist": [proposals(other, *filters)]}
    scripted_models(monkeypatch, script)
    # Too slow for many trades: the rules veto every filter, in the same words.
    state, _ = run_graph(
        tmp_path,
        given={"params": {"fast_period": 50, "slow_period": 199, "stop_loss_pct": 2.0}},
        strategist="strategist",
        use_debate=False,
        max_iterations=1,
    )
    decided = [verdict["decision"] for verdict in state["verdicts"]]
    assert "abstained" not in decided
    assert all(verdict["evidence"] for verdict in state["verdicts"] if verdict["decision"] == "rejected")


def test_the_single_agents_vetoes_need_grounds_too(tmp_path, monkeypatch):
    work = json.loads(by_role(_Asked({"stance": {}, "proposals": {}, "quality_score": {}})))
    for one in work["proposals"]:
        one |= {"decision": "rejected", "objection": "It may be noise.", "against": ["M1"]}
    scripted_models(monkeypatch, {"ollama:m": [json.dumps(work)] * 2})
    state, _ = run_graph(tmp_path, roles="single", strategist="m", language="en", max_iterations=1)
    assert [verdict["decision"] for verdict in state["verdicts"]] == ["abstained"] * 3


class _Asked:
    """As much of a request as `by_role` looks at."""

    def __init__(self, fields):
        self.schema = {"properties": fields}


@pytest.mark.parametrize("language", ["fr", "en"])
@pytest.mark.parametrize("name", ["analyst", "strategist", "validator", "speak"])
def test_prompts_order_and_judge_nothing(name, language):
    words = "\n".join(_joined(f"optimization/{name}", SHARED, language).values())
    assert "the the" not in words.format_map(_Voices())
    assert "weak evidence" not in words
    assert "preuve faible" not in words
    assert ("imaginary" if language == "en" else "imaginaire") in words


class _Voices(dict):
    """Every placeholder as the text of a voice."""

    def __missing__(self, key):
        return "the analyst"
