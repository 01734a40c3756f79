"""A run that goes on from an earlier checkpoint, or from a state changed by hand, is a new run: a fork.

Its record begins with what the parent had done by that checkpoint, and names the parent. Each event says at
which checkpoint its step began, and identities of checkpoints sort by time: what began after the checkpoint's
own predecessor is not the fork's past.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import TypeVar

from langgraph.config import get_config

from backtest.types import COST_NAMES
from base.files import write_text_atomically
from base.secrets import masked_text
from nodes.chosen import OPERATORS_OWN
from nodes.context import Context, OptimizationContext
from nodes.errors import SettingError
from nodes.model_settings import provider_settings
from nodes.serving import OUR_MARK
from providers.registry import parse_reference, provider_of
from record.events import Event, Started, Waiting
from record.record import RunRecord, as_recorded, runs_folder

RUN = f"{OUR_MARK}run"
"""Under this key the configuration says which run goes on, for steps whose own input names its parent."""

AGAIN = f"{OUR_MARK}again"
"""In the configuration of a step that a thread has already gone on from, and that is gone through again."""

REPLAYED = f"{OUR_MARK}replayed"
"""In the configuration of a run that is repeated from its record."""

ADDRESSES = ("ollama_base_url", "openai_base_url")

FROZEN = (*COST_NAMES, "fill", "seed", "ranges", "gate", "intraday")
"""Settings on which every figure of a run rests: who goes on with it cannot have others."""

C = TypeVar("C", bound=Context)

Events = list[Event]
Past = Callable[[Events, RunRecord, RunRecord, Context], Events]
"""What else belongs to a fork's record: (events of the past, parent, fork, settings) → events."""


def run_of(named: str) -> str:
    """The run that a step belongs to: a parallel branch that was sent before the fork names the parent."""
    going_on = get_config().get("configurable", {}).get(RUN)
    return named if going_on is None else str(going_on)


def gone_through_again() -> bool:
    """Whether somebody went back to the step at work; a step that was cut short is merely done."""
    return AGAIN in get_config().get("configurable", {})


def checkpoint_here() -> str:
    """The checkpoint of the graph itself at which the step at work began."""
    places = get_config().get("configurable", {}).get("checkpoint_map") or {}
    return str(places.get("", ""))


def settings_of(record: RunRecord, given: Context | None, schema: type[Context]) -> Context:
    """The settings with which a run goes on: those it began with, unless others are given that fit.

    Raises:
        SettingError: `settings_changed`, or `server_elsewhere`.
    """
    if given is None:
        return settings_to_go_on(record, schema)
    then = recorded_settings(record, schema)
    for name in FROZEN if isinstance(given, OptimizationContext) else ():
        before, now = getattr(then, name), getattr(given, name)
        if before != now:
            raise SettingError("settings_changed", run=record.run, name=name, then=before, now=now)
    return given


def recorded_settings(record: RunRecord, schema: type[C]) -> C:
    """The settings a run began with, but for addresses: a folder may be somebody else's, so they are today's.

    Raises:
        ReportError: `unreadable_record`.
    """
    today = {name: getattr(schema(), name) for name in ADDRESSES}
    kept = {**record.about()["context"], **today, "home": str(record.folder.parents[1])}
    with as_recorded(record.folder / "run.json"):
        return schema.model_validate(kept)


def settings_to_go_on(record: RunRecord, schema: type[C]) -> C:
    """The settings a run began with, for whoever asks models again.

    Raises:
        SettingError: `server_elsewhere`: it asked a server of which nothing is set here; the one that is the
            default might not have its models, and would spoil the run.
        ReportError: `unreadable_record`.
    """
    settings = recorded_settings(record, schema)
    moved = moved_servers(record, settings)
    unset = [f"{variable}={then}" for variable, then, _ in moved if not os.environ.get(variable)]
    if unset:
        raise SettingError("server_elsewhere", run=record.run, servers=", ".join(unset))
    return settings


def moved_servers(record: RunRecord, settings: Context) -> list[tuple[str, str, str]]:
    """Servers that a run asked elsewhere: (variable that names one, address then, address now), masked."""
    now, found = provider_settings(settings), []
    asked = [provider_of(parse_reference(one)) for one in settings.references]
    for name in ADDRESSES:
        here = masked_text(getattr(settings, name))
        then = str(record.about()["context"].get(name, here))
        before = provider_settings(settings.model_copy(update={name: then}))
        if then != here and any(one.address(before) != one.address(now) for one in asked):
            found.append((OPERATORS_OWN[name], then, here))
    return found


def nothing_more(past: Events, parent: RunRecord, record: RunRecord, context: Context) -> Events:
    """The past is its events."""
    return past


def fork(
    parent: RunRecord, context: Context, *, checkpoint: str, before: str, past: Past = nothing_more
) -> str:
    """Begin the record of a fork.

    Args:
        parent: the run it comes from.
        context: the fork's settings.
        checkpoint: from which it goes on.
        before: identity of the checkpoint before it: steps that began there or earlier are its past.
        past: what else belongs to the record than events.

    Returns:
        The fork's name.
    """
    about = parent.about()
    name = _free_name(parent)
    record = RunRecord(context.home_path, name)
    copied: Events = []
    for event in parent.events():
        if event.checkpoint > before:
            break
        copied.append(_renamed(event, parent.run, name))
    if told := past(copied, parent, record, context):
        lines = [
            json.dumps(one.plain(), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
            for one in told
        ]
        write_text_atomically(record.folder / "events.jsonl", "\n".join(lines) + "\n")
    asked = about["input"]
    record.start(
        {
            **{key: value for key, value in about.items() if key not in ("versions", "started")},
            "run": name,
            "input": {**asked, "run": name} if "run" in asked else asked,
            "context": context.model_dump(mode="json"),
            "parent": {"run": parent.run, "checkpoint": checkpoint},
        },
        about["thread"],
    )
    return name


def _free_name(parent: RunRecord) -> str:
    """`<run>-fork1`, or the next number that is free; a fork of a fork counts on its own."""
    folder, number = runs_folder(parent.folder.parents[1]), 1
    stem = parent.run[:70]
    while (folder / f"{stem}-fork{number}").exists():
        number += 1
    return f"{stem}-fork{number}"


def _renamed(event: Event, parent: str, name: str) -> Event:
    match event.data:
        case Started(run=run) | Waiting(run=run) if run == parent:
            data = event.data.model_copy(update={"run": name})
            return event.model_copy(update={"data": data})
        case _:
            return event
