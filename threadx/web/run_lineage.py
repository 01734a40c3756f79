"""Which variant came from which, as a tree; the table of variants says the same in its column of origins."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping
from typing import Any

from nicegui import events, ui

from prompts import Words
from record.lineage import START, Place, Strain, drawn
from reports.charts.style import BLUE, GREEN, GREY
from threadx.web.frame import Text, attribute
from threadx.web.naming import strategy_name
from threadx.web.panes import css

MOST_LEAVES = 20
_ROW, _EDGE = 24, 24
"""Pixels a leaf, and above and below."""
_WRAPPED = 60

# A phone has room for the numbers alone; a label is a text on a canvas, never markup.
_LABEL = "one => window.innerWidth < 640 ? one.data.short : one.data.told"


def number_of(place: Place) -> str:
    """What a variant is called: iteration and number of its proposal."""
    return f"{place[0]}.{place[1]}"


def name_of(one: Strain, words: Words) -> str:
    """A strain in few words: a variant by its number, any other by its strategy."""
    if one.place == START:
        return words("web.trials.start")
    if one.trial is not None:
        return number_of(one.place)
    assert one.member is not None, "the survey found it"
    return words("web.lineage.surveyed", strategy=strategy_name(one.member["spec"], words))


class Lineage:
    """The tree; it is drawn where it is looked at.

    Args:
        words: language.
        opened: called with the place of a strain that was clicked.
    """

    def __init__(self, words: Words, opened: Callable[[Place], None]) -> None:
        self.words, self._opened = words, opened
        self._found: Mapping[Place, Strain] = {}
        self._chart: ui.echart | None = None
        self._strains: Mapping[Place, Strain] = {}
        self._seen = False
        # Folded: with it open the tab would be longer than three screens on a phone.
        with ui.expansion(words("web.lineage.title"), icon="account_tree").classes("tx-wide") as self._fold:
            Text("p", words("web.lineage.told"), "tx-small")
            self._box = attribute(ui.element("div").classes("tx-scroll"), "tabindex", "0")
            for name, value in (("role", "group"), ("aria-label", words("web.lineage.title"))):
                attribute(self._box, name, value)
            self._left_out = Text("p", "", "tx-small")
        self._fold.set_visibility(False)
        self._fold.on_value_change(self._look)

    def draw(self, found: Mapping[Place, Strain], *, seen: bool) -> None:
        """Take the strains as they are now, and draw them if they are looked at.

        Args:
            found: of the run.
            seen: whether the tab is open.
        """
        self._fold.set_visibility(any(one.parent is not None for one in found.values()))
        self._strains, self._seen = found, seen
        self._look()

    def _look(self) -> None:
        found = self._strains
        if not (self._seen and self._fold.value and found) or found == self._found:
            return
        self._found = found
        shown = drawn(found, MOST_LEAVES)
        tested = sum(one.trial is not None for one in found.values())
        some = sum(found[place].trial is not None for place in shown)
        told = self.words("web.lineage.some", shown=some, all=tested) if some < tested else ""
        self._left_out.set_text(told)
        self._left_out.set_visibility(bool(told))
        options = self._options(shown)
        if self._chart is None:
            with self._box:
                box = attribute(attribute(ui.element("div"), "role", "img"), "aria-label", self._says(shown))
                with box:
                    self._chart = ui.echart(options)
                    self._chart.on("chart:click", self._clicked, args=["name"])
        else:
            self._chart.options.clear()
            self._chart.options.update(options)
            self._chart.update()
        leaves = len(shown - {found[place].parent for place in shown})
        deep = self._deepest(shown)
        self._chart.style(
            f"height: {_ROW * leaves + 2 * _EDGE}px; width: 100%; min-width: calc({deep} * var(--tx-step))"
        )

    def _deepest(self, shown: set[Place]) -> int:
        return max(_depth(self._found, place) for place in shown)

    def _says(self, shown: set[Place]) -> str:
        return self.words("web.lineage.says", count=len(shown))

    def _clicked(self, event: events.GenericEventArguments) -> None:
        iteration, _, number = str(event.args.get("name", "")).partition(".")
        if iteration.isdigit() and number.isdigit() and (int(iteration), int(number)) in self._found:
            self._opened((int(iteration), int(number)))

    def _options(self, shown: set[Place]) -> dict[str, Any]:
        children: dict[Place | None, list[Place]] = {}
        for place in sorted(shown):
            children.setdefault(self._found[place].parent, []).append(place)
        # Surveyed candidates change nothing: they hang where the run begins, on a line of their own.
        deepest = self._deepest(shown)
        first = [self._node(place, children, deepest) for place in children[None] if place != START]
        root = self._node(START, children, deepest)
        root["children"] = [*root["children"], *first]
        root["label"] = {"align": "left"}  # nothing is left of it
        return {
            "animation": False,
            "textStyle": {":fontFamily": "getComputedStyle(document.body).fontFamily"},
            "tooltip": {
                "renderMode": "richText",  # what a model wrote stays text
                "confine": True,
                ":formatter": "one => one.data.whole",
                ":backgroundColor": css("--card"),
                ":borderColor": css("--rule"),
                "textStyle": {":color": css("--ink"), "fontSize": 12},
            },
            "series": [
                {
                    "type": "tree",
                    "data": [root],
                    "top": _EDGE,
                    "bottom": _EDGE,
                    "left": 24,
                    ":right": "window.innerWidth < 640 ? 70 : 340",
                    "symbolSize": 11,
                    "expandAndCollapse": False,
                    "edgeShape": "polyline",
                    "lineStyle": {":color": css("--soft"), "width": 1.2},
                    "label": _label("top", "center"),
                    "leaves": {"label": _label("right", "left")},
                    "emphasis": {"disabled": True},
                }
            ],
        }

    def _node(
        self, place: Place, children: Mapping[Place | None, list[Place]], deepest: int
    ) -> dict[str, Any]:
        words, one = self.words, self._found[place]
        name, score = name_of(one, words), words.number(one.score)
        adopted = one.trial is not None and one.trial.state == "adopted"
        colour = GREEN if one.leads else BLUE if adopted else GREY
        whole = one.trial.sentence if one.trial else name
        scored = words("web.lineage.scored", name=name, score=score) if one.score is not None else name
        # Only behind the last generation is there room for a sentence.
        last = one.trial is not None and _depth(self._found, place) == deepest
        told = words("report.pair", name=scored, value=one.trial.sentence) if one.trial and last else scored
        return {
            "name": number_of(place),
            "short": name
            if one.trial
            else words(f"web.lineage.short_{'start' if place == START else 'seed'}"),
            "told": told,
            "whole": "\n".join((scored, *textwrap.wrap(whole, _WRAPPED))) if one.trial else scored,
            "symbol": "diamond" if one.leads else "circle",
            "itemStyle": {"color": colour, "borderColor": colour},
            **({"symbolSize": 16} if one.leads else {}),
            "children": [self._node(child, children, deepest) for child in children.get(place, [])],
        }


def _label(position: str, align: str) -> dict[str, Any]:
    return {
        "position": position,
        "align": align,
        "distance": 6,
        "fontSize": 12,
        ":width": "window.innerWidth < 640 ? 60 : 330" if position == "right" else "140",
        "overflow": "truncate",
        ":color": css("--ink"),
        ":formatter": _LABEL,
    }


def _depth(found: Mapping[Place, Strain], place: Place) -> int:
    """Generations from the start to a strain, both counted."""
    deep, at = 1, found[place].parent
    while at is not None:
        deep, at = deep + 1, found[at].parent
    return deep
