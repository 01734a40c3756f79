"""Text that says nothing: copies of the instructions, the same text twice, text cut off."""

import json
import re

import pytest
from pydantic import BaseModel, Field

from nodes.context import Context
from nodes.optimization.evidence.block import SHARED
from nodes.optimization.schemas import Remark, Sentence
from nodes.seam.ask import Abstention, Answer, Question, ask
from nodes.seam.free_text import Listener
from prompts import Prompt
from prompts.prompt import _joined
from prompts.texts import LANGUAGES, catalogue, text
from tests.scripted import scripted_models

ROLES = ("analyst", "strategist", "validator", "speak", "single")
SENTENCE = re.compile(r"[^.!?:;]+[.!?:;]")
SYSTEM = "Weigh the folds before any single figure, and name lines that contradict each other."


def prompt(name, language):
    return Prompt(
        name=f"optimization/{name}", language=language, **_joined(f"optimization/{name}", SHARED, language)
    )


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", ROLES)
def test_every_sentence_of_an_instruction_is_known_again(name, language):
    asked = prompt(name, language)
    told = f"{asked.system}\n{re.sub('<evidence>.*?</evidence>', '', asked.user, flags=re.DOTALL)}"
    sentences = [" ".join(one.split()) for one in SENTENCE.findall(told)]
    long = [one for one in sentences if len(re.findall(r"[^\W_]+", one)) >= 8]
    assert long
    missed = [one for one in long if not Listener(asked).says_nothing(one)]
    assert not missed
    reworded = [f"I think: {one.upper()}" for one in long if len(one) > 80]
    assert not [one for one in reworded if not Listener(asked).says_nothing(one)]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", ROLES)
def test_what_the_rules_say_of_figures_is_no_copy(name, language):
    asked = prompt(name, language)
    fair = [
        text(f"optimization.{key}", language, **dict.fromkeys(re.findall(r"{(\w+)", words), "7"))
        for key, words in catalogue("optimization", language).items()
        if key.startswith("rules.")
    ]
    assert len(fair) > 20
    assert [one for one in fair if Listener(asked).says_nothing(one)] == []


FAIR = (
    "High drawdown",
    "Sharpe ratio of −0.3 (M1)",
    "W2 falls in three of five folds, which M1 hides",
    "Losing folds: 4",
    "« Trop de bruit »",
    "Exit on the stop (X2)",
)
CUT_OFF = (
    "The strategy loses because",
    "Profit factor of 0.8, win rate of 0.3,",
    "Les pertes viennent de l’",
    "The best folds are those with the",
    "Several figures speak for it:",
    "It holds (see",
    "The walk-forward Sharpe ratio is far below the whole period's and the losing folds come one after the "
    "other, so that whoever trades it would sit through two y",
)


@pytest.mark.parametrize("words", FAIR)
def test_a_short_text_without_a_full_stop_is_a_text(words):
    assert not Listener(prompt("analyst", "en")).says_nothing(words)


@pytest.mark.parametrize("words", CUT_OFF)
def test_a_text_that_breaks_off_is_none(words):
    listener = Listener(prompt("analyst", "en"))
    assert listener.says_nothing(words)
    assert [one.why for one in listener.unsaid] == ["cut_off"]


class Reason(BaseModel):
    """A reason that needs its words."""

    statement: Sentence
    test: Remark = ""


class Reading(BaseModel):
    """What the role must say."""

    score: int
    strengths: list[Sentence] = []
    remark: Remark = ""
    reasons: list[Reason] = Field(min_length=1)


def said(*, strengths=(), remark="", reasons=("Costs eat the wins.",)):
    told = [{"statement": words, "test": f"Try it: {place}."} for place, words in enumerate(reasons)]
    return json.dumps({"score": 7, "strengths": list(strengths), "remark": remark, "reasons": told})


def asked_of(monkeypatch, tmp_path, answers, language="en"):
    question = Question(
        role="analyst",
        prompt=Prompt(name="optimization/analyst", language=language, system=SYSTEM, user="Sharpe 1.2"),
        schema=Reading,
        evidence={},
        policy=lambda evidence: Reading(score=1, reasons=[Reason(statement=SYSTEM)]),
    )
    script = scripted_models(monkeypatch, answers)
    chain = [*answers, "rules"] if "ollama:second" in answers else list(answers)
    return ask(question, chain=chain, context=Context(home=str(tmp_path), language=language)), script


def test_it_goes_back_once_with_its_words_and_the_reason(monkeypatch, tmp_path):
    first = said(strengths=[SYSTEM, "Many trades.", "many trades"], remark="It loses because")
    result, script = asked_of(monkeypatch, tmp_path, {"ollama:m": [first, said(strengths=["Many trades."])]})
    assert isinstance(result, Answer)
    assert result.value.strengths == ["Many trades."]
    assert result.provenance.unsaid == []
    assert [tried.code for tried in result.provenance.attempts] == ["doubted", ""]
    _, complaint = script.calls["ollama:m"][1].correction
    for key, words in (("copied", SYSTEM), ("repeated", "many trades"), ("cut_off", "It loses because")):
        assert text(f"nodes.unsaid.{key}", "en", words=words) in complaint


def test_repeated_it_counts_as_nothing_said_and_the_rest_stands(monkeypatch, tmp_path):
    again = said(strengths=[SYSTEM, "Many trades.", "Many trades"], remark=SYSTEM, reasons=(SYSTEM, "Costs."))
    result, _ = asked_of(monkeypatch, tmp_path, {"ollama:m": [again, again]})
    assert isinstance(result, Answer)
    assert result.value == Reading(
        score=7, strengths=["Many trades."], reasons=[Reason(statement="Costs.", test="Try it: 1.")]
    )
    assert result.provenance.unsaid == [SYSTEM, "Many trades", SYSTEM, SYSTEM]
    kept, script = asked_of(monkeypatch, tmp_path, {"ollama:m": []})
    assert isinstance(kept, Answer)
    assert (kept.value, kept.provenance.cached) == (result.value, True)
    assert script.order == []


def test_an_answer_of_nothing_else_is_no_answer(monkeypatch, tmp_path):
    empty = said(reasons=(SYSTEM,))
    result, _ = asked_of(monkeypatch, tmp_path, {"ollama:m": [empty, empty]})
    assert isinstance(result, Abstention)
    assert result.code == "nothing_said"
    result, script = asked_of(
        monkeypatch, tmp_path, {"ollama:m": [empty, empty], "ollama:second": [empty, "I would hold."]}
    )
    assert isinstance(result, Answer)
    assert result.provenance.model == "rules"
    assert result.provenance.degraded
    codes = [tried.code for tried in result.provenance.attempts]
    assert codes == ["doubted", "nothing_said", "doubted", "no_json", "nothing_said", ""]
    assert script.order == ["ollama:m"] * 2 + ["ollama:second"] * 2
