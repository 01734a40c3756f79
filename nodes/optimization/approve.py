"""Node `approve`: before the tests a person accepts, edits or rejects the proposals."""

from __future__ import annotations

from langgraph.runtime import Runtime
from langgraph.types import interrupt

from nodes.context import OptimizationContext
from nodes.optimization.evidence.evidence import gather_evidence
from nodes.optimization.state import OptimizationState
from nodes.optimization.trials.approval import awaited, read_approval
from nodes.optimization.trials.workshop import Workshop
from nodes.run_events import record
from prompts import text
from record.events import Approved, Waiting
from record.record import RunRecord


def _question(state: OptimizationState, context: OptimizationContext) -> Waiting:
    """What the person is shown, in the graph's interrupt and in the record."""
    verdicts = {verdict["proposal"]: verdict for verdict in state.get("verdicts") or []}
    return Waiting(
        run=state["run_id"],
        iteration=state["iteration"],
        help=text("optimization.approval.help", context.language),
        proposals=[
            {
                "number": proposal["number"],
                "sentence": proposal["sentence"],
                "reason": proposal["reason"],
                "expected_effect": proposal["expected_effect"],
                "change": proposal["change"],
                "verdict": verdicts.get(proposal["number"]),
            }
            for proposal in awaited(state["proposals"], context.approve)
        ],
    )


def approve(state: OptimizationState, runtime: Runtime[OptimizationContext]) -> OptimizationState:
    """Wait for a person's word; one that does not fit is asked for again with what is wrong.

    A word on record, of a replayed run or of one that was killed just after it, is not asked for again.
    """
    context = OptimizationContext.of(runtime.context)
    iteration = state["iteration"]
    asked = f"i{iteration:02d}.approve"
    question = _question(state, context)
    waiting = awaited(state["proposals"], context.approve)
    cites = [f"i{iteration:02d}.strategist.proposal.{p['number']}" for p in waiting]
    log = RunRecord(context.home_path, state["run_id"])
    evidence = gather_evidence(state, iteration)
    workshop = Workshop(
        context=context, run=state["run_id"], iteration=iteration, voice="approve", cites=asked
    )
    about = (evidence.spec, set(evidence.tried), context.language, evidence.grid, evidence.archive)
    said = log.log.told(f"{asked}.said", Approved) or log.answers.told(f"{asked}.said", Approved)
    if not log.log.find(asked):
        record(
            context,
            state["run_id"],
            asked,
            "approve",
            question,
            iteration=iteration,
            cites=cites,
        )
    given = said.given if said else interrupt(question.plain())
    decided, problems = read_approval(given, waiting, *about, workshop.admit)
    while problems:
        given = interrupt({**question.plain(), "problems": problems})
        decided, problems = read_approval(given, waiting, *about, workshop.admit)
    workshop.settle([proposal for proposal in decided if "proposed" in proposal], "person")
    by_number = {proposal["number"]: proposal for proposal in decided}
    proposals = [by_number.get(proposal["number"], proposal) for proposal in state["proposals"]]
    accepted = [proposal["number"] for proposal in proposals if not proposal.get("declined")]
    record(
        context,
        state["run_id"],
        f"{asked}.said",
        "approve",
        Approved(
            given=given,
            accepted=accepted,
            declined=[proposal["number"] for proposal in proposals if proposal.get("declined")],
            edited=[
                {"number": p["number"], "sentence": p["sentence"], "was": p["proposed"]["sentence"]}
                for p in proposals
                if "proposed" in p
            ],
        ),
        iteration=iteration,
        cites=[asked],
    )
    return {"proposals": proposals, "approval": {"iteration": iteration, "accepted": accepted}}
