"""The split: fixed once by time, never moved, and the holdout behind one door."""

import hashlib
import json
import threading

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backtest import validate_prices
from tests.prices import made_up_prices
from vault import datasets
from vault.datasets import (
    content_hash,
    find_dataset,
    load_development,
    open_holdout,
    openings,
    register,
)
from vault.errors import MarketError

PRICES = made_up_prices(rows=1000, frequency="1h")


def put(frame, home, symbol="TEST"):
    return register(frame, symbol=symbol, timeframe="1h", home=home)


def test_first_split_and_round_trip(tmp_path):
    dataset = put(PRICES, tmp_path)
    assert (dataset.development_rows, dataset.embargo_rows, dataset.holdout_rows) == (790, 10, 200)
    assert dataset.boundary == PRICES.index[800].isoformat()
    pd.testing.assert_frame_equal(load_development(dataset, tmp_path), PRICES.iloc[:790], check_freq=False)
    whole, start, number = open_holdout(dataset, tmp_path, reader="me")
    pd.testing.assert_frame_equal(whole, PRICES, check_freq=False)
    assert (start, number) == (800, 1)
    assert find_dataset(dataset.development_hash, tmp_path) == dataset


@given(
    begin=st.integers(0, 1100),
    end=st.integers(0, 1200),
    first=st.tuples(st.integers(0, 300), st.integers(400, 1200)),
)
@settings(max_examples=40, deadline=None)
def test_no_later_registration_moves_the_boundary(tmp_path_factory, begin, end, first):
    home = tmp_path_factory.mktemp("home")
    prices = made_up_prices(rows=1200)
    original = put(prices.iloc[slice(*first)], home)
    if begin >= end:
        return
    part = prices.iloc[begin:end]
    if part.index[-1] < prices.index[first[0]] or part.index[0] > prices.index[first[1] - 1]:
        return  # no overlap: another dataset by definition
    if part.index[0] > pd.Timestamp(original.development_last):
        with pytest.raises(MarketError, match="no_development_rows"):
            put(part, home)
        return
    again = put(part, home)
    assert again.boundary == original.boundary
    development = load_development(again, home)
    assert development.index[-1] <= pd.Timestamp(original.development_last)
    expected = part[part.index <= pd.Timestamp(original.development_last)]
    pd.testing.assert_frame_equal(development, expected, check_freq=False)
    assert again.holdout_rows == int((part.index >= pd.Timestamp(original.boundary)).sum())


@given(noise=st.floats(0.5, 2.0))
@settings(max_examples=10, deadline=None)
def test_holdout_prices_change_nothing_before(tmp_path_factory, noise):
    home = tmp_path_factory.mktemp("home")
    changed = PRICES.copy()
    changed.iloc[800:] *= noise
    one, two = put(PRICES, home), put(changed, home)
    assert one.development_hash == two.development_hash
    assert one.boundary == two.boundary
    assert (one.holdout_hash == two.holdout_hash) == (content_hash(PRICES) == content_hash(changed))
    pd.testing.assert_frame_equal(load_development(one, home), load_development(two, home))


def test_other_prices_have_their_own_split(tmp_path):
    one = put(PRICES.iloc[:500], tmp_path)
    other = put(made_up_prices(rows=1000, seed=8), tmp_path)
    assert other.boundary == PRICES.index[800].isoformat()
    assert other.family != one.family
    assert put(PRICES, tmp_path, symbol="test").boundary == one.boundary


def four_hours(frame):
    rules = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
    return frame.resample("4h").agg(rules)


@pytest.mark.parametrize(
    "disguised",
    [
        pytest.param(lambda frame: frame, id="another symbol"),
        pytest.param(lambda frame: frame.iloc[100:700], id="a part"),
        pytest.param(lambda frame: frame.iloc[:, :5] * [7.5, 7.5, 7.5, 7.5, 1.0], id="another unit"),
        pytest.param(lambda frame: frame.assign(close=frame["close"] * (1 + 1e-9)), id="rounded"),
        pytest.param(four_hours, id="longer bars"),
    ],
)
def test_the_same_prices_under_another_name_meet_the_same_split(tmp_path, disguised):
    one = put(PRICES.iloc[:500], tmp_path)
    again = put(disguised(PRICES), tmp_path, symbol="OTHER")
    assert (again.family, again.boundary) == (one.family, one.boundary)
    development = load_development(again, tmp_path)
    assert development.index[-1] <= pd.Timestamp(one.development_last)
    assert len(development) == again.development_rows


def test_shorter_bars_meet_the_split_of_longer_ones(tmp_path):
    one = put(four_hours(PRICES), tmp_path)
    again = put(PRICES, tmp_path, symbol="OTHER")
    assert (again.family, again.boundary) == (one.family, one.boundary)


@pytest.mark.parametrize("rows", [slice(820, 1000), slice(795, 1000)])
def test_a_holdout_under_another_name_is_no_development(tmp_path, rows):
    put(PRICES, tmp_path)
    with pytest.raises(MarketError) as caught:
        put(PRICES.iloc[rows], tmp_path, symbol="OTHER")
    assert caught.value.code == "no_development_rows"


def test_no_bar_of_development_ends_in_the_holdout(tmp_path):
    # Two bars of embargo: the bar of four hours that begins one before it ends behind the boundary.
    short = PRICES.iloc[:198]
    one = put(short, tmp_path)
    assert (one.development_rows, one.embargo_rows) == (157, 2)
    assert short.index[156].hour % 4 == 0
    longer = load_development(put(four_hours(short), tmp_path, symbol="OTHER"), tmp_path)
    assert longer.index[-1] + pd.Timedelta("4h") <= pd.Timestamp(one.boundary)


def test_prices_that_share_a_few_closes_are_not_the_same(tmp_path):
    flat = PRICES.copy()
    flat[["open", "high", "low", "close"]] = 10.0
    other = flat.copy()
    other.iloc[::3, :4] = 10.1
    one, two = put(flat, tmp_path), put(other, tmp_path, symbol="OTHER")
    assert one.family != two.family


def test_vendor_corrections_keep_the_split(tmp_path):
    corrected = PRICES.copy()
    corrected.iloc[5:10] *= 1.01
    assert put(corrected, tmp_path).boundary == put(PRICES.iloc[:600], tmp_path).boundary


def test_zones_and_resolutions_are_one_clock(tmp_path):
    aware = PRICES.set_axis(PRICES.index.tz_localize("UTC").tz_convert("Europe/Paris").as_unit("s"))
    one, two = put(PRICES.iloc[:900], tmp_path), put(aware, tmp_path)
    assert one.development_hash == two.development_hash
    assert pd.Timestamp(two.boundary).tz_convert("UTC").tz_localize(None) == pd.Timestamp(one.boundary)
    for dataset, frame in ((one, PRICES), (two, aware)):
        found = load_development(dataset, tmp_path)
        assert str(found.index.tz) == str(frame.index.tz)
        assert (found.index == frame.index[: len(found)]).all()
        whole, _, _ = open_holdout(dataset, tmp_path, reader="me")
        assert whole.index[-1] == frame.index[899 if dataset is one else 999]


def test_only_holdout_rows_are_refused(tmp_path):
    put(PRICES, tmp_path)
    for part in (PRICES.iloc[850:], PRICES.iloc[790:]):
        with pytest.raises(MarketError) as caught:
            put(part, tmp_path)
        assert caught.value.code == "no_development_rows"


def test_too_few_rows_and_no_holdout(tmp_path):
    with pytest.raises(MarketError) as caught:
        put(PRICES.iloc[:49], tmp_path)
    assert caught.value.code == "too_few_rows"
    put(PRICES, tmp_path)
    dataset = put(PRICES.iloc[:700], tmp_path)
    assert (dataset.development_rows, dataset.holdout_rows) == (700, 0)
    with pytest.raises(MarketError) as caught:
        open_holdout(dataset, tmp_path, reader="me")
    assert caught.value.code == "no_holdout"


def test_each_opening_is_logged_and_nothing_else_reads_the_vault(tmp_path, monkeypatch):
    dataset = put(PRICES, tmp_path)
    read = []
    real = pd.read_parquet
    monkeypatch.setattr(
        datasets.pd,
        "read_parquet",
        lambda path, *rest, **named: read.append(path.stem) or real(path, *rest, **named),
    )
    put(PRICES, tmp_path)
    load_development(dataset, tmp_path)
    find_dataset(dataset.development_hash, tmp_path)
    assert set(read) == {dataset.development_hash}
    assert openings(dataset.family, tmp_path) == 0
    numbers = [
        open_holdout(dataset, tmp_path, reader=name)[2] for name in ("run 1", "run 2", "run 1", "run 3")
    ]
    assert numbers == [1, 2, 1, 3]
    assert openings(dataset.family, tmp_path) == 3
    assert openings("another", tmp_path) == 0
    log = (tmp_path / "datasets" / "holdout_openings.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["holdout_hash"] for line in log] == [dataset.holdout_hash] * 4


def test_hash_is_sha256_of_times_and_values():
    frame = PRICES.iloc[:3]
    content = np.array([stamp.value for stamp in frame.index], dtype="<i8").tobytes()
    content += frame.to_numpy().astype("<f8").tobytes()
    assert content_hash(frame) == hashlib.sha256(content).hexdigest()[:16]


@pytest.mark.parametrize("damage", [b"", b"PAR1 nonsense"])
def test_a_damaged_file_is_never_used(tmp_path, damage):
    dataset = put(PRICES, tmp_path)
    path = tmp_path / "datasets" / f"{dataset.development_hash}.parquet"
    path.write_bytes(damage)
    with pytest.raises(MarketError) as caught:
        load_development(dataset, tmp_path)
    assert caught.value.code == "damaged_dataset"
    PRICES.iloc[:700].to_parquet(path)
    with pytest.raises(MarketError) as caught:
        load_development(dataset, tmp_path)
    assert caught.value.code == "damaged_dataset"


def test_damaged_splits_are_never_overwritten(tmp_path):
    put(PRICES, tmp_path)
    path = tmp_path / "datasets" / "splits.json"
    path.write_text('[{"symbol": 1}]', encoding="utf-8")
    with pytest.raises(MarketError) as caught:
        put(PRICES, tmp_path)
    assert caught.value.code == "damaged_splits"
    assert path.read_text(encoding="utf-8") == '[{"symbol": 1}]'


def test_two_registrations_at_once_agree(tmp_path):
    parts = [PRICES.iloc[:end] for end in (600, 700, 800, 900, 1000)]
    found = []
    threads = [threading.Thread(target=lambda part=part: found.append(put(part, tmp_path))) for part in parts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 5
    assert len({dataset.boundary for dataset in found}) == 1
    assert len(json.loads((tmp_path / "datasets" / "splits.json").read_text(encoding="utf-8"))) == 1


def test_bars_that_were_made_up_stay_marked(tmp_path):
    # The last outage lies in the holdout; the development part ends without one of its own.
    for lost in ([100, 101, 102, 950], [100, 101], [950, 951]):
        prices = validate_prices(PRICES.drop(PRICES.index[lost]), gaps="fill")
        home = tmp_path / str(lost)
        dataset = put(prices, home)
        development = load_development(dataset, home)
        expected = prices["made_up"].iloc[: len(development)]
        found = development.get("made_up", pd.Series(False, index=development.index))
        assert found.tolist() == expected.tolist()
        whole, _, _ = open_holdout(dataset, home, reader="me")
        assert whole["made_up"].dtype == bool
        assert whole.index[whole["made_up"]].tolist() == PRICES.index[lost].tolist()
        assert content_hash(prices) != content_hash(prices.drop(columns="made_up"))
        # Marks apart, nothing is another dataset than before there were marks.
        assert content_hash(prices.assign(made_up=False)) == content_hash(prices.drop(columns="made_up"))
