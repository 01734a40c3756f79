"""Node `select`: arithmetic keeps the best variant, if it is better, and closes the iteration's record."""

from __future__ import annotations

from langgraph.runtime import Runtime

from backtest.cage.description import gain
from backtest.validation.score import Acceptance, accept, allowed_error, folds_held
from nodes.context import OptimizationContext
from nodes.optimization.changes import CHANGE, code_length, present, search_grid
from nodes.optimization.evidence.evidence import reigning
from nodes.optimization.evidence.history import shortened
from nodes.optimization.parsed import parsed
from nodes.optimization.policies.grammar import menu
from nodes.optimization.state import OptimizationState
from nodes.optimization.trials.archive import LEAST_TRADES, archived, leads, member, pays
from nodes.optimization.trials.trial import combinations
from nodes.run_events import record
from prompts import Language, Words
from record.events import Selected
from record.types import Champion, Figures, Iteration, Member, Proposal, Trial, Variant, Verdict
from reports.tables import account_lost

_OUTCOMES = {
    "better": "kept_out",
    "account_lost": "account_lost",
    "lower_score": "kept_out",
    "uneven": "uneven",
    "luck": "luck",
    "few_trades": "few_trades",
    "noise": "noise",
    "needless": "needless",
}


def _told(proposal: Proposal, variant: Variant | None, language: Language) -> str:
    """The change in words, with the values that its search has found."""
    searched = CHANGE.validate_python(proposal["change"])
    if variant is None or variant["figures"] is None or not variant["grid"]:
        return str(proposal["sentence"])
    settled = parsed(variant["spec"])
    names = search_grid(parsed(proposal["spec"]), searched)
    if not names:
        return str(proposal["sentence"])
    words = Words(language)
    values = ", ".join(f"{name} = {words.short(present(settled, name))}" for name in sorted(names))
    told = words("optimization.change.found", sentence=proposal["sentence"], values=values)
    if (count := combinations(variant["grid"])) > variant["backtests"]:
        tried = words.number(variant["backtests"])
        told = words("optimization.change.sampled", sentence=told, count=words.number(count), tried=tried)
    return told


def _trial(
    proposal: Proposal,
    verdict: Verdict | None,
    variant: Variant | None,
    language: Language,
) -> Trial:
    """What became of a proposal, before anything is adopted."""
    figures = variant["figures"] if variant else None
    walked = figures["walk_forward"]["metrics"] if figures else {}
    return {
        "number": proposal["number"],
        "kind": proposal["change"]["kind"],
        "change": proposal["change"],
        "sentence": _told(proposal, variant, language),
        "reason": proposal["reason"],
        "hypothesis": proposal["hypothesis"],
        "hash": proposal["hash"],
        "settled": figures["hash"] if figures else None,
        "verdict": verdict["decision"] if verdict else None,
        "verdict_reason": verdict["reason"] if verdict else None,
        "outcome": _untested(proposal, verdict) if variant is None else "kept_out" if figures else "failed",
        "backtests": variant["backtests"] if variant else 0,
        "score": figures["score"] if figures else None,
        "sharpe_ratio": walked.get("sharpe_ratio"),
        "account_lost": account_lost(figures) if figures else None,
        "p_value": variant.get("p_value") if variant else None,
        "folds_held": None,
        "allowed": None,
        "excess_t": variant.get("excess_t") if variant else None,
    }


def _judged(
    champion: Champion,
    proposal: Proposal,
    variant: Variant,
    figures: Figures,
    side_by_side: int,
    length: int,
) -> Acceptance:
    held = variant.get("folds_held")
    if held is None:  # of an earlier version
        held = folds_held(figures["blocks"], champion["figures"]["blocks"])
    return accept(
        figures["score"],
        champion["figures"]["score"],
        held,
        len(figures["blocks"]),
        p_value=variant["p_value"],
        side_by_side=side_by_side,
        more_conditions=max(0, proposal["conditions"]) + length,
        lost=account_lost(figures) is not None,
    )


def _in_single(decided: Acceptance, side_by_side: int, more_conditions: int) -> str:
    """The reason of a single champion's test; `needless` where only the length of code is against it."""
    if decided.reason == "luck" and decided.p_value is not None:
        allowed = allowed_error(side_by_side, more_conditions)
        return "needless" if decided.allowed < decided.p_value <= allowed else "luck"
    return decided.reason


def _ranked(champion: Champion, figures: Figures, excess_t: float, more_conditions: int, length: int) -> str:
    """What a population makes of a variant: `better`, or what keeps it from leading; no significance test."""
    if account_lost(figures) is not None:
        return "account_lost"
    if (figures["metrics"]["n_trades"] or 0) < LEAST_TRADES:
        return "few_trades"
    if excess_t <= champion["excess_t"]:
        return "lower_score"
    if not leads(excess_t, champion["excess_t"], more_conditions):
        return "noise"
    return "better" if pays(excess_t, champion["excess_t"], length) else "needless"


def _members(state: OptimizationState, champion: Champion) -> list[Member]:
    """The archive with the iteration's variants."""
    found = list(state["archive"])
    for proposal in state["proposals"]:
        variant = state.get("variants", {}).get(proposal["hash"])
        if variant is None or (figures := variant["figures"]) is None or account_lost(figures) is not None:
            continue
        found.append(
            member(
                spec=variant["spec"],
                given=proposal["spec"],
                grid=variant["grid"],
                excess_t=variant["excess_t"],
                trades=int(figures["metrics"]["n_trades"] or 0),
                bars_held=variant["bars_held"],
                iteration=state["iteration"],
            )
        )
    return archived(found, champion["figures"]["hash"], state.get("bars_a_day", 1))


def _untested(proposal: Proposal, verdict: Verdict | None) -> str:
    """Why a proposal was not tested: a person's word comes before the validator's."""
    if proposal.get("declined"):
        return "declined"
    return "rejected" if verdict and verdict["decision"] == "rejected" else "unaffordable"


def select(state: OptimizationState, runtime: Runtime[OptimizationContext]) -> OptimizationState:
    """Adopt the best of the variants that the rules of acceptance let in; a tie keeps the champion.

    A population ranks by excess t, and keeps what is not adopted among its candidates.
    """
    context = OptimizationContext.of(runtime.context)
    iteration, champion = state["iteration"], reigning(state)
    population = context.search == "population"
    # A verdict list of an earlier iteration is not this one's: without proposals the validator was not asked.
    asked = context.use_validator and bool(state["proposals"])
    verdicts = {verdict["proposal"]: verdict for verdict in (state.get("verdicts") if asked else None) or []}
    variants = state.get("variants", {})
    trials = [
        _trial(proposal, verdicts.get(proposal["number"]), variants.get(proposal["hash"]), context.language)
        for proposal in state["proposals"]
    ]
    tested = sum(trial["score"] is not None for trial in trials)
    best, adopted = champion, None
    reigns, bars = parsed(champion["spec"]), state["dataset"]["development_rows"]
    for trial, proposal in zip(trials, state["proposals"], strict=True):
        variant = variants.get(trial["hash"])
        if variant is None or (figures := variant["figures"]) is None:
            continue
        if length := code_length(parsed(proposal["spec"]), reigns, bars, menu()):
            trial["code_length"] = length
        if population:
            if length:
                trial["gain_bits"] = float(f"{gain(variant['excess_t'], champion['excess_t']):.10g}")
            reason = _ranked(champion, figures, variant["excess_t"], proposal["conditions"], length)
            accepted = reason == "better" and variant["excess_t"] > best["excess_t"]
        else:
            decided = _judged(champion, proposal, variant, figures, tested, length)
            reason = _in_single(decided, tested, proposal["conditions"])
            trial |= {"folds_held": decided.folds_held, "allowed": round(decided.allowed, 6)}
            accepted = decided.accepted and figures["score"] > best["figures"]["score"]
        trial["outcome"] = _OUTCOMES[reason]
        if accepted:
            best = {
                "spec": variant["spec"],
                "given": proposal["spec"],
                "grid": variant["grid"],
                "figures": figures,
                "iteration": iteration,
            }
            if population:
                best["excess_t"] = variant["excess_t"]
            adopted = trial
    if adopted is not None:
        adopted["outcome"] = "adopted"
    analysis = state["analysis"]
    entry: Iteration = {
        "iteration": iteration,
        "analyst_score": analysis["quality_score"] if analysis else None,
        "confidence": state.get("confidence") if asked else None,
        "trials": trials,
        "adopted": adopted["sentence"] if adopted else None,
        "score_before": champion["figures"]["score"],
        "score": best["figures"]["score"],
    }
    if population:
        entry |= {"excess_t_before": champion["excess_t"], "excess_t": best["excess_t"]}
    record(
        context,
        state["run_id"],
        f"i{iteration:02d}.select",
        "select",
        Selected(selection={**entry, "champion": best["figures"]["hash"]}),
        iteration=iteration,
        cites=[f"i{iteration:02d}.backtest.{t['number']}" for t in trials if t["backtests"]],
    )
    update: OptimizationState = {"champion": best, "history": [*shortened(state["history"]), entry]}
    if population:
        update["archive"] = _members({**state, **update}, best)
    return update
