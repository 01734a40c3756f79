"""Schemas of an hour: a grammar lets no row, name or score through that is not there."""

from __future__ import annotations

import json

import jsonschema
import pytest

from nodes.ensemble.agents import AGENTS
from nodes.ensemble.policies.evidence import candidates
from tests.nodes.ensemble.test_graph import GOOD_ROWS, row, run, summary
from tests.partitions import fill
from tests.scripted import scripted_models


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    """The schema that each role's model is held to, and the rows that it reads."""
    home = fill(tmp_path_factory.mktemp("case"))
    schemas = {}

    def keep(request):
        schemas[request.role] = request.schema
        return "I would rather not."

    with pytest.MonkeyPatch.context() as patch:
        scripted_models(patch, {"ollama:m": [keep] * 40})
        state = run(home, **dict.fromkeys((*AGENTS, "arbiter"), ("ollama:m", "rules")))
    return schemas, state


def takes(schema, answer):
    return jsonschema.Draft202012Validator(schema).is_valid(answer)


def ids_in(schema):
    reason = next(one for name, one in schema["$defs"].items() if name in ("Driver", "Concern"))
    items = reason["properties"]["evidence"]["items"]
    return items.get("enum") or [items["const"]]


def test_reasons_rest_on_the_rows_of_their_agent(asked):
    schemas, state = asked
    for name in AGENTS:
        assert ids_in(schemas[name]) == [one["id"] for one in state["evidence"][name]]


def test_free_text_stands_last_in_every_reason_and_after_every_judgement(asked):
    schemas, _ = asked
    for name in AGENTS:
        reason = next(one for key, one in schemas[name]["$defs"].items() if key in ("Driver", "Concern"))
        assert [*reason["properties"]][-1] == "text"
        assert [*schemas[name]["properties"]][-1] in ("drivers", "concerns")


def test_a_contributor_is_like_a_row_of_the_hour(asked):
    schemas, state = asked
    scores = [one["score"] for one in candidates(state["evidence"])]
    assert min(scores) > 0.0
    good = json.loads(summary(GOOD_ROWS))
    assert takes(schemas["arbiter"], good)
    strangers = (
        row("NVDA"),
        row("SPY", score=min(scores) / 2),
        row("SPY", source="ailleurs"),
        row("SPY", model="gpt"),
    )
    for stranger in strangers:
        assert not takes(schemas["arbiter"], {**good, "contributors": [*GOOD_ROWS, stranger]}), stranger
    advice = {**good["recommendations"][0], "instrument": "NVDA"}
    assert not takes(schemas["arbiter"], {**good, "recommendations": [advice, *good["recommendations"][1:]]})
