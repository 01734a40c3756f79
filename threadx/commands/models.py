"""`threadx models`: what is there, what fits, what is chosen; circuit breakers closed by hand."""

from __future__ import annotations

from typing import Any

import click

from prompts import Words
from threadx.commands import options
from threadx.commands.local import LocalGroup, work


def command(words: Words) -> click.Group:
    """Build the group."""
    group = LocalGroup("models", help=words("command.help.models"), words=words, no_args_is_help=True)

    @options.local_command("list", words, room="models")
    @options.json_option(words)
    @options.common(words)
    def listing(**given: Any) -> Any:
        return work("models", "listing", words, given)

    @options.local_command("suggest", words, room="models")
    @options.json_option(words)
    @options.common(words)
    def suggest(**given: Any) -> Any:
        return work("models", "suggest", words, given)

    @options.local_command("test", words, room="models")
    @click.argument("models", metavar="MODEL…", nargs=-1, required=True)
    @click.option("--minutes", type=options.POSITIVE, help=words("models.option.minutes"))
    @options.json_option(words)
    @options.common(words)
    def test(**given: Any) -> Any:
        return work("models_test", "test", words, given)

    @options.local_command("use", words, room="models")
    @click.argument("models", metavar="[MODEL[,MODEL…]]", required=False)
    @click.option(
        "--role",
        "roles",
        multiple=True,
        type=click.Choice(["analyst", "strategist", "validator", "models"]),
        help=words("models.option.role"),
    )
    @click.option("--forget", is_flag=True, help=words("models.option.forget"))
    @options.common(words)
    def use(**given: Any) -> Any:
        if given["models"] is None and not given["forget"]:
            raise click.MissingParameter(
                param=click.Argument(["models"], metavar="MODEL"), ctx=click.get_current_context()
            )
        return work("models", "use", words, given)

    @options.local_command("reset", words, room="models")
    @click.argument("models", metavar="[MODEL…]", nargs=-1)
    @options.common(words)
    def reset(**given: Any) -> Any:
        return work("models", "reset", words, given)

    for one in (listing, suggest, test, use, reset):
        group.add_command(one)
    return group
