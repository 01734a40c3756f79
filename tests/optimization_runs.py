"""Short runs of the optimisation graph for tests."""

from graphs.optimization import graph
from nodes.context import OptimizationContext
from tests.prices import made_up_prices
from vault.datasets import register

ALL_RULES = {"analyst": "rules", "strategist": "rules", "validator": "rules"}


def dataset_reference(home, prices=None, symbol="TEST", timeframe="1h"):
    frame = made_up_prices(cycle=0.05) if prices is None else prices
    dataset = register(frame, symbol=symbol, timeframe=timeframe, home=home)
    return f"dataset:{dataset.development_hash}"


def run_graph(home, *, prices=None, given=None, **settings):
    """(final state, events) of a run: `rules` in every role, one champion, unless told otherwise."""
    usual = {**ALL_RULES, "search": "single", "max_iterations": 3}
    context = OptimizationContext(home=str(home), **{**usual, **settings})
    asked = {
        "data": dataset_reference(home, prices),
        "params": {"fast_period": 5, "slow_period": 20, "stop_loss_pct": 2.0},
        **(given or {}),
    }
    events, state = [], {}
    for space, mode, value in graph.stream(
        asked, context=context, stream_mode=["custom", "values"], subgraphs=True
    ):
        if mode == "custom":
            events.append(value)
        elif not space:
            state = value
    return state, events
