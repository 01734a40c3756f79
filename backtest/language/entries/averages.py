"""Entries of the strategy language: averages."""

from __future__ import annotations

from backtest.language.entry import SOURCE, UNBOUNDED, WITHIN, Entry, Group, Image, Label, period

GROUP = Group(
    title=Label("Averages", "Moyennes"),
    note="All give prices where they are given prices.",
    entries=(
        Entry(
            name="sma",
            label=Label("simple moving average", "moyenne mobile simple"),
            arguments=(SOURCE, period()),
            warm_up="period - 1",
            image=Image("alike"),
            range=WITHIN,
            phrases=("simple moving average", "moving average", "average", "avg", "mean", "ma"),
            formula="mean of the last `period` values",
            example="close > sma(close, 200)",
            source="TA-Lib SMA",
        ),
        Entry(
            name="ema",
            label=Label("exponential moving average", "moyenne mobile exponentielle"),
            arguments=(SOURCE, period()),
            warm_up="period - 1",
            image=Image("alike"),
            range=WITHIN,
            phrases=("exponential moving average",),
            formula=("e ← e + 2 / (period + 1) × (x − e), seeded with the mean of the first `period` values"),
            example="crosses_above(ema(close, 12), ema(close, 26))",
            source="TA-Lib EMA",
        ),
        Entry(
            name="wma",
            label=Label("weighted moving average", "moyenne mobile pondérée"),
            arguments=(SOURCE, period()),
            warm_up="period - 1",
            image=Image("alike"),
            range=WITHIN,
            phrases=("weighted moving average",),
            formula="mean of the last `period` values weighted 1 (oldest) to `period` (this bar)",
            example="close > wma(close, 30)",
            source="TA-Lib WMA",
        ),
        Entry(
            name="dema",
            label=Label("double exponential moving average", "moyenne mobile exponentielle double"),
            arguments=(SOURCE, period()),
            warm_up="2 * (period - 1)",
            image=Image("alike"),
            range=UNBOUNDED,
            formula="2 e − ema(e), with e = ema(series, period)",
            example="close > dema(close, 50)",
            source="Mulloy (1994); TA-Lib DEMA",
        ),
        Entry(
            name="tema",
            label=Label("triple exponential moving average", "moyenne mobile exponentielle triple"),
            arguments=(SOURCE, period()),
            warm_up="3 * (period - 1)",
            image=Image("alike"),
            range=UNBOUNDED,
            formula="3 (e − ema(e)) + ema(ema(e)), with e = ema(series, period)",
            example="tema(close, 20) > tema(close, 20)[1]",
            source="Mulloy (1994); TA-Lib TEMA",
        ),
        Entry(
            name="hma",
            label=Label("Hull moving average", "moyenne mobile de Hull"),
            arguments=(SOURCE, period(low=2)),
            warm_up="period + isqrt(period) - 2",
            image=Image("alike"),
            range=UNBOUNDED,
            phrases=("hull moving average", "hull"),
            formula="wma of 2 wma(series, ⌊period / 2⌋) − wma(series, period), over ⌊√period⌋ bars",
            example="hma(close, 20) > hma(close, 20)[1]",
            source="Hull (2005), both lengths rounded down; Pine ta.hma",
        ),
        Entry(
            name="kama",
            label=Label("Kaufman's adaptive moving average", "moyenne mobile adaptative de Kaufman"),
            arguments=(SOURCE, period(10, low=2)),
            warm_up="period",
            image=Image("alike"),
            range=WITHIN,
            formula=(
                "k ← k + c² (x − k), c = ER × (2/3 − 2/31) + 2/31, ER = net change over `period` / "
                "sum of absolute changes"
            ),
            special="ER is 1 where nothing moved",
            example="close > kama(close, 10)",
            source="Kaufman (1995); TA-Lib KAMA",
        ),
        Entry(
            name="linreg_slope",
            label=Label("slope of the linear regression", "pente de la régression linéaire"),
            arguments=(SOURCE, period(14, low=2)),
            warm_up="period - 1",
            image=Image("move"),
            range=UNBOUNDED,
            phrases=("linearreg_slope", "linear regression slope"),
            hints=("slope",),
            formula=(
                "slope of the least-squares line through the last `period` values, in units of the "
                "series a bar"
            ),
            example="linreg_slope(close, 30) > 0",
            source="TA-Lib LINEARREG_SLOPE",
        ),
    ),
)
