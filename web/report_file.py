"""The report of a run as a PDF, made by the command where it is not there yet."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from prompts import Language
from reports.record import RunRecord
from web.errors import WebError

LONGEST_SECONDS = 300.0


def pdf(home: Path, record: RunRecord, language: Language) -> Path:
    """The file; a finished run's report never changes, so it is made once.

    Raises:
        WebError: `no_report`, with what the command said.
    """
    path = record.folder / f"report.{language}.pdf"
    if path.is_file():
        return path
    command = [sys.executable, "-m", "threadx", "runs", "report", record.run, "--format=pdf"]
    try:
        made = subprocess.run(
            [*command, f"--out={path}", f"--language={language}", f"--home={home}"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=LONGEST_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise WebError("no_report", reason=str(error)) from None
    if made.returncode != 0 or not path.is_file():
        said = made.stderr.decode(errors="replace").strip().splitlines() or ["?"]
        raise WebError("no_report", reason=said[-1])
    return path
