"""What the optimisation graph itself costs, without models and without backtests.

    python -m benchmarks.cycle_overhead [--iterations 50]

Promise: at most 40 ms an iteration with SQLite checkpoints, and less than 200 kB of state in a checkpoint
after 50 iterations. The first is reached by ratio to the machine of the first table in
`RESULTS.md`, not on slower ones.

Every role answers at once, in the longest words its schema allows; every backtest is a table look-up. What
remains is the graph, its checkpoints on disk, prompts and checks, and the run's record.

Measured with a debate that agrees in its first round and with one that goes through both; beside the wall
time stands the processor time of all threads, for machines that are busy. Exit code 0 when every promise is
kept.
"""

from __future__ import annotations

import argparse
import itertools
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from langgraph.checkpoint.sqlite import SqliteSaver

from backtest import StrategySpec
from benchmarks.stand_ins import in_place_of_rules
from nodes.optimization.changes import ParamAdjustment
from nodes.optimization.debate_schemas import Claim, Turn
from nodes.optimization.evidence import preparing
from nodes.optimization.evidence.evidence import Evidence
from nodes.optimization.schemas import Analysis, Hypothesis, Proposal, Proposals, Verdict, Verdicts
from nodes.optimization.trials import trial
from record.versions import versions
from tests.prices import made_up_prices
from threadx.runner import make_input, start_run
from threadx.settings import make_context

MOST_MILLISECONDS = 40.0
MOST_BYTES = 200_000
CITED = ("M1", "W1")
"""Sharpe ratio and score: what no block of evidence leaves out."""
LONG = "A sentence of the longest kind that the schema of this answer allows anybody to say. " * 5


def analyst(evidence: Evidence) -> Analysis:
    """The longest reading."""
    words, cited = LONG[:400], list(CITED)
    hypotheses = [Hypothesis(statement=words, test=words, evidence=cited)] * 4
    return Analysis(
        quality_score=5,
        strengths=[words] * 5,
        weaknesses=[words] * 5,
        hypotheses=hypotheses,
        anomalies=[words] * 4,
    )


def strategist(values: Iterator[int]) -> Any:
    """Three proposals that nobody has made, in the longest words."""

    def propose(evidence: Evidence) -> Proposals:
        bounds = evidence.spec.bounds()
        roomy = max(sorted(evidence.spec.params), key=lambda name: bounds[name].high - bounds[name].low)
        changes = [
            ParamAdjustment(kind="param_adjustment", parameter=roomy, value=float(next(values)))
            for _ in range(3)
        ]
        return Proposals(
            proposals=[
                Proposal(hypothesis=1, change=change, reason=LONG[:400], expected_effect=LONG[:400])
                for change in changes
            ]
        )

    return propose


def validator(evidence: Evidence) -> Verdicts:
    """Everything is validated, at length."""
    verdicts = [
        Verdict(proposal=p["number"], decision="validated", priority=p["number"], reason=LONG[:400])
        for p in evidence.proposals
    ]
    return Verdicts(verdicts=verdicts, concerns=[LONG[:400]] * 4, confidence=5)


def agrees(evidence: Evidence) -> Turn:
    """Everybody goes on: one round."""
    claim = Claim(statement=LONG[:300], evidence=list(CITED))
    return Turn(claims=[claim] * 3, stance="continue", confidence=0.5)


def disputes(evidence: Evidence) -> Turn:
    """The validator never agrees: every round is spoken."""
    stance: Any = "stop" if evidence.voice == "validator" else "continue"
    return agrees(evidence).model_copy(update={"stance": stance})


@contextmanager
def instant(speak: Any, propose: Any) -> Iterator[None]:
    """Roles and backtests that take no time; the first backtest and evidence are real, and then kept."""
    real_try, real_dossier = trial._tried, preparing.build_dossier
    kept: dict[str, Any] = {}

    def tried(spec: str, *rest: Any) -> Any:
        found = kept.setdefault("tried", None) or kept.update(tried=real_try(spec, *rest)) or kept["tried"]
        own = StrategySpec.model_validate_json(spec)
        return replace(found, spec=own, figures={**found.figures, "hash": own.hash})

    def dossier(*arguments: Any) -> Any:
        # A list of its own each time: whoever prepares it adds the candidates of his iteration.
        same = kept.get("dossier") or kept.setdefault("dossier", real_dossier(*arguments))
        return {**same, "items": [*same["items"]]}

    with ExitStack() as stack:
        stack.enter_context(
            in_place_of_rules(
                analyst=analyst,
                strategist=propose,
                validator=validator,
                speak=speak,
            )
        )
        for target, name, new in (
            (trial, "_tried", tried),
            (preparing, "build_dossier", dossier),
        ):
            stack.enter_context(patch.object(target, name, new))
        yield


@dataclass(frozen=True)
class Measured:
    """What 50 iterations cost.

    Attributes:
        wall, processor: milliseconds of each iteration but the first.
        largest: bytes of the largest checkpoint.
        database: bytes of the checkpoint database at its fullest.
    """

    wall: list[float]
    processor: list[float]
    largest: int
    database: int


def measure(iterations: int, speak: Any) -> Measured:
    """Three runs: one to warm up, one timed, one in which checkpoints are weighed."""
    sizes: list[int] = []
    clocks: list[tuple[float, float]] = []
    full: list[int] = []
    put = SqliteSaver.put

    def weighed(saver: SqliteSaver, config: Any, checkpoint: Any, *rest: Any) -> Any:
        sizes.append(len(saver.serde.dumps_typed(checkpoint)[1]))
        return put(saver, config, checkpoint, *rest)

    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        prices = home / "MADE_1h.parquet"
        made_up_prices(1500, cycle=0.05).to_parquet(prices)

        def watch(event: dict[str, Any]) -> None:
            if event["node"] == "converge":
                clocks.append((time.perf_counter(), time.process_time()))
                full.append(sum(path.stat().st_size for path in home.glob("checkpoints.sqlite*")))

        team = {"analyst": "rules", "strategist": "rules", "validator": "rules", "language": "en"}
        timed: list[tuple[float, float]] = []
        for run in ("warm", "timed", "weighed"):
            clocks.clear()
            with ExitStack() as stack:
                stack.enter_context(instant(speak, strategist(itertools.count(21))))
                if run == "weighed":
                    stack.enter_context(patch.object(SqliteSaver, "put", weighed))
                context = make_context(
                    home=folder,
                    max_iterations=3 if run == "warm" else iterations,
                    patience=50,
                    convergence_threshold=0.0,
                    **team,
                )
                start_run(make_input(data=str(prices), run=run), context, watch)
            if run == "timed":
                timed = list(clocks)
    wall, processor = (1000 * np.diff([clock[part] for clock in timed]) for part in (0, 1))
    return Measured(list(wall), list(processor), max(sizes), max(full))


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--iterations", type=int, default=50)
    iterations = parser.parse_args().iterations
    about = versions()
    print(f"{platform.machine()}, Python {about['python']}, langgraph {about['langgraph']}")
    print(f"{iterations} iterations; promised: {MOST_MILLISECONDS:.0f} ms, {MOST_BYTES / 1000:.0f} kB")
    kept = True
    for name, speak in (("one round", agrees), ("two rounds", disputes)):
        found = measure(iterations, speak)
        wall, processor = statistics.median(found.wall), statistics.median(found.processor)
        last = statistics.median(found.wall[-5:])
        print(f"{name}: median {wall:.1f} ms, last five {last:.1f}, slowest {max(found.wall):.1f}")
        print(f"{name}: processor time, median {processor:.1f} ms")
        print(f"{name}: largest checkpoint {found.largest / 1000:.1f} kB")
        print(f"{name}: checkpoint database at its fullest {found.database / 1e6:.1f} MB")
        kept = kept and found.largest < MOST_BYTES and wall <= MOST_MILLISECONDS
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
