"""The part of a form that says which tables and series conditions of one's own may read beside the prices."""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

import pandas as pd
from nicegui import events, ui
from nicegui import run as threads

from backtest import Input
from backtest.data.tables import COLUMNS, PRICES
from backtest.types import InputKind, Known
from base.reasons import ENDINGS
from nodes.further import Further, series_of
from prompts import Words
from threadx.web.fields import helped, text_field
from threadx.web.file_button import file_button
from threadx.web.frame import Problem, Site, Text, attribute, quiet_button
from threadx.web.uploads import TABLES, keep_table, uploads
from vault.readers.price_files import PRICE_EXTENSIONS
from vault.readers.prices import SAMPLE_PREFIX, SAMPLES, read_any_table

OF_PRICES = ""
"""What a row calls the price file itself: its series is a column of that."""


class FurtherForm:
    """A row a table; each of its columns that no price file has can be described.

    Args:
        site: the pages.
        kept: price files that were uploaded: they are tables too.
        changed: called when there is another table or description.
    """

    def __init__(self, site: Site, kept: list[str], changed: Callable[[Further], None]) -> None:
        self.site, self.words, self._changed = site, site.words, changed
        words = site.words
        self.rows: list[_Row] = []
        self.files = {f"{SAMPLE_PREFIX}{name}": words(f"web.form.sample_{name}") for name in SAMPLES}
        self.files |= {path: words("web.form.upload", name=path.rpartition("/")[2]) for path in kept}
        self._drawn = False
        self._fold = ui.expansion(words("web.further.title"), icon="table_chart", on_value_change=self._draw)
        self._fold.classes("tx-wide")

    async def _draw(self) -> None:
        """What few need, once it is opened, with the tables that were brought before."""
        if self._drawn:
            return
        self._drawn, words = True, self.words
        for path in await threads.io_bound(uploads, self.site.home, TABLES) or []:
            self.files[path] = words("web.form.upload", name=path.rpartition("/")[2])
        with self._fold:
            Text("p", words("web.further.help"), "tx-soft")
            self.box = ui.element("div")
            with ui.element("div").classes("tx-buttons"):
                quiet_button(words("web.further.add"), "add").on_click(self._add)
                self._upload = file_button(
                    words,
                    words("web.further.upload"),
                    kinds=PRICE_EXTENSIONS,
                    uploaded=self._uploaded,
                    complain=lambda line: self._problem.tell(line),
                )
            self._problem = Problem()

    def _add(self, file: str | None = None) -> None:
        """One table more; of a file that was just brought, read at once."""
        with self.box:
            row = _Row(self, file or next(iter(self.files)))
        self.rows.append(row)

    def remove(self, row: _Row) -> None:
        """One table less."""
        self.rows.remove(row)
        row.box.delete()
        self.tell()

    async def _uploaded(self, event: events.UploadEventArguments) -> None:
        content = await event.file.read()
        self._upload.reset()
        try:
            path = await threads.io_bound(keep_table, self.site.home, event.file.name, content)
        except ENDINGS as error:
            self._problem.tell(self.words.told(error))
            return
        if path is None:  # the server is going down
            return
        self._problem.set_visibility(False)
        self.files[path] = self.words("web.form.upload", name=path.rpartition("/")[2])
        for row in self.rows:
            row.file.set_options({OF_PRICES: self.words("web.further.of_prices"), **self.files})
        self._add(path)

    def tell(self) -> None:
        """Say what there is by now."""
        read = [row for row in self.rows if row.frame is not None and row.name]
        tables = {row.name: row.frame for row in read if row.frame is not None}
        references = {row.name: str(row.file.value) for row in read}
        declared = {name: one for row in self.rows for name, one in row.declared().items()}
        self._changed(Further(tables, references, declared))


class _Row:
    """One table: its name, its file, from when on its values are known, and what its columns are."""

    def __init__(self, form: FurtherForm, file: str) -> None:
        self.form, words = form, form.words
        self.frame: pd.DataFrame | None = None
        self._names: list[str] = []
        self._kinds: dict[str, ui.select] = {}
        with ui.element("div").classes("tx-further") as self.box:
            self.file = ui.select(
                {OF_PRICES: words("web.further.of_prices"), **form.files},
                value=file,
                label=words("web.further.table"),
            )
            self.file.props("outlined dense options-dense").classes("tx-field")
            self._name = text_field(words("web.further.name"), self._offered())
            helped(self._name, words("web.further.name_help"))
            known = {one: words(f"web.further.known_{one}") for one in get_args(Known)}
            self._known = ui.select(known, value="next_day", label=words("web.further.known"))
            self._known.props("outlined dense options-dense").classes("tx-field")
            self._told = attribute(Text("p", "", "tx-small"), "aria-live", "polite")
            self._columns = ui.element("div").classes("tx-form")
            quiet_button(words("web.further.remove"), "close").on_click(lambda: form.remove(self))
        self.file.on_value_change(self._read)
        self._name.on_value_change(self._draw)
        self._known.on_value_change(form.tell)
        ui.timer(0.05, self._read, once=True)

    @property
    def name(self) -> str:
        """Of the table, or of the column of the price file."""
        return str(self._name.value or "").strip().lower()

    def _offered(self) -> str:
        """A name that no other row has."""
        taken = {row.name for row in self.form.rows}
        return next(name for place in range(1, 100) if (name := f"t{place}") not in taken)

    async def _read(self) -> None:
        self.frame = None
        file = str(self.file.value)
        if file != OF_PRICES:
            try:
                self.frame = await threads.io_bound(read_any_table, file, self.form.site.home)
            except ENDINGS as error:
                self._told.set_text(self.form.words.told(error))
                self.form.tell()
                return
        self._draw()

    def _draw(self) -> None:
        """Its columns, each with what it is; prices and volumes are known by their names."""
        words: Words = self.form.words
        self._columns.clear()
        self._kinds = {}
        names = self._names = [self.name] if self.frame is None else series_of(self.name, self.frame)
        self._told.set_text(words("web.further.columns", names=", ".join(names)))
        kinds = {one: words(f"web.further.kind_{one}") for one in get_args(InputKind)}
        with self._columns:
            for name in names:
                if _usual(name) is not None:
                    continue
                chosen = ui.select(kinds, value="none", label=name, on_change=lambda _: self.form.tell())
                chosen.props("outlined dense options-dense").classes("tx-field")
                self._kinds[name] = chosen
        self.form.tell()

    def declared(self) -> dict[str, Input]:
        """What the row says of its series, by name; nothing of what is as it would be taken anyhow."""
        known: Known = self._known.value
        found: dict[str, Input] = {}
        for name in self._names:
            kind: InputKind = _usual(name) or self._kinds[name].value
            if "." not in name or name in self._kinds or known != "next_day":
                found[name] = Input(kind=kind, known=known)
        return found


def _usual(name: str) -> InputKind | None:
    """What a column of a table is by its name; None where somebody has to say."""
    _, dot, column = name.partition(".")
    if not dot or column not in COLUMNS:
        return None
    return "price" if column in PRICES else "size"
