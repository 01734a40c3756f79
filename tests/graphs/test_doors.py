"""A misspelt key is refused by name, whichever door it comes through, and the nearest one is named.

The walk: every door × every kind of key. Keys are misspelt as hands do it: a letter lost, two changed about.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from langgraph.graph import StateGraph
from pydantic import BaseModel

import threadx
from backtest import StrategyError, StrategySpec
from backtest.types import Risk, Sizing
from base.errors import LANGUAGES
from graphs.ensemble import graph as ensemble
from graphs.optimization import graph as optimization
from graphs.review import graph as review
from nodes.context import VARIABLES, OptimizationContext
from nodes.ensemble.context import EnsembleContext
from nodes.ensemble.state import EnsembleInput
from nodes.errors import SettingError
from nodes.optimization.state import OptimizationInput, ReviewInput
from prompts import Words
from tests.base.test_errors import english
from tests.raise_sites import sources
from threadx.command import build, main
from threadx.tools import StrategyForm, backtest_tool
from threadx.web.order import ROLES, SETTINGS, Order, check
from vault.readers.options import Reading

pytestmark = pytest.mark.long

GRAPHS: list[tuple[Any, Any, Any, dict[str, Any]]] = [
    (optimization, OptimizationInput, OptimizationContext, {"data": "sample:sp500"}),
    (review, ReviewInput, OptimizationContext, {"data": "sample:sp500"}),
    (ensemble, EnsembleInput, EnsembleContext, {"data": "sample"}),
]


def misspelt(name: str) -> str:
    """One letter lost, or two changed about in a short name."""
    return name[:-1] if len(name) > 3 else name[1] + name[0] + name[2:]


def invoke(graph: Any, given: Any, context: Any) -> Any:
    return graph.invoke(given, context=context)


def stream(graph: Any, given: Any, context: Any) -> Any:
    return list(graph.stream(given, context=context))


def ainvoke(graph: Any, given: Any, context: Any) -> Any:
    return asyncio.run(graph.ainvoke(given, context=context))


def astream(graph: Any, given: Any, context: Any) -> Any:
    async def all_of_it() -> list[Any]:
        return [part async for part in graph.astream(given, context=context)]

    return asyncio.run(all_of_it())


def events(graph: Any, given: Any, context: Any) -> Any:
    async def all_of_it() -> list[Any]:
        return [part async for part in graph.astream_events(given, version="v2", context=context)]

    return asyncio.run(all_of_it())


def batch(graph: Any, given: Any, context: Any) -> Any:
    return graph.batch([given], context=context)


def inside_another(graph: Any, given: Any, context: Any) -> Any:
    """As a step of somebody's own graph."""
    outer: Any = StateGraph(dict)
    outer.add_node("step", lambda state: graph.invoke(given, context=context))
    outer.set_entry_point("step")
    return outer.compile().invoke({"any": 1})


DOORS: list[Callable[[Any, Any, Any], Any]] = [
    invoke,
    stream,
    ainvoke,
    astream,
    events,
    batch,
    inside_another,
]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("THREADX_HOME", str(tmp_path))
    return tmp_path


def refused(caught: Any, name: str, meant: str, home: Path) -> None:
    """One sentence in the reader's language that names both; nothing was begun."""
    told = str(caught.value)
    assert isinstance(caught.value, SettingError)
    assert name in told
    assert caught.value.fields["nearest"] == meant
    assert meant in told
    assert english(told.replace(name, "").replace(meant, "")) == set()
    assert not (home / "runs").exists()


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("place", range(len(GRAPHS)), ids=["optimization", "review", "ensemble"])
def test_every_misspelt_key_of_input_and_context_is_refused(door: Any, place: int, home: Path) -> None:
    graph, asked, settings, good = GRAPHS[place]
    for meant in asked.model_fields:
        name = misspelt(meant)
        with pytest.raises(SettingError) as caught:
            door(graph, {**good, name: "x"}, None)
        refused(caught, name, meant, home)
    for meant in settings.model_fields:
        name = misspelt(meant)
        with pytest.raises(SettingError) as caught:
            door(graph, good, {name: "x"})
        refused(caught, name, meant, home)


@pytest.mark.parametrize("place", range(2), ids=["optimization", "review"])
def test_every_misspelt_key_of_a_section_is_refused(place: int, home: Path) -> None:
    """Of what is known about the price file, under its own name."""
    graph, _, _, good = GRAPHS[place]
    for meant in Reading.model_fields:
        name = misspelt(meant)
        with pytest.raises(SettingError) as caught:
            graph.invoke({**good, "reading": {name: "x"}})
        refused(caught, f"reading.{name}", f"reading.{meant}", home)


SECTIONS: dict[str, type[BaseModel]] = {"": StrategySpec, "risk": Risk, "sizing": Sizing}
STRATEGY = {"name": "s", "entry_long": "close > 1"}


def as_input(strategy: dict[str, Any], home: Path) -> str:
    with pytest.raises(StrategyError) as caught:
        optimization.invoke({"data": "sample:sp500", "spec": strategy})
    return str(caught.value)


def as_file(strategy: dict[str, Any], home: Path) -> str:
    path = home / "strategy.json"
    path.write_text(json.dumps(strategy), encoding="utf-8")
    said = io.StringIO()
    with pytest.raises(SystemExit) as left, contextlib.redirect_stderr(said):
        main(["optimize", "sample:sp500", "--strategy-file", str(path)])
    assert left.value.code == 2
    return said.getvalue()


def as_tool(strategy: dict[str, Any], home: Path) -> str:
    asked = {"data": "sample:sp500", "strategy": {one: strategy[one] for one in strategy if one != "name"}}
    told = backtest_tool().invoke({"name": "x", "args": asked, "id": "1", "type": "tool_call"}).content
    return str(json.loads(told)["error"])


@pytest.mark.parametrize("door", [as_input, as_file, as_tool])
def test_every_misspelt_key_of_a_strategy_is_refused(door: Any, home: Path) -> None:
    for section, schema in SECTIONS.items():
        for meant in schema.model_fields:
            if (door is as_tool and not section and meant not in StrategyForm.model_fields) or (
                meant == "name"
            ):
                continue
            name = misspelt(meant)
            given = {**STRATEGY, section: {name: 1}} if section else {**STRATEGY, name: 1}
            told = door(given, home)
            assert f"{name}" in told
            after = told.partition("\xa0: ")[2] if door is not as_tool else told.rpartition("\xa0: ")[2]
            assert after.startswith(meant), told
    assert not (home / "runs").exists()


@pytest.mark.parametrize("meant", ["models.analyst", *(f"settings.{name}" for name in SETTINGS)])
def test_every_misspelt_name_of_a_form_is_refused(meant: str, home: Path) -> None:
    group, _, field = meant.partition(".")
    models = dict.fromkeys(ROLES, "rules")
    given = {"models": models, "settings": {}, group: {**(models if group == "models" else {})}}
    given[group][misspelt(field)] = 1
    order = Order(data="sample:sp500", strategy="ma_crossover", **given)
    with pytest.raises(SettingError) as caught:
        check(order, "fr", home)
    refused(caught, misspelt(field), field, home)


@pytest.mark.parametrize("door", DOORS)
def test_prices_are_asked_for_where_none_are_named(door: Any, home: Path) -> None:
    for graph in (optimization, review):
        for given in ({}, {"strategy": "ma_crossover"}):
            with pytest.raises(SettingError) as caught:
                door(graph, given, None)
            assert (caught.value.code, caught.value.fields["name"]) == ("missing_input", "data")
    assert not (home / "runs").exists()


def test_the_form_still_suggests_prices() -> None:
    schema = OptimizationInput.model_json_schema()
    assert schema["properties"]["data"]["default"] == "sample:sp500"
    assert "data" in schema["required"]


@pytest.mark.parametrize("function", ["optimize", "review", "summarize"])
def test_every_misspelt_setting_of_the_python_face_is_refused(function: str, home: Path) -> None:
    settings = EnsembleContext if function == "summarize" else OptimizationContext
    data = {"data": "sample"} if function == "summarize" else {"data": "sample:sp500"}
    for meant in settings.model_fields:
        with pytest.raises(SettingError) as caught:
            getattr(threadx, function)(**data, **{misspelt(meant): "x"})
        refused(caught, misspelt(meant), meant, home)


def test_the_orchestrator_refuses_every_misspelt_setting(home: Path) -> None:
    for meant in OptimizationContext.model_fields.keys() - {"analyst", "strategist", "validator"}:
        if meant != "use_validator":
            with pytest.raises(SettingError) as caught:
                threadx.OptimizationOrchestrator(config={misspelt(meant): "x"})
            refused(caught, misspelt(meant), meant, home)


@pytest.mark.parametrize("meant", sorted(VARIABLES))
def test_every_misspelt_variable_is_refused(
    meant: str, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(misspelt(meant), "x")
    for graph, _, _, good in GRAPHS:
        with pytest.raises(SettingError) as caught:
            graph.invoke(good)
        refused(caught, misspelt(meant), meant, home)
    with pytest.raises(SystemExit) as left:
        main(["doctor"])
    assert left.value.code == 2
    assert meant in capsys.readouterr().err


def commands(
    command: click.Command, context: click.Context, above: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command that does something, with the words that call it."""
    if not isinstance(command, click.Group):
        yield above, command
        return
    for name in command.list_commands(context):
        inner = command.get_command(context, name)
        assert inner is not None
        yield from commands(inner, context, (*above, name))


def good(parameter: click.Parameter, file: Path) -> str:
    """A value that the command line takes."""
    match parameter.type:
        case click.Choice(choices=choices):
            return str(choices[0])
        case click.Path():
            return str(file)
        case _:
            return "1"


def test_every_command_refuses_a_misspelt_variable(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also those that read no setting: who sets THREADX_HOM means another data folder."""
    file = home / "prices.csv"
    file.write_text("time,close\n", encoding="utf-8")
    monkeypatch.setenv("THREADX_HOM", "x")
    root = build(Words("fr"))
    found = list(commands(root, click.Context(root, info_name="threadx")))
    assert len(found) > 20
    for path, command in found:
        given = [*path]
        for one in command.params:
            if one.required:
                given += [*one.opts[:1]] * isinstance(one, click.Option) + [good(one, file)] * abs(one.nargs)
        with pytest.raises(SystemExit) as left:
            main(given)
        told = capsys.readouterr()
        assert left.value.code == 2, path
        assert told.out == ""
        assert (
            told.err
            == str(SettingError("unknown_variable", name="THREADX_HOM", nearest="THREADX_HOME")) + "\n"
        )
    assert list(home.iterdir()) == [file]


def test_every_variable_that_the_code_reads_is_known() -> None:
    found = {
        name
        for path, _ in sources()
        for name in re.findall(r"\bTHREADX_[A-Z][A-Z0-9_]*", path.read_text(encoding="utf-8"))
    }
    assert found == VARIABLES


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_refusal_is_in_the_language_of_the_settings(language: str) -> None:
    with pytest.raises(SettingError) as caught:
        optimization.invoke({"dat": "/my/BTC.parquet"}, context={"language": language})
    assert (
        str(caught.value)
        == {
            "fr": "L’entrée n’a pas de clé dat. La plus proche\u00a0: data.",
            "en": "The input has no key dat. The nearest one: data.",
        }[language]
    )
