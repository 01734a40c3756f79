"""A table to sort and search, some rows a page, whose first column may lead somewhere."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from nicegui import events, ui

from prompts import Words
from threadx.web.frame import attribute

Value = float | int | str | None

# Quasar's own header sorts by mouse alone, and hides its arrow from those who do not point at it;
# `props.value` and `props.row.told` are texts, never markup.
_HEAD = r"""
<tr>
  <th v-for="col in props.cols" :key="col.name" scope="col" :class="col.__thClass"
      :aria-sort="!/\bsorted\b/.test(col.__thClass) ? 'none'
                  : col.__thClass.includes('sort-desc') ? 'descending' : 'ascending'">
    <button type="button" class="tx-sort" @click="props.sort(col)">{{ col.label }}</button>
    <span v-if="/\bsorted\b/.test(col.__thClass)" aria-hidden="true">
      {{ col.__thClass.includes('sort-desc') ? '↓' : '↑' }}</span>
  </th>
</tr>
"""
_FIRST = r"""
<q-td :props="props">
  <input v-if="'chosen' in props.row" type="checkbox" :checked="props.row.chosen" :aria-label="props.value"
         @change="props.row.chosen = $event.target.checked;
                  $parent.$emit('chosen', [props.row.id, $event.target.checked])">
  <a v-if="props.row.href" :href="props.row.href">{{ props.value }}</a>
  <button v-else type="button" class="tx-sort tx-open" @click="$parent.$emit('open', props.row.id)">
    {{ props.value }}</button>
</q-td>
"""
_TONED = r"""
<q-td :props="props">
  <span :class="props.row.tone ? 'tx-' + props.row.tone : ''">{{ props.value }}</span>
</q-td>
"""


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column.

    Attributes:
        name: of its values in a row.
        label: above it.
        number: its cells are figures.
        wide: left out on a phone.
    """

    name: str
    label: str
    number: bool = False
    wide: bool = False


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row.

    Attributes:
        values: what each column is sorted by.
        told: what each column shows; it is what a search looks through.
        href: where the first cell leads; empty where it opens something on the page, or nothing.
        tone: `good` or `bad`: of the cell in the column that has a tone.
    """

    values: Mapping[str, Value]
    told: Mapping[str, str]
    href: str = ""
    tone: str = ""


class Ranked:
    """The table.

    Args:
        words: language.
        columns: from left to right.
        title: what it holds, for screen readers and above the search.
        per_page: rows at a time.
        order: the column that it is sorted by at first, and whether the greatest comes first.
        opened: called with the place of a row whose first cell was pressed.
        leads: the first cell is a link, as each row says.
        chosen: called with the places of the rows that are ticked, in the order in which they were.
        toned: the column whose cells take the row's tone.
    """

    def __init__(
        self,
        words: Words,
        columns: Sequence[Column],
        *,
        title: str,
        per_page: int = 12,
        order: tuple[str, bool] | None = None,
        opened: Callable[[int], object] | None = None,
        leads: bool = False,
        chosen: Callable[[list[int]], None] | None = None,
        toned: str = "",
    ) -> None:
        self.columns = columns
        self._rows: list[Row] = []
        self.search = ui.input(words("web.table.search", title=title)).props("outlined dense clearable")
        self.search.classes("tx-search")
        pagination: dict[str, object] = {"rowsPerPage": per_page}
        if order is not None:
            pagination |= {"sortBy": order[0], "descending": order[1]}
        self.table = ui.table(
            rows=[],
            columns=[
                {
                    "name": one.name,
                    "label": one.label,
                    "field": one.name,
                    "sortable": True,
                    "align": "right" if one.number else "left",
                    ":format": f"(value, row) => row.told['{one.name}']",
                    **({"classes": "tx-wide-only", "headerClasses": "tx-wide-only"} if one.wide else {}),
                }
                for one in columns
            ],
            pagination=pagination,
        )
        self.table.props("flat dense").classes("tx-ranked")
        attribute(self.table, "no-data-label", words("web.table.none"))
        attribute(self.table, "no-results-label", words("web.table.nothing_found"))
        attribute(self.table, "rows-per-page-label", words("web.table.per_page"))
        attribute(self.table, "table-header-class", "tx-head")
        self.table.props[":rows-per-page-options"] = f"[{per_page}, {4 * per_page}]"
        self.table.add_slot("header", _HEAD)
        self._ticked: list[int] = []
        self._chosen = chosen
        if leads or opened is not None:
            self.table.add_slot(f"body-cell-{columns[0].name}", _FIRST)
        if opened is not None:
            self.table.on("open", lambda event: opened(int(event.args)))
        if chosen is not None:
            self.table.on("chosen", self._tick)
        if toned:
            self.table.add_slot(f"body-cell-{toned}", _TONED)
        self.search.bind_value_to(self.table, "filter", forward=lambda value: value or "")

    def show(self, rows: Sequence[Row]) -> None:
        """Show these rows, if they are others than before."""
        if list(rows) == self._rows:
            return
        self._rows = list(rows)
        if self._ticked and self._chosen is not None:  # ticks were of other rows
            self._ticked = []
            self._chosen([])
        self.table.rows = [
            {
                "id": place,
                **row.values,
                "told": dict(row.told),
                "href": row.href,
                "tone": row.tone,
                **({"chosen": False} if self._chosen else {}),
            }
            for place, row in enumerate(rows)
        ]

    def leave_out(self, names: Collection[str]) -> None:
        """Show every column but these."""
        self.table.props["visible-columns"] = [one.name for one in self.columns if one.name not in names]

    def _tick(self, event: events.GenericEventArguments) -> None:
        place, ticked = int(event.args[0]), bool(event.args[1])
        self._ticked = [one for one in self._ticked if one != place] + ([place] if ticked else [])
        if self._chosen is not None:
            self._chosen(self._ticked)
