"""Why a model did not answer, in words: every reason by name, never one sentence for all of them."""

from __future__ import annotations

from base.errors import catalogue
from nodes.context import RULES
from nodes.seam.provenance import DOUBTED, FAILED_CHECK, INVALID_SCHEMA, NOTHING_SAID
from prompts import Words
from record.types import Attempt, Provenance

NEVER_REACHED = frozenset(
    (
        *("empty_reference", "misspelt_provider", "unknown_model", "bad_address", "unreachable"),
        *("not_installed", "model_not_pulled", "missing_key", "foreign_key", "breaker_open", "no_time_left"),
        *("no_model_file", "no_gguf_file", "no_model_in_file", "broken_gguf", "too_large_for_memory"),
        *("not_in_store", "no_model_name", "no_weights_in_file", "prompt_too_long", "cache_failed"),
        *("budget_model_calls", "budget_tokens", "budget_seconds"),
    )
)
"""Codes of tries in which no model was asked anything."""

REFUSED = frozenset(
    (
        *(INVALID_SCHEMA, FAILED_CHECK, DOUBTED, NOTHING_SAID, "no_json", "not_json", "too_deep"),
        *("truncated_json", "duplicate_key", "not_finite", "two_answers", "answer_truncated"),
        "answer_too_large",
    )
)
"""Codes of answers that were given and not accepted."""


def was_asked(attempt: Attempt) -> bool:
    """Whether a try reached a model of language."""
    return attempt["model"] != RULES and attempt["code"] not in NEVER_REACHED


def reasons_of(provenance: Provenance | None, words: Words) -> str:
    """Why no model of a chain gave an answer that counts: each reason, and the models that it holds for."""
    last: dict[str, Attempt] = {}
    for attempt in provenance["attempts"] if provenance else ():
        # A cache that cannot be read delays nobody's answer.
        if attempt["model"] != RULES and attempt["code"] not in ("", "cache_failed"):
            last[attempt["model"]] = attempt
    if not last:
        return words("ensemble.silence.none_configured")
    by_code: dict[str, list[Attempt]] = {}
    for attempt in last.values():
        by_code.setdefault(attempt["code"], []).append(attempt)
    return words.join(
        [
            words(
                "ensemble.silence.models",
                why=_why(code, attempts, words),
                models=", ".join(attempt["model"] for attempt in attempts),
            )
            for code, attempts in by_code.items()
        ]
    )


def _why(code: str, attempts: list[Attempt], words: Words) -> str:
    what = catalogue("failure", words.language).get(code, code)
    if code == "breaker_open":
        hours = [attempt["fields"]["hours"] for attempt in attempts]
        # With no time left to wait, the call that may close it is another role's, at this moment.
        key = "breaker" if any(hours) else "queue"
        return words(f"ensemble.silence.{key}", hours=words.short(min(hours, default=0)))
    return words("ensemble.silence.refused", what=what) if code in REFUSED else what
