"""The rules of trading, held by cases computed by hand; comments give the arithmetic.

`tests/backtest/test_agreement.py` generates the rest.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from backtest import Costs, run_backtest
from tests.backtest_scripts import Row, frame, scripted, shown


def flat(price: float) -> tuple[float, float, float, float]:
    return price, price, price, price


@dataclass(frozen=True, kw_only=True)
class Case:
    """One rule: bars and signals (1 enter long, 2 exit long, 4 enter short, 8 exit short, or their sum) in;
    side, entry bar and price, exit bar and price, reason, bars held, and the account at the end out.
    """

    name: str
    bars: list[tuple[float, float, float, float]]
    signals: list[int]
    trades: list[Row]
    final: float
    fill: Any = "next_open"
    risk: dict[str, Any] = field(default_factory=dict)
    sizing: dict[str, Any] = field(default_factory=dict)
    costs: dict[str, float] = field(default_factory=dict)
    sizes: list[float] | None = None
    equity: list[float] | None = None
    periods_per_year: float | None = None


CASES = [
    Case(
        name="a signal trades at the next open",
        bars=[flat(100), (102, 103, 101, 101), flat(105), (107, 108, 106, 106)],
        signals=[1, 0, 2, 0],
        trades=[("long", 1, 102.0, 3, 107.0, "signal", 2)],
        final=10_000 / 102 * 107,
    ),
    Case(
        name="with fills at the close the signal's own close counts",
        bars=[flat(100), (102, 103, 101, 101), flat(105), (107, 108, 106, 106)],
        signals=[1, 0, 2, 0],
        trades=[("long", 0, 100.0, 2, 105.0, "signal", 2)],
        fill="close",
        final=10_500.0,
    ),
    Case(
        name="an exit is not heard before its bars are over, and holds no entry back",
        bars=[flat(100), flat(100), flat(101), flat(102), flat(103), flat(104)],
        signals=[3, 2, 2, 2, 2, 2],
        trades=[("long", 1, 100.0, 4, 103.0, "signal", 3)],
        risk={"exit_after_bars": 3},
        final=10_300.0,
    ),
    Case(
        name="an exit is heard from a gain on",
        bars=[flat(100), flat(100), flat(101), flat(102), flat(101), flat(101)],
        signals=[1, 2, 2, 2, 2, 0],
        trades=[("long", 1, 100.0, 4, 101.0, "signal", 3)],
        risk={"exit_above_pct": 2.0},
        final=10_100.0,
    ),
    Case(
        name="a short's exit is heard from a loss on, and an opposite entry always is",
        bars=[*map(flat, (100, 100, 99, 102, 103, 103, 103, 102, 102))],
        signals=[4, 8, 8, 8, 0, 4, 1, 0, 0],
        trades=[
            ("short", 1, 100.0, 4, 103.0, "signal", 3),
            ("short", 6, 103.0, 7, 102.0, "signal", 1),
            ("long", 7, 102.0, 8, 102.0, "end_of_data", 2),
        ],
        risk={"exit_below_pct": -2.0},
        final=9_700.0 + 9_700.0 / 103,
    ),
    Case(
        name="a gap through the stop fills at the open",
        bars=[flat(100), flat(100), (90, 92, 89, 91), flat(91)],
        signals=[1, 0, 0, 0],
        trades=[("long", 1, 100.0, 2, 90.0, "stop", 2)],
        risk={"stop_loss_pct": 5.0},
        final=9_000.0,
    ),
    Case(
        name="a gap through the target fills at the open",
        bars=[flat(100), flat(100), (112, 113, 80, 111), flat(111)],
        signals=[1, 0, 0, 0],
        trades=[("long", 1, 100.0, 2, 112.0, "target", 2)],
        risk={"stop_loss_pct": 5.0, "take_profit_pct": 10.0},
        final=11_200.0,
    ),
    Case(
        name="stop and target within one bar: the stop",
        bars=[flat(100), flat(100), (100, 120, 90, 110), flat(110)],
        signals=[1, 0, 0, 0],
        trades=[("long", 1, 100.0, 2, 95.0, "stop", 2)],
        risk={"stop_loss_pct": 5.0, "take_profit_pct": 10.0},
        final=9_500.0,
    ),
    Case(
        name="touching the target is enough",
        bars=[flat(100), flat(100), (100, 110, 99, 105), flat(105)],
        signals=[1, 0, 0, 0],
        trades=[("long", 1, 100.0, 2, 110.0, "target", 2)],
        risk={"take_profit_pct": 10.0},
        final=11_000.0,
    ),
    Case(
        name="the stop already works on the bar of the fill at the open",
        bars=[flat(100), (100, 101, 94, 96), flat(96)],
        signals=[1, 0, 0],
        trades=[("long", 1, 100.0, 1, 95.0, "stop", 1)],
        risk={"stop_loss_pct": 5.0},
        final=9_500.0,
    ),
    Case(
        name="a fill at the close is not exposed to its own bar",
        bars=[(100, 100, 50, 100), flat(100), flat(100)],
        signals=[1, 0, 0],
        trades=[("long", 0, 100.0, 2, 100.0, "end_of_data", 2)],
        fill="close",
        risk={"stop_loss_pct": 5.0},
        final=10_000.0,
    ),
    Case(
        name="an exit due at the open comes before the stop of that bar",
        bars=[flat(100), flat(100), (101, 101, 90, 92), flat(92)],
        signals=[1, 2, 0, 0],
        trades=[("long", 1, 100.0, 2, 101.0, "signal", 1)],
        risk={"stop_loss_pct": 5.0},
        final=10_100.0,
    ),
    Case(
        name="after a stop within the bar the same close may enter again",
        bars=[flat(100), (100, 100, 94, 96), (97, 99, 96, 98), flat(98)],
        signals=[1, 1, 0, 0],
        trades=[("long", 1, 100.0, 1, 95.0, "stop", 1), ("long", 2, 97.0, 3, 98.0, "end_of_data", 2)],
        risk={"stop_loss_pct": 5.0},
        final=9_500 / 97 * 98,
    ),
    Case(
        name="the trailing stop hangs from completed bars only",
        # Bar 2 reaches 120 and falls to 107: its stop is still 110 × 0.9 = 99. Bar 3 sees 120 × 0.9 = 108.
        bars=[flat(100), (100, 110, 100, 109), (109, 120, 107, 118), (115, 116, 105, 106), flat(106)],
        signals=[1, 0, 0, 0, 0],
        trades=[("long", 1, 100.0, 3, 108.0, "trailing_stop", 3)],
        risk={"trailing_stop_pct": 10.0},
        final=10_800.0,
    ),
    Case(
        name="before the first completed bar the trailing stop hangs from the fill",
        bars=[flat(100), (100, 150, 89, 95), flat(95)],
        signals=[1, 0, 0],
        trades=[("long", 1, 100.0, 1, 90.0, "trailing_stop", 1)],
        risk={"trailing_stop_pct": 10.0},
        final=9_000.0,
    ),
    Case(
        name="of two stops the tightest",
        bars=[flat(100), (100, 101, 100, 101), (101, 101, 90, 91), flat(91)],
        signals=[1, 0, 0, 0],
        trades=[("long", 1, 100.0, 2, 95.0, "stop", 2)],
        risk={"trailing_stop_pct": 10.0, "stop_loss_pct": 5.0},
        final=9_500.0,
    ),
    Case(
        name="a short's levels are mirrored",
        bars=[flat(100), flat(100), (100, 104, 96, 100), (100, 106, 99, 105), flat(105)],
        signals=[4, 0, 0, 0, 0],
        trades=[("short", 1, 100.0, 3, 105.0, "stop", 3)],
        risk={"stop_loss_pct": 5.0, "take_profit_pct": 10.0},
        final=9_500.0,
    ),
    Case(
        name="a short's trailing stop hangs from the lowest low",
        bars=[flat(100), (100, 100, 80, 82), (82, 89, 81, 88), flat(88)],
        signals=[4, 0, 0, 0],
        trades=[("short", 1, 100.0, 2, 88.0, "trailing_stop", 2)],
        risk={"trailing_stop_pct": 10.0},
        final=11_200.0,
    ),
    Case(
        name="an opposite entry reverses on one bar",
        bars=[flat(100), flat(100), flat(110), flat(99), flat(99)],
        signals=[1, 4, 0, 0, 0],
        trades=[("long", 1, 100.0, 2, 110.0, "signal", 1), ("short", 2, 110.0, 4, 99.0, "end_of_data", 3)],
        final=12_100.0,
    ),
    Case(
        name="exit and entry of the same side on one bar: out, and not in again",
        bars=[flat(100), flat(100), flat(101), flat(102), flat(103)],
        signals=[1, 3, 0, 0, 0],
        trades=[("long", 1, 100.0, 2, 101.0, "signal", 1)],
        final=10_100.0,
    ),
    Case(
        name="an entry whose exit is true on the same bar is not taken",
        bars=[flat(100), flat(100), flat(101)],
        signals=[3, 0, 0],
        trades=[],
        final=10_000.0,
    ),
    Case(
        name="long and short entries on one bar cancel out",
        bars=[flat(100), flat(100), flat(101)],
        signals=[5, 0, 0],
        trades=[],
        final=10_000.0,
    ),
    Case(
        name="a signal on the last bar opens nothing",
        bars=[flat(100), flat(101)],
        signals=[0, 1],
        trades=[],
        final=10_000.0,
    ),
    Case(
        name="a signal on the last bar opens nothing with fills at the close either",
        bars=[flat(100), flat(101)],
        signals=[0, 1],
        trades=[],
        fill="close",
        costs={"fee_bps": 10.0, "slippage_bps": 10.0},
        final=10_000.0,
    ),
    Case(
        name="an exit signal on the last bar has no next open",
        bars=[flat(100), flat(100), flat(101)],
        signals=[1, 0, 2],
        trades=[("long", 1, 100.0, 2, 101.0, "end_of_data", 2)],
        final=10_100.0,
    ),
    Case(
        name="a position lives at most max_bars bars",
        bars=[flat(100), flat(100), flat(101), flat(102), flat(103)],
        signals=[1, 0, 0, 0, 0],
        trades=[("long", 1, 100.0, 3, 102.0, "max_bars", 2)],
        risk={"max_bars": 2},
        final=10_200.0,
    ),
    Case(
        name="max_bars with fills at the close, and no entry on the bar it ends",
        bars=[flat(100), flat(100), flat(101), flat(102), flat(103)],
        signals=[1, 1, 1, 0, 0],
        trades=[("long", 0, 100.0, 2, 101.0, "max_bars", 2)],
        fill="close",
        risk={"max_bars": 2},
        final=10_100.0,
    ),
    Case(
        # 100 × 1.01 = 101 paid, units 10 000 / (101 × 1.001); 110 × 0.99 = 108.9 received less 0.1 %.
        name="costs on both sides",
        bars=[flat(100), flat(100), flat(105), flat(110)],
        signals=[1, 0, 2, 0],
        trades=[("long", 1, 101.0, 3, 108.9, "signal", 2)],
        costs={"fee_bps": 10.0, "slippage_bps": 100.0},
        final=10_000 / (101 * 1.001) * 108.9 * 0.999,
    ),
    Case(
        # The stop is 2 % under 101, 98.98, and its fill slips a further 1 %.
        name="stops are measured from the slipped fill and slip themselves",
        bars=[flat(100), flat(100), (100, 100, 97, 97), flat(97)],
        signals=[1, 0, 0, 0],
        trades=[("long", 1, 101.0, 2, 98.98 * 0.99, "stop", 2)],
        risk={"stop_loss_pct": 2.0},
        costs={"slippage_bps": 100.0},
        final=10_000 / 101 * 98.98 * 0.99,
    ),
    Case(
        # Short at 100 × 0.99 = 99, units 10 000 / (99 × 1.001), bought back at 90 × 1.01 = 90.9.
        name="a short pays both fees out of cash",
        bars=[flat(100), flat(100), flat(95), flat(90)],
        signals=[4, 0, 8, 0],
        trades=[("short", 1, 99.0, 3, 90.9, "signal", 2)],
        costs={"fee_bps": 10.0, "slippage_bps": 100.0},
        final=10_000 + 10_000 / (99 * 1.001) * (99 - 90.9 - 0.001 * 99 - 0.001 * 90.9),
    ),
    Case(
        name="a short that doubles is liquidated, and nothing is traded afterwards",
        bars=[flat(100), flat(100), (150, 230, 150, 220), flat(220), flat(210)],
        signals=[4, 0, 1, 4, 0],
        trades=[("short", 1, 100.0, 2, 200.0, "liquidation", 2)],
        final=0.0,
    ),
    Case(
        name="a gap beyond the whole account costs no more than the account",
        bars=[flat(100), flat(100), flat(300), flat(220)],
        signals=[4, 0, 0, 0],
        trades=[("short", 1, 100.0, 2, 200.0, "liquidation", 2)],
        risk={"stop_loss_pct": 10.0},
        final=0.0,
    ),
    Case(
        name="whole units leave the rest in cash",
        bars=[flat(3_000), flat(3_000), flat(3_300)],
        signals=[1, 0, 0],
        trades=[("long", 1, 3_000.0, 2, 3_300.0, "end_of_data", 2)],
        sizing={"whole_units": True},
        final=10_900.0,
    ),
    Case(
        name="what is too dear for one whole unit is not bought",
        bars=[flat(30_000), flat(30_000), flat(33_000)],
        signals=[1, 0, 0],
        trades=[],
        sizing={"whole_units": True},
        final=10_000.0,
    ),
    Case(
        # True ranges of bars 1 and 2 are 2 and 4: the ATR over 2 at bar 2 is 3, the stop 100 - 2 × 3.
        name="ATR levels use the ATR of the signal's bar",
        bars=[
            flat(100),
            (100, 101, 99, 100),
            (100, 102, 98, 100),
            (100, 120, 99, 100),
            (100, 101, 93, 95),
            flat(95),
        ],
        signals=[1, 0, 1, 0, 0, 0],
        trades=[("long", 3, 100.0, 4, 94.0, "stop", 2)],
        risk={"stop_loss_atr": 2.0, "atr_period": 2},
        final=9_400.0,
    ),
    Case(
        name="a bar without volume trades like any other",
        bars=[flat(100), flat(100), flat(102)],
        signals=[1, 0, 0],
        trades=[("long", 1, 100.0, 2, 102.0, "end_of_data", 2)],
        final=10_200.0,
    ),
    # Break-even
    Case(
        name="a completed bar far enough in profit moves the stop to the fill price",
        # Bar 1 reaches 104, bar 2 reaches 105 and may still fall below 100: its own stop has not moved yet.
        bars=[flat(100), (100, 104, 99, 103), (103, 105, 99, 104), (104, 104, 98, 99), flat(99)],
        signals=[1, 0, 0, 0, 0],
        trades=[("long", 1, 100.0, 3, 100.0, "stop", 3)],
        risk={"break_even_pct": 5.0},
        final=10_000.0,
    ),
    Case(
        name="a gap through the break-even stop fills at the open",
        bars=[flat(100), (100, 105, 100, 104), (97, 98, 96, 97), flat(97)],
        signals=[1, 0, 0, 0],
        trades=[("long", 1, 100.0, 2, 97.0, "stop", 2)],
        risk={"break_even_pct": 5.0},
        final=9_700.0,
    ),
    Case(
        name="a short's break-even is mirrored",
        bars=[flat(100), (100, 101, 96, 97), (97, 101, 97, 100), flat(103)],
        signals=[4, 0, 0, 0],
        trades=[("short", 1, 100.0, 2, 100.0, "stop", 2)],
        risk={"break_even_pct": 4.0},
        final=10_000.0,
    ),
    Case(
        name="break-even is measured from the slipped fill, and slips itself",
        # Bought at 101; 5 % beyond is 106.05, so 106 is not enough and 107 is. Sold at 101 × 0.99 = 99.99.
        bars=[flat(100), (100, 106, 100, 104), (104, 107, 100, 104), (104, 104, 100, 100), flat(100)],
        signals=[1, 0, 0, 0, 0],
        trades=[("long", 1, 101.0, 3, 99.99, "stop", 3)],
        risk={"break_even_pct": 5.0},
        costs={"slippage_bps": 100.0},
        final=10_000 / 101 * 99.99,
    ),
    Case(
        name="of break-even and a trailing stop the tightest",
        # 110 less 3 % is 106.7, above the fill price.
        bars=[flat(100), (100, 110, 100, 109), (109, 109, 105, 106), flat(106)],
        signals=[1, 0, 0, 0],
        trades=[("long", 1, 100.0, 2, 106.7, "trailing_stop", 2)],
        risk={"break_even_pct": 2.0, "trailing_stop_pct": 3.0},
        final=10_670.0,
    ),
    # Cool-down
    Case(
        name="for two bars after an exit, its own included, signals open nothing",
        bars=[flat(100), (100, 100, 94, 96), flat(96), flat(97), flat(98), flat(99)],
        signals=[1, 1, 1, 1, 0, 0],
        trades=[("long", 1, 100.0, 1, 95.0, "stop", 1), ("long", 4, 98.0, 5, 99.0, "end_of_data", 2)],
        risk={"stop_loss_pct": 5.0, "cooldown_bars": 2},
        final=9_500 / 98 * 99,
    ),
    Case(
        name="with a cool-down an opposite entry only closes",
        # Out at the open of bar 2: the signals of bars 1 and 2 come too early, that of bar 3 counts.
        bars=[flat(100), flat(100), flat(110), flat(108), flat(108), flat(99)],
        signals=[1, 4, 4, 4, 0, 0],
        trades=[
            ("long", 1, 100.0, 2, 110.0, "signal", 1),
            ("short", 4, 108.0, 5, 99.0, "end_of_data", 2),
        ],
        risk={"cooldown_bars": 1},
        final=11_000 + 11_000 / 108 * 9,
    ),
    Case(
        name="a cool-down with fills at the close",
        bars=[flat(100), flat(110), flat(110), flat(99)],
        signals=[1, 4, 4, 0],
        trades=[
            ("long", 0, 100.0, 1, 110.0, "signal", 1),
            ("short", 2, 110.0, 3, 99.0, "end_of_data", 1),
        ],
        fill="close",
        risk={"cooldown_bars": 1},
        final=12_100.0,
    ),
    # Leverage, liquidation, margin
    Case(
        # 400 units for 40 000, of which 30 000 are lent: at 75 they are worth no more than that.
        name="a leveraged long is liquidated where its debt takes all",
        bars=[flat(100), (100, 100, 76, 90), (90, 92, 70, 80), flat(120), flat(130)],
        signals=[1, 0, 1, 1, 0],
        trades=[("long", 1, 100.0, 2, 75.0, "liquidation", 2)],
        sizing={"leverage": 4.0},
        sizes=[400.0],
        equity=[10_000.0, 6_000.0, 0.0, 0.0, 0.0],
        final=0.0,
    ),
    Case(
        # 4 × 10 000 / (100 × (1 + 4 × 1 %)) units; the fee leaves 10 000 / 1.04, a quarter of what they cost.
        # The debt is 75 a unit, and 75 / 0.99 less 1 % pays it back.
        name="liquidation counts the fee of the exit",
        bars=[flat(100), flat(100), (90, 92, 75.7, 80), flat(120)],
        signals=[1, 0, 0, 0],
        trades=[("long", 1, 100.0, 2, 75 / 0.99, "liquidation", 2)],
        sizing={"leverage": 4.0},
        costs={"fee_bps": 100.0},
        sizes=[40_000 / 104],
        final=0.0,
    ),
    Case(
        name="a gap beyond a long's liquidation costs no more than the account",
        bars=[flat(100), flat(100), (60, 70, 50, 60), flat(60)],
        signals=[1, 0, 0, 0],
        trades=[("long", 1, 100.0, 2, 75.0, "liquidation", 2)],
        sizing={"leverage": 4.0},
        final=0.0,
    ),
    Case(
        name="a gap through a stop and beyond liquidation is a liquidation",
        bars=[flat(100), flat(100), (60, 70, 50, 60), flat(60)],
        signals=[1, 0, 0, 0],
        trades=[("long", 1, 100.0, 2, 75.0, "liquidation", 2)],
        risk={"stop_loss_pct": 10.0},
        sizing={"leverage": 4.0},
        final=0.0,
    ),
    Case(
        # 400 × 90 - 30 000
        name="a stop nearer than liquidation goes first",
        bars=[flat(100), flat(100), (95, 95, 70, 80), flat(60)],
        signals=[1, 0, 0, 0],
        trades=[("long", 1, 100.0, 2, 90.0, "stop", 2)],
        risk={"stop_loss_pct": 10.0},
        sizing={"leverage": 4.0},
        final=6_000.0,
    ),
    Case(
        # At 93.75 the 400 units are worth 37 500, less 30 000 of debt: 7 500, 20 % of them. That trades on:
        # 4 × 7 500 / 100 = 300 units.
        name="below the maintenance margin the position is liquidated, and the rest trades on",
        bars=[flat(100), flat(100), (95, 95, 90, 91), flat(100), flat(100), flat(101)],
        signals=[1, 0, 0, 1, 0, 0],
        trades=[
            ("long", 1, 100.0, 2, 93.75, "liquidation", 2),
            ("long", 4, 100.0, 5, 101.0, "end_of_data", 2),
        ],
        sizing={"leverage": 4.0},
        costs={"maintenance_margin_pct": 20.0},
        sizes=[400.0, 300.0],
        final=7_800.0,
    ),
    Case(
        # 400 × 85 - 30 000
        name="a gap below the maintenance margin fills at the open",
        bars=[flat(100), flat(100), (85, 86, 84, 85), flat(100)],
        signals=[1, 0, 0, 0],
        trades=[("long", 1, 100.0, 2, 85.0, "liquidation", 2)],
        sizing={"leverage": 4.0},
        costs={"maintenance_margin_pct": 20.0},
        final=4_000.0,
    ),
    Case(
        # 100 units sold at 100; at 160 the account holds 4 000, 25 % of 16 000.
        name="a short's maintenance margin",
        bars=[flat(100), flat(100), (150, 170, 140, 150), flat(150)],
        signals=[4, 0, 0, 0],
        trades=[("short", 1, 100.0, 2, 160.0, "liquidation", 2)],
        costs={"maintenance_margin_pct": 25.0},
        final=4_000.0,
    ),
    Case(
        # Five times the account leaves exactly 20 % of margin.
        name="what would begin at its liquidation is not opened",
        bars=[flat(100), flat(100), flat(120)],
        signals=[1, 4, 0],
        trades=[],
        sizing={"leverage": 5.0},
        costs={"maintenance_margin_pct": 20.0},
        final=10_000.0,
    ),
    # Borrowing
    Case(
        # 1 % of 100 units at 100, 90 and 80: 270 in all; the bar at whose open it ends is not paid for.
        name="a short pays for borrowing at each close it lives to see",
        bars=[flat(100), flat(100), flat(90), flat(80), flat(80)],
        signals=[4, 0, 0, 8, 0],
        trades=[("short", 1, 100.0, 4, 80.0, "signal", 3)],
        costs={"borrow_bps_per_bar": 100.0},
        equity=[10_000.0, 9_900.0, 10_810.0, 11_730.0, 11_730.0],
        final=11_730.0,
    ),
    Case(
        name="with fills at the close borrowing is paid from the next bar on, the bar of the exit included",
        bars=[flat(100), flat(100), flat(90), flat(90)],
        signals=[4, 0, 8, 0],
        trades=[("short", 0, 100.0, 2, 90.0, "signal", 2)],
        fill="close",
        costs={"borrow_bps_per_bar": 100.0},
        equity=[10_000.0, 9_900.0, 10_810.0, 10_810.0],
        final=10_810.0,
    ),
    Case(
        # 100 for bar 1, and 500 lost at 105.
        name="the bar within which a stop ends a short is not paid for",
        bars=[flat(100), flat(100), (100, 106, 100, 104), flat(104)],
        signals=[4, 0, 0, 0],
        trades=[("short", 1, 100.0, 2, 105.0, "stop", 2)],
        risk={"stop_loss_pct": 5.0},
        costs={"borrow_bps_per_bar": 100.0},
        final=9_400.0,
    ),
    Case(
        name="a negative rate is received, on the last bar too",
        bars=[flat(100), flat(100), flat(100)],
        signals=[4, 0, 0],
        trades=[("short", 1, 100.0, 2, 100.0, "end_of_data", 2)],
        costs={"borrow_bps_per_bar": -100.0},
        final=10_200.0,
    ),
    Case(
        # 5 000 units: at 101.5 the account is worth 10 000 - 7 500 = 2 500, and 1 % of 507 500 is 5 075.
        # The price alone would have liquidated at 102.
        name="borrowing that takes all ends the short at that close",
        bars=[flat(100), (100, 101.8, 100, 101.5), flat(90), flat(90), flat(90)],
        signals=[4, 0, 4, 0, 0],
        trades=[("short", 1, 100.0, 1, 101.5, "liquidation", 1)],
        sizing={"leverage": 50.0},
        costs={"borrow_bps_per_bar": 100.0},
        equity=[10_000.0, 0.0, 0.0, 0.0, 0.0],
        final=0.0,
    ),
    Case(
        # After two bars the account is worth 10 000 - 2 × 100: (9 800 + 10 000) / 100.
        name="borrowing moves the price of liquidation",
        bars=[flat(100), flat(100), flat(100), (150, 199, 150, 190), flat(190)],
        signals=[4, 0, 0, 0, 0],
        trades=[("short", 1, 100.0, 3, 198.0, "liquidation", 3)],
        costs={"borrow_bps_per_bar": 100.0},
        final=0.0,
    ),
    # Fixed fee, spread, slippage by ATR
    Case(
        # (10 000 - 10) / 100 = 99.9 units, sold for 10 989 less 10.
        name="a fixed fee is paid at both fills",
        bars=[flat(100), flat(100), flat(110), flat(110)],
        signals=[1, 2, 0, 0],
        trades=[("long", 1, 100.0, 2, 110.0, "signal", 1)],
        costs={"fee_fixed": 10.0},
        sizes=[99.9],
        final=10_979.0,
    ),
    Case(
        # 60 units; at 4 000 / 60 they no longer pay for the exit.
        name="a fixed fee can ruin the account",
        bars=[flat(100), flat(100), (80, 80, 60, 70), flat(100), flat(100)],
        signals=[1, 0, 1, 0, 0],
        trades=[("long", 1, 100.0, 2, 4_000 / 60, "liquidation", 2)],
        costs={"fee_fixed": 4_000.0},
        final=0.0,
    ),
    Case(
        # 40 units, and 6 000 to sell what is worth 4 000.
        name="nothing is opened that could not pay for its exit",
        bars=[flat(100), flat(100), flat(100)],
        signals=[1, 4, 0],
        trades=[],
        costs={"fee_fixed": 6_000.0},
        final=10_000.0,
    ),
    Case(
        name="a fixed fee above the account opens nothing",
        bars=[flat(100), flat(100), flat(100)],
        signals=[1, 4, 0],
        trades=[],
        costs={"fee_fixed": 10_000.0},
        final=10_000.0,
    ),
    Case(
        # Half of 1 % on top of 0.5 %: 1 % against each fill.
        name="each fill pays half the spread, beside slippage",
        bars=[flat(100), flat(100), flat(105), flat(110)],
        signals=[1, 0, 2, 0],
        trades=[("long", 1, 101.0, 3, 108.9, "signal", 2)],
        costs={"spread_bps": 100.0, "slippage_bps": 50.0},
        final=10_000 / 101 * 108.9,
    ),
    Case(
        # Levels are touched by the middle: 110 reaches the target of 101 × 1.08 = 109.08, sold 1 % below it.
        name="a target is touched by the middle and filled at the bid",
        bars=[flat(100), flat(100), (100, 109.08, 100, 105), flat(105)],
        signals=[1, 0, 0, 0],
        trades=[("long", 1, 101.0, 2, 109.08 * 0.99, "target", 2)],
        risk={"take_profit_pct": 8.0},
        costs={"spread_bps": 200.0},
        final=10_000 / 101 * 109.08 * 0.99,
    ),
    Case(
        # True ranges of 2: from bar 14 on the average is 2, so half of it is 1. Bar 16 opens at 110; its own
        # range does not count yet. The signals of bars 5 and 13 come before there is an average.
        name="slippage by ATR is that of the last completed bar, and nothing is opened before there is one",
        bars=[(100, 101, 99, 100)] * 16 + [(110, 130, 100, 110), flat(110)],
        signals=[0] * 5 + [1] + [0] * 7 + [1, 1, 2, 0, 0],
        trades=[("long", 15, 101.0, 16, 109.0, "signal", 1)],
        costs={"slippage_atr": 0.5},
        final=10_000 / 101 * 109,
    ),
    Case(
        # Bought at 101, the stop 5 % below it at 95.95; the range of the bar that falls to 80 counts later.
        name="slippage by ATR of a stop within a bar is that of the bar before",
        bars=[(100, 101, 99, 100)] * 16 + [(100, 100, 80, 81), flat(81)],
        signals=[0] * 14 + [1, 0, 0, 0],
        trades=[("long", 15, 101.0, 16, 94.95, "stop", 2)],
        risk={"stop_loss_pct": 5.0},
        costs={"slippage_atr": 0.5},
        final=10_000 / 101 * 94.95,
    ),
    Case(
        # With fills at the close the bar's own range is known: (13 × 2 + 30) / 14 = 4, half of it 2.
        name="slippage by ATR of a fill at the close counts that bar",
        bars=[(100, 101, 99, 100)] * 16 + [(110, 130, 100, 110), flat(110)],
        signals=[0] * 15 + [4, 8, 0],
        trades=[("short", 15, 99.0, 16, 112.0, "signal", 1)],
        fill="close",
        costs={"slippage_atr": 0.5},
        final=10_000 - 10_000 / 99 * 13,
    ),
    Case(
        # The crash makes the average (13 × 2 + 99) / 14 = 8.9, more than the price of 1.
        name="nothing is sold below 0",
        bars=[(100, 101, 99, 100)] * 16 + [flat(1), flat(1), flat(1)],
        signals=[0] * 14 + [1, 0, 2, 0, 0],
        trades=[("long", 15, 102.0, 17, 0.0, "signal", 2)],
        sizing={"equity_pct": 10.0},
        costs={"slippage_atr": 1.0},
        final=9_000.0,
    ),
    # Sizing
    Case(
        name="a share of the account",
        bars=[flat(100), flat(100), flat(110)],
        signals=[1, 0, 0],
        trades=[("long", 1, 100.0, 2, 110.0, "end_of_data", 2)],
        sizing={"equity_pct": 25.0},
        sizes=[25.0],
        final=10_250.0,
    ),
    Case(
        name="a share above 100 % is the account, as long as there is no leverage",
        bars=[flat(100), flat(100), flat(110)],
        signals=[1, 0, 0],
        trades=[("long", 1, 100.0, 2, 110.0, "end_of_data", 2)],
        sizing={"equity_pct": 250.0},
        sizes=[100.0],
        final=11_000.0,
    ),
    Case(
        name="a share above 100 % with leverage",
        bars=[flat(100), flat(100), flat(110)],
        signals=[1, 0, 0],
        trades=[("long", 1, 100.0, 2, 110.0, "end_of_data", 2)],
        sizing={"equity_pct": 250.0, "leverage": 3.0},
        sizes=[250.0],
        final=12_500.0,
    ),
    Case(
        # 0.5 × 10 000 / (100 × (1 + 0.5 × 1 %)): 4 975.12, half of the 9 950.25 that the fee leaves.
        name="a share of the account is one of what the fee leaves",
        bars=[flat(100), flat(100), flat(110)],
        signals=[1, 0, 0],
        trades=[("long", 1, 100.0, 2, 110.0, "end_of_data", 2)],
        sizing={"equity_pct": 50.0},
        costs={"fee_bps": 100.0},
        sizes=[50 / 1.005],
        final=10_000 + 50 / 1.005 * (10 - 1 - 1.1),
    ),
    Case(
        # 20 000 / (100 × (1 + 2 × 1 %)): 19 607.84, twice the 9 803.92 that the fee leaves.
        name="leverage is in multiples of what the fee leaves",
        bars=[flat(100), flat(100), flat(110)],
        signals=[1, 0, 0],
        trades=[("long", 1, 100.0, 2, 110.0, "end_of_data", 2)],
        sizing={"leverage": 2.0},
        costs={"fee_bps": 100.0},
        sizes=[200 / 1.02],
        final=10_000 + 200 / 1.02 * (10 - 1 - 1.1),
    ),
    Case(
        name="a fixed amount",
        bars=[flat(100), flat(100), flat(110)],
        signals=[4, 0, 0],
        trades=[("short", 1, 100.0, 2, 110.0, "end_of_data", 2)],
        sizing={"fixed_amount": 700.0},
        sizes=[7.0],
        final=9_930.0,
    ),
    Case(
        # 7 units whatever the fee: 70 less 7 less 7.70.
        name="the fee of a fixed amount comes on top",
        bars=[flat(100), flat(100), flat(110)],
        signals=[1, 0, 0],
        trades=[("long", 1, 100.0, 2, 110.0, "end_of_data", 2)],
        sizing={"fixed_amount": 700.0},
        costs={"fee_bps": 100.0},
        sizes=[7.0],
        final=10_055.3,
    ),
    Case(
        name="a fixed amount above the account is cut to the account",
        bars=[flat(100), flat(100), flat(110)],
        signals=[1, 0, 0],
        trades=[("long", 1, 100.0, 2, 110.0, "end_of_data", 2)],
        sizing={"fixed_amount": 25_000.0},
        sizes=[100.0],
        final=11_000.0,
    ),
    Case(
        name="1 % at risk, stop 5 % away: 20 units lose 100",
        bars=[flat(100), flat(100), (100, 100, 94, 94), flat(94)],
        signals=[1, 0, 0, 0],
        trades=[("long", 1, 100.0, 2, 95.0, "stop", 2)],
        risk={"stop_loss_pct": 5.0},
        sizing={"risk_per_trade_pct": 1.0},
        sizes=[20.0],
        final=9_900.0,
    ),
    Case(
        name="a short's risk is mirrored",
        bars=[flat(100), flat(100), (100, 106, 100, 104), flat(104)],
        signals=[4, 0, 0, 0],
        trades=[("short", 1, 100.0, 2, 105.0, "stop", 2)],
        risk={"stop_loss_pct": 5.0},
        sizing={"risk_per_trade_pct": 1.0},
        sizes=[20.0],
        final=9_900.0,
    ),
    Case(
        # The ATR over 2 bars at bar 2 is 3: a distance of 6.
        name="risk with a stop by ATR",
        bars=[flat(100), (100, 101, 99, 100), (100, 102, 98, 100), (100, 101, 93, 95), flat(95)],
        signals=[0, 0, 1, 0, 0],
        trades=[("long", 3, 100.0, 3, 94.0, "stop", 1)],
        risk={"stop_loss_atr": 2.0, "atr_period": 2},
        sizing={"risk_per_trade_pct": 1.0},
        sizes=[100 / 6],
        final=9_900.0,
    ),
    Case(
        # A distance of 10; the stop has risen to 108 by the time it is met.
        name="risk with a trailing stop counts the distance at the start",
        bars=[flat(100), (100, 120, 100, 119), (115, 115, 105, 106), flat(106)],
        signals=[1, 0, 0, 0],
        trades=[("long", 1, 100.0, 2, 108.0, "trailing_stop", 2)],
        risk={"trailing_stop_pct": 10.0},
        sizing={"risk_per_trade_pct": 1.0},
        sizes=[10.0],
        final=10_080.0,
    ),
    Case(
        name="risk with a trailing stop by ATR",
        bars=[flat(100), (100, 101, 99, 100), (100, 102, 98, 100), (100, 100, 93, 95), flat(95)],
        signals=[0, 0, 1, 0, 0],
        trades=[("long", 3, 100.0, 3, 94.0, "trailing_stop", 1)],
        risk={"trailing_stop_atr": 2.0, "atr_period": 2},
        sizing={"risk_per_trade_pct": 1.0},
        sizes=[100 / 6],
        final=9_900.0,
    ),
    Case(
        # 100 / 4; the target is no stop.
        name="of two stops the nearer one is the risk",
        bars=[flat(100), flat(100), (100, 100, 94, 94), flat(94)],
        signals=[1, 0, 0, 0],
        trades=[("long", 1, 100.0, 2, 96.0, "trailing_stop", 2)],
        risk={"stop_loss_pct": 5.0, "trailing_stop_pct": 4.0, "take_profit_pct": 1.0},
        sizing={"risk_per_trade_pct": 1.0},
        sizes=[25.0],
        final=9_900.0,
    ),
    Case(
        # 100 / 0.5 = 200 units would be twice the account.
        name="risk asks for more than the account",
        bars=[flat(100), flat(100), flat(101)],
        signals=[1, 0, 0],
        trades=[("long", 1, 100.0, 2, 101.0, "end_of_data", 2)],
        risk={"stop_loss_pct": 0.5},
        sizing={"risk_per_trade_pct": 1.0},
        sizes=[100.0],
        final=10_100.0,
    ),
    Case(
        name="risk asks for more than the account, and leverage allows it",
        bars=[flat(100), flat(100), flat(101)],
        signals=[1, 0, 0],
        trades=[("long", 1, 100.0, 2, 101.0, "end_of_data", 2)],
        risk={"stop_loss_pct": 0.5},
        sizing={"risk_per_trade_pct": 1.0, "leverage": 3.0},
        sizes=[200.0],
        final=10_200.0,
    ),
    Case(
        # Nothing has moved: the ATR, and so the distance of the stop, is 0.
        name="a stop at the fill price limits no size",
        bars=[flat(100)] * 4 + [flat(110)],
        signals=[0, 0, 1, 0, 0],
        trades=[("long", 3, 100.0, 3, 100.0, "stop", 1)],
        risk={"stop_loss_atr": 2.0, "atr_period": 2},
        sizing={"risk_per_trade_pct": 1.0},
        sizes=[100.0],
        final=10_000.0,
    ),
    Case(
        # Returns of +10 % and -10 % deviate by √(0.01 + 0.01) = 14.1 %, two such bars a year by 20 %: half
        # the account. At bar 1 only one return is known.
        name="volatility target",
        bars=[flat(100), flat(110), flat(99), flat(100), flat(110)],
        signals=[0, 1, 1, 0, 0],
        trades=[("long", 3, 100.0, 4, 110.0, "end_of_data", 2)],
        sizing={"volatility_target_pct": 10.0, "volatility_period": 2},
        periods_per_year=2.0,
        sizes=[50.0],
        final=10_500.0,
    ),
    Case(
        name="a price that does not move sets no limit by volatility",
        bars=[flat(100), flat(100), flat(100), flat(100), flat(110)],
        signals=[0, 0, 1, 0, 0],
        trades=[("long", 3, 100.0, 4, 110.0, "end_of_data", 2)],
        sizing={"volatility_target_pct": 10.0, "volatility_period": 2, "leverage": 2.0},
        sizes=[200.0],
        final=12_000.0,
    ),
    Case(
        # 50 by share, 30 by amount, 100 / 5 = 20 by risk.
        name="of several limits the smallest",
        bars=[flat(100), flat(100), flat(110)],
        signals=[1, 0, 0],
        trades=[("long", 1, 100.0, 2, 110.0, "end_of_data", 2)],
        risk={"stop_loss_pct": 5.0},
        sizing={"equity_pct": 50.0, "fixed_amount": 3_000.0, "risk_per_trade_pct": 1.0, "leverage": 2.0},
        sizes=[20.0],
        final=10_200.0,
    ),
    Case(
        # 100 / 6 = 16.7 units.
        name="whole units of a size by risk",
        bars=[flat(100), flat(100), flat(110)],
        signals=[1, 0, 0],
        trades=[("long", 1, 100.0, 2, 110.0, "end_of_data", 2)],
        risk={"stop_loss_pct": 6.0},
        sizing={"risk_per_trade_pct": 1.0, "whole_units": True},
        sizes=[16.0],
        final=10_160.0,
    ),
    Case(
        # After a gain of 1 000 the second position is half of 11 000.
        name="a share follows the account",
        bars=[flat(100), flat(100), flat(120), flat(110), flat(121)],
        signals=[1, 2, 1, 0, 0],
        trades=[
            ("long", 1, 100.0, 2, 120.0, "signal", 1),
            ("long", 3, 110.0, 4, 121.0, "end_of_data", 2),
        ],
        sizing={"equity_pct": 50.0},
        sizes=[50.0, 50.0],
        final=11_550.0,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_rule(case: Case) -> None:
    result = run_backtest(
        frame(case.bars, case.signals),
        scripted(case.risk, case.sizing),
        costs=Costs(**case.costs),
        fill=case.fill,
        periods_per_year=case.periods_per_year,
    )
    found = shown(result)
    assert [row[:2] + row[3:4] + row[5:] for row in found] == [
        row[:2] + row[3:4] + row[5:] for row in case.trades
    ]
    for row, wanted in zip(found, case.trades, strict=True):
        assert (row[2], row[4]) == pytest.approx((wanted[2], wanted[4]), rel=1e-12)
    assert result.equity.iloc[-1] == pytest.approx(case.final, rel=1e-12, abs=1e-9)
    assert result.trades["pnl"].sum() == pytest.approx(case.final - 10_000, rel=1e-9, abs=1e-8)
    if case.sizes is not None:
        assert result.trades["size"].tolist() == pytest.approx(case.sizes, rel=1e-12)
    if case.equity is not None:
        assert result.equity.tolist() == pytest.approx(case.equity, rel=1e-12)


def test_a_trade_s_return_is_its_profit_over_what_it_bought() -> None:
    case = next(case for case in CASES if case.name.startswith("an opposite entry"))
    costs = Costs(fee_bps=10, slippage_bps=5)
    table = run_backtest(frame(case.bars, case.signals), scripted(), costs=costs).trades
    wanted = table["pnl"] / (table["size"] * table["entry_price"])
    assert table["return"].tolist() == pytest.approx(wanted.tolist(), rel=1e-15)
