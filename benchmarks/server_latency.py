"""How fast the LangGraph server answers `/ok` while backtests run: the promise is 100 ms at worst.

    python benchmarks/server_latency.py [--bars 200000] [--runs 2] [--iterations 10]

Starts `langgraph dev` with a data folder of its own, gives it a large file of made-up prices and starts that
many optimisation runs at once (deterministic rules in every role, so that nearly all the work is backtests).
Until the last run ends, `/ok` is asked every 20 ms over a connection of its own. The same is measured on the
idle server first. Exit code 0 when no answer took longer than the promise, 1 otherwise.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.metadata
import os
import platform
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
from langgraph_sdk import get_client

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.langgraph_server import langgraph_server

PROMISE_MILLISECONDS = 100.0
PAUSE_SECONDS = 0.02
IDLE_SAMPLES = 100
PACKAGES = ("langgraph-api", "langgraph", "numba", "numpy", "pandas", "nicegui")


def write_prices(path: Path, bars: int) -> None:
    """A random walk of one-minute bars, high and low around open and close."""
    random = np.random.default_rng(0)
    close = 100.0 * np.exp(np.cumsum(random.normal(0.0, 0.001, bars)))
    opened = np.concatenate(([100.0], close[:-1]))
    spread = 1.0 + np.abs(random.normal(0.0, 0.0005, bars))
    pd.DataFrame(
        {
            "timestamp": pd.date_range("2020-01-01", periods=bars, freq="min", tz="UTC"),
            "open": opened,
            "high": np.maximum(opened, close) * spread,
            "low": np.minimum(opened, close) / spread,
            "close": close,
            "volume": random.uniform(1.0, 10.0, bars),
        }
    ).to_parquet(path)


async def sample(url: str, over: asyncio.Event, most: int | None = None) -> list[float]:
    """Milliseconds each `/ok` took, until the event is set or there are enough."""
    taken: list[float] = []
    async with httpx.AsyncClient(timeout=60) as client:
        await client.get(f"{url}/ok")  # the connection itself is not what is measured
        while not over.is_set() and (most is None or len(taken) < most):
            begun = time.perf_counter()
            (await client.get(f"{url}/ok")).raise_for_status()
            taken.append(1000.0 * (time.perf_counter() - begun))
            await asyncio.sleep(PAUSE_SECONDS)
    return taken


async def optimise(url: str, prices: Path, number: int, iterations: int) -> dict[str, Any]:
    """One run to its end; its result."""
    client = get_client(url=url)
    thread = await client.threads.create()
    rules: dict[str, Any] = {role: ["rules"] for role in ("analyst", "strategist", "validator")}
    values = await client.runs.wait(
        thread["thread_id"],
        "optimization",
        input={
            "data": str(prices),
            "symbol": f"MADEUP{number}",
            "params": {"fast_period": 5 + number, "slow_period": 20, "stop_loss_pct": 2.0},
        },
        context={**rules, "max_iterations": iterations, "patience": iterations, "convergence_threshold": 0.0},
    )
    result: dict[str, Any] = values["result"]  # type: ignore[call-overload]
    return result


def row(name: str, taken: list[float]) -> str:
    """One line of the table."""
    median, high = np.percentile(taken, [50, 95])
    return f"| {name} | {len(taken)} | {median:.1f} | {high:.1f} | {max(taken):.1f} |"


async def measure(url: str, prices: Path, runs: int, iterations: int) -> tuple[list[float], list[float], Any]:
    """(idle, busy, results): the milliseconds of `/ok`, and what the runs found."""
    over = asyncio.Event()
    # The first run of a machine compiles and loads the kernels; that is not what a backtest costs.
    await optimise(url, prices, 0, 1)
    idle = await sample(url, over, IDLE_SAMPLES)
    watching = asyncio.create_task(sample(url, over))
    results = await asyncio.gather(*(optimise(url, prices, 1 + n, iterations) for n in range(runs)))
    over.set()
    return idle, await watching, results


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--bars", type=int, default=200_000)
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--iterations", type=int, default=10)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prices = folder / "home/prices.parquet"  # a server reads nothing outside its data folder
        prices.parent.mkdir()
        write_prices(prices, asked.bars)
        with langgraph_server(folder, jobs=asked.runs + 1) as server:
            begun = time.perf_counter()
            idle, busy, results = asyncio.run(measure(server.url, prices, asked.runs, asked.iterations))
            seconds = time.perf_counter() - begun
    trials = sum(result["trials"] for result in results)
    print(f"Machine: {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print("Versions: " + ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES))
    print(
        f"Work: {asked.runs} runs at once, {asked.bars:,} bars, {trials} backtests, {seconds:.0f} s in all\n"
    )
    print("| `/ok`, milliseconds | samples | median | P95 | max |\n|---|---|---|---|---|")
    print(row("idle", idle))
    print(row("while backtests run", busy))
    kept = max(busy) <= PROMISE_MILLISECONDS
    print(f"\nPromise of {PROMISE_MILLISECONDS:.0f} ms at worst: {'kept' if kept else 'BROKEN'}")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
