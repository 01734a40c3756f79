"""Price files brought by people: what is kept, and where."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import pandas as pd
import pytest

from threadx.web import uploads
from threadx.web.errors import WebError
from threadx.web.uploads import keep, kept_name
from vault.errors import MarketError
from vault.readers.prices import read_prices

HEAD = "timestamp,open,high,low,close,volume\n"
ROWS = "".join(f"2024-01-{day:02d},10,11,9,10.5,100\n" for day in range(1, 29))


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("BTCUSDT_30m.csv", "BTCUSDT_30m.csv"),
        ("../../etc/cron.d/prices.csv", "prices.csv"),
        ("..\\..\\prices.CSV", "prices.csv"),
        ("/absolute/prices.parquet", "prices.parquet"),
        ("a b;c$(d).csv", "a_b_c_d.csv"),
        ("....csv", "prices.csv"),
        ("--home=x.csv", "--home_x.csv"),
        ("nul\x00l.csv", "nul_l.csv"),
        ("a.parquet.gz", "a.parquet.gz"),
        ("a.b.CSV.Zip", "a_b.csv.zip"),
        ("a.txt.bak.gz", "a_txt_bak.gz"),
        ("é" * 200 + ".csv", "prices.csv"),
    ],
)
def test_name_of_a_client_is_never_a_path(given: str, kept: str) -> None:
    assert kept_name(given) == kept


@pytest.mark.parametrize("name", ["prices.exe", "prices", "prices.csv.sh", "prices.csv/", ".csv/..", ""])
def test_other_types_are_refused(name: str) -> None:
    with pytest.raises(WebError, match="unknown_type"):
        kept_name(name)


def test_kept_prices_can_be_read_by_their_reference(tmp_path: Path) -> None:
    source = keep(tmp_path, "../BTCUSDT_1d.csv", (HEAD + ROWS).encode())
    assert (source.rows, source.timeframe, source.symbol) == (28, "1d", "BTCUSDT")
    assert uploads.uploads(tmp_path) == [source.reference]
    frame, again = read_prices(source.reference, tmp_path)
    assert (len(frame), again.symbol) == (28, "BTCUSDT")
    assert (tmp_path / source.reference).resolve().is_relative_to(tmp_path.resolve())


def test_a_packed_table_is_read_by_its_inner_ending(tmp_path: Path) -> None:
    plain = tmp_path / "x.parquet"
    pd.read_csv(io.StringIO(HEAD + ROWS)).to_parquet(plain)
    source = keep(tmp_path, "BTCUSDT_1d.parquet.gz", gzip.compress(plain.read_bytes()))
    assert (source.rows, source.symbol) == (28, "BTCUSDT")


def test_a_file_without_prices_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises((MarketError, RuntimeError)):
        keep(tmp_path, "page.csv", b"<html>not prices</html>")
    assert uploads.uploads(tmp_path) == []
    assert list((tmp_path / uploads.FOLDER).iterdir()) == []


def test_too_large_is_refused_before_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "LARGEST_UPLOAD", 1024)
    with pytest.raises(WebError, match="upload_too_large"):
        keep(tmp_path, "BTC.csv", (HEAD + ROWS * 2).encode())
    assert list(tmp_path.iterdir()) == []
