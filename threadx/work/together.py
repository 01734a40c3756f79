"""`threadx backtest` on several instruments: one strategy on each, or target weights with one account."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from backtest import BacktestError, Costs, StrategySpec, portfolio, weights
from backtest.data.prices import number_column, time_index
from backtest.data.tables import TIME_NAMES, plain_name
from backtest.engine.card import Card
from backtest.engine.pooled import Universe
from backtest.errors import RequestError
from backtest.portfolio import PortfolioResult
from backtest.types import PLACES, Every, Fill
from backtest.universe import instrument_table
from backtest.validation.score import score
from backtest.validation.traded import shown_prices
from nodes.counted import registered_together
from nodes.further import Further
from prompts import Words
from reports.backtest_card import told_card
from reports.tables import METRIC_ROWS, metric, notice_lines
from reports.words import moment
from threadx.errors import ThreadxError
from threadx.plain import say
from threadx.pool import Instrument, read_members
from threadx.terminal import Terminal
from threadx.work.written import plain_rows, write_drawing, write_json
from vault.counted import count_backtest, count_portfolio
from vault.datasets import Dataset
from vault.errors import MarketError
from vault.pools import Member
from vault.readers.options import Reading
from vault.readers.prices import read_any_table

EQUAL = "equal"
"""In place of a file of weights: the account in equal parts over what the strategy holds."""
_BY_INSTRUMENT = ("sharpe_ratio", "total_return", "max_drawdown", "profit_factor", "n_trades")


class Allocation(NamedTuple):
    """How one account is spread over several instruments.

    Attributes:
        weights: a file of target weights, or `EQUAL`; None where each instrument has an account of its own.
        rebalance: when weights are traded; None as they stand, of `EQUAL` where they change.
        max_leverage, cash_yield_pct: as `backtest.portfolio.run_portfolio` takes them.
    """

    weights: str | None
    rebalance: Every | None
    max_leverage: float | None
    cash_yield_pct: float | None


def take_allocation(given: dict[str, Any], usual: str) -> Allocation:
    """The options of an allocation, taken out of what a command was given.

    Args:
        given: every option.
        usual: the strategy that is traded where none is named.

    Raises:
        ThreadxError: `without_weights`, one of them needs `--weights`; `strategy_beside_weights`.
    """
    found = Allocation(*(given.pop(name) for name in Allocation._fields))
    options = [
        f"--{name.replace('_', '-')}" for name in Allocation._fields[1:] if getattr(found, name) is not None
    ]
    if found.weights is None and options:
        raise ThreadxError("without_weights", option=options[0])
    if found.weights not in (None, EQUAL):
        named = [
            name for name in ("strategy_file", "pairs", "tables", "declared", *PLACES) if given.get(name)
        ]
        if named or given["strategy"] != usual:
            raise ThreadxError("strategy_beside_weights", path=str(found.weights))
    return found


class Asked(NamedTuple):
    """What the command was given besides, the same for both ways of trading several instruments."""

    home: Path
    instruments: Sequence[Instrument]
    costs: Costs
    fill: Fill
    capital: float
    reading: Reading
    known: Mapping[str, Any]
    whole: bool
    picture_path: str | None
    json_path: str | None


def several(words: Words, asked: Asked, spec: StrategySpec, further: Further, how: Allocation) -> None:
    """Trade them, count it, and tell it: tables, a picture and the whole result for those who ask.

    Raises:
        MarketError, BacktestError, ThreadxError: bad input.
    """
    symbol = asked.known["symbol"]
    if symbol is not None and len(asked.instruments) > 1:
        raise MarketError("symbol_of_pool", symbol=symbol)
    plan = None
    if how.weights not in (None, EQUAL):
        plan = read_any_table(str(how.weights), asked.home)
    told = [(name or symbol, one) for name, one in asked.instruments]
    known = {name: value for name, value in asked.known.items() if name != "symbol"}
    members = read_members(told, asked.home, reading=asked.reading.whole, **known)
    reader = f"backtest {spec.hash if how.weights in (None, EQUAL) else how.weights}" if asked.whole else None
    prices, dataset = registered_together(members, home=asked.home, reading=asked.reading, reader=reader)
    about = {
        "dataset": dataset.model_dump(mode="json"),
        "part": "all" if asked.whole else "development",
        "settings": {**asked.costs.model_dump(), "fill": asked.fill, "initial_capital": asked.capital},
    }
    spans = {name: pd.DatetimeIndex(one.index) for name, one in prices.items()}
    shown = _Shown(Terminal(words), asked, dataset, member_notes(members, words), about, spans)
    if how.weights is None:
        _each_alone(shown, prices, spec, further)
    else:
        _one_account(shown, prices, spec, further, how, plan)


class _Shown(NamedTuple):
    """Where results are told."""

    terminal: Terminal
    asked: Asked
    dataset: Dataset
    notes: Sequence[str]
    about: Mapping[str, Any]
    spans: Mapping[str, pd.DatetimeIndex]

    @property
    def words(self) -> Words:
        return self.terminal.words

    @property
    def speaks(self) -> bool:
        """Whether standard output is for people."""
        return self.asked.json_path != "-"

    @property
    def held_back(self) -> str | None:
        return None if self.asked.whole else self.dataset.held_back

    def title(self) -> str:
        part = self.words(f"command.part.{self.about['part']}")
        names = {"symbol": self.dataset.symbol, "timeframe": self.dataset.timeframe}
        return self.words("command.backtest_title", part=part, **names)

    def by_instrument(self, head: Sequence[str], rows: Mapping[str, Sequence[str]]) -> None:
        """A row an instrument; where their periods differ, with its period, and how that is traded."""
        words = self.words
        periods = {name: f"{moment(one[0])} → {moment(one[-1])}" for name, one in self.spans.items()}
        differ = len(set(periods.values())) > 1
        extra = [words("card.period")] if differ else []
        self.terminal.table(
            words("verdict.heading.instruments"),
            [words("command.allocation.instrument"), *extra, *head],
            [[name, *([periods[name]] if differ else ()), *row] for name, row in rows.items()],
            words_columns=(0, 1) if differ else (0,),
        )
        if differ:
            say(words("command.allocation.periods_differ"))

    def ended(self, result: Any, closes: pd.Series | None, found: Mapping[str, Any], about: str) -> None:
        """The picture and the whole result."""
        if self.asked.picture_path is not None:
            from reports.charts.equity import equity_chart  # noqa: PLC0415  # the drawing library takes 0.7 s that only a drawing has

            chart = equity_chart(result, self.words, closes=closes, about=f"{self.title()} · {about}")
            write_drawing(chart, self.asked.picture_path)
            if self.speaks:
                say(self.words("command.written", folder=self.asked.picture_path))
        if self.asked.json_path is not None:
            equity = result.equity
            whole = {
                **self.about,
                "metrics": result.metrics.to_dict(),
                "bars_per_year": result.bars_per_year.to_dict(),
                **found,
                "trades": plain_rows(result.trades),
                "equity": {
                    "time": [moment.isoformat() for moment in equity.index],
                    "value": equity.tolist(),
                },
            }
            told = json.dumps(whole, ensure_ascii=False, sort_keys=True, allow_nan=False)
            write_json(told, self.asked.json_path)


def member_notes(members: Sequence[Member], words: Words) -> list[str]:
    """What was assumed when the files were read, each with its instrument."""
    return [
        words("report.pair", name=one.symbol, value=line)
        for one in members
        for line in notice_lines([notice.model_dump(mode="json") for notice in one.notices], words)
    ]


def _each_alone(
    shown: _Shown, prices: Mapping[str, pd.DataFrame], spec: StrategySpec, further: Further
) -> None:
    """One strategy on each instrument; the card is that of the account that holds equal parts of all."""
    asked, words, terminal = shown.asked, shown.words, shown.terminal
    every = Universe(prices, asked.costs, asked.fill, None, asked.capital, spec=spec, inputs=further.tables)
    every.need(spec)
    result = every.run(spec)
    terminal.home(asked.home)
    count_backtest(asked.home, shown.dataset, result, None, whole=asked.whole)
    card, points = Card.of(result, basket := shown_prices(prices, result)), score(result).value
    table = instrument_table({one.name: one.result for one in result.parts}, every.clock)
    if shown.speaks:
        for line in shown.notes:
            say(line)
        cells, kinds = terminal.cells, dict(METRIC_ROWS)
        title, traded = shown.title(), spec.describe()
        terminal.card(
            told_card(
                card, points, words, title=title, strategy=traded, held_back=shown.held_back, cells=cells
            )
        )
        shown.by_instrument(
            [words(f"report.metric.{name}") for name in _BY_INSTRUMENT],
            {
                str(name): [metric(cells, row, one, kinds[one]) for one in _BY_INSTRUMENT]
                for name, row in zip(table.index, plain_rows(table), strict=True)
            },
        )
        say(words("command.pooled_account"))
    found = {
        "strategy": spec.model_dump(mode="json"),
        "score": points,
        "card": card.to_dict(),
        "instruments": plain_rows(table.reset_index()),
    }
    shown.ended(result, basket["close"], found, spec.name)


def _one_account(
    shown: _Shown,
    prices: Mapping[str, pd.DataFrame],
    spec: StrategySpec,
    further: Further,
    how: Allocation,
    plan: pd.DataFrame | None,
) -> None:
    """Target weights of all instruments, traded with one account."""
    asked, words = shown.asked, shown.words
    terms = {"max_leverage": how.max_leverage or 1.0, "cash_yield_pct": how.cash_yield_pct or 0.0}
    left_out, notes = 0, list(shown.notes)
    if plan is None:
        held = weights.sides(prices, spec, asked.costs, asked.fill, inputs=further.tables)
        targets, about = weights.rebalanced(weights.equal(held), how.rebalance or "change"), spec.name
    else:
        targets, left_out = _targets(str(how.weights), plan, pd.DatetimeIndex(portfolio.closes(prices).index))
        about = str(how.weights)
        if how.rebalance is not None:
            targets = weights.rebalanced(targets, how.rebalance)
    result = portfolio.run_portfolio(
        prices,
        targets,
        asked.costs,
        asked.fill,
        initial_capital=asked.capital,
        max_leverage=terms["max_leverage"],
        cash_yield_pct=terms["cash_yield_pct"],
    )
    shown.terminal.home(asked.home)
    count_portfolio(asked.home, shown.dataset, result, _identity(targets, terms), whole=asked.whole)
    if left_out:
        notes.append(words("command.weights_left_out", count=left_out, last=f"{result.index[-1]:%Y-%m-%d}"))
    card = Card.of_portfolio(result, prices)
    if shown.speaks:
        for line in notes:
            say(line)
        _tell(shown, result, card, spec, how)
    found: dict[str, Any] = {
        "strategy": spec.model_dump(mode="json") if plan is None else None,
        "allocation": {**how._asdict(), **terms},
        "card": card.to_dict(),
        "instruments": plain_rows(result.by_instrument.reset_index()),
        "orders": plain_rows(result.orders),
    }
    shown.ended(result, None, found, about)


def _targets(path: str, table: pd.DataFrame, clock: pd.DatetimeIndex) -> tuple[pd.DataFrame, int]:
    """Target weights of a file as far as prices may be seen, and how many of its rows lie outside.

    A weight given before the first bar is that of the first bar; one behind the last is of no use.

    Args:
        path: of the file, for the reader.
        table: a column of times, and one an instrument.
        clock: times at which there is a bar.

    Raises:
        MarketError: `weights_refused` with the reason, which names row and column; `weights_outside`.
    """
    named = [place for place, name in enumerate(table.columns) if plain_name(name) not in TIME_NAMES]
    names = [str(table.columns[place]) for place in named]
    try:
        times = time_index(table)
        if table.empty:
            raise RequestError("weights_empty")
        values = [number_column(table, place, name, times) for place, name in zip(named, names, strict=True)]
        found = pd.DataFrame(dict(enumerate(values)), index=times).set_axis(names, axis=1)
        if times.tz is None and clock.tz is not None:
            found = found.tz_localize(clock.tz)
        elif times.tz is not None and clock.tz is None:
            raise RequestError("instrument_time_zone", name="weights")
        index = pd.DatetimeIndex(found.index)
        early, late = index < clock[0], index > clock[-1]
        off = ~early & ~late & (clock.get_indexer(index) < 0)
        off[1:] |= index[1:] <= index[:-1]
        if off.any():
            row = int(off.argmax())
            raise RequestError("weights_off_clock", row=row + 1, time=index[row].isoformat())
    except BacktestError as reason:
        raise MarketError("weights_refused", path=path, reason=reason) from None
    kept = found[~early & ~late]
    if early.any() and not (kept.index == clock[0]).any():
        kept = pd.concat([found[early].ffill().iloc[[-1]].set_axis(clock[:1]), kept])
    if kept.empty:
        raise MarketError("weights_outside", first=str(index[0].date()), last=str(index[-1].date()))
    return kept, int(late.sum())


def _identity(targets: pd.DataFrame, terms: Mapping[str, float]) -> str:
    """Of weights and how they are traded: 16 hexadecimal digits."""
    digest = hashlib.sha256(
        json.dumps([sorted(terms.items()), [str(one) for one in targets.columns]]).encode()
    )
    digest.update(pd.DatetimeIndex(targets.index).as_unit("ns").asi8.tobytes())
    digest.update(np.ascontiguousarray(targets.to_numpy(dtype=np.float64)).tobytes())
    return digest.hexdigest()[:16]


def _tell(shown: _Shown, result: PortfolioResult, card: Card, spec: StrategySpec, how: Allocation) -> None:
    """The card of the account, then its instruments one by one."""
    words, terminal = shown.words, shown.terminal
    cells = terminal.cells
    held = how.weights == EQUAL
    when = words(f"command.traded_when.{how.rebalance or ('change' if held else 'row')}")
    traded = spec.describe() if held else str(how.weights)
    told = told_card(
        card, None, words, title=shown.title(), strategy=traded, held_back=shown.held_back, cells=cells
    )
    allotted = words(f"command.allocation.{'equal' if held else 'file'}", when=when)
    terminal.card(replace(told, facts=[*told.facts, (words("command.allocation.weights"), allotted)]))
    heads = ("average_weight", "n_trades", "pnl", "fees", "carried")
    shown.by_instrument(
        [words(f"command.allocation.{name}") for name in heads],
        {
            str(name): [
                cells.percent(row["average_weight"], 1),
                cells.number(row["n_trades"]),
                *(cells.number(row[one]) for one in ("pnl", "fees", "carried")),
            ]
            for name, row in result.by_instrument.iterrows()
        },
    )
