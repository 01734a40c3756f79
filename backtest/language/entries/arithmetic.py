"""Entries of the strategy language: arithmetic of one bar."""

from __future__ import annotations

from backtest.language.entry import (
    NOT_NEGATIVE,
    SERIES_REQUIRED,
    UNBOUNDED,
    Argument,
    Entry,
    Group,
    Image,
    Label,
)

_PAIR = (Argument("a", "operand"), Argument("b", "operand"))

GROUP = Group(
    title=Label("Arithmetic", "Arithmétique"),
    entries=(
        Entry(
            name="abs",
            label=Label("absolute value", "valeur absolue"),
            arguments=(SERIES_REQUIRED,),
            warm_up="0",
            image=Image("magnitude"),
            range=NOT_NEGATIVE,
            not_below=("series",),
            phrases=("absolute", "fabs"),
            formula="x without its sign",
            example="abs(close - open) > atr(14)",
            source="IEEE 754",
        ),
        Entry(
            name="log",
            label=Label("natural logarithm", "logarithme naturel"),
            arguments=(SERIES_REQUIRED,),
            warm_up="0",
            image=Image("none"),
            range=UNBOUNDED,
            phrases=("ln",),
            formula="natural logarithm of x",
            special="unknown where x is not above 0",
            example="sum(log(close / close[1]), 20) > 0",
            source="IEEE 754",
        ),
        Entry(
            name="max",
            label=Label("the larger of two", "le plus grand des deux"),
            arguments=_PAIR,
            window="highest",
            warm_up="0",
            image=Image("joint", opposite="min"),
            range=UNBOUNDED,
            phrases=("maximum",),
            formula="the larger of two values of the bar; over bars it is `highest`",
            special="unknown where either is",
            example="close > max(open, close[1])",
            source="Pine math.max",
        ),
        Entry(
            name="min",
            label=Label("the smaller of two", "le plus petit des deux"),
            arguments=_PAIR,
            window="lowest",
            warm_up="0",
            image=Image("joint", opposite="max"),
            range=UNBOUNDED,
            phrases=("minimum",),
            formula="the smaller of two values of the bar; over bars it is `lowest`",
            special="unknown where either is",
            example="close < min(open, close[1])",
            source="Pine math.min",
        ),
        Entry(
            name="if",
            label=Label("one value or another", "une valeur ou une autre"),
            arguments=(Argument("condition", "condition"), *_PAIR),
            warm_up="0",
            image=Image("joint"),
            range=UNBOUNDED,
            phrases=("iff",),
            formula="`a` where the condition holds, `b` where its contrary does",
            special="unknown where the condition or the value chosen is",
            example="close > if(adx(14) > 25, sma(close, 20), sma(close, 100))",
            source="Pine's ?:",
        ),
    ),
)
