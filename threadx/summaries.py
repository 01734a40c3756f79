"""`threadx.summarize`: runs the ensemble once; the graph takes the lock and records failures by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from langchain_core.runnables import RunnableConfig

from base.paths import typed_path
from graphs.ensemble import graph
from nodes.ensemble.context import EnsembleContext
from nodes.ensemble.state import EnsembleInput
from nodes.given import read_context, read_input
from threadx.arguments import checked
from threadx.home import chosen_home
from threadx.results import SummaryResult
from threadx.traces import bounded_traces
from threadx.writable import writable


def make_ensemble_context(**settings: Any) -> EnsembleContext:
    """The ensemble's settings; what is None is left to the environment and the defaults.

    Raises:
        SettingError: naming the setting.
    """
    return read_context(
        EnsembleContext, {name: value for name, value in settings.items() if value is not None}
    )


def run_summary(
    context: EnsembleContext, *, as_of: str | None, data: str | None, watch: Callable[[str], None]
) -> SummaryResult:
    """Run the ensemble once and publish its summary.

    Args:
        context: settings.
        as_of: ISO time whose hour the summary is for; now if None.
        data: a folder of partitions, or `sample`; the data folder if None.
        watch: called with the name of each node that is done.

    Raises:
        BusyError: another run is at work in this data folder.
        PublishError: the summary cannot be written.
        MarketError, ProviderError, ThreadxError: bad input.
    """
    writable(context.home_path)
    given = read_input(EnsembleInput, {"as_of": as_of, "data": data})
    bounded_traces()
    return SummaryResult.from_details(_stream(given, context, watch))


def _stream(given: EnsembleInput, context: EnsembleContext, watch: Callable[[str], None]) -> dict[str, Any]:
    state: dict[str, Any] = {}
    config: RunnableConfig = {
        "run_name": "ensemble",
        "tags": ["threadx", "ensemble"],
        "metadata": {"as_of": given.as_of or "now", "data": given.data or str(context.home_path)},
    }
    parts: Iterator[Any] = graph.stream(given, config, context=context, stream_mode=["updates", "values"])
    for mode, part in parts:
        if mode == "values":
            state = part
        else:
            for node in part:
                watch(node)
    return state


def data_root(context: EnsembleContext, data: str | None) -> Path:
    """The folder that holds the partitions and the prices."""
    return context.home_path if data is None else typed_path(data).absolute()


def _nobody_waits(node: str) -> None:
    """Nobody watches."""


@checked(EnsembleContext.model_fields)
def summarize(
    *,
    as_of: str | None = None,
    data: str | None = None,
    watch: Callable[[str], None] = _nobody_waits,
    **settings: Any,
) -> SummaryResult:
    """Run the ensemble once and publish its summary.

    Args:
        as_of: ISO time of the summary's hour; default: now.
        data: a folder of partitions, or `sample`; default: the data folder.
        watch: called with the name of each finished node.
        **settings: fields of `nodes.ensemble.context.EnsembleContext`.

    Raises:
        EnsembleError: another run is in progress in this data folder, or the summary cannot be written.
        MarketError, ProviderError, ThreadxError: bad input.
    """
    home = chosen_home(settings.pop("home", None), settings.get("language"))
    return run_summary(make_ensemble_context(home=home, **settings), as_of=as_of, data=data, watch=watch)
