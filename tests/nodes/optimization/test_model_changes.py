"""On one card each change of the model or of its window is a load: the emulator counts them."""

import pytest

from nodes.context import OptimizationContext
from nodes.optimization.speak import speaker
from tests.answers import turn
from tests.laws import some
from tests.ollama_emulator import Scripted, ollama_emulator
from tests.optimization_runs import run_graph

ROLES = ("analyst", "strategist", "validator")


def test_rounds_go_to_and_fro():
    team, pair = OptimizationContext(), OptimizationContext(use_validator=False)
    assert [speaker(team, spoken) for spoken in range(9)] == [*ROLES[::-1], *ROLES, *ROLES[::-1]]
    assert [speaker(pair, spoken) for spoken in range(4)] == [
        "strategist",
        "analyst",
        "analyst",
        "strategist",
    ]


def model(stance):
    """Invalid as a role, so that rules stand in; in the debate it takes sides."""
    return Scripted(
        answer=lambda body: turn(stance=stance) if "stance" in str(body["format"]["properties"]) else "{}"
    )


def loads_of(home, memory, stances):
    """(loads of two iterations, turns that were spoken): three models, room for so many of them."""
    models = {role: model(stance) for role, stance in zip(ROLES, stances, strict=True)}
    with ollama_emulator(models) as emulator:
        emulator.memory = memory
        chains = {role: (f"ollama:{role}", "rules") for role in ROLES}
        _, events = run_graph(
            home, max_iterations=2, target_score=10.0, ollama_base_url=emulator.url, **chains
        )
    assert len(set(emulator.loads)) == 3, "none for another window"
    turns = [event["data"]["voice"] for event in events if event["kind"] == "debate_turn"]
    return [loaded for loaded, _ in emulator.loads], turns


def least_recently_used(asked, memory):
    """The loads that a server makes for these calls, which throws out what was not used for longest."""
    held, loads = [], []
    for one in asked:
        if one in held:
            held.remove(one)
        else:
            loads.append(one)
        held = [*held, one][-memory:]
    return loads


@pytest.mark.model
@pytest.mark.parametrize(("memory", "loads"), some([(1, 14), (2, 10), (3, 3)], [(1, 14)]), ids=str)
def test_loads_of_two_iterations_with_three_models_and_two_rounds(tmp_path, memory, loads):
    found, turns = loads_of(tmp_path, memory, ("stop", "continue", "continue"))
    assert turns == [*ROLES[::-1], *ROLES] * 2
    # Three for the roles and four for both rounds: the neighbours of each change of direction share one.
    assert found == least_recently_used([*ROLES, *ROLES[::-1], *ROLES] * 2, memory)
    assert len(found) == loads


@pytest.mark.model
def test_an_iteration_with_one_round_takes_four_loads_where_one_model_fits(tmp_path):
    found, turns = loads_of(tmp_path, 1, ("continue", "continue", "continue"))
    assert turns == [*ROLES[::-1]] * 2, "all agree: there is no second round"
    assert len(found) == 1 + 4 + 4, "the next iteration begins with who spoke last"
