"""Code that models and rules write: how much of it is valid, causal, new and kept; whether it finds an edge.

    python -m benchmarks.written [--model REFERENCE ...] [--data sample:sp500 ...] [--iterations 10]
                                 [--seeds 1] [--minutes 0] [--code-alone] [--planted 3] [--bars 12000]
                                 [--first 600970] [--json PATH]

Attempts are the sources that a run examined (`threadx optimize --allow-code`), each text once, repairs
included. Valid is what SysTradeBench (arXiv:2604.04812) calls so, by its gates: the code parses, runs,
repeats itself and reads no later bar; its best models reach 91.7 %, in three rounds. `--minutes` ends each
model's run after so long; with `--code-alone` models are offered no other change, and `rules` have no row.
Causal: of those that ran, the share that read no later bar. New: of the valid ones, the share that is no
known function under another name. Kept: of those that the cage accepted, the share that the search adopted.

Planted: series whose edge only a sum with a memory of its own can tell (`tests.prices.drifting_places`), and
the same without the edge, searched with the grammar of `rules` whose seed draws that function first, and
without code. Promise: with the edge it is found and called real in every series, without it never. `truth` is
what the planted rule itself is called after the same search, had it been known from the start: where that is
not `real`, the history is too short for any search. `--iterations 0` leaves the authors out, `--planted 0`
the series.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from backtest import StrategySpec, run_backtest
from backtest.engine.adopted import adopt
from backtest.statistics.sharpe import NORMAL
from backtest.validation.verdict import Search, decide
from nodes.context import OptimizationContext
from nodes.optimization.changes.applying import KINDS
from nodes.optimization.policies.grammar import sentences, template
from nodes.optimization.trials.judging import excess_moments
from record.events import CodeExamined, Selected
from record.record import RunRecord
from tests.prices import drifting_places
from threadx.runner import make_input, start_run
from threadx.settings import make_context
from vault.adding import examined

LOOKS_AHEAD = frozenset(
    ("knows_future", "knows_length", "whole_series", "backwards", "from_the_end", "slice_step", "open_slice")
)
NOT_REPEATED = frozenset(("not_repeatable", "random_number"))
TOO_LIKE = frozenset(("duplicate", "name_taken"))
RAN = frozenset(
    (
        *("leans_on_start", "out_of_scale_price", "out_of_scale_volume", "constant", "mostly_unknown"),
        *("idle_parameter", "idle_input", "never_signals", *TOO_LIKE),
    )
)
"""Refusals of code that ran to its end, repeated itself and read no later bar: valid by those gates."""

STEADY = {"patience": 50, "convergence_threshold": 0.0, "target_score": 10.0}


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def counted(record: RunRecord) -> Counter[str]:
    """What became of every source of a run."""
    found: Counter[str] = Counter()
    adopted = set()
    for event in record.events():
        match event.data:
            case CodeExamined(refused=None):
                found.update(("attempts", "ran", "causal", "valid", "new", "accepted"))
            case CodeExamined(refused=dict(refused)):
                code = str(refused["code"])
                ran = code in RAN or code in LOOKS_AHEAD or code in NOT_REPEATED
                found.update(["attempts", f"refused {code}"])
                found.update(["ran"] if ran else [])
                found.update(["causal"] if ran and code not in LOOKS_AHEAD else [])
                found.update(["valid"] if code in RAN else [])
                found.update(["new"] if code in RAN - TOO_LIKE else [])
            case Selected(selection=selection):
                adopted |= {
                    one["change"]["source"]  # type: ignore[typeddict-item]
                    for one in selection["trials"]
                    if one["outcome"] == "adopted" and "source" in one.get("change", {})
                }
            case _:
                pass
    found["kept"] = len(adopted)
    return found


def by_author(
    model: str, data: list[str], iterations: int, seeds: int, home: Path, minutes: float = 0.0
) -> dict[str, Any]:
    """The counts of all runs with one strategist, and their shares."""
    found: Counter[str] = Counter()
    for place, one in enumerate(data):
        for seed in range(seeds):
            run = f"{model.replace(':', '-').replace('/', '-')[-40:]}-{place}-{seed}"
            context = make_context(
                home=str(home),
                analyst="rules",
                strategist=(model,),
                validator="rules",
                use_debate=False,
                max_iterations=iterations,
                allow_code=True,
                seed=seed,
                language="en",
                max_seconds=60.0 * minutes or None,
                **STEADY,
            )
            start_run(make_input(data=one, run=run), context)
            found += counted(RunRecord(home, run))
    return {
        "author": model,
        "valid": _share(found["valid"], found["attempts"]),
        "causal": _share(found["causal"], found["ran"]),
        "new": _share(found["new"], found["valid"]),
        "kept": _share(found["kept"], found["accepted"]),
        "counts": dict(sorted(found.items())),
    }


def planted(series: int, bars: int, first_series: int, home: Path) -> Iterator[dict[str, Any]]:
    """Verdicts on series with and without the edge, with code and without."""
    source = template("drift", "place")
    first = next(seed for seed in range(1_000) if next(sentences(seed, follows=True)).source == source)
    for number in range(first_series, first_series + series):
        for edge, code in ((0.006, True), (0.0, True), (0.006, False)):
            prices = home / f"planted_{number}_{edge}.csv"
            frame = drifting_places(rows=bars, seed=number, edge=edge, farthest=0.8)
            frame.to_csv(prices)
            context = make_context(
                home=str(home / f"home_{number}_{edge}_{code}"),
                **dict.fromkeys(("analyst", "strategist", "validator"), "rules"),
                use_debate=False,
                max_iterations=2,
                allow_code=code,
                seed=first,
                language="en",
            )
            outcome = start_run(make_input(data=str(prices), run="r"), context)
            told: Any = outcome.details  # type: ignore[union-attr]
            yield {
                "series": number,
                "edge": edge,
                "code": code,
                "verdict": told["verdict"]["value"],
                "entry": told["champion"]["strategy"]["entry_long"],
                "found": "drift_place" in (told["champion"]["strategy"]["entry_long"] or ""),
                **({"truth": truth(frame, source, told, context)} if edge else {}),
            }


def truth(prices: pd.DataFrame, text: str, told: dict[str, Any], context: OptimizationContext) -> str:
    """The verdict on the planted rule itself, had a search of as many independent trials begun with it.

    Args:
        prices: of the series.
        text: the function of the edge, at whose defaults it was planted.
        told: the result of a run on them.
        context: of the run.
    """
    source, measured, _ = examined(text)
    adopt(source, measured, "rules")
    rule = StrategySpec(name="planted", entry_long=f"{source.name}() > 3", exit_long=f"{source.name}() <= 3")
    rows = told["dataset"]["development_rows"], told["holdout"]["observations"]
    parts = prices.iloc[: rows[0]], prices.iloc[-rows[1] :]
    results = [run_backtest(part, rule, costs=context.costs, fill=context.fill) for part in parts]
    development, holdout = (
        excess_moments(one, part["close"]) for one, part in zip(results, parts, strict=True)
    )
    search = told["overfitting"]
    alone = NORMAL.cdf(-development.sharpe * math.sqrt(development.n_observations))
    return decide(
        development=development,
        holdout=holdout,
        search=Search(
            trials=search["trials"],
            sharpe_variance=search["sharpe_variance"],
            familywise_p=-math.expm1(search["independent_trials"] * math.log1p(-alone)),
        ),
        opening=1,
        trades=sum(one.metrics.n_trades for one in results),
        findings=(),
    ).value


def main() -> int:
    """Print both tables; 0 where every planted edge was found and called real, and none without one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--model", action="append", default=[])
    parser.add_argument("--data", action="append", default=[])
    parser.add_argument("--iterations", type=int, default=10)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=0.0)
    parser.add_argument("--code-alone", action="store_true")
    parser.add_argument("--planted", type=int, default=3)
    parser.add_argument("--bars", type=int, default=12_000)
    parser.add_argument("--first", type=int, default=600_970)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    if given.code_alone:
        for name in [name for name, kind in KINDS.items() if not kind.caged]:
            del KINDS[name]
    authors = [*([] if given.code_alone else ["rules"]), *given.model]
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        rows = [
            by_author(
                model,
                given.data or ["sample:sp500"],
                given.iterations,
                given.seeds,
                home / f"m{place}",
                given.minutes,
            )
            for place, model in enumerate(authors if given.iterations else [])
        ]
        for row in rows:
            print(json.dumps(row))
        found = []
        for one in planted(given.planted, given.bars, given.first, home):
            found.append(one)
            print(json.dumps(one), flush=True)
    if given.json:
        given.json.write_text(json.dumps({"written": rows, "planted": found}, indent=1), encoding="utf-8")
    kept = all((one["verdict"] == "real") == (one["found"] and one["edge"] > 0.0) for one in found)
    return 0 if kept and all(one["found"] for one in found if one["code"] and one["edge"] > 0.0) else 1


if __name__ == "__main__":
    raise SystemExit(main())
