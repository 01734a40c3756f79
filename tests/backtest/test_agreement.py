"""The engine against a slow simulator in plain Python, on generated prices, signals, settings and costs."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from backtest import Costs, run_backtest
from backtest.kernels.simulation import EXIT_REASONS
from tests.backtest_reference import Bar, Terms, figures, trade
from tests.backtest_scripts import PLACES, frame, scripted, shown, with_orders
from tests.laws import cases, some

Options = Mapping[str, tuple[float, ...]]

# A situation takes a few of these only: with all at once the tightest level hides the others.
LEVELS: Options = {
    "stop_loss_pct": (1.0, 5.0, 40.0),
    "take_profit_pct": (1.0, 10.0),
    "trailing_stop_pct": (1.0, 7.5, 30.0),
    "stop_loss_atr": (0.5, 2.0),
    "take_profit_atr": (1.0, 3.0),
    "trailing_stop_atr": (0.5, 2.0),
    "max_bars": (1, 3, 9),
    "break_even_pct": (0.5, 4.0),
    "cooldown_bars": (1, 2, 6),
}
GATES: Options = {
    "exit_after_bars": (2, 5),
    "exit_above_pct": (-3.0, 0.0, 4.0),
    "exit_below_pct": (-2.0, 0.0, 3.0),
    **{name: LEVELS[name] for name in ("stop_loss_pct", "trailing_stop_pct", "max_bars", "cooldown_bars")},
}
ORDERS: Options = {
    "order_bars": (1, 3, 8),
    "roi": ("0:3,2:1,5:0", "1:2,4:-3", "0:8"),
    "scale_out": ("1:50", "0.5:30,2:30,4:40", "1:50,3:25"),
    **{
        name: LEVELS[name]
        for name in ("stop_loss_pct", "take_profit_pct", "trailing_stop_pct", "stop_loss_atr")
    },
    **{name: LEVELS[name] for name in ("max_bars", "break_even_pct", "cooldown_bars")},
    "exit_after_bars": (2,),
}
SEVERAL: Options = {
    "max_entries": (2, 5),
    "equity_pct": (10.0, 60.0),
    "fixed_amount": (700.0, 4_000.0),
    "leverage": (1.5, 3.0),
    "whole_units": (True,),
    "risk_per_trade_pct": (5.0,),
    "volatility_target_pct": (20.0,),
}
SIZED = ("equity_pct", "fixed_amount", "risk_per_trade_pct", "volatility_target_pct")
STOPS = ("stop_loss_pct", "trailing_stop_pct", "stop_loss_atr", "trailing_stop_atr")
SIZES: Options = {
    "equity_pct": (10.0, 60.0, 250.0),
    "fixed_amount": (700.0, 25_000.0),
    "risk_per_trade_pct": (0.5, 20.0),
    "volatility_target_pct": (20.0, 300.0),
    "leverage": (1.5, 3.0, 25.0),
    "whole_units": (True,),
}
BURDENS: Options = {
    "fee_bps": (10.0, 100.0),
    "fee_fixed": (1.0, 900.0),
    "slippage_bps": (5.0, 100.0),
    "spread_bps": (4.0, 300.0),
    "slippage_atr": (0.1, 1.0),
    "borrow_bps_per_bar": (-20.0, 10.0, 100.0),
    "interest_pct_per_year": (5.0, 200.0),
    "funding_bps_per_8h": (-100.0, 1.0, 100.0),
    "maintenance_margin_pct": (0.5, 20.0),
}
FEES: Options = {name: BURDENS[name] for name in ("fee_bps", "slippage_bps")}
BORROWED: Options = {"leverage": (2.0, 10.0, 60.0)}
HELD_AT_A_COST: Options = {
    "borrow_bps_per_bar": (-20.0, 100.0),
    "interest_pct_per_year": (10.0, 200.0),
    "funding_bps_per_8h": (-20.0, 1.0, 100.0),
    "fee_bps": (1.0,),
    "maintenance_margin_pct": (0.5,),
}
# For each scene: settings of risk, sizing and costs, and how many of each at most.
SCENES: dict[str, tuple[tuple[Options, int], ...]] = {
    "levels": ((LEVELS, 4), ({}, 0), (FEES, 2)),
    "accounts that can be lost": ((LEVELS, 1), (BORROWED, 1), (BURDENS, 3)),
    "sizes": ((LEVELS, 2), (SIZES, 3), (BURDENS, 2)),
    "gates": ((GATES, 4), ({}, 0), (FEES, 2)),
    "holding": (({}, 0), (BORROWED, 1), (HELD_AT_A_COST, 3)),
    "orders": ((ORDERS, 4), (SEVERAL, 3), (BURDENS, 2)),
    "exits": ((ORDERS, 2), (SEVERAL, 1), (BURDENS, 2)),
}
ENTERED = (
    (), ("limit long", "limit short"), ("stop long", "stop short"), ("limit long", "stop long"),
    ("limit short", "stop short", "stop long"), ("limit long",), ("stop short",),
)  # fmt: skip
LEFT = (
    ("exit stop long", "exit limit long"), ("exit stop short", "exit limit short"),
    ("limit long", "exit stop long", "exit limit short"),
    ("stop short", "exit stop short", "exit limit long"),
)  # fmt: skip
LEVELLED = {"orders": ENTERED, "exits": LEFT}
"""Levels that entries and exits of some scenes have."""
PARTS = ("risk", "sizing", "costs")
ATR_PERIOD, VOLATILITY_PERIOD, PER_YEAR = 2, 3, 50.0
FUNDINGS_A_BAR = 365 * 3 / PER_YEAR


@dataclass(frozen=True, kw_only=True)
class Situation:
    """Prices, signals and terms of one backtest."""

    bars: list[Bar]
    codes: list[int]
    fill: str = "next_open"
    risk: dict[str, float] = field(default_factory=dict)
    sizing: dict[str, float] = field(default_factory=dict)
    costs: dict[str, float] = field(default_factory=dict)
    start: int = 0
    rates: list[float] | None = None
    made_up: frozenset[int] = frozenset()
    levels: dict[str, list[float]] = field(default_factory=dict)
    calls: list[int] = field(default_factory=list)


def outages(draw: random.Random, bars: list[Bar], share: float) -> frozenset[int]:
    """Bars made up at the last close, in stretches, the bars themselves changed; the first is real."""
    found = set()
    place = 1
    while place < len(bars):
        if draw.random() < share:
            for lost in range(place, min(len(bars), place + draw.randint(1, 6))):
                close = bars[lost - 1][3]
                bars[lost] = (close, close, close, close)
                found.add(lost)
                place = lost
        place += 1
    return frozenset(found)


def prices(draw: random.Random, count: int, tick: float, reach: float) -> list[Bar]:
    """Prices with gaps; on a coarse grid levels are often touched exactly."""
    price = draw.choice([20.0, 100.0, 3_000.0])
    steps = max(1, int(price * reach / tick))
    bars = []
    for _ in range(count):
        opening = max(tick, price + draw.randint(-steps, steps) * tick)
        close = max(tick, opening + draw.randint(-steps, steps) * tick)
        high = max(opening, close) + draw.randint(0, steps) * tick
        low = min(opening, close, max(tick, min(opening, close) - draw.randint(0, steps) * tick))
        bars.append((opening, high, low, close))
        price = close
    return bars


def signals(draw: random.Random, count: int, busy: float, sides: int) -> list[int]:
    return [draw.choice(range(16)) & sides if draw.random() < busy else 0 for _ in range(count)]


def order_levels(
    draw: random.Random, bars: list[Bar], tick: float, reach: float, names: Sequence[str]
) -> dict[str, list[float]]:
    """Levels near the close of each bar on the grid of prices, some of them unknown."""
    found: dict[str, list[float]] = {name: [] for name in names}
    for *_, close in bars:
        steps = max(1, int(close * reach / tick))
        for values in found.values():
            level = max(tick, close + draw.randint(-2 * steps, 2 * steps) * tick)
            values.append(math.nan if draw.random() < 0.1 else level)
    return found


def ladder(value: str | None) -> dict[float, float]:
    """The rungs of a table as a strategy writes it."""
    pairs = [one.split(":") for one in value.split(",")] if value else []
    return {float(first): float(second) for first, second in pairs}


def slow_terms(case: Situation) -> Terms:
    risk, sizing, costs = case.risk, case.sizing, case.costs
    return Terms(
        fill=case.fill,
        fee=costs.get("fee_bps", 0.0) / 1e4,
        fixed_fee=costs.get("fee_fixed", 0.0),
        slippage=costs.get("slippage_bps", 0.0) / 1e4,
        spread=costs.get("spread_bps", 0.0) / 1e4,
        slippage_atr=costs.get("slippage_atr", 0.0),
        borrowing=costs.get("borrow_bps_per_bar", 0.0) / 1e4,
        interest=costs.get("interest_pct_per_year", 0.0) / 100 / PER_YEAR,
        funding=[
            costs.get("funding_bps_per_8h", 0.0) / 1e4 * FUNDINGS_A_BAR + (0.0 if math.isnan(rate) else rate)
            for rate in case.rates or [0.0] * len(case.bars)
        ],
        maintenance=costs.get("maintenance_margin_pct", 0.0) / 100,
        stop_pct=risk.get("stop_loss_pct"),
        target_pct=risk.get("take_profit_pct"),
        trailing_pct=risk.get("trailing_stop_pct"),
        stop_atr=risk.get("stop_loss_atr"),
        target_atr=risk.get("take_profit_atr"),
        trailing_atr=risk.get("trailing_stop_atr"),
        atr_period=ATR_PERIOD,
        max_bars=risk.get("max_bars"),
        break_even_pct=risk.get("break_even_pct"),
        cooldown=risk.get("cooldown_bars"),
        exit_after=risk.get("exit_after_bars"),
        exit_above_pct=risk.get("exit_above_pct"),
        exit_below_pct=risk.get("exit_below_pct"),
        order_bars=risk.get("order_bars"),
        levels={
            name: [None if math.isnan(one) else one for one in values] for name, values in case.levels.items()
        },
        roi={int(bars): percent for bars, percent in ladder(risk.get("roi")).items()},
        scale_out=ladder(risk.get("scale_out")),
        max_entries=sizing.get("max_entries", 1),
        share_pct=sizing.get("equity_pct"),
        amount=sizing.get("fixed_amount"),
        risk_pct=sizing.get("risk_per_trade_pct"),
        volatility_pct=sizing.get("volatility_target_pct"),
        volatility_period=VOLATILITY_PERIOD,
        leverage=sizing.get("leverage", 1.0),
        whole_units=bool(sizing.get("whole_units")),
        periods_per_year=PER_YEAR,
        start=case.start,
    )


def agree(case: Situation) -> Counter[str]:
    """Run both and compare trades, equity and metrics; what the slow one met on its way."""
    terms = slow_terms(case)
    asked = [{place for place, bit in PLACES.items() if code & bit} for code in case.codes]
    for side, bit in (("long", 1), ("short", 2)):
        if any(name in (f"limit {side}", f"stop {side}") for name in case.levels):
            for heard, call in zip(asked, case.calls, strict=True):
                heard.update({f"cancel_{side}"} if call & bit else ())
    account, equity = trade(case.bars, asked, terms, case.made_up)
    table = frame(case.bars, case.codes, case.made_up)
    if case.rates:
        table["funding_rate"] = case.rates
    orders = with_orders(table, case.levels, case.calls)
    result = run_backtest(
        table,
        scripted(
            {**case.risk, "atr_period": ATR_PERIOD},
            {**case.sizing, "volatility_period": VOLATILITY_PERIOD},
            **orders,
        ),
        costs=Costs(**case.costs),
        fill=case.fill,
        periods_per_year=PER_YEAR,
        trade_from=table.index[case.start],
    )
    wanted = account.trades
    assert [(row[0], row[1], row[3], row[5], row[6]) for row in shown(result)] == [
        (one["side"], one["entry_bar"], one["exit_bar"], one["exit_reason"], one["bars"]) for one in wanted
    ]
    for column in ("entry_price", "exit_price", "size", "pnl"):
        np.testing.assert_allclose(
            result.trades[column], [one[column] for one in wanted], rtol=1e-9, atol=1e-8, err_msg=column
        )
    np.testing.assert_allclose(result.equity, equity, rtol=1e-9, atol=1e-8)
    for one, found_profit in zip(wanted, result.trades["pnl"], strict=True):
        # Whether a profit of nothing is a gain is told by rounding, which adds up otherwise here and there.
        if max(abs(one["pnl"]), abs(found_profit)) < 1e-12 * one["size"] * one["entry_price"]:
            one["pnl"] = found_profit
    found = result.metrics.to_dict()
    for name, value in figures(equity, terms.capital, wanted, PER_YEAR).items():
        same(name, found[name], value, sum(abs(one["pnl"]) for one in wanted))
    assert result.entries_below_one_unit == account.met["refused: below one unit"]
    dear = ("nothing would be paid", "nothing to spend", "liquidated at once")
    assert result.entries_unaffordable == sum(account.met[f"refused: {why}"] for why in dear)
    lost = result.account_lost
    assert (lost is None) == (account.lost is None)
    if lost and account.lost:
        bar, price = account.lost
        assert (lost.bar, lost.time) == (bar, table.index[bar])
        assert math.isclose(lost.price, price, rel_tol=1e-9, abs_tol=1e-8)
    return account.met


def same(name: str, found: float | None, wanted: float | None, turnover: float) -> None:
    """Equal to 1e-9; a mean of profits also to the rounding of the largest, which may be astronomical."""
    if found is None or wanted is None:
        assert found == wanted, name
    else:
        room = 1e-9 + (1e-13 * turnover if name == "expectancy" else 0.0)
        assert math.isclose(found, wanted, rel_tol=1e-9, abs_tol=room), (name, found, wanted)


def made(
    seed: int,
    count: int,
    tick: float,
    reach: float,
    busy: float,
    sides: int,
    rate: float,
    lost: float,
    levels: Sequence[str] = (),
    **terms: Any,
) -> Situation:
    draw = random.Random(seed)
    if "order_bars" in terms["risk"] and all(name.startswith("exit") for name in levels):
        terms["risk"] = {name: one for name, one in terms["risk"].items() if name != "order_bars"}
    if "max_entries" in terms["sizing"] and not set(SIZED) & set(terms["sizing"]):
        terms["sizing"] = {**terms["sizing"], "equity_pct": draw.choice(SEVERAL["equity_pct"])}
    if "risk_per_trade_pct" in terms["sizing"] and not set(STOPS) & set(terms["risk"]):
        stop = draw.choice(STOPS)
        terms["risk"] = {**terms["risk"], stop: draw.choice(LEVELS[stop])}
    bars = prices(draw, count, tick, reach)
    made_up = outages(draw, bars, lost)
    codes = signals(draw, count, busy, sides)
    # Perpetuals pay every few bars; the column is empty between.
    paid = [draw.uniform(-rate, rate) if draw.random() < 0.4 else math.nan for _ in range(count)]
    if levels:
        terms["levels"] = order_levels(draw, bars, tick, reach, levels)
        terms["calls"] = [draw.choice((1, 2, 3)) if draw.random() < 0.05 else 0 for _ in range(count)]
    return Situation(bars=bars, made_up=made_up, codes=codes, rates=paid if rate else None, **terms)


MARKETS: dict[str, tuple[Any, ...]] = {
    "tick": (1.0, 0.01),
    "reach": (0.003, 0.01, 0.05, 0.3),
    "busy": (0.1, 0.4, 0.9),
    "sides": (3, 12, 15, 5),
    "fill": ("next_open", "close"),
    "start": (0, 1, 2),
    "rate": (0.0, 0.0, 0.002, 0.9),
    "lost": (0.0, 0.0, 0.15),
}
SHORTEST, LONGEST = VOLATILITY_PERIOD + 1, 60


def few(options: Options, most: int) -> st.SearchStrategy[dict[str, float]]:
    """Up to `most` of the options, each with one of its values."""
    if not options:
        return st.just({})
    names = st.lists(st.sampled_from(sorted(options)), max_size=most, unique=True)
    return names.flatmap(
        lambda chosen: st.fixed_dictionaries({name: st.sampled_from(options[name]) for name in chosen})
    )


def situations(scene: str) -> st.SearchStrategy[Situation]:
    parts = {part: few(*options) for part, options in zip(PARTS, SCENES[scene], strict=True)}
    market = {name: st.sampled_from(values) for name, values in MARKETS.items()}
    if scene in LEVELLED:
        market["levels"] = st.sampled_from(LEVELLED[scene])
    return st.builds(
        made, seed=st.integers(0, 2**32), count=st.integers(SHORTEST, LONGEST), **market, **parts
    )


@example(  # a signal inside the cool-down, then one that waits for a bar that was not made up
    made(
        seed=392, count=51, tick=0.01, reach=0.003, busy=0.9, sides=5, fill="next_open", start=0, rate=0.0,
        lost=0.15, risk={"break_even_pct": 0.5, "cooldown_bars": 1, "max_bars": 1}, sizing={}, costs={},
    )
)  # fmt: skip
@settings(max_examples=cases(18), deadline=None)
@given(situations("levels"))
def test_levels(case: Situation) -> None:
    agree(case)


@settings(max_examples=cases(18), deadline=None)
@given(situations("accounts that can be lost"))
def test_accounts_that_can_be_lost(case: Situation) -> None:
    agree(case)


@settings(max_examples=cases(18), deadline=None)
@given(situations("holding"))
def test_positions_held_at_a_cost(case: Situation) -> None:
    agree(case)


@settings(max_examples=cases(18), deadline=None)
@given(situations("gates"))
def test_gates(case: Situation) -> None:
    agree(case)


@settings(max_examples=cases(18), deadline=None)
@given(situations("sizes"))
def test_sizes(case: Situation) -> None:
    agree(case)


@settings(max_examples=cases(36), deadline=None)
@given(situations("orders"))
def test_orders_targets_parts_and_further_entries(case: Situation) -> None:
    agree(case)


@settings(max_examples=cases(18), deadline=None)
@given(situations("exits"))
def test_exits_at_levels(case: Situation) -> None:
    agree(case)


def picked(scene: str, seed: int) -> Situation:
    """A situation of a scene from a seed alone, the same on every run."""
    draw = random.Random(seed)
    parts = {}
    for part, (options, most) in zip(PARTS, SCENES[scene], strict=True):
        names = draw.sample(sorted(options), draw.randint(0, most))
        parts[part] = {name: draw.choice(options[name]) for name in names}
    market = {name: draw.choice(values) for name, values in MARKETS.items()}
    if scene in LEVELLED:
        market["levels"] = draw.choice(LEVELLED[scene])
    return made(seed, draw.randint(SHORTEST, LONGEST), **market, **parts)


EVERY_RULE = {
    *(f"{side} {reason}" for side in ("long", "short") for reason in EXIT_REASONS),
    *(
        f"{way}{level}"
        for way in ("cause: ", "cause: gap through ")
        for level in (
            "stop_pct", "stop_atr", "break_even", "trailing_pct", "trailing_atr", "liquidation",
            "target_pct", "target_atr", "exit_stop", "exit_limit",
        )
    ),
    "stop and target in one bar",
    *(f"limit: {limit}" for limit in ("leverage", "share", "amount", "volatility", "whole units")),
    *(f"limit: risk by {stop}" for stop in ("stop_pct", "stop_atr", "trailing_pct", "trailing_atr")),
    *(
        f"refused: {why}"
        for why in (
            "account lost", "cooling down", "no atr yet", "no volatility yet", "no impact yet",
            "nothing would be paid", "below one unit", "nothing to spend", "liquidated at once",
        )
    ),
    "lost by signal", "lost by stop", "lost by trailing_stop",
    *(f"{side} {way} funding" for side in ("long", "short") for way in ("pays", "is paid")),
    "short pays borrowing", "short is paid borrowing", "long pays interest",
    "holding takes all of a long", "holding takes all of a short",
    "carried over a bar that was made up", "exit not heard", "decided while an order waits",
    *(
        f"{side} {what}"
        for side in ("long", "short")
        for what in (
            "limit behind the open", "stop behind the open", "order at the open", "order turns round"
        )
    ),
    "orders of both sides at the open", "orders of both sides in one bar",
    "order called off", "order expired", "order in place of another", "level not known",
    "waiting order called off by an entry",
    "slippage stops at the limit", "stopped on the bar of its entry", "part at the open", "part not sold",
    "cause: last part", "cause: roi", "cause: gap through roi", "one more long entry", "one more short entry",
    "no room for an entry",
}  # fmt: skip


RARE = {
    "levels": (250, 241, 494, 68, 111),
    "accounts that can be lost": (320, 175, 254),
    "sizes": (30, 257, 129, 35, 198, 523),
    "orders": (42, 54, 76, 154, 185, 214),
}
"""Seeds of the soak's 530 that meet what few do: together with the first thirty, every rule."""


def test_every_rule_is_met_and_agreed_on() -> None:
    met: Counter[str] = Counter()
    for scene in SCENES:
        for seed in some(range(530), [*range(30), *RARE.get(scene, ())]):
            met += agree(picked(scene, seed))
    assert EVERY_RULE - set(met) == set()
