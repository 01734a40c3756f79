"""What a person gives to a Python function by mistake: one sentence in their language, nothing counted."""

import pandas as pd
import pytest

import threadx
from backtest import Costs
from base.errors import TypedError
from tests.prices import made_up_prices

PRICES = made_up_prices(300, cycle=0.05)
EVERY = ("backtest", "sweep", "optimize", "review")
MISTAKES = [
    *(({"strategy": wrong}, EVERY) for wrong in (5, {"entry_long": "close > 1"}, ["ma_crossover"])),
    *(({"params": wrong}, EVERY) for wrong in ("fast_period", 5, [("fast_period", 5)])),
    *(({"costs": wrong}, ("backtest", "sweep")) for wrong in ({"fee_bps": 10}, 10)),
    *(({"grid": wrong}, ("sweep",)) for wrong in ("fast_period", 5, [3, 4])),
    *(({"grid": {"fast_period": wrong}}, ("sweep",)) for wrong in (5, "3,4")),
    *(({"watch": wrong}, ("optimize", "review")) for wrong in (5, "print")),
    *(({"decide": 5}, ("optimize",)), ({"others": "a.csv"}, ("optimize",)), ({"run": 7}, ("optimize",))),
    *(({"whole": 1}, ("backtest",)), ({"initial_capital": True}, ("backtest",)), ({"home": 5}, EVERY)),
    *(({"data": wrong}, EVERY) for wrong in (PRICES["close"], PRICES.to_numpy(), {"close": [1.0]}, 5)),
]
MISSPELT = [
    ("optimize", "symbl", "symbol"),
    ("optimize", "progess", "progress"),
    ("optimize", "max_iteration", "max_iterations"),
    ("optimize", "time_formt", "time_format"),
    ("backtest", "strateg", "strategy"),
    ("sweep", "grids", "grid"),
    ("summarize", "asof", "as_of"),
    ("read_prices", "simbol", "symbol"),
    ("check", "file", "files"),
]


@pytest.mark.parametrize("language", ["fr", "en"])
@pytest.mark.parametrize(
    ("wrong", "name"), [(wrong, name) for wrong, names in MISTAKES for name in names], ids=str
)
def test_another_kind_of_value_is_told_in_one_line(tmp_path, monkeypatch, wrong, name, language):
    monkeypatch.setenv("THREADX_LANGUAGE", language)
    given = {"data": PRICES, "home": tmp_path, **wrong}
    with pytest.raises(TypedError) as caught:
        getattr(threadx, name)(given.pop("data"), **given)
    told = str(caught.value)
    (argument,) = wrong
    assert told.startswith(argument) or "fast_period" in told
    assert len(told.splitlines()) == 1
    assert len(told) < 250
    assert not list(tmp_path.iterdir()), "nothing was registered"


@pytest.mark.parametrize(("name", "wrong", "right"), MISSPELT)
def test_a_misspelt_argument_is_told_with_the_nearest(tmp_path, name, wrong, right):
    first = () if name == "summarize" else ("sample:sp500",)
    with pytest.raises(TypedError) as caught:
        getattr(threadx, name)(*first, **{wrong: "x"})
    assert caught.value.fields == {"name": wrong, "nearest": right}


def test_an_error_before_the_graph_begins_speaks_the_language_of_the_call(tmp_path):
    with pytest.raises(TypedError) as caught:
        threadx.optimize("nowhere.csv", home=tmp_path, language="en")
    assert str(caught.value).startswith("File not found")


def test_what_is_right_passes(tmp_path):
    assert threadx.backtest(PRICES, "ma_crossover", {"fast_period": 4}, costs=Costs(), home=tmp_path)
    assert len(threadx.sweep(PRICES, grid={"fast_period": range(3, 6)}, home=str(tmp_path))) == 3
    assert isinstance(threadx.read_prices(PRICES)[0], pd.DataFrame)
