"""Series with a planted edge, each kind one entry: what is drawn, how prices move, what could trade it.

The drift that the edge needs is found by bisection, so that the best rule of the language realises the Sharpe
ratio that was asked for, costs included.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from backtest import Costs, StrategySpec, run_backtest
from backtest.kernels.indicators import Floats
from backtest.validation.trials import average_exposure
from vault.synthetic.bars import BEGINNING, DAYS_A_YEAR, DEVIATION, HOURS, NIGHT, bars_of, frame, hourly_bars

_STEPS = 25
_NEAR = 0.01
_DRAWS = 20
_MOST_ONE_SIDED = 0.3
_ATR_PERIOD = 14
_GAP = 0.5
_STAYS = 1.0 - 1.0 / 60.0
_TRENDS = (10, 15, 20, 30, 40, 60)
_MONTH = "day >= a or day <= b"
_LAST_HOUR = 15

Drawn = dict[str, float]
Signal = Callable[[Floats, int, float], float]
"""Which way the edge points after bar t: from (open, high, low, close) so far, t and the ATR before."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of edge.

    Attributes:
        draw: its parameters.
        rows: prices as `frame` takes them, from noise, a drift a bar and the parameters.
        rules: what could trade it, the last one on both sides.
        calendar: whether the clock says where it points: then it need not turn by itself.
        bars_a_day: 1, or `HOURS`.
    """

    draw: Callable[[np.random.Generator], Drawn]
    rows: Callable[[Floats, float, Drawn, np.random.Generator], Floats]
    rules: Callable[[Drawn], list[StrategySpec]]
    calendar: bool = False
    bars_a_day: int = 1


@dataclass(frozen=True, kw_only=True)
class Planted:
    """Prices with an edge.

    Attributes:
        prices: canonical prices.
        rule: the best rule for them that the strategy language can express.
        sharpe: net annualised Sharpe ratio that it realises on them.
    """

    prices: pd.DataFrame
    rule: StrategySpec
    sharpe: float


def _momentum(noise: Floats, edge: float, drawn: Drawn, generator: np.random.Generator) -> Floats:
    """A drift up while the close stands above its average, down while below."""
    period = int(drawn["n"])
    closes = np.zeros(len(noise))
    returns = np.empty(len(noise))
    level = side = 0.0
    for t in range(len(noise)):
        returns[t] = noise[t] + side * edge
        level += returns[t]
        closes[t] = np.exp(level)
        if t + 1 >= period:
            side = 1.0 if closes[t] > closes[t + 1 - period : t + 1].mean() else -1.0
    return bars_of(returns, generator)


def _reversion(noise: Floats, edge: float, drawn: Drawn, generator: np.random.Generator) -> Floats:
    """A drift back to the average of the last closes, from beyond a band until they reach it."""
    period, deviations = int(drawn["n"]), drawn["d"]
    closes = np.zeros(len(noise))
    returns = np.empty(len(noise))
    level = side = 0.0
    for t in range(len(noise)):
        returns[t] = noise[t] + side * edge
        level += returns[t]
        closes[t] = np.exp(level)
        if t + 1 >= period:
            window = closes[t + 1 - period : t + 1]
            middle, width = window.mean(), deviations * window.std()
            if closes[t] < middle - width:
                side = 1.0
            elif closes[t] > middle + width:
                side = -1.0
            elif side * (closes[t] - middle) > 0.0:
                side = 0.0
    return bars_of(returns, generator)


def _seasonal(noise: Floats, edge: float, drawn: Drawn, generator: np.random.Generator) -> Floats:
    """A drift up on one day of the week and down on the others."""
    weekday = _days(len(noise)).day_of_week.to_numpy()
    # Filled at the next open, the signal of one day holds the next.
    return bars_of(noise + edge * np.where(weekday == (drawn["held"] + 1) % 5, 1.0, -0.25), generator)


def _month(noise: Floats, edge: float, drawn: Drawn, generator: np.random.Generator) -> Floats:
    """A drift up on the bars behind the days around the turn of the month, and down on the others."""
    day = _days(len(noise)).day.to_numpy()
    inside = np.concatenate([[False], ((day >= drawn["a"]) | (day <= drawn["b"]))[:-1]])
    share = inside.mean()
    return bars_of(noise + edge * np.where(inside, 1.0, -share / (1.0 - share)), generator)


def _hidden_trend(noise: Floats, edge: float, drawn: Drawn, generator: np.random.Generator) -> Floats:
    """A drift up or down that nobody sees and that turns by chance, every sixty days on average."""
    turns = np.cumsum(np.random.default_rng(int(drawn["turns"])).random(len(noise)) > _STAYS) % 2
    return bars_of(noise + edge * (1.0 - 2.0 * turns), generator)


def _overnight(noise: Floats, edge: float, drawn: Drawn, generator: np.random.Generator) -> Floats:
    """A drift from the day's last close to the next open, and against it while the exchange is open."""
    shocks = (noise / DEVIATION).reshape(-1, HOURS)
    shocks -= shocks.mean(axis=0)
    nights = generator.normal(0.0, np.sqrt(NIGHT) * DEVIATION, len(shocks))
    nights -= nights.mean()
    drift = edge * drawn["up"]
    return hourly_bars(shocks.ravel(), nights + drift, generator, -drift / HOURS)


def _after(
    signal: Callable[[Drawn], Signal],
    noise: Floats,
    edge: float,
    drawn: Drawn,
    generator: np.random.Generator,
) -> Floats:
    """A drift for some bars after an event, up or down as it points; meanwhile no other event counts."""
    fires, held = signal(drawn), int(drawn["max_bars"])
    gaps = generator.normal(0.0, _GAP * DEVIATION, len(noise))
    plain = bars_of(gaps + noise, generator, gaps)
    levels = np.zeros_like(plain)
    rows = plain.copy()
    level = side = atr = 0.0
    left = 0
    for t in range(len(noise)):
        # The drift comes while the market is open: a position is filled at the open.
        drift = side * edge if left else 0.0
        rows[t, 3] += drift
        rows[t, 1] = max(rows[t, 1], rows[t, 1] + drift)
        rows[t, 2] = min(rows[t, 2], rows[t, 2] + drift)
        levels[t] = np.exp(level + rows[t])
        left = max(0, left - 1)
        if not left:
            side = fires(levels, t, atr)
            left = held if side else 0
        before = levels[t - 1, 3] if t else levels[t, 0]
        reach = max(levels[t, 1], before) - min(levels[t, 2], before)
        atr = reach if not t else atr + (reach - atr) / min(t + 1, _ATR_PERIOD)
        level += rows[t, 3]
    return rows


def _breaks_out(drawn: Drawn) -> Signal:
    period = int(drawn["n"])

    def fires(levels: Floats, t: int, atr: float) -> float:
        if t < period:
            return 0.0
        past = levels[t - period : t]
        return float(levels[t, 3] > past[:, 1].max()) - float(levels[t, 3] < past[:, 2].min())

    return fires


def _pulls_back(drawn: Drawn) -> Signal:
    period, dip = int(drawn["n"]), int(drawn["k"])

    def fires(levels: Floats, t: int, atr: float) -> float:
        if t < period:
            return 0.0
        close, middle = levels[t, 3], levels[t + 1 - period : t + 1, 3].mean()
        past = levels[t - dip : t]
        return float(close > middle and close < past[:, 2].min()) - float(
            close < middle and close > past[:, 1].max()
        )

    return fires


def _gaps(drawn: Drawn) -> Signal:
    multiple = drawn["m"]

    def fires(levels: Floats, t: int, atr: float) -> float:
        if t < _ATR_PERIOD:
            return 0.0
        gap = levels[t, 0] - levels[t - 1, 3]
        return float(gap > multiple * atr) - float(-gap > multiple * atr)

    return fires


def _days(bars: int) -> pd.DatetimeIndex:
    return pd.bdate_range(BEGINNING, periods=bars)


def _whole(low: int, high: int) -> Callable[[np.random.Generator], int]:
    return lambda generator: int(generator.integers(low, high + 1))


def _drawing(**ranges: Callable[[np.random.Generator], float]) -> Callable[[np.random.Generator], Drawn]:
    return lambda generator: {name: one(generator) for name, one in ranges.items()}


def _sides(
    name: str, params: Drawn, both: dict[str, str], risk: dict[str, float] | None = None
) -> list[StrategySpec]:
    """A rule long, short, and on both sides."""
    chosen = [
        {place: text for place, text in both.items() if place.endswith(side)} for side in ("long", "short")
    ]
    return [
        StrategySpec(name=f"planted {name}", params=params, risk=risk or {}, **conditions)
        for conditions in (*chosen, both)
    ]


def _turning(name: str, long: str, short: str) -> Callable[[Drawn], list[StrategySpec]]:
    """What is long while one condition lasts, and short while the other does."""
    both = {"entry_long": long, "exit_long": short, "entry_short": short, "exit_short": long}
    return lambda drawn: _sides(name, drawn, both)


def _event(name: str, long: str, short: str) -> Callable[[Drawn], list[StrategySpec]]:
    """What is held for some bars after an event."""
    both = {"entry_long": long, "entry_short": short}

    def rules(drawn: Drawn) -> list[StrategySpec]:
        params = {place: value for place, value in drawn.items() if place != "max_bars"}
        return _sides(name, params, both, {"max_bars": drawn["max_bars"]})

    return rules


def _reverting(drawn: Drawn) -> list[StrategySpec]:
    middle = "bollinger_middle(close, n, d)"
    return _sides(
        "reversion",
        drawn,
        {
            "entry_long": "close < bollinger_lower(close, n, d)",
            "exit_long": f"close > {middle}",
            "entry_short": "close > bollinger_upper(close, n, d)",
            "exit_short": f"close < {middle}",
        },
    )


def _nightly(drawn: Drawn) -> list[StrategySpec]:
    """Filled at the next open, a signal of the last hour but one holds the last one and the night."""
    before, last = f"hour == {_LAST_HOUR - 1}", f"hour == {_LAST_HOUR}"
    return _turning("overnight", *((before, last) if drawn["up"] > 0.0 else (last, before)))({})


def _trends(drawn: Drawn) -> list[StrategySpec]:
    """Nobody sees the regime: the best of a few averages stands for it."""
    rules = _turning("hidden_trend", "close > sma(close, n)", "close < sma(close, n)")
    return [rule for period in _TRENDS for rule in rules({"n": period})]


_HELD = _whole(2, 5)

EDGES: dict[str, Kind] = {
    "momentum": Kind(
        draw=_drawing(n=_whole(10, 40)),
        rows=_momentum,
        rules=_turning("momentum", "close > sma(close, n)", "close < sma(close, n)"),
    ),
    "reversion": Kind(
        draw=_drawing(n=_whole(10, 40), d=lambda generator: _whole(2, 6)(generator) / 4.0),
        rows=_reversion,
        rules=_reverting,
    ),
    "seasonal": Kind(
        draw=_drawing(held=_whole(0, 4)),
        rows=_seasonal,
        rules=_turning("seasonal", "weekday == held", "weekday != held"),
        calendar=True,
    ),
    "breakout": Kind(
        draw=_drawing(n=_whole(5, 30), max_bars=_HELD),
        rows=partial(_after, _breaks_out),
        rules=_event("breakout", "close > highest(high, n)[1]", "close < lowest(low, n)[1]"),
    ),
    "pullback": Kind(
        draw=_drawing(n=_whole(40, 120), k=_whole(2, 5), max_bars=_HELD),
        rows=partial(_after, _pulls_back),
        rules=_event(
            "pullback",
            "close > sma(close, n) and close < lowest(low, k)[1]",
            "close < sma(close, n) and close > highest(high, k)[1]",
        ),
    ),
}
"""Kinds of edge that rules and bounds may be tuned on."""

EDGES_KEPT: dict[str, Kind] = {
    "gap": Kind(
        draw=_drawing(m=lambda generator: _whole(1, 3)(generator) / 10.0, max_bars=_HELD),
        rows=partial(_after, _gaps),
        rules=_event("gap", "open - close[1] > m * atr(14)[1]", "close[1] - open > m * atr(14)[1]"),
    ),
    "hidden_trend": Kind(draw=_drawing(turns=_whole(0, 2**31 - 1)), rows=_hidden_trend, rules=_trends),
    "month": Kind(
        draw=_drawing(a=_whole(25, 28), b=_whole(1, 4)),
        rows=_month,
        rules=_turning("month", _MONTH, f"not ({_MONTH})"),
        calendar=True,
    ),
}
"""Kinds for the benchmark alone: never looked at while tuning."""


EDGES_INTRADAY: dict[str, Kind] = {
    "overnight": Kind(
        draw=_drawing(up=lambda generator: 2.0 * _whole(0, 1)(generator) - 1.0),
        rows=_overnight,
        rules=_nightly,
        calendar=True,
        bars_a_day=HOURS,
    ),
}
"""Kinds of hourly bars."""

EVERY_EDGE = {**EDGES, **EDGES_KEPT, **EDGES_INTRADAY}


def planted_prices(
    kind: str,
    sharpe: float,
    days: int,
    generator: np.random.Generator,
    costs: Costs,
    *,
    drawn_by: np.random.Generator | None = None,
) -> Planted:
    """Prices, daily or hourly, on which the best rule realises a net Sharpe ratio that is known.

    Args:
        kind: of `EVERY_EDGE`; its parameters are drawn.
        sharpe: annualised, after costs, of the best of its rules (long, short, both). The drift is found by
            bisection, to 1 %; noise on which the edge would mostly point one way is drawn anew.
        days: how many.
        generator: randomness.
        costs: of the rule's trades.
        drawn_by: draws the parameters in place of the generator: several instruments may share an edge.
    """
    known = EVERY_EDGE[kind]
    drawn = known.draw(drawn_by or generator)
    for _ in range(_DRAWS):
        found, balance = _with_edge(known, drawn, sharpe, days, generator, costs)
        # A strong trend that never turns is no edge of timing: whoever holds has it too. On some noise a
        # little more drift turns a whole stretch over, and the ratio that is asked for is jumped.
        turns = known.calendar or abs(balance) <= _MOST_ONE_SIDED
        if turns and abs(found.sharpe - sharpe) <= _NEAR * sharpe:
            break
    return found


def _with_edge(
    kind: Kind, drawn: Drawn, sharpe: float, days: int, generator: np.random.Generator, costs: Costs
) -> tuple[Planted, float]:
    """Prices on one draw of noise, and by how much more often the edge was up than down."""
    noise = generator.normal(0.0, DEVIATION, days * kind.bars_a_day)
    noise -= noise.mean()  # a drift of the noise would be earned by whoever holds
    extremes = generator.integers(2**32)
    rules, year = kind.rules(drawn), DAYS_A_YEAR * kind.bars_a_day

    def realised(edge: float) -> tuple[Planted, float]:
        rows = kind.rows(noise, edge, drawn, np.random.default_rng(extremes))
        prices = frame(rows, bars_a_day=kind.bars_a_day)
        found = [run_backtest(prices, rule, costs, periods_per_year=year) for rule in rules]
        best = max(found, key=lambda result: result.metrics.sharpe_ratio or 0.0)
        planted = Planted(prices=prices, rule=best.spec, sharpe=best.metrics.sharpe_ratio or 0.0)
        return planted, average_exposure(found[-1])

    low, high = -0.5 * DEVIATION, 2.0 * DEVIATION
    found = realised(high)
    for _ in range(_STEPS):
        middle = (low + high) / 2.0
        found = realised(middle)
        if abs(found[0].sharpe - sharpe) <= _NEAR * sharpe:
            break
        low, high = (middle, high) if found[0].sharpe < sharpe else (low, middle)
    return found
