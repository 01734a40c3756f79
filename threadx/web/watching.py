"""What the logs of the last seven days tell of the ensemble and its models."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from nodes.ensemble.operation.run_log import Statistics, quantile, read_runs, statistics
from nodes.ensemble.scores.track_record import standing_line
from nodes.ensemble.types import RunLine, Standing
from providers.calls_log import CallsLog
from providers.oversight import RECORD_SECONDS, Breaker, breaker

SHOWN_RUNS = 10


@dataclass(frozen=True, kw_only=True)
class ModelRecord:
    """One model's calls.

    Attributes:
        model: its reference.
        tries: calls that went out.
        answered: of these, with a valid answer.
        cached: answers from the cache.
        p95_seconds: of a call; None without one.
        prompt_tokens, answer_tokens: as far as they were counted.
        circuit: whether it is left out, and until when.
        last_failure: what was wrong the last time; empty for nothing.
    """

    model: str
    tries: int
    answered: int
    cached: int
    p95_seconds: float | None
    prompt_tokens: int
    answer_tokens: int
    circuit: Breaker
    last_failure: str


@dataclass(frozen=True, kw_only=True)
class Watched:
    """Everything the page shows.

    Attributes:
        runs: the newest `SHOWN_RUNS`, the newest first, as the log has them.
        week: the last seven days' figures and alerts.
        models: by reference.
        standing: the newest line of what the voices' forecasts have been worth; None while none is scored.
    """

    runs: tuple[RunLine, ...]
    week: Statistics
    models: tuple[ModelRecord, ...]
    standing: Standing | None

    @property
    def success(self) -> float | None:
        """Share of runs that ended with models' answers; None without a run."""
        return self.week.finished / self.week.runs if self.week.runs else None

    @property
    def cache_share(self) -> float | None:
        """Share of answers that came from the cache; None without an answer."""
        cached = sum(model.cached for model in self.models)
        answered = cached + sum(model.answered for model in self.models)
        return cached / answered if answered else None

    @property
    def tokens(self) -> int:
        """Tokens of prompts and answers together."""
        return sum(model.prompt_tokens + model.answer_tokens for model in self.models)


def watched(home: Path) -> Watched:
    """Read the logs of a data folder; a folder without any gives nothing but zeros."""
    return Watched(
        runs=tuple(reversed(read_runs(home)[-SHOWN_RUNS:])),
        week=statistics(home),
        models=_models(home),
        standing=_standing(home),
    )


def _standing(home: Path) -> Standing | None:
    newest = standing_line(home, datetime.now(UTC))
    scored = newest is not None and any(one["windows"] for one in newest["based_on"].values())
    return newest if scored else None


def _models(home: Path) -> tuple[ModelRecord, ...]:
    log = CallsLog(home / "logs")
    counts: Counter[tuple[str, str]] = Counter()
    seconds: dict[str, list[float]] = {}
    failures: dict[str, str] = {}
    for line in log.lines(RECORD_SECONDS):
        model = line["model"]
        seconds.setdefault(model, [])
        for kind in ("prompt_tokens", "answer_tokens"):
            counts[model, kind] += line[kind] or 0
        if line["cached"]:
            counts[model, "cached"] += 1
            continue
        counts[model, "tries"] += 1
        counts[model, "answered"] += line["outcome"] == "answered"
        seconds[model].append(float(line["seconds"]))
        failures[model] = line["code"] if line["outcome"] != "answered" else ""
    return tuple(
        ModelRecord(
            model=model,
            tries=counts[model, "tries"],
            answered=counts[model, "answered"],
            cached=counts[model, "cached"],
            p95_seconds=quantile(sorted(taken), 0.95),
            prompt_tokens=counts[model, "prompt_tokens"],
            answer_tokens=counts[model, "answer_tokens"],
            circuit=breaker(log.outcomes(model, RECORD_SECONDS)),
            last_failure=failures.get(model, ""),
        )
        for model, taken in sorted(seconds.items())
    )
