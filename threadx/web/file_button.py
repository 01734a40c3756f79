"""A button by which a person brings a file, by mouse, touch, key or dropping."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from nicegui import events, ui

from prompts import Words
from threadx.web.frame import attribute, quiet_button
from threadx.web.guard import LARGEST_UPLOAD


def file_button(
    words: Words,
    label: str,
    *,
    kinds: Sequence[str],
    uploaded: Callable[[events.UploadEventArguments], Awaitable[None]],
    complain: Callable[[str], None],
) -> ui.upload:
    """The button; its file goes to the server at once.

    Args:
        words: language.
        label: on the button.
        kinds: endings of file names that are offered.
        uploaded: takes the file.
        complain: is told of one that is too large.
    """
    limit = LARGEST_UPLOAD // 1024 // 1024
    upload = ui.upload(
        auto_upload=True,
        max_files=1,
        max_file_size=LARGEST_UPLOAD,
        on_upload=uploaded,
        on_rejected=lambda: complain(words("web.guard.too_large", limit=limit)),
    )
    upload.props("flat")
    attribute(upload, "accept", ",".join(kinds))
    # Quasar's own button hides a nameless file field inside a link, which no screen reader can tell.
    with upload.add_slot("header"), ui.element("div").classes("tx-upload"):
        choose = quiet_button(label, "upload_file")
        choose.on("click", js_handler=f"event => getElement({upload.id}).$refs.qRef.pickFiles(event)")
        with ui.element("div").classes("hidden"):
            ui.element("q-uploader-add-trigger")
    return upload
