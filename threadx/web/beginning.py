"""What a form begins with: prices and files there are, defaults, and what its address asks for."""

from __future__ import annotations

from typing import NamedTuple

from nicegui import run as threads
from starlette.requests import Request

from nodes.context import OptimizationContext
from threadx.web.frame import Site
from threadx.web.order import Order, begun_with, registered
from threadx.web.uploads import own_files
from vault.datasets import Dataset


class Beginning(NamedTuple):
    """What the forms of a run, of the workbench and of a declaration are drawn from.

    Attributes:
        datasets: registered prices.
        kept: files that were uploaded.
        defaults: settings of which nothing is asked; made in a thread, as they read the data folder.
        given: what the address asks for, as far as it says something.
        refused: what is wrong with the address, as a sentence; empty where nothing is.
    """

    datasets: list[Dataset]
    kept: list[str]
    defaults: OptimizationContext
    given: Order
    refused: str


async def beginning(site: Site, request: Request) -> Beginning | None:
    """Look it up; None where the server is ending."""
    datasets = await threads.io_bound(registered, site.home)
    kept = await threads.io_bound(own_files, site.home)
    defaults = await threads.io_bound(lambda: OptimizationContext(home=str(site.home)))
    if defaults is None:
        return None
    asked = begun_with(request.query_params.multi_items(), site.words)
    return Beginning(datasets or [], kept or [], defaults, *asked)
