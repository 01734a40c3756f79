"""The law of the grid: a row of a sweep is the backtest of its configuration; what one refuses both refuse.

Conditions are made of few atoms, so that operands repeat, nest, are negated, and stand on several sides;
parameters may have any name, those of settings, costs, metrics and functions among them; grids go over
anything; some prices have bars that were made up where there were none.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from backtest import (
    BacktestError,
    Costs,
    StrategyError,
    StrategySpec,
    run_backtest,
    sweep,
    validate_prices,
)
from backtest.engine.batch import DROPPED
from backtest.engine.possible import never_true
from backtest.engine.ranking import ACCOUNT_LOST
from backtest.engine.sweep import grid_axes
from backtest.kernels.simulation import METRICS
from backtest.language.contradiction import check_possible
from backtest.language.functions import FUNCTIONS
from backtest.language.parser import parse
from backtest.language.tree import Node, bind, parameters
from backtest.types import COST_BOUNDS, Bounds, Risk, Sizing
from backtest.validation.walk_forward import walk_forward
from prompts import text
from tests.laws import cases

CONDITIONS = ("entry_long", "exit_long", "entry_short", "exit_short")
PLAIN_NAMES = ("n", "m", "fast", "level", "x2")
TAKEN_NAMES = (
    *[*Risk.model_fields, *Sizing.model_fields, "side"] * 3,
    *COST_BOUNDS,
    *METRICS,
    ACCOUNT_LOST,
    *FUNCTIONS,
)
PERIODS = (2, 3, 5, 8)

# Each with two places for a period and one for a level: a parameter or a number.
ATOMS = (
    "close > sma(close, {p})",
    "close > sma(close, {p})[1]",
    "crosses_above(sma(close, {p}), sma(close, {q}))",
    "crosses_below(sma(close, {p}), sma(close, {q}))",
    "sma(close, {p}) > sma(close, {q})",
    "rsi(close, {p}) < {v}",
    "rsi(close, {p}) > 10 * {v}",
    "close < {v} * lowest(low, {p})[{q}]",
    "close > close[{p}]",
    "highest(close, {p}) > highest(close, {p} - {q} + 2)",
    "low < bollinger_lower(close, {p}, {v} / 4)",
    "rising(close, {q})",
    "hour < {v} * 3",
    "hour >= {v}",
    'at("4h", close > sma(close, {p}))',
    "macd(close, {p}, {q}, 3) > 0",
    "volume > 0",
)
SETTINGS: dict[str, tuple[Any, ...]] = {
    "stop_loss_pct": (None, 0.5, 2.0),
    "take_profit_pct": (None, 1.0),
    "trailing_stop_pct": (None, 1.5),
    "stop_loss_atr": (None, 1.0, 0.1 + 0.2),
    "take_profit_atr": (None, 2.0),
    "trailing_stop_atr": (None, 2.5),
    "atr_period": (None, 3, 40),
    "max_bars": (None, 1, 7),
    "break_even_pct": (None, 0.5),
    "cooldown_bars": (None, 1, 6),
    "equity_pct": (None, 40.0),
    "fixed_amount": (None, 900.0),
    "risk_per_trade_pct": (None, 1.0),
    "volatility_target_pct": (None, 20.0),
    "volatility_period": (None, 4, 90),
    "leverage": (None, 2.0),
    "whole_units": (False, True),
}
TERMS: tuple[tuple[Costs, Any], ...] = (
    (Costs(), "next_open"),
    (Costs(), "close"),
    (Costs(fee_bps=5, slippage_bps=3, slippage_atr=0.05, maintenance_margin_pct=1), "next_open"),
    (Costs(fee_fixed=2, spread_bps=4, borrow_bps_per_bar=2), "close"),
)


def history(seed: int, bars: int, lost: int) -> pd.DataFrame:
    """Hourly bars on a coarse grid of prices; where some are lost, bars are made up for them."""
    random = np.random.default_rng(seed)
    moves = np.round(random.normal(0, 0.6, (3, bars)) * 4) / 4
    close = np.maximum(5.0, 100.0 + np.cumsum(moves[0]))
    opening = np.maximum(5.0, np.concatenate(([100.0], close[:-1])) + moves[1])
    df = pd.DataFrame(
        {
            "open": opening,
            "high": np.maximum(opening, close) + np.abs(moves[2]),
            "low": np.minimum(opening, close) - np.minimum(np.abs(moves[2]), 1.0),
            "close": close,
            "volume": random.integers(0, 3, bars).astype(float),
        },
        index=pd.date_range("2024-01-01", periods=bars, freq="h", tz="UTC"),
    )
    if not lost:
        return df
    places = 3 + random.choice(bars - 6, size=lost, replace=False)
    places = np.unique(np.concatenate([places, places[1:] + 1, places[1:] + 2]))
    return validate_prices(df.drop(df.index[places]), gaps="fill")


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A strategy as it is written, and a grid over it."""

    fields: Mapping[str, Any]
    grid: Mapping[str, list[Any]]
    terms: int
    seed: int
    bars: int
    lost: int

    @property
    def prices(self) -> pd.DataFrame:
        return history(self.seed, self.bars, self.lost)


def alone(asked: Asked, values: Mapping[str, Any]) -> StrategySpec:
    """One configuration written down by itself, as somebody would who knows no grid."""
    side = values.get("side", "both")
    heard = [place for place in CONDITIONS if place in asked.fields and side in ("both", place[-len(side) :])]
    fields: dict[str, Any] = {place: asked.fields[place] for place in heard}
    words = " ".join(fields.values())
    params = {
        **asked.fields["params"],
        **{name: values[name] for name in asked.fields["params"] if name in values},
    }
    # The sides that are not traded take the parameters that only they use with them.
    fields["params"] = {name: value for name, value in params.items() if f"<{name}>" in marked(words, params)}
    for kind, model in (("risk", Risk), ("sizing", Sizing)):
        fields[kind] = {**asked.fields[kind]}
        fields[kind] |= {
            name: value for name, value in values.items() if name in model.model_fields and name not in params
        }
    return StrategySpec(name="alone", **fields)


def marked(words: str, names: Mapping[str, Any]) -> str:
    """The words with every parameter in angle brackets."""
    found = "".join(one if one.isalnum() or one == "_" else f" {one} " for one in words).split()
    return " ".join(f"<{one}>" if one in names else one for one in found)


@st.composite
def asked(draw: st.DrawFn, names: tuple[str, ...] = PLAIN_NAMES) -> Asked:
    chosen = draw(st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True))
    number = st.sampled_from([*chosen, *chosen, *map(str, PERIODS)])
    level = st.sampled_from([*chosen, "1", "4", "8"])
    atom = st.builds(
        lambda text, p, q, v: text.format(p=p, q=q, v=v), st.sampled_from(ATOMS), number, number, level
    )
    atoms = draw(st.lists(atom, min_size=1, max_size=3, unique=True))
    condition = st.recursive(
        st.sampled_from(atoms),
        lambda below: st.one_of(
            st.lists(below, min_size=2, max_size=4).map(lambda parts: f"({' and '.join(parts)})"),
            st.lists(below, min_size=2, max_size=3).map(lambda parts: f"({' or '.join(parts)})"),
            below.map(lambda part: f"not ({part})"),
        ),
        max_leaves=5,
    )
    places = draw(
        st.sampled_from([CONDITIONS, CONDITIONS[:2], CONDITIONS[2:], CONDITIONS[:1], CONDITIONS[::2]])
    )
    fields: dict[str, Any] = {place: draw(condition) for place in places}
    used = marked(" ".join(fields.values()), dict.fromkeys(chosen))
    params = {name: draw(st.sampled_from(PERIODS)) for name in chosen if f"<{name}>" in used}
    fields["params"] = params
    values = {name: st.just([1, 2, 3, 5, 8, 13]) for name in params}
    risk = draw(few(Risk.model_fields, 3))
    sizing = draw(few(Sizing.model_fields, 2))
    fields |= {"risk": risk, "sizing": sizing}
    axes = draw(
        st.lists(st.sampled_from([*values] * 6 + [*SETTINGS, "side"]), min_size=1, max_size=3, unique=True)
    )
    sides = ["long"] * (places[0] == "entry_long") + ["short"] * ("entry_short" in places)
    grid: dict[str, list[Any]] = {}
    for name in axes:
        known = (
            (1, 2, 3, 5, 8, 13)
            if name in params
            else (*sides, "both")[: 3 if len(sides) > 1 else 1]
            if name == "side"
            else SETTINGS[name]
        )
        grid[name] = draw(st.lists(st.sampled_from(known), min_size=1, max_size=3, unique=True))
    return Asked(
        fields=fields,
        grid=grid,
        terms=draw(st.integers(0, len(TERMS) - 1)),
        seed=draw(st.integers(0, 2**20)),
        bars=draw(st.sampled_from([14, 60, 150])),
        lost=draw(st.sampled_from([0, 0, 2])),
    )


def few(fields: Mapping[str, Any], most: int) -> st.SearchStrategy[dict[str, Any]]:
    names = st.lists(
        st.sampled_from([name for name in fields if name in SETTINGS]), max_size=most, unique=True
    )
    return names.flatmap(
        lambda some: st.fixed_dictionaries({name: st.sampled_from(SETTINGS[name]) for name in some})
    )


def made(one: Asked) -> StrategySpec | None:
    """The strategy, or None where it is refused as it stands."""
    try:
        return StrategySpec(name="asked", **one.fields)
    except StrategyError as error:
        event(f"refused: {error.code}")
        return None


def check_law(one: Asked) -> None:
    spec = made(one)
    if spec is None:
        return
    costs, fill = TERMS[one.terms]
    prices = one.prices
    expected: list[tuple[dict[str, Any], dict[str, Any]]] = []
    refused: Counter[str] = Counter()
    for place in itertools.product(*one.grid.values()):
        values = dict(zip(one.grid, place, strict=True))
        try:
            result = run_backtest(prices, alone(one, values), costs, fill)
        except BacktestError as error:
            refused[error.code] += 1
            continue
        expected.append((values, result.metrics.to_dict()))
    try:
        table = sweep(prices, spec, one.grid, costs, fill)
    except BacktestError as error:
        code = error.code
    else:
        code = None
    if code is not None:
        event(f"sweep refused: {code}")
        # Nothing is left, or one value, or the data, is wrong by itself.
        assert code in refused or (code == "empty_grid" and not expected), refused
        return
    event(f"dropped: {sorted(refused)}")
    assert table.attrs["dropped_by"] == dict(refused)
    assert table.attrs["dropped"] == refused.total()
    rows = table.to_dict("records")
    assert len(rows) == len(expected)
    for row, (values, metrics) in zip(rows, expected, strict=True):
        for metric, value in metrics.items():
            assert (pd.isna(row[metric]) and value is None) or row[metric] == value, (values, metric)
        for name, value in values.items():
            shown = getattr(Risk(), name, getattr(Sizing(), name, None)) if value is None else value
            assert (pd.isna(row[name]) and shown is None) or row[name] == pytest.approx(shown), name


@settings(max_examples=cases(45), deadline=None)
@given(asked())
def test_a_row_is_the_backtest_of_its_configuration(one: Asked) -> None:
    check_law(one)


@settings(max_examples=cases(15), deadline=None)
@given(asked(names=TAKEN_NAMES))
def test_whatever_parameters_are_called(one: Asked) -> None:
    check_law(one)


@settings(max_examples=cases(30), deadline=None)
@given(asked(), st.lists(st.sampled_from([-2, -0.5, 0, 1, 2, 3, 7.5, 25, 100]), min_size=2, unique=True))
def test_conditions_that_are_never_true_are_known_without_asking_of_each(
    one: Asked, levels: list[float]
) -> None:
    fields = dict(one.fields)
    names = list(fields.pop("params"))
    for place in CONDITIONS:
        if place not in fields:
            continue
        tree = parse(fields[place], names)
        axes = {name: levels for name in names if name in parameters(tree)}
        found = never_true(tree, {}, axes).tolist()
        for impossible, values in zip(found, itertools.product(*axes.values()), strict=True):
            try:
                bound = bind(tree, dict(zip(axes, values, strict=True)))
            except StrategyError:
                assert not impossible  # it is refused for another reason
                continue
            if axes:
                assert impossible == refuses(bound), values


def refuses(bound: Node) -> bool:
    try:
        check_possible(bound)
    except StrategyError:
        return True
    return False


@pytest.mark.parametrize("name", sorted({*TAKEN_NAMES} - {*FUNCTIONS}))
def test_a_name_that_means_something_else_is_refused_in_words(name: str) -> None:
    with pytest.raises(StrategyError) as caught:
        StrategySpec(name="x", params={name.upper(): 5}, entry_long=f"close > sma(close, {name})")
    assert caught.value.code == "taken_name"
    for language in ("fr", "en"):
        line = text("backtest.error.taken_name", language, **caught.value.fields)
        assert name in line
        assert f"own_{name}" in line
    renamed = f"own_{name}"
    StrategySpec(name="x", params={renamed: 5}, entry_long=f"close > sma(close, {renamed})")


def test_every_reason_to_drop_a_combination_has_words() -> None:
    for code in DROPPED:
        assert "7" in text(f"command.dropped.{code}", "fr", count="7")
        assert "7" in text(f"command.dropped.{code}", "en", count="7")


@settings(max_examples=cases(15), deadline=None)
@given(asked(), st.sampled_from(METRICS), st.booleans())
def test_a_walk_forward_chooses_by_any_metric(one: Asked, rank_by: str, plateau: bool) -> None:
    spec = made(one)
    if spec is None:
        return
    costs, fill = TERMS[one.terms]
    prices = history(one.seed, 200, one.lost)
    try:
        table = sweep(prices, spec, one.grid, costs, fill)
    except BacktestError:
        return
    walked = walk_forward(
        prices, spec, one.grid, costs, fill, folds=2, rank_by=rank_by, plateau=plateau, settle=True
    )
    kept = [
        alone(one, {name: None if pd.isna(row[name]) else row[name] for name in one.grid}).hash
        for row in table.to_dict("records")
    ]
    for fold in walked.folds:
        assert fold.spec.hash in kept or not fold.fitted


NUMBERS = st.decimals(min_value="0.1", max_value="20", places=3).map(float)


@settings(max_examples=cases(30), deadline=None)
@given(NUMBERS, NUMBERS, st.integers(-6, 6))
def test_a_number_means_the_same_however_arithmetic_came_to_it(
    level: float, stop: float, digits: int
) -> None:
    def noisy(value: float) -> Any:
        for _ in range(abs(digits)):
            value = np.nextafter(value, np.inf * np.sign(digits))
        return np.float64(value)

    def spec(level: float, stop: float) -> StrategySpec:
        return StrategySpec(
            name="x",
            params={"level": level},
            entry_long=f"rsi(close, 3) > level and close > {level!r} * open",
            risk={"stop_loss_pct": stop},
            sizing={"fixed_amount": 100 * level},
        )

    plainly, as_reckoned = spec(level, stop), spec(float(noisy(level)), noisy(stop))
    assert as_reckoned == plainly
    assert as_reckoned.hash == plainly.hash
    assert Costs(fee_bps=noisy(level)) == Costs(fee_bps=level)
    grids = [
        {"level": [one], "stop_loss_pct": [other]}
        for one, other in ((level, stop), map(noisy, (level, stop)))
    ]
    assert grid_axes(plainly, grids[0]) == grid_axes(plainly, grids[1])


def test_ranges_of_numpy_are_the_numbers_meant() -> None:
    spec = StrategySpec(
        name="x",
        params={"level": 0.5},
        entry_long="zscore(close, 5) < level",
        param_bounds={"level": Bounds(low=-1.0, high=1.0, step=0.1, integer=False)},
    )
    grid = {"level": np.arange(-1, 1.05, 0.1), "stop_loss_pct": np.arange(0.1, 0.55, 0.1)}
    assert grid_axes(spec, grid) == {
        "level": [round(step / 10, 1) for step in range(-10, 11)],
        "stop_loss_pct": [0.1, 0.2, 0.3, 0.4, 0.5],
    }


def test_hashes_on_record_stay() -> None:
    """As the version before numbers were rounded made them."""
    assert (
        StrategySpec.preset("ma_crossover", fast_period=7, stop_loss_pct=2.35, leverage=1.5).hash
        == "3579986ed3a14f25"
    )
    assert (
        StrategySpec.preset(
            "bollinger_atr", deviations=2.25, entry_zscore=0.3, trailing_stop_atr=0.7, equity_pct=33.3
        ).hash
        == "6c690cba0e63a185"
    )
    assert (
        StrategySpec(
            name="x",
            params={"n": 5, "level": 0.123456},
            entry_long="close > 1.02 * sma(close, n) and rsi(close, 14) < 0.3 + level",
        ).hash
        == "73be441328804af3"
    )


@pytest.mark.parametrize(
    ("name", "value", "meant"),
    [
        ("fee_bps", 0.001, "10"),
        ("slippage_bps", 0.0005, "5"),
        ("spread_bps", 0.0002, "2"),
        ("maintenance_margin_pct", 0.005, "0.5"),
    ],
)
def test_a_fraction_where_basis_points_are_asked_is_questioned(name: str, value: float, meant: str) -> None:
    with pytest.raises(StrategyError) as caught:
        Costs(**{name: value})
    assert caught.value.code == "fraction_likely"
    for language, told in (("fr", meant.replace(".", ",")), ("en", meant)):
        assert told in text("backtest.error.fraction_likely", language, **caught.value.fields)
    assert getattr(Costs(**{name: float(meant)}), name) == float(meant)
    assert getattr(Costs(**{name: 0}), name) == 0.0
