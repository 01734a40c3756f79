"""What a sweep costs when it is done by worker processes, measured at one and two, reckoned for a hundred.

A sweep in this process by one thread is the yardstick; then the same on a Dask cluster of this machine with
one worker, and with two, of one thread each; results are compared to the bit. Efficiency is the yardstick's
time over workers × time. On a busy machine waits are others' work: processor time is told beside, of this
process (which holds the scheduler too) and of the workers. What a piece costs the client, and how large the
prices are, tell how far it would go: with n workers the sweep takes as long as the longer of computing / n
and what the client does, after the prices were sent. The same for a calibration, whose pieces are whole
cycles and whose answers are small.

    python -m benchmarks.scale [--configurations 64000] [--bars 50000]
"""

from __future__ import annotations

import argparse
import math
import pickle
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version

import numpy as np
import pandas as pd
import psutil
from distributed import Client, LocalCluster

from backtest import Costs, Engine, StrategySpec, sweep
from backtest.engine.batch import Batch
from backtest.engine.engines import close_executors, executor
from backtest.engine.run import open_market
from backtest.engine.sweep import grid_axes
from base.cores import usable_cores
from benchmarks.engine_sweep import prices
from threadx.jobs.calibration import cases, run_case

SPEC = StrategySpec.preset("ma_crossover", stop_loss_pct=2.0)
NETWORK = 100e6
"""Bytes a second: a network of one gigabit, less what it needs for itself."""
MANY, EMPTY, CASES = 100, 1_000, 2_000


@contextmanager
def cluster(workers: int) -> Iterator[Engine]:
    with LocalCluster(
        n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50
    ) as found:
        yield Engine("dask", found.scheduler_address)
        close_executors()


def nothing(shared: bytes, piece: int) -> int:
    """A piece that does nothing."""
    return piece


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--configurations", type=int, default=64_000)
    parser.add_argument("--bars", type=int, default=50_000)
    given = parser.parse_args()
    libraries = ", ".join(f"{name} {version(name)}" for name in ("numpy", "numba", "pandas", "distributed"))
    print(f"{platform.platform()}, {usable_cores()} cores, Python {platform.python_version()}, {libraries}; "
          f"load {psutil.getloadavg()[0]:.1f}")  # fmt: skip
    slow, fast = range(40, 200), range(3, 23)
    stops = np.linspace(0.5, 20.0, max(1, given.configurations // (len(slow) * len(fast))))
    grid = {"slow_period": slow, "fast_period": fast, "stop_loss_pct": stops.tolist()}
    df, costs = prices(given.bars), Costs(fee_bps=10)
    sweep(df, SPEC, {**grid, "slow_period": [40]}, costs, workers=1)  # compiled

    begun, used = time.perf_counter(), time.process_time()
    here = sweep(df, SPEC, grid, costs, workers=1)
    alone, alone_used = time.perf_counter() - begun, time.process_time() - used
    print(f"{len(here):,} configurations × {given.bars:,} bars, this process, one thread: {alone:.2f} s, "
          f"{alone_used:.2f} s of a processor")  # fmt: skip

    for workers in (1, 2):
        with cluster(workers) as engine, Client(engine.address, set_as_default=False) as watcher:
            sweep(df, SPEC, {**grid, "slow_period": [40]}, costs, engine=engine)  # connected, compiled
            before = sum(watcher.run(time.process_time).values())
            begun, used = time.perf_counter(), time.process_time()
            there = sweep(df, SPEC, grid, costs, engine=engine)
            took, ours = time.perf_counter() - begun, time.process_time() - used
            theirs = sum(watcher.run(time.process_time).values()) - before
            pd.testing.assert_frame_equal(there, here, check_exact=True)
            print(
                f"workers {workers}: {took:.2f} s, efficiency {alone / (workers * took):.0%}; processor of "
                f"workers {theirs:.2f} s (efficiency {alone_used / theirs:.0%}), here {ours:.2f} s"
            )
            if workers == 2:
                used = time.process_time()
                list(executor(engine).results(nothing, range(EMPTY), b""))
                piece = (time.process_time() - used) / EMPTY
                print(f"an empty piece: {1e3 * piece:.2f} ms of a processor here")

    market = open_market(df, costs, "next_open", None, 10_000.0, None)
    size = len(pickle.dumps(Batch(market, SPEC, grid_axes(SPEC, grid))))
    rows = len(pickle.dumps(here.to_numpy())) / len(here)
    sent = size / NETWORK * math.ceil(math.log2(MANY))  # from worker to worker
    print(f"prices and strategy: {size / 1e6:.1f} MB once a worker; a row of results: {rows:.0f} bytes")
    print(f"on paper, {MANY} workers over one gigabit, prices there in {sent:.1f} s:")
    for seconds in (60.0, 600.0, 3_600.0):
        computing = seconds * theirs / alone_used / MANY
        results = rows * len(here) * seconds / alone_used
        client = MANY * 8 * piece + results / NETWORK
        total = sent + max(computing * (1 + 1 / 8), client)
        efficiency = seconds / (MANY * total)
        print(f"  {seconds:5.0f} s of one processor: {total:6.1f} s, efficiency {efficiency:.0%} (computing "
              f"{computing:.1f} s, client {client:.1f} s for {results / 1e6:,.0f} MB)")  # fmt: skip
    case = cases(1, 0, 1)[0]
    run_case(case)
    used = time.process_time()
    run_case(case)
    cycle = time.process_time() - used
    rounds = math.ceil(CASES / MANY)
    total = max(rounds * cycle, CASES * piece)
    print(f"  {CASES:,} cases of a calibration, {cycle:.2f} s each: {total:6.1f} s, efficiency "
          f"{CASES * cycle / (MANY * total):.0%} (client {CASES * piece:.1f} s)")  # fmt: skip


if __name__ == "__main__":
    main()
