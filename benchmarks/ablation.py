"""What each part of the optimisation cycle is worth, at an equal number of backtests.

    python -m benchmarks.ablation [--data FILE ...] [--universe FILE FILE ...] [--backtests 200] [--seeds 3]
                                  [--seed 0] [--model REFERENCE] [--iterations N] [--methods TEXT ...]
                                  [--json PATH]

Lines: the full cycle, without debate, without validator, one agent in the team's place, `rules` being the
brain of each; the full cycle with dice for a strategist (random typed changes); random search; Optuna's TPE.
Searches draw whole strategies (any preset, its parameters, three rules of risk) and try each as the cycle
does. With `--model` the first four lines are repeated with that model in every role. For a slow one
`--iterations` bounds each run of the cycle, and `--methods` keeps the lines that begin so ("single agent").
Files after a `--universe`, which may be given often, are one market of several instruments: each strategy is
tried on all of them and counts once, and the score is that of the pooled account.

Each tries at most so many strategies on development data, the initial one included; a range that the cycle
searches counts with every value. What wins by walk-forward score there meets the holdout once: the second
figure. Nothing stops early but the debate. Without `--model` no language model takes part: the table compares
the machinery, not models.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import optuna

from backtest import BacktestError, StrategySpec
from backtest.validation.score import score
from backtest.validation.traded import backtest_of, closes_of
from benchmarks.stand_ins import in_place_of_rules
from nodes.context import OptimizationContext
from nodes.optimization.evidence.evidence import Evidence
from nodes.optimization.schemas import Proposal, Proposals
from nodes.optimization.trials.trial import tried
from threadx.results import OptimizationResult
from threadx.runner import make_input, start_run
from threadx.scorecard.dice import RISKS, thrown, within
from vault.datasets import Dataset
from vault.pools import Member, holdout_of, register_member, register_pool
from vault.readers.prices import read_prices

INITIAL = {"fast_period": 5, "slow_period": 20, "stop_loss_pct": 2.0}
STEADY = {"patience": 50, "convergence_threshold": 0.0, "target_score": 10.0}

MOST_ITERATIONS = 200


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a method found.

    Attributes:
        development: walk-forward score on development data, 0–10.
        holdout: score on the holdout.
        backtests: strategies tried on development data.
    """

    development: float
    holdout: float
    backtests: int


@dataclass(frozen=True, kw_only=True)
class Case:
    """Prices of one instrument or of several, and how much may be tried on them."""

    name: str
    dataset: Dataset
    home: Path
    backtests: int


def initial() -> StrategySpec:
    """Where everybody begins."""
    return StrategySpec.preset("ma_crossover", **INITIAL)


def by_cycle(case: Case, seed: int, **settings: Any) -> Outcome:
    """The optimisation graph."""
    models = {"analyst": ("rules",), "strategist": ("rules",), "validator": ("rules",)}
    context = OptimizationContext(
        home=str(case.home), seed=seed, max_backtests=case.backtests, **{**models, **STEADY, **settings}
    )
    given = make_input(data=f"dataset:{case.dataset.development_hash}", params=INITIAL)
    result = start_run(given, context)
    assert isinstance(result, OptimizationResult)
    champion = result.details["champion"]
    # A run whose models propose nothing testable opens no holdout; its survey has a best all the same.
    judged = champion["holdout"] or {
        "score": _on_holdout(case, StrategySpec.model_validate(champion["strategy"]))
    }
    return Outcome(
        development=result.final_score, holdout=judged["score"], backtests=result.details["trials"]
    )


def dice(draw: random.Random) -> Callable[[Evidence], Proposals]:
    """A strategist that knows what may be changed, and nothing else."""

    def propose(evidence: Evidence) -> Proposals:
        changes = thrown(evidence.spec, draw, evidence.tried)
        return Proposals(
            proposals=[
                Proposal(hypothesis=0, change=one, reason="Dice.", expected_effect="Dice.") for one in changes
            ]
        )

    return propose


def by_dice(case: Case, seed: int) -> Outcome:
    """The full cycle with dice for a strategist."""
    with in_place_of_rules(strategist=dice(random.Random(seed))):
        return by_cycle(case, seed, max_iterations=MOST_ITERATIONS)


def _try(case: Case, spec: StrategySpec) -> float:
    """Walk-forward score of a strategy; what the engine refuses scores nothing, and was a backtest too."""
    context = OptimizationContext(home=str(case.home))
    try:
        return float(tried(spec.model_dump(mode="json"), {}, case.dataset, context).figures["score"])
    except BacktestError:
        return 0.0


def _outcome(case: Case, scores: dict[str, float], specs: dict[str, StrategySpec]) -> Outcome:
    best = max(scores, key=lambda name: (scores[name], name))
    return Outcome(development=scores[best], holdout=_on_holdout(case, specs[best]), backtests=len(scores))


def _on_holdout(case: Case, spec: StrategySpec) -> float:
    """Score of a strategy on the holdout."""
    context = OptimizationContext(home=str(case.home))
    prices, starts = holdout_of(case.dataset, case.home, reader=f"ablation {spec.hash}")
    result = backtest_of(prices, spec, context.costs, context.fill, trade_from=starts)
    return score(result, closes_of(prices)).value


def by_random_search(case: Case, seed: int) -> Outcome:
    """Strategies drawn evenly."""
    draw = random.Random(seed)
    specs = {initial().hash: initial()}
    while len(specs) < case.backtests:
        name = draw.choice(StrategySpec.preset_names())
        bounds = StrategySpec.preset(name).bounds()
        values = {p: within(draw, bounds[p]) for p in sorted(StrategySpec.preset(name).params)}
        risks = {rule: within(draw, bounds[rule]) if draw.random() < 0.5 else None for rule in RISKS}
        try:
            spec = StrategySpec.preset(name, **values, **risks)
        except BacktestError:
            continue
        specs[spec.hash] = spec
    return _outcome(case, {name: _try(case, spec) for name, spec in specs.items()}, specs)


def by_tpe(case: Case, seed: int) -> Outcome:
    """Optuna's TPE over the same strategies; combinations that make no sense are told it as such."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    specs = {initial().hash: initial()}
    scores = {initial().hash: _try(case, initial())}

    def suggest(trial: Any) -> StrategySpec:
        name = trial.suggest_categorical("preset", StrategySpec.preset_names())
        bounds = StrategySpec.preset(name).bounds()

        def number(label: str, bound: Any) -> float:
            steps = int((bound.high - bound.low) / bound.step)
            return float(round(bound.low + trial.suggest_int(label, 0, steps) * bound.step, 10))

        values = {p: number(f"{name}.{p}", bounds[p]) for p in sorted(StrategySpec.preset(name).params)}
        used = {rule: trial.suggest_categorical(f"use {rule}", [False, True]) for rule in RISKS}
        risks = {rule: number(rule, bounds[rule]) if used[rule] else None for rule in RISKS}
        return StrategySpec.preset(name, **values, **risks)

    def objective(trial: Any) -> float:
        try:
            spec = suggest(trial)
        except BacktestError:
            raise optuna.TrialPruned from None
        if spec.hash not in scores:
            specs[spec.hash] = spec
            scores[spec.hash] = _try(case, spec)
        if len(scores) >= case.backtests:
            trial.study.stop()
        return scores[spec.hash]

    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))
    study.optimize(objective, n_trials=20 * case.backtests)
    return _outcome(case, scores, specs)


Method = Callable[[Case, int], Outcome]


def methods(model: str | None, iterations: int) -> dict[str, tuple[Method, bool]]:
    """By line of the table: the method, and whether it depends on the seed."""

    def cycle(**settings: Any) -> Method:
        return lambda case, seed: by_cycle(case, seed, max_iterations=iterations, **settings)

    variants = {
        "full cycle": {},
        "no debate": {"use_debate": False},
        "no validator": {"use_validator": False},
        "single agent": {"roles": "single"},
    }
    lines: dict[str, tuple[Method, bool]] = {
        f"{name}, rules": (cycle(**settings), False) for name, settings in variants.items()
    }
    if model is not None:
        team = {role: (model,) for role in ("analyst", "strategist", "validator")}
        lines |= {
            f"{name}, {model}": (cycle(**settings, **team), True) for name, settings in variants.items()
        }
    return {
        **lines,
        "full cycle, dice": (by_dice, True),
        "random search": (by_random_search, True),
        f"TPE (Optuna {version('optuna')})": (by_tpe, True),
    }


def table(found: dict[str, dict[str, list[Outcome]]], names: list[str]) -> str:
    """Markdown: a line a method, three columns a dataset; means over seeds, spread in brackets."""

    def cell(values: list[float]) -> str:
        spread = f" ({min(values):.2f}–{max(values):.2f})" if len(set(values)) > 1 else ""
        return f"{statistics.mean(values):.2f}{spread}"

    head = ["method", *(f"{name}: {part}" for name in names for part in ("development", "holdout", "tried"))]
    lines = [head, ["---"] * len(head)]
    for method, outcomes in found.items():
        row = [method]
        for name in names:
            told = outcomes[name]
            row += [cell([o.development for o in told]), cell([o.holdout for o in told])]
            row.append(str(round(statistics.mean(o.backtests for o in told))))
        lines.append(row)
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def opened(market: list[str], home: Path, backtests: int) -> Case:
    """Prices in a data folder of their own."""
    members = [Member.of(*read_prices(reference, home)) for reference in market]
    dataset = register_pool(members, home) if len(members) > 1 else register_member(members[0], home)
    name = f"{dataset.symbol} {dataset.timeframe}"
    return Case(name=name, dataset=dataset, home=home, backtests=backtests)


def main() -> None:
    """Run every method on every market, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", nargs="+", default=None)
    parser.add_argument("--universe", nargs="+", action="append", default=[])
    parser.add_argument("--backtests", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0, help="the first of them")
    parser.add_argument("--model", default=None)
    parser.add_argument("--iterations", type=int, default=MOST_ITERATIONS)
    parser.add_argument("--methods", nargs="+", default=[""])
    parser.add_argument("--json", default=None)
    options = parser.parse_args()
    alone = options.data or ([] if options.universe else ["sample:sp500", "sample:nasdaq"])
    found: dict[str, dict[str, list[Outcome]]] = {}
    names: list[str] = []
    for market in [*([one] for one in alone), *options.universe]:
        for method, (work, drawn) in methods(options.model, options.iterations).items():
            if not method.startswith(tuple(options.methods)):
                continue
            outcomes = []
            for seed in range(options.seed, options.seed + (options.seeds if drawn else 1)):
                # A data folder each: nobody learns from another's runs.
                with tempfile.TemporaryDirectory() as folder:
                    case = opened(market, Path(folder), options.backtests)
                    outcomes.append(work(case, seed))
            name = case.name
            found.setdefault(method, {})[name] = outcomes
            print(f"{name}: {method}: {outcomes}", file=sys.stderr, flush=True)
        names.append(name)
    print(table(found, names))
    if options.json:
        told = {
            method: {name: [vars(o) for o in outcomes[name]] for name in names}
            for method, outcomes in found.items()
        }
        Path(options.json).write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
