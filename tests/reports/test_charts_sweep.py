"""The picture of a sweep: what it shows is what the sweep found."""

import numpy as np
import pandas as pd
import pytest

from backtest import StrategySpec, sweep, sweep_to_parquet
from backtest.kernels.simulation import METRICS
from prompts import Words
from record.errors import ReportError
from reports.charts.sweep import MOST_VALUES, Cells, axes_to_draw, sweep_cells, sweep_chart
from reports.pictures import picture
from tests.prices import made_up_prices

ENGLISH = Words("en")
GRID = {
    "fast_period": [4, 8, 12, 25],
    "slow_period": [20, 30, 40],
    "stop_loss_pct": [None, 1.0, 2.0],
}


def drawn_rows(chart):
    return next(iter(chart.to_dict()["datasets"].values()))


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    prices = made_up_prices(cycle=0.05)
    spec = StrategySpec.preset("ma_crossover")
    path = tmp_path_factory.mktemp("sweep") / "all.parquet"
    sweep_to_parquet(prices, spec, GRID, path)
    return path, sweep(prices, spec, GRID)


def test_a_cell_is_the_best_over_the_other_parameters(swept):
    path, table = swept
    cells = sweep_cells(path, GRID, ["fast_period", "slow_period"], "sharpe_ratio")
    assert cells.others == ("stop_loss_pct",)
    assert len(cells.table) == 11  # 4 × 3, less 25 over 20
    for row in cells.table.to_dict("records"):
        same = (table.fast_period == row["fast_period"]) & (table.slow_period == row["slow_period"])
        assert row["sharpe_ratio"] == table.sharpe_ratio[same].max()


def test_off_is_a_value_of_its_own_and_comes_first(swept):
    path, table = swept
    cells = sweep_cells(path, GRID, ["stop_loss_pct", "fast_period"], "total_return")
    off = cells.table[cells.table.stop_loss_pct.isna() & (cells.table.fast_period == 8)]
    expected = table.total_return[table.stop_loss_pct.isna() & (table.fast_period == 8)].max()
    assert off.total_return.item() == expected
    specification = sweep_chart(cells, ENGLISH).to_dict()
    assert specification["layer"][0]["encoding"]["x"]["sort"] == ["off", "1", "2"]


def test_sides_are_an_axis_too(tmp_path):
    spec = StrategySpec(
        name="x", entry_long="close > open", exit_long="close < open", entry_short="close < open",
        exit_short="close > open",
    )  # fmt: skip
    grid = {"side": ["long", "short"], "stop_loss_pct": [1.0, 2.0]}
    sweep_to_parquet(made_up_prices(300), spec, grid, tmp_path / "all.parquet")
    for axes in (["side"], ["side", "stop_loss_pct"]):
        chart = sweep_chart(sweep_cells(tmp_path / "all.parquet", grid, axes, "total_return"), ENGLISH)
        assert {row["x"] for row in drawn_rows(chart)} == {"long", "short"}
        assert picture(chart, ".svg").startswith(b"<svg")


def test_the_best_is_marked_and_told(swept):
    path, table = swept
    chart = sweep_chart(sweep_cells(path, GRID, ["fast_period", "slow_period"], "sharpe_ratio"), ENGLISH)
    best = table.loc[table.sharpe_ratio.idxmax()]
    marked = [row for row in drawn_rows(chart) if row["best"]]
    assert [(row["x"], row["y"]) for row in marked] == [(f"{best.fast_period:g}", f"{best.slow_period:g}")]
    subtitle = chart.to_dict()["title"]["subtitle"]
    assert any(
        f"{best.sharpe_ratio:.2f} (Fast period (bars): {best.fast_period:g}" in line for line in subtitle
    )
    assert any("Stop loss (%)" in line for line in subtitle)


def test_more_values_than_fit_share_a_place_which_shows_the_best_of_them():
    values = np.arange(1, 3 * MOST_VALUES + 1)
    table = pd.DataFrame({"max_bars": values, "sharpe_ratio": np.sin(values / 50.0)})
    chart = sweep_chart(Cells(axes=("max_bars",), metric="sharpe_ratio", table=table), ENGLISH)
    rows = drawn_rows(chart)
    assert len(rows) == MOST_VALUES
    assert [row["value"] for row in rows] == pytest.approx(
        table.sharpe_ratio.to_numpy().reshape(-1, 3).max(axis=1), rel=1e-6
    )
    assert rows[0]["x"] == "1–3"


def found(axes, values):
    table = pd.DataFrame({"a": [1, 1, 2, 2], "b": [np.nan, 1.0, np.nan, 1.0], "sharpe_ratio": values})
    return sweep_chart(Cells(axes=axes, metric="sharpe_ratio", table=table), Words("fr"))


@pytest.mark.parametrize("axes", [("a",), ("a", "b")])
@pytest.mark.parametrize("values", [[np.nan] * 4, [1.0] * 4, [0.0] * 4, [-1, np.nan, np.nan, 2]])
def test_whatever_was_found_can_be_drawn(axes, values):
    assert picture(found(axes, values), ".svg").startswith(b"<svg")


@pytest.mark.parametrize(
    ("suffix", "begins"),
    [(".png", b"\x89PNG"), (".svg", b"<svg"), (".pdf", b"%PDF"), (".html", b"<!DOCTYPE")],
)
def test_each_kind_of_picture(suffix, begins):
    assert picture(found(("a", "b"), [1.0, 2.0, 3.0, 4.0]), suffix).lstrip().startswith(begins)


@pytest.mark.parametrize("suffix", [".svg", ".pdf", ".png"])
def test_the_same_chart_gives_the_same_bytes(swept, suffix):
    path, _ = swept
    once, again = (
        picture(sweep_chart(sweep_cells(path, GRID, ["fast_period"], "cagr"), ENGLISH), suffix)
        for _ in range(2)
    )
    assert once == again


@pytest.mark.parametrize(
    ("grid", "chosen", "axes"),
    [
        pytest.param(GRID, (), ("fast_period", "slow_period"), id="first two"),
        pytest.param({**GRID, "fast_period": [5]}, (), ("slow_period", "stop_loss_pct"), id="that vary"),
        pytest.param(GRID, ("stop_loss_pct",), ("stop_loss_pct",), id="chosen"),
    ],
)
def test_axes(grid, chosen, axes):
    assert axes_to_draw(grid, chosen) == axes


@pytest.mark.parametrize(
    ("grid", "chosen", "code"),
    [
        ({"fast_period": [5]}, (), "nothing_varies"),
        (GRID, ("speed",), "unknown_axis"),
        (GRID, tuple(GRID), "too_many_axes"),
        (GRID, ("fast_period", "fast_period"), "too_many_axes"),
    ],
)
def test_axes_that_cannot_be_drawn(grid, chosen, code):
    with pytest.raises(ReportError) as caught:
        axes_to_draw(grid, chosen)
    assert caught.value.code == code


@pytest.mark.parametrize("metric", METRICS)
def test_every_metric_can_be_drawn_and_has_a_name(metric):
    table = pd.DataFrame({"a": [1, 2], metric: [0.5, 0.25]})
    chart = sweep_chart(Cells(axes=("a",), metric=metric, table=table), ENGLISH)
    assert ENGLISH(f"report.metric.{metric}") in chart.to_dict()["title"]["text"]
