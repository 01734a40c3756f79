"""Node `survey`: every seed of the population tested once, each configuration counted; the archive begins."""

from __future__ import annotations

from langgraph.runtime import Runtime

from backtest import StrategySpec
from backtest.strategy import SIDE_AXIS
from backtest.validation.traded import opened, times_of
from backtest.validation.trials import Look, grid_looks
from nodes.context import OptimizationContext
from nodes.optimization.changes import complexity
from nodes.optimization.evidence.evidence import reigning
from nodes.optimization.evidence.history import backtests_done
from nodes.optimization.evidence.items import bars_a_day, session
from nodes.optimization.evidence.preparing import prepare_dossier
from nodes.optimization.schemas import MOST_MEMBERS
from nodes.optimization.state import OptimizationState
from nodes.optimization.trials.archive import LEAST_TRADES, archived, holding, leads, member
from nodes.optimization.trials.ledger import count
from nodes.optimization.trials.seeds import Seed, seeds
from nodes.optimization.trials.trial import t_statistic, tried
from nodes.run_events import record
from record.events import Surveyed
from record.types import Champion, Member
from vault.datasets import Dataset
from vault.pools import development_of

Looked = tuple[Seed, Look]


def survey(state: OptimizationState, runtime: Runtime[OptimizationContext]) -> OptimizationState:
    """Test the seeds on development data; the best that leads the given strategy becomes the champion."""
    context = OptimizationContext.of(runtime.context)
    dataset = Dataset.model_validate(state["dataset"])
    most = None
    if context.max_backtests is not None:  # half of what is left: proposals want the rest
        most = (context.max_backtests - backtests_done(state)) // 2
    found = surveyed(dataset, context, most)
    count(context, state["run_id"], dataset, [look.trial for _, look in found])
    first, own = reigning(state), tried(state["initial"], {}, dataset, context)
    champion, archive = ranked(first, own.excess_t, own.bars_held, found, state.get("bars_a_day", 1))
    if champion["given"] != first["given"]:
        champion["figures"] = tried(champion["given"], {}, dataset, context).figures
    record(
        context,
        state["run_id"],
        "i00.survey",
        "survey",
        Surveyed(configurations=len(found), champion=champion, archive=archive),
        cites=["i00.baseline"],
    )
    begun: OptimizationState = {
        **state,
        "champion": champion,
        "archive": archive,
        "surveyed": len(found),
    }
    return {
        "champion": champion,
        "archive": archive,
        "surveyed": len(found),
        "dossier": prepare_dossier(begun, context, 0, after="survey"),
    }


def surveyed(dataset: Dataset, context: OptimizationContext, most: int | None) -> list[Looked]:
    """Every configuration of the seeds, family by family in turn, so that a limit leaves some of each.

    Args:
        dataset: prices.
        context: costs, fill, data folder.
        most: configurations at most.
    """
    market = opened(development_of(dataset, context.home_path), context.costs, context.fill)
    times = times_of(market)
    hours = session(times) if context.intraday == "days" else ()
    known: set[str] = set()
    found: list[Looked] = []
    waiting = [
        (seed, grid_looks(market, seed.spec, seed.grid, 1)) for seed in seeds(bars_a_day(times), hours)
    ]
    while waiting and (most is None or len(found) < most):
        seed, looks = waiting.pop(0)
        if (look := next(looks, None)) is None:
            continue
        waiting.append((seed, looks))
        if look.trial.spec_hash not in known:
            known.add(look.trial.spec_hash)
            found.append((seed, look))
    return found


def ranked(
    first: Champion, excess_t: float, bars_held: float, found: list[Looked], bars_a_day: int
) -> tuple[Champion, list[Member]]:
    """(the champion, the archive) after the survey; a new champion's figures are still those of `first`.

    Args:
        first: the strategy that the run began with.
        excess_t: of it.
        bars_held: by it, on average.
        found: what the survey tested.
        bars_a_day: see `trials.archive.usual_day`.
    """
    own = member(
        spec=first["spec"],
        given=first["given"],
        grid=first["grid"],
        excess_t=excess_t,
        trades=int(first["figures"]["metrics"]["n_trades"] or 0),
        bars_held=bars_held,
        iteration=0,
        given_first=True,
    )
    best: dict[tuple[str, int, str], tuple[float, Looked]] = {}
    for seed, look in found:
        if not look.alive or look.trades < LEAST_TRADES:
            continue
        cell = (seed.family, holding(look.bars_held, bars_a_day), str(look.values[SIDE_AXIS]))
        reached = t_statistic(look.trial)
        if cell not in best or reached > best[cell][0]:
            best[cell] = reached, (seed, look)
    # Only what may find a place is made a strategy: that takes longer than testing it.
    likely = sorted(best.values(), key=lambda one: (-one[0], one[1][1].trial.spec_hash))[: MOST_MEMBERS + 1]
    members = [own, *(_member(reached, *looked) for reached, looked in likely)]
    archive = archived(members, own["hash"], bars_a_day)
    leader = archive[0]
    champion: Champion = {**first, "excess_t": excess_t}
    more = complexity(StrategySpec.model_validate(leader["spec"])) - complexity(
        StrategySpec.model_validate(own["spec"])
    )
    if leads(leader["excess_t"], excess_t, more):
        champion = {
            "spec": leader["spec"],
            "given": leader["given"],
            "grid": {},
            "figures": first["figures"],
            "iteration": 0,
            "excess_t": leader["excess_t"],
        }
    return champion, archive


def _member(reached: float, seed: Seed, look: Look) -> Member:
    """A configuration as a candidate."""
    spec = configured(seed, look).model_dump(mode="json")
    return member(
        spec=spec,
        given=spec,
        grid={},
        excess_t=reached,
        trades=look.trades,
        bars_held=look.bars_held,
        iteration=0,
    )


def configured(seed: Seed, look: Look) -> StrategySpec:
    """The seed's strategy with the values of one configuration."""
    params = {name: value for name, value in look.values.items() if name in seed.spec.params}
    rest = {name: value for name, value in look.values.items() if name not in params and name != SIDE_AXIS}
    return seed.spec.evolve(params=params, risk=rest).only(look.values[SIDE_AXIS])
