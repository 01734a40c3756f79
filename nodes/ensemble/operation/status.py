"""What faces tell of the ensemble's operation, in words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from base.errors import catalogue
from base.reasons import ReasonError
from nodes.context import RULES
from nodes.ensemble.operation.partition import published_hours
from nodes.ensemble.operation.run_log import Alert, read_runs
from nodes.ensemble.types import RunEnd
from prompts import Words
from providers.calls_log import CallsLog
from providers.oversight import RECORD_SECONDS, RESET


def failure_reason(line: RunEnd, words: Words) -> str:
    """Why a run failed, in words; empty for one that did not.

    Args:
        line: of the log of runs; lines of earlier versions hold the code alone.
        words: of the reader.
    """
    if line["status"] != "failed":
        return ""
    if reason := line.get("reason"):
        key = (
            "stopped" if reason["room"] == ReasonError.room else "reason"
        )  # a part of a sentence, or a whole
        return words(f"ensemble.failure.{key}", reason=reason)
    code = line.get("failure") or ""
    if code == "no_data":
        return words("ensemble.failure.no_data")
    return words("ensemble.failure.other", what=failure_name(code, words))


def failure_name(code: str, words: Words) -> str:
    """What ended a call of a model, in words; a code of another version as it stands."""
    return catalogue("failure", words.language).get(code, code)


def old_line(home: Path, words: Words) -> str | None:
    """That the newest run failed, and how old what stands is; None where the newest run went well."""
    runs = read_runs(home)
    if not runs or runs[-1]["status"] != "failed":
        return None
    failed, published = runs[-1], published_hours(home)
    told = {"hour": words.moment(failed.get("hour") or ""), "reason": failure_reason(failed, words)}
    if not published:
        return words("ensemble.history.failed", **told)
    return words("ensemble.history.failed_since", last=words.moment(published[-1]), **told)


def alert_lines(alerts: Iterable[Alert], words: Words) -> list[str]:
    """One sentence an alert."""
    return [
        words(
            f"ensemble.alert.{alert.code}",
            value=words.number(alert.value, 0) if alert.code == "latency" else words.percent(alert.value, 0),
            limit=words.number(alert.limit, 0) if alert.code == "latency" else words.percent(alert.limit, 0),
            runs=alert.runs,
        )
        for alert in alerts
    ]


def last_calls(home: Path) -> list[bool]:
    """Whether each model called in the last seven days answered its last call; `rules` is none."""
    log = CallsLog(home / "logs")
    found = []
    for model in log.models(RECORD_SECONDS):
        tries = [one for one in log.outcomes(model, RECORD_SECONDS) if one.code != RESET]
        if tries and model != RULES:
            found.append(tries[-1].ok)
    return found


def silent_line(answering: Sequence[bool], words: Words) -> str | None:
    """That most models do not answer; None where at least half of them do.

    Args:
        answering: whether each model answers.
        words: of the reader.
    """
    silent = len(answering) - sum(answering)
    if 2 * silent <= len(answering):
        return None
    return words("ensemble.alert.models", silent=silent, all=len(answering))
