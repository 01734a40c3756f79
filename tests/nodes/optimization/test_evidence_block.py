"""The evidence that roles share has a budget: small windows get its most relevant part, and are told so."""

import re
from itertools import pairwise

import pytest

from nodes.optimization.evidence.block import SHARED, evidence_block
from nodes.optimization.evidence.evidence import WHOLE, gather_evidence
from nodes.optimization.evidence.history import shortened
from nodes.seam.room import LEAST_EVIDENCE, MOST_EVIDENCE
from prompts import part_of
from providers.request import estimate_tokens
from record.events import Called
from record.record import RunRecord
from tests.answers import adjust, risk
from tests.nodes.optimization.test_one_prefill import ADOPTED, ONE, asked, team
from tests.ollama_emulator import Scripted, ollama_emulator
from tests.optimization_runs import run_graph
from tests.run_lines import lines
from threadx.audit.replaying import replay_run

pytestmark = [pytest.mark.model, pytest.mark.long]


@pytest.fixture(scope="module")
def surveyed(tmp_path_factory):
    """The state of a run with a survey: figures of a champion, and a population of candidates."""
    home = tmp_path_factory.mktemp("surveyed")
    return run_graph(
        home, given={"data": "sample:sp500", "params": {}}, search="population", max_iterations=1
    )[0]


def iterations(count):
    """A history in which each iteration tests three settings, none of them adopted."""
    subjects = (adjust, risk, lambda value: risk(value, "take_profit_pct"))
    return [
        {
            "iteration": number,
            "adopted": None,
            "score_before": 1.0,
            "score": 1.0,
            "trials": [
                {
                    "number": place,
                    "sentence": f"A change of value {number} to something that takes some words to tell",
                    "outcome": "kept_out",
                    "backtests": 1,
                    "score": number / 100,
                    "hash": f"{number}.{place}",
                    "settled": None,
                    "change": make(float(number)),
                }
                for place, make in enumerate(subjects, start=1)
            ],
        }
        for number in range(1, count + 1)
    ]


def block(state, count, tokens, language="en"):
    given = {**state, "history": shortened(iterations(count))}
    return evidence_block(gather_evidence(given, count + 1), language, tokens)


def tokens_of(found, language="en"):
    frame = estimate_tokens(part_of(SHARED, "user", language))
    return frame + estimate_tokens("\n".join([*found.parts.values(), found.note]))


@pytest.mark.parametrize("language", ["fr", "en"])
def test_the_block_keeps_to_its_budget_however_long_the_history(surveyed, language):
    for count in (1, 5, 60):
        assert tokens_of(block(surveyed, count, MOST_EVIDENCE, language), language) <= MOST_EVIDENCE
    unlimited = [tokens_of(block(surveyed, count, 100_000, language), language) for count in (20, 60)]
    assert unlimited[1] - unlimited[0] < 20, "older iterations are told as counts"


def test_older_iterations_are_folded_by_what_was_changed(surveyed):
    found = block(surveyed, 30, 100_000)
    (folded,) = re.findall(rf"^Up to iteration {30 - WHOLE}.*$", found.parts["history"], re.MULTILINE)
    assert "risk_management take_profit_pct 28 tested, 0 adopted, best score 0.28" in folded
    cited = [name for name in found.ids if name.startswith("I")]
    assert cited == ["I29.1", "I29.2", "I29.3", "I30.1", "I30.2", "I30.3"]


def test_less_room_leaves_out_the_less_relevant_says_so_and_offers_no_id_of_it(surveyed):
    rooms = (LEAST_EVIDENCE, 500, 1000, MOST_EVIDENCE, 100_000)
    found = [block(surveyed, 4, room) for room in rooms]
    for less, more in pairwise(found):
        assert set(less.ids) < set(more.ids)
    assert found[-1].note == ""
    assert found[-1].left_out == []
    for one in found:
        shown = set(re.findall(r"^[A-Z]\d[\d.]*", "\n".join(one.parts.values()), re.MULTILINE))
        assert shown == set(one.ids)
        assert {"W1", "M1"} <= shown, "score and Sharpe ratio are told in any case"
        assert not shown & set(one.left_out)
    least, some = found[0], found[2]
    assert "param " in least.parts["strategy"]
    assert least.parts["prices"] == "(left out to stay short)"
    counted = sum(name.startswith("T") for name in some.left_out)
    assert f"T {counted}" in some.note


def run(home, model, **settings):
    """(state, requests, calls on record) of an iteration in which one model plays every role."""
    with ollama_emulator({"m:1b": model}) as emulator:
        state, _ = run_graph(
            home,
            given={"data": "sample:sp500", "params": {}, "run": "r"},
            ollama_base_url=emulator.url,
            language="en",
            cache_hours=0.0,
            max_iterations=1,
            **{**ONE, **settings},
        )
    calls = [line["data"] for line in lines(RunRecord(home, state["run_id"])) if line["kind"] == Called.kind]
    return state, emulator.chats, calls


def evidence_in(chat):
    return chat["messages"][1]["content"].partition("</evidence>")[0]


def test_a_small_window_is_shown_less_from_the_first_call_on(tmp_path):
    model = team(ADOPTED)
    model.context_length = 8192
    _, chats, calls = run(tmp_path, model)
    assert len({evidence_in(chat) for chat in chats}) == 1, "all roles share it: it is read once"
    assert estimate_tokens(evidence_in(chats[0])) <= 8192 // 8
    assert "Left out to stay short" in evidence_in(chats[0])
    assert [call["failures"] for call in calls] == [[]] * len(chats), "nobody had to refuse first"
    for call in calls:
        assert call["evidence_tokens"] == 8192 // 8
        assert "T1" in call["left_out"]
    hypothesis = chats[0]["format"]["$defs"]["Hypothesis"]["properties"]["evidence"]["items"]["enum"]
    assert "W1" in hypothesis
    assert "T1" not in hypothesis, "nobody is asked to cite what was not shown"


def test_a_server_without_room_is_asked_once_more_with_less_and_the_run_is_replayed(tmp_path):
    read = [sum(len(m["content"]) for m in chat["messages"]) // 4 for chat in run(tmp_path, team(ADOPTED))[1]]
    model = team(ADOPTED)
    model.window = max(read) - 100  # it holds less than it says: the strategist's prompt is the longest
    state, _, calls = run(tmp_path / "less", model)
    read, refused, again, *others = calls
    assert (read["failures"], read["evidence_tokens"]) == ([], MOST_EVIDENCE)
    assert [one["code"] for one in refused["failures"]] == ["prompt_too_long"]
    assert (refused["answer"], again["failures"]) == (None, [])
    assert LEAST_EVIDENCE <= again["evidence_tokens"] <= MOST_EVIDENCE // 2
    assert "Left out to stay short" in again["prompt"]["user"], "what was read in the end is on record"
    assert state["history"][0]["trials"]
    assert {call["evidence_tokens"] for call in others} == {again["evidence_tokens"]}, "it is known now"
    assert not any(call["failures"] for call in others)
    assert replay_run("r", tmp_path / "less").same


def test_a_model_that_has_no_room_for_the_least_is_left_for_the_next_of_its_chain(tmp_path):
    model = Scripted(window=100)
    chain = ("ollama:m:1b", "rules")
    _, chats, _ = run(tmp_path, model, analyst=chain, strategist="rules", validator="rules", use_debate=False)
    assert len(chats) == 2
    assert estimate_tokens(evidence_in(chats[1])) < estimate_tokens(evidence_in(chats[0]))
    assert "quality_score" in asked(chats[0])
