"""One bar of the slow simulator: what its prices do to a position and to the orders that wait.

A bar is a road: the open, then the worst price for the position, then the best. What lies on it is written
down as a list of places, and the first is visited, until none is left.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.backtest_reference import Account, Bar

OTHER = {"long": "short", "short": "long"}


@dataclass
class Order:
    """An entry order at a level; without a stop, or behind it, it is live."""

    side: str
    limit: float | None
    stop: float | None
    signal: int
    until: int

    def hear(self, price: float) -> None:
        """A price that may pass the stop."""
        if self.stop is not None and (price >= self.stop if self.side == "long" else price <= self.stop):
            self.stop = None

    def content(self, price: float) -> bool:
        """Whether the limit allows a price."""
        return self.limit is None or (price <= self.limit if self.side == "long" else price >= self.limit)

    def met(self, high: float, low: float) -> float | None:
        """Where a bar fills it behind its open."""
        rises = self.side == "long"
        if self.stop is None:
            assert self.limit is not None
            return self.limit if (low <= self.limit if rises else high >= self.limit) else None
        reached = high >= self.stop if rises else low <= self.stop
        return self.stop if reached and self.content(self.stop) else None


@dataclass
class Road:
    """A real bar, walked."""

    account: Account
    orders: dict[str, Order]
    bar: int
    prices: Bar
    impact: float
    enter: Callable[[Order, float], None]
    behind: bool = field(default=False)  # an entry was filled behind the open
    turned: bool = field(default=False)  # the worst price is over

    def walk(self) -> None:
        account, (opening, high, low, _) = self.account, self.prices
        if account.position:
            account.expose(self.bar)
        self.levels_at_open()
        for order in self.orders.values():
            order.hear(opening)
        now = [one for one in self.orders.values() if one.stop is None and one.content(opening)]
        if len(now) == 2:
            account.met["orders of both sides at the open"] += 1
            self.orders.clear()
        elif now:
            account.met[f"{now[0].side} order at the open"] += 1
            self.fill(now[0], opening)
            self.levels_at_open()
        while self.step():
            pass
        for order in self.orders.values():
            order.hear(high if order.side == "long" else low)
        held = account.position
        if held and not self.behind:
            rising = held["side"] == "long"
            held["extreme"] = max(held["extreme"], high) if rising else min(held["extreme"], low)

    def closed(self, side: str) -> None:
        """An exit calls off the orders of its side; all of them with a cool-down."""
        if self.account.terms.cooldown:
            self.orders.clear()
        self.orders.pop(side, None)

    def levels_at_open(self) -> None:
        account, opening = self.account, self.prices[0]
        held = account.position
        if not held:
            return
        rising = held["side"] == "long"
        stop, target = account.tightest(self.impact), account.nearest()
        if stop and (opening <= stop[0] if rising else opening >= stop[0]):
            account.leave(self.bar, opening, stop[2], self.impact, f"gap through {stop[3]}")
        elif target and (opening >= target[0] if rising else opening <= target[0]):
            account.leave(self.bar, opening, "target", self.impact, f"gap through {target[1]}")
        while account.position and (part := account.next_part()):
            if opening < part if rising else opening > part:
                break
            account.met["part at the open"] += 1
            account.sell_part(self.bar, opening, self.impact)
        if not account.position:
            self.closed(held["side"])

    def fill(self, order: Order, price: float) -> bool:
        """Fill an order; whether an entry came of it."""
        account = self.account
        self.orders.pop(order.side)
        held = account.position
        entries = held["entries"] if held else 0
        if held and held["side"] != order.side:
            account.met[f"{order.side} order turns round"] += 1
            account.leave(self.bar, price, "signal", self.impact)
            self.closed(held["side"])
            entries = 0
        self.enter(order, price)
        if not account.position or account.position["entries"] == entries:
            return False
        if not entries:
            account.expose(self.bar)
            account.position["late"] = int(account.spent >= self.bar)
        account.met["waiting order called off by an entry"] += len(self.orders)
        self.orders.clear()
        return True

    def step(self) -> bool:
        """One place of the road; whether there may be more."""
        account, (opening, high, low, _) = self.account, self.prices
        held = account.position
        touched = {
            one.side: price for one in self.orders.values() if (price := one.met(high, low)) is not None
        }
        if not held:
            if len(touched) == 2 and abs(touched["long"] - opening) == abs(touched["short"] - opening):
                account.met["orders of both sides as near"] += 1
                self.orders.clear()
            if not touched or not self.orders:
                return False
            side = min(touched, key=lambda one: abs(touched[one] - opening))
            account.met["orders of both sides in one bar"] += len(touched) == 2
            account.met[
                f"{side} {'limit' if self.orders[side].stop is None else 'stop'} behind the open"
            ] += 1
            return self.fill_behind(self.orders[side], touched[side], fresh=True)

        rising = held["side"] == "long"
        worst, best = (low, high) if rising else (high, low)
        against, along = [], []
        stop, target, part = account.tightest(self.impact), account.nearest(), account.next_part()
        if stop and (worst <= stop[0] if rising else worst >= stop[0]):
            against.append((stop[0], "stop"))
        if target and (best >= target[0] if rising else best <= target[0]):
            along.append((target[0], "target"))
        if part and (best >= part if rising else best <= part):
            along.append((part, "part"))
        for side in (OTHER[held["side"]], held["side"]):
            if side in touched:
                lower = touched[side] < opening
                (against if lower == rising else along).append((touched[side], side))
        # Lists hold what comes first among equals first, and both min and max keep the first.
        if against and not self.turned:
            price, what = (max if rising else min)(against, key=lambda one: one[0])
        elif along:
            price, what = (min if rising else max)(along, key=lambda one: one[0])
            self.turned = True
        else:
            return False
        if along and what == "stop":
            account.met["stop and target in one bar"] += 1
        if what == "part":
            account.sell_part(self.bar, price, self.impact)
        elif what in self.orders:
            return self.fill_behind(self.orders[what], price, fresh=what != held["side"])
        elif what == "stop":
            assert stop
            account.leave(self.bar, price, stop[2], self.impact, stop[3])
        else:
            assert target
            account.leave(self.bar, price, "target", self.impact, target[1])
        if account.position:
            return True
        self.closed(held["side"])
        return False

    def fill_behind(self, order: Order, price: float, *, fresh: bool) -> bool:
        """Fill an order behind the open: the rest of the bar is at its worst, and nothing is gained on it."""
        account, (_, high, low, _) = self.account, self.prices
        side = account.position and account.position["side"]
        if not self.fill(order, price):
            return (account.position and account.position["side"]) == side
        held = account.position
        assert held
        rising = held["side"] == "long"
        self.behind = fresh
        stop = account.tightest(self.impact)
        if stop and (low <= stop[0] if rising else high >= stop[0]):
            account.met["stopped on the bar of its entry"] += 1
            level = min(stop[0], price) if rising else max(stop[0], price)
            account.leave(self.bar, level, stop[2], self.impact, stop[3])
            self.closed(held["side"])
        return False
