"""One run at a time across processes: who died frees the lock at once, who hangs after an hour."""

import json
import subprocess
import sys
import threading

import pytest

from nodes.ensemble.errors import BusyError, PublishError
from nodes.ensemble.operation import lease
from nodes.ensemble.operation.lease import HUNG_SECONDS, leased
from prompts import text
from tests.langgraph_server import PROJECT

HOLDER = """
import sys, time
from pathlib import Path
from nodes.ensemble.operation.lease import leased
with leased(Path(sys.argv[1])) as held:
    print("held", flush=True)
    sys.stdin.readline()
    try:
        held.require()
        print("mine", flush=True)
    except RuntimeError as error:
        print(error.code, flush=True)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the lock until it is told to go on."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)],
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def set_clock(monkeypatch, tmp_path, seconds):
    since = json.loads((tmp_path / "ensemble/run-lock/holder.json").read_text(encoding="utf-8"))["since"]
    monkeypatch.setattr(lease, "now", lambda: since + seconds)


def test_a_second_start_is_refused_in_one_clear_line(tmp_path, holder):
    with pytest.raises(BusyError) as caught, leased(tmp_path):
        pass
    assert caught.value.fields["pid"] == holder.pid
    for language in ("fr", "en"):
        line = text("ensemble.error.busy", language, **caught.value.fields)
        assert str(holder.pid) in line
        assert "\n" not in line


def test_a_dead_holder_frees_it_at_once(tmp_path, holder):
    holder.kill()
    holder.wait()
    with leased(tmp_path):
        pass


def test_a_hung_holder_is_replaced_after_an_hour_and_finds_out(tmp_path, holder, monkeypatch):
    set_clock(monkeypatch, tmp_path, HUNG_SECONDS - 1)
    with pytest.raises(BusyError), leased(tmp_path):
        pass
    set_clock(monkeypatch, tmp_path, HUNG_SECONDS)
    with leased(tmp_path) as mine:
        mine.require()
        with pytest.raises(BusyError), leased(tmp_path):  # the new holder's hour has begun
            pass
        said, _ = holder.communicate("go on\n")
        assert said == "lease_lost\n"
    with leased(tmp_path):
        pass


def test_a_clock_that_went_back_lets_an_hour_count_from_now(tmp_path, holder, monkeypatch):
    set_clock(monkeypatch, tmp_path, -5 * HUNG_SECONDS)
    with pytest.raises(BusyError), leased(tmp_path):
        pass
    set_clock(monkeypatch, tmp_path, HUNG_SECONDS)
    with leased(tmp_path):
        pass


def test_a_long_back_run_that_says_it_is_at_work_is_not_hung(tmp_path, monkeypatch):
    moment = 0.0
    monkeypatch.setattr(lease, "now", lambda: moment)
    with leased(tmp_path, "backfill") as mine:
        for _ in range(5):
            moment += HUNG_SECONDS - 1
            with pytest.raises(BusyError), leased(tmp_path, "backfill"):
                pass
            mine.renew()
        with leased(tmp_path):  # runs have a lock of their own
            pass


def test_of_many_starts_at_once_one_runs(tmp_path):
    ran, refused = [], []
    together, over = threading.Barrier(6), threading.Barrier(6)

    def start():
        together.wait()
        try:
            with leased(tmp_path):
                ran.append(1)
                over.wait()
        except BusyError:
            refused.append(1)
            over.wait()

    threads = [threading.Thread(target=start) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(ran), len(refused)) == (1, 5)


def test_a_lost_lease_publishes_nothing(tmp_path):
    with leased(tmp_path) as mine:
        mine.generation -= 1
        with pytest.raises(PublishError):
            mine.require()
