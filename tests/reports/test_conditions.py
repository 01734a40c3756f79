"""A condition in the reader's words, as a person who trades would say it."""

from __future__ import annotations

import pytest

from backtest.language.functions import FUNCTIONS, SERIES
from backtest.language.parser import parse
from backtest.language.tree import bind
from prompts import Words
from reports.conditions import function_label, in_words


@pytest.mark.parametrize(
    ("written", "english", "french"),
    [
        (
            "crosses_above(sma(close, n), sma(close, 50))",
            "simple moving average over 20 bars crosses above simple moving average over 50 bars",
            "moyenne mobile simple sur 20 barres croise à la hausse moyenne mobile simple sur 50 barres",
        ),
        (
            "close > highest(high, n)[1] and (rsi < 30 or not (weekday == 4))",
            "close is above highest value over 20 bars (high), 1 bar earlier and (relative strength index "
            "(RSI) over 14 bars is below 30 or not (weekday (0: Monday) is equal to 4))",
            "clôture dépasse plus haute valeur sur 20 barres (plus haut), 1 barre plus tôt et (indice de "
            "force relative (RSI) sur 14 barres est sous 30 ou "
            "non (jour de la semaine (0\xa0: lundi) vaut 4))",
        ),
        (
            'at("4h", rsi(volume, 14)) >= 70.5 and high - low > 2 * atr(14)',
            "relative strength index (RSI) over 14 bars (volume) on the 4h timeframe is at least 70.5 and "
            "high − low is above 2 × average true range (ATR) over 14 bars",
            "indice de force relative (RSI) sur 14 barres (volume), barres de 4h atteint ou dépasse 70,5 et "
            "plus haut − plus bas dépasse 2 × amplitude moyenne vraie (ATR) sur 14 barres",
        ),
        ("macd() > 0", "MACD line (12, 26, 9) is above 0", "ligne MACD (12, 26, 9) dépasse 0"),
        (
            "rising(close, 3) and close < psar()",
            "close rising over 3 bars and close is below parabolic SAR (0.02, 0.2)",
            "clôture en hausse sur 3 barres et clôture est sous SAR parabolique (0,02; 0,2)",
        ),
    ],
)
def test_a_condition_is_told_in_words(written: str, english: str, french: str) -> None:
    tree = bind(parse(written, {"n"}), {"n": 20.0})
    assert in_words(tree, Words("en")) == english
    assert in_words(tree, Words("fr")) == french


def test_every_word_of_the_language_has_words_in_both_languages() -> None:
    for language in ("fr", "en"):
        words = Words(language)  # type: ignore[arg-type]
        for name, entry in FUNCTIONS.items():
            assert function_label(name, words)
            assert in_words(parse(entry.example), words)
        for name in SERIES:
            assert in_words(parse(f"{name} > 1"), words)
