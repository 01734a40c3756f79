"""What a careful human would accept is accepted and counted; what changes meaning is not."""

import json
import unicodedata
from typing import Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field

from nodes.context import Context
from nodes.seam.ask import Abstention, Answer, Question, ask
from nodes.seam.reading import read
from prompts import Prompt
from tests.ollama_emulator import Scripted, ollama_emulator
from tests.openai_server import Scripted as Whole
from tests.openai_server import openai_server
from tests.scripted import scripted_models

pytestmark = pytest.mark.model


class Opinion(BaseModel):
    """What the role must say."""

    model_config = ConfigDict(extra="forbid")

    stance: Literal["positive", "neutral", "negative"]
    regime: Literal["expansion_modérée", "contraction"] = "contraction"
    score: float = Field(ge=0, le=10)
    confidence: float = Field(ge=0, le=1)
    cited: list[Literal["M1", "M12", "I2.1"]] = []
    reasons: list[str] = Field(default=[], max_length=3)
    bars: int | None = None


SAID = {"stance": "positive", "score": 7, "confidence": 0.45, "reasons": ["It's steady, // no # comment"]}
MEANT = Opinion(**SAID)


def said(**changed):
    return json.dumps({**SAID, **changed}, ensure_ascii=False)


def python():
    return repr({**SAID, "bars": None})


PLAIN = said()
ACCEPTED = {
    "as asked": (PLAIN, []),
    "code fence": (f"```json\n{PLAIN}\n```", ["surroundings"]),
    "text after the object": (f"{PLAIN}\nI hope it helps: it's {{all}}.", ["surroundings"]),
    "the same object twice": (f"{PLAIN}\n{PLAIN}", ["surroundings"]),
    "one object in a list": (f"[{PLAIN}]", ["list"]),
    "trailing commas": (PLAIN[:-2] + ",],}", ["syntax"]),
    "comments": (PLAIN.replace("{", "{ // it's {mine}\n /* 1 */", 1), ["syntax"]),
    "hash comment": (PLAIN.replace("{", "{ # it's {mine}\n", 1), ["syntax"]),
    "single quotes and Python constants": (python(), ["syntax"]),
    "no-break spaces": (PLAIN.replace('": ', '":\u00a0'), ["syntax"]),
    "ratio as text": (said(score="7/10"), ["number"]),
    "bare ratio": (PLAIN.replace("7,", "7/10,"), ["number", "syntax"]),
    "ratio of another scale": (said(confidence="4.5/10"), ["number"]),
    "number as text": (said(score="7"), ["number"]),
    "decimal comma": (said(score="7,0", confidence="0,45"), ["number"]),
    "percent as text": (said(confidence="45 %"), ["number"]),
    "percent with a no-break space": (said(confidence="45\u00a0%"), ["number"]),
    "bare percent": (PLAIN.replace("0.45", "45 %"), ["number", "syntax"]),
    "enum in other case": (said(stance="Positive"), ["enum"]),
    "enum with a full stop": (said(stance="positive."), ["enum"]),
    "enum in the other language": (said(stance="haussier"), ["enum"]),
    "unknown extra key": (said(note="I am sure"), ["extra_key"]),
    "null for an empty list": (said(cited=None), ["null"]),
    "blanks before and after": (f"\n\n {PLAIN}", []),
    "in prose, with an example of something else": (
        f'Given {{"Sharpe": 1.2}} I say: {PLAIN}',
        ["surroundings"],
    ),
}
REFUSED = {
    "true as a number": (said(score=True), "invalid_schema", "score"),
    "true as a number, quoted": (said(score="true"), "invalid_schema", "score"),
    "two different answers": (f"{PLAIN} or rather {said(score=2)}", "two_answers", "2 different"),
    "two different answers in a list": (f"[{PLAIN}, {said(score=2)}]", "two_answers", "2 different"),
    "thousands or decimals": (said(score="1,000"), "invalid_schema", "score"),
    "out of bounds": (said(score="11/10"), "invalid_schema", "score"),
    "words for a number": (said(score="about seven"), "invalid_schema", "score"),
    "two values of an enum": (said(stance="positive or negative"), "invalid_schema", "stance"),
    "no value of an enum": (said(stance="hold"), "invalid_schema", "stance"),
    "null for a number": (said(score=None), "invalid_schema", "score"),
    "a missing key": (PLAIN.replace('"score": 7, ', ""), "invalid_schema", "score"),
    "a missing comma": (PLAIN.replace(", ", "\n", 1), "not_json", "line 2, column 1"),
    "cut off": (PLAIN[:-3], "truncated_json", "breaks off"),
    "a key twice": (PLAIN.replace("{", '{"score": 1, ', 1), "duplicate_key", "score"),
    "not a number": (PLAIN.replace("7", "NaN"), "not_finite", "NaN"),
    "prose": ("I would hold.", "no_json", "I would hold."),
}


def question():
    return Question(
        role="analyst",
        prompt=Prompt(name="optimization/analyst", language="en", system="Say it.", user="Sharpe 1.2"),
        schema=Opinion,
        evidence={},
        policy=lambda evidence: MEANT,
        corrections=0,
    )


def asked(tmp_path, reference, **addresses):
    context = Context(home=str(tmp_path), language="en", cache_hours=0.0, **addresses)
    return ask(question(), chain=[reference], context=context)


def streamed(tmp_path, text, **behaviour):
    with ollama_emulator({"m:1b": Scripted(text=text, **behaviour)}) as emulator:
        return asked(tmp_path, "ollama:m:1b", ollama_base_url=emulator.url)


def whole(monkeypatch, tmp_path, text):
    scripted_models(monkeypatch, {"ollama:m": [text]})
    return asked(tmp_path, "ollama:m")


@pytest.mark.parametrize(("text", "repairs"), ACCEPTED.values(), ids=ACCEPTED.keys())
def test_what_a_careful_human_would_accept(text, repairs, tmp_path, monkeypatch):
    for result in (streamed(tmp_path, text), whole(monkeypatch, tmp_path, text)):
        assert isinstance(result, Answer), result
        assert result.value == MEANT
        assert result.provenance.repairs == repairs


@pytest.mark.parametrize(("text", "code", "told"), REFUSED.values(), ids=REFUSED.keys())
def test_what_changes_meaning_is_refused_with_its_reason(text, code, told, tmp_path, monkeypatch):
    for result in (streamed(tmp_path, text), whole(monkeypatch, tmp_path, text)):
        assert isinstance(result, Abstention)
        assert result.code == code
        assert told in result.provenance.attempts[-1].detail


@pytest.mark.parametrize("words", ["50 %", "5/10", "0,5"])
def test_a_share_within_the_bounds_of_a_case_is_a_share(words):
    within = {"type": "number", "minimum": 0.42, "maximum": 0.85}
    assert read(words, within) == (0.5, {"number"})
    assert read("50 %", {**within, "maximum": 85}) == ("50 %", frozenset())


MOST = {
    "decomposed accents": (unicodedata.normalize("NFD", "expansion_modérée"), "expansion_modérée"),
    "no accents": ("Expansion moderee", "expansion_modérée"),
    "the other language": ("moderate expansion", "expansion_modérée"),
    "another word": ("récession", "contraction"),
}


@pytest.mark.parametrize(("words", "meant"), MOST.values(), ids=MOST.keys())
def test_accents_and_languages_of_an_enum(words, meant, tmp_path):
    result = streamed(tmp_path, said(regime=words))
    assert isinstance(result, Answer)
    assert (result.value.regime, result.provenance.repairs) == (meant, ["enum"])


def test_an_id_may_be_followed_by_the_name_of_its_line(tmp_path):
    result = streamed(tmp_path, said(cited=["M1 sharpe_ratio", "M12", "I2.1 (0.3)"]))
    assert isinstance(result, Answer)
    assert result.value.cited == ["M1", "M12", "I2.1"]
    assert isinstance(streamed(tmp_path, said(cited=["M1 and M12"])), Abstention)
    assert isinstance(streamed(tmp_path, said(cited=["M2 sharpe_ratio"])), Abstention)


def test_an_answer_where_thoughts_belong(tmp_path, monkeypatch):
    thought = f"Let me see.\n{PLAIN}"
    result = streamed(tmp_path, "", thinking=thought, thinks=True)
    assert isinstance(result, Answer)
    assert (result.value, result.provenance.repairs) == (MEANT, ["surroundings", "thinking"])
    with openai_server(Whole(text="", reasoning=thought)) as server:
        monkeypatch.setenv("OPENAI_API_KEY", "")
        result = asked(tmp_path, "openai:m", openai_base_url=server.url)
    assert isinstance(result, Answer), result
    assert result.value == MEANT


def test_a_whole_object_followed_by_blanks_where_the_room_ends(tmp_path):
    result = streamed(tmp_path, f"{PLAIN}\n\n   \n", done_reason="length")
    assert isinstance(result, Answer)
    assert (result.value, result.provenance.repairs) == (MEANT, ["blanks"])
    for cut in (PLAIN, f"{PLAIN[:-3]}   ", f"{PLAIN} because\n", f"{PLAIN}\n{{"):
        assert isinstance(streamed(tmp_path, cut, done_reason="length"), Abstention), cut
