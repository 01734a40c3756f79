"""Page `/threadx`: the runs."""

from __future__ import annotations

from nicegui import run, ui

from prompts import Words
from threadx.web.frame import NEW_PATH, RUNS_PATH, Site, Table, Text, anchor, command, frame, run_path
from threadx.web.listing import list_runs

EXAMPLE = "threadx optimize sample:sp500"


def moment(words: Words, iso: str) -> str:
    """Date and minute of an ISO time in UTC, in words."""
    return words("web.moment", date=iso[:10], hour=iso[11:16]) if iso else "–"


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
            names = ("run", "started", "instrument", "status", "score")
            table = Table([words(f"command.runs_column.{name}") for name in names], numbers=[4])
            for row in rows:
                table.row(
                    [
                        row.run,
                        moment(words, row.started),
                        row.data,
                        words(f"web.runs.{row.status}"),
                        words.number(row.score),
                    ],
                    links=[run_path(row.run)],
                )
            if total > len(rows):
                Text("p", words("web.runs.shown", shown=len(rows), all=total), "tx-soft")
