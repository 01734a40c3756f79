"""A case put to a model as a review of its own: the roles, prompts and evidence of every other review."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from base.sources import source_digest
from nodes.context import OptimizationContext
from nodes.model_settings import provider_settings
from providers import parse_reference
from providers.registry import provider_of
from record.events import Event
from record.record import RunRecord
from record.types import Attempt, Provenance
from threadx.api import begin
from threadx.runner import resume_run
from threadx.scorecard.cases import Case
from threadx.watching import Watcher

ROLES = ("analyst", "strategist", "validator")


@dataclass(frozen=True, kw_only=True)
class Reviewed:
    """A case as a model answered it.

    Attributes:
        case: the case.
        record: of the review.
        events: of the record.
        answers: provenance of each role that was asked.
        failure: the last try of a role that no model answered for want of service; None where all answered,
            well or badly.
    """

    case: Case
    record: RunRecord
    events: Sequence[Event]
    answers: dict[str, Provenance]
    failure: Attempt | None


def review(case: Case, model: str, context: OptimizationContext, watch: Watcher) -> Reviewed:
    """Have a model review a case, or read how it did: one model, case and setting is asked about once.

    A review that was broken off goes on where it was. One that ended for want of service is forgotten, so
    that the next time asks again.

    Args:
        case: the strategy and its prices.
        model: a reference.
        context: the reader's settings: language, addresses, deadlines, temperature, seed, data folder.
        watch: called with every event; what it raises breaks the review off after the call at work.
    """
    folder = context.home_path / "scorecard"
    settings: dict[str, Any] = {**dict.fromkeys(ROLES, (model,)), **context.model_dump(include=_TAKEN)}
    record = RunRecord(folder, _run(case, model, context))
    if record.exists():
        resume_run(record.run, folder, watch)
    else:
        begin(
            "review",
            case.prices(),
            case.spec,
            None,
            symbol="MADE-UP",
            timeframe=None,
            gaps="accept",
            run=record.run,
            watch=watch,
            home=str(folder),
            use_debate=False,
            cache_hours=0.0,  # an answer of the cache would hide the tries before it; the record has them
            **settings,
        )
    events = list(record.events())
    answers = {
        event.node: said for event in events if event.node in ROLES and (said := event.data.answered_by)
    }
    failure = next((why for said in answers.values() if (why := _unserved(said))), None)
    if failure is not None:
        shutil.rmtree(record.folder)
    return Reviewed(case=case, record=record, events=events, answers=answers, failure=failure)


_TAKEN = {"language", "ollama_base_url", "openai_base_url", "deadlines", "temperature", "seed"}


def _run(case: Case, model: str, context: OptimizationContext) -> str:
    """A name that changes with whatever could change an answer."""
    address = provider_of(parse_reference(model)).address(provider_settings(context))
    asked = [case.spec.model_dump(mode="json"), case.prices().to_csv()]
    told = [model, address, context.temperature, context.seed, asked, source_digest()]
    digest = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:12]
    return f"{case.name}-{context.language}-{digest}"


def _unserved(said: Provenance) -> Attempt | None:
    """The last try where no model gave an answer and none was refused for what it said."""
    tries = said["attempts"]
    return tries[-1] if not said["model"] and tries and tries[-1]["outcome"] == "error" else None
