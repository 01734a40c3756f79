"""Page `/threadx/follow`: every sealed strategy on the bars since."""

from __future__ import annotations

from nicegui import run as threads
from nicegui import ui

from nodes.following import COLUMNS, Following, cells, follow_all
from threadx.web.frame import FOLLOW_PATH, Site, Table, Text, command, frame, run_path


def register(site: Site) -> None:
    """Add the page."""
    words = site.words

    @ui.page("/follow")
    async def follow_page() -> None:
        found = await threads.io_bound(follow_all, site.home)
        if found is None:  # the server is ending
            return
        with frame(site, words("web.follow.title"), FOLLOW_PATH):
            Text("p", words("web.follow.intro"), "tx-soft")
            if not found:
                Text("p", words("web.follow.none"))
                command("threadx follow RUN")
                return
            names = ("run", *COLUMNS)
            table = Table([words(f"follow.head.{name}") for name in names], numbers=[2, 3, 4, 5], prose=[6])
            for run, one in found:
                table.row([run, *cells(one, words)], links=[run_path(run)])
            Text("p", words("web.follow.read"), "tx-soft")
            for run, one in found:
                if isinstance(one, Following):
                    command(f"threadx follow {run} --picture {run}.html")
                    break
