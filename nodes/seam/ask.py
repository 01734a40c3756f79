"""The one function through which every role calls a model: schema in, validated object and provenance out."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

import providers
from base.errors import Language
from base.json_files import Json
from base.reasons import complaint
from nodes.context import RULES, Context
from nodes.errors import PolicyError
from nodes.model_settings import provider_settings
from nodes.seam.calls import Calls
from nodes.seam.free_text import Listener, Unsaid, said
from nodes.seam.journal import Journal
from nodes.seam.provenance import (
    DOUBTED,
    FAILED_CHECK,
    INVALID_SCHEMA,
    NOTHING_SAID,
    Attempt,
    Fields,
    Provenance,
)
from nodes.seam.reading import read
from prompts import Prompt, text
from prompts.fields import in_language
from providers.errors import AnswerError, short

T = TypeVar("T", bound=BaseModel)

LONGEST_ECHO = 8000
"""Characters of an invalid answer that go back with its errors."""


def _no_checks(value: BaseModel) -> list[str]:
    """Nothing beyond the schema."""
    return []


@dataclass(frozen=True, kw_only=True)
class Question(Generic[T]):
    """What a role asks.

    Attributes:
        role: who asks, for example `analyst`.
        prompt: what a model reads.
        schema: what the answer must be; its descriptions and bounds are the output instruction.
        case: makes the same for this very case, a subclass: it is what a model is shown and held to. An
            answer that fits `schema` alone is a doubt.
        words_only: the case limits words and ids alone: what `rules` answer is the same without it, and it is
            made where a model is asked.
        evidence: plain JSON that `rules` reads; the prompt was rendered from the same.
        policy: the role's deterministic policy.
        check: semantic checks: all errors at once, in the prompt's language.
        doubts: what sends an answer back, but is accepted if the model repeats it (a number absent from
            the evidence): the role marks it. Free texts that say nothing (`nodes.seam.free_text`) are doubts
            of every role; repeated, they are left out of the answer.
        checked: what the case forbids is found by a check of the asker's own, after the answer: no doubt.
        corrections: how many times an invalid answer (schema or check) is sent back with its errors.
        cache: whether an identical earlier call may answer.
        fresh: the same, but the new answer is kept for later calls.
        hosted_seconds: time that all hosted models of the chain may take together; None for no limit.
        watched: calls are logged (`providers.oversight`).
        shorter: the same question with at most so many tokens of evidence, for a small window; None where all
            of it is needed.
        left_out: ids of the evidence that it leaves out.
        run: name of the run where there is no journal: a failure for good is met once in it.
        unattended: with that, models with an open circuit breaker are skipped: no person is there who wants
            them tried.
    """

    role: str
    prompt: Prompt
    schema: type[T]
    evidence: Mapping[str, Any]
    policy: Callable[[Any], T]
    case: Callable[[], type[T]] | None = None
    words_only: bool = False
    check: Callable[[T], list[str]] = _no_checks
    doubts: Callable[[T], list[str]] = _no_checks
    checked: bool = False
    corrections: int = 1
    cache: bool = True
    fresh: bool = False
    hosted_seconds: float | None = None
    watched: bool = False
    unattended: bool = False
    shorter: Callable[[int], Question[T]] | None = None
    left_out: tuple[str, ...] = ()
    run: str = ""

    @cached_property
    def shown(self) -> type[T]:
        """What a model is shown and held to."""
        return self.case() if self.case else self.schema


@dataclass(frozen=True, kw_only=True)
class Answer(Generic[T]):
    """A valid answer.

    Attributes:
        value: it satisfies the question's schema and checks.
        provenance: who gave it, and how.
        said: every text that a model gave on the way, refused ones too, as {model, text}.
    """

    value: T
    provenance: Provenance
    said: tuple[Mapping[str, str], ...] = ()


class Abstention(BaseModel):
    """Every model of the chain failed. This is never an opinion.

    Attributes:
        role: who asked.
        code: error code of the last model; `provenance.attempts` has all of them.
        provenance: what was tried.
        said: every text that a model gave, as {model, text}.
    """

    model_config = ConfigDict(frozen=True)

    role: str
    code: str
    provenance: Provenance
    said: tuple[Mapping[str, str], ...] = ()


def ask(
    question: Question[T], *, chain: Sequence[str], context: Context, journal: Journal | None = None
) -> Answer[T] | Abstention:
    """Ask the models of a chain in order until one gives a valid answer.

    An unavailable or slow model, or one that refuses, is skipped at once; transient failures are retried
    twice; an invalid answer is sent back with all its errors, at most `question.corrections` times. A valid
    answer is cached for `context.cache_hours`; answers of `rules` are not cached. When a limit of the run is
    reached, no further model is asked, and `rules` does not answer either.

    Args:
        question: what is asked, and what its answer must be.
        chain: model references; `rules` may be anywhere in it.
        context: addresses, sampling, cache, data folder.
        journal: where every call is recorded and found again; None: no record.

    Returns:
        The answer, or an abstention if no model of the chain gave one.

    Raises:
        UnknownModelError: a reference of the chain names no model.
        PolicyError: the role's `rules` policy gave an answer against its own schema or checks: a bug.
        ReportError: the journal's record does not fit the question.
    """
    references = [providers.parse_reference(reference) for reference in chain]
    asking = _Asking(question, provider_settings(context, cache=question.cache), journal)
    for position, reference in enumerate(references):
        if asking.calls.refused:
            break
        value = asking.rules() if reference.provider == RULES else asking.model(reference)
        if value is not None:
            degraded = reference.provider == RULES and position > 0
            provenance = asking.provenance(str(reference), degraded=degraded)
            return Answer(value=value, provenance=provenance, said=tuple(asking.said))
    code = asking.calls.attempts[-1].code if asking.calls.attempts else "empty_chain"
    said = tuple(asking.said)
    return Abstention(role=question.role, code=code, provenance=asking.provenance(""), said=said)


@dataclass(frozen=True, kw_only=True)
class _Invalid:
    """What is wrong with an answer."""

    code: str
    errors: list[str]
    fields: Fields


class _Asking(Generic[T]):
    """One question on its way along the chain, and everything that happened to it."""

    def __init__(
        self, question: Question[T], settings: providers.ProviderSettings, journal: Journal | None
    ) -> None:
        self.question = self.whole = question
        dataset = question.evidence.get("dataset") or {}
        settings = replace(settings, run=journal.run if journal is not None else question.run)
        self.calls = Calls(question.role, question.prompt, dataset, settings, journal)
        logs = settings.logs if question.watched else None
        self.oversight = providers.Oversight(
            question.role, question.hosted_seconds, logs, unattended=question.unattended
        )
        self.begun = time.perf_counter()
        self.prompt_tokens: int | None = None
        self.answer_tokens: int | None = None
        self.cached = False
        self.thinking = ""
        self.corrections = 0
        self.unsaid: list[Unsaid] = []
        self.repairs: frozenset[str] = frozenset()
        self.outside: list[str] = []
        self.said: list[Mapping[str, str]] = []

    def rules(self) -> T:
        """The policy's answer.

        Raises:
            PolicyError: it breaks the schema or the checks.
        """
        begun = time.perf_counter()
        self._tell(None)
        question, self.repairs = self.question, frozenset()
        given = question.policy(question.evidence).model_dump_json()
        value, complaints = self._fitted(given, question.schema if question.words_only else question.shown)
        wrong = complaints if value is None else question.check(value)
        if value is None or wrong:
            raise PolicyError("invalid_policy_answer", role=question.role, errors="; ".join(wrong))
        self._tried(RULES, time.perf_counter() - begun)
        return value

    def model(self, reference: providers.Reference) -> T | None:
        """One model's valid answer under oversight; None when it is to be left for the next."""
        if (refusal := self.oversight.refusal(reference, self.calls.settings)) is not None:
            self.calls.failed(reference)(refusal, 0.0)
            return None
        before, counted = len(self.calls.attempts), (self.prompt_tokens, self.answer_tokens)
        self.calls.settings = self.oversight.bounded(self.calls.settings, reference)
        if self.whole.shorter is not None:
            self._tell(self.calls.evidence_room(reference))
        try:
            return self._asked(reference)
        finally:
            used = (_since(counted[0], self.prompt_tokens), _since(counted[1], self.answer_tokens))
            self.oversight.done(reference, self.calls.attempts[before:], cached=self.cached, tokens=used)

    def _asked(self, reference: providers.Reference) -> T | None:
        """One model's valid answer, from the cache or by asking."""
        question = self.question
        request = self._request()
        begun = time.perf_counter()
        if (kept := self.calls.recalled(reference, request, fresh=question.fresh)) is not None:
            value = self._heard(kept)
            if not isinstance(value, _Invalid):  # else the checks have changed since: it is asked again
                value = self._without_unsaid(value)
            if not isinstance(value, _Invalid):
                self.cached = True
                self.said.append({"model": str(reference), "text": kept.text or kept.thinking})
                self._count(kept)
                self._tried(str(reference), time.perf_counter() - begun)
                return value
        doubted: T | None = None
        shortened: int | None = None
        for left in range(question.corrections, -1, -1):
            reply = self.calls.made(reference, request)
            if reply is None and shortened is None and self.whole.shorter is not None:
                shortened = self.calls.less_evidence(reference, request)
                if shortened is not None:
                    self._tell(shortened)
                    request = self._request(correction=request.correction)
                    reply = self.calls.made(reference, request)
            if reply is None:
                break  # every try is on record, the last one too
            self.said.append({"model": str(reference), "text": reply.text or reply.thinking})
            self._count(reply)
            value = self._heard(reply)
            if not isinstance(value, _Invalid):
                if left and (doubts := self._doubts(value)):
                    doubted, value = value, _Invalid(code=DOUBTED, errors=doubts, fields={})
                else:
                    doubted, value = None, self._without_unsaid(value)
            if not isinstance(value, _Invalid):
                self._tried(str(reference), reply.latency_seconds)
                self.calls.remember(reference, self._request(), reply)
                return value
            self._tried(str(reference), reply.latency_seconds, value)
            if left:
                self.corrections += 1
                correction = ((reply.text or reply.thinking)[:LONGEST_ECHO], self._sent_back(value.errors))
                request = self._request(correction=correction)
        if doubted is None:
            return None
        value = self._without_unsaid(doubted)
        if isinstance(value, _Invalid):
            self._tried(str(reference), 0.0, value)
            return None
        return value

    def _tell(self, tokens: int | None) -> None:
        """Put the question with so many tokens of evidence; None: as it was given."""
        shorter = self.whole.shorter
        if tokens is None or shorter is None:
            self.question, self.calls.evidence_tokens = self.whole, None
        else:
            self.question, self.calls.evidence_tokens = shorter(tokens), tokens
        self.calls.left_out, self.calls.prompt = self.question.left_out, self.question.prompt

    def _doubts(self, value: T) -> list[str]:
        """Why an answer goes back although it is valid."""
        listener = Listener(self.question.prompt)
        said(value, listener)
        outside = [] if self.question.checked else self.outside
        return [*outside, *self.question.doubts(value), *self._told(listener.unsaid)]

    def _without_unsaid(self, value: T) -> T | _Invalid:
        """What counts of an answer that is not sent back again."""
        listener = Listener(self.question.prompt)
        kept = said(value, listener)
        if kept is None:
            return _Invalid(code=NOTHING_SAID, errors=self._told(listener.unsaid), fields={})
        self.unsaid = listener.unsaid
        return kept

    def _told(self, unsaid: Sequence[Unsaid]) -> list[str]:
        language = self.question.prompt.language
        return [text(f"nodes.unsaid.{one.why}", language, words=short(one.words)) for one in unsaid]

    def provenance(self, model: str, *, degraded: bool = False) -> Provenance:
        """The record so far."""
        return Provenance(
            role=self.question.role,
            model=model,
            degraded=degraded,
            attempts=self.calls.attempts,
            latency_seconds=time.perf_counter() - self.begun,
            prompt_tokens=self.prompt_tokens,
            answer_tokens=self.answer_tokens,
            cached=self.cached,
            prompt_name=self.question.prompt.name,
            prompt_hash=self.question.prompt.hash,
            thinking=self.thinking if model else "",
            corrections=self.corrections,
            unsaid=[one.words for one in self.unsaid],
            repairs=sorted(self.repairs),
        )

    def _request(self, correction: tuple[str, str] | None = None) -> providers.Request:
        prompt = self.question.prompt
        return providers.Request(
            role=self.question.role,
            system=prompt.system,
            user=prompt.user,
            closing=prompt.closing,
            schema=_json_schema(self.question.shown, prompt.language),
            schema_words=text("nodes.ask.schema", prompt.language),
            correction=correction,
            prompt_hash=prompt.hash,
        )

    def _fitted(self, told: str, shown: type[T]) -> tuple[T | None, list[str]]:
        """The value that this schema makes of JSON, else the general one; and what this one complains of."""
        value, complaints = _fitting(told, shown)
        if value is None and shown is not self.question.schema:
            value, _ = _fitting(told, self.question.schema)
        return value, [_schema_error(item, self.question.prompt.language) for item in complaints]

    def _validated(self, answer: str) -> T | _Invalid:
        """The value in a text, with what a careful reader would mend in it, or every error."""
        question, language = self.question, self.question.prompt.language
        try:
            found = providers.objects_in(answer)
        except AnswerError as error:
            return self._unread(error)
        valid: dict[str, tuple[T, frozenset[str]]] = {}
        wrong: list[str] = []
        for one in found:
            meant, repairs = read(one.value, _json_schema(question.shown, language))
            # By way of JSON, which is what the schema describes: a list is a tuple there, a text an enum.
            value, wrong = self._fitted(json.dumps(meant), question.shown)
            if value is not None:
                valid[value.model_dump_json()] = value, one.repairs | repairs
                self.outside = wrong
        if not valid:
            return _Invalid(code=INVALID_SCHEMA, errors=wrong, fields={})
        if len(valid) > 1:
            return self._unread(AnswerError("two_answers", count=len(valid)))
        ((value, repairs),) = valid.values()
        if errors := question.check(value):
            return _Invalid(code=FAILED_CHECK, errors=errors, fields={})
        # A blank at the end is left of an answer that was complete when its room ended.
        self.repairs = repairs | ({"blanks"} if answer != answer.rstrip() else frozenset())
        return value

    def _unread(self, error: AnswerError) -> _Invalid:
        said = text(f"providers.error.{error.code}", self.question.prompt.language, **error.fields)
        return _Invalid(code=error.code, errors=[said], fields=error.fields)

    def _heard(self, reply: providers.Reply) -> T | _Invalid:
        """The value of a reply; some servers put the whole answer where thoughts belong."""
        value = self._validated(reply.text or reply.thinking)
        if not reply.text:
            self.repairs |= {"thinking"}
        return value

    def _sent_back(self, errors: list[str]) -> str:
        listed = "\n".join(f"- {error}" for error in errors)
        return text("nodes.ask.correction", self.question.prompt.language, errors=listed)

    def _tried(self, model: str, seconds: float, wrong: _Invalid | None = None) -> None:
        if wrong is None:
            attempt = Attempt(model=model, outcome="answered", latency_seconds=seconds)
        else:
            attempt = Attempt(
                model=model,
                outcome="invalid",
                code=wrong.code,
                detail="; ".join(wrong.errors),
                fields=wrong.fields,
                latency_seconds=seconds,
            )
        self.calls.attempts.append(attempt)

    def _count(self, reply: providers.Reply) -> None:
        self.thinking = reply.thinking
        if reply.prompt_tokens is not None:
            self.prompt_tokens = (self.prompt_tokens or 0) + reply.prompt_tokens
        if reply.answer_tokens is not None:
            self.answer_tokens = (self.answer_tokens or 0) + reply.answer_tokens


def _fitting(told: str, schema: type[T]) -> tuple[T | None, list[ErrorDetails]]:
    """The value that a schema makes of JSON, or what it complains of."""
    try:
        return schema.model_validate_json(told), []
    except ValidationError as error:
        return None, error.errors()


@lru_cache(maxsize=64)
def _json_schema(schema: type[BaseModel], language: Language) -> Json:
    """Made once a class: it takes milliseconds, and every call shows it."""
    return in_language(schema.model_json_schema(), language)


def _since(before: int | None, after: int | None) -> int | None:
    return None if after is None else after - (before or 0)


def _schema_error(item: ErrorDetails, language: Language) -> str:
    told = complaint({**item, "loc": item["loc"] or ("$",)}).sentence(language)
    return f"{told} ({short(repr(item['input']))[:80]})"
