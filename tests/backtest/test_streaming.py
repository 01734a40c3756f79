"""Sweeps written as they come: equal to sweeps in memory, and continued where they were interrupted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from backtest import BacktestError, Costs, StrategySpec, sweep, sweep_to_parquet
from backtest.engine import streaming
from prompts import text
from tests.backtest.test_engine import market

COSTS = Costs(fee_bps=10)
SPEC = StrategySpec.preset("ma_crossover")
GRID: dict[str, Any] = {
    "fast_period": range(5, 30, 5),
    "stop_loss_pct": [None, 2.0, 4.0],
    "slow_period": range(10, 40, 5),
}


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seven combinations at a time, a part after each."""
    monkeypatch.setattr(streaming.Batch, "chunk_size", 7)
    monkeypatch.setattr(streaming, "ROWS_A_PART", 1)


@pytest.mark.usefixtures("small_chunks")
def test_the_file_holds_what_a_sweep_in_memory_finds(tmp_path: Path) -> None:
    df = market(400)
    seen: list[tuple[int, int]] = []
    found = sweep_to_parquet(
        df, SPEC, GRID, tmp_path / "all.parquet", COSTS, top=4, progress=lambda *step: seen.append(step)
    )
    wanted = sweep(df, SPEC, GRID, COSTS)
    pd.testing.assert_frame_equal(pd.read_parquet(found.path), wanted)
    assert (found.rows, found.dropped_by, found.continued_from) == (
        len(wanted),
        wanted.attrs["dropped_by"],
        0,
    )
    assert found.top["sharpe_ratio"].tolist() == wanted["sharpe_ratio"].nlargest(4).tolist()
    assert seen[0] == (0, 90)
    assert seen[-1] == (90, 90)
    assert list(tmp_path.iterdir()) == [found.path]


class Stopped(KeyboardInterrupt):
    pass


@pytest.mark.usefixtures("small_chunks")
def test_an_interrupted_sweep_continues(tmp_path: Path) -> None:
    df = market(400)
    path = tmp_path / "all.parquet"

    def stop(done: int, _total: int) -> None:
        if done >= 35:
            raise Stopped

    with pytest.raises(Stopped):
        sweep_to_parquet(df, SPEC, GRID, path, COSTS, progress=stop)
    assert not path.exists()
    kept = pd.read_parquet(tmp_path / "all.parquet.parts")
    wanted = sweep(df, SPEC, GRID, COSTS)
    assert 0 < len(kept) < len(wanted)

    found = sweep_to_parquet(df, SPEC, GRID, path, COSTS)
    assert found.continued_from == 35
    assert found.dropped_by == wanted.attrs["dropped_by"]
    pd.testing.assert_frame_equal(pd.read_parquet(path), wanted)


@pytest.mark.usefixtures("small_chunks")
def test_another_sweep_begins_anew(tmp_path: Path) -> None:
    def stop(done: int, _total: int) -> None:
        if done:
            raise Stopped

    path = tmp_path / "all.parquet"
    with pytest.raises(Stopped):
        sweep_to_parquet(market(400), SPEC, GRID, path, COSTS, progress=stop)
    found = sweep_to_parquet(market(400), SPEC, GRID, path, Costs(fee_bps=20))
    assert found.continued_from == 0
    pd.testing.assert_frame_equal(pd.read_parquet(path), sweep(market(400), SPEC, GRID, Costs(fee_bps=20)))


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"rank_by": "luck"}, "unknown_metric"),
        ({"grid": {"speed": [1]}}, "unknown_parameter"),
        ({"grid": {"fast_period": [50], "slow_period": [20]}}, "empty_grid"),
    ],
)
def test_refused(tmp_path: Path, settings: dict[str, Any], code: str) -> None:
    with pytest.raises(BacktestError) as caught:
        sweep_to_parquet(market(100), SPEC, settings.pop("grid", GRID), tmp_path / "x.parquet", **settings)
    assert caught.value.code == code
    for language in ("fr", "en"):
        assert text(f"backtest.error.{code}", language, **caught.value.fields)
    assert not (tmp_path / "x.parquet").exists()
