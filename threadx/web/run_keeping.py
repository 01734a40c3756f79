"""What a person does with a run on its page: tags, a note, sharing, putting away, deleting."""

from __future__ import annotations

import subprocess
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from nicegui import run as threads
from nicegui import ui
from nicegui.element import Element

from base import children
from base.reasons import ENDINGS
from record.labels import NO_LABEL, Label, archive_run, note_run, read_label, tag_run
from record.record import RunRecord
from threadx.web.errors import WebError
from threadx.web.frame import RUNS_PATH, Problem, Site, Text, attribute, quiet_button
from threadx.web.moments import moment
from threadx.web.shared_file import share_path

Acts = Callable[..., Awaitable[bool]]


def relabel(home: Path, run: str, tags: str, note: str) -> None:
    """Give a run these tags, with commas between them, and this note, in the place of those it has."""
    wanted = [one.strip() for one in tags.split(",") if one.strip()]
    known = {one.casefold() for one in wanted}
    former = read_label(RunRecord(home, run).folder).tags
    tag_run(home, run, wanted, [one for one in former if one.casefold() not in known])
    note_run(home, run, note)


def delete(site: Site, runs: Sequence[str]) -> None:
    """Delete runs by the command, which knows what else is kept of them.

    Raises:
        WebError: `not_deleted`, with what the command said.
    """
    made = subprocess.run(
        [
            *children.command("threadx", "runs", "delete", *runs, "--yes"),
            *(f"--language={site.words.language}", f"--home={site.home}"),
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    if made.returncode != 0:
        said = made.stderr.decode(errors="replace").strip().splitlines() or ["?"]
        raise WebError("not_deleted", reason=said[-1])


class Keeping:
    """Buttons in the bar of a run's page, and below it what is written on the run.

    Args:
        site: what the page belongs to.
        record: the run's.
        bar: takes the buttons.
        act: does something in a thread that may be refused, shows the refusal, and says whether it was done.
    """

    def __init__(self, site: Site, record: RunRecord, bar: Element, act: Acts) -> None:
        self.site, self.words, self.record, self._act = site, site.words, record, act
        self._label: Label | None = None
        with bar, ui.element("div").classes("tx-keep") as self._buttons:
            self._button("label", "sell", self._open)
            self._share = self._button("share", "ios_share", self._on_share)
            self._archive = self._button("archive", "archive", self._on_archive)
            self._button("delete", "delete", self._ask)
        self._share.set_visibility(False)
        self._buttons.set_visibility(False)
        self._line = ui.element("div").classes("tx-label")
        self._editor = self._make_editor()

    def _button(self, name: str, icon: str, clicked: Callable[[], object]) -> ui.button:
        button = ui.button(icon=icon, color=None, on_click=clicked).props("flat dense round")
        self._name(button, name)
        return button.classes("tx-quiet")

    def _name(self, button: ui.button, name: str) -> None:
        for one in ("aria-label", "title"):
            attribute(button, one, self.words(f"web.keep.{name}"))

    def _make_editor(self) -> ui.dialog:
        words = self.words
        with dialog(words("web.keep.label")) as found:
            self._tags = ui.input(words("web.keep.tags"), placeholder=words("web.keep.tags_example"))
            self._tags.props("outlined dense").classes("tx-wide")
            self._note = ui.textarea(words("web.keep.note")).props("outlined autogrow").classes("tx-wide")
            self._problem = Problem()
            with ui.element("div").classes("tx-buttons"):
                ui.button(words("web.keep.save"), on_click=self._save).props("no-caps unelevated")
                quiet_button(words("web.keep.cancel"), "close").on_click(found.close)
        return found

    def shareable(self) -> None:
        """Offer the file of a finished run."""
        self._share.set_visibility(True)

    def show(self, label: Label | None) -> None:
        """Tell what is written on the run; None for one that has no record yet."""
        self._buttons.set_visibility(label is not None)
        if label is None or label == self._label:
            return
        self._label, words = label, self.words
        archive = "unarchive" if label.archived else "archive"
        self._archive.set_icon(archive)
        self._name(self._archive, archive)
        self._line.clear()
        with self._line:
            if label.imported:
                Text("p", words("web.keep.imported", moment=moment(words, label.imported)), "tx-warn")
            if label.archived:
                Text("p", words("web.keep.archived"), "tx-soft")
            if label.tags:
                tags = attribute(ui.element("ul").classes("tx-tags"), "aria-label", words("web.keep.tags"))
                with tags:
                    for tag in label.tags:
                        Text("li", tag)
            if label.note:
                Text("p", label.note, "tx-note")

    def _open(self) -> None:
        label = self._label or NO_LABEL
        self._tags.set_value(", ".join(label.tags))
        self._note.set_value(label.note)
        self._problem.set_visibility(False)
        self._editor.set_value(True)

    async def _save(self) -> None:
        given = str(self._tags.value or ""), str(self._note.value or "")
        try:
            await threads.io_bound(relabel, self.site.home, self.record.run, *given)
        except ENDINGS as error:
            self._problem.tell(self.words.told(error))
            return
        self._editor.close()
        await self._again()

    async def _again(self) -> None:
        self.show(await threads.io_bound(read_label, self.record.folder))

    def _on_share(self) -> None:
        ui.download.from_url(share_path(self.record.run).removeprefix(RUNS_PATH))  # the mount is added again

    async def _on_archive(self) -> None:
        archived = not (self._label or NO_LABEL).archived
        if await self._act(_put_away, self.site.home, self.record.run, archived):
            await self._again()

    def _ask(self) -> None:
        delete_dialog(self.site, [self.record.run], self._delete)

    async def _delete(self) -> None:
        if await self._act(delete, self.site, [self.record.run]):
            ui.navigate.to("/")


def _put_away(home: Path, run: str, archived: bool) -> None:
    archive_run(home, run, archived=archived)


@contextmanager
def dialog(title: str) -> Iterator[ui.dialog]:
    """A box over the page; what is made in the block stands under its title."""
    with attribute(ui.dialog(), "aria-label", title) as found, ui.card().classes("tx-dialog"):
        Text("h2", title)
        yield found


def delete_dialog(site: Site, runs: list[str], delete: Callable[[], Awaitable[None]]) -> None:
    """Ask before runs are deleted, and say what stays."""
    words = site.words

    async def said_yes() -> None:
        found.close()
        await delete()

    with dialog(words("web.keep.delete_question", count=len(runs))) as found:
        Text("p", ", ".join(runs), "tx-note")
        Text("p", words("web.keep.delete_told"))
        with ui.element("div").classes("tx-buttons"):
            ui.button(words("web.keep.delete_yes"), color="negative", on_click=said_yes).props(
                "no-caps unelevated"
            )
            quiet_button(words("web.keep.cancel"), "close").on_click(found.close)
    found.set_value(True)
