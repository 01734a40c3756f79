"""What a person does at the workbench: write conditions, backtest, sweep, open a cell, go on from there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from playwright.sync_api import Browser, Page, expect

import threadx
from backtest import Costs, Input, Risk, StrategyError, StrategySpec, run_backtest, sweep
from backtest.data.inputs import with_inputs
from backtest.engine.ranking import best_first
from backtest.errors import ExpressionError
from backtest.language.parser import parse
from nodes.context import OptimizationContext
from prompts import Words
from tests.browser import (
    PATIENCE,
    keep_picture,
    opened_browser,
    opened_page,
    served_pages,
    watch,
    wider_than_the_screen,
)
from threadx.web.sweep_form import values_between
from vault.packaged import packaged_table

LANGUAGE: Any = "en"
WORDS = Words("en", "page")


def test_both_ends_of_a_range_are_swept() -> None:
    assert values_between(3, 10, 1) == [3, 4, 5, 6, 7, 8, 9, 10]
    assert values_between(0.1, 0.5, 0.1) == [0.1, 0.2, 0.3, 0.4, 0.5]
    assert values_between(1, 6, 2) == [1, 3, 5]
    assert values_between(4, 4, 1) == [4]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(autouse=True)
def patient() -> Iterator[None]:
    """What is expected of a busy machine may take as long as what is waited for."""
    expect.set_options(timeout=SOON_MILLISECONDS)
    yield
    expect.set_options(timeout=5_000)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with opened_browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def url(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served_pages(home, tmp_path_factory.mktemp("ui"), LANGUAGE) as address:
        yield address


SOON_MILLISECONDS = 30_000
"""Until what follows a click is given up; the first backtest, which may have to compile, has longer."""

CELL = """([x, y]) => {
    const chart = getElement(document.querySelector('.tx-pane-chart').id.slice(1)).chart;
    const box = chart.getDom().getBoundingClientRect();
    const [left, top] = chart.convertToPixel({seriesIndex: 0}, [x, y]);
    return [box.left + left, box.top + top];
}"""
"""Where a cell of the heat map is on the screen."""


def button(page: Page, key: str) -> Any:
    return page.get_by_role("button", name=WORDS(key), exact=True)


def shown(page: Page, metric: str) -> Any:
    """The figure of a metric of the backtest that is shown."""
    return page.locator(".tx-facts .tx-card", has_text=WORDS(f"report.metric.{metric}"))


def orders_in_parts_beside_another_instrument(page: Page, url: str, prices: pd.DataFrame) -> None:
    """Fields that are folded away: a further table, a waiting order, targets by age, size, more costs."""
    page.goto(f"{url}/threadx/bench?strategy=own&entry_long=close+%3E+1")
    page.wait_for_load_state("networkidle")
    for key in ("further.title", "form.risk", "form.sizing", "form.orders", "form.more_costs"):
        page.get_by_text(WORDS(f"web.{key}"), exact=True).click()
    button(page, "web.further.add").click()
    page.get_by_label(WORDS("web.further.table"), exact=True).click()
    page.get_by_role("option", name=WORDS("web.form.sample_nasdaq")).click()
    expect(page.get_by_text("t1.open, t1.high, t1.low, t1.close")).to_be_visible()
    typed = {
        "web.form.entry_long": "t1.close > sma(t1.close, 50)",
        "web.form.exit_long": "close < sma(close, 20)",
        "web.form.entry_limit_long": "close * 0.995",
        "report.param.order_bars": "3",
        "report.param.scale_out": "5",
        "report.param.equity_pct": "50",
        "web.setting.spread_bps": "4",
    }
    for key, value in typed.items():
        page.get_by_label(WORDS(key), exact=True).fill(value)
    parts = page.get_by_label(WORDS("report.param.scale_out"), exact=True)
    expect(page.locator(".q-field", has=parts)).to_contain_text("scale_out")
    with pytest.raises(StrategyError) as refused:
        Risk(scale_out="5")
    expect(page.locator(".q-field", has=parts)).to_contain_text(WORDS.told(refused.value))
    parts.fill("5:50, 10:25")
    page.get_by_text(WORDS("report.param.whole_units"), exact=True).click()
    button(page, "web.bench.test").click()
    spec = StrategySpec(
        name="own",
        entry_long="t1.close > sma(t1.close, 50)",
        exit_long="close < sma(close, 20)",
        entry_limit_long="close * 0.995",
        risk={"order_bars": 3, "scale_out": {5: 50, 10: 25}},
        sizing={"equity_pct": 50, "whole_units": True},
        inputs={"t1.close": Input(kind="price")},
    )
    usual = OptimizationContext()
    costs = Costs(fee_bps=usual.fee_bps, slippage_bps=usual.slippage_bps, spread_bps=4.0)
    joined = with_inputs(prices, {"t1": packaged_table("nasdaq")}, spec)
    alone = run_backtest(joined, spec, costs=costs).metrics
    expect(shown(page, "total_return")).to_contain_text(WORDS.percent(alone.total_return), timeout=PATIENCE)
    expect(shown(page, "n_trades")).to_contain_text(WORDS.number(alone.n_trades))


@pytest.mark.server
@pytest.mark.browser
@pytest.mark.long
def test_from_a_condition_typed_to_a_run_that_goes_on_from_the_best_cell(
    browser: Browser, url: str, tmp_path: Path
) -> None:
    with opened_page(browser, "wide-light") as page:
        hosts, complaints = watch(page)
        page.set_default_timeout(SOON_MILLISECONDS)
        page.goto(f"{url}/threadx/bench")
        page.wait_for_load_state("networkidle")
        page.get_by_label(WORDS("web.form.preset"), exact=True).click()
        page.get_by_role("option", name=WORDS("web.form.own")).click()
        buys = page.get_by_label(WORDS("web.form.entry_long"), exact=True)
        buys.fill("")
        buys.press_sequentially("close > hig")
        expect(page.get_by_role("option", name="highest value")).to_be_visible()
        expect(page.get_by_role("option").first).to_have_attribute("aria-selected", "true")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowUp")
        page.get_by_role("option", name="highest(series, period)").click()
        page.keyboard.type("high")  # what has no usual value is typed over
        expect(buys).to_have_value("close > highest(high, period)")
        with pytest.raises(ExpressionError) as refused:
            parse("close > highest(high, period)", ("fast_period", "slow_period"))  # the preset’s, kept
        expect(page.locator(".tx-field-error")).to_contain_text(WORDS.told(refused.value))
        page.get_by_role("button", name=WORDS("web.condition.make", name="period")).click()
        page.get_by_label(WORDS("report.param.period"), exact=True).fill("20")
        buys.press("End")
        page.keyboard.type("[1]")
        expect(page.locator(".tx-field-error")).to_have_count(0)
        meaning = "close is above highest value over 20 bars (high), 1 bar earlier"
        expect(page.get_by_text(meaning).first).to_be_visible()
        sells = page.get_by_label(WORDS("web.form.exit_long"), exact=True)
        sells.fill("close < lowest(low, 10)[1]")

        fee = page.get_by_label(WORDS("web.setting.fee_bps"), exact=True)
        fee.fill("")
        button(page, "web.bench.test").click()
        told = WORDS("web.error.empty_field", label=WORDS("web.setting.fee_bps"), limits="0–1000")
        expect(page.locator(".q-field", has=fee)).to_contain_text(told)
        fee.fill("7")
        button(page, "web.bench.test").click()
        page.get_by_role("link", name=WORDS("web.bench.optimise")).wait_for(timeout=PATIENCE)

        spec = StrategySpec(
            name="own",
            params={"period": 20},
            entry_long="close > highest(high, period)[1]",
            exit_long="close < lowest(low, 10)[1]",
        )
        costs = Costs(fee_bps=7.0, slippage_bps=OptimizationContext().slippage_bps)
        prices = threadx.backtest("sample:sp500", spec, home=tmp_path).prices
        alone = run_backtest(prices, spec, costs=costs).metrics
        expect(shown(page, "total_return")).to_contain_text(WORDS.percent(alone.total_return))
        expect(shown(page, "n_trades")).to_contain_text(WORDS.number(alone.n_trades))
        title = page.get_by_role("heading", name=WORDS("command.part.development")).last
        expect(title).to_be_visible()
        expect(page.get_by_text(WORDS("web.bench.counted", count="1"))).to_be_visible()

        step = page.get_by_label(WORDS("web.sweep.step"), exact=True).first
        step.fill("0")
        expect(page.get_by_text(WORDS("web.sweep.no_step"))).to_be_visible()
        for key, value in (("low", "20"), ("high", "40"), ("step", "10")):
            page.get_by_label(WORDS(f"web.sweep.{key}"), exact=True).first.fill(value)
        expect(page.get_by_text(WORDS("web.sweep.count", count="33"))).to_be_visible()
        button(page, "web.sweep.start").click()
        page.get_by_role("heading", name=WORDS("web.sweep.best")).wait_for()
        grid = {"period": [20, 30, 40], "stop_loss_pct": [place / 2 for place in range(1, 12)]}
        table = sweep(prices, spec, grid, costs=costs)

        where = page.evaluate(CELL, [1, 4])
        page.mouse.click(*where)
        (row,) = table[(table["period"] == 30) & (table["stop_loss_pct"] == 2.5)].to_dict("records")
        expect(shown(page, "total_return")).to_contain_text(WORDS.percent(row["total_return"]))
        expect(page.get_by_label(WORDS("report.param.period"), exact=True)).to_have_value("30")
        expect(page.get_by_label(WORDS("report.param.stop_loss_pct"), exact=True)).to_have_value("2.5")
        expect(page.get_by_text(WORDS("web.bench.counted", count="34"))).to_be_visible()

        best = best_first(table, "sharpe_ratio").iloc[0]
        page.locator(".tx-ranked").first.get_by_role("button", name="1", exact=True).press("Enter")
        expect(shown(page, "total_return")).to_contain_text(WORDS.percent(best["total_return"]))
        page.wait_for_load_state("networkidle")
        assert wider_than_the_screen(page) <= 0
        keep_picture(page, f"bench.{LANGUAGE}")

        page.get_by_role("link", name=WORDS("web.bench.optimise")).click()
        page.wait_for_url("**/threadx/new?*")
        for key, value in (
            ("form.entry_long", spec.entry_long),
            ("form.exit_long", "close < lowest(low, 10)[1]"),
            ("param.period", f"{best['period']:g}"),
            ("param.stop_loss_pct", f"{best['stop_loss_pct']:g}"),
            ("setting.fee_bps", "7"),
        ):
            label = WORDS(f"report.{key}" if key.startswith("param") else f"web.{key}")
            expect(page.get_by_label(label, exact=True)).to_have_value(str(value))
        orders_in_parts_beside_another_instrument(page, url, prices)
        assert set(hosts) == {"127.0.0.1"}
        assert complaints == []
