"""`threadx ensemble history` and `score`: what was published, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, get_args

from base.errors import PromptError
from feeds.partitions import parse_hour
from nodes.ensemble.operation.partition import hour_folder, published_hours, read_trace
from nodes.ensemble.operation.run_log import read_runs, statistics
from nodes.ensemble.operation.status import alert_lines, failure_reason, last_calls, old_line, silent_line
from nodes.ensemble.policies.pooling import OUTLOOKS
from nodes.ensemble.policies.words import agent_name, opened
from nodes.ensemble.schemas import DAYS
from nodes.ensemble.scores.memory import memory_of
from nodes.ensemble.scores.records import record_at
from nodes.ensemble.scores.scoring import Kind, ScoreRow
from nodes.ensemble.scores.stances import ARBITER, POOL, read_stances
from nodes.ensemble.types import Said, TraceRun
from prompts import Words
from providers.training import Knowledge
from record.record import canonical_json
from reports.charts.outlook import calibration_chart, outlook_chart
from reports.pictures import picture_suffix
from threadx.errors import ThreadxError
from threadx.jobs.schedule import this_hour
from threadx.summaries import data_root, make_ensemble_context
from threadx.terminal import Terminal
from threadx.work.written import write_drawing, write_json

KINDS = get_args(Kind)
COLUMNS = ("voice", "n", "brier", "skill", "hit_rate", "calibration_error")
VERDICTS = ("regime", *OUTLOOKS, "risk_level")


def _line(home: Path, hour: datetime, memory: Mapping[str, Knowledge | None]) -> dict[str, Any]:
    """One published hour; what its trace does not tell is None. `memory` is told by hour."""
    trace = read_trace(home, hour) or {}
    run, summary = trace.get("run", TraceRun()), trace.get("summary", Said())
    return {
        "hour": hour.isoformat(),
        "status": run.get("status"),
        "speaking": run.get("speaking"),
        "memory": memory.get(f"{hour:%Y%m%d%H}"),
        "versions": 1 + len(list(hour_folder(home, hour).glob("summary.*.json"))),
        **{name: summary.get(name) for name in VERDICTS},
    }


def _show_history(rows: list[dict[str, Any]], words: Words, terminal: Terminal) -> None:
    if not rows:
        terminal.line(words("ensemble.history.none"))
        return

    def value(row: dict[str, Any], name: str) -> str:
        try:
            return words(f"ensemble.value.{row[name]}") if row[name] else "–"
        except PromptError:  # another program's word
            return "–"

    columns = ("hour", "status", "regime", "days_7", "days_30", "agents", "versions", "memory")
    terminal.table(
        words("ensemble.history.title"),
        [words(f"ensemble.history.{name}") for name in columns],
        [
            [
                row["hour"][:16].replace("T", " "),
                *(value(row, name) for name in ("status", "regime", *OUTLOOKS)),
                terminal.cells.number(row["speaking"]),
                terminal.cells.number(row["versions"]),
                words(f"ensemble.history.memory_{row['memory']}") if row["memory"] else "–",
            ]
            for row in rows
        ],
        words_columns=(0, 1, 2, 3, 4, 7),
        spare=(6, 7, 5),
    )
    if any(row["memory"] for row in rows):
        terminal.line(words("ensemble.history.memory_explain"))


def _calibration(rows: Sequence[ScoreRow], horizon: str, words: Words, path: str) -> Any:
    """What was said at its hour, else what rules, else what models said of the past; never mixed."""
    of_horizon = [row for row in rows if row["horizon"] == horizon]
    kind = next((kind for kind in KINDS if any(row["kind"] == kind for row in of_horizon)), None)
    if kind is None:
        raise ThreadxError("nothing_to_draw", path=path)
    bins = [
        {
            "source": opened(_voice_name(row["voice"], words)),
            "predicted": one["said"],
            "observed": one["happened"],
            "count": one["n"],
        }
        for row in of_horizon
        if row["kind"] == kind
        for one in row["calibration"]
    ]
    return calibration_chart(bins, words, about=_title(kind, horizon, words))


def _title(kind: str, horizon: str, words: Words) -> str:
    told = {"kind": words(f"ensemble.score.{kind}"), "horizon": words(f"ensemble.horizon.{horizon}")}
    return words("ensemble.score.title", **told)


def _show_scores(
    rows: list[ScoreRow], hours: int, standing: dict[str, float], words: Words, terminal: Terminal
) -> None:
    if not rows:
        terminal.line(words("ensemble.score.nothing", hours=hours))
        return
    for kind in KINDS:
        for horizon in DAYS:
            shown = [row for row in rows if (row["kind"], row["horizon"]) == (kind, horizon)]
            if shown:
                terminal.table(
                    _title(kind, horizon, words),
                    [words(f"ensemble.score.{name}") for name in COLUMNS],
                    [*(_voice(row, terminal.cells) for row in shown), *_baselines(shown, terminal.cells)],
                )
    terminal.line(words("ensemble.score.explain"))
    weights = ", ".join(
        f"{agent_name(name, words)} × {words.number(factor)}" for name, factor in standing.items()
    )
    terminal.line(words("ensemble.score.weights", weights=weights))


def _voice_name(voice: str, words: Words) -> str:
    return words("ensemble.score.pool") if voice == POOL else agent_name(voice, words)


def _voice(row: ScoreRow, words: Words) -> list[str]:
    return [
        _voice_name(row["voice"], words),
        f"{words.number(row['n'])} ({words.number(row['windows'])})",
        words.number(row["brier"], 3),
        words.percent(row["skill"]),
        words.percent(row["hit_rate"]),
        words.percent(row["calibration_error"]),
    ]


def _baselines(rows: list[ScoreRow], words: Words) -> list[list[str]]:
    """What climatology and 'no change' would have got, over the hours of the arbiter."""
    row = next((row for row in rows if row["voice"] == ARBITER), rows[-1])
    return [
        [
            words(f"ensemble.score.{name}"),
            words.number(row["n"]),
            words.number(brier, 3),
            "",
            words.percent(hits),
            "",
        ]
        for name, brier, hits in (
            ("climatology", row["brier_climatology"], row["hit_rate_climatology"]),
            ("no_change", row["brier_no_change"], row["hit_rate_no_change"]),
        )
    ]


def history(
    words: Words,
    count: int,
    picture: str | None,
    json_path: str | None,
    home: str | None,
    language: str,
    debug: bool,
) -> int:
    """The last hours as a table; exit code 1 where there are alerts."""
    if picture is not None:  # what cannot be drawn is said before the work, not after
        picture_suffix(picture)
    folder = make_ensemble_context(home=home).home_path
    found, terminal = statistics(folder), Terminal(words)
    answering = last_calls(folder)
    silent = silent_line(answering, words)
    memory = {line["hour"]: memory_of(line) for line in read_stances(folder)}
    rows = [_line(folder, hour, memory) for hour in reversed(published_hours(folder)[-count:])]
    if json_path != "-":
        _show_history(rows, words, terminal)
        week = {
            name: words.number(getattr(found, name)) for name in ("runs", "finished", "degraded", "failed")
        }
        times = {"p50": words.number(found.p50_seconds, 1), "p95": words.number(found.p95_seconds, 1)}
        terminal.line(words("ensemble.history.week", **week, **times))
        if (old := old_line(folder, words)) is not None:
            terminal.line(old)
        told = [*alert_lines(found.alerts, words), *([silent] if silent else [])]
        for line in told or [words("ensemble.history.quiet")]:
            terminal.line(line)
    if picture is not None:
        whole = [row for row in rows if all(row[name] for name in VERDICTS)]
        if not whole:
            raise ThreadxError("nothing_to_draw", path=picture)
        write_drawing(outlook_chart(whole, words), picture)
        if json_path != "-":
            terminal.line(words("command.written", folder=picture))
    alerts: list[dict[str, Any]] = [
        {"code": one.code, "value": one.value, "limit": one.limit} for one in found.alerts
    ]
    if silent:
        alerts.append({"code": "models", "value": 1.0 - sum(answering) / len(answering), "limit": 0.5})
    failures = [
        {
            **{name: line.get(name) for name in ("time", "hour", "failure")},
            "reason": failure_reason(line, words),
        }
        for line in read_runs(folder)
        if line["status"] == "failed"
    ]
    write_json(canonical_json({"hours": rows, "alerts": alerts, "failures": failures}), json_path)
    return 1 if alerts else 0


def score(
    words: Words,
    as_of: str | None,
    data: str | None,
    picture: str | None,
    picture_horizon: str,
    json_path: str | None,
    home: str | None,
    language: str,
    debug: bool,
) -> None:
    """What became of what was said, by kind and horizon."""
    if picture is not None:
        picture_suffix(picture)
    context = make_ensemble_context(home=home)
    root = data_root(context, data)
    hour = this_hour() if as_of is None else parse_hour(as_of)
    found, terminal = record_at(context.home_path, root, hour), Terminal(words)
    if found is None:
        raise ThreadxError("no_prices_to_score", path=str(root))
    told = {"as_of": hour.isoformat(), "scores": found.rows, "standing": found.standing}
    if json_path != "-":
        _show_scores(found.rows, found.hours, found.standing, words, terminal)
    if picture is not None:
        write_drawing(_calibration(found.rows, picture_horizon, words, picture), picture)
        if json_path != "-":
            terminal.line(words("command.written", folder=picture))
    write_json(canonical_json(told), json_path)
