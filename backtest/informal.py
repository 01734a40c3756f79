"""What people and models write informally, rewritten into the words of the grammar before it is read.

Only what has one reading is rewritten:

    price above SMA 200            close > sma(close, 200)
    EMA(50) crosses above EMA 200  crosses_above(ema(close, 50), ema(close, 200))
    volume > 1.5 * average volume(20)
    RSI14 < 30 at entry            in an entry condition only, where it says nothing more
    RSI between 30 and 70          both ends included
    close > 20-period SMA, previous high, +DI > -DI, upper Bollinger band, &&, ||, ≥ …

A parameter of the strategy keeps its name whatever it is. A moving average without further name is the simple
one, as in TA-Lib. Tokens keep the position of what was written, so errors point there.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from backtest.functions import FUNCTIONS


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of text: `kind` is number, name, text (in quotes), sign or end."""

    kind: str
    words: str
    position: int


_COLUMNS = ("open", "high", "low", "close", "volume", "typical")

# Words in a row, and what they are called in the language.
_PHRASES: dict[str, str] = {
    "price": "close",
    "closing price": "close",
    "typical price": "typical",
    "day of week": "weekday",
    "simple moving average": "sma",
    "moving average": "sma",
    "average": "sma",
    "avg": "sma",
    "mean": "sma",
    "ma": "sma",
    "exponential moving average": "ema",
    "weighted moving average": "wma",
    "standard deviation": "stddev",
    "std": "stddev",
    "stdev": "stddev",
    "relative strength index": "rsi",
    "average true range": "atr",
    "average directional index": "adx",
    "money flow index": "mfi",
    "on balance volume": "obv",
    "commodity channel index": "cci",
    "rate of change": "roc",
    "momentum": "mom",
    "macd line": "macd",
    "macd signal": "macd_signal",
    "macd signal line": "macd_signal",
    "macd histogram": "macd_histogram",
    "macd hist": "macd_histogram",
    "upper bollinger band": "bollinger_upper",
    "bollinger upper band": "bollinger_upper",
    "bollinger upper": "bollinger_upper",
    "upper bollinger": "bollinger_upper",
    "bb_upper": "bollinger_upper",
    "middle bollinger band": "bollinger_middle",
    "bollinger middle band": "bollinger_middle",
    "bollinger middle": "bollinger_middle",
    "bb_middle": "bollinger_middle",
    "lower bollinger band": "bollinger_lower",
    "bollinger lower band": "bollinger_lower",
    "bollinger lower": "bollinger_lower",
    "lower bollinger": "bollinger_lower",
    "bb_lower": "bollinger_lower",
    "upper keltner channel": "keltner_upper",
    "lower keltner channel": "keltner_lower",
    "upper donchian channel": "donchian_upper",
    "lower donchian channel": "donchian_lower",
    "supertrend direction": "supertrend_direction",
    "stochastic k": "stoch_k",
    "stochastic d": "stoch_d",
    "stoch k": "stoch_k",
    "stoch d": "stoch_d",
    "slowk": "stoch_k",
    "slowd": "stoch_d",
    "stochrsi k": "stochrsi_k",
    "stochrsi d": "stochrsi_d",
    "williams r": "williams_r",
    "willr": "williams_r",
    "linearreg_slope": "linreg_slope",
    "linear regression slope": "linreg_slope",
    "pct_change": "percent_change",
    "z_score": "zscore",
    "session vwap": "vwap",
    "crosses above": "crosses_above",
    "crosses over": "crosses_above",
    "crossed above": "crosses_above",
    "cross above": "crosses_above",
    "crosses below": "crosses_below",
    "crosses under": "crosses_below",
    "crossed below": "crosses_below",
    "cross below": "crosses_below",
}
_SIGNS: dict[str, str] = {
    "above": ">",
    "over": ">",
    "greater than": ">",
    "higher than": ">",
    "more than": ">",
    "below": "<",
    "under": "<",
    "less than": "<",
    "lower than": "<",
    "greater than or equal to": ">=",
    "at least": ">=",
    "less than or equal to": "<=",
    "at most": "<=",
    "equal to": "==",
    "equals": "==",
    "≥": ">=",
    "≤": "<=",
    "≠": "!=",
    "×": "*",
    "−": "-",
}
_SPOKEN: dict[tuple[str, ...], Token] = {
    **{tuple(phrase.split()): Token("name", word, 0) for phrase, word in _PHRASES.items()},
    **{tuple(phrase.split()): Token("sign", sign, 0) for phrase, sign in _SIGNS.items()},
    ("&&",): Token("name", "and", 0),
    ("||",): Token("name", "or", 0),
}
_LONGEST = max(len(phrase) for phrase in _SPOKEN)
_GLUED = re.compile(r"([a-z]+)_?(\d+)")


def _takes_period(name: str) -> bool:
    return name in FUNCTIONS and any(one.kind == "period" for one in FUNCTIONS[name].arguments)


def _takes_series(name: str) -> bool:
    wanted = FUNCTIONS[name].arguments if name in FUNCTIONS else ()
    return bool(wanted) and wanted[0].kind == "series"


def _phrases(tokens: list[Token], names: Collection[str]) -> list[Token]:
    """Longest phrases first; a word that names a parameter is no part of a phrase."""
    found: list[Token] = []
    place = 0
    while place < len(tokens):
        token = tokens[place]
        words: list[str] = []
        for one in tokens[place : place + _LONGEST]:
            if one.words in names or one.kind not in ("name", "sign"):
                break
            words.append(one.words)
        for length in range(len(words), 0, -1):
            spoken = _SPOKEN.get(tuple(words[:length]))
            if spoken is not None:
                found.append(Token(spoken.kind, spoken.words, token.position))
                place += length
                break
        else:
            found.append(token)
            place += 1
    return found


def _without_filler(tokens: list[Token], names: Collection[str], entry: bool) -> list[Token]:
    """Leave out `is` before a comparison, and `at entry` where an entry is decided."""
    found: list[Token] = []
    place = 0
    while place < len(tokens):
        token, after = tokens[place], tokens[min(place + 1, len(tokens) - 1)]
        if (
            token.words in ("is", "are")
            and token.words not in names
            and (after.words in ("<", ">", "<=", ">=", "==", "between"))
        ):
            place += 1
        elif entry and token.words in ("at", "on") and token.words not in names and after.words == "entry":
            place += 2
        else:
            found.append(token)
            place += 1
    return found


class _Calls:
    """Calls written without their parentheses or commas, made into calls."""

    def __init__(self, tokens: list[Token], names: Collection[str]) -> None:
        self.tokens = tokens
        self.names = names
        self.found: list[Token] = []
        self.place = 0

    def ahead(self, distance: int) -> Token:
        return self.tokens[min(self.place + distance, len(self.tokens) - 1)]

    def function(self, token: Token) -> bool:
        return token.kind == "name" and token.words not in self.names and _takes_period(token.words)

    def column(self, token: Token) -> bool:
        return token.kind == "name" and token.words not in self.names and token.words in _COLUMNS

    def emit(self, position: int, *words: str | Token) -> None:
        for word in words:
            if isinstance(word, Token):
                self.found.append(word)
            else:
                kind = "sign" if word in "()[]," else "number" if word[0].isdigit() else "name"
                self.found.append(Token(kind, word, position))

    def call(self, function: Token, column: Token | None, period: Token | str) -> None:
        place = function.position
        inside: list[str | Token] = [] if column is None else [column, ","]
        self.emit(place, function, "(", *inside, period, ")")

    def step(self) -> int:
        """Rewrite what stands at `place`; how many tokens that took, 0 where there is nothing to rewrite."""
        token, second, third = self.ahead(0), self.ahead(1), self.ahead(2)
        # 20-period SMA, 20 bar average volume
        if token.kind == "number":
            dash = 1 if second.words == "-" else 0
            unit, function, column = self.ahead(1 + dash), self.ahead(2 + dash), self.ahead(3 + dash)
            if unit.words in ("period", "bar") and self.function(function):
                if self.column(column) and _takes_series(function.words):
                    self.call(function, column, token)
                    return 4 + dash
                self.call(function, None, token)
                return 3 + dash
        if token.kind != "name" or token.words in self.names:
            return 0
        # previous close
        if token.words in ("previous", "prior") and self.column(second):
            self.emit(second.position, second, "[", "1", "]")
            return 2
        if self.function(token):
            # SMA 200
            if second.kind == "number":
                self.call(token, None, second)
                return 2
            if self.column(second) and _takes_series(token.words):
                # average volume 20
                if third.kind == "number":
                    self.call(token, second, third)
                    return 3
                # average volume(20)
                if third.words == "(":
                    self.emit(token.position, token, "(", second, ",")
                    return 3
        # RSI14, EMA_50
        glued = _GLUED.fullmatch(token.words)
        if glued and token.words not in FUNCTIONS and second.words != "(":
            spoken = _SPOKEN.get((glued[1],), Token("name", glued[1], 0)).words
            if spoken not in self.names and _takes_period(spoken):
                self.call(Token("name", spoken, token.position), None, glued[2])
                return 1
        return 0

    def directional(self) -> int:
        """`+DI` and `-DI`, where a value is expected."""
        sign, word = self.ahead(0), self.ahead(1)
        before = self.found[-1] if self.found else None
        starts = (
            before is None
            or (before.kind == "sign" and before.words not in (")", "]"))
            or (before.words in ("and", "or", "not", "crosses_above", "crosses_below", "between"))
        )
        if not (starts and sign.words in ("+", "-") and word.words == "di" and "di" not in self.names):
            return 0
        name = "plus_di" if sign.words == "+" else "minus_di"
        period = self.ahead(2)
        if period.kind == "number":
            self.call(Token("name", name, sign.position), None, period)
            return 3
        self.emit(sign.position, name)
        return 2

    def whole(self) -> list[Token]:
        while self.place < len(self.tokens):
            taken = self.directional() or self.step()
            if not taken:
                self.found.append(self.tokens[self.place])
            self.place += taken or 1
        return self.found


def formal(tokens: list[Token], names: Collection[str], entry: bool) -> list[Token]:
    """Tokens of the grammar from tokens as written.

    Args:
        tokens: as written, lower case, the end last.
        names: the strategy's parameters.
        entry: whether the condition decides an entry.
    """
    words = _without_filler(_phrases(tokens, names), names, entry)
    return _Calls(words, names).whole()
