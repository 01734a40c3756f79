"""Of several starts of one run exactly one finishes it; the others break nothing, whenever they come."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from record.errors import ReportError
from record.record import LOCK, RunRecord
from tests.langgraph_server import clean_environment
from tests.optimization_runs import ALL_RULES
from tests.prices import made_up_prices
from tests.racing import FINISHED, REFUSED, SAME
from threadx.runner import make_input, start_run
from threadx.settings import make_context

pytestmark = pytest.mark.long

ROOT = Path(__file__).resolve().parents[2]
ROUNDS = int(os.environ.pop("SOAK_ROUNDS", "1"))
OTHERS = 2


@pytest.mark.posix
def test_of_many_starts_one_finishes_and_an_empty_data_folder_serves_all(tmp_path):
    prices = tmp_path / "TEST_1h.csv"
    made_up_prices(500, cycle=0.05).to_csv(prices)
    done = subprocess.run(
        [sys.executable, "-m", "tests.racing", str(tmp_path), str(prices), str(ROUNDS), str(OTHERS), "1"],
        cwd=ROOT,
        env=clean_environment(NUMBA_NUM_THREADS="1", LANGSMITH_TRACING="false"),
        capture_output=True,
        check=False,
        text=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr[-4000:]
    rounds = json.loads(done.stdout)
    assert len(rounds) == ROUNDS
    for told in rounds:
        assert sorted(told["same"]) == [FINISHED] + [REFUSED] * (SAME - 1), done.stderr[-2000:]
        assert told["others"] == [FINISHED] * OTHERS, done.stderr[-2000:]
        assert (told["openings"], told["finished"], told["twice"]) == (1, 1, 0)
        assert told["left"] == ["other0", "other1", "r"]


def test_whoever_comes_too_late_leaves_the_lock_to_its_holder(tmp_path):
    record = RunRecord(tmp_path, "r")
    record.hold("winner")
    before = (record.folder / LOCK).stat()
    with pytest.raises(ReportError) as refused:
        start_run(make_input(data="sample:sp500", run="r"), make_context(home=str(tmp_path), **ALL_RULES))
    assert refused.value.code == "run_busy"
    assert os.path.samestat((record.folder / LOCK).stat(), before)
    assert record.is_held()
    record.release()
    assert not record.is_held()


def test_a_run_that_never_began_leaves_its_name_to_others(tmp_path):
    with pytest.raises(RuntimeError):
        start_run(make_input(data="sample:no", run="r"), make_context(home=str(tmp_path), **ALL_RULES))
    assert not (tmp_path / "runs" / "r").exists()


def test_the_folder_may_vanish_between_two_looks(tmp_path):
    """One discards the folder while another is about to take the lock in it: the other makes it anew."""
    failed = []

    def turns(name):
        record = RunRecord(tmp_path, "r")
        for _ in range(200):
            try:
                record.hold(name, anew=True)
            except ReportError:
                continue
            except OSError as error:
                failed.append(error)
                continue
            record.discard()

    threads = [threading.Thread(target=turns, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert not (tmp_path / "runs" / "r").exists()
