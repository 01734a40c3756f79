"""Commands and groups whose whole help speaks one language."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, get_args

import click

from base.plugins import Kind, plugins
from base.start import imported
from prompts import Language, Words
from threadx.console import waiting
from threadx.errors import ThreadxError
from threadx.plain import say

_CHILDREN = {
    "base.arrow_child": {"parquet", "feather"},
    "reports.drawing_child": {"png", "svg", "pdf"},
}
"""Endings of files that are read or written in a child of `base.bounded`."""

_REGISTRIES: dict[Kind, str] = {
    "indicators": "backtest.language.functions",
    "providers": "providers.registry",
    "agents": "nodes.ensemble.agents",
    "changes": "nodes.optimization.changes",
    "stress": "backtest.validation.stress",
    "strategies": "backtest.coded.taking",
}
"""What takes in the plugins of a kind when it is imported."""

_NUMBA_SETTINGS = ".numba_config.yaml"
"""Numba reads it in the working directory; it may name a cache, whose files run code when they are read."""


def work(module: str, function: str, words: Words, given: dict[str, Any]) -> Any:
    """Run a function of `threadx.work`, imported only now: help and completion wait for no engine.

    Args:
        module: file in `threadx.work`.
        function: in it.
        words: its first argument.
        given: every option of the command, by name.

    Returns:
        What the function returns: an exit code, or None for 0.
    """
    _start_children(given)
    with waiting(words("command.progress.starting")):
        called = getattr(import_module(f"threadx.work.{module}"), function)
    imported()
    kernels = sys.modules.get("backtest.kernels.compile")
    if (
        kernels is None or not sys.stderr.isatty()
    ):  # who waits at a terminal wonders; a file of errors does not
        return called(words, **given)
    with kernels.compilation_told(lambda: say(words("command.compiling"), err=True)):
        return called(words, **given)


def _start_children(given: dict[str, Any]) -> None:
    """Have the children that these files will need start while the engine is imported."""
    files = {str(value).lower().rpartition(".")[2] for value in given.values() if value is not None}
    for child, suffixes in _CHILDREN.items():
        if files & suffixes:
            import_module("base.bounded").warm(child)


def compiled_engine() -> Path:
    """Where numba keeps the engine's machine code, once it is made; nothing is imported to know it."""
    spec = find_spec("backtest")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "kernels" / "__pycache__"


class _Local(click.Command):
    """Help in the user's language, what click adds to it included."""

    words: Words

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        """Click's own, reworded."""
        option = super().get_help_option(ctx)
        if option is not None:
            option.help = self.words("command.help.help")
        return option

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """How the command is called."""
        prefix = self.words("command.help.usage") + " "
        formatter.write_usage(ctx.command_path, " ".join(self.collect_usage_pieces(ctx)), prefix=prefix)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Every option in two columns."""
        if rows := list(self.option_rows(ctx).values()):
            with formatter.section(self.words("command.help.options")):
                formatter.write_dl(rows)

    def option_rows(self, ctx: click.Context) -> dict[str, tuple[str, str]]:
        """Both columns of each option by its name; what click adds in English is said in words of ours."""
        default, required = self.words("command.help.default"), self.words("command.help.required")
        found = {}
        for one in self.get_params(ctx):
            if isinstance(one, click.Option) and (told := one.get_help_record(ctx)):
                head, text = told
                text = re.sub(r"\[default: (?=[^\[]*\]$)", f"[{default} ", text)
                text = re.sub(r"(?<=[\[ ])required\]$", f"{required}]", text)
                found[str(one.name)] = (head, text)
        return found


class LocalCommand(_Local):
    """A command whose whole help speaks one language."""

    def __init__(self, *arguments: Any, words: Words, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.words = words

    def invoke(self, ctx: click.Context) -> Any:
        """Run it, unless a variable of ours is misspelt or the folder would configure numba.

        Raises:
            SettingError: `unknown_variable`.
            BadParameter: an option or argument was given without anything in it.
            ThreadxError: `numba_configured`.
            PluginError: one that was asked for by `--plugin` cannot be used.
        """
        for one in self.params:
            given = ctx.params.get(str(one.name))
            if any(isinstance(part, str) and not part.strip() for part in _each(given)):
                raise click.BadParameter(self.words("command.usage.empty"), ctx, one)
        if Path(_NUMBA_SETTINGS).is_file():
            raise ThreadxError("numba_configured", name=_NUMBA_SETTINGS, folder=str(Path.cwd()))
        if sys.stderr.isatty() and not any(compiled_engine().glob("*.nbi")):
            say(self.words("command.progress.first_start"), err=True)
        with waiting(self.words("command.progress.starting")):
            import_module(
                "nodes.given"
            ).check_environment()  # only now: help and completion wait for no engine
        for plugin in plugins():
            if plugin.kind is not None:
                import_module(_REGISTRIES[plugin.kind])
            if plugin.error is not None and plugin.way == "option":
                raise plugin.error
            if plugin.error is not None:
                say(plugin.error.sentence(self.words.language), err=True)
        return super().invoke(ctx)


def _each(given: Any) -> Sequence[Any]:
    return given if isinstance(given, tuple) else (given,)


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

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The group's options, then its commands."""
        super().format_options(ctx, formatter)
        with formatter.section(self.words("command.help.commands")):
            formatter.write_dl(self.command_rows(ctx))

    def command_rows(self, ctx: click.Context) -> list[tuple[str, str]]:
        """Names with the first sentence of each help."""
        found = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        return [(name, _first_sentence(one.help or "")) for name, one in found if one is not None]


def _first_sentence(told: str) -> str:
    return re.split(r"\s*[:.]", told, maxsplit=1)[0] + "."


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

    def command_rows(self, ctx: click.Context) -> list[tuple[str, str]]:
        """The same, without importing anything."""
        return [(name, _first_sentence(self.words(f"command.help.{name}"))) for name in self.names]
