"""`threadx ensemble`: the investment summary, once, every hour, or hour by hour over the past."""

from __future__ import annotations

import signal
import threading
from collections.abc import Sequence
from datetime import datetime
from itertools import count

import tzlocal
from apscheduler.schedulers.background import BackgroundScheduler

from feeds.partitions import parse_hour
from nodes.ensemble.agents import AGENTS
from nodes.ensemble.operation.run_log import statistics
from nodes.ensemble.operation.status import alert_lines, failure_reason
from nodes.ensemble.policies.words import agent_name, opened
from prompts import Words
from record.record import canonical_json
from threadx.console import STOPS
from threadx.errors import ThreadxError
from threadx.jobs.backfill import backfill as run_backfill
from threadx.jobs.backfill import hours_between
from threadx.jobs.schedule import Turn, prepare, take_turn, time_zone
from threadx.summaries import make_ensemble_context, summarize
from threadx.terminal import Terminal
from threadx.work.progress import bar
from threadx.work.written import write_json
from threadx.writable import writable


def _done(node: str, words: Words) -> str:
    """That a node of the graph is done; agents go by their names."""
    if node in AGENTS:
        return opened(words("ensemble.face.agent_done", agent=agent_name(node, words)))
    return words(f"command.ensemble_done.{node}")


def _named(node: str, words: Words) -> str:
    return agent_name(node, words) if node in AGENTS else words(f"command.ensemble_node.{node}")


def _at_work(finished: Sequence[str]) -> list[str]:
    """What the graph does after these nodes: the agents together, then one after the other."""
    waiting = [agent for agent in AGENTS if agent not in finished]
    if waiting:
        return waiting
    return [{"arbiter": "check", "check": "publish"}.get(finished[-1], "arbiter")]


def run(
    words: Words,
    as_of: str | None,
    data: str | None,
    models: str | None,
    deadlines: str | None,
    reuse: bool,
    json_path: str | None,
    home: str | None,
    language: str,
    debug: bool,
) -> int:
    """One summary; exit code 1 where it failed."""
    terminal = Terminal(words)
    unsaid = [str(make_ensemble_context(home=home).home_path)]

    finished: list[str] = []

    def watch(node: str) -> None:
        while unsaid:
            done(words("command.home", home=unsaid.pop()))
        done(_done(node, words))
        finished.append(node)
        names = words.join([_named(one, words) for one in _at_work(finished)])
        done.now(words("command.ensemble_now", nodes=names))

    with terminal.steps(words("command.ensemble_working")) as done:
        result = summarize(
            as_of=as_of,
            data=data,
            watch=watch,
            home=home,
            language=language,
            models=models,
            deadlines=deadlines,
            fresh=not reuse,
        )
    if result.summary is None:
        reason = failure_reason({"status": "failed", "failure": result.failure}, words)
        raise ThreadxError("run_failed", reason=reason)
    if json_path != "-":
        terminal.summary(result)
    write_json(canonical_json(result.summary), json_path)
    return 0 if result.status != "failed" else 1


def schedule(
    words: Words,
    timezone: str | None,
    wait: bool,
    data: str | None,
    models: str | None,
    deadlines: str | None,
    home: str | None,
    language: str,
    debug: bool,
) -> None:
    """A summary every hour, until the process is told to stop."""
    context = make_ensemble_context(
        home=home, language=language, models=models, deadlines=deadlines, unattended=True
    )
    writable(context.home_path)
    zone = time_zone(timezone or tzlocal.get_localzone_name())
    told = Terminal(words).line

    def tell(turn: Turn) -> None:
        hour = f"{turn.hour.astimezone(zone):%Y-%m-%d %H:%M}"
        if turn.skipped:
            told(words("ensemble.schedule.skipped", hour=hour))
        elif turn.error is not None:
            told(words("ensemble.schedule.failed", hour=hour, reason=words.told(turn.error)))
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
    for number in STOPS:
        signal.signal(number, lambda number, frame: stopped.set())
    scheduler.start()
    while not stopped.wait(1.0):  # Windows hears no signal during a wait without an end
        pass
    scheduler.shutdown(wait=True)


def backfill(
    words: Words,
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
    """Hours of the past, and how many were published."""
    context = make_ensemble_context(home=home, language=language, models=models)
    begin, end = parse_hour(since), parse_hour(until)
    total, terminal = sum(1 for _ in hours_between(begin, end, step)), Terminal(words)
    done = count(1)
    with bar(terminal, "ensemble.backfill.working", "ensemble.backfill.progress") as progress:
        found = run_backfill(
            context,
            begin,
            end,
            data=data,
            step_hours=step,
            watch=lambda hour: progress(next(done), total),
        )
    told = {name: getattr(found, name) for name in ("published", "kept", "empty", "silent")}
    if json_path != "-":
        terminal.line(words("ensemble.backfill.done", **{k: words.number(v) for k, v in told.items()}))
    write_json(canonical_json(told), json_path)
