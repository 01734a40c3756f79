"""The button that runs the ensemble now."""

from __future__ import annotations

from pathlib import Path

from nicegui import run as threads
from nicegui import ui
from nicegui.element import Element

from base.reasons import ENDINGS
from base.references import listed
from nodes.ensemble.operation.partition import published_hours
from nodes.serving import refuse_model_files
from prompts import Words
from threadx.web import jobs
from threadx.web.fields import text_field
from threadx.web.frame import SUMMARY_PATH, Site
from threadx.web.running import Running, last_line

NAME = "ensemble"
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
    """The button, its settings and the live log.

    Args:
        site: what the page belongs to.
        bar: takes the button.
    """

    def __init__(self, site: Site, bar: Element) -> None:
        self.site, self.words = site, site.words
        self._before: int | None = None
        words = self.words
        with bar:
            ui.button(words("web.relaunch.now"), icon="refresh", on_click=self._click).props("no-caps")
        self._work = Running(
            site, "ensemble", log_path(site.home), words("web.relaunch.running"), self._ended
        )
        with ui.expansion(words("web.relaunch.title"), icon="tune").classes("tx-wide"):
            sources = {False: words("web.relaunch.own"), True: words("web.relaunch.sample")}
            self._source = ui.select(sources, value=True, label=words("web.relaunch.data"))
            self._source.props("outlined dense options-dense").classes("tx-wide")
            self._models = text_field(words("web.relaunch.models"), "", words("web.relaunch.models_help"))
        ui.timer(0.1, self._first, once=True)

    async def _first(self) -> None:
        self._source.set_value(not await threads.io_bound(has_data, self.site.home))
        self._before = await threads.io_bound(_published, self.site.home)

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
            self._work.tell(self.words.told(error), "tx-warn")
            return
        self._work.begin()

    async def _ended(self, lines: list[str]) -> None:
        """Lead to the new summary, or say why there is none."""
        published = await threads.io_bound(_published, self.site.home)
        if published != self._before:
            ui.run_javascript(f"location.assign('{SUMMARY_PATH}')")  # outside the mount
        self._work.tell(self.words("web.relaunch.ended", line=last_line(lines)), "tx-warn")
        self._before = published


def _published(home: Path) -> int:
    """A figure that grows with each publication."""
    files = [path / "summary.json" for path in (home / "llm_summary").glob("dt=*")]
    return sum(path.stat().st_mtime_ns for path in files if path.is_file()) + len(published_hours(home))
