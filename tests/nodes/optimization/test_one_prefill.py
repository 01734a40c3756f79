"""A local model spends its time reading: what the roles of an iteration share it reads once."""

import json

import pytest

from tests.answers import REASONS, adjust, analysis, by_role, proposals, risk, verdicts
from tests.ollama_emulator import Scripted, ollama_emulator
from tests.optimization_runs import run_graph

ONE = {"analyst": "m:1b", "strategist": "m:1b", "validator": "m:1b"}
LONGEST_RATIO = 1.4
ADOPTED = (adjust(8), adjust(30, "slow_period"), risk(3.0), risk(10.0, "take_profit_pct"))
NOT_ADOPTED = (adjust(12), adjust(40, "slow_period"), risk(4.0), risk(20, "max_bars"))


def asked(body):
    """The fields that a request asks for."""
    return body["format"]["properties"]


class Asked:
    """A request, as far as `by_role` looks."""

    def __init__(self, body):
        self.schema = body["format"]


def team(*iterations):
    """A model that plays every role; its proposals are these, one iteration after the other."""
    told = iter(iterations)

    def answer(body):
        if "proposals" in asked(body):
            said = json.loads(proposals(*next(told)))
            for one, why in zip(said["proposals"], REASONS, strict=False):
                one["reason"] = why
            return json.dumps(said)
        return by_role(Asked(body), verdicts=verdicts(*["validated"] * 4), analysis=analysis())

    return Scripted(answer=answer)


def two_iterations(home, language):
    """The reads of each of two iterations, the messages sent, and what was adopted in each."""
    with ollama_emulator({"m:1b": team(ADOPTED, NOT_ADOPTED)}) as emulator:
        state, _ = run_graph(
            home,
            given={"data": "sample:sp500", "params": {}},
            ollama_base_url=emulator.url,
            language=language,
            cache_hours=0.0,
            max_iterations=2,
            target_score=10.0,
            **ONE,
        )
    (first, second) = (place for place, chat in enumerate(emulator.chats) if "quality_score" in asked(chat))
    assert first == 0
    adopted = [entry["adopted"] is not None for entry in state["history"]]
    return [emulator.reads[:second], emulator.reads[second:]], emulator.chats, adopted


@pytest.mark.model
@pytest.mark.parametrize("language", ["fr", "en"])
def test_an_iteration_reads_little_more_than_its_longest_prompt(tmp_path, language):
    iterations, chats, adopted = two_iterations(tmp_path, language)
    assert [len(reads) for reads in iterations] == [6, 6]
    assert adopted == [True, False], "both a new champion and an old one are debated"
    for reads in iterations:
        assert sum(read.anew for read in reads) <= LONGEST_RATIO * max(read.whole for read in reads)
    beginnings = {json.dumps(chat["messages"][0], ensure_ascii=False) for chat in chats}
    assert len(beginnings) == 1, "who they are and what they know is told to all in the same words"
