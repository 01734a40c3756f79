"""The seam: chain, retries, corrections, abstention, cache, provenance."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Literal

import pytest
from langchain_core.messages import AIMessage
from pydantic import BaseModel, Field

from nodes.context import Context
from nodes.errors import PolicyError
from nodes.seam.ask import Abstention, Answer, Question, ask
from prompts import Prompt, text
from providers.answer_store import StoredAnswer
from providers.errors import DeadlineError, ProviderError, RefusedError, RetryableError
from providers.request import Request
from tests.providers.test_extraction import REFUSED
from tests.scripted import scripted_models

BIG, SMALL, FREE = "ollama:deepseek-r1:70b", "ollama:gemma3:27b", "g4f:glm-4.5"
GOOD = '{"stance": "up", "score": 7, "reasons": ["steady"]}'


class Verdict(BaseModel):
    """What the role must say."""

    stance: Literal["up", "down"]
    score: float = Field(ge=0, le=10)
    reasons: list[str] = Field(min_length=1, max_length=3)


def rules(evidence: Mapping[str, Any]) -> Verdict:
    return Verdict(
        stance="up" if evidence["sharpe"] > 1 else "down", score=5, reasons=[f"Sharpe {evidence['sharpe']}"]
    )


def question(**more: Any) -> Question[Verdict]:
    prompt = Prompt(
        name="optimization/analyst", language="en", system="You are an analyst.", user="Sharpe 1.2"
    )
    given = {
        "role": "analyst",
        "prompt": prompt,
        "schema": Verdict,
        "evidence": {"sharpe": 1.2},
        "policy": rules,
    }
    return Question(**{**given, **more})


@pytest.fixture
def context(tmp_path: Path) -> Context:
    return Context(home=str(tmp_path), language="en")


def answered(result: Answer[Verdict] | Abstention) -> Answer[Verdict]:
    assert isinstance(result, Answer)
    return result


def outcomes(result: Answer[Verdict] | Abstention) -> list[tuple[str, str, str]]:
    return [(tried.model, tried.outcome, tried.code) for tried in result.provenance.attempts]


def test_the_first_model_of_the_chain_answers(monkeypatch: pytest.MonkeyPatch, context: Context) -> None:
    script = scripted_models(monkeypatch, {BIG: [GOOD], SMALL: [GOOD]})
    result = answered(ask(question(), chain=[BIG, SMALL, "rules"], context=context))
    assert result.value == Verdict(stance="up", score=7, reasons=["steady"])
    assert script.order == [BIG]
    assert outcomes(result) == [(BIG, "answered", "")]


class Sure(Verdict):
    """The same, in a case where it can only be up."""

    stance: Literal["up"]


def test_a_case_of_words_alone_is_made_for_models(monkeypatch: pytest.MonkeyPatch, context: Context) -> None:
    made: list[type[Verdict]] = []

    def case() -> type[Verdict]:
        made.append(Sure)
        return Sure

    asked = question(case=case, words_only=True)
    assert answered(ask(asked, chain=["rules"], context=context)).value.stance == "up"
    assert made == []
    scripted_models(monkeypatch, {BIG: ["no", GOOD]})
    assert isinstance(answered(ask(asked, chain=[BIG], context=context)).value, Sure)
    assert made == [Sure], "once a question"
    rules_case = answered(ask(question(case=case), chain=["rules"], context=context)).value
    assert isinstance(rules_case, Sure), "numbers have the types of the case"


def test_provenance_says_who_answered_and_how(monkeypatch: pytest.MonkeyPatch, context: Context) -> None:
    message = AIMessage(
        GOOD,
        additional_kwargs={"reasoning_content": "let me see"},
        usage_metadata={"input_tokens": 100, "output_tokens": 20, "total_tokens": 120},
    )
    scripted_models(monkeypatch, {BIG: ["no", message]})
    asked = question()
    provenance = answered(ask(asked, chain=[BIG], context=context)).provenance
    assert provenance.without_timings() == {
        "role": "analyst",
        "model": BIG,
        "degraded": False,
        "attempts": [
            {
                "model": BIG,
                "outcome": "invalid",
                "code": "no_json",
                "detail": "The answer holds no JSON object, only this: “no”.",
                "fields": {"said": "no"},
                "repeated": False,
            },
            {
                "model": BIG,
                "outcome": "answered",
                "code": "",
                "detail": "",
                "fields": {},
                "repeated": False,
            },
        ],
        "prompt_tokens": 100,
        "answer_tokens": 20,
        "cached": False,
        "prompt_name": "optimization/analyst",
        "prompt_hash": asked.prompt.hash,
        "thinking": "let me see",
        "corrections": 1,
        "unsaid": [],
        "repairs": [],
    }
    assert provenance.latency_seconds >= sum(tried.latency_seconds for tried in provenance.attempts) > 0


def test_a_model_that_is_not_there_is_left_at_once(monkeypatch: pytest.MonkeyPatch, context: Context) -> None:
    script = scripted_models(monkeypatch, {SMALL: [GOOD]})
    result = ask(question(), chain=[BIG, SMALL], context=context)
    assert outcomes(result) == [(BIG, "error", "unreachable"), (SMALL, "answered", "")]
    assert script.pauses == []


MOVES_ON: dict[str, ProviderError] = {
    "time-out": DeadlineError("time_out", model=BIG, seconds=900.0),
    "stall": DeadlineError("stalled", model=BIG, seconds=120.0),
    "refusal": RefusedError("unauthorized", model=BIG, detail="key"),
    "limit notice": RefusedError("limit_notice", model=BIG, detail="daily limit"),
    "truncated prompt": RefusedError("prompt_truncated", model=BIG, counted=1, expected=9, context=5),
}


@pytest.mark.parametrize("error", MOVES_ON.values(), ids=MOVES_ON.keys())
def test_what_would_fail_again_is_not_tried_again(
    error: ProviderError, monkeypatch: pytest.MonkeyPatch, context: Context
) -> None:
    script = scripted_models(monkeypatch, {BIG: [error], SMALL: [GOOD]})
    result = ask(question(), chain=[BIG, SMALL], context=context)
    assert outcomes(result) == [(BIG, "error", error.code), (SMALL, "answered", "")]
    assert script.pauses == []


@pytest.mark.parametrize("code", ["rate_limited", "server_error", "empty_answer", "malformed_answer"])
def test_what_may_pass_is_tried_twice_more(
    code: str, monkeypatch: pytest.MonkeyPatch, context: Context
) -> None:
    error = RetryableError(code, model=BIG)
    script = scripted_models(monkeypatch, {BIG: [error, error, error], SMALL: [GOOD]})
    result = ask(question(), chain=[BIG, SMALL], context=context)
    assert outcomes(result) == [(BIG, "error", code)] * 3 + [(SMALL, "answered", "")]
    assert script.pauses == [2.0, 4.0]


def test_an_empty_message_is_tried_again(monkeypatch: pytest.MonkeyPatch, context: Context) -> None:
    script = scripted_models(monkeypatch, {BIG: ["", "<think>hm</think>", GOOD]})
    result = ask(question(), chain=[BIG], context=context)
    assert outcomes(result) == [(BIG, "error", "empty_answer")] * 2 + [(BIG, "answered", "")]
    assert script.pauses == [2.0, 4.0]


def test_a_cut_answer_is_an_error_even_if_it_parses(
    monkeypatch: pytest.MonkeyPatch, context: Context
) -> None:
    cut = AIMessage(GOOD, response_metadata={"done_reason": "length"})
    scripted_models(monkeypatch, {BIG: [cut]})
    result = ask(question(), chain=[BIG], context=context)
    assert isinstance(result, Abstention)
    assert result.code == "answer_truncated"


def test_rules_after_a_failed_model_is_degraded(monkeypatch: pytest.MonkeyPatch, context: Context) -> None:
    scripted_models(monkeypatch, {})
    result = answered(ask(question(), chain=[BIG, FREE, "rules"], context=context))
    assert result.value == rules({"sharpe": 1.2})
    assert result.provenance.degraded
    assert result.provenance.model == "rules"
    assert outcomes(result)[-1] == ("rules", "answered", "")


def test_rules_alone_is_not_degraded_and_calls_no_model(
    monkeypatch: pytest.MonkeyPatch, context: Context
) -> None:
    script = scripted_models(monkeypatch, {})
    result = answered(ask(question(evidence={"sharpe": 0.1}), chain=["rules"], context=context))
    assert result.value.stance == "down"
    assert not result.provenance.degraded
    assert script.order == []
    assert not (context.home_path / "llm_cache.sqlite").exists()


@pytest.mark.parametrize("chain", [[BIG, SMALL], [BIG], []], ids=["two models", "one model", "no model"])
def test_when_nobody_answers_the_role_abstains(
    chain: list[str], monkeypatch: pytest.MonkeyPatch, context: Context
) -> None:
    scripted_models(monkeypatch, {})
    result = ask(question(), chain=chain, context=context)
    assert isinstance(result, Abstention)
    assert result.role == "analyst"
    assert result.code == ("unreachable" if chain else "empty_chain")
    assert [tried.model for tried in result.provenance.attempts] == chain
    assert (result.provenance.model, result.provenance.degraded) == ("", False)


def test_an_unknown_reference_is_the_callers_mistake(context: Context) -> None:
    with pytest.raises(ProviderError) as caught:
        ask(question(), chain=["rules", "g4f:gpt-9"], context=context)
    assert caught.value.code == "unknown_model"


def test_an_invalid_answer_goes_back_with_every_error(
    monkeypatch: pytest.MonkeyPatch, context: Context
) -> None:
    wrong = '{"stance": "sideways", "score": 11, "reasons": []}'
    script = scripted_models(monkeypatch, {BIG: [wrong, GOOD]})
    result = answered(ask(question(), chain=[BIG], context=context))
    assert result.provenance.corrections == 1
    assert outcomes(result) == [(BIG, "invalid", "invalid_schema"), (BIG, "answered", "")]
    first, second = script.messages
    assert [message.type for message in first] == ["system", "human"]
    assert [message.type for message in second] == ["system", "human", "ai", "human"]
    assert second[2].content == wrong
    for place in ("stance:", "score:", "reasons:"):
        assert place in str(second[3].content)


def test_checks_speak_in_the_prompts_language(monkeypatch: pytest.MonkeyPatch, context: Context) -> None:
    prompt = Prompt(
        name="ensemble/macro", language="fr", system="Vous êtes économiste.", user="Inflation 2 %"
    )
    script = scripted_models(monkeypatch, {BIG: [GOOD, GOOD.replace("7", "3")]})
    asked = question(
        prompt=prompt, check=lambda v: ["Le score dépasse 5.", "Il manque la pente."] if v.score > 5 else []
    )
    result = answered(ask(asked, chain=[BIG], context=context))
    assert result.value.score == 3
    assert outcomes(result)[0] == (BIG, "invalid", "failed_check")
    assert script.messages[1][3].content == text(
        "nodes.ask.correction", "fr", errors="- Le score dépasse 5.\n- Il manque la pente."
    )


@pytest.mark.parametrize("corrections", [0, 1, 3])
def test_after_its_corrections_a_model_is_left_for_the_next(
    corrections: int, monkeypatch: pytest.MonkeyPatch, context: Context
) -> None:
    script = scripted_models(monkeypatch, {BIG: ["I would hold."] * 9, SMALL: [GOOD]})
    result = ask(question(corrections=corrections), chain=[BIG, SMALL], context=context)
    assert outcomes(result) == [(BIG, "invalid", "no_json")] * (corrections + 1) + [(SMALL, "answered", "")]
    assert len(script.calls[BIG]) == corrections + 1
    assert len(script.messages[-1]) == 2  # the next model starts afresh


def test_rubbish_is_not_sent_back_whole(monkeypatch: pytest.MonkeyPatch, context: Context) -> None:
    script = scripted_models(monkeypatch, {BIG: ["x" * 50_000, GOOD]})
    ask(question(), chain=[BIG], context=context)
    assert len(str(script.messages[1][2].content)) == 8000


def test_the_schema_is_told_once_and_in_the_prompts_language(
    monkeypatch: pytest.MonkeyPatch, context: Context
) -> None:
    script = scripted_models(monkeypatch, {BIG: ["no", GOOD]})
    ask(question(), chain=[BIG], context=context)
    for messages in script.messages:
        everything = "\n".join(str(message.content) for message in messages)
        assert everything.count(text("nodes.ask.schema", "en")) == 1


BROKEN_POLICIES = {
    "schema": {"policy": lambda evidence: Verdict.model_construct(stance="up", score=99, reasons=[])},
    "check": {"check": lambda value: ["never"]},
}


@pytest.mark.parametrize("broken", BROKEN_POLICIES.values(), ids=BROKEN_POLICIES.keys())
def test_a_policy_that_breaks_its_own_role_is_a_bug(broken: dict[str, Any], context: Context) -> None:
    with pytest.raises(PolicyError) as caught:
        ask(question(**broken), chain=["rules"], context=context)
    assert caught.value.code == "invalid_policy_answer"
    assert caught.value.fields["role"] == "analyst"


def test_an_identical_call_is_answered_from_the_cache(
    monkeypatch: pytest.MonkeyPatch, context: Context
) -> None:
    script = scripted_models(
        monkeypatch, {BIG: [AIMessage(GOOD, additional_kwargs={"reasoning_content": "hm"})]}
    )
    first = answered(ask(question(), chain=[BIG], context=context))
    second = answered(ask(question(), chain=[BIG], context=context))
    assert (first.provenance.cached, second.provenance.cached) == (False, True)
    assert second.value == first.value
    assert second.provenance.thinking == "hm"
    assert outcomes(second) == [(BIG, "answered", "")]
    assert script.order == [BIG]


def test_the_cache_forgets_in_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    clock = [1_000_000.0]
    monkeypatch.setattr("providers.cache.now", lambda: clock[0])
    context = Context(home=str(tmp_path), cache_hours=2)
    script = scripted_models(monkeypatch, {BIG: [GOOD, GOOD.replace("7", "8"), GOOD]})

    def score_after(seconds: float) -> float:
        clock[0] += seconds
        return answered(ask(question(), chain=[BIG], context=context)).value.score

    assert [score_after(s) for s in (0, 7199, 2, 7199, 2)] == [7, 7, 8, 8, 7]
    assert len(script.order) == 3


DIFFERENT: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "other evidence in the prompt": (
        {"prompt": Prompt(name="optimization/analyst", language="en", system="S", user="Sharpe 1.3")},
        {},
    ),
    "other temperature": ({}, {"temperature": 0.9}),
    "other seed": ({}, {"seed": 4}),
    "other server": ({}, {"ollama_base_url": "http://10.0.0.9:11434"}),
    "cache refused by the question": ({"cache": False}, {}),
    "cache off": ({}, {"cache_hours": 0.0}),
}


@pytest.mark.parametrize(("asked", "told"), DIFFERENT.values(), ids=DIFFERENT.keys())
def test_only_the_same_call_is_the_same(
    asked: dict[str, Any], told: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    script = scripted_models(monkeypatch, {BIG: [GOOD, GOOD]})
    ask(question(), chain=[BIG], context=Context(home=str(tmp_path)))
    result = ask(question(**asked), chain=[BIG], context=Context(home=str(tmp_path), **told))
    assert not result.provenance.cached
    assert len(script.order) == 2


def test_invalid_answers_are_not_kept(monkeypatch: pytest.MonkeyPatch, context: Context) -> None:
    scripted_models(monkeypatch, {BIG: ["no", "no", GOOD]})
    assert isinstance(ask(question(), chain=[BIG], context=context), Abstention)
    assert not answered(ask(question(), chain=[BIG], context=context)).provenance.cached


def test_a_corrected_answer_is_kept_for_the_question(
    monkeypatch: pytest.MonkeyPatch, context: Context
) -> None:
    script = scripted_models(monkeypatch, {BIG: ["no", GOOD]})
    ask(question(), chain=[BIG], context=context)
    assert answered(ask(question(), chain=[BIG], context=context)).provenance.cached
    assert len(script.order) == 2


def test_a_kept_answer_that_new_checks_refuse_is_asked_again(
    monkeypatch: pytest.MonkeyPatch, context: Context
) -> None:
    scripted_models(monkeypatch, {BIG: [GOOD, GOOD.replace("7", "3")]})
    ask(question(), chain=[BIG], context=context)
    stricter = question(check=lambda value: ["too high"] if value.score > 5 else [])
    result = answered(ask(stricter, chain=[BIG], context=context))
    assert (result.value.score, result.provenance.cached) == (3, False)


def test_a_damaged_cache_is_put_aside_and_made_anew(
    monkeypatch: pytest.MonkeyPatch, context: Context
) -> None:
    rubbish = b"this is no database" * 100
    (context.home_path / "llm_cache.sqlite").write_bytes(rubbish)
    script = scripted_models(monkeypatch, {BIG: [GOOD]})
    for _ in range(2):
        assert answered(ask(question(), chain=[BIG], context=context)).value.score == 7
    assert len(script.order) == 1, "the second answer comes from the new cache"
    (aside,) = context.home_path.glob("llm_cache.sqlite.damaged*")
    assert aside.read_bytes() == rubbish


def test_a_broken_cache_is_on_record_and_costs_no_answer(
    monkeypatch: pytest.MonkeyPatch, context: Context
) -> None:
    with closing(sqlite3.connect(context.home_path / "llm_cache.sqlite")) as other:
        other.execute(f"CREATE TABLE {StoredAnswer.__tablename__} (of_another_program)")
    scripted_models(monkeypatch, {BIG: [GOOD]})
    result = answered(ask(question(), chain=[BIG], context=context))
    assert result.value.score == 7
    assert outcomes(result) == [
        (BIG, "error", "cache_failed"),
        (BIG, "answered", ""),
        (BIG, "error", "cache_failed"),
    ]


MESSAGE = '{"type": "ai", "data": {"content": %s, "type": "ai"}}'
ODD_ROWS = {
    **{f"text: {name}": MESSAGE % json.dumps(text) for name, (text, _) in REFUSED.items()},
    "no JSON": "{",
    "nothing": "",
    "a list": "[]",
    "nested lists": "[" * 100_000,
    "nested objects": '{"type":' * 50_000,
    "a number": "7",
    "a long number": "9" * 5_000,
    "another type": '{"type": "x", "data": {}}',
    "no data": '{"type": "ai"}',
    "data in a list": '{"type": "ai", "data": []}',
    "a number as text": MESSAGE % "7",
    "an object as text": MESSAGE % "{}",
    "parts without text": MESSAGE % '[{"type": "image"}, 5, null]',
    "a deep text": MESSAGE % ("[" * 900 + "]" * 900),
    "no AI": '{"type": "tool", "data": {"content": "{}", "tool_call_id": "1"}}',
    "odd tokens": MESSAGE % '"{}", "usage_metadata": {"input_tokens": "many"}',
    "odd thoughts": MESSAGE % '"{}", "additional_kwargs": {"reasoning_content": [1]}',
}


@pytest.mark.parametrize("name", ODD_ROWS)
def test_whatever_a_cache_holds_the_model_is_asked_in_its_place(
    monkeypatch: pytest.MonkeyPatch, context: Context, name: str
) -> None:
    script = scripted_models(monkeypatch, {BIG: [GOOD, GOOD]})
    ask(question(), chain=[BIG], context=context)
    with closing(sqlite3.connect(context.home_path / "llm_cache.sqlite")) as other, other:
        assert other.execute(
            f"UPDATE {StoredAnswer.__tablename__} SET response = ?", [ODD_ROWS[name]]
        ).rowcount
    result = answered(ask(question(), chain=[BIG], context=context))
    assert (result.value.score, result.provenance.cached, len(script.order)) == (7, False, 2)
    json.dumps(result.provenance.model_dump(mode="json")).encode()


def test_every_failed_attempt_has_a_sentence_in_both_languages(
    monkeypatch: pytest.MonkeyPatch, context: Context
) -> None:
    scripted_models(
        monkeypatch,
        {SMALL: ["no", '{"stance": 1}'], FREE: [DeadlineError("time_out", model=FREE, seconds=30.0)]},
    )
    result = ask(question(), chain=[BIG, SMALL, FREE], context=context)
    assert len(result.provenance.attempts) == 4
    for tried in result.provenance.attempts:
        for language in ("fr", "en"):
            assert text(tried.text_key, language, **tried.fields)


def test_a_step_sees_the_request_it_answers(monkeypatch: pytest.MonkeyPatch, context: Context) -> None:
    def step(request: Request) -> str:
        assert request.role == "analyst"
        return GOOD if request.user == "Sharpe 1.2" else "no"

    scripted_models(monkeypatch, {BIG: [step]})
    answered(ask(question(), chain=[BIG], context=context))
