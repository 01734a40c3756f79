"""Which instruments a headline speaks of, and about what: by `names.toml` and `topics.toml`."""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib.resources import files
from itertools import accumulate
from pathlib import Path

from base.reasons import because
from feeds.lexicon import plain_words, without_accents
from feeds.news import TICKER
from vault.errors import MarketError

TOPICS = ("earnings", "mna", "geopolitics", "macro")
_QUOTES = re.compile(r"(?<=[A-Z0-9]{2})[-/_]?(?:USDT|USDC|BUSD|FDUSD|USD|EUR|GBP|BTC)$")
_CASHTAG = re.compile(r"\$([A-Za-z][A-Za-z0-9.]{0,9})\b")


class Names:
    """Finds instruments in texts.

    Args:
        names: instrument → what headlines call it; a name in capitals is matched in capitals only, one that
            begins with a capital needs it: « Avalanche » is no avalanche.
        instruments: those that the user has data of. `BTCUSDT` or `BTC-USD` takes the place of `BTC`, and
            each of three letters or more is known by its own name in capitals.
    """

    def __init__(self, names: Mapping[str, Iterable[str]], instruments: Iterable[str] = ()) -> None:
        given = sorted(set(instruments))
        place = {_QUOTES.sub("", name): name for name in reversed(given)}
        place |= {name: name for name in given}
        self._found: dict[str, str] = {}
        for ticker, called in names.items():
            self._found |= dict.fromkeys(map(_key, called), place.get(ticker, ticker))
        own = {base: name for base, name in place.items() if len(base) >= 3 and base.isalpha()}
        self._found |= {base: name for base, name in own.items() if base not in self._found}
        self._cashtags = {**{ticker: place.get(ticker, ticker) for ticker in names}, **place}
        longest = sorted(self._found, key=lambda name: (-len(name), name))
        self._as_written = _any_of([name for name in longest if name != name.lower()])
        self._in_small = _any_of([name for name in longest if name == name.lower()])

    def tickers(self, text: str) -> tuple[str, ...]:
        """Instruments that a text names, sorted."""
        found = {ticker for _, _, ticker in self.mentions(text)}
        tags = (match.upper() for match in _CASHTAG.findall(text))
        return tuple(sorted(found | set(map(self.instrument, tags))))

    def instrument(self, symbol: str) -> str:
        """The instrument that the user has data of, for a symbol in capitals: `BTCUSDT` for `BTC`."""
        return self._cashtags.get(symbol, symbol)

    def mentions(self, text: str) -> list[tuple[int, int, str]]:
        """(start, end, instrument) of each name in a text; those written with capitals first."""
        plain = without_accents(text)
        matches = [*self._as_written.finditer(plain), *self._in_small.finditer(plain.lower())]
        place = _places(text, plain)
        return [(place(one.start()), place(one.end()), self._found[one[0]]) for one in matches]


def base_of(ticker: str) -> str:
    """What an instrument is about, without the currency, exchange or contract it is quoted in."""
    return re.split(r"[-./=]", _QUOTES.sub("", ticker).lstrip("^"))[0]


def load_names(path: Path | None) -> dict[str, list[str]]:
    """Names from a TOML file (`BTC = ["bitcoin", "BTC"]`), or the packaged ones.

    Raises:
        MarketError: `missing_file`, `bad_names`.
    """
    if path is not None and not path.is_file():
        raise MarketError("missing_file", path=str(path))
    source = files("feeds").joinpath("names.toml") if path is None else path
    try:
        whole = tomllib.loads(source.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise MarketError("bad_names", path=str(path), reason=because(error)) from error
    for ticker, called in whole.items():
        if (
            not TICKER.fullmatch(ticker)
            or not isinstance(called, list)
            or not all(isinstance(name, str) and name.strip() for name in called)
        ):
            raise MarketError("bad_names", path=str(path), reason=ticker)
    return whole


def topics_of(text: str) -> frozenset[str]:
    """What a text is about, of `TOPICS`."""
    words = set(plain_words(text))
    return frozenset(name for name, marks in _topics().items() if marks & words)


@cache
def _topics() -> dict[str, frozenset[str]]:
    whole = tomllib.loads(files("feeds").joinpath("topics.toml").read_text(encoding="utf-8"))
    return {name: frozenset(whole[name].split()) for name in TOPICS}


def _key(name: str) -> str:
    plain = without_accents(name.strip())
    return plain if plain[:1].isupper() or len(plain) <= 3 else plain.lower()


def _places(text: str, plain: str) -> Callable[[int], int]:
    """Where a place of the text without accents lies in the text: « … » is three signs there."""
    if len(plain) == len(text):
        return lambda place: place
    ends = list(accumulate(len(without_accents(letter)) for letter in text))
    return lambda place: bisect_right(ends, place)


def _any_of(names: Iterable[str]) -> re.Pattern[str]:
    choices = "|".join(map(re.escape, names))
    return re.compile(rf"(?<![\w$])(?:{choices})(?!\w)" if choices else r"(?!)")
