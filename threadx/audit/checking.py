"""A run's figures computed once more from its record and its prices alone: no model, no graph, no other run.

`threadx.audit.replaying` repeats a whole run and asks whether every word comes again; it needs the code that
made it. Here only numbers are computed, by the functions that the run used, from what stands in its folder:
the strategies and grids of its events, `trials.parquet`, seed, costs and fills. Every test of a variant is
repeated, its p-value against the champion of that moment, and the last judgement with all that it rests on.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd

from base.shared import scratch_home
from nodes.context import OptimizationContext
from nodes.optimization.judge import meet_holdout, remembering
from nodes.optimization.survey import ranked, surveyed
from nodes.optimization.trials.archive import usual_day
from nodes.optimization.trials.ledger import BEGUN, search_figures
from nodes.optimization.trials.trial import Tried, beside, tried
from nodes.optimization.trials.workshop import restore
from record.errors import ReportError
from record.events import LedgerBegun, Surveyed, TrialsFixed
from record.record import RunRecord, as_recorded
from record.run_tables import RETURNS, TRIALS, read_table, table_hash
from record.run_view import RunView
from record.types import Champion, Figures, Searched, TestedVariant, earlier_score
from threadx.audit.drift import Notice, notices
from threadx.audit.restoring import restore_prices
from threadx.errors import ThreadxError
from vault.datasets import Dataset
from vault.declared import Declaration

CLOSE_ENOUGH = 1e-6
"""Relative difference up to which two figures are the same one: another processor adds in another order."""

# Parts of `result.json` that are figures of the last judgement.
_JUDGED = ("verdict", "overfitting", "sight", "attribution", "stress", "holdout", "declared")


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One figure.

    Attributes:
        name: where it stands: a path in `result.json`, in an event of the log, or in a table of the run.
        told: what is on record.
        found: what was computed now.
    """

    name: str
    told: Any
    found: Any

    @property
    def agrees(self) -> bool:
        """Whether both are the same, to `CLOSE_ENOUGH`."""
        told, found = self.told, self.found
        if isinstance(told, bool | str) or isinstance(found, bool | str) or told is None or found is None:
            return bool(told == found)
        return math.isclose(told, found, rel_tol=CLOSE_ENOUGH, abs_tol=1e-9)


@dataclass(frozen=True, kw_only=True)
class Check:
    """What came of it.

    Attributes:
        run: its name.
        rows: every figure, in the order of the record.
        notices: what has changed since the run was made.
    """

    run: str
    rows: tuple[Row, ...]
    notices: tuple[Notice, ...]

    @property
    def agrees(self) -> bool:
        """Whether every figure does."""
        return all(row.agrees for row in self.rows)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        figures = [
            {"figure": row.name, "on_record": row.told, "recomputed": row.found, "agrees": row.agrees}
            for row in self.rows
        ]
        return {"run": self.run, "agrees": self.agrees, "figures": figures}


def check_run(run: str, home: Path, files: Sequence[str] = ()) -> Check:
    """Compute the figures of a finished run once more; nothing in the data folder is changed.

    Args:
        run: its name.
        home: the data folder.
        files: where its prices may stand if they are no longer registered there.

    Raises:
        ReportError: `unknown_run`, `no_result`, `no_table`, `unreadable_record`;
            `indicators_differ`: one that the run has written.
        ThreadxError: `not_an_optimization`.
        MarketError: `missing_prices`; the registered ones are damaged.
        BacktestError: a file named holds no valid prices.
    """
    record = RunRecord(home, run)
    about = record.about()
    if about["graph"] != "optimization":
        raise ThreadxError("not_an_optimization", run=run)
    told = record.result()
    with as_recorded(record.folder), scratch_home("threadx-check-") as folder:
        dataset, others = restore_prices(record, home, folder, files)
        restore(record, folder)
        context = OptimizationContext.model_validate({**about["context"], "home": str(folder)})
        search = _Search(record, dataset, context)
        rows = [*search.rows()]
        champion = search.champion
        tested = search.tried_again(champion)
        rows += _compared("champion.development", told["champion"]["development"], tested.figures)
        if not told["champion"]["holdout"]:  # nothing was tested: the holdout is closed, here as well
            return Check(run=run, rows=tuple(rows), notices=tuple(notices(record, home)))
        trials, returns = read_table(record.folder, TRIALS), read_table(record.folder, RETURNS)
        counted = search_figures(trials, dataset, tested.spec.hash, context.seed)
        counted["trials_before"] = told["overfitting"]["trials_before"]
        begun = record.log.told(BEGUN, LedgerBegun)
        judgement, earned = meet_holdout(
            context,
            dataset,
            others=others,
            champion={**champion, "spec": tested.spec.model_dump(mode="json")},
            initial=told["initial"]["strategy"],
            search=counted,
            trials=trials,
            opening=told["holdout"]["opening"],
            remembering=remembering(context, dataset, record.events()),
            reader=run,
            declared=Declaration.model_validate(begun.declared) if begun and "declared" in told else None,
        )
        found: Mapping[str, Any] = judgement
        walked = {**tested.figures["walk_forward"], "cross_validation": judgement["cross_validation"]}
        rows += _compared("walk_forward", told["walk_forward"], walked)
        for who in ("initial", "champion"):
            rows += _compared(f"{who}.holdout", told[who]["holdout"], found[who])
        for name in _JUDGED:
            if name not in told:  # a run of an earlier version
                continue
            part = told[name]
            if name == "stress":  # by the name of the test, not by its place
                rows += _compared(name, _by_name(part), _by_name(found[name]))
                continue
            if name == "holdout":
                part = {key: value for key, value in part.items() if key != "hash"}
            rows += _compared(name, part, found[name])
        rows += _trial_rows(record, trials, search.looked_at)
        rows += _return_rows(returns, earned)
        return Check(run=run, rows=tuple(rows), notices=tuple(notices(record, home)))


class _Search:
    """The variants of a run, tested again in the order of its record."""

    def __init__(self, record: RunRecord, dataset: Dataset, context: OptimizationContext) -> None:
        self.view = RunView.of(record.events())
        initial = self.view.initial or {}
        self.champion: Searched = {"spec": initial, "given": initial, "grid": {}}
        self.dataset = dataset
        self.context = context
        self.looked_at: dict[str, float] = {}
        self.score = self.view.initial_score or 0.0

    def tried_again(self, variant: Searched | TestedVariant) -> Tried:
        """The same test; what it compared is what it looked at."""
        found = tried(variant["given"], variant["grid"], self.dataset, self.context)
        self.looked_at |= {one.spec_hash: one.excess_sharpe for one in found.looked_at}
        return found

    def rows(self) -> Iterator[Row]:
        """Figures of the initial strategy and of every variant; the champion changes as it did."""
        view = self.view
        found = self.tried_again(self.champion)
        yield from _compared("initial.development", view.initial_figures, found.figures)
        if view.surveyed is not None:
            yield from self._survey(view.surveyed, found)
        for iteration, variants in view.tested.items():
            for number, variant in variants.items():
                yield from self._variant(f"i{iteration:02d}.backtest.{number}", variant)
            for trial in view.history[iteration]["trials"]:
                if trial["outcome"] == "adopted":
                    adopted = variants[trial["number"]]
                    self.champion = {
                        "spec": adopted["spec"],
                        "given": adopted["given"],
                        "grid": adopted["grid"],
                    }
                    self.score = trial["score"] or 0.0

    def _survey(self, told: Surveyed, initial: Tried) -> Iterator[Row]:
        """The seeds tested again: how many, the candidates, and the champion that they leave."""
        looks = surveyed(self.dataset, self.context, told.configurations)
        self.looked_at |= {look.trial.spec_hash: look.trial.excess_sharpe for _, look in looks}
        first: Champion = {
            "spec": self.champion["spec"],
            "given": self.champion["given"],
            "grid": {},
            "figures": initial.figures,
            "iteration": 0,
        }
        a_day = usual_day(self.dataset, self.context)
        champion, archive = ranked(first, initial.excess_t, initial.bars_held, looks, a_day)
        if champion["given"] != first["given"]:
            champion["figures"] = self.tried_again(champion).figures
        yield Row(name="survey.configurations", told=told.configurations, found=len(looks))
        yield from _compared("survey.archive", told.archive, archive)
        yield from _compared("survey.champion", told.champion, champion)
        self.champion = champion
        self.score = told.champion["figures"]["score"]

    def _variant(self, name: str, variant: TestedVariant) -> Iterator[Row]:
        found, champion = self.tried_again(variant), self.tried_again(self.champion)
        yield from _compared(name, variant["figures"], found.figures)
        luck = None
        if self.context.search == "population":  # it ranks, and leaves significance to the verdict
            yield Row(name=f"{name}.excess_t", told=variant["excess_t"], found=found.excess_t)
        else:
            scores = (variant["figures"] or found.figures)["score"], self.score
            told = beside(found, champion, self.context, scores)
            luck = told.p_value
            if "folds_held" in variant:
                yield Row(name=f"{name}.folds_held", told=variant["folds_held"], found=told.held)
        yield Row(name=f"{name}.p_value", told=variant["p_value"], found=luck)


def _by_name(findings: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    return {one["name"]: {key: value for key, value in one.items() if key != "name"} for one in findings}


def _compared(name: str, told: Any, found: Any) -> Iterator[Row]:
    """A row for every leaf of two JSON values of the same form.

    A score of an earlier version, which has another formula, is not computed again.
    """
    if isinstance(told, Mapping) and isinstance(found, Mapping):
        if "score" in told and "parts" in found and earlier_score(cast(Figures, told)):
            found = {**found, **{key: told[key] for key in ("score", "parts") if key in told}}
        for key in [*told, *(key for key in found if key not in told)]:
            yield from _compared(f"{name}.{key}", told.get(key), found.get(key))
    elif isinstance(told, list) and isinstance(found, list) and len(told) == len(found):
        for place, (before, now) in enumerate(zip(told, found, strict=True)):
            yield from _compared(f"{name}.{place}", before, now)
    elif isinstance(told, Mapping | list) or isinstance(found, Mapping | list):
        yield Row(name=name, told=str(told), found=str(found))
    else:
        yield Row(name=name, told=told, found=found)


def _trial_rows(record: RunRecord, trials: pd.DataFrame, looked_at: Mapping[str, float]) -> Iterator[Row]:
    """The table as the log names it; and of the run's own trials each ratio, and that none is missing."""
    fixed = record.log.told("judge.trials", TrialsFixed)
    if fixed is None:
        raise ReportError("no_result", run=record.run)
    yield Row(name=f"{TRIALS}.hash", told=fixed.hash, found=table_hash(trials))
    own = trials[trials["own"] & (trials["configurations"] == 1)]
    yield Row(name=f"{TRIALS}.own", told=len(own), found=len(looked_at))
    for one, ratio in zip(own["hash"], own["excess_sharpe"], strict=True):
        yield Row(name=f"{TRIALS}.excess_sharpe.{one}", told=float(ratio), found=looked_at.get(one))
    counted = int(trials["configurations"].sum())
    yield Row(name=f"{TRIALS}.trials", told=fixed.trials, found=counted)


def _return_rows(told: pd.DataFrame, found: pd.DataFrame) -> Iterator[Row]:
    """Bars, and of each column of the returns its largest difference: none."""
    yield Row(name=f"{RETURNS}.bars", told=len(told), found=len(found))
    if len(told) != len(found):
        return
    for part in ("development", "holdout"):
        before, now = told[told["part"] == part], found[found["part"] == part]
        for column in (name for name in found.columns if name != "part"):
            values, again = before[column].to_numpy(float), now[column].to_numpy(float)
            same = np.isclose(values, again, rtol=CLOSE_ENOUGH, atol=1e-12, equal_nan=True)
            yield Row(name=f"{RETURNS}.{part}.{column}", told=len(values), found=int(same.sum()))
