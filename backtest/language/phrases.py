"""Words and phrases that people and models use, and what they are called in the strategy language.

Only what has one meaning stands here. A band without its indicator (`upper band`), a `stochastic` without its
line or a window in days are refused, and `HINTS` says what was probably meant.
"""

from __future__ import annotations

from dataclasses import dataclass

from backtest.language.functions import FUNCTIONS


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of text: `kind` is number, name, text (in quotes), sign or end."""

    kind: str
    words: str
    position: int


# Words in a row, and what they are called in the language.
PHRASES: dict[str, str] = {
    "price": "close",
    "closing price": "close",
    "typical price": "typical",
    "day of week": "weekday",
    "day of month": "day",
    "dayofweek": "weekday",
    "dayofmonth": "day",
    **{phrase: name for name, entry in FUNCTIONS.items() for phrase in entry.phrases},
}
SIGNS: dict[str, str] = {
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
    "no less than": ">=",
    "not below": ">=",
    "exceeds": ">",
    "closes above": ">",
    "closes below": "<",
    "less than or equal to": "<=",
    "at most": "<=",
    "no more than": "<=",
    "not above": "<=",
    "equal to": "==",
    "equals": "==",
    "≥": ">=",
    "≤": "<=",
    "≠": "!=",
    "×": "*",
    "−": "-",
}
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MONTHS = (
    *("january", "february", "march", "april", "may", "june", "july", "august", "september", "october"),
    *("november", "december"),
)
# 200d SMA is an average of 200 days, and 1M, its capital gone, could be a minute or a month: not these.
TIMEFRAMES = {
    **{f"{count}{unit}": f"{count}m" for count in (3, 5, 10, 15, 30, 45) for unit in ("m", "min")},
    **{f"{count}h": f"{count}h" for count in (1, 2, 3, 4, 6, 8, 12)},
    "1d": "1d",
    "1w": "1w",
    "hourly": "1h",
    "daily": "1d",
    "weekly": "1w",
    "monthly": "1mo",
}

# What is not understood, because it could mean two things, and the name that was probably meant.
HINTS = {
    **{hint: name for name, entry in FUNCTIONS.items() for hint in entry.hints},
    "avg_volume": "volume",
    # The clock and the prices, as a French reader names them; there is no year.
    **dict.fromkeys(("jour", "jour_du_mois", "date"), "day"),
    **dict.fromkeys(("jour_de_la_semaine", "jour_semaine", "dow"), "weekday"),
    **dict.fromkeys(("mois", "annee", "an", "year"), "month"),
    **dict.fromkeys(("heure", "heures", "heure_du_jour"), "hour"),
    "ouverture": "open",
    **dict.fromkeys(("haut", "plus_haut"), "high"),
    **dict.fromkeys(("bas", "plus_bas"), "low"),
    **dict.fromkeys(("cloture", "cours", "prix"), "close"),
    "moyenne": "sma",
}

# Names that other libraries give to arguments: ours, in order of preference.
KEYWORDS_ELSEWHERE = {
    **dict.fromkeys(
        ("timeperiod", "length", "window", "lookback", "bars", "span", "n", "fastk_period"), ("period",)
    ),
    **dict.fromkeys(("fastperiod", "fast_period", "fast_length"), ("fast",)),
    **dict.fromkeys(("slowperiod", "slow_period", "slow_length"), ("slow",)),
    **dict.fromkeys(("signalperiod", "signal_period", "smoothing"), ("signal",)),
    **dict.fromkeys(
        ("stddev", "nbdev", "nbdevup", "num_std", "mult", "factor"), ("deviations", "multiplier")
    ),
    **dict.fromkeys(("source", "src", "real", "data", "x"), ("series",)),
    "slowk_period": ("smooth_k",),
    "slowd_period": ("smooth_d",),
}

SPOKEN: dict[tuple[str, ...], Token] = {
    **{tuple(phrase.split()): Token("name", word, 0) for phrase, word in PHRASES.items()},
    **{tuple(phrase.split()): Token("sign", sign, 0) for phrase, sign in SIGNS.items()},
    ("&&",): Token("name", "and", 0),
    ("&",): Token("name", "and", 0),
    ("||",): Token("name", "or", 0),
    ("|",): Token("name", "or", 0),
    **{(day,): Token("number", str(number), 0) for number, day in enumerate(WEEKDAYS)},
    **{(month,): Token("number", str(number), 0) for number, month in enumerate(MONTHS, 1)},
}
LONGEST = max(len(phrase) for phrase in SPOKEN)
