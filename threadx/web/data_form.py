"""The part of a form that says which prices: the data folder's, a sample, or a file that is uploaded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from nicegui import events, ui
from nicegui import run as threads

from base.reasons import ENDINGS
from prompts import Words
from threadx.web.file_button import file_button
from threadx.web.frame import Problem, Site, Text
from threadx.web.guard import LARGEST_UPLOAD
from threadx.web.order import Order, as_read
from threadx.web.reading_form import ReadingForm
from threadx.web.uploads import keep
from vault.datasets import DATASET_PREFIX, Dataset
from vault.readers.price_files import PRICE_EXTENSIONS
from vault.readers.prices import SAMPLE_PREFIX, SAMPLES


class DataForm:
    """The choice, the upload, and how a file is read.

    Args:
        site: the pages.
        datasets: registered prices.
        kept: files that were uploaded.
        given: what to begin with, where it can be.
        added: called when an upload has become a choice.
    """

    def __init__(
        self,
        site: Site,
        datasets: list[Dataset],
        kept: list[str],
        *,
        given: Order,
        added: Callable[[], None] | None = None,
    ) -> None:
        self.site, self.words, self._added = site, site.words, added
        words = self.words
        self.choices = _prices(datasets, kept, words)
        first = given.data if given.data in self.choices else next(iter(self.choices))
        self._data = ui.select(self.choices, value=first, label=words("web.form.prices"))
        self._data.props("outlined dense options-dense").classes("tx-wide")
        limit = LARGEST_UPLOAD // 1024 // 1024
        Text("p", words("web.form.own_file", kinds=", ".join(PRICE_EXTENSIONS), limit=limit), "tx-soft")
        self._upload = file_button(
            words,
            words("web.form.choose_file"),
            kinds=PRICE_EXTENSIONS,
            uploaded=self._uploaded,
            complain=lambda line: self._problem.tell(line),
        )
        self._upload.classes("tx-wide")
        self._problem = Problem()
        with ui.expansion(words("web.form.reading"), icon="tune").classes("tx-wide"):
            Text("p", words("web.form.reading_help"), "tx-soft")
            self._reading = ReadingForm(words, given.reading)

    @property
    def data(self) -> str:
        """The chosen prices, as an order names them."""
        return str(self._data.value)

    @property
    def reading(self) -> dict[str, str | bool]:
        """What was filled in about the file."""
        return self._reading.values()

    async def _uploaded(self, event: events.UploadEventArguments) -> None:
        content = await event.file.read()
        self._upload.reset()
        try:
            how = as_read(self._reading.values())
            source = await threads.io_bound(keep, self.site.home, event.file.name, content, **how)
        except ENDINGS as error:
            self._problem.tell(self.words.told(error))
            return
        if source is None:  # the server is going down
            return
        self._problem.set_visibility(False)
        words = self.words
        self.choices[source.reference] = words(
            "web.form.uploaded",
            name=Path(source.reference).name,
            symbol=source.symbol,
            timeframe=source.timeframe,
            rows=words.number(source.rows),
        )
        self._data.set_options(self.choices, value=source.reference)
        if self._added is not None:
            self._added()


def _prices(datasets: list[Dataset], kept: list[str], words: Words) -> dict[str, str]:
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
