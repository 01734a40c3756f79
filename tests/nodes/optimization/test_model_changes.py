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


@pytest.mark.model
@pytest.mark.parametrize(("memory", "loads"), some([(1, 14), (3, 3)], [(1, 14)]), ids=str)
def test_loads_of_two_iterations_with_three_models_and_two_rounds(tmp_path, memory, loads):
    models = {role: model("stop" if role == "analyst" else "continue") for role in ROLES}
    with ollama_emulator(models) as emulator:
        emulator.memory = memory
        chains = {role: (f"ollama:{role}", "rules") for role in ROLES}
        _, events = run_graph(
            tmp_path, max_iterations=2, target_score=10.0, ollama_base_url=emulator.url, **chains
        )
    turns = [event["data"]["voice"] for event in events if event["kind"] == "debate_turn"]
    assert turns == [*ROLES[::-1], *ROLES] * 2
    # Three for the roles and four for both rounds: the neighbours of each change of direction share one.
    assert len(emulator.loads) == loads
    assert len(set(emulator.loads)) == 3  # never one for another window
