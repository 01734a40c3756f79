"""The page of a run over 100,000 bars in a real browser: first useful paint, weight, the chart that moves.

    python -m benchmarks.page_speed

A run of one iteration by rules is made in a folder of its own, served by `threadx ui`, and looked at in
headless Chromium. The page is useful once its verdict stands, the chart of the trades once it has drawn;
a move of the zoom is done once the bars of the new window have come and are drawn.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Page

import threadx
from benchmarks.chart_speed import synthetic_prices
from prompts import Words
from tests.browser import opened_browser, opened_page, served_pages

BARS = 100_000
MOVES = 10
WORDS = Words("en")
RULES = dict.fromkeys(("analyst", "strategist", "validator"), "rules")

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


def main() -> None:
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
        work = Path(folder) / "work"
        work.mkdir()
        with served_pages(home, work, "en") as url, opened_browser() as browser:
            for turn in ("first", "second"):
                with opened_page(browser, "wide-light") as page:
                    for name, value in measured(page, f"{url}/threadx/runs/long").items():
                        print(f"{turn} visit: {name}: {value:,.1f}")


if __name__ == "__main__":
    main()
