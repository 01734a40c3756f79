"""What a role asked and what it was told, word for word; and the run's hard limits.

Every call of a model is an event `<asked>.call.<n>`. A node that is done again after a kill finds its calls
there and asks nobody twice; a replay finds all of them and asks nobody at all. Limits are counted on the same
events, so they hold for the run as a whole, whatever interrupts it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace

from nodes.context import Context, OptimizationContext
from nodes.run_events import record
from providers import ProviderSettings, Reference, Reply, Request
from providers.request import estimate_tokens
from record.errors import ReportError
from record.events import BudgetMet, Called
from record.record import RunRecord
from record.types import Attempt, Budget

BUDGET = "budget"
"""Id and kind of the event that says which limit was met first."""

MODEL_BUDGETS: tuple[Budget, ...] = ("budget_model_calls", "budget_tokens", "budget_seconds")


def used_up(context: OptimizationContext, log: RunRecord, more_tokens: int = 0) -> Budget | None:
    """The limit on calls, tokens or time that leaves no room for another call, if one does.

    Args:
        context: the limits.
        log: what was spent.
        more_tokens: tokens of the prompt that would be sent next.
    """
    counted = log.log.counted()
    if context.max_model_calls is not None and counted["model_calls"] >= context.max_model_calls:
        return "budget_model_calls"
    if context.max_tokens is not None and (
        counted["tokens"] >= context.max_tokens or counted["tokens"] + more_tokens > context.max_tokens
    ):
        return "budget_tokens"
    # A replay does not repeat the clock: what time decided stands in its answers.
    late = context.max_seconds is not None and log.log.elapsed_seconds() >= context.max_seconds
    return "budget_seconds" if late and not log.is_replay else None


def run_budget(
    context: OptimizationContext,
    run: str,
    asked: str,
    node: str,
    iteration: int,
    *,
    calls: int = 0,
    more_tokens: int = 0,
) -> Budget | None:
    """The limit that is used up, if one is; the first time that is found it goes on record.

    What is on record holds: after the first refusal nobody is asked any more, and a replay refuses at the
    same place, although its clock tells another time.

    Args:
        context: the limits.
        run: name of the run.
        asked: what would be asked or decided next: id of its event.
        node: where.
        iteration: when.
        calls: calls that `asked` has made already.
        more_tokens: tokens of the prompt that would be sent.
    """
    log = RunRecord(context.home_path, run)
    if (known := log.log.told(BUDGET, BudgetMet)) is not None:
        return known.budget
    known = log.answers.told(BUDGET, BudgetMet)
    if known is not None and (known.asked, known.calls) == (asked, calls):
        found: Budget | None = known.budget
    else:
        found = used_up(context, log, more_tokens)
    if found is not None:
        met = BudgetMet(budget=found, asked=asked, calls=calls)
        record(context, run, BUDGET, node, met, iteration=iteration)
    return found


class Journal:
    """The calls of one role's turn.

    Attributes:
        asked: id of the event that announced the turn, for example `i02.analyst`.
    """

    def __init__(self, context: Context, run: str, asked: str, node: str, iteration: int) -> None:
        self.context = context
        self.run = run
        self.asked = asked
        self.node = node
        self.iteration = iteration
        self.calls = 0
        self.told_prompt = ""
        self.log = RunRecord(context.home_path, run)

    def next_call(self, request: Request, reference: Reference) -> Called | None:
        """The next call as it stands in the record, or None where it has still to be made.

        Raises:
            ReportError: `record_differs`: the record holds a call with other words or another model.
                `not_on_record`: a replay wants a call that its run did not make.
        """
        event_id = self._next_id()
        call = self.log.log.told(event_id, Called)
        if call is None and (answer := self.log.answers.find(event_id)) is not None:
            call = self.log.answers.told(event_id, Called)
            if call is not None:
                self._write(call, answer.counts)
        if call is None:
            return None
        if (call.model, call.request) != (str(reference), _digest(request)):
            raise ReportError("record_differs", run=self.run, event=event_id)
        return call

    def next_told(self) -> Called | None:
        """The next call on record, whatever it asks: how much evidence it told is found there."""
        event_id = self._next_id()
        return self.log.log.told(event_id, Called) or self.log.answers.told(event_id, Called)

    def _next_id(self) -> str:
        return f"{self.asked}.call.{self.calls + 1}"

    def took(self) -> None:
        """The call that `next_call` gave has been used."""
        self.calls += 1

    def refusal(self, request: Request) -> Budget | None:
        """The limit that forbids the next call, if one does; from then on that is on record.

        Raises:
            ReportError: `not_on_record`: nothing is refused, but a replay can make no call.
        """
        if not isinstance(self.context, OptimizationContext):
            return None
        found = run_budget(
            self.context,
            self.run,
            self.asked,
            self.node,
            self.iteration,
            calls=self.calls,
            more_tokens=_prompt_tokens(request),
        )
        if found is None and self.log.is_replay:
            raise ReportError("not_on_record", run=self.run, event=self._next_id())
        return found

    def bounded(self, settings: ProviderSettings, request: Request) -> ProviderSettings:
        """The settings with what the limits of time and tokens leave for one call."""
        context = self.context
        if not isinstance(context, OptimizationContext):
            return settings
        if context.max_seconds is not None:
            # At least a second: the limit itself was checked just before.
            left = max(1.0, context.max_seconds - self.log.log.elapsed_seconds())
            settings = replace(
                settings,
                hosted_seconds=min(settings.hosted_seconds, left),
                local_seconds=min(settings.local_seconds, left),
                first_seconds=min(settings.first_seconds, left),
                idle_seconds=min(settings.idle_seconds, left),
                loading_seconds=min(settings.loading_seconds, left),
            )
        if context.max_tokens is not None:
            room = max(1, context.max_tokens - self.log.log.counted()["tokens"] - _prompt_tokens(request))
            answer = min(settings.answer_tokens, room)
            thinking = min(settings.thinking_tokens, room - answer)
            settings = replace(settings, answer_tokens=answer, thinking_tokens=thinking)
        return settings

    def tries_left(self) -> int | None:
        """How many tries the limit of calls leaves; None without one."""
        if not isinstance(self.context, OptimizationContext) or self.context.max_model_calls is None:
            return None
        return self.context.max_model_calls - self.log.log.counted()["model_calls"]

    def write(
        self,
        reference: Reference,
        request: Request,
        failures: list[Attempt],
        reply: Reply | None,
        *,
        cached: bool = False,
        evidence_tokens: int | None = None,
        left_out: Sequence[str] = (),
    ) -> None:
        """Put one call on record: what was sent, every failed try, and the answer as it came.

        The prompt is put down once, and again where less of the evidence stands in it.

        Args:
            reference: the model.
            request: what it was sent.
            failures: `nodes.seam.provenance.Attempt` as JSON, one a try that failed.
            reply: None where every try failed.
            cached: the answer is an earlier call's.
            evidence_tokens: of the evidence in the prompt at most.
            left_out: ids of the evidence that it leaves out.
        """
        tried = 0 if cached else sum(_went_out(failure) for failure in failures)
        tokens = 0
        if reply is not None and not cached:
            tried += 1
            answered = estimate_tokens(reply.text) + estimate_tokens(reply.thinking)
            tokens += reply.prompt_tokens if reply.prompt_tokens is not None else _prompt_tokens(request)
            tokens += reply.answer_tokens if reply.answer_tokens is not None else answered
        fresh = self.calls == 0 or self.told_prompt not in ("", request.prompt_hash)
        self.told_prompt = request.prompt_hash
        self._write(
            Called(
                model=str(reference),
                request=_digest(request),
                prompt=_told(request) if fresh else None,
                correction=list(request.correction) if request.correction else None,
                failures=failures,
                answer=reply.text if reply else None,
                thinking=reply.thinking if reply else "",
                prompt_tokens=reply.prompt_tokens if reply else None,
                answer_tokens=reply.answer_tokens if reply else None,
                cached=cached,
                latency_seconds=reply.latency_seconds if reply else None,
                evidence_tokens=evidence_tokens,
                left_out=list(left_out),
            ),
            {"model_calls": tried, "tokens": tokens},
        )

    def _write(self, call: Called, counts: dict[str, int]) -> None:
        record(
            self.context,
            self.run,
            self._next_id(),
            self.node,
            call,
            iteration=self.iteration,
            cites=[self.asked],
            counts=counts,
        )


def _went_out(failure: Attempt) -> bool:
    """Whether a failed try counts as a call of a model."""
    return failure["code"] not in ("cache_failed", "parameter_refused") and not failure.get("repeated")


def _prompt_tokens(request: Request) -> int:
    return sum(estimate_tokens(part) for part in (request.system, request.user, request.closing))


def _told(request: Request) -> dict[str, str]:
    """The parts of a prompt that it has."""
    parts = {"system": request.system, "user": request.user, "closing": request.closing}
    return {name: words for name, words in parts.items() if words}


def _digest(request: Request) -> str:
    """What must be equal for two questions to be the same."""
    words = json.dumps(
        [*_told(request).values(), request.schema, request.correction], ensure_ascii=False, sort_keys=True
    )
    return hashlib.sha256(words.encode()).hexdigest()[:16]
