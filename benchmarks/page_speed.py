"""The page of a run over 100,000 bars in a real browser: first useful paint, weight, the chart that moves.

    python -m benchmarks.page_speed

A run of one iteration by rules is made in a folder of its own, served by `threadx ui`, and looked at in
headless Chromium. The page is useful once its verdict stands, the chart of the trades once it has drawn;
a move of the zoom is done once the bars of the new window have come and are drawn.

Then a run of 200 iterations, in which every role answers at once and at length: how many screens each of its
tabs is long. Promised: three at most; exit code 0 when it is kept.
"""

from __future__ import annotations

import itertools
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

import threadx
from benchmarks.chart_speed import synthetic_prices
from benchmarks.cycle_overhead import LONG, agrees, instant
from nodes.optimization.changes import RiskManagement
from nodes.optimization.evidence.evidence import Evidence
from nodes.optimization.schemas import Proposal, Proposals
from prompts import Words
from tests.browser import opened_browser, opened_page, served_pages
from tests.prices import made_up_prices
from threadx.runner import make_input, start_run
from threadx.settings import make_context
from threadx.web.run_board import TABS

BARS = 100_000
MOVES = 10
ITERATIONS = 200
MOST_SCREENS = 3.0
WORDS = Words("en")
RULES: dict[str, Any] = dict.fromkeys(("analyst", "strategist", "validator"), "rules")

_BOX = "document.querySelector('.q-tab-panel .tx-pane-chart')"
_CHART = f"getElement({_BOX}.id.slice(1)).chart"
_DRAWN = f"() => {_BOX}?.querySelector('canvas') && {_CHART}?.getOption().series.length"
_MOVED = f"""([start, end]) => new Promise(done => {{
    const chart = {_CHART}, begun = performance.now(), set = chart.setOption.bind(chart);
    chart.setOption = (...given) => {{
        set(...given);
        chart.setOption = set;
        requestAnimationFrame(() => done(performance.now() - begun));
    }};
    chart.dispatchAction({{type: 'dataZoom', start, end}});
}})"""
_FRAMES = f"""async () => {{
    const chart = {_CHART}, taken = [];
    for (let step = 0; step < 30; step++) {{
        const begun = performance.now();
        chart.dispatchAction({{type: 'dataZoom', start: step, end: step + 20}});
        chart.getZr().flush();
        taken.push(performance.now() - begun);
    }}
    return taken;
}}"""


def measured(page: Page, address: str) -> dict[str, float]:
    """Seconds, megabytes and milliseconds by name."""
    weight = [0]
    session = page.context.new_cdp_session(page)
    session.on("Network.loadingFinished", lambda told: weight.append(told["encodedDataLength"]))
    session.send("Network.enable")
    begun = time.perf_counter()
    page.goto(address)
    page.locator(".tx-trust").wait_for()
    found = {"first useful paint, s": time.perf_counter() - begun}
    page.wait_for_load_state("networkidle")
    found["scripts and page, MB"] = sum(weight) / 1e6
    begun = time.perf_counter()
    page.get_by_role("tab", name=WORDS("web.tab.trades")).click()
    page.wait_for_function(_DRAWN)
    found["chart of the trades, s"] = time.perf_counter() - begun
    moves = [page.evaluate(_MOVED, [place * 7, place * 7 + 15]) for place in range(MOVES)]
    found["zoom until every bar is drawn, ms"] = statistics.median(moves)
    found["frame while it is moved, ms"] = statistics.median(page.evaluate(_FRAMES))
    return found


def strategist() -> Callable[[Evidence], Proposals]:
    """Three changes that nobody has made, in the longest words."""
    values = itertools.count()

    def propose(evidence: Evidence) -> Proposals:
        proposals = []
        for number in itertools.islice(values, 3):
            rule: Any = ("stop_loss_pct", "take_profit_pct")[number % 2]
            change = RiskManagement(
                kind="risk_management", parameter=rule, value=round(0.5 + number // 2 / 10, 1)
            )
            proposals.append(
                Proposal(hypothesis=1, change=change, reason=LONG[:400], expected_effect=LONG[:400])
            )
        return Proposals(proposals=proposals)

    return propose


def long_run(home: Path, prices: Path) -> None:
    """A run of many iterations without a model and nearly without a backtest."""
    context = make_context(
        home=str(home),
        max_iterations=ITERATIONS,
        patience=50,
        convergence_threshold=0.0,
        language="en",
        **RULES,
    )
    with instant(agrees, strategist()):
        start_run(make_input(data=str(prices), run="iterations"), context)


def screens(page: Page, address: str) -> dict[str, float]:
    """How many screens each tab is long."""
    page.goto(address)
    page.locator(".tx-trust").wait_for()
    found = {}
    for tab in TABS:
        page.get_by_role("tab", name=WORDS(f"web.tab.{tab}")).click()
        page.locator(".q-tab-panel").wait_for()
        page.wait_for_load_state("networkidle")
        found[tab] = page.evaluate("document.documentElement.scrollHeight / innerHeight")
    return found


def main() -> int:
    """Print what was measured."""
    with tempfile.TemporaryDirectory() as folder:
        home, prices = Path(folder) / "home", Path(folder) / "WALK_5m.parquet"
        synthetic_prices(BARS).to_parquet(prices)
        threadx.optimize(
            str(prices),
            run="long",
            home=str(home),
            max_iterations=1,
            use_debate=False,
            search="single",
            **RULES,
        )
        short = Path(folder) / "SHORT_1h.parquet"
        made_up_prices(1500, cycle=0.05).to_parquet(short)
        long_run(home, short)
        work = Path(folder) / "work"
        work.mkdir()
        with served_pages(home, work, "en") as url, opened_browser() as browser:
            for turn in ("first", "second"):
                with opened_page(browser, "wide-light") as page:
                    for name, value in measured(page, f"{url}/threadx/runs/long").items():
                        print(f"{turn} visit: {name}: {value:,.1f}")
            with opened_page(browser, "wide-light") as page:
                found = screens(page, f"{url}/threadx/runs/iterations")
    for tab, length in found.items():
        print(f"{ITERATIONS} iterations, {WORDS(f'web.tab.{tab}')}: {length:.1f} screens")
    return 0 if max(found.values()) <= MOST_SCREENS else 1


if __name__ == "__main__":
    sys.exit(main())
