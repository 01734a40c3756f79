"""What a shape says of its fields is in the language of its prompt, for every answer a model may give."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from backtest import PRESETS, StrategySpec
from nodes.ensemble.agents import AGENTS
from nodes.ensemble.case import summary_of
from nodes.optimization.case import analysis_of, proposals_of, turn_of, verdicts_of
from nodes.optimization.schemas import Analysis
from nodes.optimization.single import Work
from prompts.fields import in_language
from prompts.texts import catalogue
from providers.shapes import shape
from tests.evidence import evidence

FIGURES = [{"id": "M1", "name": "sharpe_ratio"}]


def schemas() -> Iterator[dict[str, Any]]:
    """Of every role, with every kind of change of every preset, and of every agent."""
    specs = [StrategySpec.preset(name) for name in sorted(PRESETS)]
    specs.append(StrategySpec.preset("ma_crossover").with_filter("adx(14) > 25", side="long"))
    for spec in specs:
        yield proposals_of(evidence(spec, items=FIGURES), 2).model_json_schema()
    case = evidence(specs[0], items=FIGURES)
    for one in (analysis_of(case, Analysis), verdicts_of(case, 3), turn_of(case), Work):
        yield one.model_json_schema()
    for agent in AGENTS.values():
        yield agent.schema.model_json_schema()
    yield summary_of(("MARKET", "SPY")).model_json_schema()


def comments(schema: dict[str, Any]) -> set[str]:
    return set(re.findall(r"// (.*)", shape(schema)))


@pytest.fixture(scope="module")
def all_schemas() -> list[dict[str, Any]]:
    return list(schemas())


def test_every_comment_of_a_shape_is_known_in_both_languages_and_none_is_left_over(all_schemas) -> None:
    english = set(catalogue("fields", "en").values())
    shown = set().union(*map(comments, all_schemas))
    assert shown == english


def test_a_french_shape_has_no_comment_in_english(all_schemas) -> None:
    french = {" ".join(words.split()) for words in catalogue("fields", "fr").values()}
    for schema in all_schemas:
        told = in_language(schema, "fr")
        assert comments(told) <= french
        assert len(comments(told)) == len(comments(schema)), "each sentence has its own translation"
        assert re.sub(r" *// .*", "", shape(told)) == re.sub(r" *// .*", "", shape(schema))
