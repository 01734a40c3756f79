"""The card of a backtest in words: what terminal, notebook and Python console show of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

import pandas as pd

from backtest.engine.card import Card, UnderWater
from backtest.portfolio import PortfolioResult
from reports.tables import bars_per_year_lines, lost_fields
from reports.words import WordsLike, figure, moment

COMPARED = (
    *("total_return", "cagr", "volatility", "sharpe_ratio", "sortino_ratio", "calmar_ratio"),
    *("max_drawdown", "exposure"),
)
_TOLD_IN_WORDS = frozenset({"fee_bps", "slippage_bps"})


@dataclass(frozen=True, kw_only=True)
class Told:
    """A card in words.

    Attributes:
        title: which prices.
        strategy: in one line.
        facts: name and value, before the tables.
        head, rows: the strategy beside holding.
        trades: name and value, between the tables.
        exits_head, exits: trades by how they ended; no rows without trades.
        lost: that the account was lost; empty where it was not.
        notes: lines at the end.
    """

    title: str
    strategy: str
    facts: Sequence[tuple[str, str]]
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    trades: Sequence[tuple[str, str]]
    exits_head: Sequence[str]
    exits: Sequence[Sequence[str]]
    lost: str = ""
    notes: Sequence[str] = field(default_factory=tuple)


def told_card(
    card: Card,
    score: float | None,
    words: WordsLike,
    *,
    title: str,
    strategy: str,
    held_back: str | None,
    cells: WordsLike | None = None,
) -> Told:
    """A card in words.

    Args:
        card: of the backtest.
        score: 0–10; None of weights, which have none.
        words: language.
        title: which prices, and which part of them.
        strategy: what was traded, in one line.
        held_back: time from which on bars were left to the verdict; None where all were used.
        cells: writes the figures of the tables; `words` if None.
    """
    result, cells = card.result, cells or words
    lost = result.account_lost
    return Told(
        title=title,
        strategy=strategy,
        facts=[
            *_setting(card, words),
            *([(words("card.score"), words.number(score))] if score is not None else ()),
        ],
        head=[
            words("report.table.metric"),
            words("card.account" if isinstance(result, PortfolioResult) else "card.strategy"),
            words("card.holding"),
        ],
        rows=[*_compared(card, cells), *_under_water(card, cells)],
        trades=_trades(result.trades, result.metrics.profit_factor, words),
        exits_head=[
            words("card.exits"),
            words("card.trades"),
            *(words(f"card.{name}") for name in ("won", "average_return", "profit")),
        ],
        exits=[
            [
                words(f"card.exit.{one.reason}"),
                cells.number(one.trades),
                cells.number(one.won),
                cells.percent(one.average_return, 2),
                cells.number(one.profit),
            ]
            for one in card.exits
        ],
        lost=words("report.account_lost.told", **lost_fields(words, lost.to_dict())) if lost else "",
        notes=[
            *_not_taken(card, words),
            *bars_per_year_lines(result.bars_per_year.to_dict(), words),
            *([words("card.held_back", boundary=held_back)] if held_back else ()),
            words("card.not_judged"),
        ],
    )


def short_card(card: Card, words: WordsLike, *, strategy: str) -> str:
    """A card in one line; the strategy by its name."""
    metrics = card.result.metrics
    return words(
        "card.short",
        strategy=strategy,
        total=words.percent(metrics.total_return),
        sharpe=words.number(metrics.sharpe_ratio),
        drawdown=words.percent(metrics.max_drawdown),
        count=words.number(metrics.n_trades),
        holding=words.percent(card.holding.metrics.total_return),
    )


def _html_line(tag: str, cells: Sequence[str]) -> str:
    sides = ["left"] + ["right"] * (len(cells) - 1)
    inner = "".join(
        f"<{tag} style='text-align:{side}'>{escape(cell)}</{tag}>"
        for side, cell in zip(sides, cells, strict=True)
    )
    return f"<tr>{inner}</tr>"


def html_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A small table; the first column holds names, the others figures."""
    body = "".join(_html_line("td", row) for row in rows)
    return f"<table><thead>{_html_line('th', head)}</thead><tbody>{body}</tbody></table>"


def card_html(told: Told) -> str:
    """A card as a small piece of a page."""
    facts = "".join(
        f"<div><b>{escape(name)}</b> {escape(value)}</div>" for name, value in (*told.facts, *told.trades)
    )
    lost = f"<div style='color:#cc3338'>{escape(told.lost)}</div>" if told.lost else ""
    notes = "".join(f"<div><small>{escape(note)}</small></div>" for note in told.notes)
    exits = html_table(told.exits_head, told.exits) if told.exits else ""
    return (
        f"<div><div><b>{escape(told.title)}</b></div><div><i>{escape(told.strategy)}</i></div>{facts}"
        f"{lost}{html_table(told.head, told.rows)}{exits}{notes}</div>"
    )


def _not_taken(card: Card, words: WordsLike) -> list[str]:
    told = card.result.not_taken
    return [words(f"card.{name}", count=words.number(count)) for name, count in told.items() if count]


def _setting(card: Card, words: WordsLike) -> list[tuple[str, str]]:
    """Period, capital and costs."""
    result, costs = card.result, card.result.costs
    final = float(result.equity.iloc[-1])
    further = "".join(
        words("card.costs_further", name=name, value=words.short(value))
        for name, value in costs.model_dump().items()
        if name not in _TOLD_IN_WORDS and value
    )
    paid = words(
        "card.costs_value",
        fee=words.short(costs.fee_bps),
        slippage=words.short(costs.slippage_bps),
        fill=words(f"card.fill.{result.fill}"),
    )
    return [
        (
            words("card.period"),
            words(
                "card.period_value",
                first=moment(result.index[0]),
                last=moment(result.index[-1]),
                bars=words.number(len(result.index)),
            ),
        ),
        (
            words("card.capital"),
            words(
                "card.capital_value",
                before=words.number(result.initial_capital),
                after=words.number(final),
                profit=words.number(final - result.initial_capital, signed=True),
            ),
        ),
        (words("card.costs"), f"{paid}{further}"),
    ]


def _compared(card: Card, words: WordsLike) -> list[list[str]]:
    ours, held = card.result.metrics, card.holding.metrics
    return [
        [
            words(f"report.metric.{name}"),
            figure(words, name, getattr(ours, name)),
            figure(words, name, getattr(held, name)),
        ]
        for name in COMPARED
    ]


def _under_water(card: Card, words: WordsLike) -> list[list[str]]:
    def longest(water: UnderWater) -> str:
        lasts = water.longest > 0 and water.until is None
        return words(f"card.longest_{'open' if lasts else 'value'}", bars=words.number(water.longest))

    both = (card.water, card.holding_water)
    return [
        [words("card.under_water"), *(words.percent(water.share) for water in both)],
        [words("card.longest"), *(longest(water) for water in both)],
    ]


def _trades(trades: pd.DataFrame, factor: float | None, words: WordsLike) -> list[tuple[str, str]]:
    """How many and which, their mean, the best and the worst."""
    if trades.empty:
        return [(words("card.trades"), words("card.no_trades"))]

    def one(place: int) -> str:
        row = trades.iloc[place]
        return words(
            "card.trade_value",
            value=words.percent(float(row["return"]), 2),
            entered=moment(row["entry_time"]),
            left=moment(row["exit_time"]),
        )

    returns = trades["return"].to_numpy()
    sides = trades["side"].value_counts()
    return [
        (
            words("card.trades"),
            words(
                "card.trades_value",
                count=words.number(len(trades)),
                long=words.number(int(sides.get("long", 0))),
                short=words.number(int(sides.get("short", 0))),
                won=words.percent(float((trades["pnl"] > 0.0).mean())),
                factor=words.number(factor),
            ),
        ),
        (
            words("card.average"),
            words(
                "card.average_value",
                value=words.percent(float(returns.mean()), 2),
                bars=words.number(float(trades["bars"].mean()), 1),
            ),
        ),
        (words("card.best"), one(int(returns.argmax()))),
        (words("card.worst"), one(int(returns.argmin()))),
    ]
