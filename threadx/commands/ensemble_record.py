"""`threadx ensemble history` and `score`: what was published, and what became of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from nodes.ensemble.schemas import DAYS
from prompts import Words
from threadx.commands import options
from threadx.commands.local import work
from threadx.commands.output_path import OutputPath


def _picture_option(key: str, words: Words) -> Callable[[options.Function], options.Function]:
    return click.option("--picture", type=OutputPath(), metavar="PATH", help=words(f"ensemble.option.{key}"))


def history(words: Words) -> click.Command:
    """Build `history`."""

    @options.local_command("history", words, room="ensemble")
    @click.option("--count", type=click.IntRange(min=1), default=24, help=words("ensemble.option.count"))
    @_picture_option("history_picture", words)
    @options.json_option(words)
    @options.common(words)
    def command(**given: Any) -> Any:
        return work("ensemble_record", "history", words, given)

    return command


def score(words: Words) -> click.Command:
    """Build `score`."""

    @options.local_command("score", words, room="ensemble")
    @click.option("--as-of", metavar="ISO", help=words("ensemble.option.score_as_of"))
    @click.option("--data", metavar="DIR", help=words("command.option.partitions"))
    @_picture_option("score_picture", words)
    @click.option(
        "--picture-horizon",
        type=click.Choice(tuple(DAYS)),
        default="7d",
        show_default=True,
        help=words("ensemble.option.picture_horizon"),
    )
    @options.json_option(words)
    @options.common(words)
    def command(**given: Any) -> Any:
        return work("ensemble_record", "score", words, given)

    return command
