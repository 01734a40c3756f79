"""A walk over all that a text file of prices can vary: what is read is what was written, or refused.

Separator × decimal mark × thousands × digits × names × encoding × layout of times × order × quoting.
Writers are Python's own csv and strftime. Where a file can mean one thing only it must be read; where it can
mean two it may be refused, by the two codes that ask for what is missing, and never read as the other.
"""

import csv
import io
from datetime import UTC

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from backtest import BacktestError
from prompts import text
from tests.laws import cases
from vault.errors import MarketError
from vault.readers.options import Reading
from vault.readers.prices import read_prices

NAMES = {
    "en": ["Date", "Open", "High", "Low", "Close", "Volume"],
    "small": ["timestamp", "open", "high", "low", "close", "volume"],
    "fr": ["Date", "Ouverture", "Plus haut", "Plus bas", "Clôture", "Volume"],
    "fr last": ["Date", "Ouv.", "+ Haut", "+ Bas", "Dernier", "Vol."],
    "de": ["Datum", "Eröffnung", "Hoch", "Tief", "Schluss", "Umsatz"],
    "brackets": ["<DATE>", "<OPEN>", "<HIGH>", "<LOW>", "<CLOSE>", "<VOL>"],
    "numbered": ["timestamp", "1. open", "2. high", "3. low", "4. close", "5. volume"],
}
FRENCH_MONTHS = [
    "janv.",
    "févr.",
    "mars",
    "avr.",
    "mai",
    "juin",
    "juil.",
    "août",
    "sept.",
    "oct.",
    "nov.",
    "déc.",
]
GERMAN_MONTHS = [
    "Januar",
    "Februar",
    "März",
    "April",
    "Mai",
    "Juni",
    "Juli",
    "August",
    "September",
    "Oktober",
    "November",
    "Dezember",
]


def epoch(unit):
    return lambda moment: str(
        pd.Timestamp(moment, tz=UTC).value // {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}[unit]
    )


def pattern(form):
    return lambda moment: moment.strftime(form)


def offset(moment):
    return pd.Timestamp(moment, tz="UTC").tz_convert("Europe/Paris").isoformat()


# name: (how a time is written, whether it has a clock, whether it tells UTC, order of day and month in doubt)
LAYOUTS = {
    "iso day": (pattern("%Y-%m-%d"), False, False, False),
    "iso": (pattern("%Y-%m-%dT%H:%M:%S"), True, False, False),
    "iso blank": (pattern("%Y-%m-%d %H:%M"), True, False, False),
    "iso Z": (pattern("%Y-%m-%dT%H:%M:%SZ"), True, True, False),
    "iso UTC": (pattern("%Y-%m-%d %H:%M:%S UTC"), True, True, False),
    "iso offset": (offset, True, True, False),
    "iso half": (pattern("%Y-%m-%d %I:%M %p"), True, False, False),
    "year slashes": (pattern("%Y/%m/%d %H:%M:%S"), True, False, False),
    "year dots": (pattern("%Y.%m.%d %H:%M"), True, False, False),
    "compact": (pattern("%Y%m%d %H%M%S"), True, False, False),
    "day slashes": (pattern("%d/%m/%Y"), False, False, True),
    "day slashes clock": (pattern("%d/%m/%Y %H:%M"), True, False, True),
    "day slashes h": (pattern("%d/%m/%Y %Hh%M"), True, False, True),
    "day dashes": (pattern("%d-%m-%Y %H:%M:%S"), True, False, True),
    "day dots": (pattern("%d.%m.%Y"), False, False, False),
    "day dots clock": (pattern("%d.%m.%Y %H:%M:%S.000"), True, False, False),
    "day short year": (pattern("%d/%m/%y"), False, False, True),
    "month slashes": (pattern("%m/%d/%Y"), False, False, True),
    "month slashes half": (pattern("%m/%d/%Y %I:%M %p"), True, False, True),
    "month dashes": (pattern("%m-%d-%Y"), False, False, True),
    "unpadded month": (lambda t: f"{t.month}/{t.day}/{t.year} {t.hour}:{t.minute:02d}", True, False, True),
    "unpadded day": (lambda t: f"{t.day}/{t.month}/{t.year}", False, False, True),
    "english": (pattern("%d %b %Y"), False, False, False),
    "english dashes": (pattern("%d-%b-%Y %H:%M"), True, False, False),
    "american": (pattern("%b %d, %Y"), False, False, False),
    "american long": (pattern("%B %d, %Y"), False, False, False),
    "french": (lambda t: f"{t.day} {FRENCH_MONTHS[t.month - 1]} {t.year}", False, False, False),
    "german": (lambda t: f"{t.day}. {GERMAN_MONTHS[t.month - 1]} {t.year}", False, False, False),
    "whole day": (pattern("%Y%m%d"), False, False, False),
    "whole minute": (pattern("%Y%m%d%H%M"), True, False, False),
    "whole second": (pattern("%Y%m%d%H%M%S"), True, False, False),
    "epoch s": (epoch("s"), True, True, False),
    "epoch ms": (epoch("ms"), True, True, False),
    "epoch us": (epoch("us"), True, True, False),
    "epoch ns": (epoch("ns"), True, True, False),
    "epoch float": (lambda t: f"{epoch('s')(t)}.0", True, True, False),
}
STEPS = {False: ["D", "B", "W-FRI", "MS"], True: ["1min", "30min", "h", "4h", "D", "B"]}
BLANKS = {"blank": " ", "no-break": "\u00a0", "narrow": "\u202f", "apostrophe": "'"}


@st.composite
def files(draw):
    """A table, and a file that holds it."""
    layout = draw(st.sampled_from(sorted(LAYOUTS)))
    write, clock, utc, doubtful_days = LAYOUTS[layout]
    rows = draw(st.integers(3, 40))
    start = draw(st.datetimes(pd.Timestamp("1985-01-01"), pd.Timestamp("2025-06-01"))).replace(
        second=0, microsecond=0
    )
    start = pd.Timestamp(start) if clock else pd.Timestamp(start).normalize()
    index = pd.date_range(start.floor("min"), periods=rows, freq=draw(st.sampled_from(STEPS[clock])))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    digits = draw(st.integers(0, 8))
    level = 10.0 ** draw(st.integers(max(-3, 2 - digits), 5))
    close = level * np.exp(np.cumsum(random.normal(0, 0.02, rows)))
    opened = np.concatenate([[close[0]], close[:-1]])
    prices = np.column_stack(
        [opened, np.maximum(opened, close) * 1.01, np.minimum(opened, close) * 0.99, close]
    )
    shown = [[f"{value:.{digits}f}" for value in row] for row in prices]
    mark = draw(st.sampled_from([".", ","]))
    separator = draw(st.sampled_from([",", ";", "\t", "|"]))
    thousands = draw(st.sampled_from([None, None, None, "other", *BLANKS]))
    # No country of decimal commas sets its cells apart by them, and MetaTrader and HistData know dots only.
    dots_only = separator == "," or layout in ("year dots", "compact", "whole day")
    assume(not (dots_only and mark == "," and thousands == "other"))
    assume(all(float(cell) > 0 for row in shown for cell in row))
    volumes = [f"{value:d}" for value in random.integers(0, 2_000_000, rows)]
    expected = pd.DataFrame(
        [[*map(float, row), float(volume)] for row, volume in zip(shown, volumes, strict=True)],
        columns=["open", "high", "low", "close", "volume"],
        index=index,
    )
    trimmed = draw(st.booleans()) and digits > 0
    other = "," if mark == "." else "."
    group = {None: "", "other": other, **BLANKS}[thousands]

    def cell(told):
        if trimmed and "." in told:
            told = told.rstrip("0").rstrip(".")
        whole, dot, part = told.partition(".")
        return f"{int(whole):,}".replace(",", group) + (mark + part if dot and part else "")

    body = [
        [write(moment.to_pydatetime()), *map(cell, row), cell(volume)]
        for moment, row, volume in zip(index, shown, volumes, strict=True)
    ]
    if draw(st.booleans()):
        body.reverse()
    names = draw(st.sampled_from([None, *NAMES]))
    quoting = draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
    stream = io.StringIO()
    writer = csv.writer(
        stream, delimiter=separator, quoting=quoting, lineterminator=draw(st.sampled_from(["\n", "\r\n"]))
    )
    if draw(st.booleans()) and separator == ";":
        stream.write("sep=;\r\n")
    elif draw(st.booleans()) and names is not None:
        stream.write("Source: an exchange\n")
    writer.writerows([NAMES[names], *body] if names else body)
    encodings = ["utf-8", "utf-8-sig", "utf-16"] + (["cp1252"] if group != "\u202f" else [])
    content = stream.getvalue().encode(draw(st.sampled_from(encodings)))
    # Two readings of a figure: a mark with three digits behind it everywhere, or nothing but groups. Where
    # prices have no mark, volumes tell.
    held = [cell for row in body for cell in row[1:5] if "," in cell or "." in cell]
    held = held or [row[5] for row in body if "," in row[5] or "." in row[5]]
    doubtful_figures = bool(held) and all(
        len(one.rpartition(sign)[2]) == 3 and len(one.partition(sign)[0]) <= 3
        for one in held
        for sign in ",."
        if sign in one
    )
    doubtful_days = doubtful_days and (index.day <= 12).all()
    return content, expected, utc, doubtful_figures, doubtful_days, layout


def attempt(path):
    """What a file holds, or the refusal."""
    try:
        return *read_prices(str(path), path.parent), None
    except (MarketError, BacktestError) as error:
        return None, None, error


@settings(
    max_examples=cases(20),
    deadline=None,
    derandomize=True,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.filter_too_much,
    ],
)
@given(files())
def test_what_is_read_is_what_was_written(tmp_path, file):
    content, expected, utc, doubtful_figures, doubtful_days, layout = file
    path = tmp_path / "prices.csv"
    path.write_bytes(content)
    found, source, error = attempt(path)
    if error is not None:
        doubts = {"unclear_decimal": doubtful_figures, "unclear_dates": doubtful_days}
        assert doubts.get(error.code), (layout, str(error), content[:300])
        for language in ("fr", "en"):
            assert text(f"market.error.{error.code}", language, **error.fields)
        return
    index = pd.DatetimeIndex(found.index)
    assert (index.tz is not None) == utc
    assert (index.tz_localize(None) == expected.index).all(), (layout, content[:300])
    np.testing.assert_array_equal(found.to_numpy(), expected.to_numpy())
    for notice in source.notices:
        for language in ("fr", "en"):
            assert text(f"market.notice.{notice.code}", language, **notice.fields)


DOUBT = "Date;Open;High;Low;Close\n" + "".join(f"0{n}/0{n + 1}/2024;1,5;1,75;1,25;1,5\n" for n in range(1, 5))


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("%d/%m/%Y", "2024-02-01 2024-03-02 2024-04-03 2024-05-04"),
        ("%m/%d/%Y", "2024-01-02 2024-02-03 2024-03-04 2024-04-05"),
    ],
)
def test_what_is_asked_for_settles_it(tmp_path, form, expected):
    (tmp_path / "a.csv").write_text(DOUBT, encoding="utf-8")
    with pytest.raises(MarketError) as caught:
        read_prices(str(tmp_path / "a.csv"), tmp_path)
    assert caught.value.code == "unclear_dates"
    found, _ = read_prices(str(tmp_path / "a.csv"), tmp_path, reading=Reading(time_format=form))
    assert (found.index == pd.DatetimeIndex(expected.split())).all()
    with pytest.raises(MarketError) as caught:
        read_prices(str(tmp_path / "a.csv"), tmp_path, reading=Reading(time_format="%d-%m-%Y"))
    assert (caught.value.code, caught.value.fields["row"]) == ("unmatched_format", 1)


@pytest.mark.parametrize(("mark", "expected"), [(",", 1.234), (".", 1234.0)])
def test_the_decimal_mark_settles_it(tmp_path, mark, expected):
    rows = "".join(f"2024-01-{day:02d};1,234;1,234;1,234;1,234\n" for day in range(1, 6))
    (tmp_path / "a.csv").write_text("Date;Open;High;Low;Close\n" + rows, encoding="utf-8")
    with pytest.raises(MarketError) as caught:
        read_prices(str(tmp_path / "a.csv"), tmp_path)
    assert caught.value.code == "unclear_decimal"
    found, _ = read_prices(str(tmp_path / "a.csv"), tmp_path, reading=Reading(decimal=mark))
    assert (found["close"] == expected).all()
