"""A slow simulator in plain Python, written from the documented rules and not from the kernels.

It keeps positions as dictionaries, lists every level that may close one and every limit of a position's size,
and lets the rules choose. It also notes which limit bound each entry and why an entry was refused, so that a
test can show that every rule was met.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from tests.bar_reference import Order, Road

Bar = tuple[float, float, float, float]
IMPACT_PERIOD = 14


@dataclass
class Terms:
    """What is traded under which terms; None is off. Percent values in percent, basis points as fractions."""

    fill: str = "next_open"
    fee: float = 0.0
    fixed_fee: float = 0.0
    slippage: float = 0.0
    spread: float = 0.0
    slippage_atr: float = 0.0
    borrowing: float = 0.0
    interest: float = 0.0  # of what a long owes, a bar
    funding: list[float] | None = None  # of a position's value, by bar, from longs to shorts
    maintenance: float = 0.0
    capital: float = 10_000.0
    stop_pct: float | None = None
    target_pct: float | None = None
    trailing_pct: float | None = None
    stop_atr: float | None = None
    target_atr: float | None = None
    trailing_atr: float | None = None
    atr_period: int = 14
    max_bars: int | None = None
    break_even_pct: float | None = None
    cooldown: int | None = None
    exit_after: int | None = None
    exit_above_pct: float | None = None
    exit_below_pct: float | None = None
    order_bars: int | None = None
    levels: dict[str, list[float | None]] = field(default_factory=dict)  # "limit long", "stop short" …
    roi: dict[int, float] = field(default_factory=dict)
    scale_out: dict[float, float] = field(default_factory=dict)
    max_entries: int = 1
    share_pct: float | None = None
    amount: float | None = None
    risk_pct: float | None = None
    volatility_pct: float | None = None
    volatility_period: int = 20
    leverage: float = 1.0
    whole_units: bool = False
    periods_per_year: float = 8_760.0
    start: int = 0

    @property
    def gated(self) -> bool:
        """Whether exit conditions are heard at times only."""
        return (self.exit_after, self.exit_above_pct, self.exit_below_pct) != (None, None, None)


def average_true_range(bars: list[Bar], period: int) -> list[float | None]:
    """Wilder's: the mean of the first `period` true ranges, then a step of 1 / period to each."""
    found: list[float | None] = [None] * len(bars)
    ranges = [
        max(high - low, abs(high - before), abs(low - before))
        for (_, high, low, _), (*_, before) in zip(bars[1:], bars[:-1], strict=True)
    ]
    for bar in range(period, len(bars)):
        last = found[bar - 1]
        if last is None:
            found[bar] = sum(ranges[:period]) / period
        else:
            found[bar] = (last * (period - 1) + ranges[bar - 1]) / period
    return found


def annual_volatility(bars: list[Bar], period: int, periods_per_year: float) -> list[float | None]:
    """Sample standard deviation of the last `period` returns from close to close, a year's."""
    closes = [close for *_, close in bars]
    returns = [now / before - 1.0 for now, before in zip(closes[1:], closes[:-1], strict=True)]
    return [
        statistics.stdev(returns[bar - period : bar]) * math.sqrt(periods_per_year) if bar >= period else None
        for bar in range(len(bars))
    ]


@dataclass
class Account:
    """The state of one account and the log of what it did."""

    terms: Terms
    cash: float
    position: dict[str, Any] | None = None
    trades: list[dict[str, Any]] = field(default_factory=list)
    met: Counter[str] = field(default_factory=Counter)
    lost: tuple[int, float] | None = None  # bar and price at which nothing was left
    closed_at: int | None = None  # bar of the last exit
    spent: int = -1  # last bar that counts for a trade that is over

    def value(self, price: float) -> float:
        held = self.position
        if held is None:
            return self.cash
        if held["side"] == "long":
            return self.cash + held["units"] * price
        return self.cash + held["units"] * (held["price"] - price)

    def deaf(self, close: float) -> bool:
        """Whether the exit condition of the position is not heard at this close."""
        held, terms = self.position, self.terms
        assert held is not None
        if terms.exit_after and held["bars"] < terms.exit_after:
            return True
        gain = close - held["price"] if held["side"] == "long" else held["price"] - close
        short_of = terms.exit_above_pct is not None and gain < held["price"] * terms.exit_above_pct / 100
        beyond = terms.exit_below_pct is not None and gain > held["price"] * terms.exit_below_pct / 100
        return short_of or beyond

    def moved(self, price: float, buys: bool, impact: float) -> float:
        """The price of a fill: against the trade by slippage, half the spread and the impact."""
        share = self.terms.slippage + self.terms.spread / 2
        return price * (1 + share) + impact if buys else price * (1 - share) - impact

    def unmoved(self, fill: float, buys: bool, impact: float) -> float:
        """The price at which `moved` gives a fill."""
        share = self.terms.slippage + self.terms.spread / 2
        return (fill - impact) / (1 + share) if buys else (fill + impact) / (1 - share)

    def limits(
        self, side: str, price: float, atr: float | None, volatility: float | None
    ) -> dict[str, float]:
        """Units that each limit allows at a fill price."""
        terms = self.terms
        room = self.cash - terms.fixed_fee

        def multiple(times: float) -> float:
            return times * room / (price * (1 + times * terms.fee))

        found = {"leverage": multiple(terms.leverage)}
        if terms.share_pct:
            found["share"] = multiple(terms.share_pct / 100)
        if terms.volatility_pct and volatility:
            found["volatility"] = multiple(terms.volatility_pct / 100 / volatility)
        if terms.amount:
            found["amount"] = terms.amount / price
        if terms.risk_pct:
            distances = {
                name: abs(price - level) for name, level in self.first_stops(side, price, atr).items()
            }
            nearest = min(distances, key=lambda name: distances[name])
            if distances[nearest] > 0:
                found[f"risk by {nearest}"] = self.cash * terms.risk_pct / 100 / distances[nearest]
        return found

    def waits(self, side: str) -> bool:
        """Whether the entries of a side are orders at levels."""
        return f"limit {side}" in self.terms.levels or f"stop {side}" in self.terms.levels

    def first_stops(self, side: str, price: float, atr: float | None) -> dict[str, float]:
        """Levels of the stops of a position that has just been opened at a price."""
        terms = self.terms
        away = -1 if side == "long" else 1
        found = {}
        if terms.stop_pct:
            found["stop_pct"] = price + away * price * terms.stop_pct / 100
        if terms.trailing_pct:
            found["trailing_pct"] = price + away * price * terms.trailing_pct / 100
        if terms.stop_atr and atr is not None:
            found["stop_atr"] = price + away * terms.stop_atr * atr
        if terms.trailing_atr and atr is not None:
            found["trailing_atr"] = price + away * terms.trailing_atr * atr
        return found

    def enter(
        self,
        side: str,
        signal: int,
        bar: int,
        price: float,
        atr: float | None,
        volatility: float | None,
        impact: float | None,
        limit: float | None = None,
    ) -> None:
        """Open a position as decided at the close of bar `signal`, if the rules allow it.

        One more entry where there is a position already; no worse than the limit of its order.
        """
        terms = self.terms
        if self.position:
            return self.enter_more(price, volatility, impact, limit)
        if self.cash <= 0:
            self.met["refused: account lost"] += 1
            return
        if any((terms.stop_atr, terms.target_atr, terms.trailing_atr)) and atr is None:
            self.met["refused: no atr yet"] += 1
            return
        if terms.volatility_pct and volatility is None:
            self.met["refused: no volatility yet"] += 1
            return
        if impact is None:
            self.met["refused: no impact yet"] += 1
            return
        paid = self.no_worse(self.moved(price, side == "long", impact), side, limit)
        if paid <= 0:
            self.met["refused: nothing would be paid"] += 1
            return
        limits = self.limits(side, paid, atr, volatility)
        binding = min(limits, key=lambda name: limits[name])
        units = limits[binding]
        if terms.whole_units and 0 <= units < 1:
            self.met["refused: below one unit"] += 1
            return
        if units <= 0:
            self.met["refused: nothing to spend"] += 1
            return
        if terms.whole_units:
            units = float(math.floor(units))
        before = self.cash
        self.cash -= terms.fixed_fee + units * paid * terms.fee
        if side == "long":
            self.cash -= units * paid
        self.position = {
            "side": side,
            "units": units,
            "price": paid,
            "bar": bar,
            "before": before,
            "atr": atr,
            "extreme": paid,
            "bars": 0,
            "entries": 1,
            "bought": units,
            "parts": sorted(terms.scale_out.items()),
            "behind": False,
            "levels": {
                what: levels[signal]
                for what in ("stop", "limit")
                if (levels := terms.levels.get(f"exit {what} {side}")) and levels[signal] is not None
            },
        }
        ruin = self.liquidation(impact)
        if ruin is not None and (price <= ruin if side == "long" else price >= ruin):
            self.met["refused: liquidated at once"] += 1
            self.cash, self.position = before, None
            return None
        self.met[f"limit: {binding}"] += 1
        if terms.whole_units:
            self.met["limit: whole units"] += 1
        return None

    def no_worse(self, paid: float, side: str, limit: float | None) -> float:
        """The price of a fill, which an order's limit bounds."""
        if limit is None:
            return paid
        bound = min(paid, limit) if side == "long" else max(paid, limit)
        self.met["slippage stops at the limit"] += bound != paid
        return bound

    def enter_more(
        self, price: float, volatility: float | None, impact: float | None, limit: float | None
    ) -> None:
        """One more entry into the position, sized as a first one by what the account is worth there."""
        held, terms = self.position, self.terms
        assert held is not None
        if impact is None or (terms.volatility_pct and volatility is None):
            return
        rising = held["side"] == "long"
        paid = self.no_worse(self.moved(price, rising, impact), held["side"], limit)
        if paid <= 0:
            return
        before, worth = self.cash, self.value(paid)
        self.cash = worth
        limits = self.limits(held["side"], paid, held["atr"], volatility)
        self.cash = before
        # All of the position together is worth no more than leverage allows, after this entry's costs.
        limits["leverage"] = (terms.leverage * (worth - terms.fixed_fee) - held["units"] * paid) / (
            paid * (1 + terms.leverage * terms.fee)
        )
        units = min(limits.values())
        if terms.whole_units:
            units = float(math.floor(units)) if units > 0 else 0.0
        if units <= 0:
            self.met["no room for an entry"] += 1
            return
        old = dict(held)
        self.cash -= terms.fixed_fee + units * paid * terms.fee + (units * paid if rising else 0.0)
        held["price"] = (held["units"] * held["price"] + units * paid) / (held["units"] + units)
        held["units"] += units
        held["bought"] += units
        held["entries"] += 1
        ruin = self.liquidation(impact)
        if ruin is not None and (price <= ruin if rising else price >= ruin):
            self.cash, self.position = before, old
            self.met["no room for an entry"] += 1
            return
        self.met[f"one more {held['side']} entry"] += 1

    def sell_part(self, bar: int, price: float, impact: float) -> None:
        """The next part of a position, or all that is left of it."""
        held, terms = self.position, self.terms
        assert held is not None
        _, share = held["parts"].pop(0)
        units = share / 100 * held["bought"]
        if units > held["units"] * (1 - 1e-9):
            return self.leave(bar, price, "target", impact, "last part")
        if terms.whole_units:
            units = float(math.floor(units))
        rising = held["side"] == "long"
        got = max(0.0, self.moved(price, not rising, impact))
        received = (
            units * (got if rising else held["price"] - got) - units * got * terms.fee - terms.fixed_fee
        )
        left = (held["units"] - units) * (got if rising else held["price"] - got)
        if units <= 0 or self.cash + received + left <= 0:
            self.met["part not sold"] += 1
            return None
        # What the position has cost so far is borne in proportion.
        profit = received + (self.cash - held["before"]) * units / held["units"]
        self.cash += received
        self.write_down(bar, got, "partial_target", units, profit)
        held["units"] -= units
        held["before"] += profit
        return None

    def ruin(self, margin: float) -> float:
        """The fill price at which closing, costs included, leaves `margin` of the position's value there."""
        held, terms = self.position, self.terms
        assert held is not None
        if held["side"] == "long":
            return (terms.fixed_fee - self.cash) / (held["units"] * (1 - terms.fee - margin))
        return (self.cash + held["units"] * held["price"] - terms.fixed_fee) / (
            held["units"] * (1 + terms.fee + margin)
        )

    def liquidation(self, impact: float) -> float | None:
        """The price, before costs, at which the position is liquidated; None where a long cannot be."""
        held = self.position
        assert held is not None
        fill = self.ruin(self.terms.maintenance)
        if held["side"] == "long" and fill < -1e-12 * held["price"]:
            return None
        return self.unmoved(fill, held["side"] == "short", impact)

    def leave(self, bar: int, price: float, reason: str, impact: float, cause: str | None = None) -> None:
        held, terms = self.position, self.terms
        assert held is not None
        rising = held["side"] == "long"
        got = max(0.0, self.moved(price, not rising, impact))
        received = held["units"] * (got if rising else held["price"] - got)
        left = self.cash + received - held["units"] * got * terms.fee - terms.fixed_fee
        at_the_level = reason == "liquidation" and not terms.maintenance
        if left <= 0 or at_the_level:
            if reason != "liquidation":
                self.met[f"lost by {reason}"] += 1
            got, left, reason = self.ruin(0.0), 0.0, "liquidation"
            self.lost = (bar, got)
        if cause:
            self.met[f"cause: {cause}"] += 1
        self.cash = left
        self.close_out(bar, got, reason)

    def close_out(self, bar: int, price: float, reason: str) -> None:
        """Write down the trade; the cash is what it left."""
        held = self.position
        assert held is not None
        self.write_down(bar, price, reason, held["units"], self.cash - held["before"])
        if held["bars"]:
            self.spent = held["from"] + held["bars"] - 1
        self.position, self.closed_at = None, bar

    def write_down(self, bar: int, price: float, reason: str, units: float, profit: float) -> None:
        held = self.position
        assert held is not None
        self.met[f"{held['side']} {reason}"] += 1
        self.trades.append(
            {
                "side": held["side"],
                "entry_bar": held["bar"],
                "entry_price": held["price"],
                "exit_bar": bar,
                "exit_price": price,
                "size": units,
                "pnl": profit,
                "exit_reason": reason,
                "bars": held["bars"] - held.get("late", 0),
            }
        )

    def stops(self, impact: float) -> list[tuple[float, int, str, str]]:
        """(level, rank among equals, reason, which) of each stop."""
        held, terms = self.position, self.terms
        assert held is not None
        rising = held["side"] == "long"
        away = -1 if rising else 1
        entry, extreme = held["price"], held["extreme"]
        found = []
        if terms.stop_pct:
            found.append((entry + away * entry * terms.stop_pct / 100, 0, "stop", "stop_pct"))
        if terms.stop_atr:
            found.append((entry + away * terms.stop_atr * held["atr"], 0, "stop", "stop_atr"))
        if "stop" in held["levels"]:
            found.append((held["levels"]["stop"], 0, "stop", "exit_stop"))
        if terms.break_even_pct:
            far = entry - away * entry * terms.break_even_pct / 100
            if extreme >= far if rising else extreme <= far:
                found.append((entry, 0, "stop", "break_even"))
        if terms.trailing_pct:
            level = extreme + away * extreme * terms.trailing_pct / 100
            found.append((level, 2, "trailing_stop", "trailing_pct"))
        if terms.trailing_atr:
            found.append(
                (extreme + away * terms.trailing_atr * held["atr"], 2, "trailing_stop", "trailing_atr")
            )
        ruin = self.liquidation(impact)
        if ruin is not None:
            found.append((ruin, 1, "liquidation", "liquidation"))
        return found

    def targets(self) -> list[tuple[float, str]]:
        held, terms = self.position, self.terms
        assert held is not None
        toward = 1 if held["side"] == "long" else -1
        found = []
        if terms.target_pct:
            found.append((held["price"] + toward * held["price"] * terms.target_pct / 100, "target_pct"))
        if terms.target_atr:
            found.append((held["price"] + toward * terms.target_atr * held["atr"], "target_atr"))
        if "limit" in held["levels"]:
            found.append((held["levels"]["limit"], "exit_limit"))
        # The bar that is lived through counts in `bars` already.
        rungs = [bars for bars in terms.roi if bars < held["bars"]]
        if rungs:
            pct = terms.roi[max(rungs)]
            found.append((held["price"] + toward * held["price"] * pct / 100, "roi"))
        return found

    def tightest(self, impact: float) -> tuple[float, int, str, str] | None:
        """The stop that counts: the highest for a long position, the lowest for a short one."""
        assert self.position is not None
        rising = self.position["side"] == "long"
        return min(self.stops(impact), key=lambda one: (-one[0] if rising else one[0], one[1]), default=None)

    def nearest(self) -> tuple[float, str] | None:
        """The target that counts."""
        assert self.position is not None
        rising = self.position["side"] == "long"
        return min(self.targets(), key=lambda one: one[0] if rising else -one[0], default=None)

    def next_part(self) -> float | None:
        """The level of the next part to be sold; none where the whole is sold before."""
        held = self.position
        assert held is not None
        if not held["parts"]:
            return None
        toward = 1 if held["side"] == "long" else -1
        return float(held["price"] + toward * held["price"] * held["parts"][0][0] / 100)

    def expose(self, bar: int) -> None:
        """One bar more that the position is exposed to."""
        assert self.position is not None
        self.position["bars"] += 1
        self.position.setdefault("from", bar)

    def pay_for_holding(self, bar: int, close: float, real: bool = True) -> None:
        """What a position owes, or is paid, for a bar at whose close it is still open.

        Only real bars close one.
        """
        held, terms = self.position, self.terms
        if held is None or not held["bars"]:
            return
        side, value = held["side"], held["units"] * close
        dues = {"funding": (terms.funding[bar] if terms.funding else 0.0) * value}
        if side == "short":
            dues = {"funding": -dues["funding"], "borrowing": terms.borrowing * value}
        elif self.cash < -1e-12 * held["units"] * held["price"]:
            dues["interest"] = terms.interest * -self.cash
        for name, amount in dues.items():
            if amount:
                self.met[f"{side} {'pays' if amount > 0 else 'is paid'} {name}"] += 1
        due = sum(dues.values())
        worth = self.value(close)
        if due <= 0 or due < worth or not real:
            self.cash -= due
            return
        self.met[f"holding takes all of a {side}"] += 1
        self.cash = 0.0
        self.lost = (bar, close)
        self.close_out(bar, close, "liquidation")


def decide(
    side: str | None, outlived: bool, asked: set[str], gated: bool, deaf: bool
) -> tuple[str | None, str | None]:
    """(why to leave, which side to enter) from the conditions true at a close.

    Args:
        side: held, or led to by orders that wait.
        outlived: whether the position has been held as long as it may be.
        asked: the conditions.
        gated: whether exit conditions are heard at times only.
        deaf: whether the exit condition of that side is not heard.
    """
    long_wanted = "entry_long" in asked and (gated or "exit_long" not in asked)
    short_wanted = "entry_short" in asked and (gated or "exit_short" not in asked)
    wanted = None
    if long_wanted and not short_wanted:
        wanted = "long"
    if short_wanted and not long_wanted:
        wanted = "short"
    if side is None:
        return None, wanted
    other = "short" if side == "long" else "long"
    reason = None
    if outlived:
        reason = "max_bars"
    if (f"exit_{side}" in asked and not deaf) or wanted == other:
        reason = "signal"
    return reason, wanted if wanted == other else None


@dataclass
class Orders:
    """What was decided at closes behind which no order could be filled yet."""

    side: str | None = None
    reason: str | None = None
    signal: int = 0
    none: bool = True
    adds: int | None = None  # the bar whose signal adds an entry


def trade(
    bars: list[Bar], asked: list[set[str]], terms: Terms, made_up: frozenset[int] = frozenset()
) -> tuple[Account, list[float]]:
    """The account at the end, its trades in it, and its value at each close from `terms.start` on.

    Args:
        bars: open, high, low, close of each.
        asked: names of the conditions true at each close.
        terms: of trading.
        made_up: bars at which nothing can be filled.
    """
    account = Account(terms, terms.capital)
    atr = average_true_range(bars, terms.atr_period)
    volatility = annual_volatility(bars, terms.volatility_period, terms.periods_per_year)
    impact: list[float | None] = [0.0] * len(bars)
    if terms.slippage_atr:
        known = average_true_range(bars, IMPACT_PERIOD)
        impact = [None if one is None else one * terms.slippage_atr for one in known]
    equity = []
    final = len(bars) - 1
    orders = Orders()
    book: dict[str, Order] = {}

    def fill(order: Order, price: float) -> None:
        account.enter(
            order.side, order.signal, bar, price, atr[order.signal], volatility[order.signal],
            impact[bar - 1], order.limit,
        )  # fmt: skip

    def place(side: str, level: str) -> float | None:
        """An order's level at this close; nothing where it is not known."""
        return terms.levels[f"{level} {side}"][bar]

    def execute(bar: int, price: float, now: float | None) -> None:
        nonlocal orders
        held = account.position and account.position["side"]
        if not orders.none and orders.side != held:
            if held:
                assert orders.reason is not None
                account.leave(bar, price, orders.reason, now or 0.0)
                if terms.cooldown:
                    book.clear()
                book.pop(held, None)
            if orders.side:
                signal = orders.signal
                account.enter(orders.side, signal, bar, price, atr[signal], volatility[signal], now)
                if account.position:
                    book.clear()
        elif orders.adds is not None:
            assert account.position is not None
            entries = account.position["entries"]
            account.enter(held, orders.adds, bar, price, None, volatility[orders.adds], now)
            if account.position["entries"] > entries:
                book.clear()
        orders = Orders()

    for bar, (opening, high, low, close) in enumerate(bars):
        if bar < terms.start:
            continue
        real = bar not in made_up
        before = impact[bar - 1] if bar else None
        if real:
            execute(bar, opening, before)
        if real:
            Road(account, book, bar, (opening, high, low, close), before or 0.0, fill).walk()
        elif account.position:
            account.met["carried over a bar that was made up"] += 1
            account.expose(bar)
        account.pay_for_holding(bar, close, real)
        # Orders are told by the side they lead to, so that what calls off an order leaves nothing of it.
        held = account.position and account.position["side"]
        side = held if orders.none else orders.side
        if not orders.none:
            account.met["decided while an order waits"] += 1
        outlived = bool(
            side and side == held and terms.max_bars and account.position["bars"] >= terms.max_bars
        )
        deaf = bool(terms.gated and side and (side != held or account.deaf(close)))
        account.met["exit not heard"] += deaf and f"exit_{side}" in asked[bar]
        for one in ("long", "short"):
            if f"cancel_{one}" in asked[bar] or (one in book and bar >= book[one].until):
                account.met["order called off" if f"cancel_{one}" in asked[bar] else "order expired"] += (
                    one in book
                )
                book.pop(one, None)
        market = {one for one in asked[bar] if not (one.startswith("entry") and account.waits(one[6:]))}
        reason, wanted = decide(side, outlived, market, terms.gated, deaf)
        own = decide(None, False, market, terms.gated, deaf)[1]
        if reason:
            if side == held:
                orders.reason = reason
            orders.side, orders.none = None, False
            side = None
        if wanted and side is None and bar != final:
            # A signal that opens nothing is no order either: one that comes later may wait in its place.
            left = account.closed_at
            if terms.cooldown and (held or (left is not None and bar < left + terms.cooldown)):
                account.met["refused: cooling down"] += 1
            else:
                orders.side, orders.signal, orders.none = wanted, bar, False
        led = held if orders.none else orders.side
        if led != held or bar == final:
            orders.adds = None
        elif held and own == held and account.position["entries"] < terms.max_entries:
            orders.adds = bar
        for one in ("long", "short"):
            if (
                not account.waits(one)
                or bar == final
                or f"entry_{one}" not in asked[bar]
                or f"cancel_{one}" in asked[bar]
                or (f"exit_{one}" in asked[bar] and not terms.gated)
            ):
                continue
            left = account.closed_at
            if led == one:
                may = held == one and account.position["entries"] < terms.max_entries
            elif led:
                may = not terms.cooldown
            elif terms.cooldown:
                may = not held and (left is None or bar >= left + terms.cooldown)
            else:
                may = held != one
            levels = {
                level: place(one, level) for level in ("limit", "stop") if f"{level} {one}" in terms.levels
            }
            if may and all(levels.values()):
                account.met["order in place of another"] += one in book
                until = bar + terms.order_bars if terms.order_bars else final
                book[one] = Order(one, levels.get("limit"), levels.get("stop"), bar, until)
            elif may:
                account.met["level not known"] += 1
        now = impact[bar]
        if terms.fill == "close" and real:
            execute(bar, close, now)
        if bar == final and account.position:
            account.leave(bar, close, "end_of_data", now or 0.0)
        equity.append(account.value(close))
    return account, equity


def figures(
    equity: list[float], capital: float, trades: list[dict[str, Any]], periods_per_year: float
) -> dict[str, float | None]:
    """The metrics by their definitions; None is undefined, as every ratio of an account that was lost."""
    before = [capital, *equity[:-1]]
    returns = [now / last - 1.0 if last > 0 else 0.0 for now, last in zip(equity, before, strict=True)]
    count = len(returns)
    mean = math.fsum(returns) / count
    deviation = statistics.stdev(returns) if count > 1 else None
    downside = math.sqrt(math.fsum(min(one, 0.0) ** 2 for one in returns) / count)
    peak, drawdown = capital, 0.0
    for value in equity:
        peak = max(peak, value)
        drawdown = min(drawdown, value / peak - 1.0)
    total = equity[-1] / capital - 1.0
    cagr = (1.0 + total) ** (periods_per_year / count) - 1.0
    year = math.sqrt(periods_per_year)
    survived = equity[-1] > 0
    profits = [one["pnl"] for one in trades]
    ratios = [one["pnl"] / (one["size"] * one["entry_price"]) for one in trades]
    gains = math.fsum(one for one in profits if one > 0)
    losses = -math.fsum(one for one in profits if one < 0)
    some = len(trades) or None
    return {
        "sharpe_ratio": (
            mean / deviation * year if survived and deviation and deviation > 1e-12 * abs(mean) else None
        ),
        "sortino_ratio": mean / downside * year if survived and downside > 1e-12 * abs(mean) else None,
        "calmar_ratio": cagr / -drawdown if survived and drawdown < -1e-12 else None,
        "max_drawdown": drawdown,
        "profit_factor": gains / losses if losses else None,
        "win_rate": some and sum(one > 0 for one in profits) / some,
        "total_return": total,
        "cagr": cagr,
        "volatility": None if deviation is None else deviation * year,
        "exposure": sum(one["bars"] for one in trades if one["exit_reason"] != "partial_target") / count,
        "n_trades": len(trades),
        "expectancy": some and math.fsum(profits) / some,
        "avg_trade": some and math.fsum(ratios) / some,
        "best_trade": max(ratios, default=None),
        "worst_trade": min(ratios, default=None),
    }
