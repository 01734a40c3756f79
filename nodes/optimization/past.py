"""What belongs to the record of a forked optimisation beside its events: its trials, and their tables."""

from __future__ import annotations

from base import private
from base.files import copy_file
from nodes.context import Context, OptimizationContext
from nodes.forking import Events
from nodes.optimization.survey import surveyed
from nodes.optimization.trials.ledger import JUDGED_BY, begun_with, count
from nodes.optimization.trials.trial import tried
from record.events import BaselineTested, LedgerBegun, Started, Surveyed, VariantTested
from record.record import RunRecord
from record.run_tables import RETURNS, TRIALS
from vault.datasets import Dataset

JUDGED = "judge"


def past(copied: Events, parent: RunRecord, record: RunRecord, context: Context) -> Events:
    """The events as the fork tells them.

    What the fork tests is judged beside all that was looked at before it began, its parent's later trials
    included, and its opening of the holdout is one more. Its past trials are its own as well.

    Raises:
        MarketError: the prices or the ledger cannot be read.
        OSError: the folder cannot be written.
    """
    ids = {event.id for event in copied}
    if JUDGED_BY in ids:  # the search is over, and its table is fixed: nothing is opened again
        for name, needed in ((TRIALS, JUDGED_BY), (RETURNS, JUDGED)):
            if needed in ids:
                private.make_folder(record.folder)
                copy_file(parent.folder / name, record.folder / name)
        return copied
    assert isinstance(context, OptimizationContext), "the other graph tries nothing"
    told: Events = []
    dataset: Dataset | None = None
    for event in copied:
        match event.data:
            case Started() as data:
                dataset, initial = Dataset.model_validate(data.dataset), data.strategy
            case LedgerBegun() if dataset is not None:
                event = event.model_copy(update={"data": begun_with(context, record.run, dataset)})
            case BaselineTested() if dataset is not None:
                count(context, record.run, dataset, tried(initial, {}, dataset, context).looked_at)
            case Surveyed() as data if dataset is not None:
                looks = surveyed(dataset, context, data.configurations)
                count(context, record.run, dataset, [look.trial for _, look in looks])
            case VariantTested(variant={"given": given, "grid": grid}) if dataset is not None:
                count(context, record.run, dataset, tried(given, grid, dataset, context).looked_at)
        told.append(event)
    return told
