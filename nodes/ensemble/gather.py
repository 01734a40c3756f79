"""Node `gather`: reads the partitions as of the hour and lays out the evidence."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from langgraph.runtime import Runtime

from market.errors import MarketError
from market.forecasts import read_forecasts
from market.freshness import read_quality
from market.macro import read_macro
from market.news import read_news
from market.partitions import parse_hour
from market.sample import SAMPLE_AS_OF, build_sample
from nodes.context import EnsembleContext
from nodes.ensemble.agent import Inputs
from nodes.ensemble.agents import AGENTS
from nodes.ensemble.standing import standing_as_of
from nodes.ensemble.state import EnsembleInput, EnsembleState
from nodes.ensemble.trail import RUN_PREFIX, note
from providers import parse_reference
from reports.record import RunRecord

SAMPLE = "sample"
_PROBLEMS_TOLD = 5


def gather(state: EnsembleInput, runtime: Runtime[EnsembleContext]) -> dict[str, Any]:
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
    inputs = _read(_root(state.data, context, hour), hour)
    run = "" if context.back_run else f"{RUN_PREFIX}{hour:%Y%m%d%H}-{uuid4().hex[:6]}"
    found: EnsembleState = {
        "run": run,
        "began": began,
        "hour": hour.isoformat(),
        "sample": sample,
        "evidence": {name: agent.rows(inputs) for name, agent in AGENTS.items()},
        "coverage": {name: round(agent.coverage(inputs), 4) for name, agent in AGENTS.items()},
        "record": standing_as_of(context.home_path, hour),
        "notices": _notices(inputs),
    }
    if run:
        # Begun only now: a run that bad input stops leaves nothing behind.
        about = {"graph": "ensemble", "input": state.model_dump(mode="json"), "hour": found["hour"]}
        RunRecord(context.home_path, run).start({**about, "context": context.model_dump(mode="json")})
        rows = {name: len(given) for name, given in found["evidence"].items()}
        told = {name: found[name] for name in ("hour", "sample", "coverage", "record", "notices")}  # type: ignore[literal-required]
        note(found, context, "started", "started", "gather", {**told, "rows": rows})
    return {**found}


def _read(root: Path, hour: datetime) -> Inputs:
    forecasts, macro, news = read_forecasts(root, hour), read_macro(root, hour), read_news(root, hour)
    if not (forecasts.rows or macro.rows or news.items):
        raise MarketError("no_usable_data", path=str(root), hour=f"{hour:%Y-%m-%dT%H}")
    quality = read_quality(root, hour, forecasts, macro, news)
    return Inputs(root=root, hour=hour, forecasts=forecasts, macro=macro, news=news, quality=quality)


def _notices(inputs: Inputs) -> dict[str, Any]:
    forecasts, macro, news = inputs.forecasts, inputs.macro, inputs.news
    problems = [*forecasts.problems, *macro.problems, *news.problems, *inputs.quality.problems]
    return {
        "problems": [problem.model_dump(mode="json") for problem in problems[:_PROBLEMS_TOLD]],
        "more_problems": max(len(problems) - _PROBLEMS_TOLD, 0),
        "missing_files": forecasts.missing if forecasts.rows else [],
        "absent_figures": macro.absent if macro.rows else [],
        "quarantined": news.quarantined,
        "duplicates": news.duplicates,
        "news": len(news.items),
        "forecasts": len(forecasts.rows),
    }


def _hour(as_of: str | None, sample: bool) -> datetime:
    if as_of is None:
        return SAMPLE_AS_OF if sample else datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    try:
        return parse_hour(as_of.strip())
    except ValueError:
        raise MarketError("bad_time", value=as_of) from None


def _root(data: str | None, context: EnsembleContext, hour: datetime) -> Path:
    if data == SAMPLE:
        # Beside the user's own partitions, never among them: 2018 must not pass for today's data.
        root = context.home_path / SAMPLE / context.language
        build_sample(root, as_of=hour, language=context.language)
        return root
    root = context.home_path if data is None else Path(data).expanduser().absolute()
    if not root.is_dir():
        raise MarketError("missing_folder", path=str(root))
    return root
