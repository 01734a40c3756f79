"""Page `/threadx/new`: a form that starts a run and leads to its page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from nicegui import events, ui
from nicegui import run as threads

import providers
from backtest.presets import PRESETS
from backtest.types import RISK_BOUNDS, Bounds
from base.reasons import ENDINGS
from base.references import joined, listed
from nodes.context import RULES, OptimizationContext
from nodes.model_settings import provider_settings
from nodes.optimization.load import new_run_name
from prompts import Words
from record.record import run_folder
from threadx.web import jobs
from threadx.web.fields import bounds_told, helped, number, text_field
from threadx.web.file_button import file_button
from threadx.web.frame import (
    NEW_PATH,
    RUNS_PATH,
    Site,
    Text,
    anchor,
    attribute,
    card,
    frame,
    run_path,
)
from threadx.web.guard import LARGEST_UPLOAD
from threadx.web.models_page import models_there
from threadx.web.order import (
    BUDGETS,
    COSTS,
    OPTIONAL,
    ROLES,
    STOPPING,
    Order,
    arguments,
    as_read,
    check,
    limits,
    registered,
)
from threadx.web.reading_form import ReadingForm
from threadx.web.steering import JOB_LOG
from threadx.web.uploads import keep, uploads
from vault.datasets import DATASET_PREFIX, Dataset
from vault.readers.price_files import PRICE_EXTENSIONS
from vault.readers.prices import SAMPLE_PREFIX, SAMPLES

FIRST_RISKS = ("stop_loss_pct", "take_profit_pct", "trailing_stop_pct")


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
        datasets: registered prices.
        kept: files that were uploaded.
        defaults: what a run gets of which nothing is asked; made in a thread, as it reads the data folder.
        data, strategy: chosen at first, where they can be.
    """

    def __init__(
        self,
        site: Site,
        datasets: list[Dataset],
        kept: list[str],
        defaults: OptimizationContext,
        *,
        data: str = "",
        strategy: str = "",
    ) -> None:
        self.site, self._defaults = site, defaults
        self.words = site.words
        self._choices = self._prices(datasets, kept)
        self._first = data if data in self._choices else next(iter(self._choices))
        self._strategy = strategy if strategy in PRESETS else "ma_crossover"
        self._params: dict[str, ui.number] = {}
        self._risks: dict[str, ui.number] = {}
        self._models: dict[str, ui.input] = {}
        self._offers: list[ui.select] = []
        self._health: dict[str, Text] = {}
        self._settings: dict[str, ui.number] = {}
        with card(self.words("web.form.data")):
            self._draw_data()
        with card(self.words("web.form.strategy")):
            self._draw_strategy()
        with card(self.words("web.form.models")):
            self._draw_models()
        with card(self.words("web.form.budgets")):
            self._draw_settings()
        self._problem = attribute(Text("p", "", "tx-warn"), "role", "alert")
        self._problem.set_visibility(False)
        self._button = ui.button(self.words("web.form.start"), icon="play_arrow", on_click=self._start)
        self._button.props("no-caps size=lg unelevated")

    def _prices(self, datasets: list[Dataset], kept: list[str]) -> dict[str, str]:
        words = self.words
        found = {f"{SAMPLE_PREFIX}{name}": words(f"web.form.sample_{name}") for name in SAMPLES}
        known = set(SAMPLES.values())
        for one in datasets:
            if one.symbol not in known:
                found[f"{DATASET_PREFIX}{one.development_hash}"] = words(
                    "web.form.dataset",
                    symbol=one.symbol,
                    timeframe=one.timeframe,
                    rows=words.number(one.development_rows + one.holdout_rows),
                    first=one.first[:10],
                    last=one.last[:10],
                )
        return found | {path: words("web.form.upload", name=Path(path).name) for path in kept}

    def _draw_data(self) -> None:
        words = self.words
        self._data = ui.select(self._choices, value=self._first, label=words("web.form.prices"))
        self._data.props("outlined dense options-dense").classes("tx-wide")
        limit = LARGEST_UPLOAD // 1024 // 1024
        Text("p", words("web.form.own_file", kinds=", ".join(PRICE_EXTENSIONS), limit=limit), "tx-soft")
        self._upload = file_button(
            words,
            words("web.form.choose_file"),
            kinds=PRICE_EXTENSIONS,
            uploaded=self._uploaded,
            complain=self._complain,
        )
        self._upload.classes("tx-wide")
        with ui.expansion(words("web.form.reading"), icon="tune").classes("tx-wide"):
            Text("p", words("web.form.reading_help"), "tx-soft")
            self._reading = ReadingForm(words)
        self._others = ui.select(self._choices, multiple=True, value=[], label=words("web.form.others"))
        self._others.props("outlined dense options-dense use-chips").classes("tx-wide")
        helped(self._others, words("web.form.others_help"))

    async def _uploaded(self, event: events.UploadEventArguments) -> None:
        content = await event.file.read()
        self._upload.reset()
        try:
            how = as_read(self._reading.values())
            source = await threads.io_bound(keep, self.site.home, event.file.name, content, **how)
        except ENDINGS as error:
            self._complain(self.words.told(error))
            return
        if source is None:  # the server is going down
            return
        self._problem.set_visibility(False)
        words = self.words
        self._choices[source.reference] = words(
            "web.form.uploaded",
            name=Path(source.reference).name,
            symbol=source.symbol,
            timeframe=source.timeframe,
            rows=words.number(source.rows),
        )
        self._data.set_options(self._choices, value=source.reference)
        self._others.set_options(self._choices)

    def _draw_strategy(self) -> None:
        words = self.words
        names = {name: words(f"web.preset.{name}") for name in PRESETS}
        chosen = ui.select(names, value=self._strategy, label=words("web.form.preset"))
        chosen.props("outlined dense options-dense").classes("tx-wide")
        self._rules = ui.element("div")
        self._fields = ui.element("div").classes("tx-form")
        chosen.on_value_change(lambda event: self._choose(str(event.value)))
        with ui.expansion(words("web.form.risk"), icon="shield").classes("tx-wide"):
            self._risk_fields = ui.element("div").classes("tx-form")
        self._choose(self._strategy)

    def _choose(self, name: str) -> None:
        """Show the parameters of a preset, with its values and bounds."""
        words, preset = self.words, PRESETS[name]
        self._strategy = name
        self._rules.clear()
        with self._rules:
            for side in ("entry_long", "exit_long", "entry_short", "exit_short"):
                if condition := getattr(preset, side):
                    with ui.element("p").classes("tx-rule"):
                        Text(
                            "span", words("report.pair", name=words(f"web.form.{side}"), value=""), "tx-soft"
                        )
                        Text("code", condition)
        self._fields.clear()
        with self._fields:
            self._params = {
                key: self._parameter(key, bounds.default, bounds, bounds_told(bounds, words))
                for key, bounds in preset.bounds.items()
            }
            for key in FIRST_RISKS:
                self._risk(key, preset.risk)
        self._risk_fields.clear()
        with self._risk_fields:
            for key in RISK_BOUNDS:
                if key not in (*FIRST_RISKS, "order_bars"):  # built-in strategies place no orders
                    self._risk(key, preset.risk)

    def _parameter(
        self, key: str, value: float | None, bounds: Bounds, told_bounds: str, *, optional: bool = False
    ) -> ui.number:
        """A field under its name in words; the name that strategies use stands with its bounds."""
        told_name = self.words("report.pair", name=key, value=told_bounds)
        label = self.words(f"web.param.{key}")
        return number(label, value, bounds, help_text=told_name, optional=optional)

    def _risk(self, key: str, risk: dict[str, float]) -> None:
        bounds = RISK_BOUNDS[key]
        told_bounds = self.words("web.form.or_off", bounds=bounds_told(bounds, self.words))
        value = risk.get(key, bounds.default)
        self._risks[key] = self._parameter(key, value, bounds, told_bounds, optional=True)

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

    def _draw_settings(self) -> None:
        words, defaults = self.words, self._defaults
        groups = {"": BUDGETS, "stopping": STOPPING, "costs": COSTS}
        for group, names in groups.items():
            if group:
                Text("h3", words(f"web.form.{group}"))
            with ui.element("div").classes("tx-form"):
                for name in names:
                    value = getattr(defaults, name)
                    field = number(words(f"web.setting.{name}"), value, optional=name in OPTIONAL)
                    none = words("web.form.no_limit") if name in OPTIONAL else ""
                    helped(field, none or limits(name))
                    self._settings[name] = field
        self._approve = ui.checkbox(words("web.form.approve"), value=False)
        self._named = ui.checkbox(words("web.form.named"), value=False)

    def order(self) -> Order:
        """What the form describes."""
        preset = PRESETS[self._strategy]
        params = {key: field.value for key, field in self._params.items()}
        risks = {
            key: field.value
            for key, field in self._risks.items()
            if field.value != preset.risk.get(key, RISK_BOUNDS[key].default)
        }
        return Order(
            data=str(self._data.value),
            strategy=self._strategy,
            params=params | risks,
            models={role: str(field.value or "") for role, field in self._models.items()},
            settings={name: field.value for name, field in self._settings.items()},
            approve=bool(self._approve.value),
            population=bool(self._population.value),
            debate=bool(self._debate.value),
            named=bool(self._named.value),
            others=tuple(str(one) for one in self._others.value),
            reading=self._reading.values(),
        )

    async def _start(self) -> None:
        self._button.disable()
        try:
            run = await threads.io_bound(start, self.site.home, self.order(), self.words)
        except ENDINGS as error:
            self._complain(self.words.told(error))
            self._button.enable()
            return
        ui.navigate.to(run_path(str(run)).removeprefix(RUNS_PATH))  # the mount is added again

    def _complain(self, line: str) -> None:
        self._problem.set_text(line)
        self._problem.set_visibility(True)


def register(site: Site) -> None:
    """Add the page."""
    words = site.words

    @ui.page("/new")
    async def new_page(data: str = "", strategy: str = "") -> None:
        datasets = await threads.io_bound(registered, site.home)
        kept = await threads.io_bound(uploads, site.home)
        busy = await threads.io_bound(jobs.at_work, site.home, "optimization")
        defaults = await threads.io_bound(lambda: OptimizationContext(home=str(site.home)))
        if defaults is None:  # the server is ending
            return
        with frame(site, words("web.form.title"), NEW_PATH):
            Text("p", words("web.form.intro"), "tx-soft")
            if busy is not None:
                with ui.element("p").classes("tx-warn"):
                    Text("span", words("web.error.busy", name=busy.name) + " ")
                    anchor(words("web.form.see"), run_path(busy.name))
            Form(site, datasets or [], kept or [], defaults, data=data, strategy=strategy)
