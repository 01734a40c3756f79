"""Words and phrases that people and models use, and what they are called in the strategy language.

Only what has one meaning stands here. A band without its indicator (`upper band`), a `stochastic` without its
line or a window in days are refused, and `HINTS` says what was probably meant.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of text: `kind` is number, name, text (in quotes), sign or end."""

    kind: str
    words: str
    position: int


def _named(indicator: str) -> tuple[str, ...]:
    """How the bands of a channel are written, `{side}` being upper or lower."""
    plain = (f"{indicator} {{side}}", f"{{side}} {indicator}")
    return (
        *plain,
        *(f"{words} {kind}" for words in plain for kind in ("channel", "band")),
        f"{indicator}_{{side}}_channel",
        f"{indicator}_{{side}}_band",
    )


_BANDS = {
    "bollinger": ("bb {side}", "bb {side} band", "{side} bb", "bbands_{side}", "bollinger_{side}_band"),
    "keltner": _named("keltner"),
    "donchian": _named("donchian"),
}
_UP = (
    *("crosses above", "crosses over", "crossed above", "cross above", "crosses up through"),
    *("breaks above", "breaks out above", "rises above", "climbs above", "moves above"),
    *("crossover", "cross_above", "crossed_above", "cross_over"),
)
_DOWN = (
    *("crosses below", "crosses under", "crossed below", "cross below", "crosses down through"),
    *("breaks below", "breaks down below", "falls below", "drops below", "moves below"),
    *("crossunder", "cross_below", "crossed_below", "cross_under"),
)

# Words in a row, and what they are called in the language.
PHRASES: dict[str, str] = {
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
    "bb middle": "bollinger_middle",
    "bb middle band": "bollinger_middle",
    "keltner middle": "keltner_middle",
    "middle keltner": "keltner_middle",
    "middle keltner channel": "keltner_middle",
    "donchian high": "donchian_upper",
    "donchian low": "donchian_lower",
    **{
        phrase.format(side=side): f"{indicator}_{side}"
        for side in ("upper", "lower")
        for indicator, phrases in _BANDS.items()
        for phrase in phrases
    },
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
    **dict.fromkeys(_UP, "crosses_above"),
    **dict.fromkeys(_DOWN, "crosses_below"),
    "increasing": "rising",
    "decreasing": "falling",
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
    "stochastic": "stoch_k",
    "stoch": "stoch_k",
    "stochrsi": "stochrsi_k",
    "bollinger": "bollinger_lower",
    "bb": "bollinger_lower",
    "bbands": "bollinger_lower",
    "keltner": "keltner_upper",
    "donchian": "donchian_upper",
    "ichimoku": "ichimoku_span_a",
    "tenkan": "ichimoku_conversion",
    "kijun": "ichimoku_base",
    "signal": "macd_signal",
    "histogram": "macd_histogram",
    "volatility": "stddev",
    "deviation": "stddev",
    "slope": "linreg_slope",
    "di": "plus_di",
    "avg_volume": "volume",
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
}
LONGEST = max(len(phrase) for phrase in SPOKEN)
