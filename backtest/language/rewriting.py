"""Calls written without parentheses or commas, and words that refer to others, made into the grammar's.

Each rule reads a few tokens ahead and looks back at what was already rewritten; `backtest.language.informal`
lists them.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from backtest.language.functions import FUNCTIONS, KEYWORDS
from backtest.language.phrases import SPOKEN, TIMEFRAMES, Token

COMPARING = ("<", ">", "<=", ">=", "==", "!=", "between", "crosses_above", "crosses_below")
JUDGED = {"positive": ">", "negative": "<", "bullish": ">", "bearish": "<", "up": ">", "down": "<"}
_COLUMNS = ("open", "high", "low", "close", "volume", "typical")
_BARS = ("period", "periods", "bar", "bars", "candle", "candles")
_OTHER_LINES = {
    "macd": ("signal", "macd_signal"),
    "stoch_k": ("d", "stoch_d"),
    "stochrsi_k": ("d", "stochrsi_d"),
}
_TURNED = {">": "crosses_above", "<": "crosses_below"}
_REACH = 200
"""Tokens that are looked back at: no operand that a word refers to is longer."""

_DEEPEST = 2
"""A timeframe inside another is refused by the grammar; it is only to be seen there."""

_GLUED = re.compile(r"([a-z]+)_?(\d+)")


def _takes_period(name: str) -> bool:
    return name in FUNCTIONS and any(one.kind == "period" for one in FUNCTIONS[name].arguments)


def _takes_series(name: str) -> bool:
    wanted = FUNCTIONS[name].arguments if name in FUNCTIONS else ()
    return bool(wanted) and wanted[0].kind == "series"


class Rewriter:
    """Calls written without their parentheses or commas, made into calls."""

    def __init__(self, tokens: list[Token], names: Collection[str]) -> None:
        self.tokens = tokens
        self.names = names
        self.found: list[Token] = []
        self.place = 0
        self.inside = 0

    def ahead(self, distance: int) -> Token:
        """A token further on; the end where there is none."""
        return self.tokens[min(self.place + distance, len(self.tokens) - 1)]

    def function(self, token: Token) -> bool:
        """Whether a token names a function that takes a period."""
        return token.kind == "name" and token.words not in self.names and _takes_period(token.words)

    def column(self, token: Token) -> bool:
        """Whether a token names a column of the prices."""
        return token.kind == "name" and token.words not in self.names and token.words in _COLUMNS

    def emit(self, position: int, *words: str | Token) -> None:
        """Append tokens that were not written, at the position of what they stand for."""
        for word in words:
            if isinstance(word, Token):
                self.found.append(word)
            else:
                kind = "sign" if word in "()[]," else "number" if word[0].isdigit() else "name"
                self.found.append(Token(kind, word, position))

    def call(self, function: Token, column: Token | None, period: Token | str) -> None:
        """Append a call."""
        place = function.position
        inside: list[str | Token] = [] if column is None else [column, ","]
        self.emit(place, function, "(", *inside, period, ")")

    def name(self, token: Token, *words: str) -> bool:
        """Whether a token is one of some words, and no parameter's name."""
        return token.kind == "name" and token.words in words and token.words not in self.names

    def subject(self, end: int) -> int | None:
        """Where the operand that ends before `end` begins, if it is a single one at the start of a clause."""
        place = end - 1
        while place >= 0 and self.found[place].words in (")", "]"):
            opening, depth = {")": "(", "]": "["}[self.found[place].words], 0
            closing = self.found[place].words
            least = max(0, end - _REACH)
            while place >= least:
                depth += {closing: 1, opening: -1}.get(self.found[place].words, 0)
                if depth == 0:
                    break
                place -= 1
            if place < least:
                return None
            place -= 1
        if place < 0 or self.found[place].kind != "name" or self.found[place].words in KEYWORDS:
            return None
        clause = place == 0 or self.found[place - 1].words in ("and", "or", "not", "(")
        return place if clause else None

    def compared(self) -> tuple[list[Token], int] | None:
        """What stands before the last comparison of this clause, and where it begins."""
        for place in range(len(self.found) - 1, max(0, len(self.found) - _REACH), -1):
            word = self.found[place].words
            if word in COMPARING or (word == "," and self.found[0].words in _TURNED.values()):
                begin = self.subject(place)
                return None if begin is None else (self.found[begin:place], begin)
            if word in ("and", "or"):
                break
        return None

    def step(self) -> int:
        """Rewrite what stands at `place`; how many tokens that took, 0 where there is nothing to rewrite."""
        token = self.ahead(0)
        if token.kind == "number":
            return self.after_number(token)
        if token.words == ".":
            return self.shift()
        if token.kind != "name" or token.words in self.names:
            return 0
        return self.postfix(token) or self.reference(token) or self.time(token) or self.call_of(token)

    def after_number(self, token: Token) -> int:
        """`20-period SMA`, `20 EMA`, `5 bars ago`, `1.5x`, `2 % above`, `4h RSI`."""
        second, third = self.ahead(1), self.ahead(2)
        dash = 1 if second.words == "-" else 0
        unit, function, column = self.ahead(1 + dash), self.ahead(2 + dash), self.ahead(3 + dash)
        if self.name(unit, *_BARS) and self.function(function):
            if self.column(column) and _takes_series(function.words):
                self.call(function, column, token)
                return 4 + dash
            self.call(function, None, token)
            return 3 + dash
        if self.name(second, *_BARS) and self.name(third, "ago") and self.ends_operand():
            self.emit(token.position, "[", token, "]")
            return 3
        if self.function(second) and third.kind != "number" and third.words != "(":
            if self.column(third) and _takes_series(second.words):
                self.call(second, third, token)
                return 3
            self.call(second, None, token)
            return 2
        if self.name(second, "x") and third.kind in ("name", "number"):
            self.emit(second.position, token, "*")
            return 2
        if second.words == "%" and third.words in ("<", ">"):
            return self.percent(token, third)
        frame = TIMEFRAMES.get(token.words + second.words)
        glued = second.kind == "name" and second.position == token.position + len(token.words)
        if frame and glued and self.operand_follows(2) and self.inside < _DEEPEST:
            self.at(frame, token.position, 2)
            return -1
        return 0

    def percent(self, number: Token, side: Token) -> int:
        """`2 % above X` is above 1.02 × X; `more than` and `at least` tell whether equal will do."""
        before = self.found[-1].words if self.found else ""
        sign = side.words
        if before in (">", ">="):
            self.found.pop()
            sign += "=" if before == ">=" else ""
        elif before in COMPARING:
            return 0
        share = float(number.words) / 100.0
        factor = round(1.0 + share if side.words == ">" else 1.0 - share, 12)
        self.found.append(Token("sign", sign, side.position))
        self.found.append(Token("number", repr(factor), number.position))
        self.found.append(Token("sign", "*", number.position))
        return 3

    def shift(self) -> int:
        """`close.shift(1)`, as pandas has it."""
        minus = 1 if self.ahead(3).words == "-" else 0
        bars = self.ahead(3 + minus)
        if not (
            self.ahead(1).words == "shift"
            and self.ahead(2).words == "("
            and bars.kind == "number"
            and self.ahead(4 + minus).words == ")"
            and self.ends_operand()
        ):
            return 0
        self.found.append(Token("sign", "[", self.ahead(0).position))
        self.found.extend([self.ahead(3), bars] if minus else [bars])
        self.found.append(Token("sign", "]", bars.position))
        return 5 + minus

    def ends_operand(self) -> bool:
        """Whether a value has just been read."""
        if not self.found:
            return False
        last = self.found[-1]
        return last.words in (")", "]") or (
            last.kind == "name" and last.words not in (*KEYWORDS, *_TURNED.values(), "between")
        )

    def operand_follows(self, distance: int) -> bool:
        """Whether a column, a function or `20 EMA` stands there."""
        token = self.ahead(distance)
        if token.kind == "number":
            return self.function(self.ahead(distance + 1))
        known = token.words in FUNCTIONS and not FUNCTIONS[token.words].condition
        return self.column(token) or (known and token.words not in self.names)

    def at(self, frame: str, position: int, taken: int) -> None:
        """Rewrite the operand behind a timeframe, as a value of it."""
        self.emit(position, "at", "(")
        self.found.append(Token("text", frame, position))
        self.emit(position, ",")
        self.place += taken
        self.inside += 1
        self.one()
        if self.ahead(0).words == "(" and self.found[-1].kind == "name":
            depth = 0
            while self.place < len(self.tokens) and self.ahead(0).kind != "end":
                depth += {"(": 1, ")": -1}.get(self.ahead(0).words, 0)
                self.one()
                if depth == 0:
                    break
        self.inside -= 1
        self.emit(position, ")")

    def postfix(self, token: Token) -> int:
        """`RSI is rising`, `MACD turns positive`, `supertrend is bullish`."""
        turns = self.name(token, "turns")
        said = self.ahead(1) if turns else token
        begin = self.subject(len(self.found)) if self.found else None
        if begin is None or self.ahead(1 + turns).words == "(":
            return 0
        if said.words in ("rising", "falling") and not turns:
            operand = self.found[begin:]
            del self.found[begin:]
            self.emit(said.position, said.words, "(", *operand, ",", "1", ")")
            return 1
        if said.words not in JUDGED or said.words in self.names:
            return 0
        first = self.found[begin]
        if first.words in ("supertrend", "supertrend_direction"):
            self.found[begin] = Token("name", "supertrend_direction", first.position)
        elif said.words not in ("positive", "negative"):
            return 0
        sign = JUDGED[said.words]
        kind, word = ("name", _TURNED[sign]) if turns else ("sign", sign)
        self.found.append(Token(kind, word, said.position))
        self.emit(said.position, "0")
        return 1 + turns

    def reference(self, token: Token) -> int:
        """`MACD > its signal line`, `%K crosses above %D`, `volume above its 20-period average`."""
        its = 1 if self.name(token, "its", "their") else 0
        said = self.ahead(its)
        compared = self.compared()
        if compared is None or said.words in self.names:
            return 0
        operand, _ = compared
        for line, (word, other) in _OTHER_LINES.items():
            if operand[0].words == line and said.words == word:
                self.found.append(Token("name", other, said.position))
                self.found.extend(operand[1:])
                return 1 + its + (self.ahead(1 + its).words == "line")
        if not its:
            return 0
        number = self.ahead(1) if self.ahead(1).kind == "number" else None
        place = 1
        if number is not None:
            place += 1 + (self.ahead(2).words == "-")
            place += self.name(self.ahead(place), *_BARS)
        function = self.ahead(place)
        if not (self.function(function) and _takes_series(function.words)):
            return 0
        if number is None and self.ahead(place + 1).kind == "number":
            number, place = self.ahead(place + 1), place + 1
        inside: list[str | Token] = [] if number is None else [",", number]
        self.emit(function.position, function, "(", *operand, *inside, ")")
        return place + 1

    def time(self, token: Token) -> int:
        """`previous close`, `high of previous bar`, `daily RSI`, and the two crosses that have a name."""
        second, third, fourth = self.ahead(1), self.ahead(2), self.ahead(3)
        if self.name(token, "previous", "prior", "prev"):
            skip = 1 if self.name(second, "bar", "candle") else 0
            if self.column(self.ahead(1 + skip)):
                self.emit(second.position, self.ahead(1 + skip), "[", "1", "]")
                return 2 + skip
        if (
            self.column(token)
            and self.name(second, "of")
            and self.name(third, "previous", "prior", "prev")
            and self.name(fourth, "bar", "candle")
        ):
            self.emit(token.position, token, "[", "1", "]")
            return 4
        if token.words in TIMEFRAMES and self.operand_follows(1) and self.inside < _DEEPEST:
            self.at(TIMEFRAMES[token.words], token.position, 1)
            return -1
        if self.name(token, "golden", "death") and self.name(second, "cross"):
            crossing = "crosses_above" if token.words == "golden" else "crosses_below"
            averages = ("sma", "(", "close", ",", "50", ")", ",", "sma", "(", "close", ",", "200", ")")
            self.emit(token.position, crossing, "(", *averages, ")")
            return 2
        return 0

    def call_of(self, token: Token) -> int:
        """`SMA 200`, `average volume 20`, `highest high of last 20 bars`, `RSI14`."""
        second, third = self.ahead(1), self.ahead(2)
        if self.function(token):
            # RSI 3 bars ago is another thing
            if second.kind == "number" and self.ahead(3).words != "ago":
                self.call(token, None, second)
                return 2
            column = second if self.column(second) and _takes_series(token.words) else None
            place = 1 if column is None else 2
            if self.name(self.ahead(place), "of", "in"):
                count = place + (2 if self.name(self.ahead(place + 1), "last", "past") else 1)
                if self.ahead(count).kind == "number" and self.name(self.ahead(count + 1), *_BARS):
                    self.call(token, column, self.ahead(count))
                    return count + 2
            if column is not None:
                # average volume 20
                if third.kind == "number" and self.ahead(4).words != "ago":
                    self.call(token, second, third)
                    return 3
                # average volume(20)
                if third.words == "(":
                    self.emit(token.position, token, "(", second, ",")
                    return 3
        # RSI14, EMA_50
        glued = _GLUED.fullmatch(token.words)
        if glued and token.words not in FUNCTIONS and second.words != "(":
            spoken = SPOKEN.get((glued[1],), Token("name", glued[1], 0)).words
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

    def one(self) -> None:
        """Rewrite, or take over, what stands at `place`."""
        taken = self.directional() or self.step()
        if not taken:
            self.found.append(self.tokens[self.place])
        if taken >= 0:  # a timeframe has moved on by itself
            self.place += taken or 1

    def whole(self) -> list[Token]:
        """Rewrite every token."""
        while self.place < len(self.tokens):
            self.one()
        return self.found
