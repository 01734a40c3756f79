"""Which proposals are tested, in which order, and what each of them may cost."""

from __future__ import annotations

from nodes.context import OptimizationContext
from nodes.optimization.evidence.evidence import reigning
from nodes.optimization.evidence.history import backtests_done
from nodes.optimization.state import OptimizationState, VariantTask


def tasks(state: OptimizationState, numbers: list[int], context: OptimizationContext) -> list[VariantTask]:
    """What parallel branches are to test, one a proposal, in the order of `numbers`.

    The remaining backtest budget is divided beforehand, one to each and then evenly, so that parallel
    branches never exceed it together.
    """
    allowances: list[int | None] = [None] * len(numbers)
    if context.max_backtests is not None:
        left = max(0, context.max_backtests - backtests_done(state))
        numbers = numbers[:left]
        allowances = [left // len(numbers) + (place < left % len(numbers)) for place in range(len(numbers))]
    by_number = {proposal["number"]: proposal for proposal in state["proposals"]}
    return [
        {
            "run_id": state["run_id"],
            "iteration": state["iteration"],
            "dataset": state["dataset"],
            "champion": reigning(state),
            "proposal": by_number[number],
            "allowance": allowance,
        }
        for number, allowance in zip(numbers, allowances, strict=False)
    ]


def validated(state: OptimizationState) -> list[int]:
    """Numbers of what was not vetoed, in order of priority; an abstention vetoes nothing, and comes last."""
    verdicts = state["verdicts"]
    if verdicts is None:
        return [proposal["number"] for proposal in state["proposals"]]
    ranked = sorted(
        (verdict["decision"] == "abstained", verdict["priority"], verdict["proposal"])
        for verdict in verdicts
        if verdict["decision"] != "rejected"
    )
    return [number for _, _, number in ranked]
