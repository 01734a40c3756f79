"""Page `/threadx/bench`: backtests and sweeps by hand, without a run of the cycle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from nicegui import run as threads
from nicegui import ui
from starlette.requests import Request

from base.reasons import ENDINGS
from threadx.web.beginning import Beginning, beginning
from threadx.web.bench_results import draw_backtest, draw_sweep
from threadx.web.by_hand import Stopped, Sweep, backtest
from threadx.web.cost_form import CostForm
from threadx.web.data_form import DataForm
from threadx.web.frame import BENCH_PATH, Problem, Site, Text, attribute, card, frame, quiet_button
from threadx.web.further_form import FurtherForm
from threadx.web.order import Order
from threadx.web.strategy_form import StrategyForm
from threadx.web.sweep_form import GridForm

_WATCH_SECONDS = 0.2


class Bench:
    """The forms on one side, what came of them on the other.

    Args:
        site: the pages.
        begun: prices and files there are, defaults, and what the address asks for.
    """

    def __init__(self, site: Site, begun: Beginning) -> None:
        self.site, self.words = site, site.words
        self._sweep: Sweep | None = None
        words = self.words
        with ui.element("div").classes("tx-bench"):
            with ui.element("div"):
                with card(words("web.form.data")):
                    self._data = DataForm(site, begun.datasets, begun.kept, given=begun.given)
                with card(words("web.bench.strategy")):
                    self._strategy = StrategyForm(words, begun.given, self._changed)
                    FurtherForm(site, begun.kept, self._strategy.know)
                    self._costs = CostForm(words, begun.defaults, begun.given.settings)
                    self._whole = ui.checkbox(words("web.bench.whole"), value=False)
                    self._problem = Problem()
                    self._button = ui.button(words("web.bench.test"), icon="play_arrow", on_click=self._test)
                    self._button.props("no-caps unelevated")
                with card(words("web.sweep.title")):
                    Text("p", words("web.sweep.help"), "tx-soft")
                    self._grid = GridForm(words, self._strategy)
                    self._sweep_problem = Problem()
                    self._draw_progress()
            with ui.element("div"):
                self._none = Text("div", words("web.bench.none"), "tx-soft tx-card")
                self._working = attribute(Text("p", "", "tx-soft"), "role", "status")
                self._swept = ui.element("div")
                self._tested = ui.element("div")
        ui.context.client.on_delete(self._stop)  # nobody is left who could stop a sweep

    def _draw_progress(self) -> None:
        words = self.words
        self._sweep_button = ui.button(words("web.sweep.start"), icon="grid_on", on_click=self._start_sweep)
        self._sweep_button.props("no-caps unelevated")
        with ui.element("div") as self._progress:
            self._bar = ui.linear_progress(0.0, show_value=False)
            attribute(self._bar, "aria-label", words("web.sweep.title"))
            self._told = Text("p", "", "tx-soft")
            quiet_button(words("web.steer.stop"), "stop").on_click(self._stop)
        self._progress.set_visibility(False)
        self._timer = ui.timer(_WATCH_SECONDS, self._look, active=False)

    def _changed(self) -> None:
        self._grid.refresh()

    def order(self) -> Order:
        """What the form describes."""
        return Order(
            data=self._data.data,
            **self._strategy.asked(),
            settings=self._costs.values(),
            reading=self._data.reading,
        )

    async def _test(self) -> None:
        await self._backtest(self.order())

    async def _backtest(self, order: Order) -> None:
        """Backtest an order and show what came of it."""
        self._button.disable()
        self._calm(self._problem)
        self._working.set_text(self.words("web.bench.working"))
        whole = bool(self._whole.value)
        try:
            found = await threads.io_bound(backtest, self.site.home, order, self.words, whole=whole)
        except ENDINGS as error:
            self._complain(self._problem, error)
            return
        finally:
            self._button.enable()
            self._working.set_text("")
        if found is None:  # the server is ending
            return
        self._none.set_visibility(False)
        self._tested.clear()
        with self._tested:
            draw_backtest(found, self.words)
        self._look_at(self._tested)

    async def _start_sweep(self) -> None:
        """Sweep the grid and show what came of it."""
        self._calm(self._sweep_problem)
        try:
            grid = self._grid.grid()
            if grid is None:
                return
            sweep = Sweep(order=self.order(), grid=grid, rank_by=str(self._grid.rank_by.value))
        except ENDINGS as error:
            self._complain(self._sweep_problem, error)
            return
        self._sweep = sweep
        self._sweep_button.disable()
        self._progress.set_visibility(True)
        self._timer.activate()
        try:
            shown = await threads.io_bound(sweep.work, self.site.home, self.words)
        except Stopped:
            self._told_stopped()
            return
        except ENDINGS as error:
            self._complain(self._sweep_problem, error)
            return
        finally:
            self._timer.deactivate()
            self._progress.set_visibility(False)
            self._sweep_button.enable()
            self._sweep = None
        if shown is None:  # the server is ending
            return
        self._none.set_visibility(False)
        self._swept.clear()

        async def opened(cell: Mapping[str, Any], *, whole: bool) -> None:
            values = cell if whole else await threads.io_bound(sweep.values_at, cell)
            if values is not None:
                await self._open(sweep, values)

        with self._swept:
            draw_sweep(sweep, shown, self.words, opened)
        self._look_at(self._swept)

    async def _open(self, sweep: Sweep, values: Mapping[str, Any]) -> None:
        """The backtest of a configuration; the form takes it where it still shows the sweep's strategy."""
        order = replace(sweep.order, params={**sweep.order.params, **values})
        shown = self._strategy.asked()
        if (shown["strategy"], shown["conditions"]) == (order.strategy, order.conditions):
            self._strategy.put(values)
        await self._backtest(order)

    def _look(self) -> None:
        """Show how far the sweep is."""
        if self._sweep is None:
            return
        done, total = self._sweep.done, self._sweep.total
        self._bar.set_value(done / total if total else 0.0)
        words = self.words
        told = words("command.sweep_progress", done=words.number(done), total=words.number(total))
        self._told.set_text(told if total else words("web.bench.working"))

    def _stop(self) -> None:
        if self._sweep is not None:
            self._sweep.stop()

    def _told_stopped(self) -> None:
        self._sweep_problem.tell(self.words("web.sweep.stopped"))

    def _complain(self, problem: Problem, error: Exception) -> None:
        """Tell an error beside its button, and at its field where it has one."""
        self._strategy.tell(error)
        told = self.words.told(error)
        name = str(getattr(error, "fields", {}).get("name"))
        for cost, field in self._costs.fields.items():
            if cost == name or field.value is None:
                field.error = told
        problem.tell(told)

    def _calm(self, problem: Problem) -> None:
        for field in self._costs.fields.values():
            field.error = None
        problem.set_visibility(False)

    def _look_at(self, element: ui.element) -> None:
        ui.run_javascript(f"getHtmlElement({element.id}).scrollIntoView({{block: 'start'}})")


def register(site: Site) -> None:
    """Add the page."""
    words = site.words

    @ui.page("/bench")
    async def bench_page(request: Request) -> None:
        if (begun := await beginning(site, request)) is None:
            return
        with frame(site, words("web.bench.title"), BENCH_PATH):
            Text("p", words("web.bench.intro"), "tx-soft")
            if begun.refused:
                Text("p", begun.refused, "tx-warn")
            Bench(site, begun)
