"""The changes that `rules` know, by what they are about; each source goes from the likeliest to the rest.

Sources read the evidence (what the market does, where the trades lose) for their order; whether a change was
tried before is the strategist's to see.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

import numpy as np

from backtest import PRESETS, StrategySpec
from backtest.language.mirror import mirror
from backtest.language.parser import parse
from backtest.language.tree import show
from backtest.types import Bounds, InputKind
from nodes.optimization.changes import (
    AddFilter,
    Change,
    ParamAdjustment,
    RemoveFilter,
    ReplaceCondition,
    RiskManagement,
    RiskRule,
    SearchRange,
    Sizing,
    SwitchPreset,
)
from nodes.optimization.changes.filters import required
from nodes.optimization.changes.sizing import Method
from nodes.optimization.evidence.evidence import Evidence
from nodes.optimization.policies.grammar import descendants, sentences, strategies

Theme = Literal["noise", "drawdown", "speed", "exits", "regime", "style", "open"]
"""What a change answers; `open`, where no diagnosis speaks for it and the test alone will tell."""
Source = Iterator[tuple[Change, Theme]]

SIDES: tuple[Literal["long", "short"], ...] = ("long", "short")
FEW_TRADES = 30
MOST_FILTERS = 3
DRIFT = 2.0
"""Standard errors above zero from which on the Sharpe ratio of holding counts as a market's own rise."""
# Neighbours of a parameter, nearest first, then bolder.
FACTORS = (1.25, 0.8, 1.5, 0.67, 2.0, 0.5, 3.0, 0.33)
TREND_PRESETS = (
    "donchian_breakout",
    "ema_crossover",
    "supertrend",
    "ma_crossover",
    "adx_trend",
    "keltner_breakout",
    "macd_trend",
)
REVERSION_PRESETS = ("rsi_reversion", "bollinger_reversion", "stochastic_reversion", "bollinger_atr")
TREND_FILTERS = (
    "close > sma(close, 200)",
    "close > sma(close, 50)",
    "sma(close, 50) > sma(close, 200)",
    "change(close, 20) > 0",
    "close > ema(close, 150)",
    "macd(close, 12, 26, 9) > 0",
)
STRENGTH_FILTERS = ("adx(14) > 25", "adx(14) > 20", "adx(14) > 30", "adx(28) > 20")
CALM_FILTERS = (
    "percentile_rank(natr(14), 200) < 70",
    "percentile_rank(natr(14), 200) < 50",
    "rsi(close, 14) < 70",
)
ROUGH_FILTERS = ("percentile_rank(natr(14), 200) > 50", "percentile_rank(natr(14), 200) > 30")
MOMENTUM_FILTERS = ("rsi(close, 14) > 50", "close > close[20]", "volume > sma(volume, 20)")
SERIES_FILTERS: dict[InputKind, tuple[str, ...]] = {
    "price": ("{0} > sma({0}, 200)", "{0} > sma({0}, 50)"),
    "move": ("{0} > 0", "{0} < 0"),
    "share": ("{0} > 50", "{0} < 50"),
    "size": ("{0} > sma({0}, 50)", "{0} < sma({0}, 50)"),
    "none": ("{0} > sma({0}, 50)", "{0} < sma({0}, 50)"),
}
"""What a further series of each kind is asked first, for buying."""
_BESIDE_CLOSE = ("open", "high", "low")
RISK_RANGES: dict[RiskRule, tuple[float, float]] = {
    "trailing_stop_atr": (1.5, 8.0),
    "max_bars": (2, 200),
    "trailing_stop_pct": (1.0, 15.0),
    "take_profit_atr": (1.0, 12.0),
    "stop_loss_atr": (1.0, 8.0),
    "take_profit_pct": (1.0, 20.0),
    "stop_loss_pct": (0.5, 10.0),
    "cooldown_bars": (1, 50),
    "break_even_pct": (1.0, 10.0),
}
SIZING_RANGES: dict[Method, tuple[float, float]] = {
    "volatility_target_pct": (5.0, 60.0),
    "risk_per_trade_pct": (0.25, 4.0),
}
RISK_BEFORE_SIZING = 3


def value_of(
    evidence: Evidence,
    name: str,
    key: Literal["value", "n", "standard_errors"] = "value",
    absent: float = 0.0,
) -> float:
    """A figure of the evidence; `absent` where there is none."""
    found = evidence.figure(name)
    value = None if found is None else found.get(key)
    return absent if value is None else float(value)


def trends(evidence: Evidence) -> bool:
    """Whether the market's moves go on rather than come back."""
    return value_of(evidence, "market_variance_ratio_6_bars", absent=1.0) >= 1.0


def parameter_changes(spec: StrategySpec, evidence: Evidence) -> Source:
    """Every parameter searched over its bounds, then around its value; then single values near and far."""
    bounds = evidence.bounds
    for name in sorted(spec.params):
        bound = bounds[name]
        whole = SearchRange(low=bound.low, high=bound.high)
        yield ParamAdjustment(kind="param_adjustment", parameter=name, value=whole), "open"
    for name in sorted(spec.params):
        now = abs(float(spec.params[name]))
        around = SearchRange(low=now * 0.5, high=now * 2.0)
        if now:
            yield ParamAdjustment(kind="param_adjustment", parameter=name, value=around), "open"
    for factor in FACTORS:
        for name in sorted(spec.params):
            value = _stepped(float(spec.params[name]) * factor, bounds[name])
            yield ParamAdjustment(kind="param_adjustment", parameter=name, value=value), "open"


def _stepped(value: float, bound: Bounds) -> float:
    steps = round((value - bound.low) / bound.step)
    return round(min(max(bound.low + steps * bound.step, bound.low), bound.high), 10)


def risk_changes(spec: StrategySpec, evidence: Evidence) -> Source:
    """What is set taken away where it ends too many trades, then rules and sizing searched, then removed."""
    stops = [rule for rule in RISK_RANGES if getattr(spec.risk, rule) is not None]
    stopped = value_of(evidence, "exit stop", "n") > 0.3 * max(1.0, value_of(evidence, "n_trades"))
    for rule in stops:
        if stopped and rule.startswith("stop_loss"):
            yield RiskManagement(kind="risk_management", parameter=rule, value=None), "exits"
    for place, rule in enumerate(sorted(RISK_RANGES, key=lambda one: one in stops)):
        if place == RISK_BEFORE_SIZING:
            for method, (least, most) in SIZING_RANGES.items():
                yield (
                    Sizing(kind="sizing", method=method, value=SearchRange(low=least, high=most)),
                    "drawdown",
                )
        low, high = RISK_RANGES[rule]
        searched = SearchRange(low=low, high=high)
        limits = rule not in stops and not rule.startswith("take_profit") and rule != "cooldown_bars"
        theme: Theme = "drawdown" if limits else "open"
        yield RiskManagement(kind="risk_management", parameter=rule, value=searched), theme
    for rule in stops:
        yield RiskManagement(kind="risk_management", parameter=rule, value=None), "open"


def _drifts(evidence: Evidence) -> bool:
    """Whether holding the market pays by itself: selling short then has the wind against it."""
    return value_of(evidence, "market_sharpe_ratio_of_holding", "standard_errors") > DRIFT


def filter_changes(spec: StrategySpec, evidence: Evidence) -> Source:
    """Filters that the trades' own figures suggest, the usual ones, and those in force taken away."""
    for side in SIDES:
        parts = required(spec, side)
        # On few trades a filter would fit noise: the validator would only refuse it.
        if 0 < len(parts) <= MOST_FILTERS and value_of(evidence, "n_trades") >= FEW_TRADES:
            found: dict[Theme, list[str]] = {"noise": _suggested(evidence), "regime": _usual(evidence)}
            for theme, conditions in found.items():
                for condition in conditions:
                    told = condition if side == "long" else _mirrored(condition)
                    yield AddFilter(kind="add_filter", side=side, condition=told), theme
        if len(parts) > 1:
            for part in reversed(parts):
                yield RemoveFilter(kind="remove_filter", side=side, condition=show(part)), "speed"


def series_changes(spec: StrategySpec, evidence: Evidence) -> Source:
    """Filters by the further series on offer that nothing reads yet: whoever brought one wants it asked."""
    for name, one in sorted(spec.offered.items()):
        table, _, column = name.partition(".")
        if column in _BESIDE_CLOSE and f"{table}.close" in spec.readable:
            continue
        for words in SERIES_FILTERS[one.kind]:
            condition = words.format(name)
            for side in SIDES:
                if not 0 < len(required(spec, side)) <= MOST_FILTERS:
                    continue
                mirrored = side == "short" and one.kind != "none"  # which has no mirror image
                told = _mirrored(condition, spec.kinds) if mirrored else condition
                yield AddFilter(kind="add_filter", side=side, condition=told), "regime"


def _suggested(evidence: Evidence) -> list[str]:
    """Filters that keep out the part of the day, or the weekday, with the worst trades."""
    found = []
    timed = [item for item in evidence.items if item["name"].startswith("entry ") and item["n"] >= 10]
    for item in sorted(timed, key=lambda one: (one["average_return"], one["name"]))[:2]:
        if item["average_return"] >= 0:
            continue
        label = item["name"].split()[-1]
        if item["name"].startswith("entry hour"):
            first, last = (int(hour) for hour in label.split("-"))
            kept = [f"hour < {first}"] * (first > 0) + [f"hour >= {last}"] * (last < 24)
            found.append(f"({' or '.join(kept)})")
        else:
            found.append(f"weekday != {int(label)}")
    return found


def _usual(evidence: Evidence) -> list[str]:
    """The usual filters, those first that the regimes of the trades speak for."""
    groups: dict[str, list[float]] = {"up": [], "down": [], "high": [], "low": []}
    for item in evidence.items:
        if item["name"].startswith("regime "):
            for word in groups:
                if word in item["name"]:
                    groups[word].append(item["profit"])
    rough_first = sum(groups["high"]) > sum(groups["low"])
    volatility = [*ROUGH_FILTERS, *CALM_FILTERS] if rough_first else [*CALM_FILTERS, *ROUGH_FILTERS]
    against = [_mirrored(condition) for condition in TREND_FILTERS[:3]]
    trend = [*TREND_FILTERS] if sum(groups["up"]) >= sum(groups["down"]) else [*against, *TREND_FILTERS]
    rest = [*STRENGTH_FILTERS, *MOMENTUM_FILTERS]
    mixed: list[str] = []
    for place in range(max(len(trend), len(volatility), len(rest))):
        mixed += [part[place] for part in (trend, volatility, rest) if place < len(part)]
    return mixed


def _mirrored(condition: str, own: Mapping[str, str] | None = None) -> str:
    """The same condition for the other direction; `own` are kinds of further series."""
    return show(mirror(parse(condition, own=own)))


def preset_changes(spec: StrategySpec, evidence: Evidence) -> Source:
    """Other strategies, their parameters searched; those first that suit how the market moves.

    Each once to buy alone and once to sell short as well. Where the market does not drift, those that suit it
    come with both sides first; the strategy's own other form is the second thing to try.
    """
    likely = TREND_PRESETS if trends(evidence) else REVERSION_PRESETS
    other = REVERSION_PRESETS if trends(evidence) else TREND_PRESETS
    drifts = _drifts(evidence)
    order: list[str] = []
    for place in range(len(TREND_PRESETS)):
        order += [part[place] for part in (likely, other) if place < len(part)]
    if drifts:
        order.insert(1, "buy_and_hold")
    order += sorted(set(PRESETS) - set(order))
    both_first = {preset for preset in likely if not drifts}
    forms = [(preset, (preset in both_first) == first) for first in (True, False) for preset in order]
    now = (spec.family, spec.entry_short is not None)
    turned = (spec.family, not now[1])
    for preset, both in [*forms[:1], turned, *forms[1:]]:
        if preset is not None and (preset, both) != now and (not both or _has_mirror(preset)):
            theme: Theme = "open" if preset == spec.family else "style"
            yield SwitchPreset(kind="switch_preset", preset=preset, both_sides=both), theme


def _has_mirror(preset: str) -> bool:
    """Whether a preset trades the long side alone, and could sell short upside down."""
    return PRESETS[preset].entry_short is None and PRESETS[preset].exit_long is not None


def condition_changes(spec: StrategySpec, evidence: Evidence) -> Source:
    """Entries and exits of another kind: by the calendar, by plain momentum or its contrary, both sides."""
    yield from _seasonal(evidence)
    turns = _turns(trends(evidence))
    side: Literal["long", "both"] = "long" if _drifts(evidence) else "both"
    for entry, leave in turns[:3]:
        yield _replaced(side, entry, leave), "style"
    if spec.entry_short is None and spec.entry_long is not None:
        yield _replaced("both", spec.entry_long, spec.exit_long), "open"
    for entry, leave in turns[3:]:
        yield _replaced(side, entry, leave), "style"
    for leave in ("rsi(close, 14) > 70", "close < sma(close, 50)", "bars_since(close > close[1]) > 3"):
        yield (
            ReplaceCondition(kind="replace_condition", side="long", exit=leave, logic="or"),
            "open",
        )


def code_changes(spec: StrategySpec, evidence: Evidence) -> Source:
    """The grammar's indicators and strategies, in an order of the run, those first that suit the market.

    Indicators begin in odd iterations, strategies in even ones.
    """
    kinds = (sentences, strategies) if evidence.iteration % 2 else (strategies, sentences)
    for kind in kinds:
        for change in kind(evidence.seed, follows=trends(evidence)):
            yield change, "style"


def bred_changes(spec: StrategySpec, evidence: Evidence) -> Source:
    """Descendants of the run's own functions: one changed at one place, or two made into one."""
    generator = np.random.default_rng([evidence.seed, evidence.iteration])
    for change in descendants(evidence.elites, generator):
        yield change, "style"


def _replaced(side: Literal["long", "both"], entry: str, leave: str | None) -> ReplaceCondition:
    return ReplaceCondition(kind="replace_condition", side=side, entry=entry, exit=leave)


def _turns(momentum: bool) -> list[tuple[str, str]]:
    """(entry, exit) on moves that go on and on moves that come back, the likelier kind first."""
    on = [(f"close > close[{bars}]", f"close < close[{bars}]") for bars in (20, 5, 1, 60)]
    back = [
        ("zscore(close, 20) < -1", "zscore(close, 20) > 0"),
        ("close < close[1]", "close > close[1]"),
        ("close < close[5]", "close > close[5]"),
        ("zscore(close, 60) < -1", "zscore(close, 60) > 0"),
    ]
    first, second = (on, back) if momentum else (back, on)
    return [pair for place in range(4) for pair in (first[place], second[place])]


def _seasonal(evidence: Evidence) -> Source:
    """In before the hour or weekday that stands out, out when it is over."""
    for field, length in (("hour", 24), ("weekday", 7)):
        item = evidence.figure(f"market_best_{field}")
        if item is None or item["standard_errors"] < 2.0:
            continue
        best = int(item["value"])
        # A signal at the close of the bar before is filled at the open of the one that rises.
        yield _replaced("long", f"{field} == {(best - 1) % length}", f"{field} == {best}"), "regime"
        if field == "weekday" and best == 0:
            yield _replaced("long", "weekday == 4", "weekday == 0"), "regime"
