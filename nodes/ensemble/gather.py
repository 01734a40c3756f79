"""Node `gather`: reads the partitions as of the hour and lays out the evidence."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from langgraph.runtime import Runtime

from market.errors import MarketError
from market.folder import open_folder
from market.partitions import parse_hour
from market.sample import SAMPLE_AS_OF, build_sample
from market.snapshot import read_snapshot
from nodes.context import EnsembleContext
from nodes.ensemble.evidence import macro_rows, quality_rows, sentiment_rows, technical_rows
from nodes.ensemble.state import EnsembleInput

SAMPLE = "sample"
_PROBLEMS_TOLD = 5


def gather(state: EnsembleInput, runtime: Runtime[EnsembleContext]) -> dict[str, Any]:
    """Everything the agents may know at that hour; nothing later than it.

    Raises:
        MarketError: `bad_time`, `missing_folder`, `no_usable_data`, `sample_out_of_range`.
    """
    context = EnsembleContext.of(runtime.context)
    sample = state.data == SAMPLE
    hour = _hour(state.as_of, sample)
    root = _root(state.data, context, hour)
    known = read_snapshot(open_folder(root), hour)
    if not known.usable:
        raise MarketError("no_usable_data", path=str(root), hour=f"{hour:%Y-%m-%dT%H}")
    forecasts, macro, news, problems = known.forecasts, known.macro, known.news, known.problems
    return {
        "hour": hour.isoformat(),
        "sample": sample,
        "evidence": {
            "technical": technical_rows(forecasts),
            "macro": macro_rows(macro),
            "sentiment": sentiment_rows(news),
            "quality": quality_rows(known.quality),
        },
        "notices": {
            "problems": [problem.model_dump(mode="json") for problem in problems[:_PROBLEMS_TOLD]],
            "more_problems": max(len(problems) - _PROBLEMS_TOLD, 0),
            "missing_files": forecasts.missing if forecasts.rows else [],
            "absent_figures": macro.absent if macro.rows else [],
            "quarantined": known.quarantined,
            "duplicates": news.duplicates,
            "news": len(news.items),
            "forecasts": len(forecasts.rows),
        },
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
