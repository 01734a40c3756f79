"""Which variant came from which: each change, made again on the strategy named, gives the strategy tested."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter

from backtest import StrategySpec
from nodes.optimization.changes import Change
from nodes.optimization.trials.proposing import lead
from record.events import Proposed
from record.lineage import START, drawn, lineage
from record.run_view import RunView
from tests.optimization_runs import run_graph
from tests.run_lines import typed

CHANGE = TypeAdapter(Change)


@pytest.fixture(scope="module", params=["population", "single"])
def view(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> RunView:
    _, events = run_graph(tmp_path_factory.mktemp("home"), search=request.param, max_iterations=4)
    return RunView.of(typed(events))


def test_every_variant_is_its_change_of_the_strategy_that_it_is_said_to_come_from(view: RunView) -> None:
    found = lineage(view)
    tested = {
        (iteration, number): variant
        for iteration, variants in view.tested.items()
        for number, variant in variants.items()
        if variant["figures"]
    }
    proposals = {
        (event.iteration, event.data.proposal["number"]): event.data.proposal
        for event in view.events
        if isinstance(event.data, Proposed)
    }
    assert tested
    assert {place for place, one in found.items() if one.trial} == set(tested)
    assert view.initial is not None
    for place, one in found.items():
        if one.trial is None:
            assert one.parent is None
            continue
        assert one.parent is not None
        parent = found[one.parent]
        base, grid = (
            (tested[parent.place]["spec"], tested[parent.place]["grid"])
            if parent.trial
            else (parent.member["spec"], parent.member["grid"])
            if parent.member
            else (view.initial, {})
        )
        change = CHANGE.validate_python(proposals[place]["change"])
        led, told = lead(StrategySpec.model_validate(base), grid, change), proposals[place]
        assert (led.spec.hash, led.grid) == (StrategySpec.model_validate(told["spec"]).hash, told["grid"])
    (champion,) = [one for one in found.values() if one.leads]
    best = view.champion_spec
    assert best is not None
    own = (
        tested[champion.place]["spec"]
        if champion.trial
        else (champion.member or {}).get("spec", view.initial)
    )
    assert StrategySpec.model_validate(own).hash == StrategySpec.model_validate(best).hash


def test_a_picture_shows_the_champion_its_line_and_no_more_leaves_than_it_has_room_for(view: RunView) -> None:
    found = lineage(view)
    for most in (1, 3, 1000):
        shown = drawn(found, most)
        assert START in shown
        assert {place for place, one in found.items() if one.leads} <= shown
        parents = {found[place].parent for place in shown}
        assert parents - {None} <= shown
        assert most < 3 or len(shown - parents) <= most
    assert drawn(found, 1000) == set(found)


def test_nothing_is_told_before_the_first_backtest() -> None:
    assert lineage(RunView()) == {}
