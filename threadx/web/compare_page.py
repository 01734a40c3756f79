"""Page `/threadx/compare?run=A&run=B`: two to four finished runs side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from fastapi import Query
from nicegui import run as threads
from nicegui import ui

from prompts import Words
from record.errors import ReportError
from record.record import RunRecord, as_recorded
from record.results import RunResult
from record.run_tables import RETURNS, table_or_none
from record.run_view import RunView
from reports.charts.style import BLUE, GREEN, ORANGE, PURPLE
from reports.comparison import PARTS, ROWS, Comparison, comparison
from reports.tables import metric
from threadx.web.frame import RUNS_PATH, Site, Table, Text, anchor, card, frame, run_path
from threadx.web.naming import strategy_name, title
from threadx.web.panes import Dash, Line, Pane, Panes, own_clock
from threadx.web.run_data import Curves
from threadx.web.run_head import TONES
from threadx.web.runs_page import MOST_COMPARED

_LOOKS: tuple[tuple[str, Dash], ...] = (
    (BLUE, "solid"),
    (ORANGE, "dashed"),
    (GREEN, "dotted"),
    (PURPLE, "solid"),
)


@dataclass(frozen=True, kw_only=True)
class _Compared:
    """One of them."""

    run: str
    name: str
    result: RunResult
    figures: Comparison
    curves: Curves | None


def _read(site: Site, run: str) -> _Compared | None:
    """A finished optimisation; None for anything else, and for a record that cannot be read."""
    try:
        record = RunRecord(site.home, run)
        with as_recorded(record.folder):
            about, result = record.about(), record.run_result()
            returns = table_or_none(record.folder, RETURNS)
            name = title(RunView.of(record.events()), about, site.words) or run
            curves = None if returns is None else Curves.of(returns)
            return _Compared(
                run=run, name=name, result=result, figures=comparison(result, returns), curves=curves
            )
    except ReportError:
        return None


def register(site: Site) -> None:
    """Add the page."""
    words = site.words

    @ui.page("/compare")
    async def compare_page(run: list[str] = Query(default=[])) -> None:  # noqa: B008 how FastAPI reads a list
        names = list(dict.fromkeys(run))[:MOST_COMPARED]
        read = [await threads.io_bound(_read, site, name) for name in names]
        found = [one for one in read if one is not None]
        with frame(site, words("web.compare.title"), RUNS_PATH):
            anchor(words("web.back"), RUNS_PATH)
            for name, one in zip(names, read, strict=True):
                if one is None:
                    Text("p", words("web.compare.none_such", run=name), "tx-warn")
            if len(set(run)) < len(run):
                Text("p", words("web.compare.twice"), "tx-warn")
            if len(found) < 2:
                Text("p", words("web.compare.too_few"), "tx-warn")
                return
            _figures(found, words)
            _curves(found, words)
            _changes(found, words)


def _figures(found: list[_Compared], words: Words) -> None:
    """A column a run: verdict first, then each part's figures of the champion, with holding's return."""
    with card(words("web.compare.figures")):
        table = Table(
            [words("report.table.metric"), *(f"{place}" for place in range(1, len(found) + 1))], cards=False
        )
        table.row(
            [words("web.compare.run"), *(one.name for one in found)],
            [None, *(run_path(one.run) for one in found)],
        )
        verdicts = [(one.result.get("verdict") or {}).get("value") for one in found]
        told = [words(f"verdict.short.{verdict}") if verdict else "–" for verdict in verdicts]
        shown = table.row([words("command.runs_column.verdict"), *told])
        for cell, verdict in zip(shown[1:], verdicts, strict=True):
            cell.classes(f"tx-{TONES.get(verdict or '', 'soft')}")
        for part in PARTS:
            known = [one.figures.parts.get(part, {}) for one in found]
            periods = (one.figures.periods.get(part) for one in found)
            told = [words("web.table.period", first=at[0], last=at[1]) if at else "–" for at in periods]
            for cell in table.row([words(f"web.compare.{part}"), *told]):
                cell.classes("tx-part")
            for name, kind in ROWS:
                _row(table, known, ("champion", name, kind), words(f"report.metric.{name}"), words)
            _row(table, known, ("market", "total_return", "percent"), words("web.compare.holding"), words)


def _row(
    table: Table,
    known: Sequence[Mapping[str, Mapping[str, Any] | None]],
    what: tuple[str, str, str],
    label: str,
    words: Words,
) -> None:
    """A metric of a part, of the champion or of holding, for every run."""
    who, name, kind = what
    figures = (one.get(who) for one in known)
    cells = ["–" if figure is None else metric(words, figure, name, kind) for figure in figures]
    table.row([label, *cells])


def _champion(one: _Compared, words: Words) -> str:
    """Its strategy alone: whole titles leave a legend no room."""
    return strategy_name(one.result["champion"]["strategy"], words)


def _curves(found: list[_Compared], words: Words) -> None:
    """Every champion out of sample, from the first bar of its own holdout on."""
    outside = [
        (place, one.curves.apart) for place, one in enumerate(found) if one.curves and one.curves.apart
    ]
    if not outside:
        return
    index = pd.DatetimeIndex(
        np.unique(np.concatenate([own_clock(part.index).to_numpy() for _, part in outside]))
    )
    lines = []
    for place, part in outside:
        account = pd.Series(part.accounts["champion"] - 1.0, index=own_clock(part.index))
        colour, dash = _LOOKS[place]
        values = np.asarray(account.reindex(index), dtype=np.float64)
        lines.append(
            Line(
                name=f"{place + 1}. {_champion(found[place], words)}", values=values, colour=colour, dash=dash
            )
        )
    with card(words("web.compare.curves")):
        pane = Pane(title="", unit="percent", lines=lines, height=300)
        Panes(words, index, [pane], says=words("web.compare.curves"))


def _changes(found: list[_Compared], words: Words) -> None:
    with card(words("report.heading.changes")), ui.element("div").classes("tx-parts"):
        for place, one in enumerate(found, start=1):
            with ui.element("div"):
                Text("h3", f"{place}. {one.name}")
                with ui.element("ul").classes("tx-list"):
                    for change in one.result["applied_changes"]:
                        Text("li", change["description"])
                if not one.result["applied_changes"]:
                    Text("p", words("report.no_change"), "tx-soft")
