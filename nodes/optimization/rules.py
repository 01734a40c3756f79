"""The roles without a model: deterministic policies over the same evidence, in the same schemas.

They are the embedded default and the baseline that every model must beat. What they say is worded through the
text catalogue, so that both languages tell the same figures.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal, cast

from backtest import BacktestError, StrategySpec
from nodes.errors import NodeError
from nodes.optimization.changes import apply_change
from nodes.optimization.schemas import (
    AddFilter,
    Analysis,
    Change,
    Hypothesis,
    ParamAdjustment,
    Proposal,
    Proposals,
    RiskManagement,
    RiskParameter,
    Verdict,
    Verdicts,
)
from prompts import Words, text

Evidence = Mapping[str, Any]
Theme = Literal["noise", "drawdown", "speed", "exits", "regime"]

FEW_TRADES = 30
MOST_FILTERS = 2
# Neighbours of a parameter, nearest first, then bolder: a plateau shows itself near the present value.
FACTORS = (1.25, 0.8, 1.5, 0.67, 2.0, 0.5, 3.0, 0.33)
FILTERS = (
    "close > sma(close, 200)",
    "adx(14) > 20",
    "close > sma(close, 100)",
    "rsi(close, 14) < 70",
    "adx(14) > 25",
    "sma(close, 50) > sma(close, 200)",
    "rsi(close, 14) > 50",
    "close > sma(close, 50)",
    "atr(14) < 0.03 * close",
    "change(close, 20) > 0",
    "adx(14) > 30",
    "close > ema(close, 150)",
)
SHORT_FILTERS = (
    "close < sma(close, 200)",
    "adx(14) > 20",
    "close < sma(close, 100)",
    "rsi(close, 14) > 30",
    "adx(14) > 25",
    "sma(close, 50) < sma(close, 200)",
)
RISK_LADDERS: dict[RiskParameter, tuple[float, ...]] = {
    "trailing_stop_pct": (5.0, 8.0, 3.0, 10.0, 15.0, 2.0),
    "stop_loss_pct": (3.0, 5.0, 1.5, 8.0, 1.0, 10.0),
    "take_profit_pct": (6.0, 10.0, 4.0, 15.0, 20.0, 3.0),
    "max_bars": (20, 50, 10, 100, 200, 5),
    "trailing_stop_atr": (3.0, 4.0, 2.0, 5.0, 6.0),
    "stop_loss_atr": (2.0, 3.0, 1.5, 4.0, 5.0),
    "take_profit_atr": (4.0, 6.0, 3.0, 8.0),
}


def _say(evidence: Evidence, key: str, **values: Any) -> str:
    return text(f"optimization.rules.{key}", evidence["language"], **values)


def diagnose(figures: Mapping[str, Any]) -> list[Theme]:
    """What ails a strategy, gravest first, from its figures alone."""
    metrics, grave = figures["metrics"], []
    if (metrics["n_trades"] or 0) < FEW_TRADES:
        grave.append((1.0, "speed"))
    drawdown = -(metrics["max_drawdown"] or 0.0)
    if drawdown > 0.15:
        grave.append((drawdown / 0.3, "drawdown"))
    profit_factor = metrics["profit_factor"]
    if profit_factor is not None and profit_factor < 1.5:
        grave.append((1.5 - profit_factor, "noise"))
    stops = figures["exits"].get("stop")
    if stops and metrics["n_trades"] and stops["trades"] / metrics["n_trades"] > 0.3:
        grave.append((stops["trades"] / metrics["n_trades"], "exits"))
    losing = sum(block <= 0 for block in figures["blocks"])
    if losing >= 2:
        grave.append((losing / len(figures["blocks"]), "regime"))
    ranked = sorted(grave, key=lambda item: (-item[0], item[1]))
    return [cast(Theme, theme) for _, theme in ranked] or ["noise"]


def analyst(evidence: Evidence) -> Analysis:
    """Strengths and weaknesses by fixed thresholds; one hypothesis a diagnosis."""
    figures = evidence["champion"]
    metrics, words = figures["metrics"], Words(evidence["language"])
    sharpe, profit_factor = metrics["sharpe_ratio"], metrics["profit_factor"]
    strengths: list[str] = []
    weaknesses: list[str] = []
    if sharpe is not None:
        (strengths if sharpe >= 1 else weaknesses).append(
            _say(evidence, "sharpe", value=words.number(sharpe))
        )
    if profit_factor is not None:
        (strengths if profit_factor >= 1.5 else weaknesses).append(
            _say(evidence, "profit_factor", value=words.number(profit_factor))
        )
    drawdown = metrics["max_drawdown"] or 0.0
    (strengths if drawdown > -0.15 else weaknesses).append(
        _say(evidence, "drawdown", value=words.percent(drawdown))
    )
    (strengths if metrics["n_trades"] >= FEW_TRADES else weaknesses).append(
        _say(evidence, "trades", value=metrics["n_trades"])
    )
    losing = sum(block <= 0 for block in figures["blocks"])
    (weaknesses if losing >= 2 else strengths).append(
        _say(evidence, "blocks", losing=losing, blocks=len(figures["blocks"]))
    )
    return Analysis(
        quality_score=figures["score"],
        strengths=strengths or [_say(evidence, "no_strength")],
        weaknesses=weaknesses or [_say(evidence, "no_weakness")],
        hypotheses=[
            Hypothesis(statement=_say(evidence, f"hypothesis_{theme}"), test=_say(evidence, f"test_{theme}"))
            for theme in diagnose(figures)[:4]
        ],
    )


def _parameter_changes(spec: StrategySpec, evidence: Evidence) -> Iterator[tuple[Change, Theme]]:
    """Neighbours of every parameter; slower first where there is noise, faster where trades are few."""
    bounds = evidence["bounds"]
    order = FACTORS if (evidence["champion"]["metrics"]["n_trades"] or 0) >= FEW_TRADES else FACTORS[1:]
    for factor in order:
        for name in sorted(spec.params):
            bound = bounds[name]
            steps = round((spec.params[name] * factor - bound["low"]) / bound["step"])
            value = min(max(bound["low"] + steps * bound["step"], bound["low"]), bound["high"])
            theme: Theme = "noise" if factor > 1 else "speed"
            yield (
                ParamAdjustment(kind="param_adjustment", parameter=name, value=round(value, 10)),
                theme,
            )
    for name in sorted(spec.params):
        bound = bounds[name]
        count = int((bound["high"] - bound["low"]) / bound["step"]) + 1
        for step in range(0, count, max(1, count // 40)):
            value = round(bound["low"] + step * bound["step"], 10)
            yield ParamAdjustment(kind="param_adjustment", parameter=name, value=value), "regime"


def _filter_changes(spec: StrategySpec) -> Iterator[tuple[Change, Theme]]:
    """Entry filters, while there are few: each further condition needs more evidence than it brings."""
    sides = [
        (side, entry, filters)
        for side, entry, filters in (
            ("long", spec.entry_long, FILTERS),
            ("short", spec.entry_short, SHORT_FILTERS),
        )
        if entry is not None
    ]
    for side, entry, filters in sides:
        if entry.count(" and ") < MOST_FILTERS:
            for condition in filters:
                kept = cast(Literal["long", "short"], side)
                yield AddFilter(kind="add_filter", side=kept, condition=condition), "regime"


def _risk_changes(spec: StrategySpec, evidence: Evidence) -> Iterator[tuple[Change, Theme]]:
    """Rungs of each risk ladder, all ladders in turn, then what is set taken away."""
    for rung in range(max(len(ladder) for ladder in RISK_LADDERS.values())):
        for rule, ladder in RISK_LADDERS.items():
            if rung < len(ladder):
                theme: Theme = "exits" if rule.startswith("stop_loss") else "drawdown"
                yield RiskManagement(kind="risk_management", parameter=rule, value=ladder[rung]), theme
    for rule in RISK_LADDERS:
        if getattr(spec.risk, rule) is not None:
            yield RiskManagement(kind="risk_management", parameter=rule, value=None), "exits"
    for rule in RISK_LADDERS:
        bound = evidence["bounds"][rule]
        count = int((bound["high"] - bound["low"]) / bound["step"]) + 1
        for step in range(0, count, max(1, count // 40)):
            value = round(bound["low"] + step * bound["step"], 10)
            yield RiskManagement(kind="risk_management", parameter=rule, value=value), "drawdown"


def strategist(evidence: Evidence) -> Proposals:
    """Three untried changes, one of each kind where possible, the gravest diagnosis first.

    Raises:
        NodeError: `nothing_left`, when every change that the policy knows has been tried.
    """
    spec = StrategySpec.model_validate(evidence["spec"])
    themes = diagnose(evidence["champion"])
    remembered = [trial["change"] for entry in evidence["history"] for trial in entry["trials"]]
    tried = set(evidence["tried"])

    def fresh(source: Iterator[tuple[Change, Theme]]) -> Iterator[tuple[Change, Theme]]:
        """What applies and leads somewhere new; what failed on an earlier champion comes last, not never."""
        again = []
        for change, theme in source:
            if change.model_dump(mode="json") in remembered:
                again.append((change, theme))
            elif leads_on(change):
                yield change, theme
        yield from ((change, theme) for change, theme in again if leads_on(change))

    def leads_on(change: Change) -> bool:
        try:
            found = apply_change(spec, change).hash
        except BacktestError:
            return False  # out of this strategy's bounds or order: the ladder's next rung may fit
        if found in tried:
            return False
        tried.add(found)
        return True

    kinds = (_parameter_changes(spec, evidence), _filter_changes(spec), _risk_changes(spec, evidence))
    queue = [fresh(source) for source in kinds]
    # Each iteration begins with another kind; one that runs dry leaves its place to the others.
    turn = evidence["iteration"] % len(queue)
    queue = [*queue[turn:], *queue[:turn]]
    chosen: list[Proposal] = []
    while queue and len(chosen) < 3:
        source = queue.pop(0)
        found = next(source, None)
        if found is None:
            continue
        queue.append(source)
        change, theme = found
        told = theme if theme in themes else themes[0]
        chosen.append(
            Proposal(
                change=change,
                reason=_say(evidence, f"hypothesis_{told}"),
                expected_effect=_say(evidence, f"expected_{change.kind}"),
            )
        )
    if len(chosen) < 3:
        raise NodeError("nothing_left", strategy=spec.name, tried=len(evidence["tried"]))
    return Proposals(proposals=chosen)


def validator(evidence: Evidence) -> Verdicts:
    """Veto what the figures speak against: a condition too many, or the last rule of risk gone."""
    spec = StrategySpec.model_validate(evidence["spec"])
    trades = evidence["champion"]["metrics"]["n_trades"] or 0
    ranked: list[tuple[int, int, str]] = []
    rejected: list[tuple[int, str]] = []
    for proposal in evidence["proposals"]:
        number, change = proposal["number"], proposal["change"]
        filters = sum((entry or "").count(" and ") for entry in (spec.entry_long, spec.entry_short))
        if change["kind"] == "add_filter" and (trades < FEW_TRADES or filters >= MOST_FILTERS):
            rejected.append((number, _say(evidence, "veto_filter", trades=trades)))
        elif change["kind"] == "risk_management" and change["value"] is None and len(spec.risk.active()) == 1:
            rejected.append((number, _say(evidence, "veto_no_risk")))
        else:
            # Fewer degrees of freedom first: a parameter adds none, a filter adds a condition.
            cost = {"param_adjustment": 0, "risk_management": 1, "add_filter": 2}[change["kind"]]
            ranked.append((cost, number, _say(evidence, f"validated_{change['kind']}")))
    ordered = sorted(ranked)
    verdicts = [
        Verdict(proposal=number, decision="validated", priority=place, reason=why)
        for place, (_, number, why) in enumerate(ordered, start=1)
    ] + [
        Verdict(proposal=number, decision="rejected", priority=min(3, len(ordered) + place), reason=why)
        for place, (number, why) in enumerate(rejected, start=1)
    ]
    return Verdicts(verdicts=sorted(verdicts, key=lambda verdict: verdict.proposal))
