"""A slow simulator in plain Python, written from the design's rules and not from the kernel.

It keeps positions as dictionaries, lists every level that may close one, and lets the rules choose.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Terms:
    """What is traded under which terms; None is off."""

    fill: str = "next_open"
    fee: float = 0.0
    slippage: float = 0.0
    capital: float = 10_000.0
    stop_pct: float | None = None
    target_pct: float | None = None
    trailing_pct: float | None = None
    stop_atr: float | None = None
    target_atr: float | None = None
    trailing_atr: float | None = None
    max_bars: int | None = None
    whole_units: bool = False
    start: int = 0


@dataclass
class Account:
    """The state of one account and the log of what it did."""

    terms: Terms
    cash: float
    position: dict[str, Any] | None = None
    trades: list[dict[str, Any]] = field(default_factory=list)

    def value(self, price: float) -> float:
        held = self.position
        if held is None:
            return self.cash
        if held["side"] == "long":
            return self.cash + held["units"] * price
        return self.cash + held["units"] * (held["price"] - price)

    def enter(self, side: str, bar: int, price: float, atr: float | None) -> None:
        terms = self.terms
        uses_atr = any((terms.stop_atr, terms.target_atr, terms.trailing_atr))
        if self.cash <= 0 or (uses_atr and atr is None):
            return
        paid = price * (1 + terms.slippage) if side == "long" else price * (1 - terms.slippage)
        units = self.cash / (paid * (1 + terms.fee))
        if terms.whole_units:
            units = float(math.floor(units))
        if units <= 0:
            return
        before = self.cash
        self.cash -= units * paid * terms.fee
        if side == "long":
            self.cash -= units * paid
        self.position = {
            "side": side,
            "units": units,
            "price": paid,
            "bar": bar,
            "before": before,
            "atr": atr,
            "highs": [paid],
            "lows": [paid],
            "bars": 0,
        }

    def ruin(self) -> float:
        """The price, after slippage, at which buying back a short takes all there is."""
        held = self.position
        assert held is not None
        return (self.cash + held["units"] * held["price"]) / (held["units"] * (1 + self.terms.fee))

    def leave(self, bar: int, price: float, reason: str) -> None:
        held = self.position
        assert held is not None
        terms = self.terms
        if held["side"] == "long":
            got = price * (1 - terms.slippage)
            self.cash += held["units"] * got * (1 - terms.fee)
        else:
            got = price * (1 + terms.slippage)
            left = self.cash + held["units"] * (held["price"] - got) - held["units"] * got * terms.fee
            if reason == "liquidation" or left <= 0:
                got, left, reason = self.ruin(), 0.0, "liquidation"
            self.cash = left
        self.trades.append(
            {
                "side": held["side"],
                "entry_bar": held["bar"],
                "entry_price": held["price"],
                "exit_bar": bar,
                "exit_price": got,
                "size": held["units"],
                "pnl": self.cash - held["before"],
                "exit_reason": reason,
                "bars": held["bars"],
            }
        )
        self.position = None

    def stops(self) -> list[tuple[float, int, str]]:
        """(level, rank among equals, reason) of each stop."""
        held, terms = self.position, self.terms
        assert held is not None
        away = -1 if held["side"] == "long" else 1
        extreme = max(held["highs"]) if held["side"] == "long" else min(held["lows"])
        found = []
        if terms.stop_pct:
            found.append((held["price"] + away * held["price"] * terms.stop_pct / 100, 0, "stop"))
        if terms.stop_atr:
            found.append((held["price"] + away * terms.stop_atr * held["atr"], 0, "stop"))
        if terms.trailing_pct:
            found.append((extreme + away * extreme * terms.trailing_pct / 100, 2, "trailing_stop"))
        if terms.trailing_atr:
            found.append((extreme + away * terms.trailing_atr * held["atr"], 2, "trailing_stop"))
        if held["side"] == "short":
            found.append((self.ruin() / (1 + terms.slippage), 1, "liquidation"))
        return found

    def targets(self) -> list[float]:
        held, terms = self.position, self.terms
        assert held is not None
        toward = 1 if held["side"] == "long" else -1
        found = []
        if terms.target_pct:
            found.append(held["price"] + toward * held["price"] * terms.target_pct / 100)
        if terms.target_atr:
            found.append(held["price"] + toward * terms.target_atr * held["atr"])
        return found

    def live_through(self, bar: int, opening: float, high: float, low: float) -> None:
        """One bar to which the position is exposed."""
        held = self.position
        assert held is not None
        held["bars"] += 1
        rising = held["side"] == "long"
        stops, targets = self.stops(), self.targets()
        # The tightest stop is the highest for a long position, the lowest for a short one.
        stop = min(stops, key=lambda one: (-one[0] if rising else one[0], one[1])) if stops else None
        target = (min(targets) if rising else max(targets)) if targets else None
        if stop and (opening <= stop[0] if rising else opening >= stop[0]):
            return self.leave(bar, opening, stop[2])
        if target is not None and (opening >= target if rising else opening <= target):
            return self.leave(bar, opening, "target")
        if stop and (low <= stop[0] if rising else high >= stop[0]):
            return self.leave(bar, stop[0], stop[2])
        if target is not None and (high >= target if rising else low <= target):
            return self.leave(bar, target, "target")
        held["highs"].append(high)
        held["lows"].append(low)
        return None


def decide(account: Account, asked: set[str]) -> tuple[str | None, str | None]:
    """(why to leave, which side to enter) from the conditions true at a close."""
    long_wanted = "entry_long" in asked and "exit_long" not in asked
    short_wanted = "entry_short" in asked and "exit_short" not in asked
    wanted = None
    if long_wanted and not short_wanted:
        wanted = "long"
    if short_wanted and not long_wanted:
        wanted = "short"
    held = account.position
    if held is None:
        return None, wanted
    side = held["side"]
    other = "short" if side == "long" else "long"
    reason = None
    if account.terms.max_bars and held["bars"] >= account.terms.max_bars:
        reason = "max_bars"
    if f"exit_{side}" in asked or wanted == other:
        reason = "signal"
    return reason, wanted if wanted == other else None


def trade(
    bars: list[tuple[float, float, float, float]],
    asked: list[set[str]],
    terms: Terms,
    atr: list[float | None] | None = None,
) -> tuple[list[dict[str, Any]], list[float]]:
    """Trades and the value of the account at each close from `terms.start` on.

    Args:
        bars: open, high, low, close of each.
        asked: names of the conditions true at each close.
        terms: of trading.
        atr: average true range at each close, None before there is one.
    """
    account = Account(terms, terms.capital)
    equity = []
    waiting: tuple[str | None, str | None] = (None, None)
    final = len(bars) - 1
    for bar, (opening, high, low, close) in enumerate(bars):
        if bar < terms.start:
            continue
        known = atr[bar] if atr else None
        if terms.fill == "next_open":
            if waiting[0] and account.position:
                account.leave(bar, opening, waiting[0])
            if waiting[1]:
                account.enter(waiting[1], bar, opening, atr[bar - 1] if atr else None)
            waiting = (None, None)
        if account.position:
            account.live_through(bar, opening, high, low)
        reason, side = decide(account, asked[bar])
        if bar == final:
            side = None
            if terms.fill == "next_open":
                reason = None
        if terms.fill == "next_open":
            waiting = (reason, side)
        else:
            if reason and account.position:
                account.leave(bar, close, reason)
            if side:
                account.enter(side, bar, close, known)
        if bar == final and account.position:
            account.leave(bar, close, "end_of_data")
        equity.append(account.value(close))
    return account.trades, equity
