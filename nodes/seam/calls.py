"""One role's calls of models: found in the run's record or in the cache, or made; each put on record."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from langsmith import get_tracing_context, tracing_context
from langsmith.utils import tracing_is_enabled

import providers
from nodes.seam.journal import Journal
from nodes.seam.provenance import Attempt
from nodes.seam.room import TOO_LONG, evidence_room, less_evidence
from prompts import Prompt
from providers.errors import CacheError, ProviderError, short
from record.events import Called


class Calls:
    """The calls that one question takes.

    Attributes:
        settings: of the providers; whoever asks may bound them between two models.
        prompt: what is sent.
        evidence_tokens: of the evidence in it at most; None where no limit is set.
        left_out: ids of the evidence that it leaves out.
        attempts: every try so far, in order.
        refused: a limit of the run has ended the asking.
    """

    def __init__(
        self,
        role: str,
        prompt: Prompt,
        dataset: Mapping[str, Any],
        settings: providers.ProviderSettings,
        journal: Journal | None,
    ) -> None:
        self.role = role
        self.prompt = prompt
        self.dataset = dataset
        self.settings = settings
        self.journal = journal
        self.evidence_tokens: int | None = None
        self.left_out: tuple[str, ...] = ()
        self.attempts: list[Attempt] = []
        self.refused = False

    def evidence_room(self, reference: providers.Reference) -> int | None:
        """Tokens of evidence to be shown: as the record has it, or as the model's window has room."""
        if self.journal is not None and (known := self.journal.next_told()) is not None:
            return known.evidence_tokens
        return evidence_room(reference, self.settings)

    def less_evidence(self, reference: providers.Reference, request: providers.Request) -> int | None:
        """Tokens of evidence for a model that had no room for more; None: it is not asked again."""
        refused = self.attempts[-1]
        if refused.code not in TOO_LONG or self.evidence_tokens is None:
            return None
        # On record the next call is the same model's, or there was none.
        if self.journal is not None and (known := self.journal.next_told()) is not None:
            return known.evidence_tokens if known.model == str(reference) else None
        return less_evidence(reference, self.settings, request, self.evidence_tokens, refused)

    def recalled(
        self, reference: providers.Reference, request: providers.Request, *, fresh: bool
    ) -> providers.Reply | None:
        """What the cache holds; in the journal a look-up that found something, or failed, is a call too."""
        journal = self.journal
        if journal is not None and (known := journal.next_call(request, reference)) is not None:
            return self._played(journal, known) if known.cached else None
        if fresh:
            return None
        before = len(self.attempts)
        try:
            kept = providers.recall(reference, request, self.settings)
        except CacheError as error:
            # The cache only saves time: a broken one is put on record, and the model is asked.
            self.failed(reference)(error, 0.0)
            kept = None
        if kept is not None or len(self.attempts) > before:
            self._put_down(reference, request, before, kept, cached=True)
        return kept

    def made(self, reference: providers.Reference, request: providers.Request) -> providers.Reply | None:
        """What a model says: as it stands in the journal, or by asking; None where no try was answered."""
        journal = self.journal
        if journal is not None:
            if (known := journal.next_call(request, reference)) is not None:
                return self._played(journal, known)
            if (budget := journal.refusal(request)) is not None:
                self.refused = True
                attempt = Attempt(model=str(reference), outcome="error", code=budget, detail=budget)
                self.attempts.append(attempt)
                return None
        before = len(self.attempts)
        try:
            with self._traced(reference):
                reply = providers.call(
                    reference,
                    request,
                    journal.bounded(self.settings, request) if journal else self.settings,
                    self.failed(reference),
                    tries=journal.tries_left() if journal else None,
                )
        except ProviderError:
            reply = None
        self._put_down(reference, request, before, reply)
        return reply

    def remember(
        self, reference: providers.Reference, request: providers.Request, reply: providers.Reply
    ) -> None:
        """Keep an answer for later calls, once."""
        journal = self.journal
        if journal is not None and (known := journal.next_call(request, reference)) is not None:
            self._played(journal, known)
            return
        before = len(self.attempts)
        try:
            providers.remember(reference, request, reply, self.settings)
        except CacheError as error:
            # An answer that may have cost minutes is not thrown away because it cannot be kept.
            self.failed(reference)(error, 0.0)
            self._put_down(reference, request, before, None, cached=True)

    def failed(self, reference: providers.Reference) -> Callable[[ProviderError, float], None]:
        """What puts a failed try of a model down."""

        def record(error: ProviderError, seconds: float) -> None:
            self.attempts.append(
                Attempt(
                    model=str(reference),
                    outcome="error",
                    code=error.code,
                    detail=short(repr(error)),
                    fields=error.fields,
                    latency_seconds=seconds,
                    repeated=error.repeated,
                )
            )

        return record

    def _traced(self, reference: providers.Reference) -> AbstractContextManager[None]:
        """Marks what is traced of a call with who asks whom about what; nothing where nothing is traced."""
        if not tracing_is_enabled():
            return nullcontext()
        prompt, journal, dataset = self.prompt, self.journal, self.dataset
        told = {
            "role": self.role,
            "model_reference": str(reference),
            "prompt": prompt.name,
            "prompt_version": prompt.version,
            "prompt_hash": prompt.hash,
            "iteration": None if journal is None else journal.iteration,
            "symbol": dataset.get("symbol"),
            "dataset": dataset.get("hash"),
        }
        current = get_tracing_context()
        marks = {
            "tags": [*(current["tags"] or []), self.role, str(reference)],
            "metadata": {
                **(current["metadata"] or {}),
                **{name: value for name, value in told.items() if value is not None},
            },
        }
        return tracing_context(**{**current, **marks})

    def _played(self, journal: Journal, known: Called) -> providers.Reply | None:
        journal.took()
        self.attempts += [Attempt.model_validate(failure) for failure in known.failures]
        if known.answer is None:
            return None
        return providers.Reply(
            text=known.answer,
            thinking=known.thinking,
            prompt_tokens=known.prompt_tokens,
            answer_tokens=known.answer_tokens,
            latency_seconds=known.latency_seconds or 0.0,
        )

    def _put_down(
        self,
        reference: providers.Reference,
        request: providers.Request,
        before: int,
        reply: providers.Reply | None,
        *,
        cached: bool = False,
    ) -> None:
        """A call, or a failure of the cache, into the journal; `before` counts the attempts before it."""
        if self.journal is not None:
            failures = [attempt.plain() for attempt in self.attempts[before:]]
            self.journal.write(
                reference,
                request,
                failures,
                reply,
                cached=cached,
                evidence_tokens=self.evidence_tokens,
                left_out=self.left_out,
            )
            self.journal.took()
