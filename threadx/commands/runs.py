"""`threadx runs`: what was run, why it came out so, taking up what was interrupted, and repeating it.

And what a person does with a run that is there: tag it, note something, put it away, delete it, share it,
keep a copy of it elsewhere.
"""

from __future__ import annotations

from typing import Any

import click

from prompts import Words
from threadx.commands import options, run_check
from threadx.commands.local import LocalGroup, work
from threadx.commands.output_path import OutputPath


def command(words: Words) -> click.Group:
    """Build the group."""
    group = LocalGroup("runs", help=words("command.help.runs"), words=words, no_args_is_help=True)

    @options.local_command("list", words)
    @click.option("--tag", "tags", multiple=True, metavar="TAG", help=words("command.option.listed_tag"))
    @click.option("--archived", is_flag=True, help=words("command.option.listed_archived"))
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

    for one in (listing, show, resume, run_check.command(words), replay, report, *_keeping(words)):
        group.add_command(one)
    return group


def _keeping(words: Words) -> list[click.Command]:
    """What a person does with a run."""

    @options.local_command("tag", words)
    @click.argument("run")
    @click.argument("tags", nargs=-1, metavar="[TAG]...")
    @click.option("--remove", multiple=True, metavar="TAG", help=words("command.option.tag_remove"))
    @options.common(words)
    def tag(**given: Any) -> Any:
        return work("run_kept", "tag", words, given)

    @options.local_command("note", words)
    @click.argument("run")
    @click.argument("told", required=False, metavar="[TEXT]")
    @click.option("--remove", is_flag=True, help=words("command.option.note_remove"))
    @options.common(words)
    def note(**given: Any) -> Any:
        return work("run_kept", "note", words, given)

    @options.local_command("archive", words)
    @click.argument("run")
    @click.option("--undo", is_flag=True, help=words("command.option.archive_undo"))
    @options.common(words)
    def archive(**given: Any) -> Any:
        return work("run_kept", "archive", words, given)

    @options.local_command("delete", words)
    @click.argument("runs", nargs=-1, required=True, metavar="RUN...")
    @click.option("--yes", is_flag=True, help=words("command.option.delete_yes"))
    @options.common(words)
    def delete(**given: Any) -> Any:
        return work("run_kept", "delete", words, given)

    @options.local_command("export", words)
    @click.argument("run")
    @click.argument("path", required=False, type=OutputPath(), metavar="[PATH]")
    @options.common(words)
    def export(**given: Any) -> Any:
        return work("run_shared", "export", words, given)

    @options.local_command("import", words)
    @click.argument("path", metavar="PATH")
    @click.option("--as", "name", metavar="RUN", help=words("command.option.import_as"))
    @options.common(words)
    def take(**given: Any) -> Any:
        return work("run_shared", "take", words, given)

    @options.local_command("copy", words)
    @click.argument("runs", nargs=-1, metavar="[RUN]...")
    @options.common(words)
    def copy(**given: Any) -> Any:
        return work("run_copies", "copy", words, given)

    @options.local_command("fetch", words)
    @click.argument("runs", nargs=-1, metavar="[RUN]...")
    @click.option("--list", "listed", is_flag=True, help=words("command.option.fetch_list"))
    @options.common(words)
    def fetch(**given: Any) -> Any:
        return work("run_copies", "fetch", words, given)

    return [tag, note, archive, delete, export, take, copy, fetch]
