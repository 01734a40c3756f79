"""The `threadx` command: builds the commands in the chosen language, and turns errors into one line."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import cast, get_args

import click

from base.errors import TypedError
from prompts import Language, Words
from threadx import console
from threadx.commands.local import LazyGroup
from threadx.errors import ThreadxError
from threadx.plain import say
from threadx.usage import usage_line

DONE, FAILED, BAD_INPUT = 0, 1, 2

COMMANDS = (
    "backtest",
    "sweep",
    "optimize",
    "review",
    "ensemble",
    "data",
    "runs",
    "calibrate",
    "doctor",
    "ui",
)


def chosen_language(arguments: Sequence[str]) -> Language:
    """`--language` wherever it stands, else THREADX_LANGUAGE, else French."""
    chosen = os.environ.get("THREADX_LANGUAGE", "fr")
    for position, argument in enumerate(arguments):
        if argument == "--language" and position + 1 < len(arguments):
            chosen = arguments[position + 1]
        elif argument.startswith("--language="):
            chosen = argument.partition("=")[2]
    return cast(Language, chosen) if chosen in get_args(Language) else "fr"


def build(words: Words) -> click.Group:
    """Every command, its help in one language."""
    group = LazyGroup(
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
    return group


def _tell_version(context: click.Context, option: click.Parameter, asked: bool) -> None:
    if asked and not context.resilient_parsing:
        say(f"threadx {version('threadx')}")
        context.exit()


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and leave with its exit code: 0 done, 1 the run failed, 2 bad usage or bad input."""
    console.prepare()
    given = list(sys.argv[1:] if arguments is None else arguments)
    words = Words(chosen_language(given))
    try:
        code = build(words).main(given, prog_name="threadx", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        say(error.format_message())
        sys.exit(BAD_INPUT)
    except click.ClickException as error:
        say(usage_line(error, words), err=True)
        sys.exit(BAD_INPUT)
    except click.Abort:
        say(words("command.interrupted"), err=True)
        sys.exit(130)
    except TypedError as error:
        error.language = words.language
        if "--debug" in given:
            raise
        say(error, err=True)
        sys.exit(FAILED if isinstance(error, ThreadxError) and error.code == "run_failed" else BAD_INPUT)
    sys.exit(code if isinstance(code, int) else DONE)
