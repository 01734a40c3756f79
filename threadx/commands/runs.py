"""`threadx runs`: what was run, why it came out so, taking up what was interrupted, and repeating it."""

from __future__ import annotations

from typing import Any

import click

from prompts import Words
from threadx.commands import options, run_check
from threadx.commands.local import LocalGroup, work


def command(words: Words) -> click.Group:
    """Build the group."""
    group = LocalGroup("runs", help=words("command.help.runs"), words=words, no_args_is_help=True)

    @options.local_command("list", words)
    @options.json_option(words)
    @options.common(words)
    def listing(**given: Any) -> Any:
        return work("run_list", "listing", words, given)

    @options.local_command("show", words)
    @click.argument("run")
    @click.option("--explain", is_flag=True, help=words("command.option.explain"))
    @options.json_option(words)
    @options.common(words)
    def show(**given: Any) -> Any:
        return work("run_show", "show", words, given)

    @options.editing_command("resume", words)
    @click.argument("run")
    @click.option("--accept", metavar="N[,N…]", help=words("command.option.accept"))
    @click.option("--reject", metavar="N[,N…]", help=words("command.option.reject"))
    @click.option("--edit", metavar="FILE", help=words("command.option.edit"))
    @options.json_option(words)
    @options.common(words)
    def resume(**given: Any) -> Any:
        return work("run_again", "resume", words, given)

    @options.local_command("replay", words)
    @click.argument("run")
    @options.json_option(words)
    @options.common(words)
    def replay(**given: Any) -> Any:
        return work("run_again", "replay", words, given)

    @options.local_command("report", words)
    @click.argument("run")
    @options.report_form(words)
    @options.common(words)
    def report(**given: Any) -> Any:
        return work("run_report", "report", words, given)

    for one in (listing, show, resume, run_check.command(words), replay, report):
        group.add_command(one)
    return group
