"""What the optimisation graph itself costs, without models and without backtests.

    python -m benchmarks.cycle_overhead [--iterations 50]

Promise: at most 40 ms an iteration with SQLite checkpoints, and less than 200 kB of state in a checkpoint after
50 iterations. Every role answers at once with text of the longest kind a schema allows, every backtest is a
table look-up; what remains is the graph, its checkpoints on disk before each next step, and the run's record.
"""

from __future__ import annotations

MOST_MILLISECONDS = 40.0
MOST_BYTES = 200_000
