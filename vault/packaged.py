"""Real series that a dependency carries: the data sets of the `arch` package, read from its files.

Importing `arch` itself takes seconds (it brings statsmodels and scipy); its tables are gzipped CSV files.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pandas as pd


@cache
def _folder() -> Path:
    found = find_spec("arch")
    if found is None or not found.submodule_search_locations:
        raise ModuleNotFoundError("arch, which carries the sample data, is not installed", name="arch")
    return Path(found.submodule_search_locations[0]) / "data"


def packaged_table(name: str) -> pd.DataFrame:
    """One data set, as `arch.data.NAME.load()` gives it.

    Args:
        name: of the data set, for example `sp500` or `core_cpi`.

    Returns:
        Columns as float64 on a DatetimeIndex named Date; what is no number is NaN.
    """
    table = pd.read_csv(_folder() / name / f"{name.replace('_', '-')}.csv.gz")
    table["Date"] = pd.to_datetime(table["Date"])
    numbers: pd.DataFrame = table.set_index("Date").apply(pd.to_numeric, errors="coerce")
    return numbers
