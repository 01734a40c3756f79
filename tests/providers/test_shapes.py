"""The shape of an answer as a model reads it: short, whole, each thing told once."""

import json
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, Field

from backtest import PRESETS, StrategySpec
from nodes.optimization.case import proposals_of
from providers.shapes import shape
from tests.evidence import evidence

Ids = Literal[tuple(f"M{number}" for number in range(1, 40))]  # type: ignore[valid-type]


class Range(BaseModel):
    low: Annotated[int, Field(ge=2, le=50)]
    high: Annotated[int, Field(ge=2, le=50)]


class Stop(BaseModel):
    kind: Literal["stop"]
    value: Annotated[float, Field(gt=0, le=50)] | Range | None = Field(description="A value, or a range.")


class Target(BaseModel):
    kind: Literal["target"]
    value: Annotated[float, Field(gt=0, le=500)] | Range | None = Field(description="A value, or a range.")


class Answer(BaseModel):
    change: Annotated[Stop | Target, Field(discriminator="kind")] = Field(description="The change itself.")
    evidence: list[Ids] = Field(min_length=1, max_length=6, description="Ids of lines.")
    reason: Annotated[str, Field(max_length=400)] = Field(default="", description="Why.")
    sure: bool


SHAPE = """\
{
  // The change itself.
  change:
  | {
    kind: "stop"
    value: number above 0 to 50 | {low, high: integer from 2 to 50} | null // A value, or a range.
  }
  | {kind: "target", value: number above 0 to 500 | {low, high: integer from 2 to 50} | null}
  evidence: ["M1" | "M2" | … | "M39", …] (1 to 6) // Ids of lines.
  reason?: string up to 400 characters // Why.
  sure: boolean
}"""


def test_a_shape_tells_fields_bounds_and_choices_and_each_description_once():
    assert shape(Answer.model_json_schema()) == SHAPE


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_the_strategists_shape_is_a_quarter_of_its_schema_and_lacks_no_change(preset):
    given = evidence(StrategySpec.preset(preset), items=[{"id": "M1", "name": "sharpe_ratio"}])
    schema = proposals_of(given, 2).model_json_schema()
    told = shape(schema)
    assert len(told) < len(json.dumps(schema)) / 4
    kinds = {
        one["properties"]["kind"]["const"] for one in schema["$defs"].values() if "kind" in str(one)[:200]
    }
    assert {"add_filter", "sizing"} <= kinds
    for words in (*kinds, *StrategySpec.preset(preset).params, "stop_loss_pct", "expected_effect"):
        assert f'"{words}"' in told or f"{words}?:" in told
