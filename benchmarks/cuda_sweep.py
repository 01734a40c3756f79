"""A sweep on a graphics card beside the same on this machine's cores: at least 20 times as fast as two cores.

100,000 configurations (MA crossover × stop × target) × 50,000 bars. Trades must be the same in number,
figures equal to 1e-9. Told apart: conditions as bits, which the processor makes for both; the kernel with its
copies; and the least that the kernel could take if it only read and wrote those bits at the card's full
bandwidth. One compilation goes before. A few minutes in all; needs `uv sync --extra cuda`.

    python -m benchmarks.cuda_sweep [--configurations 100000] [--bars 50000]

Without a card it says so and ends with exit code 2: nothing is measured.
"""

from __future__ import annotations

import argparse
import platform
import sys
import time
from typing import Any

import numpy as np
import psutil
from numba import cuda

from backtest import Costs, Engine, StrategySpec, sweep
from backtest.engine.engines import executor, missing
from base.cores import usable_cores
from benchmarks.engine_sweep import prices

SPEC = StrategySpec.preset("ma_crossover", stop_loss_pct=2.0)
PROMISED = 20.0
CORES = 2


def bandwidth() -> float:
    """Bytes a second between the card and its memory, by its own description; two transfers a clock."""
    card = cuda.get_current_device()
    return 2.0 * card.MEMORY_CLOCK_RATE * 1e3 * card.GLOBAL_MEMORY_BUS_WIDTH / 8.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--configurations", type=int, default=100_000)
    parser.add_argument("--bars", type=int, default=50_000)
    given = parser.parse_args()
    engine = Engine("cuda")
    if (told := missing(engine)) is not None:
        print(told)
        return 2
    card: Any = executor(engine).card
    print(f"{cuda.get_current_device().name.decode()}, {bandwidth() / 1e9:,.0f} GB/s; {platform.machine()}, "
          f"{usable_cores()} cores, load {psutil.getloadavg()[0]:.1f}")  # fmt: skip
    spent, moved, kernel = [0.0], [0], card.trade_many

    def timed(history: Any, words: Any, rows: Any, *rest: Any) -> None:
        begun = time.perf_counter()
        kernel(history, words, rows, *rest)
        spent[0] += time.perf_counter() - begun
        # Each row of bits that is asked for is read; four are written, and read again once at least.
        moved[0] += int((rows >= 0).sum() + 8 * len(rows)) * words.shape[1] * 8

    card.trade_many = timed
    df, costs = prices(given.bars), Costs(fee_bps=10)
    slow = range(30, 30 + max(1, given.configurations // 1_000))
    grid = {
        "fast_period": range(3, 23),
        "slow_period": slow,
        "stop_loss_pct": [0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0, 10.0, 15.0],
        "take_profit_pct": [1.0, 2.0, 4.0, 8.0, 16.0],
    }
    sweep(df, SPEC, {**grid, "slow_period": [30]}, costs, engine=engine)  # compiled
    sweep(df, SPEC, {**grid, "slow_period": [30]}, costs, workers=CORES)
    spent[0], moved[0] = 0.0, 0

    begun = time.perf_counter()
    there = sweep(df, SPEC, grid, costs, engine=engine, workers=CORES)
    on_card = time.perf_counter() - begun
    begun = time.perf_counter()
    here = sweep(df, SPEC, grid, costs, workers=CORES)
    on_cores = time.perf_counter() - begun

    assert (there["n_trades"] == here["n_trades"]).all()
    figures = here.select_dtypes("number").columns
    np.testing.assert_allclose(there[figures], here[figures], rtol=1e-9, atol=1e-12)
    limit = moved[0] / bandwidth()
    trades = here["n_trades"].mean()
    print(f"{len(here):,} configurations × {given.bars:,} bars, {trades:.0f} trades each, equal")
    print(f"{CORES} cores {on_cores:.2f} s; card {on_card:.2f} s: {on_cores / on_card:.1f} times "
          f"(promised {PROMISED:.0f})")  # fmt: skip
    print(f"kernel with its copies {spent[0]:.2f} s, conditions and the rest {on_card - spent[0]:.2f} s; "
          f"bits alone at full bandwidth {limit:.3f} s ({moved[0] / 1e9:.1f} GB)")  # fmt: skip
    return 0 if on_cores >= PROMISED * on_card else 1


if __name__ == "__main__":
    sys.exit(main())
