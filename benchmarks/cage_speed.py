"""What the cage costs: code that it has made safe beside the same lines as a plain kernel, and refusals.

    python -m benchmarks.cage_speed [--bars 50000] [--rounds 30]

Processor time, the least of so many rounds. The plain kernel is the same function under numba as a person
would write it: no check of indices, no allowance of work. Promise: at most twice its time at 50,000 bars, and
a source that is refused by its syntax is refused within 50 ms, nothing being compiled.
"""

from __future__ import annotations

import argparse
import ast
import json
import math
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from backtest.cage import histories
from backtest.cage.compiled import arguments, compiled
from backtest.cage.errors import CodeError
from backtest.cage.source import Source, read_source
from nodes.optimization.policies.grammar import strategy, template
from tests.caged import HONEST, READ, RUN

TIMES = 2.0
REFUSED_MS = 50.0


def plain(source: Source) -> Callable[..., Any]:
    """The same lines as a person's kernel."""
    function = ast.parse(source.text).body[0]
    assert isinstance(function, ast.FunctionDef)
    for one in function.args.args:
        one.annotation = None
    function.args.defaults = []
    names: dict[str, Any] = {"np": np, "math": math}
    exec(compile(ast.unparse(function), "<plain>", "exec"), names)
    return njit(nogil=True, error_model="numpy")(names[source.name])  # type: ignore[no-any-return]


def least(run: Callable[..., Any], told: Sequence[Any], rounds: int) -> float:
    """The least processor time of so many runs, in milliseconds; one more before them compiles."""
    run(*told)
    found = []
    for _ in range(rounds):
        begun = time.process_time_ns()
        run(*told)
        found.append(time.process_time_ns() - begun)
    return min(found) / 1e6


def refusal(text: str) -> None:
    """Read a source, and be refused."""
    try:
        read_source(text)
    except CodeError:
        return
    raise AssertionError("it was read")


def main() -> int:
    """Print both tables; 0 where both promises are kept."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--bars", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=30)
    given = parser.parse_args()
    history = histories.walk(given.bars)
    worst = 0.0
    for text in (
        *HONEST,
        template("drift", "place"),
        template("streak", "push"),
        strategy("tired", "breakout"),
    ):
        source = read_source(text)
        told = [*history.columns(source.inputs), *arguments(source)]
        ours, theirs = (least(one, told, given.rounds) for one in (compiled(source), plain(source)))
        worst = max(worst, ours / theirs)
        row = {
            "function": source.name,
            "caged_ms": ours,
            "plain_ms": theirs,
            "times": round(ours / theirs, 2),
        }
        print(json.dumps(row), flush=True)
    slowest = max((least(refusal, (one.source,), 3), one.name) for one in READ)
    refused = {
        "attempts": len(READ) + len(RUN),
        "by_syntax": len(READ),
        "slowest_ms": slowest[0],
        "of": slowest[1],
    }
    print(json.dumps(refused))
    return 0 if worst <= TIMES and slowest[0] <= REFUSED_MS else 1


if __name__ == "__main__":
    raise SystemExit(main())
