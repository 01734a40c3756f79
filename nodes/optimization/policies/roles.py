"""The roles without a model: deterministic policies over the same evidence, in the same schemas.

They are the embedded default and the baseline that every model must beat. What they say is worded through the
text catalogue, so that both languages tell the same figures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, cast

from backtest import StrategySpec
from nodes.errors import NodeError
from nodes.optimization.changes import CHANGE, KINDS, Change, Written
from nodes.optimization.evidence.evidence import Evidence
from nodes.optimization.policies.changes import (
    FEW_TRADES,
    MOST_FILTERS,
    Source,
    Theme,
    bred_changes,
    code_changes,
    condition_changes,
    filter_changes,
    parameter_changes,
    preset_changes,
    risk_changes,
    series_changes,
    trends,
    value_of,
)
from nodes.optimization.policies.grammar import goes_on
from nodes.optimization.schemas import (
    MOST_HYPOTHESES,
    Analysis,
    Hypothesis,
    Proposal,
    Proposals,
    Verdict,
    Verdicts,
)
from nodes.optimization.trials.proposing import REFUSALS, lead
from prompts import Words, text
from record.types import Proposal as Proposed

PROPOSALS = 4
DEEP = -0.15
PROFITABLE = 1.5
LARGE_GAP = 1.0

_SOURCES: dict[str, Callable[[StrategySpec, Evidence], Source]] = {
    "presets": preset_changes,
    "parameters": parameter_changes,
    "conditions": condition_changes,
    "risk": risk_changes,
    "filters": filter_changes,
    "series": series_changes,
    "code": code_changes,
    "bred": bred_changes,
}
# What is asked first, turn by turn. A strategy that loses needs another idea before it needs tuning.
_LOSING = ("presets", "parameters", "conditions", "risk", "filters")
_WINNING = ("parameters", "risk", "filters", "presets", "conditions")
# The survey of a population has tried presets and conditions: what is left is tuning, the candidates in turn.
_OF_POPULATION = ("parameters", "candidates", "risk", "filters")


def _say(evidence: Evidence, key: str, **values: Any) -> str:
    return text(f"optimization.rules.{key}", evidence.language, **values)


def diagnose(evidence: Evidence) -> list[Theme]:
    """What ails a strategy, gravest first, from its figures alone; last, what no figure decides."""
    figures = evidence.champion
    metrics, grave = figures["metrics"], []
    trades = metrics["n_trades"] or 0
    if trades < FEW_TRADES:
        grave.append((1.0, "speed"))
    drawdown = -(metrics["max_drawdown"] or 0.0)
    if drawdown > -DEEP:
        grave.append((drawdown / 0.3, "drawdown"))
    profit_factor = metrics["profit_factor"]
    if profit_factor is not None and profit_factor < PROFITABLE:
        grave.append((PROFITABLE - profit_factor, "noise"))
        if profit_factor < 1.0:
            grave.append((1.2, "style"))
    stops = figures["exits"].get("stop")
    if stops and trades and stops["trades"] / trades > 0.3:
        grave.append((stops["trades"] / trades, "exits"))
    losing = sum(block is None or block <= 0 for block in figures["blocks"])
    if losing >= 2:
        grave.append((losing / len(figures["blocks"]), "regime"))
    ranked = sorted(grave, key=lambda item: (-item[0], item[1]))
    return [*(cast(Theme, theme) for _, theme in ranked[: MOST_HYPOTHESES - 1]), "open"]


def _argued(evidence: Evidence, theme: Theme) -> str:
    """A diagnosis with the figure that it rests on."""
    words, figures = Words(evidence.language), evidence.champion
    metrics, stops = figures["metrics"], figures["exits"].get("stop")
    return _say(
        evidence,
        f"hypothesis_{theme}",
        profit_factor=words.number(metrics["profit_factor"]),
        drawdown=words.percent(metrics["max_drawdown"]),
        trades=metrics["n_trades"] or 0,
        stopped=stops["trades"] if stops else 0,
        losing=sum(block is None or block <= 0 for block in figures["blocks"]),
        blocks=len(figures["blocks"]),
    )


_SUPPORT: dict[Theme, tuple[str, ...]] = {
    "noise": ("profit_factor", "avg_trade", "win_rate"),
    "drawdown": ("max_drawdown", "drawdown"),
    "speed": ("n_trades",),
    "exits": ("exit stop", "exit trailing_stop"),
    "regime": ("walk_forward_fold_sharpes", "losing_folds"),
    "style": ("profit_factor", "market_variance_ratio_6_bars", "walk_forward_sharpe_ratio"),
    "open": ("walk_forward_sharpe_ratio",),
}


def _support(evidence: Evidence, theme: Theme) -> list[str]:
    """Ids of the figures that a diagnosis rests on."""
    return _ids(evidence, _SUPPORT[theme])


def _ids(evidence: Evidence, names: tuple[str, ...]) -> list[str]:
    """Ids of the figures of these names, or of the first one where the case has none of them."""
    found = [item["id"] for name in names if (item := evidence.figure(name)) is not None]
    return found or evidence.ids[:1]


def analyst(evidence: Evidence) -> Analysis:
    """Strengths and weaknesses by fixed thresholds; one hypothesis a diagnosis."""
    words = Words(evidence.language)
    told: dict[bool, list[str]] = {True: [], False: []}
    anomalies: list[str] = []
    for name, good in (("sharpe_ratio", 1.0), ("profit_factor", PROFITABLE)):
        item = evidence.figure(name)
        if item is not None and item["value"] is not None:
            key = "sharpe" if name == "sharpe_ratio" else name
            told[item["value"] >= good].append(_say(evidence, key, value=words.number(float(item["value"]))))
    drawdown = value_of(evidence, "max_drawdown")
    told[drawdown > DEEP].append(_say(evidence, "drawdown", value=words.percent(drawdown)))
    trades = int(value_of(evidence, "n_trades"))
    told[trades >= FEW_TRADES].append(_say(evidence, "trades", value=words.number(trades)))
    losing = int(value_of(evidence, "losing_folds"))
    folds = len(evidence.champion["blocks"])
    told[losing < 2].append(_say(evidence, "blocks", losing=losing, blocks=folds))
    gap = evidence.figure("sharpe_ratio_whole_minus_walk_forward")
    if gap is not None and (gap["value"] or 0.0) > LARGE_GAP:
        anomalies.append(_say(evidence, "anomaly_gap", value=words.number(float(gap["value"]))))
    return Analysis(
        quality_score=evidence.champion["score"],
        strengths=told[True] or [_say(evidence, "no_strength")],
        weaknesses=told[False] or [_say(evidence, "no_weakness")],
        anomalies=anomalies,
        hypotheses=[
            Hypothesis(
                statement=_argued(evidence, theme),
                test=_say(evidence, f"test_{theme}"),
                evidence=_support(evidence, theme)[:6],
            )
            for theme in diagnose(evidence)
        ],
    )


def strategist(evidence: Evidence) -> Proposals:
    """Untried changes, each from another source; sources take turns, the likeliest first.

    Raises:
        NodeError: `nothing_left`, when every change that the policy knows has been tried.
    """
    spec = evidence.spec
    # Another analyst may have made other hypotheses: what answers none of them stands for itself.
    diagnosed = diagnose(evidence)
    stated = {words: number for number, words in enumerate(evidence.hypotheses, start=1)}
    tried = set(evidence.tried)
    # What failed on an earlier champion comes last, not never.
    remembered = [
        trial["change"] for entry in evidence.history for trial in entry["trials"] if "change" in trial
    ]

    def leads_on(change: Change, base: Evidence) -> bool:
        try:
            evidence.admit(change)
            found = lead(base.spec, base.grid, change).hash
        except REFUSALS:
            return False  # out of this strategy's bounds or order: the source's next may fit
        if found in tried:
            return False
        tried.add(found)
        return True

    def fresh(source: Source) -> Iterator[tuple[Change, Theme, int]]:
        again = []
        for change, theme in source:
            if change.model_dump(mode="json") in remembered:
                again.append((change, theme))
            elif leads_on(change, evidence):
                yield change, theme, 0
        yield from ((change, theme, 0) for change, theme in again if leads_on(change, evidence))

    def of_candidates() -> Iterator[tuple[Change, Theme, int]]:
        """The parameters of the other candidates, each iteration beginning with the next of them."""
        others = [one["number"] for one in evidence.archive if one["hash"] != spec.hash]
        first = (evidence.iteration - 1) % max(1, len(others))
        for number in (*others[first:], *others[:first]):
            base = evidence.on_candidate(number)
            for change, theme in parameter_changes(base.spec, base):
                if leads_on(change, base):
                    yield change, theme, number
                    break

    if evidence.archive:
        order: tuple[str, ...] = _OF_POPULATION
    else:
        order = _LOSING if value_of(evidence, "walk_forward_sharpe_ratio") <= 0.0 else _WINNING
    # The first source always has its turn; the others take theirs in rotation. So have code and what
    # somebody brought that no condition reads yet.
    first, rest = order[0], order[1:]
    turn = (evidence.iteration - 1) % len(rest)
    brought = (*(("bred", "code") if evidence.allow_code else ()), *(("series",) if spec.offered else ()))
    queue = [
        of_candidates() if name == "candidates" else fresh(_SOURCES[name](spec, evidence))
        for name in (*brought, first, *rest[turn:], *rest[:turn])
    ]
    chosen: list[Proposal] = []
    while queue and len(chosen) < PROPOSALS:
        source = queue.pop(0)
        found = next(source, None)
        if found is None:
            continue
        queue.append(source)
        change, theme, base = found
        told: Theme = theme if theme in diagnosed else "open"
        changed = evidence.on_candidate(base).spec if base else spec
        diagnosis = _argued(evidence, told)
        chosen.append(
            Proposal(
                hypothesis=stated.get(diagnosis, 0),
                base=base,
                change=change,
                reason=_wanted(evidence, change) if isinstance(change, Written) else diagnosis,
                expected_effect=change.effect(changed, Words(evidence.language)),
            )
        )
    if len(chosen) < 3:
        raise NodeError("nothing_left", strategy=spec.name, tried=len(evidence.tried))
    return Proposals(proposals=chosen)


def _wanted(evidence: Evidence, change: Written) -> str:
    """Why a case calls for a function, by figures, and what the function measures or when it trades."""
    words = Words(evidence.language)
    about = change.about(words)
    if change.parents:
        results = {one.source.name: one.fitness for one in evidence.elites}
        parents = words.join([f"{name} ({words.number(results[name])})" for name in change.parents])
        return _say(evidence, f"bred_{'t' if evidence.archive else 'score'}", parents=parents, about=about)
    item = evidence.figure("market_variance_ratio_6_bars")
    if item is None or item["value"] is None:
        return _say(evidence, "code_unknown", about=about)
    fits = goes_on(change) == trends(evidence)
    key = ("on" if goes_on(change) else "back") if fits else "contrary"
    return _say(evidence, f"code_{key}", ratio=words.number(float(item["value"])), about=about)


def _veto(evidence: Evidence, spec: StrategySpec, proposal: Proposed) -> tuple[str, str] | None:
    """Why a proposal does not deserve a test, and the name of the figure that says so; or None."""
    change = proposal["change"]
    trades = int(value_of(evidence, "n_trades"))
    added = proposal["conditions"]
    if change["kind"] == "add_filter" and trades < FEW_TRADES:
        return _say(evidence, "veto_filter", trades=trades), "n_trades"
    if change["kind"] == "add_filter" and added > MOST_FILTERS:
        return _say(evidence, "veto_conditions"), "conditions"
    last_rule = change["kind"] == "risk_management" and change["value"] is None
    if last_rule and spec.exit_long is None and len(spec.risk.active()) == 1:
        return _say(evidence, "veto_no_risk"), "max_drawdown"
    return None


def validator(evidence: Evidence) -> Verdicts:
    """Veto what the figures speak against; trust as far as luck alone does not explain the figures."""
    spec = evidence.spec
    ranked: list[tuple[int, int, str]] = []
    rejected: list[tuple[int, str, str]] = []
    for proposal in evidence.proposals:
        number, kind = proposal["number"], proposal["change"]["kind"]
        why = _veto(evidence, spec, proposal)
        if why is not None:
            rejected.append((number, *why))
        else:
            told = CHANGE.validate_python(proposal["change"]).validated(Words(evidence.language))
            ranked.append((KINDS[kind].degrees, number, told))
    ordered = sorted(ranked)
    verdicts = [
        Verdict(proposal=number, decision="validated", priority=place, reason=why)
        for place, (_, number, why) in enumerate(ordered, start=1)
    ] + [
        Verdict(
            proposal=number,
            decision="rejected",
            priority=len(ordered) + place,
            evidence=_ids(evidence, (name,)),
            reason=why,
        )
        for place, (number, why, name) in enumerate(rejected, start=1)
    ]
    return Verdicts(
        verdicts=sorted(verdicts, key=lambda verdict: verdict.proposal),
        concerns=_concerns(evidence),
        confidence=round(10.0 * value_of(evidence, "probability_that_sharpe_exceeds_luck"), 1),
    )


def _concerns(evidence: Evidence) -> list[str]:
    """Signs of overfitting in the figures."""
    words, found = Words(evidence.language), []
    likely = evidence.figure("probability_that_sharpe_exceeds_luck")
    if likely is not None and likely["value"] < 0.5:
        found.append(_say(evidence, "concern_luck", value=words.percent(likely["value"])))
    gap = evidence.figure("sharpe_ratio_whole_minus_walk_forward")
    if gap is not None and (gap["value"] or 0.0) > LARGE_GAP:
        found.append(_say(evidence, "concern_gap", value=words.number(float(gap["value"]))))
    if value_of(evidence, "n_trades") < FEW_TRADES:
        found.append(_say(evidence, "concern_trades", value=int(value_of(evidence, "n_trades"))))
    return found
