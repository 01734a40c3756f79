"""What `threadx.backtest` returns: the engine's result with its prices, a card, a chart, and no verdict."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from backtest import BacktestResult
from backtest.engine.card import Card
from backtest.validation.score import score
from nodes.context import Context
from prompts import Words
from reports.backtest_card import Told, card_html, short_card, told_card
from vault.datasets import Dataset

if TYPE_CHECKING:
    import altair as alt


@dataclass(frozen=True, kw_only=True, repr=False)
class Backtest(BacktestResult):
    """What `threadx.backtest` returns: the result of `run_backtest`, with a card, a score and a chart.

    Attributes:
        prices: the bars of the backtest.
        symbol, timeframe: the names under which they are registered.
        whole: whether they include the holdout.
        held_back: time from which on bars are kept for the verdict and are not among them; None without any.
    """

    prices: pd.DataFrame
    symbol: str
    timeframe: str
    whole: bool
    held_back: str | None

    @classmethod
    def of(cls, result: BacktestResult, prices: pd.DataFrame, dataset: Dataset, *, whole: bool) -> Backtest:
        """The engine's result with its prices, and what they are registered as."""
        known = {field.name: getattr(result, field.name) for field in fields(BacktestResult)}
        return cls(
            **known,
            prices=prices,
            symbol=dataset.symbol,
            timeframe=dataset.timeframe,
            whole=whole,
            held_back=None if whole else dataset.held_back,
        )

    @cached_property
    def card(self) -> Card:
        """The strategy and buy and hold, time under water, trades by type of exit."""
        return Card.of(self, self.prices)

    @cached_property
    def score(self) -> float:
        """0–10, from the excess over buy and hold at the same exposure."""
        return score(self, self.prices["close"]).value

    @property
    def verdict(self) -> None:
        """None: a backtest on data already seen is not a verdict. `threadx.optimize` judges on a holdout."""
        return None

    def told(self, words: Words, cells: Words | None = None) -> Told:
        """The card in words; `cells` writes its tables, where those are for a program."""
        return told_card(
            self.card,
            self.score,
            words,
            title=self.title(words),
            strategy=self.spec.describe(),
            held_back=self.held_back,
            cells=cells,
        )

    def title(self, words: Words) -> str:
        """Which prices, and which part of them."""
        part = words("command.part.all" if self.whole else "command.part.development")
        return words("command.backtest_title", symbol=self.symbol, timeframe=self.timeframe, part=part)

    def plot(self, path: str | Path | None = None) -> alt.VConcatChart:
        """Equity with buy and hold, and the drawdown below.

        Args:
            path: written there too: .png, .svg, .pdf or .html.

        Raises:
            ReportError: `unknown_picture`.
            OSError: the file cannot be written.
        """
        return self.chart(_words(), path)

    def chart(self, words: Words, path: str | Path | None = None) -> alt.VConcatChart:
        """`plot`, in one language."""
        from reports.charts.equity import equity_chart  # noqa: PLC0415  # the drawing library takes 0.7 s that only a drawing has
        from reports.pictures import write_picture  # noqa: PLC0415

        about = f"{self.title(words)} · {self.spec.name}"
        chart = equity_chart(self, words, closes=self.prices["close"], about=about)
        if path is not None:
            write_picture(chart, Path(path))
        return chart

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {short_card(self.card, _words(), strategy=self.spec.name)}>"

    def _repr_html_(self) -> str:
        return card_html(self.told(_words()))


def _words() -> Words:
    return Words(Context().language)
