"""Page `/threadx/new`: a form that starts a run and leads to its page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from nicegui import events, ui
from nicegui import run as threads
from starlette.requests import Request

import providers
from base.reasons import ENDINGS
from base.references import joined, listed
from nodes.context import RULES
from nodes.model_settings import provider_settings
from nodes.optimization.load import new_run_name
from prompts import Words
from record.record import run_folder
from threadx.web import jobs
from threadx.web.beginning import Beginning, beginning
from threadx.web.cost_form import CostForm
from threadx.web.data_form import DataForm
from threadx.web.fields import helped, number, text_field
from threadx.web.frame import (
    DECLARE_PATH,
    NEW_PATH,
    RUNS_PATH,
    Problem,
    Site,
    Text,
    anchor,
    attribute,
    card,
    frame,
    run_path,
)
from threadx.web.further_form import FurtherForm
from threadx.web.models_page import models_there
from threadx.web.order import (
    BUDGETS,
    OPTIONAL,
    ROLES,
    STOPPING,
    Order,
    arguments,
    check,
    limits,
)
from threadx.web.steering import JOB_LOG
from threadx.web.strategy_form import StrategyForm


def start(home: Path, order: Order, words: Words) -> str:
    """Check an order, start its run and give the run's name.

    Raises:
        WebError, BacktestError, ProviderError: the order cannot be, or a run is at work already.
    """
    check(order, words.language, home)
    run = new_run_name()
    log = run_folder(home, run) / JOB_LOG
    jobs.start(home, "optimization", run, arguments(order, run, words.language, home), log)
    return run


def _into(field: ui.input) -> Callable[[events.ValueChangeEventArguments[Any]], None]:
    """What puts the model that was chosen in a list into a role's field, followed by `rules`."""

    def put(chosen: events.ValueChangeEventArguments[Any]) -> None:
        if chosen.value:
            field.set_value(joined((str(chosen.value), RULES)))

    return put


class Form:
    """The form; what it describes is an `Order`.

    Args:
        site: the pages.
        begun: prices and files there are, defaults, and what the address asks for.
    """

    def __init__(self, site: Site, begun: Beginning) -> None:
        self.site, self._defaults = site, begun.defaults
        self.words = site.words
        self._models: dict[str, ui.input] = {}
        self._offers: list[ui.select] = []
        self._health: dict[str, Text] = {}
        self._settings: dict[str, ui.number] = {}
        with card(self.words("web.form.data")):
            self._draw_data(begun)
        with card(self.words("web.form.strategy")):
            self._strategy = StrategyForm(self.words, begun.given)
            FurtherForm(site, begun.kept, self._strategy.know)
        with card(self.words("web.form.models")):
            self._draw_models()
        with card(self.words("web.form.budgets")):
            self._draw_settings(begun.given.settings)
        self._problem = Problem()
        self._button = ui.button(self.words("web.form.start"), icon="play_arrow", on_click=self._start)
        self._button.props("no-caps size=lg unelevated")

    def _draw_data(self, begun: Beginning) -> None:
        words = self.words
        self._data = DataForm(
            self.site, begun.datasets, begun.kept, given=begun.given, added=self._offer_others
        )
        self._pool = ui.select(self._data.choices, multiple=True, value=[], label=words("web.form.pool"))
        self._pool.props("outlined dense options-dense use-chips").classes("tx-wide")
        helped(self._pool, words("web.form.pool_help"))
        self._others = ui.select(self._data.choices, multiple=True, value=[], label=words("web.form.others"))
        self._others.props("outlined dense options-dense use-chips").classes("tx-wide")
        helped(self._others, words("web.form.others_help"))

    def _offer_others(self) -> None:
        self._pool.set_options(self._data.choices)
        self._others.set_options(self._data.choices)

    def _draw_models(self) -> None:
        words = self.words
        examples = ", ".join(provider.sample for provider in providers.PROVIDERS.values())
        Text("p", words("web.form.models_help", examples=examples), "tx-soft")
        defaults = self._defaults
        with ui.element("div").classes("tx-form"):
            for role in ROLES:
                with ui.element("div"):
                    usual = joined(getattr(defaults, role))
                    field = self._models[role] = text_field(words(f"report.role.{role}"), usual)
                    offer = ui.select(
                        [],
                        label=words("web.form.installed", role=words(f"report.role.{role}")),
                        on_change=_into(field),
                    )
                    offer.props("outlined dense options-dense").classes("tx-field")
                    self._offers.append(offer)
                    self._health[role] = attribute(
                        Text("p", words("web.form.asking"), "tx-soft"), "aria-live", "polite"
                    )
        self._population = ui.checkbox(words("web.form.population"), value=True)
        self._debate = ui.checkbox(words("web.form.debate"), value=True)
        ui.timer(0.1, self._offer, once=True)
        ui.timer(0.1, self._probe, once=True)

    async def _offer(self) -> None:
        """Offer the models that are there; what is typed counts all the same."""
        found = await threads.io_bound(models_there, str(self.site.home))
        for offer in self._offers:
            offer.set_options([one.reference for one in found[0]] if found else [])

    async def _probe(self) -> None:
        """Ask the servers who answers. A chain stays as it is: the run is to know who did not answer."""
        words, context = self.words, self._defaults

        # In a thread as a whole: the settings look at the data folder.
        def health_of(chain: tuple[str, ...]) -> list[providers.Health]:
            return providers.check_all([chain], provider_settings(context))

        for role, field in self._models.items():
            named = listed(str(field.value))
            health = await threads.io_bound(health_of, named)
            answering = [one.reference for one in health or [] if one.ok and one.reference != RULES]
            if answering:
                self._health[role].set_text(words("web.form.answers", models=", ".join(answering)))
            elif joined(named) == str(field.value):  # nobody has typed meanwhile
                asked = ", ".join(one for one in named if one != RULES)
                self._health[role].set_text(words("web.form.nobody", models=asked))

    def _draw_settings(self, given: Mapping[str, float | None]) -> None:
        words, defaults = self.words, self._defaults
        groups = {"": BUDGETS, "stopping": STOPPING}
        for group, names in groups.items():
            if group:
                Text("h3", words(f"web.form.{group}"))
            with ui.element("div").classes("tx-form"):
                for name in names:
                    value = given.get(name, getattr(defaults, name))
                    field = number(words(f"web.setting.{name}"), value, optional=name in OPTIONAL)
                    none = words("web.form.no_limit") if name in OPTIONAL else ""
                    helped(field, none or limits(name))
                    self._settings[name] = field
        self._settings |= CostForm(words, defaults, given).fields
        self._approve = ui.checkbox(words("web.form.approve"), value=False)
        self._code = ui.checkbox(words("web.form.allow_code"), value=defaults.allow_code)
        self._approve_code = ui.checkbox(words("web.form.approve_code"), value=False)
        self._approve_code.bind_visibility_from(self._code, "value")
        self._named = ui.checkbox(words("web.form.named"), value=False)

    def order(self) -> Order:
        """What the form describes."""
        return Order(
            data=self._data.data,
            **self._strategy.asked(),
            models={role: str(field.value or "") for role, field in self._models.items()},
            settings={name: field.value for name, field in self._settings.items()},
            approve=bool(self._approve.value) or ("code" if self._approve_code.value else False),
            allow_code=bool(self._code.value),
            population=bool(self._population.value),
            debate=bool(self._debate.value),
            named=bool(self._named.value),
            pool=tuple(str(one) for one in self._pool.value),
            others=tuple(str(one) for one in self._others.value),
            reading=self._data.reading,
        )

    async def _start(self) -> None:
        self._button.disable()
        try:
            run = await threads.io_bound(start, self.site.home, self.order(), self.words)
        except ENDINGS as error:
            self._complain(error)
            self._button.enable()
            return
        ui.navigate.to(run_path(str(run)).removeprefix(RUNS_PATH))  # the mount is added again

    def _complain(self, error: Exception) -> None:
        """Tell an error beside the button, and at its field where it has one."""
        self._strategy.tell(error)
        self._problem.tell(self.words.told(error))


def register(site: Site) -> None:
    """Add the page."""
    words = site.words

    @ui.page("/new")
    async def new_page(request: Request) -> None:
        busy = await threads.io_bound(jobs.at_work, site.home, "optimization")
        if (begun := await beginning(site, request)) is None:
            return
        with frame(site, words("web.form.title"), NEW_PATH):
            with ui.element("p").classes("tx-soft"):
                Text("span", words("web.form.intro") + " ")
                anchor(words("web.declare.door"), DECLARE_PATH)
            if begun.refused:
                Text("p", begun.refused, "tx-warn")
            if busy is not None:
                with ui.element("p").classes("tx-warn"):
                    Text("span", words("web.error.busy", name=busy.name) + " ")
                    anchor(words("web.form.see"), run_path(busy.name))
            Form(site, begun)
