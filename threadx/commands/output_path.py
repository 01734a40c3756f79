"""A file that a command is to write: what cannot be is said before the work, not after."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import click

from base.paths import typed_path
from base.reasons import because
from threadx.errors import ThreadxError


class OutputPath(click.ParamType[str, Any]):
    """The path of a file to write, or `-`. A device, a pipe and a link are written through."""

    name = "path"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The path with `~` opened.

        Raises:
            PathError: no file can be called so.
            ThreadxError: `no_output_folder`, or `unwritable_file`: it is a folder, or lies in one that is
                locked.
            OSError: the system refuses to look.
        """
        if value == "-":
            return "-"
        path = typed_path(value)
        if path.is_dir():
            raise _unwritable(path, errno.EISDIR)
        if not path.exists():
            folder = path.parent if not path.is_symlink() else path.resolve().parent
            if not folder.is_dir():
                raise ThreadxError("no_output_folder", path=str(path), folder=str(folder))
            if not os.access(folder, os.W_OK | os.X_OK):
                raise _unwritable(path, errno.EACCES)
        return str(path)


def _unwritable(path: Path, number: int) -> ThreadxError:
    return ThreadxError("unwritable_file", path=str(path), reason=because(OSError(number, "")))
