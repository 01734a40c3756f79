"""Entries of the strategy language: volume."""

from __future__ import annotations

from backtest.language.entry import (
    PERCENT,
    PRICE_RANGE,
    UNBOUNDED,
    Entry,
    Group,
    Image,
    Label,
    Range,
    period,
)

GROUP = Group(
    title=Label("Volume", "Volume"),
    note="Refused before anything is computed where a bar has no volume.",
    entries=(
        Entry(
            name="obv",
            label=Label("on-balance volume", "volume cumulé (OBV)"),
            arguments=(),
            inputs=("close", "volume"),
            warm_up="0",
            image=Image("move"),
            range=UNBOUNDED,
            phrases=("on balance volume",),
            formula="first bar's volume, then + volume where the close rose, − volume where it fell",
            example="obv() > sma(obv(), 20)",
            source="Granville (1963); TA-Lib OBV",
        ),
        Entry(
            name="mfi",
            label=Label("money flow index (MFI)", "indice de flux monétaire (MFI)"),
            arguments=(period(14, low=2),),
            inputs=("high", "low", "close", "volume"),
            warm_up="period",
            image=Image("share", 100),
            range=PERCENT,
            phrases=("money flow index",),
            formula=(
                "100 × money flowing up / all money flowing, of `period` bars; money is typical × "
                "volume and flows as the typical price moves"
            ),
            special="0 where no money flowed",
            example="mfi(14) < 20",
            source="TA-Lib MFI",
        ),
        Entry(
            name="vwap",
            label=Label("VWAP of the day", "prix moyen pondéré du jour (VWAP)"),
            arguments=(),
            inputs=("high", "low", "close", "volume"),
            warm_up="0",
            image=Image("price"),
            range=PRICE_RANGE,
            phrases=("session vwap",),
            formula="Σ typical × volume / Σ volume since the day began in the data's own time zone",
            special="unknown while nothing was traded in the day",
            example="close > vwap()",
            source="session VWAP; talipp VWAP within one session",
        ),
        Entry(
            name="rolling_vwap",
            label=Label("rolling VWAP", "prix moyen pondéré glissant (VWAP)"),
            arguments=(period(20),),
            inputs=("high", "low", "close", "volume"),
            warm_up="period - 1",
            image=Image("price"),
            range=PRICE_RANGE,
            formula="Σ typical × volume / Σ volume of the last `period` bars",
            special="unknown where nothing was traded in the window",
            example="close > rolling_vwap(20)",
            source="moving VWAP; Lean's takes (open + high + low + close) / 4 instead of the typical price",
        ),
        Entry(
            name="cmf",
            label=Label("Chaikin money flow (CMF)", "flux monétaire de Chaikin (CMF)"),
            arguments=(period(20),),
            inputs=("high", "low", "close", "volume"),
            warm_up="period - 1",
            image=Image("move"),
            range=Range(-1, 1),
            phrases=("chaikin money flow",),
            hints=("chaikin",),
            formula=(
                "Σ volume × ((close − low) − (high − close)) / (high − low) / Σ volume, of `period` bars"
            ),
            special="a bar without range counts as 0; unknown where nothing was traded in the window",
            example="cmf(20) > 0.1",
            source="Chaikin; talipp ChaikinMoneyFlow",
        ),
    ),
)
