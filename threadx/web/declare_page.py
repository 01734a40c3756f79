"""Page `/threadx/declare`: one hypothesis about a market, sealed before anybody looks at it."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from nicegui import run as threads
from nicegui import ui
from starlette.requests import Request

from backtest import StrategySpec
from base.reasons import ENDINGS
from nodes.context import OptimizationContext
from nodes.counted import registered
from prompts import Words
from threadx.web import order
from threadx.web.beginning import Beginning, beginning
from threadx.web.by_hand import costs_of
from threadx.web.cost_form import CostForm
from threadx.web.data_form import DataForm
from threadx.web.fields import helped
from threadx.web.frame import DATA_PATH, NEW_PATH, Problem, Site, Text, anchor, attribute, card, frame
from threadx.web.naming import prices_name
from threadx.web.strategy_form import StrategyForm
from vault.datasets import Dataset
from vault.declared import MOST_TEXT, Declaration, Direction, declare, whole_market


def seal(
    home: Path, asked: order.Order, text: str, direction: Direction, words: Words
) -> tuple[Declaration, Dataset]:
    """Declare what a form says; nothing is tested.

    Raises:
        BacktestError, MarketError, WebError: as `vault.declared.declare`; a cost that is missing.
        OSError: the data folder cannot be written.
    """
    spec, costs = asked.spec(), costs_of(asked, words)
    how = order.as_read(asked.reading)
    whole_market(how["reading"])
    dataset = registered(order.source(asked.data, home), home=home, **how).dataset
    found = declare(
        dataset,
        home,
        text=text,
        strategy=spec,
        direction=direction,
        costs=costs,
        fill=OptimizationContext(home=str(home)).fill,
        declared_by="person",
    )
    return found, dataset


class DeclareForm:
    """Prices, strategy and costs as for a run, and the idea itself.

    Args:
        site: the pages.
        begun: prices and files there are, defaults, and what the address asks for.
    """

    def __init__(self, site: Site, begun: Beginning) -> None:
        self.site, self.words, words = site, site.words, site.words
        with ui.element("div") as self._form:
            with card(words("web.form.data")):
                self._data = DataForm(site, begun.datasets, begun.kept, given=begun.given)
            with card(words("web.declare.idea")):
                self._text = ui.textarea(words("web.declare.text")).props(
                    f"outlined autogrow counter maxlength={MOST_TEXT}"
                )
                self._text.classes("tx-wide")
                helped(self._text, words("web.declare.text_help"))
                self._direction = ui.radio(
                    {one: words(f"web.declare.{one}") for one in get_args(Direction)}, value="above"
                )
            with card(words("web.bench.strategy")):
                self._strategy = StrategyForm(words, begun.given)
                self._costs = CostForm(words, begun.defaults, begun.given.settings)
            self._problem = Problem()
            self._button = ui.button(words("web.declare.seal"), icon="lock", on_click=self._seal)
            self._button.props("no-caps size=lg unelevated")
        self._sealed = attribute(ui.element("div"), "role", "status")

    async def _seal(self) -> None:
        asked = order.Order(
            data=self._data.data,
            **self._strategy.asked(),
            settings=self._costs.values(),
            reading=self._data.reading,
        )
        text, direction = str(self._text.value or ""), self._direction.value
        self._button.disable()
        self._problem.set_visibility(False)
        try:
            found = await threads.io_bound(seal, self.site.home, asked, text, direction, self.words)
        except ENDINGS as error:
            self._strategy.tell(error)
            self._problem.tell(self.words.told(error))
            return
        finally:
            self._button.enable()
        if found is None:  # the server is ending
            return
        self._form.set_visibility(False)
        with self._sealed:
            draw_declaration(*found, self.words)
            with ui.element("p"):
                anchor(self.words("web.declare.run"), f"{NEW_PATH}?{order.order_query(asked)}", "tx-button")


def draw_declaration(found: Declaration, dataset: Dataset, words: Words) -> None:
    """What was declared of a market, when, and the fingerprint that shows that nothing was changed."""
    with card(words("web.declare.of", prices=prices_name(dataset, words))):
        Text("p", found.text)
        Text("p", words(f"web.declare.{found.direction}"), "tx-soft")
        Text("code", StrategySpec.model_validate(found.strategy).describe())
        told = words(
            "web.declare.told", moment=words.moment(found.declared_at), fingerprint=found.fingerprint
        )
        Text("p", told, "tx-small")


def register(site: Site) -> None:
    """Add the page."""
    words = site.words

    @ui.page("/declare")
    async def declare_page(request: Request) -> None:
        if (begun := await beginning(site, request)) is None:
            return
        with frame(site, words("web.declare.title"), DATA_PATH):
            Text("p", words("web.declare.intro"), "tx-soft")
            if begun.refused:
                Text("p", begun.refused, "tx-warn")
            DeclareForm(site, begun)
