"""The button that runs the ensemble now, with what the run says as it goes."""

from __future__ import annotations

from pathlib import Path

from nicegui import run as threads
from nicegui import ui

from base.reasons import ENDINGS
from base.references import listed
from nodes.ensemble.operation.partition import published_hours
from nodes.serving import refuse_model_files
from prompts import Words
from threadx.web import jobs
from threadx.web.fields import text_field
from threadx.web.frame import SUMMARY_PATH, Site, Text, attribute, card

NAME = "ensemble"
POLL_SECONDS = 1.0
SAMPLE = "sample"


def log_path(home: Path) -> Path:
    """What the run started from the page says."""
    return home / "jobs" / f"{NAME}.log"


def has_data(home: Path) -> bool:
    """Whether the data folder has anything for the ensemble to read."""
    return any((home / name).is_dir() for name in ("forecast", "macro", "news"))


def start(home: Path, words: Words, *, sample: bool, models: str) -> None:
    """Run the ensemble for this hour.

    Args:
        home: the data folder.
        words: their language is the summary's.
        sample: read the packaged sample in place of the data folder.
        models: of every agent, separated by commas; empty for the usual chain.

    Raises:
        WebError: `busy`.
        SettingError: `model_file_of_request`.
    """
    refuse_model_files(listed(models), home)
    arguments = ["ensemble", "run", f"--language={words.language}"]
    arguments += [f"--data={SAMPLE}"] if sample else []
    arguments += [f"--models={models.strip()}"] if models.strip() else []
    jobs.start(home, "ensemble", NAME, arguments, log_path(home))


class Relaunch:
    """The button, its settings and the live log."""

    def __init__(self, site: Site) -> None:
        self.site, self.words = site, site.words
        self._running: bool | None = None
        self._shown = 0
        self._before: int | None = None
        words = self.words
        with card(words("web.relaunch.title")):
            sources = {False: words("web.relaunch.own"), True: words("web.relaunch.sample")}
            self._source = ui.select(sources, value=True, label=words("web.relaunch.data"))
            self._source.props("outlined dense options-dense").classes("tx-wide")
            self._models = text_field(words("web.relaunch.models"), "", words("web.relaunch.models_help"))
            self._button = ui.button(words("web.relaunch.now"), icon="refresh", on_click=self._click)
            self._button.props("no-caps")
            self._line = attribute(Text("p", ""), "role", "status")
            self._log = ui.log(max_lines=200).classes("tx-log")
            self._log.set_visibility(False)
        ui.timer(0.1, self._first, once=True)
        ui.timer(POLL_SECONDS, self._look)

    async def _first(self) -> None:
        self._source.set_value(not await threads.io_bound(has_data, self.site.home))

    async def _click(self) -> None:
        try:
            await threads.io_bound(
                start,
                self.site.home,
                self.words,
                sample=bool(self._source.value),
                models=str(self._models.value or ""),
            )
        except ENDINGS as error:
            self._tell(self.words.told(error), "tx-warn")
            return
        self._log.clear()
        self._shown = 0
        self._running = True
        self._tell(self.words("web.relaunch.running"))

    async def _look(self) -> None:
        """Show what the run has said, and lead to its summary once it is there."""
        state = await threads.io_bound(_state, self.site.home)
        if state is None:
            return
        running, lines, published = state
        if self._before is None:
            self._before = published
        if running or self._running:
            self._log.set_visibility(True)
            for line in lines[self._shown :]:
                self._log.push(line)
            self._shown = max(self._shown, len(lines))
        if running and not self._running:
            self._tell(self.words("web.relaunch.running"))
        if self._running and not running:
            if published != self._before:
                ui.run_javascript(f"location.assign('{SUMMARY_PATH}')")  # outside the mount
            last = next((line for line in reversed(lines) if line.strip()), "")
            self._tell(self.words("web.relaunch.ended", line=last), "tx-warn")
            self._before = published
        self._running = running

    def _tell(self, line: str, classes: str = "") -> None:
        self._line.set_text(line)
        self._line.classes(replace=classes)


def _state(home: Path) -> tuple[bool, list[str], int]:
    """Whether the run goes on, what it has said, and a figure that grows with each publication."""
    running = jobs.at_work(home, "ensemble") is not None
    files = [path / "summary.json" for path in (home / "llm_summary").glob("dt=*")]
    published = sum(path.stat().st_mtime_ns for path in files if path.is_file())
    return running, jobs.said(log_path(home)), published + len(published_hours(home))
