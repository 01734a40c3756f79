"""What every page shares: header, width, colours, and the elements the pages are made of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

from nicegui import ui
from nicegui.element import Element
from nicegui.elements.mixins.text_element import TextElement

from prompts import Words

RUNS_PATH = "/threadx"
SUMMARY_PATH = "/llm_summary"
OBSERVABILITY_PATH = "/observability"
NEW_PATH = f"{RUNS_PATH}/new"
BENCH_PATH = f"{RUNS_PATH}/bench"
MODELS_PATH = f"{RUNS_PATH}/models"
FOLLOW_PATH = f"{RUNS_PATH}/follow"
DATA_PATH = f"{RUNS_PATH}/data"
CALIBRATION_PATH = f"{RUNS_PATH}/calibration"
COMPARE_PATH = f"{RUNS_PATH}/compare"
DECLARE_PATH = f"{RUNS_PATH}/declare"
OUR_PATHS = (RUNS_PATH, SUMMARY_PATH, OBSERVABILITY_PATH)
"""Every page, script and websocket of ours stands under one of these."""

NAVIGATION = (
    ("runs", RUNS_PATH),
    ("new", NEW_PATH),
    ("bench", BENCH_PATH),
    ("follow", FOLLOW_PATH),
    ("data", DATA_PATH),
    ("models", MODELS_PATH),
    ("calibration", CALIBRATION_PATH),
    ("summary", SUMMARY_PATH),
    ("observability", OBSERVABILITY_PATH),
)

_STYLE = f"<style>{files('threadx.web').joinpath('style.css').read_text(encoding='utf-8')}</style>"


@dataclass(frozen=True)
class Site:
    """What the pages are made for.

    Attributes:
        home: the data folder, absolute.
        words: texts in the site's language.
    """

    home: Path
    words: Words


def run_path(name: str) -> str:
    """Address of the page of a run."""
    return f"{RUNS_PATH}/runs/{quote(name, safe='')}"


class Text(TextElement):
    """An element with a text, escaped."""

    def __init__(self, tag: str, text: str, classes: str = "") -> None:
        super().__init__(tag=tag, text=text)
        self.classes(classes)


Kind = TypeVar("Kind", bound=Element)


def attribute(element: Kind, name: str, value: str) -> Kind:
    """Set an HTML attribute to any text (NiceGUI's own `props` parses quotes and spaces)."""
    element.props[name] = value
    return element


class Problem(Text):
    """What went wrong, which a screen reader says at once; nothing is seen until there is something."""

    def __init__(self) -> None:
        super().__init__("p", "", "tx-warn")
        attribute(self, "role", "alert")
        self.set_visibility(False)

    def tell(self, line: str) -> None:
        """Show a sentence."""
        self.set_text(line)
        self.set_visibility(True)


def anchor(text: str, href: str, classes: str = "") -> Element:
    """A link to a path of this server."""
    return attribute(Text("a", text, classes), "href", href)


@contextmanager
def frame(site: Site, title: str, current: str = "") -> Iterator[Text]:
    """Header and main part of a page; gives its first heading.

    Args:
        site: what the page belongs to.
        title: of the page; also its first heading.
        current: path of the navigation's entry that the page belongs to.
    """
    words = site.words
    ui.page_title(f"{title} · {words('web.title')}")
    ui.add_head_html(_STYLE)
    ui.colors(primary="#0b5cad", positive="#14713b", negative="#b3261e")
    # NiceGUI puts a page's content into the document's main part, where a header has no place.
    with ui.context.client.layout, ui.element("header").classes("tx-header") as header:
        anchor(words("web.skip"), "#content", "tx-skip")
        anchor(words("web.title"), RUNS_PATH, "tx-brand")
        with attribute(ui.element("nav"), "aria-label", words("web.nav.label")):
            for name, path in NAVIGATION:
                entry = anchor(words(f"web.nav.{name}"), path)
                if path == current:
                    attribute(entry, "aria-current", "page")
    header.move(target_index=0)
    with attribute(ui.element("div").classes("tx-main"), "id", "content"):
        yield Text("h1", title)


@contextmanager
def card(title: str) -> Iterator[Element]:
    """A part of a page under its heading."""
    with ui.element("section").classes("tx-card") as section:
        Text("h2", title)
        yield section


def fact(name: str, value: str, help_text: str = "") -> Text:
    """A small card with one figure; gives the element of the figure."""
    with ui.element("div").classes("tx-card") as box:
        Text("div", name, "tx-soft")
        shown = Text("div", value, "tx-fact-value")
    if help_text:
        attribute(box, "title", help_text)
    return shown


class Table:
    """A real table, whose rows become small cards on a phone.

    Args:
        head: names of the columns.
        numbers: columns, from 0, whose cells are figures.
        title: the column that names a row: the first line of its card.
        prose: columns whose cells are sentences.
        cards: on a phone rows become cards; off for few and narrow columns.
    """

    def __init__(
        self,
        head: Sequence[str],
        numbers: Sequence[int] = (),
        *,
        title: int = 0,
        prose: Sequence[int] = (),
        cards: bool = True,
    ) -> None:
        self.head = head
        self.numbers = frozenset(numbers)
        self.title = title
        self.prose = frozenset(prose)
        self.scroll = attribute(ui.element("div").classes("tx-scroll"), "tabindex", "0")
        with self.scroll, ui.element("table").classes("tx-cards" if cards else "tx-narrow"):
            with ui.element("thead"), ui.element("tr"):
                for position, name in enumerate(head):
                    attribute(Text("th", name, self._class(position)), "scope", "col")
            self.body = ui.element("tbody")

    def _class(self, position: int) -> str:
        if position == self.title:
            return "tx-title"
        if position in self.prose:
            return "tx-prose"
        return "tx-number" if position in self.numbers else ""

    def row(self, cells: Sequence[str], links: Sequence[str | None] = ()) -> list[Text]:
        """Append a row; `links` holds a path for each cell that leads somewhere; gives the cells' texts."""
        shown = []
        with self.body, ui.element("tr"):
            for position, cell in enumerate(cells):
                link = links[position] if position < len(links) else None
                with ui.element("td").classes(self._class(position)) as box:
                    attribute(box, "data-head", self.head[position])
                    text = Text("a" if link else "span", cell)
                    if link:
                        attribute(text, "href", link)
                shown.append(text)
        return shown


def quiet_button(text: str, icon: str) -> ui.button:
    """A button beside the page's main one; a colour of Quasar's own would not be readable in the dark."""
    return ui.button(text, icon=icon, color=None).props("no-caps outline").classes("tx-quiet")


def command(line: str) -> None:
    """A command to type, as it is."""
    with attribute(ui.element("pre"), "tabindex", "0"):  # it scrolls on a phone
        Text("code", line)


def not_found(site: Site, key: str) -> None:
    """A polite page with status 404."""
    ui.context.client.status_code = 404
    with frame(site, site.words("web.not_found.title")):
        if key:
            Text("p", site.words(f"web.not_found.{key}"))
        anchor(site.words("web.back"), RUNS_PATH)
