"""Day after day: schedule, lock, logs, alerts, metrics, history, back-runs; and what goes wrong in them."""

import json
import os
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.schedulers.blocking import BlockingScheduler
from prometheus_client.parser import text_string_to_metric_families

import threadx
from nodes.ensemble.context import EnsembleContext
from nodes.ensemble.errors import BusyError, PublishError
from nodes.ensemble.operation import run_log
from nodes.ensemble.operation.lease import leased
from nodes.ensemble.operation.metrics import metrics_text
from nodes.ensemble.operation.partition import hour_folder, published_hours, read_trace
from nodes.ensemble.operation.run_log import read_runs, statistics
from nodes.ensemble.operation.status import alert_lines
from nodes.ensemble.scores.stances import missing_stances, read_stances, stances_path
from nodes.ensemble.scores.track_record import standing_path
from prompts import Words
from providers import calls_log
from providers.calls_log import CallsLog, append_line, read_lines
from record.errors import ReportError
from record.record import RunRecord
from tests.langgraph_server import PROJECT, clean_environment
from tests.partitions import AS_OF, fill, final, forecast, macro, news, proposals, write
from tests.run_lines import lines
from tests.scripted import scripted_models
from threadx.audit.replaying import replay_run
from threadx.command import main
from threadx.errors import ThreadxError
from threadx.jobs import schedule
from threadx.jobs.backfill import backfill
from threadx.jobs.schedule import prepare, take_turn, time_zone
from threadx.runner import resume_run

START = datetime(2026, 3, 2, 12, tzinfo=UTC)


def rules(home, **more):
    return EnsembleContext(home=str(home), **{"models": "rules", **more})


@pytest.fixture
def at(monkeypatch):
    """Set the schedule's clock."""

    def move(moment):
        monkeypatch.setattr(schedule, "now", lambda zone: moment)

    move(AS_OF + timedelta(minutes=3))
    return move


def turn(home, **more):
    told = []
    take_turn(rules(home, **more), None, told.append)
    return told[0]


# The schedule


def test_an_hour_is_published_once(tmp_path, at):
    first, second = turn(fill(tmp_path)), turn(tmp_path)
    assert first.result.status == "finished"
    assert second.skipped
    assert published_hours(tmp_path) == [AS_OF]
    assert len(read_runs(tmp_path, 1e12)) == 1


def test_a_clock_that_goes_back_repeats_no_published_hour(tmp_path, at):
    turn(fill(tmp_path))
    at(AS_OF + timedelta(hours=1, minutes=1))
    turn(tmp_path)
    at(AS_OF + timedelta(minutes=30))
    assert turn(tmp_path).skipped
    assert published_hours(tmp_path) == [AS_OF, AS_OF + timedelta(hours=1)]


def test_a_failed_hour_is_told_and_logged_and_the_next_one_comes(tmp_path, at):
    assert turn(tmp_path).error.code == "no_usable_data"
    assert [line["failure"] for line in read_runs(tmp_path, 1e12)] == ["no_usable_data"]
    fill(tmp_path)
    assert turn(tmp_path).result.status == "finished"


def test_a_bug_ends_the_schedule(tmp_path, at, monkeypatch):
    monkeypatch.setattr(schedule, "run_summary", lambda *args, **more: {}["x"])
    with pytest.raises(KeyError):
        turn(tmp_path)


def test_missed_hours_are_caught_up_once():
    runs, ran = [], threading.Event()

    def job():
        runs.append(1)
        ran.set()

    scheduler, zone = BackgroundScheduler(), time_zone("Europe/Paris")
    prepare(scheduler, job, zone, at_once=False)
    scheduler.start(paused=True)
    slept = datetime.now(zone) - timedelta(hours=5)
    scheduler.modify_job("ensemble", next_run_time=slept.replace(minute=0, second=0, microsecond=0))
    scheduler.resume()
    assert ran.wait(10)
    following = scheduler.get_job("ensemble").next_run_time
    scheduler.shutdown(wait=True)
    assert len(runs) == 1
    assert following > datetime.now(zone)
    assert (following.minute, following.second) == (0, 0)


def test_after_a_start_the_hour_that_has_begun_is_caught_up():
    ran = threading.Event()
    scheduler = BackgroundScheduler()
    prepare(scheduler, ran.set, time_zone("UTC"), at_once=True)
    scheduler.start()
    assert ran.wait(10)
    scheduler.shutdown(wait=True)


@pytest.mark.parametrize(
    ("zone", "minute"), [("Europe/Paris", 0), ("America/New_York", 0), ("Asia/Kolkata", 30)]
)
def test_the_top_of_every_hour_of_the_zone_clock_changes_included(zone, minute):
    scheduler = BlockingScheduler()
    prepare(scheduler, lambda: None, ZoneInfo(zone), at_once=False)
    trigger, moment = scheduler.get_job("ensemble").trigger, datetime(2026, 3, 28, 20, tzinfo=ZoneInfo(zone))
    found, before = [], None
    for _ in range(24 * 2):
        before = trigger.get_next_fire_time(before, moment)
        found.append(before.astimezone(UTC))
        moment = before + timedelta(microseconds=1)
    assert {one.minute for one in found} == {minute}
    assert {later - earlier for earlier, later in pairwise(found)} == {timedelta(hours=1)}


@pytest.mark.parametrize("name", ["Mars/Olympus", "", "../etc/passwd", "Europe"])
def test_an_unknown_time_zone_is_refused(name):
    with pytest.raises(ThreadxError) as caught:
        time_zone(name)
    assert caught.value.code == "bad_time_zone"


KILLS = """
import os, sys
from datetime import UTC, datetime
from pathlib import Path
import nodes.ensemble.operation.partition as partition
from nodes.ensemble.context import EnsembleContext
from record.record import RunRecord
from tests.laws import some
from tests.partitions import AS_OF, fill
from threadx.jobs import schedule

schedule.now = lambda zone: AS_OF
every = "started technical macro sentiment quality arbiter check trace_raw summary finished".split()
steps = some(every, every[::3])
append, write = RunRecord.append, partition.write_text_atomically

def child(home, step):
    def killing_append(self, event_id, *args, **more):
        if step in event_id:
            os.kill(os.getpid(), 9)
        return append(self, event_id, *args, **more)

    def killing_write(path, words):
        if path.name.startswith(step):
            os.kill(os.getpid(), 9)
        write(path, words)

    RunRecord.append, partition.write_text_atomically = killing_append, killing_write
    context = EnsembleContext(home=str(home), models="rules")
    schedule.take_turn(context, None, lambda turn: None)
    os._exit(0)

for step in steps:
    home = Path(sys.argv[1]) / step
    fill(home)
    if (pid := os.fork()) == 0:
        child(home, step)
    print(step, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""


@pytest.mark.posix
def test_the_schedule_killed_in_each_step_publishes_the_hour_when_it_is_back(tmp_path, at):
    done = subprocess.run(
        [sys.executable, "-c", KILLS, str(tmp_path)],
        cwd=PROJECT,
        check=True,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    steps = dict(line.split() for line in done.stdout.splitlines())
    assert {"started", "check", "finished"} <= steps.keys()
    assert set(steps.values()) == {"-9"}
    expected = threadx.summarize(as_of=AS_OF.isoformat(), home=str(fill(tmp_path / "whole")), models="rules")
    for step in steps:
        home = tmp_path / step
        was_published = published_hours(home) == [AS_OF]
        assert was_published == (step == "finished")
        assert turn(home).skipped == was_published  # the dead process's lock is free at once
        folder = hour_folder(home, AS_OF)
        assert json.loads((folder / "summary.json").read_text(encoding="utf-8")) == expected.summary
        assert read_trace(home, AS_OF)["summary"] == expected.summary
        assert not list(folder.glob("summary.*.json"))


def test_the_command_schedules_until_it_is_stopped(tmp_path):
    process = subprocess.Popen(
        [
            *(sys.executable, "-c", "from threadx.command import main; main()", "ensemble", "schedule"),
            *(
                "--home",
                str(fill(tmp_path)),
                "--models",
                "rules",
                "--timezone",
                "Europe/Paris",
                "--language",
                "en",
            ),
        ],
        cwd=PROJECT,
        env=clean_environment(),
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    assert "top of every hour (Europe/Paris)" in process.stdout.readline()
    assert "summary.json" in process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == 0
    assert len(published_hours(tmp_path)) == 1


# One run


def test_two_starts_at_once_are_one_run_and_one_refusal(tmp_path):
    fill(tmp_path)
    with leased(tmp_path), pytest.raises(BusyError):
        threadx.summarize(as_of=AS_OF.isoformat(), home=str(tmp_path), models="rules")
    assert published_hours(tmp_path) == []
    assert read_runs(tmp_path, 1e12) == []  # a refusal is no failure
    threadx.summarize(as_of=AS_OF.isoformat(), home=str(tmp_path), models="rules")
    assert published_hours(tmp_path) == [AS_OF]


def test_a_run_whose_lock_was_taken_over_publishes_nothing(tmp_path, monkeypatch):
    fill(tmp_path)

    def taken_over(request):
        path = tmp_path / "ensemble/run-lock/holder.json"
        path.write_text(json.dumps({"generation": 1, "pid": 1, "since": 0.0}), encoding="utf-8")
        return "{}"

    scripted_models(monkeypatch, {"ollama:m": [taken_over]})
    with pytest.raises(PublishError) as caught:
        threadx.summarize(
            as_of=AS_OF.isoformat(), home=str(tmp_path), models="rules", macro="ollama:m", corrections=0
        )
    assert caught.value.code == "lease_lost"
    assert published_hours(tmp_path) == []


def test_a_full_disk_is_one_clear_error_and_the_earlier_summary_stands(tmp_path, monkeypatch):
    fill(tmp_path)
    first = threadx.summarize(as_of=AS_OF.isoformat(), home=str(tmp_path), models="rules")
    fsync = os.fsync

    def full(descriptor):
        if "llm_summary" in os.readlink(f"/proc/self/fd/{descriptor}"):
            raise OSError(28, "No space left on device")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(PublishError) as caught:
        threadx.summarize(as_of=AS_OF.isoformat(), home=str(tmp_path), models="rules", language="en")
    assert caught.value.code == "publish_failed"
    assert json.loads(first.path.read_text(encoding="utf-8")) == first.summary
    assert [line["status"] for line in read_runs(tmp_path, 1e12)] == ["finished", "failed"]
    assert not [path for path in first.path.parent.iterdir() if path.name.startswith(".summary")]


def test_identical_inputs_within_the_hour_reuse_the_answers(tmp_path, monkeypatch):
    fill(tmp_path)
    answers = {"technical": report("T1"), "macro": macro_report(), "sentiment": report("S1")}
    answers |= {"quality": json.dumps({"concerns": [], "confidence": 0.5}), "arbiter": summary()}
    script = scripted_models(monkeypatch, {"ollama:m": [lambda request: answers[request.role]] * 10})

    def run(**more):
        return threadx.summarize(as_of=AS_OF.isoformat(), home=str(tmp_path), models="ollama:m", **more)

    first, again = run(), run()
    assert len(script.order) == 5
    assert again.summary == first.summary
    assert first.status == "finished"
    run(fresh=True)  # a person starts it again
    assert len(script.order) == 10
    assert [line["cached"] for line in read_runs(tmp_path, 1e12)] == [0, 5, 0]


def report(row):
    stance = {"positive": 0.6, "neutral": 0.3, "negative": 0.1}
    drivers = [{"text": "Le marché monte.", "evidence": [row]}]
    return json.dumps(
        {"outlook_days_7": stance, "outlook_days_30": stance, "drivers": drivers, "confidence": 0.7}
    )


def macro_report():
    return json.dumps({**json.loads(report("M1")), "regime": "expansion_modérée", "risk_level": "low"})


def summary():
    rows = [("SPY", "haussier"), ("QQQ", "haussier"), ("GLD", "baissier")]
    return json.dumps(
        {
            "regime": "expansion_modérée",
            "risk_level": "low",
            "outlook_days_7": "positive",
            "outlook_days_30": "positive",
            "key_drivers": ["Un.", "Deux.", "Trois."],
            "contributors": [
                {
                    "source": "technique",
                    "model": "momentum",
                    "horizon": "7d",
                    "symbol": symbol,
                    "score": 0.7,
                    "prediction": prediction,
                    "rationale": "Parce que.",
                }
                for symbol, prediction in rows
            ],
            "limits": [],
            "recommendations": proposals("Faire.", "Attendre.", "Surveiller."),
            "tensions": [],
        }
    )


def test_a_run_leaves_events_a_result_and_a_line(tmp_path):
    fill(tmp_path)
    threadx.summarize(as_of=AS_OF.isoformat(), home=str(tmp_path), models="rules")
    (folder,) = (tmp_path / "runs").iterdir()
    record = RunRecord(tmp_path, folder.name)
    events = lines(record)
    ids = [event["id"] for event in events]
    assert (ids[0], ids[-3:]) == ("started", ["t1.arbiter", "t1.check", "finished"])
    agents = ("technical", "macro", "sentiment", "quality")
    assert set(ids[1:-3]) == {f"{name}.answer" for name in agents}
    assert record.about()["graph"] == "ensemble"
    assert record.result()["status"] == "finished"
    (line,) = read_runs(tmp_path, 1e12)
    assert line["run"] == folder.name
    assert set(line["roles"].values()) == {"answered"}
    assert line["models"]["arbiter"] == "rules"


# Logs, alerts, metrics


def put_runs(home, monkeypatch, runs):
    """Lines of runs: (hours ago, status, seconds)."""
    monkeypatch.setattr(run_log, "now", START.timestamp)
    for hours, status, seconds in runs:
        moment = (START - timedelta(hours=hours)).isoformat()
        line = {"time": moment, "kind": "run", "status": status, "seconds": seconds, "hour": moment}
        append_line(run_log.log_path(home), line)
    return statistics(home)


@pytest.mark.parametrize(
    ("runs", "alerts"),
    [
        pytest.param([], [], id="no runs"),
        pytest.param([(hour, "finished", 10) for hour in range(100)], [], id="all is well"),
        pytest.param(
            [(hour, "finished" if hour % 10 else "degraded", 10) for hour in range(100)],
            [],
            id="90 % success",
        ),
        pytest.param(
            [(hour, "finished" if hour > 10 else "degraded", 10) for hour in range(100)],
            ["success"],
            id="89 % success",
        ),
        pytest.param(
            [(hour, "failed" if hour < 8 else "finished", 10) for hour in range(120)],
            ["failures"],
            id="a third of a day failed",
        ),
        pytest.param(
            [(hour / 2, "failed" if hour < 12 else "finished", 10) for hour in range(40)]
            + [(hour + 25, "finished", 10) for hour in range(100)],
            [],
            id="12 of 40 a day, 30 %, failed",
        ),
        pytest.param(
            [(hour / 2, "failed" if hour < 13 else "finished", 10) for hour in range(40)]
            + [(hour + 25, "finished", 10) for hour in range(100)],
            ["failures"],
            id="13 of 40 failed",
        ),
        pytest.param(
            [(hour + 30, "failed" if hour < 8 else "finished", 10) for hour in range(100)],
            [],
            id="the day before it did",
        ),
        pytest.param(
            [(hour, "finished", 91 if hour < 6 else 10) for hour in range(100)],
            ["latency"],
            id="P95 over 90 s",
        ),
        pytest.param(
            [(hour, "finished", 90 if hour < 50 else 10) for hour in range(100)], [], id="P95 of 90 s"
        ),
        pytest.param(
            [(hour, "finished", 91 if hour < 5 else 10) for hour in range(100)], [], id="P95 of 10 s"
        ),
        pytest.param([(hour + 24 * 8, "failed", 500) for hour in range(100)], [], id="last week"),
        pytest.param([(-5, "failed", 500)], [], id="a clock that went back"),
    ],
)
def test_alerts(tmp_path, monkeypatch, runs, alerts):
    found = put_runs(tmp_path, monkeypatch, runs)
    assert [alert.code for alert in found.alerts] == alerts
    for language in ("fr", "en"):
        assert len(alert_lines(found.alerts, Words(language))) == len(alerts)


@pytest.mark.parametrize(("status", "code"), [("finished", 0), ("failed", 1)])
def test_history_leaves_with_code_1_while_an_alert_is_raised(tmp_path, monkeypatch, capsys, status, code):
    put_runs(tmp_path, monkeypatch, [(1, status, 10)])
    with pytest.raises(SystemExit) as left:
        main(["ensemble", "history", "--language=en", f"--home={tmp_path}"])
    assert left.value.code == code
    assert ("Alert:" in capsys.readouterr().out) is (code == 1)


def test_an_alert_is_logged_when_it_is_raised_and_when_it_ends(tmp_path, monkeypatch):
    put_runs(tmp_path, monkeypatch, [])
    for status in ("failed", "finished", "finished", "finished", *["finished"] * 10):
        run_log.append_run(tmp_path, {"status": status, "seconds": 1.0, "hour": "h"})
    told = [
        (line["alert"], line["state"]) for line in read_lines(run_log.log_path(tmp_path)) if "alert" in line
    ]
    assert told == [
        ("failures", "raised"),
        ("success", "raised"),
        ("failures", "ended"),
        ("success", "ended"),
    ]


def families(home):
    return {family.name: family for family in text_string_to_metric_families(metrics_text(home).decode())}


def test_metrics_are_what_the_logs_hold(tmp_path, monkeypatch):
    scripted_models(monkeypatch, {"ollama:m": ["rubbish"]})
    fill(tmp_path)
    settings = {"models": "rules", "macro": "ollama:m", "corrections": 0}
    threadx.summarize(as_of=AS_OF.isoformat(), home=str(tmp_path), **settings)
    found = families(tmp_path)
    runs = {sample.labels["status"]: sample.value for sample in found["threadx_ensemble_runs_7d"].samples}
    assert runs == {"finished": 0.0, "degraded": 1.0, "failed": 0.0}
    (call,) = found["threadx_model_calls_7d"].samples
    assert (call.labels, call.value) == ({"model": "ollama:m", "outcome": "no_json"}, 1.0)
    alerts = {sample.labels["alert"]: sample.value for sample in found["threadx_ensemble_alert"].samples}
    assert alerts == {"success": 1.0, "failures": 0.0, "latency": 0.0}
    (last,) = found["threadx_ensemble_last_hour_timestamp_seconds"].samples
    assert last.value == AS_OF.timestamp()
    assert set(families(tmp_path / "empty")) >= {"threadx_ensemble_runs_7d", "threadx_ensemble_alert"}


def put_call(log, model, outcome, code, *, cached=False):
    told = {"model": model, "outcome": outcome, "code": code, "cached": cached}
    log.append({**told, "seconds": 3.0, "prompt_tokens": 7, "answer_tokens": 2})


def test_metrics_show_what_is_shut_out_slow_and_used(tmp_path, monkeypatch):
    runs = [(hour, "failed" if hour < 2 else "finished", 100 if hour < 1 else 10) for hour in range(5)]
    put_runs(tmp_path, monkeypatch, runs)
    at = iter(START.timestamp() + 1300.0 * place for place in range(-30, 0))  # each a run of its own
    log = CallsLog(tmp_path / "logs")
    monkeypatch.setattr(calls_log, "now", lambda: next(at))
    for model, outcome, code, count in (
        ("g4f:a", "error", "time_out", 6),
        ("g4f:a", "answered", "", 5),
        ("g4f:b", "error", "time_out", 5),
        ("g4f:b", "answered", "", 6),
    ):
        for _ in range(count):
            put_call(log, model, outcome, code)
    put_call(log, "g4f:b", "answered", "", cached=True)
    with monkeypatch.context() as now:
        now.setattr(calls_log, "now", START.timestamp)
        found = families(tmp_path)

    def value(name, **labels):
        (one,) = [sample.value for sample in found[name].samples if sample.labels == labels]
        return one

    assert value("threadx_ensemble_alert", alert="failures") == 1.0  # two of five
    assert value("threadx_ensemble_alert", alert="success") == 1.0
    assert value("threadx_ensemble_alert", alert="latency") == 1.0
    assert value("threadx_ensemble_run_seconds_7d", quantile="0.5") == 10.0
    assert value("threadx_ensemble_run_seconds_7d", quantile="0.95") == 100.0
    # The last try of a was answered: its breaker is closed until more than half fail again.
    assert value("threadx_model_breaker_open", model="g4f:a") == 0.0
    assert value("threadx_model_calls_7d", model="g4f:b", outcome="cached") == 1.0
    assert value("threadx_model_calls_7d", model="g4f:a", outcome="time_out") == 6.0
    assert value("threadx_model_tokens_7d", model="g4f:b", kind="prompt") == 84.0
    assert value("threadx_model_seconds_mean_7d", model="g4f:a") == 3.0
    for _ in range(2):
        put_call(log, "g4f:a", "error", "time_out")
    monkeypatch.setattr(calls_log, "now", START.timestamp)
    found = families(tmp_path)
    assert value("threadx_model_breaker_open", model="g4f:a") == 1.0
    assert value("threadx_model_breaker_open", model="g4f:b") == 0.0


# Back-runs

BEGIN, DAYS = datetime(2024, 3, 1, tzinfo=UTC), 14


def fill_history(root, *, planted=None):
    """Two weeks of daily partitions and two years of prices; at `planted` the future betrays itself."""
    closes = 100 * np.exp(np.cumsum(np.random.default_rng(3).normal(0, 0.01, 760)))
    index = pd.date_range("2022-06-01", periods=760)
    if planted is not None:
        closes[index >= pd.Timestamp(planted.date())] = 777_777.0
    table = pd.DataFrame(
        {"date": index, "Open": closes, "High": closes, "Low": closes, "Close": closes, "Volume": 1.0}
    )
    folder = root / "prices/ticker=SPY"
    folder.mkdir(parents=True)
    table.to_parquet(folder / "prices.parquet", index=False)
    for day in range(DAYS):
        moment = BEGIN + timedelta(days=day)
        mark = planted is not None and moment >= planted
        name, ticker, number = f"dt={moment:%Y%m%d}", "PLANTED" if mark else "SPY", 0.777 if mark else 0.6
        dated = {"dt": f"{moment:%Y%m%d}"}
        rows = [{**forecast(ticker, h, "up", number), **dated} for h in ("1w", "1m")]
        write(root / f"forecast/{name}/forecasts.parquet", rows)
        write(root / f"forecast/{name}/final.parquet", [{**final(ticker, h), **dated} for h in ("1w", "1m")])
        write(
            root / f"macro/forecast/{name}/macro_forecast.parquet",
            [{**macro(recession_prob=number / 2), **dated}],
        )
        title = "PLANTED headline" if mark else f"Story of day {day}"
        write(
            root / f"news/{name}/news_090000.parquet",
            [news(title, ts=(moment + timedelta(hours=8)).isoformat(), tickers=[ticker])],
        )
    return root


def prompts(home):
    """Every prompt of every hour, and the weights it was written with."""
    return {
        hour: json.dumps(
            [message["prompt"] for message in read_trace(home, hour)["messages"]], ensure_ascii=False
        )
        for hour in published_hours(home)
    }


def test_a_back_run_finds_no_trace_of_a_planted_future(tmp_path):
    planted = BEGIN + timedelta(days=10)
    begin, end = BEGIN + timedelta(days=8), BEGIN + timedelta(days=12)
    clean, marked = fill_history(tmp_path / "clean"), fill_history(tmp_path / "marked", planted=planted)
    for home in (clean, marked):
        found = backfill(rules(home), begin, end, step_hours=4)
        assert (found.published, found.empty) == (25, 0)
    before, after = prompts(clean), prompts(marked)
    # A day's forecasts may have been written at its end: they count from the next day on.
    known = {hour for hour in after if hour < planted + timedelta(hours=9)}
    assert len(known) >= 15
    assert {hour: after[hour] for hour in known} == {hour: before[hour] for hour in known}
    assert all("PLANTED" not in after[hour] and "0.777" not in after[hour] for hour in known)
    assert "PLANTED" in after[end]
    # Nor do records and weights know prices that had not been made.
    for name in (standing_path, stances_path):
        told = [
            [line for line in read_lines(name(home)) if hour_of(line) < planted.replace(hour=9)]
            for home in (clean, marked)
        ]
        assert strip(told[0]) == strip(told[1])


def hour_of(line):
    text = line.get("as_of") or f"{datetime.strptime(line['hour'], '%Y%m%d%H').isoformat()}+00:00"
    return datetime.fromisoformat(text)


def strip(lines):
    return [{key: value for key, value in line.items() if key != "made"} for line in lines]


def test_a_back_run_goes_on_where_it_was_stopped(tmp_path):
    fill_history(tmp_path)
    begin = BEGIN + timedelta(days=8)

    class Stopped(RuntimeError):
        pass

    def stop(hour):
        if hour == begin + timedelta(hours=3):
            raise Stopped

    with pytest.raises(Stopped):
        backfill(rules(tmp_path), begin, begin + timedelta(hours=9), watch=stop)
    found = backfill(rules(tmp_path), begin, begin + timedelta(hours=9))
    assert (found.kept, found.published) == (4, 6)
    assert not list((tmp_path / "llm_summary").glob("*/summary.*.json"))
    assert not (tmp_path / "runs").exists()  # its partitions tell everything


def test_hours_without_data_are_counted_and_passed_over(tmp_path):
    fill_history(tmp_path)
    found = backfill(rules(tmp_path), BEGIN - timedelta(hours=5), BEGIN + timedelta(hours=25))
    assert found.empty > 0
    assert found.published + found.empty == 31


def test_an_empty_span_is_refused(tmp_path):
    with pytest.raises(ThreadxError) as caught:
        backfill(rules(tmp_path), BEGIN, BEGIN - timedelta(hours=1))
    assert caught.value.code == "bad_span"


def test_stances_lost_in_a_crash_are_read_from_the_traces(tmp_path):
    fill_history(tmp_path)
    begin = BEGIN + timedelta(days=8)
    backfill(rules(tmp_path), begin, begin + timedelta(hours=5))
    whole = read_stances(tmp_path)
    stances_path(tmp_path).unlink()
    assert missing_stances(tmp_path) == 6
    assert read_stances(tmp_path) == whole
    assert missing_stances(tmp_path) == 0


def test_a_run_of_the_ensemble_is_shown_but_neither_resumed_nor_replayed(tmp_path):
    fill(tmp_path)
    told = threadx.summarize(as_of=AS_OF.isoformat(), home=str(tmp_path), models="rules")
    (folder,) = (tmp_path / "runs").iterdir()
    with pytest.raises(ReportError) as resumed:
        resume_run(folder.name, tmp_path, lambda event: None)
    assert resumed.value.code == "not_resumable"
    with pytest.raises(ThreadxError) as replayed:
        replay_run(folder.name, tmp_path, lambda event: None)
    assert replayed.value.code == "not_an_optimization"
    assert RunRecord(tmp_path, folder.name).result()["summary"] == told.summary
