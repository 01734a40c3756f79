"""A run repeated from its record: no model, no network, nobody asked, no file of the data folder changed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from langchain_core.runnables import RunnableConfig

from base.files import copy_file, write_text_atomically
from base.plain_files import read_plain_text
from base.shared import scratch_home
from nodes.context import OptimizationContext
from nodes.forking import REPLAYED
from record.events import (
    Approved,
    BudgetMet,
    Called,
    CodeExamined,
    LedgerEvent,
    LessonsRecalled,
    LibraryKnown,
    Noticed,
    PricesRead,
)
from record.record import ANSWERS, RunRecord, as_recorded, comparable
from record.run_tables import TRIALS
from threadx.audit.drift import Notice, notices
from threadx.audit.restoring import restore_prices
from threadx.errors import ThreadxError
from threadx.runner import BUILDERS, INPUTS, nobody_watches
from threadx.watching import Watcher, go_through
from vault.datasets import DATASET_PREFIX

REPEATED = (Called, Approved, LessonsRecalled, LedgerEvent, BudgetMet, LibraryKnown, CodeExamined)
"""Events that stand for models, people, memory, other runs, the clock, the library and the cage."""

MOST_DIFFERENCES = 20
_OF_READING = frozenset({"reading", "gaps", "symbol", "timeframe"})


@dataclass(frozen=True, kw_only=True)
class Replay:
    """What came of repeating a run.

    Attributes:
        run: its name.
        same: whether result and report are the same byte for byte, times left out, and every event repeats.
        differences: places in the result or ids of events that differ, some at most.
        notices: what has changed since the run was made.
        result: the repeated result.
    """

    run: str
    same: bool
    differences: tuple[str, ...]
    notices: tuple[Notice, ...]
    result: dict[str, Any]


def replay_run(run: str, home: Path, watch: Watcher = nobody_watches) -> Replay:
    """Repeat a finished run from its record.

    Args:
        run: its name.
        home: the data folder.
        watch: called with every event as it happens again.

    Raises:
        ReportError: `unknown_run`, `no_result`, `record_differs` or `not_on_record`: today's code would ask
            something else.
        ThreadxError: `not_an_optimization` for a run of the ensemble.
        MarketError: `missing_prices`; the registered ones are damaged.
    """
    record = RunRecord(home, run)
    about, told = record.about(), record.result()
    if about["graph"] not in BUILDERS:
        raise ThreadxError("not_an_optimization", run=run)
    with as_recorded(record.folder), scratch_home("threadx-replay-") as folder:
        again = RunRecord(folder, run)
        dataset, others = restore_prices(record, home, folder)
        _answers(record, again)
        context = OptimizationContext.model_validate({**about["context"], "home": str(folder)})
        # The prices were read when the run began: how they were is no question any more.
        asked = {name: value for name, value in about["input"].items() if name not in _OF_READING}
        asked["data"] = f"{DATASET_PREFIX}{dataset.development_hash}"
        for name in ("pool", "inputs"):  # registered as one, and with the prices
            asked.pop(name, None)
        if others:
            asked["other_data"] = [f"{DATASET_PREFIX}{one.development_hash}" for one in others]
        given = INPUTS[about["graph"]].model_validate(asked)
        graph = BUILDERS[about["graph"]].compile(name=about["graph"])
        limit = 40 + 10 * context.max_iterations
        config: RunnableConfig = {"recursion_limit": limit, "configurable": {REPLAYED: True}}
        try:
            go_through(graph, given, config, context=context, watch=watch)
        finally:
            again.release()
        repeated = again.result()
        differences = [
            *_different({**told, "run": None}, {**repeated, "run": None}, "result"),
            *_different(_events(record), _events(again), "events"),
        ]
        if _text(record) != _text(again):
            differences.append("report.md")
        told_now = tuple(notices(record, home))
    return Replay(
        run=run,
        same=not differences,
        differences=tuple(differences[:MOST_DIFFERENCES]),
        notices=told_now,
        result=repeated,
    )


def _answers(record: RunRecord, again: RunRecord) -> None:
    """What was answered and read in the run, in the folder of its repetition."""
    kept = [event.plain() for event in record.events() if isinstance(event.data, REPEATED)]
    lines = [json.dumps(event, ensure_ascii=False, allow_nan=False) + "\n" for event in kept]
    write_text_atomically(again.folder / ANSWERS, "".join(lines))
    if (record.folder / TRIALS).is_file():
        # What other runs looked at stands in their ledger, which grows: it counts as it was read.
        copy_file(record.folder / TRIALS, again.folder / TRIALS)


def _events(record: RunRecord) -> dict[str, Any]:
    """Events by id without what may differ: times, and what only tells of an interruption or of a file."""
    kept = (event for event in record.events() if not isinstance(event.data, Noticed | PricesRead))
    return {event.id: comparable(event.plain()) for event in kept}


def _text(record: RunRecord) -> str:
    path = record.folder / "report.md"
    return read_plain_text(path) if path.is_file() else ""


def _different(then: Any, now: Any, place: str) -> Iterator[str]:
    """Places where two JSON values differ."""
    if isinstance(then, Mapping) and isinstance(now, Mapping):
        for key in sorted({*then, *now}):
            if key not in then or key not in now:
                yield f"{place}.{key}"
            else:
                yield from _different(then[key], now[key], f"{place}.{key}")
    elif isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        for number, (old, new) in enumerate(zip(then, now, strict=True)):
            yield from _different(old, new, f"{place}.{number}")
    elif then != now or type(then) is not type(now):
        yield place
