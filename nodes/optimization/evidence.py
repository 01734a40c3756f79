"""The evidence a role is given: built by code, the same for a model's prompt and for the rules.

`evidence` is plain JSON (what `rules` reads); `lines` renders parts of it as the compact text of a prompt.
Only figures of the development part enter.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from backtest import StrategySpec
from nodes.optimization.state import DebateState, OptimizationState
from prompts import Language, text

MEMORY = 5

_HEADLINE = (
    "sharpe_ratio",
    "sortino_ratio",
    "calmar_ratio",
    "total_return",
    "cagr",
    "volatility",
    "max_drawdown",
    "profit_factor",
    "win_rate",
    "exposure",
    "n_trades",
    "expectancy",
    "best_trade",
    "worst_trade",
)


def reigning(state: OptimizationState | DebateState) -> dict[str, Any]:
    """The champion: the last variant adopted, or the strategy the run began with."""
    if champion := state.get("champion"):
        return champion
    return {"spec": state["initial"], "figures": state["baseline"], "iteration": 0}


def gather_evidence(state: OptimizationState | DebateState, iteration: int) -> dict[str, Any]:
    """Everything a role may know in this iteration, as plain JSON."""
    champion = reigning(state)
    spec = StrategySpec.model_validate(champion["spec"])
    dataset = state["dataset"]
    return {
        "iteration": iteration,
        "dataset": {
            "symbol": dataset["symbol"],
            "timeframe": dataset["timeframe"],
            "rows": dataset["development_rows"],
            "first": dataset["first"],
        },
        "spec": champion["spec"],
        "bounds": {
            name: {"low": bound.low, "high": bound.high, "step": bound.step, "integer": bound.integer}
            for name, bound in sorted(spec.bounds().items())
        },
        "champion": champion["figures"],
        "baseline": state["baseline"],
        "history": state.get("history", [])[-MEMORY:],
        "tried": sorted({state["baseline"]["hash"], *_tested(state)}),
    }


def _tested(state: OptimizationState | DebateState) -> set[str]:
    """Hashes of the strategies tested in this run."""
    return {trial["hash"] for entry in state["history"] for trial in entry["trials"] if trial["backtests"]}


def _number(value: Any) -> str:
    return "-" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


def _list(lines: Iterable[str], language: Language) -> str:
    return "\n".join(lines) or text("optimization.evidence.nothing", language)


def strategy_lines(evidence: Mapping[str, Any], language: Language) -> str:
    """The strategy: conditions, parameters with bounds, rules of risk."""
    spec = StrategySpec.model_validate(evidence["spec"])
    lines = [f"{spec.name}"]
    for name in ("entry_long", "exit_long", "entry_short", "exit_short"):
        if condition := getattr(spec, name):
            lines.append(f"{name}: {condition}")
    # The strategy's own parameters first: what is adjusted most often stands on top.
    for name, bound in sorted(evidence["bounds"].items(), key=lambda item: item[0] not in spec.params):
        value = spec.params.get(name, getattr(spec.risk, name, None))
        kind = "param" if name in spec.params else "risk"
        lines.append(
            f"{kind} {name} = {_number(value)}  [{_number(bound['low'])} … {_number(bound['high'])},"
            f" {text('optimization.evidence.step', language)} {_number(bound['step'])}]"
        )
    return "\n".join(lines)


def figure_lines(figures: Mapping[str, Any], language: Language) -> str:
    """Figures of one backtest, a line each group."""
    lines = [f"score = {figures['score']:.2f} / 10"]
    lines += [f"{name} = {_number(figures['metrics'][name])}" for name in _HEADLINE]
    blocks = ", ".join(f"{figure:.2f}" for figure in figures["blocks"])
    lines.append(f"{text('optimization.evidence.blocks', language)} = {blocks}")
    for reason, part in figures["exits"].items():
        lines.append(
            f"exit {reason}: n = {part['trades']}, average_return = {_number(part['average_return'])}"
        )
    return "\n".join(lines)


def history_lines(evidence: Mapping[str, Any], language: Language) -> str:
    """The last iterations: what was proposed and what came of it."""
    lines = []
    for entry in evidence["history"]:
        lines.append(
            text(
                "optimization.evidence.iteration",
                language,
                iteration=entry["iteration"],
                score=f"{entry['score']:.2f}",
                adopted=entry["adopted"] or text("optimization.evidence.nothing_adopted", language),
            )
        )
        for trial in entry["trials"]:
            outcome = text(f"optimization.outcome.{trial['outcome']}", language)
            score = "" if trial["score"] is None else f", score = {trial['score']:.2f}"
            lines.append(f"  - {trial['sentence']} ({outcome}{score})")
    return _list(lines, language)


def proposal_lines(proposals: Iterable[Mapping[str, Any]]) -> str:
    """Numbered proposals with their reasons."""
    return "\n".join(
        f"{proposal['number']}. {proposal['sentence']} — {proposal['reason']} ({proposal['expected_effect']})"
        for proposal in proposals
    )


def analysis_lines(analysis: Mapping[str, Any] | None, language: Language) -> str:
    """The analyst's hypotheses and weaknesses, or that there are none because it abstained."""
    if analysis is None:
        return text("optimization.evidence.analyst_abstained", language)
    lines = [f"- {weakness}" for weakness in analysis["weaknesses"]]
    lines += [f"H{n}. {h['statement']} → {h['test']}" for n, h in enumerate(analysis["hypotheses"], start=1)]
    return "\n".join(lines)


def turn_lines(turns: Iterable[Mapping[str, Any]], language: Language) -> str:
    """What has been said in the debate so far."""
    return _list(
        (
            f"{turn['voice']} ({turn['stance']}, {turn['confidence']:.2f}): {turn['statement']}"
            for turn in turns
            if turn["stance"] is not None
        ),
        language,
    )
