"""Options that several commands share."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from itertools import zip_longest
from typing import Any, TypeVar, get_args

import click

from backtest import GAP_POLICIES, PRESETS
from backtest.types import CANCELS, COST_NAMES, LEVELS, PLACES
from prompts import Language, Words
from reports.forms import FORMATS
from threadx.commands import edits
from threadx.commands.local import LocalCommand
from threadx.commands.output_path import OutputPath
from threadx.defaults import STRATEGY
from threadx.home import left_behind_line
from threadx.plain import say
from vault.home import default_home, platform_home
from vault.readers.options import Decimal, Reading

Function = TypeVar("Function", bound=Callable[..., Any])


class _Positive(click.FloatRange):
    """A number of more than 0, and one that can be counted to: `nan` and `inf` pass a plain range."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(str(value), param, ctx)
        return number


POSITIVE = _Positive(min=0, min_open=True)


SECTIONS: dict[str, tuple[str, ...]] = {
    "data": ("symbol", "timeframe", *Reading.model_fields, "gaps", "whole", "others", "each", "timeframes"),
    "strategy": ("strategy", "pairs", "strategy_file", *PLACES, "tables", "declared", "grids"),
    "portfolio": ("weights", "rebalance", "max_leverage", "cash_yield_pct"),
    "costs": (*COST_NAMES, "fill", "capital"),
    "roles": (
        "analyst",
        "strategist",
        "validator",
        "roles",
        "no_validator",
        "no_debate",
        "debate_rounds",
        "approve",
        "allow_code",
        "named",
        "cache_hours",
        "deadlines",
    ),
    "budgets": (
        "search",
        "ranges",
        "max_iterations",
        "convergence_threshold",
        "patience",
        "target_score",
        "max_backtests",
        "max_model_calls",
        "max_tokens",
        "max_seconds",
        "seed",
    ),
    "place": ("engine", "address", "free_models"),
    "output": (
        "rank_by",
        "top",
        "out",
        "picture_path",
        "picture_axes",
        "run",
        "json_path",
        "home",
        "language",
        "debug",
    ),
}
"""Parameters of the commands about strategies, in the order in which their help tells them; others end it."""


OF_FILE = re.compile(r"[^-].*\.py(:\w+)?", re.IGNORECASE)
"""A strategy's file, and perhaps its class."""

APPROVALS = ("all", "code")
"""What a person may want to decide upon before it is tested."""

_WIDEST = 30
"""Letters of the left column; what is longer has a line of its own, as everywhere in click."""


class EditingCommand(LocalCommand):
    """A command that takes changes from a file: its help ends with the form of the file and every kind."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The options, then an example of each kind, on lines that are not broken."""
        super().format_options(ctx, formatter)
        with formatter.section(self.words("command.help.edit_file")):
            for kind in edits.CHANGES:
                formatter.write(f"  {edits.example(kind)}\n")


class SectionedCommand(LocalCommand):
    """A command with many options: its help tells them under headings.

    A Python file among its arguments is the strategy: `threadx backtest mine.py prices.parquet`.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """The arguments, a strategy's file told as `--strategy` tells it.

        `--approve` alone does not take the prices behind it for its value.
        """
        args = [
            "--approve=all" if one == "--approve" and after not in APPROVALS else one
            for one, after in zip_longest(args, args[1:])
        ]
        valued = {
            name
            for one in self.params
            if isinstance(one, click.Option) and not one.is_flag
            for name in one.opts
        }
        if any(one.name == "strategy" for one in self.params):
            places = [
                place
                for place, (before, one) in enumerate(zip(["", *args], args, strict=False))
                if OF_FILE.fullmatch(one) and before not in valued
            ]
            for place in places[:1]:
                args = [*args[:place], *args[place + 1 :], "--strategy", args[place]]
        return super().parse_args(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Every option once, in its section, all sections in the same two columns."""
        records = self.option_rows(ctx)
        named = {name for names in SECTIONS.values() for name in names}
        others = tuple(name for name in records if name not in named)
        width = max((len(head) for head, _ in records.values() if len(head) <= _WIDEST), default=0)
        for section, names in SECTIONS.items():
            listed = (*names, *others) if section == "output" else names
            rows = [(records[name][0].ljust(width), records[name][1]) for name in listed if name in records]
            if rows:
                with formatter.section(self.words(f"command.section.{section}")):
                    formatter.write_dl(rows, col_max=_WIDEST)


def local_command(
    name: str, words: Words, *, shown_as: str | None = None, room: str = "command"
) -> Callable[[Callable[..., Any]], click.Command]:
    """Decorator: a command whose help is `<room>.help.<name>`, perhaps under another name."""
    return _command(LocalCommand, f"{room}.help.{name}", words, shown_as or name)


def editing_command(name: str, words: Words) -> Callable[[Callable[..., Any]], click.Command]:
    """Decorator: the same for a command whose help ends with what `--edit` takes."""
    return _command(EditingCommand, f"command.help.{name}", words, name)


def sectioned_command(name: str, words: Words) -> Callable[[Callable[..., Any]], click.Command]:
    """Decorator: the same for a command whose options stand in `SECTIONS`."""
    return _command(SectionedCommand, f"command.help.{name}", words, name)


def _command(
    kind: type[LocalCommand], key: str, words: Words, name: str
) -> Callable[[Callable[..., Any]], click.Command]:
    return click.command(name, cls=kind, words=words, help=words(key.replace("-", "_")))


def approve(words: Words) -> Callable[[Function], Function]:
    """Decorator: `--approve`, with or without `code`."""
    return click.option(
        "--approve",
        type=click.Choice(APPROVALS),
        is_flag=False,
        flag_value="all",
        help=words("command.option.approve"),
    )


def common(words: Words) -> Callable[[Function], Function]:
    """Decorator: `--home`, `--language`, `--debug`."""

    def decorate(function: Function) -> Function:
        for option in (
            click.option(
                "--home",
                metavar="PATH",
                callback=lambda context, option, given: _home(given, words),
                help=words("command.option.home", folder=platform_home()),
            ),
            click.option(
                "--language",
                type=click.Choice(get_args(Language)),
                default=words.language,
                help=words("command.option.language"),
            ),
            click.option("--debug", is_flag=True, help=words("command.option.debug")),
        ):
            function = option(function)
        return function

    return decorate


def _home(given: str | None, words: Words) -> str:
    """The data folder; whoever chose none is told of one that lies in `./data`."""
    if line := left_behind_line(given, words.language):
        say(line, err=True)
    return default_home() if given is None else given


def json_option(words: Words) -> Callable[[Function], Function]:
    """Decorator: `--json PATH`."""
    return click.option(
        "--json", "json_path", type=OutputPath(), metavar="PATH", help=words("command.option.json")
    )


def price_file(words: Words, *, several: bool = False) -> Callable[[Function], Function]:
    """Decorator: the price file, which instrument of it, how it is to be read, and what of missing bars.

    Args:
        words: in the user's language.
        several: whether there may be more than one.
    """

    def decorate(function: Function) -> Function:
        for option in (
            *(_reading_option(name, words) for name in reversed(Reading.model_fields)),
            click.option(
                "--gaps",
                type=click.Choice(GAP_POLICIES),
                default="accept",
                show_default=True,
                help=words("command.option.gaps"),
            ),
            click.option("--timeframe", help=words("command.option.timeframe")),
            click.option("--symbol", help=words("command.option.symbol")),
            (
                click.argument("data", metavar="DATA...", nargs=-1, required=True)
                if several
                else click.argument("data", metavar="DATA")
            ),
        ):
            function = option(function)
        return function

    return decorate


def _reading_option(name: str, words: Words) -> Callable[[Function], Function]:
    """The option of one field of `Reading`."""
    told = words(f"command.option.{name}")
    option = f"--{name.replace('_', '-')}"
    if Reading.model_fields[name].annotation is bool:
        return click.option(option, is_flag=True, help=told)
    choices = get_args(Decimal) if name == "decimal" else None
    return click.option(option, type=click.Choice(choices) if choices else str, help=told)


def strategy(words: Words) -> Callable[[Function], Function]:
    """Decorator: which strategy, with which parameters, at what cost."""
    presets = ", ".join(PRESETS)

    def decorate(function: Function) -> Function:
        for option in (
            click.option(
                "--fill", type=click.Choice(["next_open", "close"]), help=words("command.option.fill")
            ),
            *(
                click.option(f"--{name.replace('_', '-')}", type=float, help=words(f"command.option.{name}"))
                for name in reversed(COST_NAMES)
            ),
            *(
                click.option(
                    f"--{name.replace('_', '-')}", metavar="EXPR", help=words(f"command.option.{name}")
                )
                for name in reversed((*LEVELS, *CANCELS))
            ),
            click.option("--exit-short", metavar="EXPR", help=words("command.option.exit_short")),
            click.option("--entry-short", metavar="EXPR", help=words("command.option.entry_short")),
            click.option("--exit-long", metavar="EXPR", help=words("command.option.exit_long")),
            click.option("--entry-long", metavar="EXPR", help=words("command.option.entry_long")),
            click.option("--strategy-file", metavar="PATH", help=words("command.option.strategy_file")),
            click.option(
                "--param",
                "-p",
                "pairs",
                multiple=True,
                metavar="NAME=VALUE",
                help=words("command.option.param"),
            ),
            click.option(
                "--strategy",
                "-s",
                default=STRATEGY,
                show_default=True,
                help=words("command.option.strategy", presets=presets),
            ),
        ):
            function = option(function)
        return function

    return decorate


def further(words: Words) -> Callable[[Function], Function]:
    """Decorator: tables beside the prices, and what their series are."""

    def decorate(function: Function) -> Function:
        for option in (
            click.option(
                "--input",
                "declared",
                multiple=True,
                metavar="NAME=KIND[,UNIT][,KNOWN]",
                help=words("command.option.input"),
            ),
            click.option(
                "--with", "tables", multiple=True, metavar="NAME=FILE", help=words("command.option.with")
            ),
        ):
            function = option(function)
        return function

    return decorate


def deadlines(words: Words) -> Callable[[Function], Function]:
    """Decorator: how long a call of a model may take."""
    return click.option("--deadlines", metavar="NAME=S[,NAME=S…]", help=words("command.option.deadlines"))


def roles(words: Words) -> Callable[[Function], Function]:
    """Decorator: who answers, and which of the roles take part."""

    def decorate(function: Function) -> Function:
        chains = [
            click.option(
                f"--{role}",
                metavar="MODEL[,MODEL…]",
                help=words("command.option.models", role=words(f"report.role.{role}")),
            )
            for role in ("validator", "strategist", "analyst")
        ]
        for option in (
            click.option("--cache-hours", type=float, help=words("command.option.cache_hours")),
            deadlines(words),
            click.option("--max-seconds", type=float, help=words("command.option.max_seconds")),
            click.option("--max-tokens", type=int, help=words("command.option.max_tokens")),
            click.option("--max-model-calls", type=int, help=words("command.option.max_model_calls")),
            click.option("--debate-rounds", type=int, help=words("command.option.debate_rounds")),
            click.option("--named", is_flag=True, help=words("command.option.named")),
            click.option("--no-debate", is_flag=True, help=words("command.option.no_debate")),
            click.option("--no-validator", is_flag=True, help=words("command.option.no_validator")),
            *chains,
        ):
            function = option(function)
        return function

    return decorate


def engine(words: Words, *kinds: str, about: str = "engine") -> Callable[[Function], Function]:
    """Decorator: `--engine` and `--address`.

    Args:
        words: in the user's language.
        *kinds: of `backtest.engine.engines.ENGINES`, those that the command can use.
        about: the text that says what they are.
    """

    def decorate(function: Function) -> Function:
        for option in (
            click.option("--address", metavar="tcp://HOST:PORT", help=words("command.option.address")),
            click.option("--engine", type=click.Choice(kinds), help=words(f"command.option.{about}")),
        ):
            function = option(function)
        return function

    return decorate


def report_form(words: Words) -> Callable[[Function], Function]:
    """Decorator: `--format` and `--out` of a report."""

    def decorate(function: Function) -> Function:
        for option in (
            click.option("--out", type=OutputPath(), metavar="PATH", help=words("command.option.report_out")),
            click.option(
                "--format",
                "form",
                type=click.Choice(FORMATS),
                default="md",
                show_default=True,
                help=words("command.option.format"),
            ),
        ):
            function = option(function)
        return function

    return decorate
