"""A lost account: told with its bar, without ratios, last in every ranking, and the end of every account.

Prices are violent, with bad wicks; positions are borrowed or short; every strategy trades nearly all the
time, so that many accounts are lost.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backtest import Costs, StrategySpec, run_backtest, sweep, sweep_to_parquet
from backtest.engine.ranking import best_first
from backtest.engine.sweep import configured
from backtest.kernels.simulation import METRICS
from backtest.validation.score import accept, folds_held, score, score_walk_forward
from backtest.validation.walk_forward import WalkForward, combinatorial_cross_validation, walk_forward
from tests.backtest_scripts import frame, scripted
from tests.laws import cases

RATIOS = ("sharpe_ratio", "sortino_ratio", "calmar_ratio")
PER_YEAR = 8_760.0


@dataclass(frozen=True, kw_only=True)
class Violent:
    """Prices and signals, what is swept on them and under which terms."""

    prices: pd.DataFrame
    spec: StrategySpec
    grid: dict[str, list[Any]]
    costs: Costs
    fill: Any

    @property
    def terms(self) -> dict[str, Any]:
        return {"costs": self.costs, "fill": self.fill, "periods_per_year": PER_YEAR}


def violent(
    seed: int,
    bars: int,
    reach: float,
    wicks: float,
    busy: float,
    grid: dict[str, list[Any]],
    rate: float = 0.0,
    **terms: Any,
) -> Violent:
    random = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(random.normal(0.0, reach, bars)))
    opening = np.concatenate([[100.0], close[:-1]])
    high, low = np.maximum(opening, close), np.minimum(opening, close)
    # Bad ticks of a feed: one bar's high or low is another order of magnitude.
    high = np.where(random.random(bars) < wicks, high * random.uniform(1.0, 8.0, bars), high)
    low = np.where(random.random(bars) < wicks, low / random.uniform(1.0, 8.0, bars), low)
    codes = np.where(random.random(bars) < busy, random.integers(0, 16, bars), 0)
    prices = frame(list(zip(opening, high, low, close, strict=True)), codes.tolist())
    if rate:
        prices["funding_rate"] = np.where(random.random(bars) < 0.3, random.normal(0.0, rate, bars), np.nan)
    return Violent(
        prices=prices,
        spec=scripted(),
        grid=grid,
        **terms,
    )


GRIDS = st.fixed_dictionaries(
    {"leverage": st.sampled_from([[1.0, 2.0, 9.0], [1.0, 3.0], [25.0, 100.0], [1.0]])},
    optional={
        "stop_loss_pct": st.sampled_from([[None, 2.0], [30.0]]),
        "side": st.sampled_from([["long", "short", "both"], ["short"]]),
        "whole_units": st.just([False, True]),
        "equity_pct": st.sampled_from([[None, 0.7], [1.0]]),
    },
)
COSTS = st.fixed_dictionaries(
    {},
    optional={
        "fee_bps": st.sampled_from([10.0, 300.0]),
        "fee_fixed": st.sampled_from([1.0, 900.0]),
        "slippage_bps": st.sampled_from([5.0, 100.0]),
        "borrow_bps_per_bar": st.sampled_from([-20.0, 100.0]),
        "interest_pct_per_year": st.sampled_from([200.0]),
        "funding_bps_per_8h": st.sampled_from([-100.0, 100.0]),
        "maintenance_margin_pct": st.sampled_from([0.5, 20.0]),
    },
)
CASES = st.builds(
    violent,
    seed=st.integers(0, 2**32),
    bars=st.integers(120, 300),
    reach=st.sampled_from([0.003, 0.02, 0.1]),
    wicks=st.sampled_from([0.0, 0.02, 0.1]),
    busy=st.sampled_from([0.02, 0.3, 0.9]),
    grid=GRIDS,
    rate=st.sampled_from([0.0, 0.001, 0.05]),
    costs=COSTS.map(lambda given: Costs(**given)),
    fill=st.sampled_from(["next_open", "close"]),
)
few = settings(max_examples=cases(20), deadline=None, suppress_health_check=[HealthCheck.too_slow])


def test_the_generator_loses_many_accounts_and_keeps_many() -> None:
    lost = kept = 0
    for seed in range(20):
        case = violent(
            seed, 150, 0.03, 0.02, 0.3, {"leverage": [1.0, 3.0, 9.0]}, costs=Costs(), fill="next_open"
        )
        found = sweep(case.prices, case.spec, case.grid, **case.terms)["account_lost"].notna()
        lost, kept = lost + int(found.sum()), kept + int((~found).sum())
    assert lost >= 15
    assert kept >= 15


def test_the_generator_has_accounts_too_small_for_one_unit_and_accounts_that_are_not() -> None:
    grid = {"whole_units": [False, True], "equity_pct": [None, 0.7]}
    case = violent(1, 150, 0.02, 0.0, 0.3, grid, costs=Costs(), fill="next_open")
    table = sweep(case.prices, case.spec, case.grid, **case.terms)
    refused = (table["entries_below_one_unit"] > 0).tolist()
    assert refused == (table["whole_units"] & table["equity_pct"].notna()).tolist() == [False] * 3 + [True]
    assert (table["n_trades"] > 0).tolist()[:3] == [True] * 3


@few
@given(case=CASES)
def test_a_row_of_a_sweep_tells_what_a_backtest_tells(case: Violent) -> None:
    table = sweep(case.prices, case.spec, case.grid, **case.terms)
    for _, row in table.iterrows():
        values = {name: None if _missing(row[name]) else row[name] for name in case.grid}
        result = run_backtest(case.prices, configured(case.spec, values), **case.terms)
        lost = result.account_lost
        assert (lost is None) == pd.isna(row["account_lost"])
        assert (lost is None) == (result.equity.iloc[-1] > 0.0)
        found = result.metrics.to_dict()
        for name in METRICS:
            assert (None if _missing(row[name]) else row[name]) == found[name], name
        assert row["entries_below_one_unit"] == result.entries_below_one_unit
        assert row["entries_unaffordable"] == result.entries_unaffordable
        if lost:
            assert lost.time == row["account_lost"] == case.prices.index[lost.bar]
            assert [found[name] for name in RATIOS] == [None] * 3
            assert (found["total_return"], found["max_drawdown"]) == (-1.0, -1.0)
            # Nothing is traded after, and nothing is left.
            last = result.trades.iloc[-1]
            assert (last["exit_time"], last["exit_price"]) == (lost.time, lost.price)
            assert last["exit_reason"] == "liquidation"
            assert (result.equity[lost.time :] == 0.0).all()
            assert (result.equity[: lost.time].iloc[:-1] > 0.0).all()
            assert score(result, case.prices["close"]).value == 0.0


@few
@given(case=CASES, rank_by=st.sampled_from(METRICS))
def test_no_lost_account_stands_above_one_that_survived(
    case: Violent, rank_by: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    table = sweep(case.prices, case.spec, case.grid, **case.terms)
    file = tmp_path_factory.mktemp("sweep") / "all.parquet"
    top = sweep_to_parquet(
        case.prices, case.spec, case.grid, file, **case.terms, rank_by=rank_by, top=1_000
    ).top
    pd.testing.assert_frame_equal(pd.read_parquet(file), table)
    for ranked in (best_first(table, rank_by), top):
        lost = ranked["account_lost"].notna().to_numpy()
        assert (np.diff(lost.astype(int)) >= 0).all()
        values = ranked[rank_by][~lost].dropna()
        assert values.is_monotonic_decreasing
    assert len(best_first(table, rank_by)) == len(table)
    assert int(top["account_lost"].notna().sum()) == int(table["account_lost"].notna().sum())


@few
@given(case=CASES, rank_by=st.sampled_from(METRICS), plateau=st.booleans(), data=st.data())
def test_a_walk_forward_ends_where_its_account_is_lost(
    case: Violent, rank_by: str, plateau: bool, data: st.DataObject
) -> None:
    grid = data.draw(st.sampled_from([case.grid, None]))
    folds = data.draw(st.integers(1, 6))
    found = walk_forward(
        case.prices, case.spec, grid, **case.terms, folds=folds, embargo=1, rank_by=rank_by, plateau=plateau,
        settle=True,
    )  # fmt: skip
    for one in found.folds:
        fold = one.fold
        if grid:
            table = sweep(
                case.prices.iloc[: fold.train_stop],
                case.spec,
                grid,
                **case.terms,
                trade_from=case.prices.index[fold.train_start],
            )
            survived = table[table["account_lost"].isna()]
            if one.fitted:
                assert one.train is not None
                assert one.train.total_return > -1.0
            else:
                assert not survived[rank_by].notna().any()
    _one_account(found, case)
    whole = run_backtest(case.prices, found.spec, **case.terms)
    scored = score_walk_forward(found, whole, case.prices["close"])
    if found.account_lost or whole.account_lost:
        assert scored.value == 0.0


def _one_account(found: WalkForward, case: Violent) -> None:
    """Walk the folds' equity curves as one purse, by hand."""
    purse, lost, returns, trades = 10_000.0, None, [], 0
    for one in found.folds:
        equity = one.test.equity
        if lost is not None:
            returns += [0.0] * len(equity)
            continue
        before = 10_000.0
        for time, value in equity.items():
            returns.append(value / before - 1.0 if before > 0.0 else 0.0)
            if value <= 0.0 and lost is None:
                lost = time
            before = value
        purse *= equity.iloc[-1] / 10_000.0
        trades += len(one.test.trades)
    np.testing.assert_allclose(found.returns.to_numpy(), returns, rtol=1e-9, atol=1e-12)
    assert math.isclose(found.metrics.total_return, purse / 10_000.0 - 1.0, rel_tol=1e-9, abs_tol=1e-12)
    assert found.metrics.n_trades == trades
    assert (None if found.account_lost is None else found.account_lost.time) == lost
    if lost is not None:
        assert found.account_lost is not None
        assert found.account_lost.bar == case.prices.index.get_loc(lost)
        assert [getattr(found.metrics, name) for name in RATIOS] == [None] * 3
        assert found.efficiency is None


@few
@given(case=CASES, data=st.data())
def test_a_path_of_a_cross_validation_ends_where_its_account_is_lost(
    case: Violent, data: st.DataObject
) -> None:
    grid = data.draw(st.sampled_from([case.grid, None]))
    found = combinatorial_cross_validation(case.prices, case.spec, grid, **case.terms, embargo=1)
    for path, ratio in zip(found.paths, found.sharpes, strict=True):
        grown = np.cumprod(1.0 + path)
        gone = np.flatnonzero(grown <= 0.0)
        if gone.size:
            assert (path[gone[0] + 1 :] == 0.0).all()
            assert ratio is None
        else:
            assert ratio is not None


def flat(closes: list[float]) -> pd.DataFrame:
    """Bars that open, stand and close at one price."""
    index = pd.date_range("2022-01-01", periods=len(closes), freq="D", name="time")
    return pd.DataFrame(
        {name: closes for name in ("open", "high", "low", "close")} | {"volume": 1.0}, index=index
    )


SHORT = StrategySpec(name="s", params={}, entry_short="close > 0")


def test_a_walk_forward_over_a_squeeze() -> None:
    closes = [100.0] * 200 + [100 * 1.1**i for i in range(20)] + [100.0] * 220
    found = walk_forward(flat(closes), SHORT)
    assert found.account_lost is not None
    # Twice the price takes a short of the whole account: 1.1**8 = 2.14 is the first close above.
    assert found.account_lost.bar == 208
    assert found.metrics.total_return == -1.0


def test_a_short_squeezed_out_has_no_sharpe_ratio() -> None:
    closes = [100, 100, 100, 195, 170, 170, 210, 210, 100, 100, 100, 100]
    opening = [100, *closes[:-1]]
    prices = flat([float(one) for one in closes])
    prices["open"] = np.array(opening, dtype=float)
    prices["high"] = prices[["open", "close"]].max(axis=1)
    prices["low"] = prices[["open", "close"]].min(axis=1)
    result = run_backtest(prices, SHORT)
    assert result.account_lost is not None
    assert (result.account_lost.bar, result.account_lost.price) == (6, 200.0)
    assert result.metrics.sharpe_ratio is None


def test_a_variant_that_loses_its_account_is_never_adopted() -> None:
    folds = (1.0, 2.0, 1.5)
    gone = (1.0, None, None)
    lost = accept(
        0.0, 0.0, folds_held(gone, gone), 3, p_value=0.0, side_by_side=1, more_conditions=0, lost=True
    )
    assert (lost.accepted, lost.reason) == (False, "account_lost")
    # What survives holds every fold in which the champion had nothing left to trade with.
    saved = accept(3.0, 0.0, folds_held(folds, gone), 3, p_value=0.0, side_by_side=1, more_conditions=0)
    assert (saved.accepted, saved.folds_held) == (True, 3)
    losing = accept(
        3.0, 0.0, folds_held((1.0, -2.0, -3.0), gone), 3, p_value=0.0, side_by_side=1, more_conditions=0
    )
    assert (losing.accepted, losing.folds_held) == (True, 3)


def test_what_is_lost_is_written_to_a_file_of_any_timezone(tmp_path: Path) -> None:
    case = violent(1, 150, 0.1, 0.1, 0.9, {"leverage": [1.0, 25.0]}, costs=Costs(), fill="next_open")
    prices = case.prices.tz_convert("Europe/Paris")
    found = sweep_to_parquet(prices, case.spec, case.grid, tmp_path / "all.parquet", **case.terms)
    written = pd.read_parquet(found.path)["account_lost"]
    assert written.dtype == prices.index.dtype
    assert written.notna().any()


def _missing(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)
