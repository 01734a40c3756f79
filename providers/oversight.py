"""What watches over the calls of one role: the time its hosted models may take, the circuit breaker, the log.

The breaker opens on what the service did: no answer in more than half of the last seven days' tries, ten at
least and in three runs at least, or a notice of limits. An unattended run then leaves the model out; three
hours after its last try, or when the service's own wait is over, one call goes through. If that one is
answered, the model's record begins anew. A person's run always tries, and `reset` closes a breaker.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from providers import calls_log, deadlines
from providers.calls_log import CallsLog, Outcome
from providers.errors import LONGEST_WAIT, DeadlineError, ProviderError, UnavailableError
from providers.reference import Reference
from providers.registry import is_hosted, provider_of
from providers.settings import ProviderSettings

RECORD_SECONDS = 7 * 86_400.0
RETRY_SECONDS = 3 * 3_600.0
FEWEST_TRIES = 10
FEWEST_RUNS = 3
"""What one bad run or two did, with a dozen failures in a minute, must not shut a model out."""
RUN_GAP_SECONDS, RUN_SECONDS = 1200.0, 3600.0
"""Tries this close together are one run's, unless it goes on for longer than an hour."""
LIMIT_CODES = frozenset({"limit_notice", "payment_required"})
"""Answers that say that nothing more will come for a while."""

ABSENT_CODES = frozenset(
    (
        *("unreachable", "not_installed", "model_not_pulled", "missing_key", "not_in_store", "no_model_name"),
        *("no_model_file", "no_gguf_file", "broken_gguf", "no_model_in_file", "no_weights_in_file"),
        "too_large_for_memory",
    )
)
"""On a machine of one's own these are mended by hand and found out at no cost: they trip no breaker there."""

RESET = "reset"
"""Outcome and code of a line by which a person closed a breaker."""

OWN_CODES = frozenset({"breaker_open", "no_time_left", "cache_failed", "parameter_refused"})
"""Entries that are no tries of a model, or no failures of its service."""

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

    @property
    def repeated(self) -> bool:
        """The run met it before: nobody was asked."""

    @property
    def fields(self) -> Mapping[str, Any]:
        """Those of the error."""


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
    tries = failed = runs = 0
    run_begun = last_failure = -math.inf
    is_open, retry_at = False, 0.0
    for one in outcomes:
        if local and one.code in ABSENT_CODES:
            continue
        if one.code == RESET or (is_open and one.ok):
            tries = failed = runs = 0
            run_begun = last_failure = -math.inf
            is_open = False
        if one.code == RESET:
            continue
        tries, failed = tries + 1, failed + (not one.ok)
        if one.ok:
            continue
        if one.time - last_failure > RUN_GAP_SECONDS or one.time - run_begun > RUN_SECONDS:
            runs, run_begun = runs + 1, one.time
        last_failure = one.time
        often = tries >= FEWEST_TRIES and 2 * failed > tries and runs >= FEWEST_RUNS
        is_open = is_open or often or one.code in LIMIT_CODES or one.retry_after > LONGEST_WAIT
        # A wait that the service named is taken at its word; a limit without one is looked at again later.
        retry_at = one.time + (one.retry_after or RETRY_SECONDS)
    return Breaker(is_open=is_open, failed=failed, tries=tries, retry_at=retry_at if is_open else 0.0)


def breaker_of(logs: Path, reference: Reference, settings: ProviderSettings) -> Breaker:
    """The breaker of a model as the log of calls tells it now."""
    outcomes = CallsLog(logs).outcomes(str(reference), RECORD_SECONDS)
    return breaker(outcomes, local=provider_of(reference).local(settings))


def refused_by(state: Breaker, model: str) -> UnavailableError:
    """What a model that is left out is said to be."""
    hours = round(max(state.retry_at - calls_log.now(), 0.0) / 3600.0, 1)
    return UnavailableError("breaker_open", model=model, failed=state.failed, tries=state.tries, hours=hours)


def reset(logs: Path, model: str) -> None:
    """Close a model's breaker: what it did before counts no more.

    Raises:
        OSError: the log cannot be written.
    """
    CallsLog(logs).append({"kind": RESET, "model": model, "outcome": RESET, "code": RESET})


class Oversight:
    """Watches over the calls of one role in one run.

    Args:
        role: who asks.
        hosted_seconds: what all hosted models of its chain may take together; None for no limit.
        logs: folder of the calls' log; None keeps no log and has no breaker.
        unattended: nobody asked for this run: models with an open breaker are left out.
    """

    def __init__(
        self, role: str, hosted_seconds: float | None, logs: Path | None, *, unattended: bool
    ) -> None:
        self.role = role
        self.unattended = unattended
        self.left = hosted_seconds
        self.log = None if logs is None else CallsLog(logs)
        self.begun = 0.0
        self.timed = False

    def refusal(self, reference: Reference, settings: ProviderSettings) -> ProviderError | None:
        """Why a model is not to be asked now, or None."""
        if is_hosted(reference, settings) and self.left is not None and self.left <= 0.0:
            return DeadlineError("no_time_left", model=str(reference))
        if self.log is None or not self.unattended:
            return None
        state = breaker_of(self.log.folder, reference, settings)
        if not state.is_open:
            return None
        with _trying:
            trial = (self.log.folder, str(reference))
            if state.retry_at <= calls_log.now() and trial not in _trials:
                _trials.add(trial)  # its sisters of this run wait for what it finds out
                return None
        return refused_by(state, str(reference))

    def bounded(self, settings: ProviderSettings, reference: Reference) -> ProviderSettings:
        """The settings with the time that is left, for a model that is asked now."""
        self.begun = deadlines.clock()
        self.timed = is_hosted(reference, settings)
        if not self.timed or self.left is None:
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
        if self.timed and self.left is not None:
            self.left -= deadlines.clock() - self.begun
        if self.log is None:
            return
        tries = [one for one in tries if one.code not in OWN_CODES and not one.repeated]
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
                        "retry_after": one.fields.get("retry_after"),
                    }
                )
        with _trying:
            _trials.discard((self.log.folder, str(reference)))
