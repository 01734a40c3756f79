"""The report of a run or of a summary as a PDF, made by the command."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from base import children
from base.files import write_atomically
from base.plain_files import open_plain
from base.reasons import ENDINGS, because
from prompts import Language
from record.errors import ReportError
from record.record import RunRecord
from threadx.web.errors import WebError
from threadx.web.frame import Site, run_path

LONGEST_SECONDS = 300.0


def pdf(home: Path, record: RunRecord, language: Language) -> bytes:
    """The file's content; a finished run's report never changes, so it is made once.

    Raises:
        WebError: `no_report`, with what the command said.
        OSError: it cannot be kept; a link came into its place meanwhile.
    """
    path = record.folder / f"report.{language}.pdf"
    if path.is_symlink():  # a data folder that somebody sent may point anywhere
        path.unlink()
    try:
        with os.fdopen(open_plain(path, os.O_RDONLY | getattr(os, "O_BINARY", 0)), "rb") as kept:
            return kept.read()
    except FileNotFoundError:
        pass
    # The command writes where it is told to, links or no links: in a folder that nobody else can write.
    with tempfile.TemporaryDirectory() as folder:
        content = _made(Path(folder) / path.name, home, language, "runs", "report", record.run)
    write_atomically(path, lambda stream: stream.write(content))
    return content


def summary_pdf(home: Path, hour: str, language: Language) -> bytes:
    """A summary's report, drawn anew each time: the same hour may be published again.

    Args:
        home: the data folder.
        hour: `YYYY-MM-DDTHH`.
        language: of the report.

    Raises:
        WebError: `no_report`, with what the command said.
    """
    with tempfile.TemporaryDirectory() as folder:
        return _made(Path(folder) / "summary.pdf", home, language, "ensemble", "report", hour)


def _made(path: Path, home: Path, language: Language, *report: str) -> bytes:
    command = children.command("threadx", *report, "--format=pdf")
    try:
        made = subprocess.run(
            [*command, f"--out={path}", f"--language={language}", f"--home={home}"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=LONGEST_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise WebError("no_report", reason=because(error)) from None
    if made.returncode != 0 or not path.is_file():
        said = made.stderr.decode(errors="replace").strip().splitlines() or ["?"]
        raise WebError("no_report", reason=said[-1])
    return path.read_bytes()


def report_path(run: str) -> str:
    """Address of a run's report."""
    return f"{run_path(run)}/report.pdf"


def answer(site: Site, request: Request) -> Response:
    """The file to keep, or a line that says why there is none; in a thread: it may take a while."""
    try:
        record = RunRecord(site.home, request.path_params["run"])
        record.result()
        content = pdf(site.home, record, site.words.language)
    except ReportError:
        return PlainTextResponse(site.words("web.not_found.run"), 404)
    except ENDINGS as error:
        return PlainTextResponse(site.words.told(error), 500)
    kept_as = {"content-disposition": f'attachment; filename="{record.run}.pdf"'}
    return Response(content, media_type="application/pdf", headers=kept_as)
