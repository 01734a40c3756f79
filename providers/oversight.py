"""What watches over the calls of one role: the time its hosted models may take, the circuit breaker, the log.

The breaker: a model that failed in more than half of the last seven days' tries (ten at least), or that
answered with a limit notice, is left out; three hours after its last try one call goes through. If that one
succeeds, the model's record begins anew.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from providers import calls_log, deadlines
from providers.calls_log import CallsLog, Outcome
from providers.errors import DeadlineError, ProviderError, UnavailableError
from providers.reference import Reference
from providers.registry import provider_of
from providers.settings import ProviderSettings

RECORD_SECONDS = 7 * 86_400.0
RETRY_SECONDS = 3 * 3_600.0
FEWEST_TRIES = 10
"""Two runs with one dead second in each of four agents must not shut a model out."""
LIMIT_CODES = frozenset({"limit_notice", "payment_required"})
"""Answers that say that nothing more will come for a while."""

ABSENT_CODES = frozenset({"unreachable", "not_installed", "model_not_pulled", "missing_key"})
"""On a machine of one's own these are mended by hand and found out at no cost: they trip no breaker there."""

OWN_CODES = frozenset({"breaker_open", "no_time_left", "cache_failed"})
"""Entries that are no tries of a model."""

_trials: set[tuple[Path, str]] = set()
_trying = threading.Lock()


class Try(Protocol):
    """One try of a model, as `nodes.seam.ask` puts it on record."""

    @property
    def outcome(self) -> str:
        """`answered`, `invalid` or `error`."""

    @property
    def code(self) -> str:
        """What was wrong."""

    @property
    def latency_seconds(self) -> float:
        """How long it took."""


@dataclass(frozen=True)
class Breaker:
    """State of one model's breaker.

    Attributes:
        is_open: the model is left out.
        failed, tries: of the record that counts.
        retry_at: when one call goes through again, seconds since 1970; 0 while closed.
    """

    is_open: bool
    failed: int
    tries: int
    retry_at: float


def breaker(outcomes: Iterable[Outcome], *, local: bool = False) -> Breaker:
    """The breaker's state after some tries, oldest first.

    Args:
        outcomes: of the last seven days.
        local: the server is one's own.
    """
    record: list[Outcome] = []
    is_open = False
    for one in outcomes:
        if local and one.code in ABSENT_CODES:
            continue
        record = [one] if is_open and one.ok else [*record, one]
        failed = sum(not other.ok for other in record)
        limited = one.code in LIMIT_CODES
        often = len(record) >= FEWEST_TRIES and 2 * failed > len(record)
        is_open = (limited or often or is_open) and not one.ok
    failed = sum(not one.ok for one in record)
    retry_at = record[-1].time + RETRY_SECONDS if is_open else 0.0
    return Breaker(is_open=is_open, failed=failed, tries=len(record), retry_at=retry_at)


class Oversight:
    """Watches over the calls of one role in one run.

    Args:
        role: who asks.
        hosted_seconds: what all hosted models of its chain may take together; None for no limit.
        logs: folder of the calls' log; None keeps no log and has no breaker.
    """

    def __init__(self, role: str, hosted_seconds: float | None, logs: Path | None) -> None:
        self.role = role
        self.left = hosted_seconds
        self.log = None if logs is None else CallsLog(logs)
        self.begun = 0.0

    def refusal(self, reference: Reference, settings: ProviderSettings) -> ProviderError | None:
        """Why a model is not to be asked now, or None."""
        if provider_of(reference).hosted and self.left is not None and self.left <= 0.0:
            return DeadlineError("no_time_left", model=str(reference))
        if self.log is None:
            return None
        outcomes = self.log.outcomes(str(reference), RECORD_SECONDS)
        state = breaker(outcomes, local=provider_of(reference).local(settings))
        if not state.is_open:
            return None
        wait = state.retry_at - calls_log.now()
        with _trying:
            trial = (self.log.folder, str(reference))
            if wait <= 0.0 and trial not in _trials:
                _trials.add(trial)  # its sisters of this run wait for what it finds out
                return None
        hours = round(max(wait, 0.0) / 3600.0, 1)
        return UnavailableError(
            "breaker_open", model=str(reference), failed=state.failed, tries=state.tries, hours=hours
        )

    def bounded(self, settings: ProviderSettings, reference: Reference) -> ProviderSettings:
        """The settings with the time that is left, for a model that is asked now."""
        self.begun = deadlines.clock()
        if not provider_of(reference).hosted or self.left is None:
            return replace(settings, until=None)
        return replace(settings, until=self.begun + self.left)

    def done(
        self,
        reference: Reference,
        tries: Sequence[Try],
        *,
        cached: bool,
        tokens: tuple[int | None, int | None],
    ) -> None:
        """Count the time and log the tries; tokens are those of the model's whole turn, on its last line."""
        if provider_of(reference).hosted and self.left is not None:
            self.left -= deadlines.clock() - self.begun
        if self.log is None:
            return
        tries = [one for one in tries if one.code not in OWN_CODES]
        for number, one in enumerate(tries, start=1):
            last = number == len(tries)
            # The log only watches: on a full disk the run itself says so where it publishes.
            with suppress(OSError):
                self.log.append(
                    {
                        "kind": "call",
                        "role": self.role,
                        "model": str(reference),
                        "attempt": number,
                        "outcome": one.outcome,
                        "code": one.code,
                        "seconds": round(one.latency_seconds, 3),
                        "prompt_tokens": tokens[0] if last else None,
                        "answer_tokens": tokens[1] if last else None,
                        "cached": cached,
                    }
                )
        with _trying:
            _trials.discard((self.log.folder, str(reference)))
