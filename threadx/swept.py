"""What `threadx.sweep(...)` gives: pandas' own table, which draws itself as every other result does."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import altair as alt
import pandas as pd

from nodes.context import Context
from prompts import Words
from reports.charts.sweep import axes_to_draw, sweep_cells, sweep_chart
from reports.pictures import write_picture


class Sweep(pd.DataFrame):
    """A row a configuration, every metric.

    Attributes:
        attrs: `dropped`, `dropped_by`, `bars_per_year`; what the picture is drawn from: `file`
            with every row, `grid` of values by parameter, `about` what was swept.
    """

    @property
    def _constructor(self) -> Callable[..., pd.DataFrame]:
        return pd.DataFrame  # a part of it is no sweep any more

    def plot(  # type: ignore[override]  # pandas' own needs another library
        self,
        path: str | Path | None = None,
        *,
        metric: str = "sharpe_ratio",
        axes: Sequence[str] = (),
    ) -> alt.LayerChart:
        """A heat map over two parameters, a line over one.

        Args:
            path: written there too: .png, .svg, .pdf or .html.
            metric: a column; the best over what is not drawn is shown.
            axes: one or two parameters; the first that vary if left out.

        Raises:
            ReportError: `unknown_axis`, `too_many_axes`, `nothing_varies`, `unknown_picture`.
            OSError: the file cannot be written.
        """
        grid: Mapping[str, Sequence[Any]] = self.attrs["grid"]
        cells = sweep_cells(Path(self.attrs["file"]), grid, axes_to_draw(grid, axes), metric)
        chart = sweep_chart(cells, Words(Context().language), about=self.attrs["about"])
        if path is not None:
            write_picture(chart, Path(path))
        return chart
