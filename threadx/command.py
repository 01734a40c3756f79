"""The `threadx` command: builds the commands in the chosen language, and turns errors into one line."""

from __future__ import annotations

import errno
import os
import sqlite3
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, TextIO, cast, get_args

import click

from base import children
from base.aside import taken
from base.errors import TypedError, shown_at
from base.plugins import NAMED
from base.reasons import NO_FAULT_OF_THE_ASKER, ReasonError, because, whole
from base.start import lean_start
from prompts import Language, Words
from threadx import console
from threadx.commands.local import LazyGroup
from threadx.errors import ThreadxError, ThreadxWarning
from threadx.plain import say
from threadx.usage import usage_line

DONE, FAILED, BAD_INPUT = 0, 1, 2
INTERRUPTED, NOBODY_READS = 130, 141
"""As shells tell a signal's end: 128 and its number."""

COMMANDS = (
    "backtest",
    "sweep",
    "optimize",
    "review",
    "ensemble",
    "data",
    "runs",
    "watch",
    "declare",
    "follow",
    "calibrate",
    "models",
    "indicators",
    "doctor",
    "ui",
    "mcp",
)


def chosen_language(arguments: Sequence[str]) -> Language:
    """`--language` wherever it stands, else THREADX_LANGUAGE, else French."""
    chosen = os.environ.get("THREADX_LANGUAGE") or "fr"
    for position, argument in enumerate(arguments):
        if argument == "--language" and position + 1 < len(arguments):
            chosen = arguments[position + 1]
        elif argument.startswith("--language="):
            chosen = argument.partition("=")[2]
    return cast(Language, chosen) if chosen in get_args(Language) else "fr"


class _Threadx(LazyGroup):
    """The whole command: it ends quietly where nobody reads what it says any more."""

    def make_context(self, *arguments: Any, **settings: Any) -> click.Context:
        """As click's; a help is told here."""
        with console.read_by_somebody():
            return super().make_context(*arguments, **settings)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that was asked for."""
        with console.read_by_somebody():
            return super().invoke(ctx)


def build(words: Words) -> click.Group:
    """Every command, its help in one language."""
    group = _Threadx(
        "threadx", COMMANDS, help=words("command.help.threadx"), words=words, no_args_is_help=True
    )
    group.params.append(
        click.Option(
            ["--version"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_tell_version,
            help=words("command.option.version"),
        )
    )
    group.params.append(
        click.Option(
            ["--plugin"],
            metavar="FILE.py",
            type=click.Path(path_type=Path),
            multiple=True,
            expose_value=False,
            callback=_add_plugins,
            help=words("command.option.plugin"),
        )
    )
    return group


def _add_plugins(context: click.Context, option: click.Parameter, files: tuple[Path, ...]) -> None:
    """Before the engine is imported; processes that this one starts hear of them too."""
    if files:
        given = [os.environ.get(NAMED, ""), *(str(path.resolve()) for path in files)]
        os.environ[NAMED] = os.pathsep.join(one for one in given if one)


def _tell_version(context: click.Context, option: click.Parameter, asked: bool) -> None:
    if asked and not context.resilient_parsing:
        say(f"threadx {version('threadx-quant')}")
        context.exit()


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and leave with its exit code.

    0 done, 1 the run failed, 2 bad usage or bad input, 130 interrupted, 141 nobody reads the output any more.
    """
    console.prepare()
    if arguments is None:  # the process is this command's alone
        lean_start()
    given = list(sys.argv[1:] if arguments is None else arguments)
    words = Words(chosen_language(given), "terminal")
    with shown_at("terminal"), children.safe_path(), _warnings_as_lines():
        code = _delivered(_run(given, words), words)
    sys.exit(code)


@contextmanager
def _warnings_as_lines() -> Iterator[None]:
    """Tell a warning of ours as it is: the place in the code helps nobody at a terminal."""
    with warnings.catch_warnings():
        usual = warnings.showwarning

        def show(
            message: Warning | str,
            category: type[Warning],
            filename: str,
            lineno: int,
            file: TextIO | None = None,
            line: str | None = None,
        ) -> None:
            if issubclass(category, ThreadxWarning):
                say(message, err=True)
            else:
                usual(message, category, filename, lineno, file, line)

        warnings.simplefilter("always", ThreadxWarning)
        warnings.showwarning = show
        yield


def _run(given: list[str], words: Words) -> int:
    """The command's exit code; what went wrong is told on standard error."""
    debug = "--debug" in given
    try:
        code = _called(given, words)
    except click.exceptions.NoArgsIsHelpError as error:
        say(error.format_message())
        return BAD_INPUT
    except click.ClickException as error:
        _complain(usage_line(error, words))
        return BAD_INPUT
    except click.Abort:
        _complain(words("command.interrupted"))
        return INTERRUPTED
    except console.NobodyReadsError:
        return NOBODY_READS
    except TypedError as error:
        error.language = words.language
        if debug:
            raise
        _complain(words.told(error))
        return FAILED if _failed(error) else BAD_INPUT
    except (OSError, sqlite3.Error) as error:
        if debug:
            raise
        return _refused_by_the_system(error, words)
    return code if isinstance(code, int) else DONE


def _refused_by_the_system(error: OSError | sqlite3.Error, words: Words) -> int:
    """What the system would not do and nobody nearer has told: full disks, closed doors, impossible names."""
    path = getattr(error, "filename", None)
    if path is None and _delivered(DONE, words) != DONE:
        return FAILED  # it was the output, and that is told
    told = whole(error)
    if path is None and getattr(error, "errno", None) == errno.EBADF:
        told = ThreadxError("full_output", reason=because(error))  # what was closed before the start
    _complain(words.told(told))
    return FAILED if _failed(told) else BAD_INPUT


def _failed(error: TypedError) -> bool:
    """Whether something broke, whatever was asked for."""
    if isinstance(error, ThreadxError) and error.code == "run_failed":
        return True
    if isinstance(error, ReasonError) and error.code in NO_FAULT_OF_THE_ASKER:
        return True
    return any(_failed(field) for field in error.fields.values() if isinstance(field, TypedError))


def _complain(told: object) -> None:
    """One line on standard error, where there is one."""
    try:
        say(told, err=True)
    except OSError:
        console.give_up(sys.stderr)


def _delivered(code: int, words: Words) -> int:
    """The exit code, changed where the output has not arrived."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        console.give_up(sys.stdout)
        code = NOBODY_READS
    except OSError as error:
        console.give_up(sys.stdout)
        _complain(words.told(ThreadxError("full_output", reason=because(error))))
        code = code or FAILED
    try:
        sys.stderr.flush()
    except OSError:
        console.give_up(sys.stderr)
    return code


def _called(given: Sequence[str], words: Words) -> Any:
    """Run the command; whatever comes of it, say which damaged files it put aside."""
    try:
        return build(words).main(list(given), prog_name="threadx", standalone_mode=False)
    finally:
        for one in taken():
            _complain(words(f"command.aside.{one.damage}", path=one.path, kept=one.kept))
