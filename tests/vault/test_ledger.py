"""The trial ledger: each configuration once, never changed, whoever writes, and what is read of it."""

import sqlite3
import zlib
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import closing
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backtest import Costs, StrategySpec, run_backtest
from backtest.statistics.returns import bar_returns
from backtest.validation import trials
from backtest.validation.trials import (
    Trial,
    average_exposure,
    block_sums,
    configuration_trials,
    excess_returns,
    grid_trials,
    trial,
)
from base.aside import taken
from tests.prices import made_up_prices
from vault.errors import MarketError
from vault.ledger import MOST_COLUMNS, Ledger


def made_up(name, sharpe=0.01, blocks=8):
    values = np.random.default_rng(zlib.crc32(name.encode())).normal(0, 1, blocks).astype(np.float32)
    return Trial(
        spec_hash=name,
        n_observations=500,
        sharpe=sharpe,
        excess_sharpe=sharpe,
        skew=0.0,
        kurtosis=3.0,
        blocks=values,
    )


def put(home, names, family="family", source="run 1", origin="run"):
    return Ledger(home).count(
        family, [made_up(name) for name in names], development_hash="rows", origin=origin, source=source
    )


def test_a_configuration_counts_once_however_often_it_is_run(tmp_path):
    assert put(tmp_path, ["a", "b"]) == 2
    assert put(tmp_path, ["b", "a", "c"], source="run 2") == 1
    assert put(tmp_path, ["a"], family="another") == 1
    ledger = Ledger(tmp_path)
    assert ledger.snapshot("family").trials == 3
    assert ledger.snapshot("another").trials == 1
    assert ledger.snapshot("unknown").trials == 0


def test_what_comes_after_the_snapshot_counts_only_where_it_is_ones_own(tmp_path):
    put(tmp_path, ["a", "b"], source="before")
    ledger = Ledger(tmp_path)
    snapshot = ledger.snapshot("family")
    put(tmp_path, ["x"], source="somebody else")
    put(tmp_path, ["b", "c", "x"], source="me")
    found = ledger.evidence(snapshot, development_hash="rows", source="me")
    # "x" was written down by somebody else first, and is one's own all the same.
    assert found.hashes == ("a", "b", "c", "x")
    assert found.trials == 4
    others = ledger.evidence(snapshot, development_hash="rows", source="a third")
    assert others.hashes == ("a", "b")


def test_nothing_can_be_changed_or_taken_away(tmp_path):
    put(tmp_path, ["a"])
    connection = sqlite3.connect(tmp_path / "ledger.sqlite")
    for statement in ("UPDATE trials SET sharpe = 9", "DELETE FROM trials", "DELETE FROM looks"):
        with pytest.raises(sqlite3.DatabaseError, match="append-only"):
            connection.execute(statement)
    connection.close()


def _write(task):
    home, number = task
    return sum(put(home, [f"{number}-{place}", f"shared-{place}"], source=f"{number}") for place in range(10))


def test_many_writers_lose_nothing(tmp_path):
    tasks = [(tmp_path, number) for number in range(6)]
    with (
        ProcessPoolExecutor(2, mp_context=get_context("spawn")) as processes,
        Ledger(tmp_path).kept_open(),
        ThreadPoolExecutor(3) as pool,
    ):
        there = [processes.submit(_write, task) for task in tasks[:3]]
        here = [pool.submit(_write, task) for task in tasks[3:]]
        new = sum(one.result() for one in [*there, *here])
    assert new == Ledger(tmp_path).snapshot("family").trials == 6 * 10 + 10


def test_what_a_ledger_that_stays_open_was_told_stands_in_its_file(tmp_path):
    file = tmp_path / "ledger.sqlite"
    with Ledger(tmp_path).kept_open():
        put(tmp_path, ["a"])
        with pytest.raises(MarketError, match="unusable_ledger"):
            put(tmp_path, ["b", "c"], source=None)
        assert put(tmp_path, ["b"]) == 1
        with closing(sqlite3.connect(file)) as other:  # before anything is closed
            assert other.execute("SELECT COUNT(*) FROM trials").fetchone() == (2,)
    assert not [*tmp_path.glob("ledger.sqlite-*")]


@pytest.mark.posix
def test_a_ledger_that_stays_open_follows_the_name_of_its_file(tmp_path):
    file = tmp_path / "ledger.sqlite"
    with Ledger(tmp_path).kept_open():
        put(tmp_path, ["a"])
        file.rename(tmp_path / "elsewhere")
        assert put(tmp_path, ["a", "b"]) == 2
    assert Ledger(tmp_path).snapshot("family").trials == 2


def test_blocks_come_back_as_written_and_only_those_of_the_same_rows(tmp_path):
    ledger = Ledger(tmp_path)
    ledger.count("family", [made_up("a"), made_up("b")], development_hash="rows", origin="run", source="1")
    ledger.count("family", [made_up("c")], development_hash="other rows", origin="run", source="1")
    bare = Trial(spec_hash="d", n_observations=9, sharpe=0.3, excess_sharpe=0.2, skew=0.0, kurtosis=3.0)
    ledger.count("family", [bare], development_hash="rows", origin="sweep", source="2")
    found = ledger.evidence(ledger.snapshot("family"), development_hash="rows", source="")
    assert found.hashes == ("a", "b")
    expected = np.column_stack([made_up("a").blocks, made_up("b").blocks])
    assert np.array_equal(found.blocks, expected.astype(float))
    assert found.trials == 4
    assert found.by_origin == {"run": 3, "sweep": 1}
    assert found.sharpes.tolist() == [0.01, 0.01, 0.01, 0.2]
    assert found.sharpe_variance == pytest.approx(np.var([0.01, 0.01, 0.01, 0.2], ddof=1))


def test_the_newest_columns_count_where_there_are_many(tmp_path):
    names = [f"{place:04d}" for place in range(MOST_COLUMNS + 10)]
    put(tmp_path, names)
    ledger = Ledger(tmp_path)
    found = ledger.evidence(ledger.snapshot("family"), development_hash="rows", source="")
    assert found.trials == len(names)
    assert found.hashes == tuple(names[10:])
    old = ledger.evidence(ledger.snapshot("family"), development_hash="rows", source="", chosen="0003")
    assert old.hashes == ("0003", *names[11:]), "what the others are compared with is always there"
    new = ledger.evidence(ledger.snapshot("family"), development_hash="rows", source="", chosen="0400")
    assert new.hashes == found.hashes


def test_large_searches_are_represented_by_what_was_drawn_of_them(tmp_path):
    ledger = Ledger(tmp_path)
    put(tmp_path, [f"drawn {place:03d}" for place in range(300)], source="sweep of one", origin="sweep")
    for source, configurations in (("sweep of one", 1_000_000), ("sweep of another", 5_000)):
        ledger.count_search(
            "family", about={"grid": source}, configurations=configurations, sharpe_mean=0.0,
            sharpe_variance=0.01, origin="sweep", source=source,
        )  # fmt: skip
    names = [f"single {place:04d}" for place in range(MOST_COLUMNS + 10)]
    put(tmp_path, names)
    # What a run witnesses and nobody holds any more is represented by nothing, its own trials neither.
    put(tmp_path, [], source="run 1")
    ledger.count_lost("family", present=1, witnessed=8, sharpe_variance=0.01, source="run 1")
    found = ledger.evidence(ledger.snapshot("family"), development_hash="rows", source="")
    assert "run 1" not in set(found.table["search"])
    # Half of the columns are the newest drawn from a search, half the newest others.
    half = MOST_COLUMNS // 2
    assert found.hashes == (*(f"drawn {place:03d}" for place in range(300 - half, 300)), *names[-half:])
    assert {(one.count, tuple(one.columns)) for one in found.unseen} == {
        (1_000_000, tuple(range(half))),
        (5_000, ()),
        (7, ()),
        (300 - half + len(names) - half, tuple(range(MOST_COLUMNS))),
    }
    assert sum(one.count for one in found.unseen) + MOST_COLUMNS == found.trials


@settings(max_examples=25, deadline=None)
@given(
    single=st.lists(st.floats(-0.3, 0.3), max_size=6),
    searched=st.lists(st.lists(st.floats(-0.3, 0.3), min_size=2, max_size=9), max_size=3),
)
def test_large_searches_count_by_their_moments(tmp_path_factory, single, searched):
    ledger = Ledger(tmp_path_factory.mktemp("home"))
    ledger.count(
        "f",
        [made_up(str(place), sharpe) for place, sharpe in enumerate(single)],
        development_hash="rows",
        origin="run",
        source="1",
    )
    for place, sharpes in enumerate(searched):
        for source in ("first", "again"):
            ledger.count_search(
                "f",
                about={"grid": place},
                configurations=len(sharpes),
                sharpe_mean=float(np.mean(sharpes)),
                sharpe_variance=float(np.var(sharpes, ddof=1)),
                origin="sweep",
                source=source,
            )
    found = ledger.evidence(ledger.snapshot("f"), development_hash="rows", source="2")
    everything = [*single, *(one for sharpes in searched for one in sharpes)]
    assert found.trials == len(everything) == ledger.snapshot("f").trials
    if len(everything) > 1:
        assert found.sharpe_variance == pytest.approx(np.var(everything, ddof=1), abs=1e-12)


def test_a_file_that_is_no_ledger_is_put_aside_and_the_work_goes_on(tmp_path):
    written = b"not a database, and longer than a header would be" * 30
    (tmp_path / "ledger.sqlite").write_bytes(written)
    assert put(tmp_path, ["a"]) == 1
    assert (tmp_path / "ledger.sqlite.damaged-1").read_bytes() == written
    (tmp_path / "ledger.sqlite").write_bytes(written[::-1])
    assert put(tmp_path, ["a", "b"]) == 2, "whatever was found sound a moment ago"
    assert (tmp_path / "ledger.sqlite.damaged-2").read_bytes() == written[::-1]
    assert [(one.damage, Path(one.kept).name) for one in taken()] == [
        ("damaged", "ledger.sqlite.damaged-1"),
        ("damaged", "ledger.sqlite.damaged-2"),
    ]


def test_holding_the_market_has_no_excess_and_timing_has_its_covariance():
    prices = made_up_prices(rows=800, drift=0.002)
    closes = prices["close"].to_numpy()
    held = run_backtest(prices, StrategySpec.preset("buy_and_hold"))
    assert average_exposure(held) == pytest.approx(1.0)
    # What the first bar's fill at the open gains on its close is all.
    assert not excess_returns(held, closes)[2:].any()
    traded = run_backtest(prices, StrategySpec.preset("ma_crossover"))
    market = np.diff(closes, prepend=closes[0]) / np.concatenate([closes[:1], closes[:-1]])
    inside = traded.trades["bars"].sum() / 799
    assert average_exposure(traded) == pytest.approx(inside)
    own = bar_returns(traded.equity_values, 10_000)
    assert excess_returns(traded, closes) == pytest.approx(own - inside * market)
    # The drift that any exposure earns is gone: what is left is far below the return itself.
    assert abs(excess_returns(traded, closes).mean()) < 0.35 * own.mean()


def test_shorts_and_leverage_count_in_the_exposure():
    prices = made_up_prices(rows=400)
    short = StrategySpec(name="short", entry_short="close > 0")
    assert average_exposure(run_backtest(prices, short)) == pytest.approx(-1.0, abs=0.02)
    half = short.evolve(sizing={"equity_pct": 50})
    assert average_exposure(run_backtest(prices, half)) == pytest.approx(-0.5, abs=0.02)


def test_a_trial_counts_once_for_a_market_and_is_compared_on_either_of_its_files(tmp_path):
    """An index and a fund on it: one search on both is one, and each run has returns of its own rows."""
    ledger, spec = Ledger(tmp_path), StrategySpec.preset("ma_crossover")
    looks = [
        grid_trials(made_up_prices(rows=700, seed=seed), spec, {"fast_period": [5, 8]}) for seed in (1, 2)
    ]
    for name, found in zip(("index", "fund"), looks, strict=True):
        ledger.count("f", found, development_hash=name, origin="run", source=f"run on {name}")
    snapshot = ledger.snapshot("f")
    assert snapshot.trials == 2
    for name, found in zip(("index", "fund"), looks, strict=True):
        known = ledger.evidence(snapshot, development_hash=name, source=f"run on {name}")
        assert known.trials == 2
        assert not known.unseen
        blocks = {one.spec_hash: one.blocks for one in found}
        for column, strategy in enumerate(known.hashes):
            assert known.blocks[:, column] == pytest.approx(blocks[strategy])
        ratios = {one.spec_hash: one.excess_sharpe for one in found}
        assert dict(zip(known.table["hash"], known.sharpes, strict=True)) == pytest.approx(ratios)


def test_a_trial_is_told_by_its_excess(tmp_path):
    prices = made_up_prices(rows=700)
    result = run_backtest(prices, StrategySpec.preset("ma_crossover"), Costs(fee_bps=5))
    found = trial(result, prices["close"])
    excess = excess_returns(result, prices["close"])
    assert found.excess_sharpe == pytest.approx(excess.mean() / excess.std(ddof=1))
    assert found.sharpe * np.sqrt(365 * 24) == pytest.approx(result.metrics.sharpe_ratio)
    assert len(found.blocks) == 256
    assert float(found.blocks.sum()) == pytest.approx(excess.sum(), rel=1e-4)
    assert block_sums(np.arange(5.0), 8).tolist() == [0, 1, 2, 3, 4]
    assert block_sums(np.arange(6.0), 3).tolist() == [1, 5, 9]


def test_what_is_not_kept_between_configurations_changes_none_of_them(monkeypatch):
    prices = made_up_prices(rows=600)
    spec, grid = StrategySpec.preset("ma_crossover"), {"fast_period": [5, 8], "slow_period": [20, 25]}
    kept = grid_trials(prices, spec, grid)
    specs = [spec.evolve(params={"fast_period": f, "slow_period": s}) for f in (5, 8) for s in (20, 25)]
    monkeypatch.setattr(trials, "ROOM_FOR_SERIES", 0)
    for found in (grid_trials(prices, spec, grid), configuration_trials(prices, specs)):
        assert [one.spec_hash for one in found] == [one.spec_hash for one in kept]
        assert [one.excess_sharpe for one in found] == [one.excess_sharpe for one in kept]


def test_a_search_counts_every_configuration_by_the_hash_it_would_have_alone():
    prices = made_up_prices(rows=600)
    spec = StrategySpec.preset("ma_crossover")
    grid = {"fast_period": [5, 8, 30], "slow_period": [20, 25], "stop_loss_pct": [None, 2.0]}
    found = {one.spec_hash: one for one in grid_trials(prices, spec, grid, Costs(fee_bps=5))}
    assert len(found) == 8
    for fast in (5, 8):
        for slow in (20, 25):
            for stop in (None, 2.0):
                alone = StrategySpec.preset(
                    "ma_crossover", fast_period=fast, slow_period=slow, stop_loss_pct=stop
                )
                expected = trial(run_backtest(prices, alone, Costs(fee_bps=5)), prices["close"])
                assert found[alone.hash].excess_sharpe == expected.excess_sharpe
                assert np.array_equal(found[alone.hash].blocks, expected.blocks)


@pytest.mark.parametrize(
    "packed", [zlib.compress(b"\0" * (4 << 20)), b"no zlib", zlib.compress(b"abc"), "text"]
)
def test_blocks_that_swell_or_are_none_are_one_clear_error(tmp_path, packed):
    """Somebody sent a ledger: four megabytes in it became four gigabytes."""
    put(tmp_path, ["a", "b"])
    with sqlite3.connect(tmp_path / "ledger.sqlite") as connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute("UPDATE trials SET blocks = ?", (packed,))
    connection.close()
    ledger = Ledger(tmp_path)
    with pytest.raises(MarketError) as refused:
        ledger.evidence(ledger.snapshot("family"), development_hash="rows", source="")
    assert refused.value.code == "unusable_ledger"
