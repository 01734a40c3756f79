"""The debates of a run as a tree: each round of the search, its voices, what each of them holds."""

from __future__ import annotations

import textwrap
from collections.abc import Collection
from typing import Any

import altair as alt

from record.run_view import Debate
from record.types import RecordedTurn
from reports.charts.style import BLUE, GREY, ORANGE, PAPER, Look, Tables, finished, layered
from reports.words import WordsLike

_LINE = 15
_GAP = 9


def debate_tree(
    debates: Collection[Debate], words: WordsLike, *, about: str = "", look: Look = PAPER
) -> alt.LayerChart:
    """Iteration, voice, argument, from left to right; blue goes on with the search, orange stops it.

    Args:
        debates: in order.
        words: language.
        about: for the subtitle.
        look: where it is shown.
    """
    tables = Tables()
    columns = (0.0, 0.16, 0.36)
    letters = max(24, int((1.0 - columns[2]) * look.width / 6.1))
    nodes: list[dict[str, Any]] = []
    edges: list[dict[str, Any]] = []
    at = 0.0
    for debate in debates:
        top = at
        places = []
        for turn in debate.turns:
            lines = _lines(turn, words, letters)
            place = at + _LINE / 2
            places.append(place)
            nodes.append(_voice(turn, place, columns[1], words))
            for number, line in enumerate(lines):
                nodes.append(
                    {"x": columns[2], "y": place + number * _LINE, "text": line, "kind": "line", "full": line}
                )
            edges.append({"x": columns[1] + 0.175, "x2": columns[2] - 0.008, "y": place, "y2": place})
            at += max(1, len(lines)) * _LINE + _GAP
        root = places[0] if places else top
        decided = words(f"chart.decision_{debate.decision or 'open'}")
        nodes.append(
            {
                "x": columns[0],
                "y": root,
                "text": words("chart.round", iteration=debate.iteration),
                "kind": "root",
                "full": decided,
            }
        )
        nodes.append({"x": columns[0], "y": root + _LINE, "text": decided, "kind": "line", "full": decided})
        trunk = columns[1] - 0.03
        edges.append({"x": columns[0] + 0.1, "x2": trunk, "y": root, "y2": root})
        if places:
            edges.append({"x": trunk, "x2": trunk, "y": places[0], "y2": places[-1]})
        edges += [{"x": trunk, "x2": columns[1] - 0.008, "y": place, "y2": place} for place in places]
        at = max(at, root + 2 * _LINE) + 2 * _GAP
    height = max(40.0, at)
    chart = layered(*_layers(tables, nodes, edges, height, look)).properties(
        width=look.width, height=round(height)
    )
    told = [about, words("chart.debate_key" if debates else "chart.no_debate")]
    return finished(chart, tables, words, look, title=words("chart.debate"), subtitle=told)


def _lines(turn: RecordedTurn, words: WordsLike, letters: int) -> list[str]:
    """What a voice said, broken to the width: its claims with what they rest on, else its statement."""
    if turn["stance"] is None:
        return [words("chart.abstained")]
    lines = []
    for claim in turn.get("claims", ()):
        rests = ", ".join(claim["evidence"])
        told = f"{claim['statement']} [{rests}]" if rests else claim["statement"]
        lines += textwrap.wrap(told, letters, initial_indent="– ", subsequent_indent="   ")
    return lines or textwrap.wrap(turn["statement"] or "", letters)


def _voice(turn: RecordedTurn, place: float, x: float, words: WordsLike) -> dict[str, Any]:
    role = words(f"report.role.{turn['voice']}")
    stance = turn["stance"] or "abstained"
    sure = "" if turn["confidence"] is None else f" {words.percent(turn['confidence'], 0)}"
    degraded = turn["provenance"]["degraded"]
    return {
        "x": x,
        "y": place,
        "text": f"{role}{sure}" + (" *" if degraded else ""),
        "kind": stance,
        "full": turn["statement"] or words("chart.abstained"),
    }


def _layers(
    tables: Tables, nodes: list[dict[str, Any]], edges: list[dict[str, Any]], height: float, look: Look
) -> list[alt.Chart]:
    x = alt.X("x:Q", scale=alt.Scale(domain=[0, 1], nice=False), axis=None)
    y = alt.Y("y:Q", scale=alt.Scale(domain=[height, 0], nice=False), axis=None)
    tooltip = [alt.Tooltip("full:N", title=" ")]
    base = alt.Chart(tables.add(nodes)).encode(x=x, y=y, tooltip=tooltip)
    spoken = "datum.kind !== 'line' && datum.kind !== 'root'"
    stances = alt.Color(
        "kind:N",
        scale=alt.Scale(domain=["continue", "stop", "abstained"], range=[BLUE, ORANGE, GREY]),
        legend=None,
    )
    return [
        alt.Chart(tables.add(edges))
        .mark_rule(color=look.faint, strokeWidth=1.5)
        .encode(x=x, x2="x2:Q", y=y, y2="y2:Q"),
        base.transform_filter("datum.kind === 'root'")
        .mark_text(align="left", fontWeight="bold", color=look.ink, fontSize=12)
        .encode(text="text:N"),
        base.transform_filter(spoken).mark_circle(size=75, opacity=1.0).encode(color=stances),
        base.transform_filter(spoken)
        .mark_text(align="left", dx=9, fontSize=12, fontWeight="bold", color=look.ink)
        .encode(text="text:N"),
        base.transform_filter("datum.kind === 'line'")
        .mark_text(align="left", color=look.ink, fontSize=11)
        .encode(text="text:N"),
    ]
