"""The trial ledger, as a run meets it: what stood in it at the start, what the run adds, what it says then.

A ledger belongs to its data folder and grows with every run. What a run read from it is on record, and a
resumed run or a replay takes it from there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar, cast

import numpy as np
import pandas as pd

from backtest.errors import BacktestError
from backtest.statistics.overfitting import (
    data_snooping,
    effective_trials,
    familywise_p_value,
    independent_trials,
    minimum_backtest_length,
    probability_of_backtest_overfitting,
)
from backtest.validation.trials import Trial
from nodes.context import OptimizationContext
from nodes.optimization.evidence.witnesses import heads, missing_evidence
from nodes.run_events import record
from record.errors import ReportError
from record.events import EvidenceMissing, LedgerBegun, LedgerClosed, LedgerEvent, SearchMeasured, TrialsFixed
from record.record import RunRecord
from record.run_tables import TRIALS, read_table, table_hash, write_table
from record.types import EarlierOpenings, MissingEvidence, SearchFigures
from vault.datasets import Dataset, earlier_openings, readers_of
from vault.declared import read_declaration
from vault.ledger import Evidence, Ledger, Snapshot

LEDGER = "ledger"
"""Where events tell what the ledger held."""

BEGUN = "i00.ledger"
"""Id of the event with which a run's count begins."""

JUDGED_BY = "judge.trials"
"""Id of the event that fixes the table of trials."""

EVIDENCE = "judge.evidence"
"""Id of the event that says what of the evidence was missing when the judgement began."""

CLOSED = "judge.closed"
"""Id of the event that says where ledger and openings ended when the run was judged."""

_BLOCKS = 16
_LEAST_BLOCKS = 20

L = TypeVar("L", bound=LedgerEvent)


def once(
    context: OptimizationContext,
    run: str,
    event_id: str,
    iteration: int,
    cites: str,
    what: type[L],
    read: Callable[[], L],
) -> L:
    """What is on record under this id, or what `read` finds now, put on record."""
    log = RunRecord(context.home_path, run)
    data = log.log.told(event_id, what) or log.answers.told(event_id, what) or read()
    record(context, run, event_id, LEDGER, data, iteration=iteration, cites=[cites])
    return data


def begin_count(context: OptimizationContext, run: str, dataset: Dataset) -> LedgerBegun:
    """The ledger's snapshot and the number of openings with which the run begins."""
    return once(context, run, BEGUN, 0, "i00.load", LedgerBegun, lambda: begun_with(context, run, dataset))


def begun_with(context: OptimizationContext, run: str, dataset: Dataset) -> LedgerBegun:
    """What a run that begins now finds, once what is missing is made up for; see `begin_count`."""
    home = context.home_path
    declared = read_declaration(dataset.family, home)
    return LedgerBegun(
        missing=missing_evidence(home, dataset, run),
        snapshot=Ledger(home).snapshot(dataset.family, dataset.also).to_dict(),
        openings=readers_of(dataset, home),
        declared=None if declared is None else declared.model_dump(mode="json"),
        opened=[cast(EarlierOpenings, one.model_dump()) for one in earlier_openings(dataset, home)],
        heads=heads(home).model_dump(),
    )


def check_evidence(
    context: OptimizationContext, run: str, dataset: Dataset, iteration: int
) -> list[MissingEvidence]:
    """What of the evidence is missing at the start of a judgement, since before the run began or since then.

    Returns:
        As `witnesses.missing_evidence`, each code once.
    """
    log = RunRecord(context.home_path, run)
    if log.is_replay and log.answers.find(EVIDENCE) is None:
        return []  # a run of an earlier version, which had no chain

    def read() -> EvidenceMissing:
        before = begin_count(context, run, dataset).missing
        found = {one["code"]: one for one in [*before, *missing_evidence(context.home_path, dataset, run)]}
        for figure, weaker in (("trials", "ledger"), ("linked", "ledger"), ("openings", "log")):
            if figure in found:
                found.pop(weaker, None)
        now = _standing(context, dataset)
        return EvidenceMissing(
            missing=list(found.values()), trials=now.trials, openings=now.openings, heads=now.heads
        )

    return once(
        context, run, EVIDENCE, iteration, f"i{iteration:02d}.converge", EvidenceMissing, read
    ).missing


def close_count(context: OptimizationContext, run: str, dataset: Dataset, iteration: int) -> None:
    """Put on record where ledger and openings end, once the run has opened its holdout."""
    log = RunRecord(context.home_path, run)
    if log.is_replay and log.answers.find(CLOSED) is None:
        return

    once(
        context,
        run,
        CLOSED,
        iteration,
        "judge",
        LedgerClosed,
        lambda: _standing(context, dataset),
    )


def _standing(context: OptimizationContext, dataset: Dataset) -> LedgerClosed:
    """Configurations and readers as they are counted now, and where both chains end."""
    return LedgerClosed(
        trials=Ledger(context.home_path).snapshot(dataset.family, dataset.also).trials,
        openings=readers_of(dataset, context.home_path),
        heads=heads(context.home_path).model_dump(),
    )


def count(context: OptimizationContext, run: str, dataset: Dataset, trials: Sequence[Trial]) -> None:
    """Write down what the run has looked at: of a pool on each of its instruments too.

    Raises:
        MarketError: `unusable_ledger`.
        OSError: the folder cannot be written.
    """
    looked = [(dataset, trials)]
    for one in dataset.instruments:
        looked.append((one, [each for found in trials if (each := found.each.get(one.symbol))]))
    for prices, found in looked:
        Ledger(context.home_path).count(
            prices.family, found, development_hash=prices.development_hash, origin="run", source=run
        )


def search_evidence(
    context: OptimizationContext, run: str, dataset: Dataset, iteration: int, champion: str
) -> SearchFigures:
    """What the ledger says of everything that was looked at, the run's own trials included; put on record.

    Returns:
        As `search_figures`, and `trials_before` the run.

    Raises:
        MarketError: `unusable_ledger`.
        ReportError: `table_differs`: the file is not what was put on record.
        OSError: the folder cannot be written.
    """
    table = _trials(context, run, dataset, iteration, champion)
    found = search_figures(table, dataset, champion, context.seed)
    begun = begin_count(context, run, dataset)
    told: SearchFigures = {"trials_before": begun.snapshot["trials"], **found}
    measured = SearchMeasured(**told)
    record(context, run, "judge.ledger", LEDGER, measured, iteration=iteration, cites=[JUDGED_BY])
    return told


def _trials(
    context: OptimizationContext, run: str, dataset: Dataset, iteration: int, champion: str
) -> pd.DataFrame:
    """The table of trials: from the ledger into a file of the run, or from that file."""
    begun = begin_count(context, run, dataset)
    folder = RunRecord(context.home_path, run).folder
    if not (folder / TRIALS).is_file():
        evidence = Ledger(context.home_path).evidence(
            Snapshot(**begun.snapshot),
            development_hash=dataset.development_hash,
            source=run,
            chosen=champion,
        )
        write_table(evidence.table, folder / TRIALS)
    table = read_table(folder, TRIALS)
    found = TrialsFixed(
        file=TRIALS,
        rows=len(table),
        trials=int(table["configurations"].sum()),
        hash=table_hash(table),
    )
    decided = f"i{iteration:02d}.converge"
    known = once(context, run, JUDGED_BY, iteration, decided, TrialsFixed, lambda: found)
    if known != found:
        raise ReportError("table_differs", run=run, table=TRIALS)
    return table


def search_figures(table: pd.DataFrame, dataset: Dataset, champion: str, seed: int) -> SearchFigures:
    """Statistics of a search, from its table of trials alone.

    Args:
        table: as `vault.ledger.Evidence.table`.
        dataset: the prices.
        champion: hash of the chosen strategy.
        seed: of the resampling.

    Returns:
        `trials` and `trials_by_origin`; `sharpe_variance` of all, per bar; `familywise_p` of the champion
        among all of them, and the `independent_trials` that they amount to; `compared`, trials whose returns
        by blocks could be compared, and of them `effective_trials`, their `cluster_variance`, `pbo` with its
        `pbo_splits`, and `data_snooping` p-values; None where there is too
        little to compare.
    """
    found = Evidence.of(table)
    told: SearchFigures = {
        "trials": found.trials,
        "trials_by_origin": found.by_origin,
        "minimum_backtest_years": _rounded(minimum_backtest_length(max(1, found.trials))),
        "sharpe_variance": _rounded(found.sharpe_variance),
        "compared": found.blocks.shape[1],
        "familywise_p": None,
        "independent_trials": None,
        "effective_trials": None,
        "cluster_variance": None,
        "pbo": None,
        "pbo_splits": None,
        "data_snooping": None,
    }
    if champion in found.hashes and len(found.blocks) >= _LEAST_BLOCKS:
        own = found.hashes.index(champion)
        told["familywise_p"] = familywise_p_value(
            found.blocks, own, np.random.default_rng(seed), unseen=found.unseen
        )
        alike = independent_trials(found.blocks, own, np.random.default_rng(seed), unseen=found.unseen)
        told["independent_trials"] = _rounded(min(alike, float(found.trials)))
    if found.blocks.shape[1] < 2 or found.blocks.shape[0] < 2 * _BLOCKS:
        return told
    clusters = effective_trials(found.blocks, of=found.trials)
    blocks_a_bar = len(found.blocks) / dataset.development_rows
    told["effective_trials"] = clusters.effective
    # Ratios of sums over blocks, told per bar like all others.
    told["cluster_variance"] = _rounded(clusters.cluster_variance * blocks_a_bar)
    overfitting = probability_of_backtest_overfitting(found.blocks, n_blocks=_BLOCKS)
    told["pbo"] = _rounded(overfitting.pbo)
    told["pbo_splits"] = overfitting.n_splits
    try:
        snooping = data_snooping(found.blocks, np.random.default_rng(seed))
    except BacktestError as error:
        if error.code != "too_few_trials":  # not one of them ever traded
            raise
    else:
        told["data_snooping"] = {
            "reality_check": _rounded(snooping.reality_check),
            "spa_lower": _rounded(snooping.spa_lower),
            "spa_consistent": _rounded(snooping.spa_consistent),
            "spa_upper": _rounded(snooping.spa_upper),
        }
    return told


def _rounded(value: float) -> float:
    """Ten significant digits: more than any figure is worth, and the same on every machine."""
    return float(f"{value:.10g}")
