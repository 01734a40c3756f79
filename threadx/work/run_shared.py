"""`threadx runs export | import`: a run as one file, and one that somebody else made."""

from __future__ import annotations

import sys
from pathlib import Path

from base.files import write_atomically
from base.plain_files import read_plain
from base.reasons import because
from nodes.sharing import ENDING, LARGEST, share_run, take_in
from prompts import Words
from record.errors import ReportError
from threadx.errors import ThreadxError
from threadx.plain import say
from threadx.settings import home_folder


def export(words: Words, run: str, path: str | None, home: str | None, language: str, debug: bool) -> None:
    """A finished run as one file.

    Raises:
        ThreadxError: `unwritable_file`.
    """
    content = share_run(run, home_folder(home))
    if path == "-":
        sys.stdout.buffer.write(content)
        return
    target = Path(path or f"{run}{ENDING}")
    try:
        write_atomically(target, lambda stream: stream.write(content), named=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise ThreadxError("unwritable_file", path=str(target), reason=because(error)) from None
    say(words("command.kept.shared", run=run, path=str(target)))


def take(words: Words, path: str, name: str | None, home: str | None, language: str, debug: bool) -> None:
    """A run of somebody else's kept here, marked as such.

    Raises:
        ReportError: `not_a_shared_run`.
    """
    try:
        content = read_plain(Path(path), LARGEST)
    except OSError as error:
        raise ReportError("not_a_shared_run", path=path, reason=because(error)) from None
    record = take_in(content, home_folder(home), name=name, path=path)
    say(words("command.kept.taken_in", run=record.run))
