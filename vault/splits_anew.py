"""The file of splits made anew from what is registered, where it was damaged: no boundary moves by that.

Every registered dataset says under which family it stands and where its holdout begins; its vault begins with
the first row that may not be developed on.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from base.own_tables import read_own_table
from base.reasons import ReasonError
from vault.datasets import Dataset
from vault.fingerprints import nanoseconds
from vault.openings import in_utc
from vault.splits import Split


def splits_anew(folder: Path, datasets: Sequence[Dataset]) -> list[Split]:
    """A split for each family.

    Args:
        folder: of the datasets.
        datasets: all that are registered and can be read.
    """
    families: dict[str, list[Dataset]] = {}
    for dataset in datasets:
        families.setdefault(dataset.family, []).append(dataset)
    return [_split(folder, family, known) for family, known in sorted(families.items())]


def _split(folder: Path, family: str, known: Sequence[Dataset]) -> Split:
    latest = max(len(one.advances) for one in known)
    current = [one for one in known if len(one.advances) == latest]
    # Named as registered first, where that file is still there: the family is its development part.
    first = next((one for one in known if one.development_hash == family), known[0])
    exact = [one for one in current if one.development_hash == family] or current
    return Split(
        family=family,
        symbol=first.symbol,
        timeframe=first.timeframe,
        development_end=min(_development_end(folder, one) for one in exact),
        boundary=min(_utc(one.boundary) for one in current),
        first=min(_utc(one.first) for one in known),
        last=max(_utc(one.last) for one in known),
        advances=list(current[0].advances),
    )


def _development_end(folder: Path, dataset: Dataset) -> int:
    """The first time of the vault; where it cannot be read, just behind the last row of development."""
    try:
        vault = read_own_table(folder / f"{dataset.holdout_hash}.parquet", ["close"])
        return int(nanoseconds(vault.index)[0])
    except (OSError, ValueError, IndexError, ReasonError):
        return _utc(dataset.development_last) + 1


def _utc(moment: str) -> int:
    return int(pd.Timestamp(in_utc(moment)).as_unit("ns").value)
