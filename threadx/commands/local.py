"""Commands and groups whose whole help speaks one language."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib import import_module
from typing import Any, get_args

import click

from prompts import Language, Words


class _Local:
    """Help option in the user's language."""

    words: Words

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        """Click's own, reworded."""
        option: click.Option | None = super().get_help_option(ctx)  # type: ignore[misc]  # click's class follows
        if option is not None:
            option.help = self.words("command.help.help")
        return option

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """How the command is called."""
        pieces = self.collect_usage_pieces(ctx)  # type: ignore[attr-defined]  # click's class follows
        prefix = self.words("command.help.usage") + " "
        formatter.write_usage(ctx.command_path, " ".join(pieces), prefix=prefix)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Every option in two columns; a group's commands after them."""
        if rows := list(self.option_rows(ctx).values()):
            with formatter.section(self.words("command.help.options")):
                formatter.write_dl(rows)
        if isinstance(self, click.Group):
            self.format_commands(ctx, formatter)

    def option_rows(self, ctx: click.Context) -> dict[str, tuple[str, str]]:
        """Both columns of each option by its name; what click adds in English is said in words of ours."""
        found = {}
        for one in self.get_params(ctx):  # type: ignore[attr-defined]  # click's class follows
            if isinstance(one, click.Option) and (told := one.get_help_record(ctx)):
                head, text = told
                default = self.words("command.help.default")
                found[str(one.name)] = (head, re.sub(r"\[default: (?=[^\[]*\]$)", f"[{default} ", text))
        return found


class LocalCommand(_Local, click.Command):
    """A command whose whole help speaks one language."""

    def __init__(self, *arguments: Any, words: Words, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.words = words


class LocalGroup(_Local, click.Group):
    """A group of such commands, which takes the language as they do."""

    def __init__(self, *arguments: Any, words: Words, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.words = words
        # `command.chosen_language` has read it already, wherever it stands: here it is only checked and told.
        self.params.append(
            click.Option(
                ["--language"],
                type=click.Choice(get_args(Language)),
                expose_value=False,
                help=words("command.option.language"),
            )
        )


class LazyGroup(LocalGroup):
    """A group that imports a command's file only to run it or to show its own help.

    Args:
        name: of the group.
        commands: names; each is built by `command(words)` in `threadx.commands.NAME`, and its short help is
            the first sentence of `command.help.NAME`.
    """

    def __init__(self, name: str, commands: Sequence[str], *, words: Words, **options: Any) -> None:
        super().__init__(name, words=words, **options)
        self.names = list(commands)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order given."""
        return self.names

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, imported now."""
        if cmd_name not in self.names:
            return None
        built: click.Command = import_module(f"threadx.commands.{cmd_name}").command(self.words)
        return built

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Names with the first sentence of each help."""
        rows = []
        for name in self.names:
            told = self.words(f"command.help.{name}")
            rows.append((name, re.split(r"\s*[:.]", told, maxsplit=1)[0] + "."))
        with formatter.section(self.words("command.help.commands")):
            formatter.write_dl(rows)
