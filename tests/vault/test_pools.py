"""Instruments under one boundary: none is developed on behind it, and what was seen of one counts for all."""

import numpy as np
import pandas as pd
import pytest

from backtest import RequestError
from backtest.validation.trials import Trial
from tests.prices import made_up_prices
from vault.boundaries import advance_registered
from vault.datasets import find_dataset, load_development, open_holdout, openings, readers_of, register
from vault.errors import MarketError
from vault.ledger import Ledger, Snapshot
from vault.pools import Member, development_of, holdout_of, named, register_pool
from vault.readers.options import Reading
from vault.registered import find_registered


def frames(rows=400):
    return {
        "A": made_up_prices(rows=rows, seed=1, frequency="1D"),
        "B": made_up_prices(rows=rows, seed=2, frequency="1D").iloc[100:],
        "C": made_up_prices(rows=rows, seed=3, frequency="1D"),
    }


def members(given):
    return [Member(frame=df, symbol=name, timeframe="1d") for name, df in given.items()]


def test_all_holdouts_begin_at_one_moment(tmp_path):
    given = frames()
    pool = register_pool(members(given), tmp_path)
    clock = given["A"].index
    # A fifth of the common clock, and 1 % before it that nobody uses.
    assert pd.Timestamp(pool.boundary) == clock[320]
    assert (pool.development_rows, pool.embargo_rows, pool.holdout_rows) == (316, 4, 80)
    assert [one.symbol for one in pool.instruments] == ["A", "B", "C"]
    for one in pool.instruments:
        assert one.boundary == pool.boundary
        assert load_development(one, tmp_path).index[-1] == clock[315]
    whole, starts = holdout_of(pool, tmp_path, reader="r")
    assert set(starts.values()) == {clock[320]}
    assert all(len(whole[name]) == len(df) for name, df in given.items())
    # Alone they meet the same boundary.
    alone = register(given["B"], symbol="B", timeframe="1d", home=tmp_path)
    assert alone == pool.instruments[1]


def test_order_and_registration_make_no_other_pool(tmp_path):
    given = frames()
    pool = register_pool(members(given), tmp_path)
    again = register_pool(members(dict(reversed(given.items()))), tmp_path)
    assert again == pool == find_dataset(pool.development_hash, tmp_path)
    assert development_of(pool, tmp_path).keys() == given.keys()
    with pytest.raises(MarketError, match="one_instrument_only"):
        load_development(pool, tmp_path)


def test_an_earlier_boundary_binds_all_of_them(tmp_path):
    """A was cut when it ended earlier: its holdout stays unseen, and so does the same time of the others."""
    given = frames()
    before = register(given["A"].iloc[:200], symbol="A", timeframe="1d", home=tmp_path)
    pool = register_pool(members(given), tmp_path)
    assert pool.boundary == before.boundary == given["A"].index[160].isoformat()
    for one in pool.instruments:
        assert load_development(one, tmp_path).index[-1] <= given["A"].index[157]


def test_of_several_boundaries_no_holdout_becomes_development(tmp_path):
    given = frames()
    register(given["A"].iloc[:200], symbol="A", timeframe="1d", home=tmp_path)
    register(given["C"], symbol="C", timeframe="1d", home=tmp_path)
    pool = register_pool(members(given), tmp_path)
    assert pool.boundary == given["C"].index[320].isoformat()
    for one in pool.instruments:
        assert load_development(one, tmp_path).index[-1] <= given["A"].index[157]
    whole, starts = holdout_of(pool, tmp_path, reader="r")
    assert set(starts.values()) == {given["C"].index[320]}
    assert set(whole) == set(given)


def test_a_boundary_that_was_moved_moves_the_pool(tmp_path):
    given = frames()
    pool = register_pool(members(given), tmp_path)
    advance_registered(pool.instruments[0], tmp_path, to=given["A"].index[350].isoformat())
    again = find_registered(f"dataset:{pool.development_hash}", tmp_path, reading=Reading())
    assert again.boundary == given["A"].index[350].isoformat()
    assert again.development_rows <= pool.development_rows  # the others were cut where they were


def test_what_was_tried_on_one_counts_for_the_pool_once(tmp_path):
    pool, ledger = register_pool(members(frames()), tmp_path), Ledger(tmp_path)

    def looked(name, seed=0):
        blocks = np.random.default_rng(seed).normal(0.0, 1.0, 64).astype(np.float32)
        return Trial(
            spec_hash=name,
            n_observations=316,
            sharpe=0.1,
            excess_sharpe=0.1,
            skew=0.0,
            kurtosis=3.0,
            blocks=blocks,
        )

    def count(dataset, names, source):
        ledger.count(
            dataset.family,
            [looked(name, seed) for seed, name in enumerate(names)],
            development_hash=dataset.development_hash,
            origin="run",
            source=source,
        )

    one, two, _ = pool.instruments
    count(one, ["x", "y"], "alone")
    count(two, ["y", "z"], "alone")
    snapshot = ledger.snapshot(pool.family, pool.also)
    assert snapshot.trials == 3
    assert Snapshot(**snapshot.to_dict()).families == snapshot.families
    count(pool, ["y", "w"], "run")
    count(one, ["y", "w"], "run")
    found = ledger.evidence(snapshot, development_hash=pool.development_hash, source="run")
    assert found.trials == 4
    assert sorted(found.hashes) == ["w", "y"], "only what was tried on the pool can be compared there"
    assert sum(one.count for one in found.unseen) == 2
    # And what was tried on the pool counts for each of its instruments.
    assert ledger.snapshot(one.family).trials == 3


def test_who_has_seen_one_holdout_has_seen_a_part_of_the_pools(tmp_path):
    pool = register_pool(members(frames()), tmp_path)
    one, two, third = pool.instruments
    open_holdout(one, tmp_path, reader="first")
    open_holdout(two, tmp_path, reader="second")
    open_holdout(two, tmp_path, reader="first")
    assert readers_of(pool, tmp_path) == 2
    assert openings(third.family, tmp_path) == 0
    holdout_of(pool, tmp_path, reader="run")
    assert [openings(each.family, tmp_path) for each in pool.instruments] == [2, 3, 1]
    assert readers_of(pool, tmp_path) == 3


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda given: {"A": given["A"]}, "too_small_pool"),
        (lambda given: given | {"B": given["A"] * 1.0}, "same_market"),
        (lambda given: given | {"B": given["B"].iloc[-60:]}, "no_development_rows"),
    ],
)
def test_what_makes_no_pool_is_refused(tmp_path, change, code):
    with pytest.raises(MarketError, match=code):
        register_pool(members(change(frames())), tmp_path)


def test_bars_of_other_lengths_and_one_name_twice_are_refused(tmp_path):
    given = frames()
    with pytest.raises(MarketError, match="same_symbol"):
        register_pool([*members(given), *members({"A": given["B"]})], tmp_path)
    hourly = given | {"B": made_up_prices(rows=400, seed=9, frequency="1h")}
    with pytest.raises(RequestError, match="instrument_timeframe"):
        register_pool(members(hourly), tmp_path)
    assert not (tmp_path / "datasets" / "splits.json").exists()


@pytest.mark.parametrize(
    ("told", "found"),
    [
        ("ETHUSDT=eth.csv", ("ETHUSDT", "eth.csv")),
        ("eth.csv", (None, "eth.csv")),
        ("=eth.csv", (None, "=eth.csv")),
        ("sample:sp500", (None, "sample:sp500")),
    ],
)
def test_a_name_may_stand_before_a_file(told, found):
    assert named(told) == found


def test_an_equals_sign_of_a_folder_is_no_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dt=2024").mkdir()
    (tmp_path / "dt=2024" / "a.csv").write_text("x", encoding="utf-8")
    assert named("dt=2024/a.csv") == (None, "dt=2024/a.csv")
