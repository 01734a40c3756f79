"""`threadx models test`: over the wire to an emulated Ollama server, beside rules and dice."""

import json
import re
from types import SimpleNamespace

import pytest

from record.scorecards import kept_cards
from tests.laws import some
from tests.ollama_emulator import Scripted, ollama_emulator
from threadx.command import main
from threadx.scorecard import marking
from threadx.scorecard.cases import CASES
from threadx.work import models_test

pytestmark = pytest.mark.model

REMEDIES = [
    {"kind": "risk_management", "parameter": "stop_loss_pct", "value": 4.0},
    {
        "kind": "replace_condition",
        "side": "long",
        "entry": "close > sma(close, 50)",
        "exit": "close < sma(close, 50)",
    },
    {"kind": "add_filter", "side": "long", "condition": "adx(14) > 25"},
    {"kind": "add_filter", "side": "long", "condition": "close > sma(close, 100)"},
    {
        "kind": "replace_condition",
        "side": "long",
        "entry": "zscore(close, 20) < -1.5",
        "exit": "zscore(close, 20) > 0.5",
    },
    {"kind": "risk_management", "parameter": "max_bars", "value": 5},
]
WORDS = ("first", "second", "third", "fourth", "fifth", "sixth")


def ids(prompt, *names):
    return [
        found for name in names for found in re.findall(rf"^(\w+) {re.escape(name)}", prompt, re.MULTILINE)
    ]


def expert(body):
    """Cites what bears the faults out, proposes what mends them, and lets everything be tested."""
    fields = body["format"]["properties"]
    prompt = body["messages"][-1]["content"]
    if "hypotheses" in fields:
        told = ids(
            prompt, "exit stop", "avg_trade", "best_trade", "market_variance_ratio_2_bars", "regime downtrend"
        )
        hypothesis = {
            "evidence": told[:6],
            "statement": "The strategy works against its own market.",
            "test": "",
        }
        return json.dumps({"quality_score": 3, "hypotheses": [hypothesis]})
    if "proposals" in fields:
        return json.dumps({"proposals": [{"hypothesis": 1, "change": change} for change in REMEDIES]})
    count = fields["verdicts"]["minItems"]
    said = [
        {
            "proposal": number,
            "decision": "validated",
            "priority": number,
            "reason": f"The {WORDS[number - 1]} one is worth it.",
        }
        for number in range(1, count + 1)
    ]
    return json.dumps({"verdicts": said, "confidence": 6})


def babbler(body):
    """Valid JSON between fences, in another language, with figures that stand nowhere."""
    answer = json.loads(expert(body))
    if "hypotheses" in answer:
        answer["hypotheses"] = [
            {"evidence": ["O1"], "statement": "Der Gewinn von 987654 ist nicht mit den Kosten zu erklären."}
        ]
    return f"```json\n{json.dumps(answer)}\n```"


@pytest.fixture
def server(monkeypatch):
    models = {
        "expert": Scripted(answer=expert),
        "babbler": Scripted(answer=babbler),
        "broken": Scripted(text="no JSON"),
    }
    with ollama_emulator(models) as emulator:
        monkeypatch.setenv("OLLAMA_HOST", emulator.url)
        yield emulator


@pytest.fixture
def few(monkeypatch):
    """Two cases, and one throw of the dice a case: what is tested is not what they come to."""
    monkeypatch.setattr(models_test, "CASES", CASES[:2])
    monkeypatch.setattr(marking, "THROWS", 1)


@pytest.fixture
def one(few, monkeypatch):
    """A single case, where the second one would show what the first does."""
    monkeypatch.setattr(models_test, "CASES", CASES[:1])


@pytest.fixture
def threadx(tmp_path, capsys):
    def call(*arguments, code=0, language="en"):
        with pytest.raises(SystemExit) as left:
            main(["models", "test", *arguments, "--home", str(tmp_path), "--language", language])
        told = capsys.readouterr()
        assert left.value.code == code, told.err
        return told.out

    return call


def share(card, role, mark):
    found = card["roles"][role]["marks"][mark]
    return found["hits"] / found["of"]


def test_an_expert_is_told_from_a_babbler_and_from_a_broken_model(server, threadx, monkeypatch):
    """On a third of the cases, in the soak on all; `test_scorecard_cases` proves each of them."""
    played = some(CASES, CASES[::3])
    monkeypatch.setattr(models_test, "CASES", played)
    found = json.loads(threadx("expert", "babbler", "broken", "--json", "-"))["models"]
    assert list(found) == ["dice", "ollama:babbler", "ollama:broken", "ollama:expert", "rules"]
    expert, babbler, broken = (found[f"ollama:{name}"] for name in ("expert", "babbler", "broken"))
    assert share(expert, "analyst", "named") == 1.0
    assert share(expert, "strategist", "fitting") >= 5 / 6
    assert share(expert, "strategist", "fitting") > share(found["dice"], "strategist", "fitting")
    assert share(expert, "analyst", "named") > share(found["dice"], "analyst", "named")
    assert share(expert, "analyst", "first") == 1.0
    assert share(babbler, "analyst", "named") == 0.0
    assert share(babbler, "analyst", "founded") == 0.0
    assert share(babbler, "analyst", "language") == 0.0
    assert share(babbler, "analyst", "corrected") == 1.0
    assert share(babbler, "validator", "repaired") == 1.0
    assert [share(broken, "analyst", mark) for mark in ("first", "repaired", "corrected")] == [0.0] * 3
    assert expert["roles"]["analyst"]["prompt_tokens"] > 0
    assert expert["roles"]["analyst"]["answer_tokens"] > 0
    assert set(expert["faults"]) == {case.name for case in played}


def test_who_was_asked_once_is_not_asked_again(server, threadx, one):
    first = threadx("expert", "--json", "-")
    asked = len(server.chats)
    assert asked >= 3
    assert threadx("expert", "--json", "-") == first
    assert len(server.chats) == asked


def test_a_test_that_is_out_of_time_goes_on_where_it_was(server, threadx, few, monkeypatch):
    clock = SimpleNamespace(monotonic=lambda: 60.0 * len(server.chats))
    monkeypatch.setattr(models_test, "time", clock)
    told = json.loads(threadx("expert", "--minutes", "4", "--json", "-"))
    assert told["out_of_time"]
    assert len(server.chats) <= 5
    assert len(told["models"].get("ollama:expert", {"faults": {}})["faults"]) < 2
    told = json.loads(threadx("expert", "--json", "-"))
    assert not told["out_of_time"]
    assert len(told["models"]["ollama:expert"]["faults"]) == 2
    whole = len(server.chats)
    server.chats.clear()
    threadx("expert", "--json", "-", language="fr")
    assert whole == len(server.chats)


def test_a_model_that_cannot_be_asked_is_told_and_asked_again_later(server, threadx, few):
    assert "missing" in threadx("missing", code=1)
    server.models["expert"].status, server.models["expert"].error = 400, "out of order"
    assert "ollama:expert could not be tested to the end" in threadx("expert", code=1)
    server.models["expert"].status = 200
    told = json.loads(threadx("expert", "--json", "-"))
    assert len(told["models"]["ollama:expert"]["faults"]) == 2


def test_the_table_has_a_column_a_model_and_a_row_a_fault_in_both_languages(server, threadx, one):
    told = threadx("rules")
    assert "Stop too tight" in told
    assert "dice" in told
    assert "Stop trop serré" in threadx("rules", language="fr")


def test_progress_counts_the_reviews_of_every_model(server, few, tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["models", "test", "expert", "--home", str(tmp_path), "--language", "en"])
    told = [line for line in capsys.readouterr().err.splitlines() if line.endswith("reviews.")]
    assert told == [f"{done} of 4 reviews." for done in range(1, 5)]


def test_who_does_not_answer_is_told_before_anybody_is_asked(server, one, tmp_path, capsys):
    with pytest.raises(SystemExit) as left:
        main(["models", "test", "expert", "missing", "--home", str(tmp_path), "--language", "en"])
    told = capsys.readouterr()
    lines = [line for line in told.err.splitlines() if line]
    assert left.value.code == 1
    assert lines[0].startswith("ollama:missing could not be tested to the end")
    assert "reviews" in lines[1]
    assert "ollama:missing could not be tested" in told.out


def test_where_nobody_answers_nothing_is_played(server, threadx, few, tmp_path):
    told = json.loads(threadx("missing", "--json", "-", code=1))
    assert told["models"] == {}
    assert list(told["failures"]) == ["ollama:missing"]
    assert not (tmp_path / "scorecard").exists()


def test_each_model_has_its_share_of_the_minutes_and_its_column(server, threadx, few, monkeypatch):
    """A minute a call: of eight minutes each of two models has four; rules, in no time, have none."""
    monkeypatch.setattr(models_test, "time", SimpleNamespace(monotonic=lambda: 60.0 * len(server.chats)))
    server.models["second"] = Scripted(answer=expert)
    told = json.loads(threadx("expert", "second", "--minutes", "8", "--json", "-"))
    asked = [chat["model"] for chat in server.chats]
    assert 4 <= asked.count("expert") <= 5
    assert 4 <= asked.count("second") <= 5
    assert told["out_of_time"]
    assert list(told["models"]) == ["dice", "ollama:expert", "ollama:second", "rules"]


def test_what_was_tested_is_kept_for_the_page(server, threadx, few, tmp_path):
    threadx("expert")
    kept = {one.model: one for one in kept_cards(tmp_path, "en")}
    assert list(kept) == ["dice", "ollama:expert", "rules"]
    told = json.loads(threadx("expert", "--json", "-"))["models"]
    assert {model: one.card().plain() for model, one in kept.items()} == told
    assert len(kept["rules"].faults) == 2
    assert kept_cards(tmp_path, "fr") == []


def test_what_names_no_model_is_refused_before_anything_is_done(threadx, tmp_path):
    threadx("olama:x", code=2)
    assert not (tmp_path / "scorecard").exists()
