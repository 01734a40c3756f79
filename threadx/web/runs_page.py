"""Page `/threadx`: the runs, ranked by what they came to, and a choice of some to compare."""

from __future__ import annotations

from urllib.parse import urlencode

from nicegui import run, ui

from prompts import Words
from record.run_list import RunLine
from reports.tables import instrument_cell
from threadx.web.frame import (
    COMPARE_PATH,
    NEW_PATH,
    RUNS_PATH,
    Site,
    Text,
    anchor,
    command,
    frame,
    quiet_button,
    run_path,
)
from threadx.web.listing import Listed, list_runs
from threadx.web.moments import moment
from threadx.web.naming import strategy_name, timeframe_name
from threadx.web.ranked import Column, Ranked, Row
from threadx.web.run_head import TONES

EXAMPLE = "threadx optimize sample:sp500"
MOST_COMPARED = 4

_COLUMNS = ("what", "verdict", "holdout", "holding", "period", "status", "score", "models", "started", "run")
_WIDE = frozenset({"score", "models", "started", "run"})
"""Left out on a phone: the page of each run has them."""
_NUMBERS = frozenset({"holdout", "holding", "period", "score"})
_RANKS = {"real": 3, "promising": 2, "unproven": 1, "overfit": 0}
"""Verdicts in the order in which one would trust them."""


def _what(line: RunLine, words: Words) -> str:
    """Instrument, timeframe and strategies in words, as far as they are known."""
    data = line.data or ""
    prices = ", ".join(
        filter(None, (instrument_cell(line.symbol, words) if line.symbol else data, line.timeframe))
    )
    if line.symbol and line.timeframe:
        prices = f"{instrument_cell(line.symbol, words)}, {timeframe_name(line.timeframe, words)}"
    first = (
        strategy_name(dict(line.start or {"name": line.strategy}), words)
        if line.strategy or line.start
        else ""
    )
    best = strategy_name(dict(line.champion), words) if line.champion else first
    told = first if best == first else f"{first} → {best}"
    return words("report.pair", name=prices, value=told) if prices and told else prices or told or line.run


def _row(found: Listed, words: Words) -> Row:
    line = found.line
    what = _what(line, words)
    models = ", ".join(line.models) or "–"
    return Row(
        values={
            "what": what,
            "verdict": None if line.verdict is None else _RANKS[line.verdict],
            "holdout": line.holdout_return,
            "holding": found.holding,
            "period": line.holdout_period[1] if line.holdout_period else None,
            "status": line.status,
            "score": line.score,
            "models": models,
            "started": line.started,
            "run": line.run,
        },
        told={
            "what": what,
            "verdict": words(f"verdict.short.{line.verdict}") if line.verdict else "–",
            "holdout": words.percent(line.holdout_return, signed=True),
            "holding": words.percent(found.holding, signed=True),
            "period": words("web.table.period", first=line.holdout_period[0], last=line.holdout_period[1])
            if line.holdout_period
            else "–",
            "status": words(f"web.runs.{line.status}"),
            "score": words.number(line.score),
            "models": models,
            "started": moment(words, line.started),
            "run": line.run,
        },
        href=run_path(line.run),
        tone=TONES.get(line.verdict or "", ""),
    )


def register(site: Site) -> None:
    """Add the page."""
    words = site.words

    @ui.page("/")
    async def runs_page() -> None:
        found = await run.io_bound(list_runs, site.home)
        rows, total = found or ([], 0)
        with frame(site, words("web.runs.title"), RUNS_PATH):
            Text("p", words("web.runs.intro"), "tx-soft")
            with ui.element("p"):
                anchor(words("web.runs.start"), NEW_PATH, "tx-button")
            if not rows:
                Text("p", words("web.runs.none"))
                command(EXAMPLE)
                return
            _Board(words, rows)
            if total > len(rows):
                Text("p", words("web.runs.shown", shown=len(rows), all=total), "tx-soft")


class _Board:
    """The table, and the button that compares what was chosen in it."""

    def __init__(self, words: Words, rows: list[Listed]) -> None:
        self._names = [one.line.run for one in rows]
        self._runs: list[str] = []
        self._compare = quiet_button(words("web.runs.compare"), "compare").on_click(self._go)
        self._compare.disable()
        ranked = Ranked(
            words,
            [
                Column(
                    name=name,
                    label=words(f"web.runs.column_{name}"),
                    number=name in _NUMBERS,
                    wide=name in _WIDE,
                )
                for name in _COLUMNS
            ],
            title=words("web.runs.title"),
            per_page=15,
            order=("started", True),
            leads=True,
            toned="verdict",
            chosen=self._chosen,
        )
        ranked.show([_row(one, words) for one in rows])

    def _chosen(self, places: list[int]) -> None:
        """Offer the comparison of two to four runs."""
        self._runs = [self._names[place] for place in places]
        self._compare.set_enabled(2 <= len(places) <= MOST_COMPARED)

    def _go(self) -> None:
        path = COMPARE_PATH.removeprefix(RUNS_PATH)  # the mount is added again
        ui.navigate.to(f"{path}?{urlencode([('run', run) for run in self._runs])}")
