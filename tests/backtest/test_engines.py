"""Work done elsewhere: by processes of this machine and by the workers of a real Dask cluster."""

import json
import os
import pickle
import subprocess
import sys
from itertools import pairwise

import pandas as pd
import psutil
import pytest
from distributed import LocalCluster

from backtest import (
    Costs,
    Engine,
    RequestError,
    StrategySpec,
    sweep,
    sweep_to_parquet,
    universe,
    walk_forward,
)
from backtest.engine import cluster as clusters
from backtest.engine import remote
from backtest.engine.adopted import adopted
from backtest.engine.batch import Batch
from backtest.engine.engines import chosen, close_executors, executor, using
from backtest.engine.executor import HERE
from backtest.engine.run import open_market
from backtest.engine.sweep import grid_axes
from backtest.language.functions import added
from record.record import comparable
from tests.commands import threadx
from tests.laws import some
from tests.pieces import Told, deadly, kills, touch, whose
from tests.prices import made_up_prices
from threadx.jobs.calibration import calibrate

pytestmark = [pytest.mark.local, pytest.mark.long]

PATIENCE = 60
"""Seconds after which nothing more is expected."""
COSTS = Costs(fee_bps=10, slippage_bps=2)
SPEC = StrategySpec.preset("ma_crossover", stop_loss_pct=2.0)
GRID = {"fast_period": range(3, 12), "slow_period": range(8, 24, 3), "stop_loss_pct": [None, 1.0]}
PROCESSES = Engine("processes")


@pytest.fixture(scope="module")
def dask():
    """Two worker processes of one thread each; one that is killed comes back."""
    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50
    ) as cluster:
        yield Engine("dask", cluster.scheduler_address)
        close_executors()


@pytest.fixture(params=["dask", "processes"])
def elsewhere(request, dask):
    """Each of the engines whose work is done by two other processes."""
    # Work with a strategy of one's own is done here: pieces that end their process would end this one.
    assert added().keys() == adopted().keys()
    return executor(dask if request.param == "dask" else PROCESSES, 2)


@pytest.fixture(scope="module")
def prices():
    return made_up_prices(600, cycle=0.05)


def batch(prices):
    return Batch(open_market(prices, COSTS, "next_open", None, 10_000.0, None), SPEC, grid_axes(SPEC, GRID))


def figures(chunks):
    """What comes out, to the last bit."""
    return [
        (done, chunk.metrics.tobytes(), [one.tobytes() for one in chunk.chosen.values()], chunk.dropped)
        for done, chunk in chunks
    ]


def test_a_sweep_is_the_same_to_the_bit_wherever_it_is_done(dask, prices):
    here = sweep(prices, SPEC, GRID, COSTS)
    for engine in (dask, PROCESSES):
        there = sweep(prices, SPEC, GRID, COSTS, engine=engine, workers=2)
        pd.testing.assert_frame_equal(there, here, check_exact=True)
        assert there.attrs == here.attrs
        assert there.attrs["dropped"] > 0


def test_walk_forward_and_universes_are_the_same_on_a_cluster(dask, prices):
    grid = {"fast_period": [3, 5, 8], "slow_period": [13, 21]}
    walks = [walk_forward(prices, SPEC, grid, COSTS, folds=3, engine=engine) for engine in (None, dask)]
    assert [one.spec for one in walks[0].folds] == [one.spec for one in walks[1].folds]
    assert [one.train for one in walks[0].folds] == [one.train for one in walks[1].folds]

    many = {"A": prices, "B": made_up_prices(500, seed=8)}
    here, there = (universe.sweep(many, SPEC, grid, COSTS, engine=engine) for engine in (None, dask))
    pd.testing.assert_frame_equal(there.pooled, here.pooled, check_exact=True)
    for name in many:
        pd.testing.assert_frame_equal(there.by_instrument[name], here.by_instrument[name], check_exact=True)


def test_what_is_shared_travels_once_to_each_worker(elsewhere, tmp_path):
    shared = Told(tmp_path / "readers")
    for _ in range(2):  # the next pieces on the same prices find them there
        workers = set(elsewhere.results(whose, range(12), shared))
    assert os.getpid() not in workers
    readers = (tmp_path / "readers").read_text(encoding="utf-8").split()
    assert len(readers) == len(set(readers)) <= 2
    assert workers <= set(map(int, readers))


def test_a_worker_killed_in_the_middle_loses_nothing(elsewhere, prices, tmp_path):
    some = batch(prices)
    edges = range(0, some.count + 1, 9)
    pieces = [((), start, stop) for start, stop in pairwise(edges)]
    found = elsewhere.results(deadly, pieces, (some, tmp_path, (30,)))
    there = figures(zip(edges[1:], found, strict=True))
    assert [path.name for path in tmp_path.iterdir()] == ["30"]
    assert there == figures((stop, some.run(start, stop)) for start, stop in pairwise(edges))


def test_a_piece_that_ends_every_worker_is_given_up_with_a_sentence(monkeypatch):
    monkeypatch.setattr(remote, "MOST_LOST", 1)
    with pytest.raises(RequestError) as caught:
        list(executor(PROCESSES, 1).results(kills, [1], None))
    assert caught.value.code == "workers_lost"


KILLED = """
import operator, os
from backtest.engine.remote import Processes
print(list(Processes(1).results(operator.add, [1], 1)), flush=True)
os._exit(9)
"""


def test_workers_end_with_a_process_that_is_killed():
    """Whoever reads what it prints is told the end when the last of them has let go of it."""
    done = subprocess.run(
        [sys.executable, "-c", KILLED],
        stdout=subprocess.PIPE,
        encoding="utf-8",
        timeout=PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stdout) == (9, "[2]\n")


def test_few_results_wait_to_be_taken_and_a_cancelled_rest_is_not_begun(elsewhere, tmp_path):
    found = elsewhere.results(touch, range(100), tmp_path)
    assert next(found) == 0
    found.close()
    assert list(elsewhere.results(whose, range(8), None))  # whatever was under way before is done by now
    assert len(list(tmp_path.iterdir())) <= 2 * 2


class Enough(Exception):
    """Somebody cancels."""


def test_progress_comes_in_order_and_a_cancelled_sweep_goes_on_from_there(
    dask, prices, tmp_path, monkeypatch
):
    monkeypatch.setattr("backtest.engine.streaming.ROWS_A_PART", 1)
    told = []

    def step(done, total):
        told.append(done)
        if done > total // 2:
            raise Enough

    path = tmp_path / "swept.parquet"
    with pytest.raises(Enough):
        sweep_to_parquet(prices, SPEC, GRID, path, COSTS, progress=step, engine=dask)
    done = sweep_to_parquet(prices, SPEC, GRID, path, COSTS, engine=dask)
    assert told == sorted(set(told))
    assert done.continued_from == told[-1]
    here = sweep_to_parquet(prices, SPEC, GRID, tmp_path / "here.parquet", COSTS)
    assert path.read_bytes() == here.path.read_bytes() or pd.read_parquet(path).equals(
        pd.read_parquet(here.path)
    )


def test_an_optimisation_of_several_instruments_is_the_same_though_a_worker_is_killed_in_it(
    dask, prices, tmp_path, monkeypatch
):
    many = {"AAA": prices, "BBB": made_up_prices(600, seed=8, cycle=0.03).set_axis(prices.index)}
    for name, frame in many.items():
        frame.to_csv(tmp_path / f"{name}_1h.csv")
    roles = ("--analyst", "rules", "--strategist", "rules", "--validator", "rules", "--no-debate")
    usual, sent = clusters.Cluster.submit, []

    def submit(self, *piece):
        sent.append(usual(self, *piece))
        if len(sent) == 2:
            psutil.Process(min(self._client.run(os.getpid).values())).kill()
        return sent[-1]

    monkeypatch.setattr(clusters.Cluster, "submit", submit)
    results = []
    for place in ([], ["--engine", "dask", "--address", dask.address]):
        where = ("--home", tmp_path / f"home{len(place)}", "--json", tmp_path / "result.json")
        files = [tmp_path / f"{name}_1h.csv" for name in many]
        code, _, said = threadx("optimize", *files, *roles, "--max-iterations", "1", *where, *place)
        assert code == 0, said
        results.append(json.loads((tmp_path / "result.json").read_text(encoding="utf-8")))
    assert comparable(results[1]) == comparable(results[0])
    assert len(sent) > 2


def test_a_calibration_is_the_same_on_a_cluster(dask, tmp_path):
    (planted,) = some([1], [0])  # a worker that has never gone through a cycle begins with what that imports
    series = ("--null", "1", "--planted", str(planted), "--seed", "3")
    asked = (*series, "--bars", "400", "--iterations", "1")
    place = ("--engine", "dask", "--address", dask.address, "--home", tmp_path, "--language", "en")
    code, _, said = threadx("calibrate", *asked, *place, "--json", tmp_path / "found.json")
    assert code == 0, said
    assert said.splitlines()[-1] == f"Series: {1 + planted} of {1 + planted}"
    here = calibrate(1, planted, 3, bars=400, iterations=1, engine=Engine())
    assert json.loads((tmp_path / "found.json").read_text(encoding="utf-8")) == json.loads(json.dumps(here))


def test_the_error_of_a_piece_is_the_piece_s_own(dask, prices):
    with pytest.raises(RequestError) as caught:
        sweep(prices, SPEC, {"fast_period": [50], "slow_period": [20]}, engine=dask)
    assert caught.value.code == "empty_grid"


def test_what_another_process_gets_is_small(prices):
    some = batch(prices)
    fresh = len(pickle.dumps(some))
    assert figures(some.chunks(HERE))
    assert len(pickle.dumps(some)) == fresh


def test_a_worker_of_another_version_is_refused(dask, monkeypatch):
    close_executors()
    monkeypatch.setattr(clusters, "source_digest", lambda: "another")
    with pytest.raises(RequestError) as caught:
        executor(dask)
    assert caught.value.code == "worker_differs"
    assert (caught.value.fields["name"], caught.value.fields["here"]) == ("threadx", "another")


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "elsewhere", "http://127.0.0.1:9"])
def test_a_wrong_address_is_one_sentence(address, monkeypatch):
    monkeypatch.setattr(clusters, "PATIENCE", 0.2)
    with pytest.raises(RequestError) as caught:
        executor(Engine("dask", address))
    assert caught.value.code == "cluster_unreachable"
    assert address in caught.value.sentence("en")


def test_an_engine_is_chosen_by_argument_environment_or_not_at_all(monkeypatch):
    assert chosen() == Engine()
    monkeypatch.setenv("THREADX_ENGINE", "processes")
    assert chosen() == PROCESSES
    with using(Engine()):
        assert chosen() == Engine()
    for kind, address, code in (
        ("grid", None, "unknown_engine"),
        ("dask", None, "address_missing"),
        ("processes", "tcp://there:1", "address_unused"),
    ):
        with pytest.raises(RequestError) as caught:
            Engine(kind, address)
        assert caught.value.code == code
