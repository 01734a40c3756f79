"""Node `gather`: reads the partitions as of the hour and lays out the evidence."""

from __future__ import annotations

import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

from langgraph.runtime import Runtime

from base.paths import typed_path
from base.plugins import PluginError
from base.reasons import plain
from feeds.builders.sample import SAMPLE_AS_OF, build_sample
from feeds.folder import open_folder
from feeds.partitions import parse_hour
from feeds.sectors import SECTORS
from feeds.snapshot import Snapshot, read_snapshot
from nodes.ensemble.agent import Agent, Inputs
from nodes.ensemble.agents import AGENTS
from nodes.ensemble.context import EnsembleContext
from nodes.ensemble.operation.run_events import note
from nodes.ensemble.policies.instruments import instruments
from nodes.ensemble.scores.track_record import standing_as_of, standing_line
from nodes.ensemble.state import EnsembleInput, EnsembleState
from nodes.ensemble.types import Notices, Problem
from nodes.serving import file_of
from providers import parse_reference
from record.events import EnsembleStarted
from record.record import ENSEMBLE_PREFIX, RunRecord
from vault.errors import MarketError

SAMPLE = "sample"
_PROBLEMS_TOLD = 5
_FEW = 0.2
"""Of an equal share of the headlines whose sector is known: with less, a sector is hardly covered."""

_ENOUGH = 55
"""Headlines with a sector, five a sector, from which on a missing sector tells something."""


def gather(state: EnsembleInput, runtime: Runtime[EnsembleContext]) -> EnsembleState:
    """Everything the agents may know at that hour; nothing later than it.

    Raises:
        MarketError: `bad_time`, `missing_folder`, `no_usable_data`, `sample_out_of_range`.
        UnknownModelError: a chain names no model that could exist.
    """
    began = time.time()
    context = EnsembleContext.of(runtime.context)
    for role in (*AGENTS, "arbiter"):
        for reference in context.chain(role):
            parse_reference(reference)  # a model that cannot be meant is bad input, not an answer that failed
    sample = state.data == SAMPLE
    hour = _hour(state.as_of, sample)
    root = _root(state.data, context, hour)
    # Who looks back cannot know when in the day a partition of that day was written: not before its end.
    folder = open_folder(root, timedelta(days=1) if context.back_run else timedelta())
    known = read_snapshot(folder, hour)
    if not known.usable:
        raise MarketError("no_usable_data", path=str(root), hour=f"{hour:%Y-%m-%dT%H}")
    inputs = Inputs(
        folder=folder,
        hour=hour,
        forecasts=known.forecasts,
        macro=known.macro,
        news=known.news,
        quality=known.quality,
    )
    run = "" if context.back_run else f"{ENSEMBLE_PREFIX}{hour:%Y%m%d%H}-{uuid4().hex[:6]}"
    read = {name: _read(agent, inputs) for name, agent in AGENTS.items()}
    standing = standing_line(context.home_path, hour)
    found: EnsembleState = {
        "run": run,
        "began": began,
        "hour": hour.isoformat(),
        "sample": sample,
        "evidence": {name: rows for name, (rows, _, _) in read.items()},
        "coverage": {name: coverage for name, (_, coverage, _) in read.items()},
        "failed": {name: plain(error) for name, (_, _, error) in read.items() if error is not None},
        "record": standing_as_of(context.home_path, hour),
        "instruments": instruments(read["technical"][0], known.forecasts.rows, known.watchlist.tickers),
        "scored": {} if standing is None else standing["based_on"],
        "notices": _notices(known),
    }
    if run:
        # Begun only now: a run that bad input stops leaves nothing behind.
        about = {"graph": "ensemble", "input": state.model_dump(mode="json"), "hour": found["hour"]}
        RunRecord(context.home_path, run).start({**about, "context": context.model_dump(mode="json")})
        rows = {name: len(given) for name, given in found["evidence"].items()}
        begun = EnsembleStarted(
            hour=found["hour"],
            sample=sample,
            coverage=found["coverage"],
            record=found["record"],
            notices={**found["notices"]},
            rows=rows,
        )
        note(found, context, "started", "gather", begun)
    return {**found}


def _read(agent: Agent[Any], inputs: Inputs) -> tuple[list[Any], float, PluginError | None]:
    """What an agent reads and how much of it is there; of a plugin that fails at it nothing, and why."""
    try:
        rows, coverage = agent.rows(inputs), round(agent.coverage(inputs), 4)
        agent.facts(rows)
        if agent.cites is not None:
            for row in rows:
                agent.cites.row(row)
    except PluginError as error:
        return [], 0.0, error
    return rows, coverage, None


def _notices(known: Snapshot) -> Notices:
    problems = known.problems
    sectors = Counter(item.sector for item in known.news.items if item.sector is not None)
    told = sectors.total()
    few = {name: sectors[name] for name in SECTORS if sectors[name] < told * _FEW / len(SECTORS)}
    return {
        "problems": [cast(Problem, problem.model_dump(mode="json")) for problem in problems[:_PROBLEMS_TOLD]],
        "more_problems": max(len(problems) - _PROBLEMS_TOLD, 0),
        "missing_files": known.forecasts.missing if known.forecasts.rows or known.forecasts.refused else [],
        "absent_figures": known.macro.absent if known.macro.rows else [],
        "quarantined": known.quarantined,
        "doubtful": sum(item.doubtful for item in known.news.items),
        "duplicates": known.news.duplicates,
        "few_sectors": few if told >= _ENOUGH else {},
        "sector_news": told,
        "news": len(known.news.items),
        "forecasts": len(known.forecasts.rows),
    }


def _hour(as_of: str | None, sample: bool) -> datetime:
    if as_of is None:
        return SAMPLE_AS_OF if sample else datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    return parse_hour(as_of)


def _root(data: str | None, context: EnsembleContext, hour: datetime) -> Path:
    if data == SAMPLE:
        # Beside the user's own partitions, never among them: 2018 must not pass for today's data.
        root = context.home_path / SAMPLE / context.language
        build_sample(root, as_of=hour, language=context.language)
        return root
    root = context.home_path
    if data is not None:
        root = typed_path(file_of(data, root)).absolute()
    if not root.is_dir():
        raise MarketError("missing_folder", path=str(root))
    return root
