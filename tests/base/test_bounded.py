"""Native code of others cannot take the house along: files are read, and pictures drawn, in children."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from pathlib import Path

import altair as alt
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest

from base import bounded, own_tables
from base.bounded import Limits
from base.labels import LONGEST_LABEL
from base.reasons import ReasonError
from feeds.folder import DataFolder
from record import run_tables
from record.errors import ReportError
from record.run_tables import TRIALS
from reports import drawing
from reports.drawing import typeset
from reports.pictures import picture
from tests.prices import made_up_prices
from tests.windows import PROJECT
from threadx.web import uploads
from vault.datasets import Dataset, load_development, register
from vault.errors import MarketError
from vault.fingerprints import LARGEST, Marks
from vault.readers.prices import read_frame, read_prices, read_table

ROOMY = Limits(seconds=60.0, memory=512 * 1024**2)
HEAD = "time,open,high,low,close,volume\n"
OLD_FEATHER = b"FEA1" + b"\xff\xff\xff\x7f" * 2 + b"\x08\x00\x00\x00" + b"FEA1"


def asked(function: str, *parts: bytes, limits: Limits = ROOMY, **fields: int) -> bytes:
    return bounded.run("tests.crashing", function, fields, *parts, limits=limits)


@pytest.fixture(autouse=True)
def _found_by_children(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(PROJECT))


@pytest.mark.parametrize(
    ("function", "limits", "fields", "code"),
    [
        ("crash", ROOMY, {}, "child_died"),
        ("hang", Limits(seconds=0.5, memory=512 * 1024**2), {}, "child_time"),
        ("swell", Limits(seconds=60.0, memory=128 * 1024**2, reserves=True), {}, "child_memory"),
        (
            "answer_at_length",
            Limits(seconds=60.0, memory=64 * 1024**2),
            {"size": 65 << 20},
            "child_memory",
        ),
        ("panic", ROOMY, {}, "other"),
        ("no_such_function", ROOMY, {}, "other"),
    ],
)
def test_the_end_of_a_child_is_one_typed_error_and_the_next_call_is_answered(
    function: str, limits: Limits, fields: dict[str, int], code: str
) -> None:
    with pytest.raises(ReasonError) as caught:
        asked(function, limits=limits, **fields)
    assert caught.value.code == code
    assert asked("count", b"abc", b"de").endswith(b" 5")


@pytest.mark.posix
def test_addresses_are_bounded_too() -> None:
    with pytest.raises(ReasonError) as caught:
        asked("swell", limits=Limits(seconds=60.0, memory=100 * 1024**2))
    assert caught.value.code in ("no_memory", "child_memory")


def test_a_child_is_used_again() -> None:
    assert asked("count") == asked("count")


def table(rows: int = 40) -> pd.DataFrame:
    times = pd.date_range("2024-01-01", periods=rows, tz="Europe/Paris")
    return pd.DataFrame({"open": 10.0, "high": 11.0, "low": 9.0, "close": 10.5, "volume": 1.0}, index=times)


def written(folder: Path, name: str, frame: pd.DataFrame | None = None) -> Path:
    """A file of prices, in an archive where the name says so."""
    frame, path = table() if frame is None else frame, folder / name
    inner = folder / name.removesuffix(".gz").removesuffix(".zip")
    if inner.suffix == ".parquet":
        frame.to_parquet(inner)
    elif inner.suffix == ".feather":
        frame.reset_index(names="time").to_feather(inner)
    else:
        frame.to_csv(inner, index_label="time")
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(inner.read_bytes()))
    elif path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(inner, inner.name)
    return path


@pytest.mark.parametrize(
    "name", ["a.parquet", "a.feather", "a.parquet.gz", "a.feather.zip", "a.parquet.zip", "a.csv.gz"]
)
def test_a_child_reads_what_was_written(tmp_path: Path, name: str) -> None:
    prices, _ = read_prices(str(written(tmp_path, name)), tmp_path)
    times = pd.DatetimeIndex(prices.index).as_unit("ns")
    written_as = pd.DatetimeIndex(table().index)
    # As text they are days of a zone, which are read as the days that are written.
    expected = written_as.tz_localize(None) if "csv" in name else written_as.tz_convert("UTC")
    assert (times if "csv" in name else times.tz_convert("UTC")).equals(expected.as_unit("ns"))
    assert (prices["close"] == 10.5).all()


def test_a_table_keeps_its_index_and_its_types(tmp_path: Path) -> None:
    frame = table().assign(name="x", tags=[["a", "b"]] * 40, kind=pd.Categorical(["k"] * 40))
    frame.to_parquet(tmp_path / "a.parquet")
    pd.testing.assert_frame_equal(read_table(tmp_path / "a.parquet"), pd.read_parquet(tmp_path / "a.parquet"))


@pytest.mark.parametrize("name", ["bad.feather", "bad.feather.gz", "bad.feather.zip"])
def test_the_first_version_of_feather_is_refused_by_its_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(OLD_FEATHER if name == "bad.feather" else gzip.compress(OLD_FEATHER))
    if name.endswith(".zip"):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("bad.feather", OLD_FEATHER)
    with pytest.raises(MarketError) as caught:
        read_prices(str(path), tmp_path)
    assert caught.value.code == "old_feather"
    with pytest.raises(MarketError):
        uploads.keep(tmp_path / "home", name, path.read_bytes())
    assert uploads.uploads(tmp_path / "home") == []


@pytest.mark.parametrize("kind", ["parquet", "feather"])
@pytest.mark.parametrize("seed", range(4))
def test_a_damaged_file_is_one_typed_error(tmp_path: Path, kind: str, seed: int) -> None:
    content = bytearray(written(tmp_path, f"a.{kind}").read_bytes())
    dice = np.random.default_rng(seed)
    for place in dice.integers(4, len(content) - 4, 200):
        content[place] = int(dice.integers(256))
    (tmp_path / f"a.{kind}").write_bytes(content)
    with pytest.raises((MarketError, RuntimeError), match=f"a.{kind}"):
        read_table(tmp_path / f"a.{kind}")


def swelling(folder: Path) -> list[Path]:
    """Small files that become large."""
    zeros = pa.table({"close": np.zeros(10_000_000, dtype="int8")})
    pyarrow.parquet.write_table(zeros, folder / "a.parquet")
    rows = (HEAD + "2024-01-01,1,1,1,1,1\n" * 4_000_000).encode()
    (folder / "a.csv.gz").write_bytes(gzip.compress(rows, 1))
    with zipfile.ZipFile(folder / "a.csv.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", rows)
    (folder / "lists.json").write_bytes(b"[" + b"[]," * 5_000_001 + b"[]]")
    (folder / "line.csv").write_bytes(b"1," * 1_500_000)
    (folder / "wide.csv").write_bytes(b"1," * 30_000 + b"1\n" + b"2," * 30_000 + b"2\n")
    names = ("a.parquet", "a.csv.gz", "a.csv.zip", "lists.json", "line.csv", "wide.csv")
    return [folder / name for name in names]


def test_a_small_file_that_becomes_large_is_refused_before_it_is_read(tmp_path: Path) -> None:
    found = {}
    for path in swelling(tmp_path):
        with pytest.raises(MarketError) as caught:
            read_prices(str(path), tmp_path)
        found[path.name] = caught.value.code
    assert found == {
        "a.parquet": "swells",
        "a.csv.gz": "swells",
        "a.csv.zip": "swells",
        "lists.json": "too_many_values",
        "line.csv": "too_long_line",
        "wide.csv": "too_many_columns",
    }
    problems: list = []
    assert DataFolder(tmp_path).rows(tmp_path / "a.parquet", problems) == []
    assert problems[0].reason["code"] == "swells"
    assert str(tmp_path) not in str(problems)


def test_deep_json_is_one_typed_error(tmp_path: Path) -> None:
    for name in ("deep.json", "deep.jsonl"):
        (tmp_path / name).write_text("[" * 1_000_000, encoding="utf-8")
        for read in (lambda path: read_prices(str(path), tmp_path), read_table):
            with pytest.raises(MarketError) as caught:
                read(tmp_path / name)
            assert caught.value.code == "unreadable_file"


HOSTILE = ["\x00", "BTC\x1b[2J", "a\nb", "\u202eDSU", "x" * (LONGEST_LABEL + 1), "\ud800"]


@pytest.mark.parametrize("symbol", HOSTILE, ids=ascii)
def test_a_symbol_is_a_name_whoever_gives_it(tmp_path: Path, symbol: str) -> None:
    with pytest.raises(MarketError) as caught:
        read_frame(table(), symbol=symbol)
    assert caught.value.code == "bad_symbol"
    rows = [
        {**row, "time": f"2024-01-{day:02}", "symbol": symbol}
        for day, row in enumerate(table(9).to_dict("records"), 1)
    ]
    (tmp_path / "a.json").write_text(json.dumps(rows), encoding="utf-8")
    with pytest.raises(MarketError) as caught:
        read_prices(str(tmp_path / "a.json"), tmp_path)
    # A lone half of a pair is no text at all to pandas.
    assert caught.value.code == ("unreadable_file" if symbol == "\ud800" else "bad_symbol")
    assert caught.value.sentence("en").isprintable()


def chart(title: str) -> alt.Chart:
    return alt.Chart(pd.DataFrame({"a": [1.0, 2.0]}), title=title).mark_point().encode(x="a:Q")


def test_a_name_from_an_old_record_is_drawn_harmlessly() -> None:
    title = "".join(map(chr, [*range(32), 127, 133, 0xD800, 0xFFFE, 0xFFFF])) + "\\u0001 name"
    drawn = picture(chart(title), ".svg").decode()
    assert "\ufffd" in drawn
    assert "\\u0001 name" in drawn
    template = "#let told = json(bytes(sys.inputs.data))\n#told"
    assert typeset(template, {}, title).startswith(b"%PDF")


def test_a_renderer_that_aborts_is_one_typed_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "_harmless", lambda data, ordered=False: json.dumps(data).encode())
    with pytest.raises(ReportError) as caught:
        picture(chart("a\x01"), ".png")
    assert (caught.value.code, caught.value.fields["reason"].code) == ("not_drawn", "child_died")
    assert picture(chart("a"), ".png").startswith(b"\x89PNG")


def bomb() -> bytes:
    """A small Parquet file that says of itself that it becomes more than a gigabyte."""
    written = io.BytesIO()
    zeros = pa.table({"close": np.zeros(150_000_000, dtype="int8")})
    pyarrow.parquet.write_table(zeros, written)
    return written.getvalue()


@pytest.fixture
def sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Dataset, Path]:
    """A dataset in a home that somebody else has written, whose tables no reader of this process may open."""
    known = register(made_up_prices(), symbol="MINE", timeframe="1h", home=tmp_path)
    monkeypatch.setattr(own_tables, "_vouched", {})

    def opened(*given: object, **more: object) -> None:
        raise AssertionError("read in this process")

    monkeypatch.setattr(pd, "read_parquet", opened)
    return known, tmp_path


def test_tables_of_a_home_that_somebody_sent_are_read_in_a_child(sent: tuple[Dataset, Path]) -> None:
    known, home = sent
    expected = made_up_prices().iloc[: known.development_rows]
    pd.testing.assert_frame_equal(load_development(known, home), expected, check_freq=False)
    path = home / "datasets" / f"{known.development_hash}.parquet"
    large = bomb()
    assert len(large) < 1_000_000
    for content in (large, b"PAR1" + b"\xff" * 200 + b"PAR1", b""):
        path.write_bytes(content)
        with pytest.raises(MarketError) as caught:
            load_development(known, home)
        assert caught.value.code == "damaged_dataset"
    (home / TRIALS).write_bytes(large)
    with pytest.raises(ReportError) as refused:
        run_tables.read_table(home, TRIALS)
    assert refused.value.code == "unreadable_record"


def test_what_this_process_wrote_is_read_here(tmp_path: Path) -> None:
    run_tables.write_table(table(), tmp_path / TRIALS)
    pd.testing.assert_frame_equal(run_tables.read_table(tmp_path, TRIALS), table(), check_freq=False)


def test_marks_that_swell_are_refused_before_they_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.marks.npz"
    np.savez_compressed(path, closing=np.zeros(LARGEST // 8 + 1, dtype=np.int64))
    assert path.stat().st_size < 1_000_000
    with pytest.raises(ValueError, match="too large"):
        Marks.read(path)


def test_one_child_serves_many_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever reads a data folder waits for the start of a child once, however many tables it holds."""
    begun = []
    start = bounded._Child.start
    monkeypatch.setattr(bounded._Child, "start", lambda module: begun.append(module) or start(module))
    for number in range(6):
        path = tmp_path / f"{number}.parquet"
        table().assign(number=number).to_parquet(path)
        assert (own_tables.read_own_table(path)["number"] == number).all()
    assert len(begun) <= 1
