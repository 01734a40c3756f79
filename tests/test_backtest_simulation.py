"""The rules of trading: hand-computed cases, and agreement with a slow simulator on generated ones."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pytest
import talib
from hypothesis import given, settings
from hypothesis import strategies as st

from backtest import BacktestResult, Costs, StrategySpec, run_backtest
from tests.backtest_reference import Terms, trade

# Signals travel in the volume column, as a sum: 1 enter long, 2 exit long, 4 enter short, 8 exit short.
PLACES = {"entry_long": 1, "exit_long": 2, "entry_short": 4, "exit_short": 8}


def condition(bit: int) -> str:
    return " or ".join(f"volume == {code}" for code in range(16) if code & bit)


def frame(bars: list[tuple[float, ...]], signals: list[int]) -> pd.DataFrame:
    index = pd.date_range("2024-01-01", periods=len(bars), freq="h", tz="UTC")
    table = pd.DataFrame(bars, columns=["open", "high", "low", "close"], index=index, dtype=float)
    table["volume"] = np.array(signals, dtype=float)
    return table


def scripted(**risk: Any) -> StrategySpec:
    return StrategySpec(
        name="scripted", risk=risk, **{place: condition(bit) for place, bit in PLACES.items()}
    )


def flat(price: float) -> tuple[float, float, float, float]:
    return price, price, price, price


@dataclass(frozen=True)
class Case:
    """One rule: bars and signals in; side, entry bar and price, exit bar and price, reason, bars held out."""

    name: str
    bars: list[tuple[float, float, float, float]]
    signals: list[int]
    trades: list[tuple[str, int, float, int, float, str, int]]
    fill: str = "next_open"
    risk: dict[str, Any] = field(default_factory=dict)
    costs: tuple[float, float] = (0.0, 0.0)
    final: float | None = None


CASES = [
    Case(
        "a signal trades at the next open",
        [flat(100), (102, 103, 101, 101), flat(105), (107, 108, 106, 106)],
        [1, 0, 2, 0],
        [("long", 1, 102.0, 3, 107.0, "signal", 2)],
        final=10_000 / 102 * 107,
    ),
    Case(
        "with fills at the close the signal's own close counts",
        [flat(100), (102, 103, 101, 101), flat(105), (107, 108, 106, 106)],
        [1, 0, 2, 0],
        [("long", 0, 100.0, 2, 105.0, "signal", 2)],
        fill="close",
        final=10_500.0,
    ),
    Case(
        "a gap through the stop fills at the open",
        [flat(100), flat(100), (90, 92, 89, 91), flat(91)],
        [1, 0, 0, 0],
        [("long", 1, 100.0, 2, 90.0, "stop", 2)],
        risk={"stop_loss_pct": 5.0},
        final=9_000.0,
    ),
    Case(
        "a gap through the target fills at the open",
        [flat(100), flat(100), (112, 113, 80, 111), flat(111)],
        [1, 0, 0, 0],
        [("long", 1, 100.0, 2, 112.0, "target", 2)],
        risk={"stop_loss_pct": 5.0, "take_profit_pct": 10.0},
        final=11_200.0,
    ),
    Case(
        "stop and target within one bar: the stop",
        [flat(100), flat(100), (100, 120, 90, 110), flat(110)],
        [1, 0, 0, 0],
        [("long", 1, 100.0, 2, 95.0, "stop", 2)],
        risk={"stop_loss_pct": 5.0, "take_profit_pct": 10.0},
        final=9_500.0,
    ),
    Case(
        "touching the target is enough",
        [flat(100), flat(100), (100, 110, 99, 105), flat(105)],
        [1, 0, 0, 0],
        [("long", 1, 100.0, 2, 110.0, "target", 2)],
        risk={"take_profit_pct": 10.0},
        final=11_000.0,
    ),
    Case(
        "the stop already works on the bar of the fill at the open",
        [flat(100), (100, 101, 94, 96), flat(96)],
        [1, 0, 0],
        [("long", 1, 100.0, 1, 95.0, "stop", 1)],
        risk={"stop_loss_pct": 5.0},
        final=9_500.0,
    ),
    Case(
        "a fill at the close is not exposed to its own bar",
        [(100, 100, 50, 100), flat(100), flat(100)],
        [1, 0, 0],
        [("long", 0, 100.0, 2, 100.0, "end_of_data", 2)],
        fill="close",
        risk={"stop_loss_pct": 5.0},
        final=10_000.0,
    ),
    Case(
        "an exit due at the open comes before the stop of that bar",
        [flat(100), flat(100), (101, 101, 90, 92), flat(92)],
        [1, 2, 0, 0],
        [("long", 1, 100.0, 2, 101.0, "signal", 1)],
        risk={"stop_loss_pct": 5.0},
        final=10_100.0,
    ),
    Case(
        "after a stop within the bar the same close may enter again",
        [flat(100), (100, 100, 94, 96), (97, 99, 96, 98), flat(98)],
        [1, 1, 0, 0],
        [("long", 1, 100.0, 1, 95.0, "stop", 1), ("long", 2, 97.0, 3, 98.0, "end_of_data", 2)],
        risk={"stop_loss_pct": 5.0},
        final=9_500 / 97 * 98,
    ),
    Case(
        "the trailing stop hangs from completed bars only",
        # Bar 2 reaches 120 and falls to 107: its stop is still 110 × 0.9 = 99. Bar 3 sees 120 × 0.9 = 108.
        [flat(100), (100, 110, 100, 109), (109, 120, 107, 118), (115, 116, 105, 106), flat(106)],
        [1, 0, 0, 0, 0],
        [("long", 1, 100.0, 3, 108.0, "trailing_stop", 3)],
        risk={"trailing_stop_pct": 10.0},
        final=10_800.0,
    ),
    Case(
        "before the first completed bar the trailing stop hangs from the fill",
        [flat(100), (100, 150, 89, 95), flat(95)],
        [1, 0, 0],
        [("long", 1, 100.0, 1, 90.0, "trailing_stop", 1)],
        risk={"trailing_stop_pct": 10.0},
        final=9_000.0,
    ),
    Case(
        "of two stops the tightest",
        [flat(100), (100, 101, 100, 101), (101, 101, 90, 91), flat(91)],
        [1, 0, 0, 0],
        [("long", 1, 100.0, 2, 95.0, "stop", 2)],
        risk={"trailing_stop_pct": 10.0, "stop_loss_pct": 5.0},
        final=9_500.0,
    ),
    Case(
        "a short's levels are mirrored",
        [flat(100), flat(100), (100, 104, 96, 100), (100, 106, 99, 105), flat(105)],
        [4, 0, 0, 0, 0],
        [("short", 1, 100.0, 3, 105.0, "stop", 3)],
        risk={"stop_loss_pct": 5.0, "take_profit_pct": 10.0},
        final=9_500.0,
    ),
    Case(
        "a short's trailing stop hangs from the lowest low",
        [flat(100), (100, 100, 80, 82), (82, 89, 81, 88), flat(88)],
        [4, 0, 0, 0],
        [("short", 1, 100.0, 2, 88.0, "trailing_stop", 2)],
        risk={"trailing_stop_pct": 10.0},
        final=11_200.0,
    ),
    Case(
        "an opposite entry reverses on one bar",
        [flat(100), flat(100), flat(110), flat(99), flat(99)],
        [1, 4, 0, 0, 0],
        [("long", 1, 100.0, 2, 110.0, "signal", 1), ("short", 2, 110.0, 4, 99.0, "end_of_data", 3)],
        final=12_100.0,
    ),
    Case(
        "exit and entry of the same side on one bar: out, and not in again",
        [flat(100), flat(100), flat(101), flat(102), flat(103)],
        [1, 3, 0, 0, 0],
        [("long", 1, 100.0, 2, 101.0, "signal", 1)],
        final=10_100.0,
    ),
    Case(
        "an entry whose exit is true on the same bar is not taken",
        [flat(100), flat(100), flat(101)],
        [3, 0, 0],
        [],
        final=10_000.0,
    ),
    Case(
        "long and short entries on one bar cancel out",
        [flat(100), flat(100), flat(101)],
        [5, 0, 0],
        [],
        final=10_000.0,
    ),
    Case(
        "a signal on the last bar opens nothing",
        [flat(100), flat(101)],
        [0, 1],
        [],
        final=10_000.0,
    ),
    Case(
        "a signal on the last bar opens nothing with fills at the close either",
        [flat(100), flat(101)],
        [0, 1],
        [],
        fill="close",
        costs=(10.0, 10.0),
        final=10_000.0,
    ),
    Case(
        "an exit signal on the last bar has no next open",
        [flat(100), flat(100), flat(101)],
        [1, 0, 2],
        [("long", 1, 100.0, 2, 101.0, "end_of_data", 2)],
        final=10_100.0,
    ),
    Case(
        "a position lives at most max_bars bars",
        [flat(100), flat(100), flat(101), flat(102), flat(103)],
        [1, 0, 0, 0, 0],
        [("long", 1, 100.0, 3, 102.0, "max_bars", 2)],
        risk={"max_bars": 2},
        final=10_200.0,
    ),
    Case(
        "max_bars with fills at the close, and no entry on the bar it ends",
        [flat(100), flat(100), flat(101), flat(102), flat(103)],
        [1, 1, 1, 0, 0],
        [("long", 0, 100.0, 2, 101.0, "max_bars", 2)],
        fill="close",
        risk={"max_bars": 2},
        final=10_100.0,
    ),
    Case(
        # 100 × 1.01 = 101 paid, units 10 000 / (101 × 1.001); 110 × 0.99 = 108.9 received less 0.1 %.
        "costs on both sides",
        [flat(100), flat(100), flat(105), flat(110)],
        [1, 0, 2, 0],
        [("long", 1, 101.0, 3, 108.9, "signal", 2)],
        costs=(10.0, 100.0),
        final=10_000 / (101 * 1.001) * 108.9 * 0.999,
    ),
    Case(
        # The stop is 2 % under 101, 98.98, and its fill slips a further 1 %.
        "stops are measured from the slipped fill and slip themselves",
        [flat(100), flat(100), (100, 100, 97, 97), flat(97)],
        [1, 0, 0, 0],
        [("long", 1, 101.0, 2, 98.98 * 0.99, "stop", 2)],
        risk={"stop_loss_pct": 2.0},
        costs=(0.0, 100.0),
        final=10_000 / 101 * 98.98 * 0.99,
    ),
    Case(
        # Short at 100 × 0.99 = 99, units 10 000 / (99 × 1.001), bought back at 90 × 1.01 = 90.9.
        "a short pays both fees out of cash",
        [flat(100), flat(100), flat(95), flat(90)],
        [4, 0, 8, 0],
        [("short", 1, 99.0, 3, 90.9, "signal", 2)],
        costs=(10.0, 100.0),
        final=10_000 + 10_000 / (99 * 1.001) * (99 - 90.9 - 0.001 * 99 - 0.001 * 90.9),
    ),
    Case(
        "a short that doubles is liquidated, and nothing is traded afterwards",
        [flat(100), flat(100), (150, 230, 150, 220), flat(220), flat(210)],
        [4, 0, 1, 4, 0],
        [("short", 1, 100.0, 2, 200.0, "liquidation", 2)],
        final=0.0,
    ),
    Case(
        "a gap beyond the whole account costs no more than the account",
        [flat(100), flat(100), flat(300), flat(220)],
        [4, 0, 0, 0],
        [("short", 1, 100.0, 2, 200.0, "liquidation", 2)],
        risk={"stop_loss_pct": 10.0},
        final=0.0,
    ),
    Case(
        "whole units leave the rest in cash",
        [flat(3_000), flat(3_000), flat(3_300)],
        [1, 0, 0],
        [("long", 1, 3_000.0, 2, 3_300.0, "end_of_data", 2)],
        risk={"whole_units": True},
        final=10_900.0,
    ),
    Case(
        "what is too dear for one whole unit is not bought",
        [flat(30_000), flat(30_000), flat(33_000)],
        [1, 0, 0],
        [],
        risk={"whole_units": True},
        final=10_000.0,
    ),
    Case(
        # True ranges of bars 1 and 2 are 2 and 4: the ATR over 2 at bar 2 is 3, the stop 100 - 2 × 3.
        "ATR levels use the ATR of the signal's bar",
        [
            flat(100),
            (100, 101, 99, 100),
            (100, 102, 98, 100),
            (100, 120, 99, 100),
            (100, 101, 93, 95),
            flat(95),
        ],
        [1, 0, 1, 0, 0, 0],
        [("long", 3, 100.0, 4, 94.0, "stop", 2)],
        risk={"stop_loss_atr": 2.0, "atr_period": 2},
        final=9_400.0,
    ),
    Case(
        "a bar without volume trades like any other",
        [flat(100), flat(100), flat(102)],
        [1, 0, 0],
        [("long", 1, 100.0, 2, 102.0, "end_of_data", 2)],
        final=10_200.0,
    ),
]


def shown(result: BacktestResult) -> list[tuple[Any, ...]]:
    table = result.trades
    places = {time: place for place, time in enumerate(result.all_times)}
    return [
        (row.side, places[row.entry_time], row.entry_price, places[row.exit_time], row.exit_price,
         row.exit_reason, row.bars)
        for row in table.itertuples()
    ]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_rule(case: Case) -> None:
    result = run_backtest(
        frame(case.bars, case.signals),
        scripted(**case.risk),
        costs=Costs(fee_bps=case.costs[0], slippage_bps=case.costs[1]),
        fill=case.fill,
    )
    found = shown(result)
    assert [row[:2] + row[3:4] + row[5:] for row in found] == [
        row[:2] + row[3:4] + row[5:] for row in case.trades
    ]
    for row, wanted in zip(found, case.trades, strict=True):
        assert (row[2], row[4]) == pytest.approx((wanted[2], wanted[4]), rel=1e-12)
    assert result.equity.iloc[-1] == pytest.approx(case.final, rel=1e-12, abs=1e-9)


def test_profits_add_up_to_the_change_of_the_account() -> None:
    case = next(case for case in CASES if case.name.startswith("an opposite entry"))
    result = run_backtest(frame(case.bars, case.signals), scripted(), costs=Costs(fee_bps=10, slippage_bps=5))
    assert result.trades["pnl"].sum() == pytest.approx(result.equity.iloc[-1] - 10_000, rel=1e-12)
    assert (result.trades["return"] - result.trades["pnl"] / (
        result.trades["size"] * result.trades["entry_price"]
    )).abs().max() < 1e-15  # fmt: skip


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[float, float, float, float]]:
    """Prices on a coarse grid with gaps, so that levels are often touched exactly, in one case out of two."""
    count = draw(st.integers(3, 40))
    tick = draw(st.sampled_from([1.0, 0.01]))
    price = draw(st.sampled_from([20, 100, 3_000])) * 1.0
    reach = max(tick, price * draw(st.sampled_from([0.01, 0.05, 0.3])))
    steps = int(reach / tick)
    bars = []
    for _ in range(count):
        opening = max(tick, price + draw(st.integers(-steps, steps)) * tick)
        close = max(tick, opening + draw(st.integers(-steps, steps)) * tick)
        high = max(opening, close) + draw(st.integers(0, steps)) * tick
        low = max(tick, min(opening, close) - draw(st.integers(0, steps)) * tick)
        low = min(low, opening, close)
        bars.append((opening, high, low, close))
        price = close
    return bars


def maybe(*values: float) -> st.SearchStrategy[float | None]:
    return st.sampled_from([None, *values])


@settings(max_examples=700, deadline=None)
@given(
    bars=histories(),
    codes=st.lists(st.sampled_from([0, 0, 0, *range(16)]), min_size=40, max_size=40),
    fill=st.sampled_from(["next_open", "close"]),
    fee=st.sampled_from([0.0, 10.0, 100.0]),
    slippage=st.sampled_from([0.0, 5.0, 100.0]),
    stop_pct=maybe(1.0, 5.0),
    target_pct=maybe(1.0, 10.0),
    trailing_pct=maybe(1.0, 7.5),
    stop_atr=maybe(0.5, 2.0),
    target_atr=maybe(1.0, 3.0),
    trailing_atr=maybe(0.5, 2.0),
    max_bars=maybe(1, 3),
    whole_units=st.booleans(),
    start=st.integers(0, 2),
)
def test_agrees_with_the_slow_simulator(
    bars: list[tuple[float, float, float, float]],
    codes: list[int],
    fill: str,
    fee: float,
    slippage: float,
    whole_units: bool,
    start: int,
    **levels: Any,
) -> None:
    codes = codes[: len(bars)]
    uses_atr = any(levels[name] for name in ("stop_atr", "target_atr", "trailing_atr"))
    atr: list[float | None] | None = None
    table = frame(bars, codes)
    if uses_atr:
        known = talib.ATR(table["high"].to_numpy(), table["low"].to_numpy(), table["close"].to_numpy(), 2)
        atr = [None if np.isnan(value) else float(value) for value in known]
    terms = Terms(
        fill=fill, fee=fee / 1e4, slippage=slippage / 1e4, whole_units=whole_units, start=start, **levels
    )
    asked = [{place for place, bit in PLACES.items() if code & bit} for code in codes]
    expected, equity = trade(bars, asked, terms, atr)
    result = run_backtest(
        table,
        scripted(
            stop_loss_pct=levels["stop_pct"],
            take_profit_pct=levels["target_pct"],
            trailing_stop_pct=levels["trailing_pct"],
            stop_loss_atr=levels["stop_atr"],
            take_profit_atr=levels["target_atr"],
            trailing_stop_atr=levels["trailing_atr"],
            atr_period=2 if uses_atr else None,
            max_bars=levels["max_bars"],
            whole_units=whole_units,
        ),
        costs=Costs(fee_bps=fee, slippage_bps=slippage),
        fill=fill,
        trade_from=table.index[start],
    )
    found = shown(result)
    assert [(row[0], row[1], row[3], row[5], row[6]) for row in found] == [
        (one["side"], one["entry_bar"], one["exit_bar"], one["exit_reason"], one["bars"]) for one in expected
    ]
    for column in ("entry_price", "exit_price", "size", "pnl"):
        np.testing.assert_allclose(
            result.trades[column], [one[column] for one in expected], rtol=1e-9, atol=1e-8
        )
    np.testing.assert_allclose(result.equity, equity, rtol=1e-9, atol=1e-8)
