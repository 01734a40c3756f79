"""A slow account over many instruments in plain Python, written from the documented rules.

It keeps positions and cash in dictionaries, finds the account after costs by halving an interval, and makes
round trips from the list of orders afterwards.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field


@dataclass
class Bar:
    open: float
    close: float
    real: bool = True
    funding: float = 0.0


@dataclass
class Terms:
    next_open: bool = True
    fee: float = 0.0
    fixed: float = 0.0
    slippage: float = 0.0
    borrowing: float = 0.0
    interest: float = 0.0
    cash_yield: float = 0.0
    maintenance: float = 0.0
    leverage: float = 1.0
    whole: bool = False
    capital: float = 1_000.0


@dataclass
class Book:
    terms: Terms
    cash: float
    units: dict[str, float] = field(default_factory=dict)
    last: dict[str, float] = field(default_factory=dict)
    waiting: dict[str, float] = field(default_factory=dict)
    orders: list[tuple[int, str, float, float, float, str, bool]] = field(default_factory=list)
    carried: list[tuple[int, str, float]] = field(default_factory=list)
    equity: list[float] = field(default_factory=list)
    exposed: int = 0
    unpaid: int = 0

    def worth(self) -> float:
        return self.cash + sum(held * self.last[name] for name, held in self.units.items())

    def gross(self, names: set[str] | None = None) -> float:
        return sum(
            abs(held) * self.last[name] for name, held in self.units.items() if names is None or name in names
        )

    def ruined(self) -> bool:
        return bool(self.units) and self.worth() <= self.terms.maintenance * self.gross()

    def moved(self, price: float, units: float) -> float:
        return price * (1 + self.terms.slippage) if units > 0 else price * (1 - self.terms.slippage)

    def put(self, row: int, name: str, units: float, price: float, fee: float, why: str, early: bool) -> None:
        self.orders.append((row, name, units, price, fee, why, early))
        held = self.units.get(name, 0.0) + units
        if why != "signal" or self.waiting.get(name) == 0.0:
            held = 0.0
        self.units[name] = held
        if held == 0.0:
            del self.units[name]

    def close_everything(self, row: int, why: str) -> None:
        t = self.terms
        fills = {name: self.moved(self.last[name], -held) for name, held in self.units.items()}
        fees = {name: abs(held) * fills[name] * t.fee + t.fixed for name, held in self.units.items()}
        left = self.cash + sum(held * fills[name] - fees[name] for name, held in self.units.items())
        if left < 0:
            better = -left / self.gross()
            for name, held in self.units.items():
                fills[name] += math.copysign(better, held) * self.last[name]
        for name, held in sorted(self.units.items()):
            self.put(row, name, -held, fills[name], fees[name], why, False)
        self.cash = max(left, 0.0)
        self.waiting.clear()

    def rebalance(self, row: int, prices: dict[str, float], early: bool) -> None:
        t = self.terms
        ready = {name for name in self.waiting if name in prices}

        def unit_value(x: float, names: set[str]) -> float:
            """What a weight of 1 is worth when the account is worth x."""
            wanted = sum(abs(self.waiting[name]) for name in names)
            room = max(0.0, t.leverage * x - (self.gross() - self.gross(names)))
            return min(x, room / wanted) if wanted else x

        worth = self.worth()
        one = unit_value(worth, ready)
        for name in sorted(ready):
            held = self.units.get(name, 0.0)
            near = abs(self.waiting[name] * one - held * prices[name]) <= 1e-9 * worth
            if near and not (self.waiting[name] == 0.0 and held):
                ready.discard(name)
                del self.waiting[name]
        if not ready:
            return

        def targets(x: float) -> dict[str, float]:
            return {name: self.waiting[name] * unit_value(x, ready) / prices[name] for name in ready}

        def spent(x: float) -> float:
            total = 0.0
            for name, target in targets(x).items():
                units = target - self.units.get(name, 0.0)
                fill = self.moved(prices[name], units)
                total += units * (fill - prices[name]) + abs(units) * fill * t.fee
            return total

        before = worth - t.fixed * len(ready)
        low, high = 0.0, max(before, 0.0)
        if before <= 0.0 or spent(0.0) >= before:
            self.unpaid += len(ready)
            for name in ready:
                del self.waiting[name]
            return
        for _ in range(200):
            middle = (low + high) / 2
            if middle + spent(middle) > before:
                high = middle
            else:
                low = middle
        for name, target in sorted(targets(high).items()):
            units = (math.trunc(target) if t.whole else target) - self.units.get(name, 0.0)
            if units:
                fill = self.moved(prices[name], units)
                fee = abs(units) * fill * t.fee + t.fixed
                self.cash -= units * fill + fee
                self.put(row, name, units, fill, fee, "signal", early)
            del self.waiting[name]

    def hold(self, row: int, bars: dict[str, Bar]) -> None:
        t = self.terms
        own = self.worth() - sum(held * self.last[name] for name, held in self.units.items() if held > 0)
        if own > 0:
            self.cash += own * t.cash_yield
        elif -own > 1e-12 * self.gross():
            self.cash += own * t.interest
        for name, held in self.units.items():
            if name in bars:
                value = held * self.last[name]
                due = bars[name].funding * value + (t.borrowing * -value if value < 0 else 0.0)
                self.cash -= due
                self.carried.append((row, name, due))


def run(rows: list[dict[str, Bar]], weights: list[dict[str, float]], terms: Terms) -> Book:
    """The account over the times of a clock: at each the bars that are there, and the instructions given."""
    book = Book(terms, terms.capital)
    lost = False
    for row, bars in enumerate(rows):
        if lost:
            book.equity.append(0.0)
            continue
        real = {name: bar for name, bar in bars.items() if bar.real}
        book.last.update({name: bar.open for name, bar in real.items()})
        exposed = bool(book.units)
        if book.ruined():
            book.close_everything(row, "liquidation")
        elif terms.next_open:
            book.rebalance(row, {name: bar.open for name, bar in real.items()}, True)
            exposed = bool(book.units)
        book.last.update({name: bar.close for name, bar in bars.items()})
        book.hold(row, bars)
        book.exposed += exposed
        if book.ruined():
            book.close_everything(row, "liquidation")
        if row == len(rows) - 1:
            book.close_everything(row, "end_of_data")
        else:
            book.waiting.update(weights[row])
            if not terms.next_open:
                book.rebalance(row, {name: bar.close for name, bar in real.items()}, False)
        lost = book.cash <= 0 and not book.units
        book.equity.append(book.worth())
    return book


def round_trips(book: Book) -> list[tuple[str, str, int, float, int, float, float, float, str, int]]:
    """Instrument, side, entry row and price, exit row and price, size, profit, reason, rows held."""
    found = []
    for name in sorted({order[1] for order in book.orders}):
        held, parts, begun, exposed_from = 0.0, [], 0, 0
        for row, which, units, price, fee, why, early in book.orders:
            if which != name:
                continue
            pieces = [(units, fee)]
            if held * units < 0 and abs(units) > abs(held) * (1 + 1e-12):
                pieces = [(-held, fee * abs(held / units)), (units + held, fee * (1 - abs(held / units)))]
            for amount, cost in pieces:
                if held == 0.0:
                    begun, exposed_from, parts = row, row if early else row + 1, []
                parts.append((amount, price, cost))
                held += amount
                if abs(held) <= 1e-9 * abs(amount):
                    side = math.copysign(1.0, parts[0][0])
                    opening = [one for one in parts if one[0] * side > 0]
                    closing = [one for one in parts if one[0] * side < 0]
                    size, sold = sum(abs(one[0]) for one in opening), sum(abs(one[0]) for one in closing)
                    last = row - 1 if early else row
                    due = sum(
                        paid for at, who, paid in book.carried if who == name and exposed_from <= at <= last
                    )
                    profit = -sum(one[0] * one[1] + one[2] for one in parts) - due
                    found.append(
                        (
                            name,
                            "long" if side > 0 else "short",
                            begun,
                            sum(abs(one[0]) * one[1] for one in opening) / size,
                            row,
                            sum(abs(one[0]) * one[1] for one in closing) / sold,
                            size,
                            profit,
                            why,
                            last - exposed_from + 1,
                        )
                    )
                    held = 0.0
    return found
