"""A headless Chromium for the tests that look at pages, and what is noted of them."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.langgraph_server import clean_environment, free_port, started

CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-features=SpareRendererForSitePerProcess",
]

STILL = {"reduced_motion": "reduce"}
"""Without a graphics card an animation costs the processor for as long as a run is waited for."""

VIEWS = {
    "phone-dark": {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark", **STILL},
    "wide-light": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "light", **STILL},
}

PATIENCE = 240_000
"""Milliseconds until something that must come is given up."""


_CONTEXTS: WeakKeyDictionary[Browser, dict[str, BrowserContext]] = WeakKeyDictionary()

MOST_PIXELS = 3200
"""Height of a picture kept for the docs."""


def browser_path() -> str:
    """A Chromium of this machine, or a skip that says what is missing."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("no Chromium on this machine (Debian: apt-get install chromium)")
    return found


@contextlib.contextmanager
def opened_browser(*flags: str) -> Iterator[Browser]:
    """One browser for many pages, with further flags of the command line."""
    path = browser_path()
    with sync_playwright() as player:
        opened = player.chromium.launch(executable_path=path, args=[*CHROMIUM_FLAGS, *flags])
        yield opened
        opened.close()


@contextlib.contextmanager
def opened_page(browser: Browser, view: str, picture: str = "") -> Iterator[Page]:
    """A page in one of `VIEWS`; under SCREENSHOTS it is kept as a picture of this name when it is left.

    Those of one view share what a browser keeps: the megabytes of scripts are fetched once.
    """
    contexts = _CONTEXTS.setdefault(browser, {})
    if view not in contexts:
        contexts[view] = browser.new_context(**VIEWS[view])
        contexts[view].set_default_timeout(PATIENCE)
    page = contexts[view].new_page()
    yield page
    if picture:
        keep_picture(page, picture)
    page.close()


@contextlib.contextmanager
def served_pages(home: Path, folder: Path, language: str = "fr") -> Iterator[str]:
    """The address of `threadx ui` while the block lasts; no model but `rules` answers it.

    Args:
        home: its data folder.
        folder: an empty folder to work in.
        language: of the pages.
    """
    environment = clean_environment(LANGSMITH_TRACING="false", OLLAMA_HOST="http://127.0.0.1:9")
    with served(home, folder, environment, language) as address:
        yield address


@contextlib.contextmanager
def served(home: Path, folder: Path, environment: dict[str, str], language: str = "fr") -> Iterator[str]:
    """The same in an environment of the caller's."""
    port = free_port()
    arguments = ["-m", "threadx", "ui", "--port", str(port), "--home", str(home), "--language", language]
    address = f"http://127.0.0.1:{port}"
    with started(arguments, folder, environment, f"{address}/threadx"):
        yield address


def keep_picture(page: Page, name: str) -> None:
    """Keep the page as a picture, its charts drawn, if SCREENSHOTS names a folder."""
    if not (folder := os.environ.get("SCREENSHOTS")):
        return
    for image in page.locator("img[loading=lazy]").all():
        if image.is_visible():
            image.scroll_into_view_if_needed()
            image.evaluate("image => image.decode()")
    page.evaluate("window.scrollTo(0, 0)")
    size = page.evaluate("[document.documentElement.clientWidth, document.documentElement.scrollHeight]")
    part = {"x": 0, "y": 0, "width": size[0], "height": min(size[1], MOST_PIXELS)}
    page.screenshot(path=Path(folder) / f"{name}.png", full_page=True, clip=part)


def watch(page: Page) -> tuple[list[str], list[str]]:
    """Hosts asked for from now on, and complaints of the browser."""
    hosts: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda asked: hosts.append(urlsplit(asked.url).hostname or ""))
    page.on("websocket", lambda socket: hosts.append(urlsplit(socket.url).hostname or ""))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None
    )
    return hosts, complaints


def wider_than_the_screen(page: Page) -> int:
    """Pixels that the page is wider than its window."""
    return int(page.evaluate("document.documentElement.scrollWidth - window.innerWidth"))
