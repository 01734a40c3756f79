"""A function of the language is one entry: what it says is what the engine does; half an entry is refused."""

from __future__ import annotations

import importlib

import numpy as np
import pytest

from backtest.data.arrays import PriceArrays
from backtest.data.clock import Clock
from backtest.engine import derived
from backtest.engine.bank import IndicatorBank
from backtest.language import functions
from backtest.language.contradiction import bounds
from backtest.language.entry import PRICE_RANGE, Entry, Group, Image, Label, collected, period
from backtest.language.functions import FUNCTIONS, GROUPS, usage
from backtest.language.parser import parse
from backtest.language.tree import Call, Node, Number, Series, bind, walk
from base.entries import EntryError
from tests.prices import made_up_prices

NUMBERS = sorted(name for name, entry in FUNCTIONS.items() if not entry.condition)
# Of others the image depends on what they are given: `test_mirror` turns prices upside down for them.
PLAIN = [
    name
    for name in NUMBERS
    if FUNCTIONS[name].mirrored.kind in ("price", "alike", "move", "share", "size")
    and all(argument.kind != "condition" for argument in FUNCTIONS[name].arguments)
]
MIDPRICE = {
    "name": "midprice",
    "label": Label("middle of the range", "milieu de l’amplitude"),
    "arguments": (period(14),),
    "inputs": ("high", "low"),
    "warm_up": "period - 1",
    "image": Image("price"),
    "range": PRICE_RANGE,
    "formula": "(highest high + lowest low) / 2 of `period` bars",
    "example": "midprice(14) > midprice(50)",
    "source": "TA-Lib MIDPRICE",
}


def bank(*, mirrored: bool = False) -> tuple[IndicatorBank, float]:
    """Made-up prices, or the same turned upside down, and the price about which they are."""
    frame = made_up_prices(600, cycle=0.05)
    columns = [frame[name].to_numpy(dtype=np.float64) for name in ("open", "high", "low", "close", "volume")]
    centre = float(frame["close"].median())
    if mirrored:
        first, high, low, last, volume = columns
        columns = [2 * centre - first, 2 * centre - low, 2 * centre - high, 2 * centre - last, volume]
    return IndicatorBank(PriceArrays(*columns), Clock(frame.index)), centre


def called(name: str) -> Call:
    """A function with its defaults, a period of 10 and the close where it has none."""
    given = []
    for argument in FUNCTIONS[name].arguments:
        plain: dict[str, Node] = {"period": Number(10.0), "condition": parse("close > open")}
        other = Series("open" if argument.name in ("b", "other") else "close")
        given.append(argument.default or plain.get(argument.kind, other))
    return Call(name, tuple(given))


@pytest.mark.parametrize("field", ["label", "warm_up", "image", "range", "formula", "example", "source"])
def test_half_an_entry_is_refused_by_its_name(field: str) -> None:
    half = {key: value for key, value in MIDPRICE.items() if key != field}
    with pytest.raises(EntryError, match=f"^midprice: {field} not said"):
        Entry(**half)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"image": Image("price", opposite="atr")}, "atr is not its opposite"),
        ({"image": Image("price", opposite="nothing")}, "nothing is not its opposite"),
        ({"image": Image("alike")}, "needs a series in front"),
        ({"not_below": ("sma",)}, "sma cannot bound it"),
        ({"warm_up": "length - 1"}, "warm_up 'length - 1'"),
        ({"phrases": ("average",)}, "'average' already means sma"),
        ({"name": "sma"}, "two entries of this name"),
    ],
)
def test_an_entry_that_contradicts_itself_or_others_is_refused_by_its_name(
    wrong: dict[str, object], told: str
) -> None:
    name = wrong.get("name", "midprice")
    with pytest.raises(EntryError, match=f"^{name}: .*{told}"):
        collected((*GROUPS, Group(title=Label("New", "Nouveau"), entries=(Entry(**{**MIDPRICE, **wrong}),))))


def test_an_entry_without_a_rule_is_refused_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(functions.FUNCTIONS, "midprice", Entry(**MIDPRICE))
    with pytest.raises(EntryError, match=r"^midprice: "):
        importlib.reload(derived)
    monkeypatch.undo()
    importlib.reload(derived)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_example_of_an_entry_can_be_written_and_uses_it(name: str) -> None:
    tree = bind(parse(FUNCTIONS[name].example), {})
    assert name in {node.function for node in walk(tree) if isinstance(node, Call)}


@pytest.mark.parametrize("name", NUMBERS)
def test_values_stay_where_the_entry_says(name: str) -> None:
    entry, node = FUNCTIONS[name], called(name)
    held, _ = bank()
    values = held.varying(node)
    known = ~np.isnan(values)
    low, high = bounds(node)
    assert known.any()
    assert (values[known] >= low - 1e-9).all()
    assert (values[known] <= high + 1e-9).all()
    given = dict(zip((argument.name for argument in entry.arguments), node.arguments, strict=True))
    for bound, sign in [(one, 1) for one in entry.not_below] + [(one, -1) for one in entry.not_above]:
        other = given.get(bound) or (Call(bound, node.arguments) if bound in FUNCTIONS else Series(bound))
        gap = sign * (values - held.varying(other))
        assert np.nanmin(gap) >= -1e-9, bound


@pytest.mark.parametrize("name", PLAIN)
def test_the_image_is_what_is_computed_on_prices_turned_upside_down(name: str) -> None:
    """Ratios to a price and `mfi` are mirrored as moves and shares: not exact, as the mirror's text says."""
    entry, node = FUNCTIONS[name], called(name)
    image = entry.mirrored
    plain, centre = bank()
    turned, _ = bank(mirrored=True)
    values = plain.varying(node)
    across = turned.varying(Call(image.opposite or name, node.arguments))
    wanted = {
        "price": 2 * centre - values,
        "alike": 2 * centre - values,
        "move": -values,
        "share": image.total - values,
        "size": values,
    }[image.kind]
    if name == "obv":  # it begins with the first bar's volume, whichever way is up
        wanted, across = np.diff(wanted), np.diff(across)
    if name.startswith("supertrend"):  # its first trend counts as down on both
        turns = [np.diff(one.varying(called("supertrend_direction"))) for one in (plain, turned)]
        first = max(int(np.flatnonzero(np.nan_to_num(turn))[0]) for turn in turns) + 1
        wanted, across = wanted[first:], across[first:]
    both = ~np.isnan(wanted) & ~np.isnan(across)
    assert both.sum() > 100
    if name in ("roc", "percent_change", "trix"):
        assert (np.sign(across[both]) == np.sign(wanted[both])).all()
    elif name == "natr":
        ranges = [one * held.column("close") for one, held in ((across, turned), (wanted, plain))]
        np.testing.assert_allclose(ranges[0][both], ranges[1][both])
    elif name == "mfi":
        assert np.corrcoef(across[both], wanted[both])[0, 1] > 0.5
    else:
        np.testing.assert_allclose(across[both], wanted[both], rtol=1e-6, atol=1e-6)


def test_a_reader_is_told_of_every_function_in_both_languages() -> None:
    for language in ("fr", "en"):
        told = functions.reference(language)
        assert all(name in told for name in FUNCTIONS)
    assert usage("macd") == "macd(series=close, fast=12, slow=26, signal=9)"
