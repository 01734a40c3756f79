"""Entries of the strategy language: the session, which is the day in the data's own time zone."""

from __future__ import annotations

from backtest.language.entry import PRICE_RANGE, UNBOUNDED, Entry, Group, Image, Label, number, period

_BANDS = (number("deviations", 1),)
_BANDS_OF = ("high", "low", "close", "volume")

GROUP = Group(
    title=Label("Session", "Séance"),
    note="A session is a day in the data's own time zone; the first one begins with the data.",
    entries=(
        Entry(
            name="session_open",
            label=Label("open of the session", "ouverture de la séance"),
            inputs=("open",),
            warm_up="0",
            image=Image("price"),
            range=PRICE_RANGE,
            phrases=("session open", "day open", "daily open", "open of the day"),
            formula="open of the session's first bar",
            example="close > session_open()",
            source="Pine session.isfirstbar with ta.valuewhen",
        ),
        Entry(
            name="opening_range_high",
            label=Label("high of the opening range", "haut de l’amplitude d’ouverture"),
            arguments=(period(6),),
            inputs=("high",),
            warm_up="period - 1",
            image=Image("price", opposite="opening_range_low"),
            range=PRICE_RANGE,
            not_below=("opening_range_low",),
            family="opening_range",
            phrases=("opening range high",),
            hints=("opening_range", "orb"),
            formula="highest high of the session's first `period` bars: 30 minutes are 6 bars of 5 minutes",
            special="unknown in each session until the last of them closes",
            example="crosses_above(close, opening_range_high(6))",
            source="Crabel (1990), the range counted in bars",
        ),
        Entry(
            name="opening_range_low",
            label=Label("low of the opening range", "bas de l’amplitude d’ouverture"),
            arguments=(period(6),),
            inputs=("low",),
            warm_up="period - 1",
            image=Image("price", opposite="opening_range_high"),
            range=PRICE_RANGE,
            not_above=("opening_range_high",),
            family="opening_range",
            phrases=("opening range low",),
            formula="lowest low of the session's first `period` bars",
            special="unknown in each session until the last of them closes",
            example="crosses_below(close, opening_range_low(6))",
            source="as opening_range_high",
        ),
        Entry(
            name="vwap_upper",
            label=Label("upper band of the VWAP", "bande supérieure du VWAP"),
            arguments=_BANDS,
            inputs=_BANDS_OF,
            warm_up="0",
            image=Image("price", opposite="vwap_lower"),
            range=UNBOUNDED,
            phrases=("vwap upper", "upper vwap", "upper vwap band", "vwap upper band"),
            formula=(
                "vwap + deviations × √(Σ volume × (typical − vwap)² / Σ volume), all since the session began"
            ),
            special="unknown while nothing was traded in the session",
            example="close > vwap_upper(2)",
            source="Pine ta.vwap with bands",
        ),
        Entry(
            name="vwap_lower",
            label=Label("lower band of the VWAP", "bande inférieure du VWAP"),
            arguments=_BANDS,
            inputs=_BANDS_OF,
            warm_up="0",
            image=Image("price", opposite="vwap_upper"),
            range=UNBOUNDED,
            phrases=("vwap lower", "lower vwap", "lower vwap band", "vwap lower band"),
            formula="vwap − deviations × the same deviation",
            special="unknown while nothing was traded in the session",
            example="close < vwap_lower(2)",
            source="as vwap_upper",
        ),
    ),
)
