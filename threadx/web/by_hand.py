"""What the workbench asks the engine for, in threads: a backtest, and a sweep that can be stopped."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from backtest import Costs, SweepFile
from backtest.data.inputs import with_inputs
from backtest.engine.card import Card
from backtest.engine.sweep import grid_axes
from backtest.types import COST_NAMES
from backtest.validation.score import score
from nodes.context import OptimizationContext
from nodes.counted import Registered, registered, swept, tried
from prompts import Words
from reports.backtest_card import Told, told_card
from reports.champion import Champion
from reports.charts.indicators import Indicator, strategy_indicators
from reports.charts.sweep import Heat, axes_to_draw, best_values, heat, sweep_cells
from reports.tables import instrument_title
from threadx.web.errors import WebError
from threadx.web.naming import timeframe_name
from threadx.web.order import Order, as_read, limits, source
from threadx.web.run_trades import known_trades
from vault.ledger import Ledger

MOST_ROWS = 200
"""Best configurations of a sweep that its table shows."""

_at_work = threading.Lock()


class Stopped(Exception):
    """A person has stopped a sweep; what is done is kept."""


@dataclass(frozen=True, kw_only=True)
class Tried:
    """A backtest, and what is shown of it.

    Attributes:
        order: what was asked for.
        champion: the strategy and what it did.
        told: its card in words.
        card: figures of it and of holding.
        score: 0–10.
        trades: as `known_trades` gives them.
        indicators: that its conditions read.
        boundary: place of the first bar after the development part; None where that is not opened.
        counted: distinct configurations tried on this market so far.
    """

    order: Order
    champion: Champion
    told: Told
    card: Card
    score: float
    trades: pd.DataFrame
    indicators: Sequence[Indicator]
    boundary: int | None
    counted: int


def costs_of(order: Order, words: Words) -> Costs:
    """The costs of an order, each of which must be given.

    Raises:
        BacktestError: out of bounds.
        WebError: `empty_field`.
    """
    for name in COST_NAMES:
        if order.settings.get(name) is None:
            raise WebError("empty_field", label=words(f"web.setting.{name}"), limits=limits(name))
    return Costs(**{name: value for name, value in order.settings.items() if value is not None})


def backtest(home: Path, order: Order, words: Words, *, whole: bool) -> Tried:
    """Backtest an order's strategy on the development part of its prices, and count it.

    Args:
        home: the data folder.
        order: prices, strategy and costs.
        words: language.
        whole: open the holdout too; the opening is logged and counted.

    Raises:
        BacktestError, MarketError, WebError: as `nodes.counted.tried`; a cost that is missing.
    """
    spec, costs = order.spec(), costs_of(order, words)
    fill = OptimizationContext(home=str(home)).fill
    how = as_read(order.reading)
    tables = order.tables(spec)
    result, found = tried(
        source(order.data, home), spec, costs=costs, fill=fill, whole=whole, inputs=tables, home=home, **how
    )
    title = _title(found, words, whole=whole)
    champion = Champion(traded=found.prices, prices=found.prices, spec=spec, tested=result, about=title)
    card, points = Card.of(result, found.prices), score(result, found.prices["close"]).value
    edge = found.dataset.development_rows if whole and not order.reading else None
    return Tried(
        order=order,
        champion=champion,
        told=told_card(
            card,
            points,
            words,
            title=title,
            strategy=spec.describe(),
            held_back=None if whole else found.dataset.held_back,
        ),
        card=card,
        score=points,
        trades=known_trades(champion),
        indicators=strategy_indicators(found.prices, spec),
        boundary=edge,
        counted=Ledger(home).snapshot(found.dataset.family).trials,
    )


def _title(found: Registered, words: Words, *, whole: bool) -> str:
    part = words("command.part.all" if whole else "command.part.development")
    dataset = found.dataset
    symbol, timeframe = instrument_title(dataset.symbol, words), timeframe_name(dataset.timeframe, words)
    return words("command.backtest_title", symbol=symbol, timeframe=timeframe, part=part)


@dataclass(kw_only=True)
class Sweep:
    """A sweep at work, and then what it found.

    Attributes:
        order: prices, strategy and costs.
        grid: values by name.
        rank_by: the metric.
        done, total: how far it is.
        title: which prices.
        found: the finished sweep.
    """

    order: Order
    grid: Mapping[str, list[float]]
    rank_by: str
    done: int = 0
    total: int = 0
    title: str = ""
    found: SweepFile | None = None
    _ended: threading.Event = field(default_factory=threading.Event)

    def stop(self) -> None:
        """End it with the piece at work."""
        self._ended.set()

    def work(self, home: Path, words: Words) -> Heat:
        """Do it, in a thread, and read what its picture shows; one at a time.

        Raises:
            BacktestError, MarketError, WebError: as `backtest`; `sweep_busy`.
            Stopped: by `stop`.
        """
        if not _at_work.acquire(blocking=False):
            raise WebError("sweep_busy")
        try:
            return self._work(home, words)
        finally:
            _at_work.release()

    def _work(self, home: Path, words: Words) -> Heat:
        spec, costs = self.order.spec(), costs_of(self.order, words)
        axes = grid_axes(spec, self.grid)
        found = registered(source(self.order.data, home), home=home, spec=spec, **as_read(self.order.reading))
        found = found._replace(prices=with_inputs(found.prices, self.order.tables(spec), spec))
        self.title = _title(found, words, whole=False)
        self.found = swept(
            found,
            spec,
            axes,
            costs=costs,
            fill=OptimizationContext(home=str(home)).fill,
            home=home,
            top=MOST_ROWS,
            rank_by=self.rank_by,
            progress=self._step,
        )
        drawn = axes_to_draw(axes) if any(len(values) > 1 for values in axes.values()) else (*axes,)[:1]
        return heat(sweep_cells(self.found.path, axes, drawn, self.rank_by), words)

    def _step(self, done: int, total: int) -> None:
        self.done, self.total = done, total
        if self._ended.is_set():
            raise Stopped

    def values_at(self, cell: Mapping[str, Any]) -> dict[str, Any]:
        """The best values of the whole grid within a cell; read from its file, in a thread."""
        assert self.found is not None, "a cell is of a finished sweep"
        return best_values(self.found.path, [*self.grid], cell, self.rank_by)
