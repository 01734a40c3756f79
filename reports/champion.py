"""The champion of a run on the prices it was found on: the charts that its page and its report both show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from backtest import BacktestResult, Costs, StrategySpec
from backtest.validation.traded import Traded, backtest_of, shown_prices
from reports.charts.equity import equity_chart
from reports.charts.indicators import Indicator, strategy_indicators
from reports.charts.price import price_chart
from reports.charts.style import PAPER, Look
from reports.excursions import with_excursions
from reports.words import WordsLike

LAST_BARS = 250
"""Bars of the chart on which single trades can be told apart."""


@dataclass(frozen=True)
class Champion:
    """A strategy and what it did.

    Attributes:
        traded: development part of the run's data, of one instrument or of several by name.
        prices: what charts show of it: of several instruments a basket that holds equal parts of them.
        spec: the strategy.
        tested: its backtest on those prices, with the run's costs and fills.
        about: the data in words, for subtitles.
    """

    traded: Traded
    prices: pd.DataFrame
    spec: StrategySpec
    tested: BacktestResult
    about: str

    @property
    def trades(self) -> pd.DataFrame:
        """Trades as a chart of `prices` shows them: on the basket at its own value."""
        trades = self.tested.trades
        if isinstance(self.traded, pd.DataFrame):
            return trades
        close = self.prices["close"]
        return trades.assign(
            **{
                f"{end}_price": close.reindex(trades[f"{end}_time"]).to_numpy(dtype=np.float64)
                for end in ("entry", "exit")
            }
        )

    @property
    def indicators(self) -> list[Indicator]:
        """What the strategy looks at; it looks at each instrument, never at the basket."""
        return strategy_indicators(self.prices, self.spec) if isinstance(self.traded, pd.DataFrame) else []

    @property
    def excursions(self) -> pd.DataFrame:
        """The trades with how far each went against and in favour of its holder, on its own prices."""
        trades, fill = self.tested.trades, self.tested.fill
        if isinstance(self.traded, pd.DataFrame):
            return with_excursions(trades, self.traded, fill)
        owners = trades["instrument"]
        parts = [with_excursions(trades[owners == name], df, fill) for name, df in self.traded.items()]
        return pd.concat(parts).reindex(trades.index)

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
            indicators=self.indicators,
            trades=self.trades,
            about=about,
            look=look,
        )


def tested_champion(
    prices: Traded,
    spec: Mapping[str, Any],
    settings: Mapping[str, Any],
    dataset: Mapping[str, Any],
    words: WordsLike,
) -> Champion:
    """The champion tested again as in its run.

    Args:
        prices: development part of the run's data, of one instrument or of several by name.
        spec: the strategy as recorded.
        settings: costs and `fill` as in `result.json` or `run.json`; what is absent is the default.
        dataset: with `symbol` and `timeframe`.
        words: language of the subtitle.
    """
    strategy = StrategySpec.model_validate(spec)
    costs = Costs(**{name: settings[name] for name in Costs.model_fields if settings.get(name) is not None})
    tested = backtest_of(prices, strategy, costs, settings.get("fill") or "next_open")
    return Champion(
        traded=prices,
        prices=shown_prices(prices, tested),
        spec=strategy,
        tested=tested,
        about=words(
            "command.backtest_title",
            symbol=dataset["symbol"],
            timeframe=dataset["timeframe"],
            part=words("command.part.development"),
        ),
    )
