"""`threadx indicators`: the library of functions that people and models have written."""

from __future__ import annotations

from typing import Any

import click

from prompts import Words
from threadx.commands import options
from threadx.commands.local import LocalGroup, work
from threadx.commands.output_path import OutputPath


def command(words: Words) -> click.Group:
    """Build the group."""
    group = LocalGroup("indicators", help=words("command.help.indicators"), words=words, no_args_is_help=True)
    name = click.argument("name", metavar="NAME")

    @options.local_command("list", words, room="code")
    @options.json_option(words)
    @options.common(words)
    def listing(**given: Any) -> Any:
        return work("indicators", "listing", words, given)

    @options.local_command("show", words, room="code")
    @name
    @options.json_option(words)
    @options.common(words)
    def show(**given: Any) -> Any:
        return work("indicators", "show", words, given)

    @options.local_command("export", words, room="code")
    @name
    @click.option("--out", type=OutputPath(), metavar="PATH", help=words("code.option.out"))
    @options.common(words)
    def export(**given: Any) -> Any:
        return work("indicators", "export", words, given)

    @options.local_command("remove", words, room="code")
    @name
    @options.common(words)
    def remove(**given: Any) -> Any:
        return work("indicators", "remove", words, given)

    @options.local_command("add", words, room="code")
    @click.argument("file", metavar="PATH")
    @options.json_option(words)
    @options.common(words)
    def add(**given: Any) -> Any:
        return work("indicators", "add", words, given)

    for one in (listing, show, add, export, remove):
        group.add_command(one)
    return group
