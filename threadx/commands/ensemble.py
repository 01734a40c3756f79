"""`threadx ensemble`: the investment summary, once or every hour, and what became of the earlier ones."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any

import click
import tzlocal
from apscheduler.schedulers.background import BackgroundScheduler

from market.errors import MarketError
from market.partitions import parse_hour
from nodes.ensemble.agents import AGENTS
from nodes.ensemble.outcomes import DAYS, read_history
from nodes.ensemble.partition import hour_folder, published_hours, read_trace
from nodes.ensemble.pooling import OUTLOOKS
from nodes.ensemble.rules import agent_name, opened
from nodes.ensemble.run_log import statistics
from nodes.ensemble.scoring import Scorer
from nodes.ensemble.stances import ARBITER, POOL, hour_of, missing_stances, read_stances
from nodes.ensemble.standing import is_due, keep_standing, standing_as_of
from nodes.ensemble.told import alert_lines
from prompts import Words
from reports.record import canonical_json
from threadx.api import summarize
from threadx.backfill import backfill as run_backfill
from threadx.backfill import hours_between
from threadx.commands import ensemble_report, options
from threadx.commands.local import LocalCommand, LocalGroup
from threadx.errors import ThreadxError, error_line
from threadx.runner import writable
from threadx.schedule import Turn, prepare, take_turn, this_hour, time_zone
from threadx.summaries import data_root, make_ensemble_context
from threadx.terminal import Terminal

KINDS = ("live", "back_rules", "back_models")
COLUMNS = ("voice", "n", "brier", "skill", "hit_rate", "calibration_error")


def command(words: Words) -> click.Group:
    """Build the group."""
    group = LocalGroup("ensemble", help=words("command.help.ensemble"), words=words, no_args_is_help=True)
    for build in (_run, _schedule, _history, _score, _backfill, ensemble_report.command):
        group.add_command(build(words))
    return group


def _named(name: str, words: Words) -> Callable[[Callable[..., Any]], click.Command]:
    return click.command(name, cls=LocalCommand, words=words, help=words(f"ensemble.help.{name}"))


def _hour(text: str) -> datetime:
    try:
        return parse_hour(text.strip())
    except ValueError:
        raise MarketError("bad_time", value=text) from None


def _done(node: str, words: Words) -> str:
    """That a node of the graph is done; agents go by their names."""
    if node in AGENTS:
        return opened(words("ensemble.face.agent_done", agent=agent_name(node, words)))
    return words(f"command.ensemble_done.{node}")


def _run(words: Words) -> click.Command:
    @options.local_command("run", words)
    @click.option("--as-of", metavar="ISO", help=words("command.option.as_of"))
    @click.option("--data", metavar="DIR", help=words("command.option.partitions"))
    @click.option("--models", metavar="MODEL[,MODEL…]", help=words("command.option.ensemble_models"))
    @click.option("--reuse", is_flag=True, help=words("ensemble.option.reuse"))
    @options.json_option(words)
    @options.common(words)
    def run(
        as_of: str | None,
        data: str | None,
        models: str | None,
        reuse: bool,
        json_path: str | None,
        home: str | None,
        language: str,
        debug: bool,
    ) -> int:
        terminal = Terminal(words)
        with terminal.steps(words("command.ensemble_working")) as done:
            result = summarize(
                as_of=as_of,
                data=data,
                watch=lambda node: done(_done(node, words)),
                home=home,
                language=language,
                models=models,
                fresh=not reuse,
            )
        if result.summary is None:
            key = "no_data" if result.failure == "no_data" else "other"
            raise ThreadxError("run_failed", reason=words(f"ensemble.failure.{key}", code=result.failure))
        if json_path != "-":
            terminal.summary(result)
        options.write_json(canonical_json(result.summary), json_path)
        return 0 if result.status != "failed" else 1

    return run


def _schedule(words: Words) -> click.Command:
    @_named("schedule", words)
    @click.option("--timezone", metavar="ZONE", help=words("ensemble.option.timezone"))
    @click.option("--wait", is_flag=True, help=words("ensemble.option.wait"))
    @click.option("--data", metavar="DIR", help=words("command.option.partitions"))
    @click.option("--models", metavar="MODEL[,MODEL…]", help=words("command.option.ensemble_models"))
    @options.common(words)
    def schedule(
        timezone: str | None,
        wait: bool,
        data: str | None,
        models: str | None,
        home: str | None,
        language: str,
        debug: bool,
    ) -> None:
        context = make_ensemble_context(home=home, language=language, models=models)
        writable(context.home_path)
        zone = time_zone(timezone or tzlocal.get_localzone_name())
        told = Terminal(words).line

        def tell(turn: Turn) -> None:
            hour = f"{turn.hour.astimezone(zone):%Y-%m-%d %H:%M}"
            if turn.skipped:
                told(words("ensemble.schedule.skipped", hour=hour))
            elif turn.error is not None:
                reason = error_line(turn.error, words.language)
                told(words("ensemble.schedule.failed", hour=hour, reason=reason))
            elif turn.result is not None:
                status = words(f"ensemble.value.{turn.result.status}")
                told(words("ensemble.schedule.done", hour=hour, status=status, path=turn.result.path or "–"))
            for line in alert_lines(statistics(context.home_path).alerts, words):
                told(line)

        scheduler = BackgroundScheduler()
        prepare(scheduler, lambda: take_turn(context, data, tell), zone, at_once=not wait)
        following = scheduler.get_job("ensemble").trigger.get_next_fire_time(None, datetime.now(zone))
        told(words("ensemble.schedule.ready", zone=zone.key, next=f"{following:%Y-%m-%d %H:%M}"))
        # A service manager's stop is as clean as Ctrl-C, also where the shell has Ctrl-C ignored: the run at
        # work is finished first.
        stopped = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda number, frame: stopped.set())
        scheduler.start()
        stopped.wait()
        scheduler.shutdown(wait=True)

    return schedule


def _history(words: Words) -> click.Command:
    @_named("history", words)
    @click.option("--count", type=click.IntRange(min=1), default=24, help=words("ensemble.option.count"))
    @options.json_option(words)
    @options.common(words)
    def history(count: int, json_path: str | None, home: str | None, language: str, debug: bool) -> int:
        folder = make_ensemble_context(home=home).home_path
        found, terminal = statistics(folder), Terminal(words)
        rows = [_line(folder, hour) for hour in reversed(published_hours(folder)[-count:])]
        if json_path != "-":
            _show_history(rows, words, terminal)
            week = {
                name: words.number(getattr(found, name))
                for name in ("runs", "finished", "degraded", "failed")
            }
            times = {"p50": words.number(found.p50_seconds, 1), "p95": words.number(found.p95_seconds, 1)}
            terminal.line(words("ensemble.history.week", **week, **times))
            for line in alert_lines(found.alerts, words) or [words("ensemble.history.quiet")]:
                terminal.line(line)
        alerts = [{"code": one.code, "value": one.value, "limit": one.limit} for one in found.alerts]
        options.write_json(canonical_json({"hours": rows, "alerts": alerts}), json_path)
        return 1 if found.alerts else 0

    return history


def _line(home: Any, hour: datetime) -> dict[str, Any]:
    """One published hour; what its trace does not tell is None."""
    trace = read_trace(home, hour) or {}
    run, summary = trace.get("run", {}), trace.get("summary", {})
    return {
        "hour": hour.isoformat(),
        "status": run.get("status"),
        "speaking": run.get("speaking"),
        "versions": 1 + len(list(hour_folder(home, hour).glob("summary.*.json"))),
        **{name: summary.get(name) for name in ("regime", *OUTLOOKS)},
    }


def _show_history(rows: list[dict[str, Any]], words: Words, terminal: Terminal) -> None:
    if not rows:
        terminal.line(words("ensemble.history.none"))
        return

    def value(row: dict[str, Any], name: str) -> str:
        return words(f"ensemble.value.{row[name]}") if row[name] else "–"

    columns = ("hour", "status", "regime", "days_7", "days_30", "agents", "versions")
    terminal.table(
        words("ensemble.history.title"),
        [words(f"ensemble.history.{name}") for name in columns],
        [
            [
                row["hour"][:16].replace("T", " "),
                *(value(row, name) for name in ("status", "regime", *OUTLOOKS)),
                words.number(row["speaking"]),
                words.number(row["versions"]),
            ]
            for row in rows
        ],
        words_columns=(0, 1, 2, 3, 4),
    )


def _score(words: Words) -> click.Command:
    @_named("score", words)
    @click.option("--as-of", metavar="ISO", help=words("ensemble.option.score_as_of"))
    @click.option("--data", metavar="DIR", help=words("command.option.partitions"))
    @options.json_option(words)
    @options.common(words)
    def score(
        as_of: str | None,
        data: str | None,
        json_path: str | None,
        home: str | None,
        language: str,
        debug: bool,
    ) -> None:
        context = make_ensemble_context(home=home)
        folder, root = context.home_path, data_root(context, data)
        hour = this_hour() if as_of is None else _hour(as_of)
        market, terminal = read_history(root, folder), Terminal(words)
        if market is None:
            terminal.line(words("ensemble.score.no_prices", path=root))
            options.write_json(canonical_json({"as_of": hour.isoformat(), "scores": []}), json_path)
            return
        missing_stances(folder)
        lines = [line for line in read_stances(folder) if hour_of(line) < hour]
        scorer = Scorer(market)
        scorer.add(lines)
        scorer.advance(hour)
        if lines and is_due(folder, hour):
            keep_standing(folder, hour, scorer)
        standing, rows = standing_as_of(folder, hour), scorer.rows()
        if json_path != "-":
            _show_scores(rows, len(lines), standing, words, terminal)
        found = {"as_of": hour.isoformat(), "scores": rows, "standing": standing}
        options.write_json(canonical_json(found), json_path)

    return score


def _show_scores(
    rows: list[dict[str, Any]], hours: int, standing: dict[str, float], words: Words, terminal: Terminal
) -> None:
    if not rows:
        terminal.line(words("ensemble.score.nothing", hours=hours))
        return
    for kind in KINDS:
        for horizon in DAYS:
            shown = [row for row in rows if (row["kind"], row["horizon"]) == (kind, horizon)]
            if shown:
                told = {
                    "kind": words(f"ensemble.score.{kind}"),
                    "horizon": words(f"ensemble.horizon.{horizon}"),
                }
                terminal.table(
                    words("ensemble.score.title", **told),
                    [words(f"ensemble.score.{name}") for name in COLUMNS],
                    [*(_voice(row, words) for row in shown), *_baselines(shown, words)],
                )
    terminal.line(words("ensemble.score.explain"))
    weights = ", ".join(
        f"{agent_name(name, words)} × {words.number(factor)}" for name, factor in standing.items()
    )
    terminal.line(words("ensemble.score.weights", weights=weights))


def _voice(row: dict[str, Any], words: Words) -> list[str]:
    return [
        words("ensemble.score.pool") if row["voice"] == POOL else agent_name(row["voice"], words),
        f"{words.number(row['n'])} ({words.number(row['windows'])})",
        words.number(row["brier"], 3),
        words.percent(row["skill"]),
        words.percent(row["hit_rate"]),
        words.percent(row["calibration_error"]),
    ]


def _baselines(rows: list[dict[str, Any]], words: Words) -> list[list[str]]:
    """What climatology and 'no change' would have got, over the hours of the arbiter."""
    row = next((row for row in rows if row["voice"] == ARBITER), rows[-1])
    return [
        [
            words(f"ensemble.score.{name}"),
            words.number(row["n"]),
            words.number(row[f"brier_{name}"], 3),
            "",
            words.percent(row[f"hit_rate_{name}"]),
            "",
        ]
        for name in ("climatology", "no_change")
    ]


def _backfill(words: Words) -> click.Command:
    @_named("backfill", words)
    @click.option("--from", "since", metavar="ISO", required=True, help=words("ensemble.option.since"))
    @click.option("--to", "until", metavar="ISO", required=True, help=words("ensemble.option.until"))
    @click.option("--data", metavar="DIR", help=words("command.option.partitions"))
    @click.option(
        "--models", metavar="MODEL[,MODEL…]", default="rules", help=words("ensemble.option.back_models")
    )
    @click.option("--step", type=click.IntRange(min=1), default=1, help=words("ensemble.option.step"))
    @options.json_option(words)
    @options.common(words)
    def backfill(
        since: str,
        until: str,
        data: str | None,
        models: str,
        step: int,
        json_path: str | None,
        home: str | None,
        language: str,
        debug: bool,
    ) -> None:
        context = make_ensemble_context(home=home, language=language, models=models)
        begin, end = _hour(since), _hour(until)
        total, terminal = sum(1 for _ in hours_between(begin, end, step)), Terminal(words)
        with terminal.counter(words("ensemble.backfill.working"), total) as advance:
            found = run_backfill(
                context,
                begin,
                end,
                data=data,
                step_hours=step,
                watch=lambda hour: advance(f"{hour:%Y-%m-%d %Hh}"),
            )
        told = {name: getattr(found, name) for name in ("published", "kept", "empty", "silent")}
        if json_path != "-":
            terminal.line(words("ensemble.backfill.done", **{k: words.number(v) for k, v in told.items()}))
        options.write_json(canonical_json(told), json_path)

    return backfill
