"""What answers are worth, decided by code: ids, numbers, kinds of change, and what the engine says."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from typing import cast

from backtest import BacktestError
from nodes.context import OptimizationContext
from nodes.ensemble.claims.languages import is_in
from nodes.forking import recorded_settings
from nodes.optimization.changes import CHANGE, Change
from nodes.optimization.trials.proposing import lead
from nodes.optimization.trials.trial import tried
from prompts import Language
from record.events import BaselineTested, EvidenceListed, Proposed, StrategistAnswer, ValidatorAnswer
from record.scorecards import Card, Marks
from record.types import Figures, Grid, Item, Proposal, Provenance, Strategy
from threadx.scorecard.asking import ROLES, Reviewed
from threadx.scorecard.cases import Case, Outcome
from threadx.scorecard.dice import thrown
from vault.datasets import Dataset

THROWS = 5
"""Answers that the dice give a case."""

CITED = 6
"""Ids that they cite in one."""


class Bench:
    """A case on the engine: what a change of its strategy comes to."""

    def __init__(self, case: Case, dataset: Dataset, figures: Figures, context: OptimizationContext) -> None:
        self.case = case
        self.dataset = dataset
        self.figures = figures
        self.context = context

    def test(self, change: Change, spec: Strategy, grid: Grid) -> Outcome | None:
        """A change that leads to a strategy, tested as the cycle tests it; None where the engine refuses."""
        try:
            found = tried(spec, grid, self.dataset, self.context)
        except BacktestError:
            return None
        return Outcome(
            change=change,
            before=self.case.spec,
            after=found.spec,
            figures_before=self.figures,
            figures_after=found.figures,
        )

    def proposed(self, proposal: Proposal) -> Outcome | None:
        """A proposal of a record."""
        change = CHANGE.validate_python(proposal["change"])
        return self.test(change, proposal["spec"], proposal["grid"])

    def made(self, change: Change) -> Outcome | None:
        """A change of the case's strategy."""
        leads = lead(self.case.spec, {}, change)
        return self.test(change, leads.spec.model_dump(mode="json"), leads.grid)


def bench(reviewed: Reviewed) -> tuple[Bench, list[Item]]:
    """The engine as a review has set it up, and the evidence it was shown."""
    found = {type(event.data): event.data for event in reviewed.events if not event.iteration}
    figures, listed = found[BaselineTested], found[EvidenceListed]
    assert isinstance(figures, BaselineTested)
    assert isinstance(listed, EvidenceListed)
    dataset = Dataset.model_validate(reviewed.record.result()["dataset"])
    context = recorded_settings(reviewed.record, OptimizationContext)
    return Bench(reviewed.case, dataset, figures.figures, context), listed.items


def mark(card: Card, reviewed: Reviewed, bench: Bench, items: Sequence[Item], language: Language) -> None:
    """Put a review on a model's card."""
    result = reviewed.record.review_result()
    analysis = result["analysis"]
    hypotheses = analysis.get("hypotheses", []) if analysis else []
    tested = {
        event.data.proposal["number"]: bench.proposed(event.data.proposal)
        for event in reviewed.events
        if isinstance(event.data, Proposed)
    }
    texts: dict[str, list[str]] = {role: [] for role in ROLES}
    if analysis:
        stated = [one["statement"] for one in hypotheses]
        texts["analyst"] = [
            *analysis["strengths"],
            *analysis["weaknesses"],
            *analysis.get("anomalies", []),
            *stated,
        ]
    texts["strategist"] = [
        words for one in result["proposals"] for words in (one["reason"], one["expected_effect"]) if words
    ]
    texts["validator"] = [
        one["verdict"]["reason"] for one in result["proposals"] if one["verdict"] and one["verdict"]["reason"]
    ]
    for event in reviewed.events:
        data = event.data
        if isinstance(data, ValidatorAnswer):
            texts["validator"] = [*texts["validator"], *data.concerns]
            for verdict in data.verdicts:
                if verdict["decision"] != "abstained":
                    kept = verdict["decision"] == "validated"
                    card.roles["validator"].add("agreed", kept == _better(tested[verdict["proposal"]]))
        if isinstance(data, StrategistAnswer) and data.answered_by and data.answered_by["model"]:
            card.roles["strategist"].add("usable", len(tested), len(tested) + len(data.refused))
        if event.node in ROLES and (said := data.answered_by):
            role = card.roles[event.node]
            _count(role, said)
            _read(role, texts[event.node], len(data.doubts), len(said.get("unsaid", [])), language)
    named = names(reviewed.case, [name for one in hypotheses for name in one.get("evidence", [])], items)
    _strategist(card, reviewed.case, list(tested.values()), named)


def _count(role: Marks, said: Provenance) -> None:
    """How an answer came, and what it cost."""
    answered, corrected = bool(said["model"]), bool(said.get("corrections"))
    repaired = bool(said.get("repairs"))
    role.add("first", answered and not corrected and not repaired)
    role.add("repaired", answered and not corrected and repaired)
    role.add("corrected", answered and corrected)
    role.read(said.get("prompt_tokens"), said.get("answer_tokens"), cast(float, said.get("latency_seconds")))


def _read(role: Marks, texts: Sequence[str], doubtful: int, unsaid: int, language: Language) -> None:
    """What its words are worth."""
    role.add("founded", len(texts) - doubtful, len(texts))
    role.add("own", len(texts), len(texts) + unsaid)
    role.add("language", sum(is_in(words, language) for words in texts), len(texts))


def names(case: Case, cited: Iterable[str], items: Sequence[Item]) -> bool:
    """Whether a figure that bears the fault out is among those cited."""
    telling = {item["id"] for item in items if item["name"].startswith(case.telling)}
    return bool(telling & set(cited))


def _better(tested: Outcome | None) -> bool:
    return tested is not None and tested.gain > 0.0


def _strategist(card: Card, case: Case, proposed: Sequence[Outcome | None], named: bool) -> None:
    role = card.roles["strategist"]
    tested = [one for one in proposed if one is not None]
    aims = {(one.change.kind, getattr(one.change, "parameter", "")) for one in tested}
    role.add("diverse", len(aims), len(tested))
    role.add("better", sum(map(_better, proposed)), len(proposed))
    card.fault(
        case.name,
        named=named,
        aimed=any(case.aims(one) for one in tested),
        fitting=any(case.fits(one) for one in tested),
    )


def throw(card: Card, bench: Bench, items: Sequence[Item], seed: int) -> None:
    """Put random answers to a case on the card of the dice."""
    draw = random.Random(f"{bench.case.name} {seed}")
    for _ in range(THROWS):
        tested = [bench.made(change) for change in thrown(bench.case.spec, draw)]
        for one in tested:
            card.roles["validator"].add("agreed", (draw.random() < 0.5) == _better(one))
        cited = draw.sample([item["id"] for item in items], CITED)
        _strategist(card, bench.case, tested, names(bench.case, cited, items))
