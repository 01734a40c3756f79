"""What people and models write informally, rewritten into the words of the grammar before it is read.

Only what has one reading is rewritten:

    price above SMA 200            close > sma(close, 200)
    EMA(50) crosses above EMA 200  crosses_above(ema(close, 50), ema(close, 200))
    volume > 1.5 * average volume(20)
    RSI14 < 30 at entry            in an entry condition only, where it says nothing more
    RSI between 30 and 70          both ends included
    volume above its 20-period average     volume > sma(volume, 20)
    MACD crosses above its signal line     crosses_above(macd(…), macd_signal(…)); %K and %D likewise
    RSI is rising, MACD is positive        rising(rsi(close, 14), 1), macd(…) > 0
    close is 2% above SMA 20               close > 1.02 * sma(close, 20)
    4h RSI > 50, daily EMA 20              at("4h", rsi(close, 14)) > 50
    close 5 bars ago, close.shift(5)       close[5]
    close > 20-period SMA, 20 EMA, previous high, +DI > -DI, upper Bollinger band, 1.5x, &&, ||, ≥ …

A parameter of the strategy keeps its name whatever it is. A moving average without further name is the simple
one, as in TA-Lib. Tokens keep the position of what was written, so errors point there.
"""

from __future__ import annotations

from collections.abc import Collection

from backtest.language.functions import CLOCK
from backtest.language.phrases import LONGEST, SPOKEN, Token
from backtest.language.rewriting import COMPARING, JUDGED, Rewriter


def _phrases(tokens: list[Token], names: Collection[str]) -> list[Token]:
    """Longest phrases first; a word that names a parameter is no part of a phrase.

    The words of a name may be joined, as in `parabolic_sar`.
    """
    found: list[Token] = []
    place = 0
    while place < len(tokens):
        token = tokens[place]
        words: list[str] = []
        for one in tokens[place : place + LONGEST]:
            if one.words in names or one.kind not in ("name", "sign"):
                break
            words.append(one.words)
        for length in range(len(words), 0, -1):
            spoken = SPOKEN.get(tuple(words[:length]))
            if spoken is None and length == 1:
                spoken = SPOKEN.get(tuple(words[0].split("_")))
            if spoken is not None:
                found.append(Token(spoken.kind, spoken.words, token.position))
                place += length
                break
        else:
            found.append(token)
            place += 1
    return found


def _without_filler(tokens: list[Token], names: Collection[str], entry: bool) -> list[Token]:
    """Leave out what says nothing more.

    That is: articles, `is` before a comparison or what is told of a value, `at entry` where an entry is
    decided, `from below` of what crosses above, and libraries' prefixes (`ta.`).
    """
    found: list[Token] = []
    place = 0
    while place < len(tokens):
        token, after = tokens[place], tokens[min(place + 1, len(tokens) - 1)]
        free = token.kind == "name" and token.words not in names
        if free and token.words in ("is", "are"):
            judged = after.words in (*COMPARING, *JUDGED, "rising", "falling")
            if not judged and after.kind == "number" and found and found[-1].words in CLOCK:
                found.append(Token("sign", "==", token.position))
            elif not judged and not _percent(tokens, place + 1):
                found.append(token)
            place += 1
        elif free and token.words == "the":
            place += 1
        elif (
            (free and token.words in ("ta", "talib", "math", "np") and after.words == ".")
            or (entry and free and token.words in ("at", "on") and after.words == "entry")
            or (free and token.words == "from" and _crossing(found) == after.words)
        ):
            place += 2
        else:
            found.append(token)
            place += 1
    return found


def _percent(tokens: list[Token], place: int) -> bool:
    """Whether `2 %` stands there."""
    return tokens[place].kind == "number" and tokens[min(place + 1, len(tokens) - 1)].words == "%"


def _crossing(found: list[Token]) -> str | None:
    """The side that the last crossing came from, as the sign that `above` and `below` have become."""
    for token in reversed(found):
        if token.words in ("crosses_above", "crosses_below"):
            return "<" if token.words == "crosses_above" else ">"
        if token.words in ("and", "or"):
            break
    return None


def formal(tokens: list[Token], names: Collection[str], entry: bool) -> list[Token]:
    """Tokens of the grammar from tokens as written.

    Args:
        tokens: as written, lower case, the end last.
        names: the strategy's parameters.
        entry: whether the condition decides an entry.
    """
    words = _without_filler(_phrases(tokens, names), names, entry)
    return Rewriter(words, names).whole()
