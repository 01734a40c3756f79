"""The champion of a run on the prices it was found on: the charts that its page and its report both show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import altair as alt
import pandas as pd

from backtest import BacktestResult, Costs, StrategySpec, run_backtest
from reports.charts.equity import equity_chart
from reports.charts.indicators import strategy_indicators
from reports.charts.price import price_chart
from reports.charts.style import PAPER, Look
from reports.words import WordsLike

LAST_BARS = 250
"""Bars of the chart on which single trades can be told apart."""


@dataclass(frozen=True)
class Champion:
    """A strategy and what it did.

    Attributes:
        prices: development part of the run's data.
        spec: the strategy.
        tested: its backtest on those prices, with the run's costs and fills.
        about: the data in words, for subtitles.
    """

    prices: pd.DataFrame
    spec: StrategySpec
    tested: BacktestResult
    about: str

    def equity(self, words: WordsLike, look: Look = PAPER) -> alt.TopLevelMixin:
        """Equity and drawdown with the trades, beside holding the same prices."""
        return equity_chart(self.tested, words, closes=self.prices["close"], about=self.about, look=look)

    def price(self, words: WordsLike, look: Look = PAPER) -> alt.TopLevelMixin:
        """All prices with indicators and trades."""
        return self._price(self.prices, self.about, words, look)

    def last(self, words: WordsLike, look: Look = PAPER) -> alt.TopLevelMixin:
        """The last `LAST_BARS` prices with indicators and trades."""
        shown = self.prices.iloc[-LAST_BARS:]
        return self._price(shown, words("chart.last_bars", count=len(shown)), words, look)

    def _price(self, shown: pd.DataFrame, about: str, words: WordsLike, look: Look) -> alt.TopLevelMixin:
        return price_chart(
            shown,
            words,
            indicators=strategy_indicators(self.prices, self.spec),
            trades=self.tested.trades,
            about=about,
            look=look,
        )


def tested_champion(
    prices: pd.DataFrame,
    spec: Mapping[str, Any],
    settings: Mapping[str, Any],
    dataset: Mapping[str, Any],
    words: WordsLike,
) -> Champion:
    """The champion tested again as in its run.

    Args:
        prices: development part of the run's data.
        spec: the strategy as recorded.
        settings: costs and `fill` as in `result.json` or `run.json`; what is absent is the default.
        dataset: with `symbol` and `timeframe`.
        words: language of the subtitle.
    """
    strategy = StrategySpec.model_validate(spec)
    costs = Costs(**{name: settings[name] for name in Costs.model_fields if settings.get(name) is not None})
    return Champion(
        prices=prices,
        spec=strategy,
        tested=run_backtest(prices, strategy, costs=costs, fill=settings.get("fill") or "next_open"),
        about=words(
            "command.backtest_title",
            symbol=dataset["symbol"],
            timeframe=dataset["timeframe"],
            part=words("command.part.development"),
        ),
    )
