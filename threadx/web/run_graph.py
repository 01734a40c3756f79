"""The cycle as a picture in words: every node in its place, the one at work lit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nicegui import ui
from nicegui.element import Element

from prompts import Words
from threadx.web.frame import Text, attribute

BEFORE = ("load", "baseline", "survey")
CYCLE = ("analyst", "strategist", "validator", "approve", "backtest_variant", "select", "debate", "converge")
AFTER = ("judge", "report")
OVER = ("finished", "untested", "failed")
UNTESTED = frozenset({"backtest_variant", "judge"})
"""Nodes that a run in which nothing was tested has not gone through."""
REVIEW = ("load", "analyst", "strategist", "validator", "debate", "report")


@dataclass(frozen=True)
class Shape:
    """Which nodes a run goes through.

    Attributes:
        before: once, at the start.
        cycle: in every iteration.
        after: once, at the end.
    """

    before: tuple[str, ...]
    cycle: tuple[str, ...]
    after: tuple[str, ...]


def shape(graph: str, context: dict[str, object]) -> Shape:
    """The nodes of a run, from what `run.json` says of it."""
    left_out = set() if context.get("search") == "population" else {"survey"}
    if not context.get("approve"):
        left_out.add("approve")
    if context.get("use_validator") is False:
        left_out.add("validator")
    if context.get("use_debate") is False:
        left_out.add("debate")
    if context.get("roles") == "single":
        left_out |= {"analyst", "strategist", "validator", "debate"}
        cycle: tuple[str, ...] = ("single", *CYCLE)
    else:
        cycle = CYCLE
    if graph == "review":
        return Shape((), tuple(node for node in REVIEW if node not in left_out), ())
    before = tuple(node for node in BEFORE if node not in left_out)
    return Shape(before, tuple(node for node in cycle if node not in left_out), AFTER)


class RunGraph:
    """Draws the shape; `light` shows where the run is."""

    def __init__(self, words: Words, nodes: Shape) -> None:
        self.words = words
        self.nodes = nodes
        self._boxes: dict[str, Element] = {}
        self._order = (*nodes.before, *nodes.cycle, *nodes.after)
        box = attribute(ui.element("div").classes("tx-graph"), "role", "group")
        with attribute(box, "aria-label", words("web.graph.label")):
            self._row(nodes.before)
            if nodes.cycle:
                with ui.element("div").classes("tx-cycle" if nodes.after else ""):
                    self._turn = Text("div", "", "tx-soft tx-turn")
                    self._row(nodes.cycle)
            self._row(nodes.after)

    def _row(self, names: Sequence[str]) -> None:
        if not names:
            return
        with ui.element("ol").classes("tx-nodes"):
            for name in names:
                self._boxes[name] = Text("li", self.words(f"web.graph.{name}"), "tx-node")

    def light(self, at_work: str | None, *, iteration: int, most: int | None, state: str) -> None:
        """Show the run's place.

        Args:
            at_work: the node at work; None before the start and after the end.
            iteration: the one at work, from 1.
            most: iterations the run may take.
            state: how the run stands, a key of `web.runs`; what did not happen is not marked as done.
        """
        words = self.words
        if self.nodes.after:
            told = words("web.graph.turn", iteration=iteration or "–", most=most or "–")
            self._turn.set_text(told)
        over = state in OVER
        left_out = UNTESTED if state in ("failed", "untested") else frozenset()
        place = self._order.index(at_work) if at_work in self._order else -1
        for position, name in enumerate(self._order):
            box = self._boxes[name]
            lit, done = name == at_work, (over and name not in left_out) or position < place
            still = lit and state != "at_work"  # a run at which nobody works does not pulse
            for mark, holds in (("tx-lit", lit), ("tx-done", done), ("tx-still", still)):
                box.classes(add=mark if holds else "", remove="" if holds else mark)
            if lit:
                attribute(box, "aria-current", "step")
            else:
                box.props.pop("aria-current", None)
            box.update()
