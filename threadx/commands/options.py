"""Options that several commands share, and what they are turned into."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, get_args

import click
import pandas as pd

from backtest import GAP_POLICIES, GapPolicy, Risk, Sizing, StrategySpec
from backtest.files import write_text_atomically
from backtest.strategy import CONDITIONS
from market.datasets import Dataset, load_development, open_holdout, register
from market.errors import MarketError
from market.prices import PriceSource, read_prices
from market.reading import Decimal, Reading, window
from nodes.context import COST_NAMES
from prompts import Language, Words
from threadx.commands.local import LocalCommand
from threadx.errors import ThreadxError
from threadx.orchestrator import chain
from threadx.runner import make_reading

Function = TypeVar("Function", bound=Callable[..., Any])

SECTIONS: dict[str, tuple[str, ...]] = {
    "data": ("symbol", "timeframe", *Reading.model_fields, "gaps", "whole", "others"),
    "strategy": ("strategy", "pairs", "strategy_file", *CONDITIONS, "grids"),
    "costs": (*COST_NAMES, "fill"),
    "roles": (
        "analyst",
        "strategist",
        "validator",
        "roles",
        "no_validator",
        "no_debate",
        "debate_rounds",
        "approve",
        "cache_hours",
    ),
    "budgets": (
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


_WIDEST = 30
"""Letters of the left column; what is longer has a line of its own, as everywhere in click."""


class SectionedCommand(LocalCommand):
    """A command with many options: its help tells them under headings."""

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


def sectioned_command(name: str, words: Words) -> Callable[[Callable[..., Any]], click.Command]:
    """Decorator: the same for a command whose options stand in `SECTIONS`."""
    return _command(SectionedCommand, f"command.help.{name}", words, name)


def _command(
    kind: type[LocalCommand], key: str, words: Words, name: str
) -> Callable[[Callable[..., Any]], click.Command]:
    return click.command(name, cls=kind, words=words, help=words(key.replace("-", "_")))


def common(words: Words) -> Callable[[Function], Function]:
    """Decorator: `--home`, `--language`, `--debug`."""

    def decorate(function: Function) -> Function:
        for option in (
            click.option("--home", type=click.Path(), help=words("command.option.home")),
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


def json_option(words: Words) -> Callable[[Function], Function]:
    """Decorator: `--json PATH`."""
    return click.option("--json", "json_path", metavar="PATH", help=words("command.option.json"))


def price_file(words: Words) -> Callable[[Function], Function]:
    """Decorator: the price file, which instrument of it, how it is to be read, and what of missing bars."""

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
            click.argument("data", metavar="DATA"),
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


def take_reading(given: dict[str, Any]) -> Reading:
    """What the user knows about the price file, taken out of what a command was given."""
    return make_reading(**{name: given.pop(name) for name in Reading.model_fields})


def strategy(words: Words) -> Callable[[Function], Function]:
    """Decorator: which strategy, with which parameters, at what cost."""
    presets = ", ".join(StrategySpec.preset_names())

    def decorate(function: Function) -> Function:
        for option in (
            click.option(
                "--fill", type=click.Choice(["next_open", "close"]), help=words("command.option.fill")
            ),
            *(
                click.option(f"--{name.replace('_', '-')}", type=float, help=words(f"command.option.{name}"))
                for name in reversed(COST_NAMES)
            ),
            click.option("--exit-short", metavar="EXPR", help=words("command.option.exit_short")),
            click.option("--entry-short", metavar="EXPR", help=words("command.option.entry_short")),
            click.option("--exit-long", metavar="EXPR", help=words("command.option.exit_long")),
            click.option("--entry-long", metavar="EXPR", help=words("command.option.entry_long")),
            click.option("--strategy-file", type=click.Path(), help=words("command.option.strategy_file")),
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
                default="ma_crossover",
                show_default=True,
                help=words("command.option.strategy", presets=presets),
            ),
        ):
            function = option(function)
        return function

    return decorate


def take_costs(given: dict[str, Any]) -> dict[str, float | None]:
    """The options of cost, taken out of what a command was given."""
    return {name: given.pop(name) for name in COST_NAMES}


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
            click.option("--max-seconds", type=float, help=words("command.option.max_seconds")),
            click.option("--max-tokens", type=int, help=words("command.option.max_tokens")),
            click.option("--max-model-calls", type=int, help=words("command.option.max_model_calls")),
            click.option("--debate-rounds", type=int, help=words("command.option.debate_rounds")),
            click.option("--no-debate", is_flag=True, help=words("command.option.no_debate")),
            click.option("--no-validator", is_flag=True, help=words("command.option.no_validator")),
            *chains,
        ):
            function = option(function)
        return function

    return decorate


def chosen_roles(given: dict[str, Any]) -> dict[str, Any]:
    """Settings of the context from what `roles` took; what was not given is left out or None.

    Raises:
        ThreadxError: `no_model`.
    """
    settings = dict(given)
    for role in ("analyst", "strategist", "validator"):
        named = settings.pop(role)
        if named is not None:
            parts = tuple(part.strip() for part in named.split(",") if part.strip())
            if not parts:
                raise ThreadxError("no_model", role=role)
            settings[role] = chain(parts[0]) if len(parts) == 1 else parts
    settings["use_validator"] = False if settings.pop("no_validator") else None
    settings["use_debate"] = False if settings.pop("no_debate") else None
    settings["approve"] = settings.pop("approve", False) or None
    return settings


def parameters(pairs: tuple[str, ...]) -> dict[str, float | None]:
    """`("fast_period=5", "stop_loss_pct=none")` as a mapping.

    Raises:
        ThreadxError: `bad_pair`.
    """
    found: dict[str, float | None] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        try:
            number = None if value.strip().lower() in ("none", "off") else float(value)
        except ValueError:
            raise ThreadxError("bad_pair", pair=pair) from None
        if not equals or not name.strip():
            raise ThreadxError("bad_pair", pair=pair)
        found[name.strip()] = number
    return found


def take_strategy(given: dict[str, Any]) -> StrategySpec:
    """The strategy that the options describe, taken out of what a command was given.

    That is a file, conditions of one's own, or a preset.

    Raises:
        BacktestError: not a valid strategy.
        ThreadxError: `no_strategy_file`, `bad_strategy_file`, `bad_pair`.
    """
    name, strategy_file = given.pop("strategy"), given.pop("strategy_file")
    conditions = {place: given.pop(place) for place in CONDITIONS}
    values = parameters(given.pop("pairs"))
    if strategy_file is not None:
        path = Path(strategy_file)
        if not path.is_file():
            raise ThreadxError("no_strategy_file", path=strategy_file)
        try:
            whole = json.loads(path.read_text(encoding="utf-8"))
        except (ValueError, OSError) as error:
            raise ThreadxError("bad_strategy_file", path=strategy_file, reason=str(error)) from None
        return StrategySpec.model_validate(whole)
    if any(conditions.values()):
        groups: dict[str, dict[str, float | None]] = {"params": {}, "risk": {}, "sizing": {}}
        for key, value in values.items():
            if key in Risk.model_fields or key in Sizing.model_fields:
                groups["risk" if key in Risk.model_fields else "sizing"][key] = value
            elif value is not None:
                groups["params"][key] = value
        return StrategySpec(name="own", **groups, **conditions)
    return StrategySpec.preset(name, **values)


def registered_prices(
    data: str,
    symbol: str | None,
    timeframe: str | None,
    gaps: GapPolicy,
    folder: Path,
    *,
    reading: Reading,
    reader: str | None,
) -> tuple[pd.DataFrame, Dataset, PriceSource]:
    """Prices read, checked and registered: their development part, or every row where the holdout is opened.

    `reading.start` and `reading.end` choose among those rows: the whole file is registered, so that the
    holdout is that of the file, whatever part of it is looked at.

    Args:
        data: a file, or `sample:NAME`.
        symbol: taken from the data if None.
        timeframe: of a bar, refused where the prices contradict it.
        gaps: what to do where bars are missing.
        folder: the data folder.
        reading: what the user knows about the file, and which bars are wanted.
        reader: opens the holdout too; the opening is logged under this name. None: development rows only.

    Raises:
        MarketError, BacktestError: the data cannot be used; `window_in_holdout` where the bars asked for
            are reserved.
    """
    frame, source = read_prices(
        data, folder, gaps=gaps, timeframe=timeframe, symbol=symbol, reading=reading.whole
    )
    window(frame, reading)  # an empty or unreadable one is refused before anything is registered or opened
    dataset = register(frame, symbol=source.symbol, timeframe=source.timeframe, home=folder)
    if reader is None:
        development = load_development(dataset, folder)
        if window(frame, reading).index[0] > development.index[-1]:
            raise MarketError("window_in_holdout", start=reading.start, boundary=dataset.boundary)
        return window(development, reading), dataset, source
    return window(open_holdout(dataset, folder, reader=reader)[0], reading), dataset, source


def gap_note(source: PriceSource, words: Words) -> str | None:
    """What to tell of gaps: nothing of holidays, which sessions always have, unless they were filled."""
    if not source.gaps or (source.sessions and source.policy == "accept"):
        return None
    return words(
        f"command.gaps_{source.policy}ed",
        count=words.number(source.gaps, 0),
        missing=words.number(source.missing_bars, 0),
    )


def write_json(text: str, path: str | None) -> None:
    """The whole result to a file, or to standard output for `-`.

    Raises:
        ThreadxError: `unwritable_file`.
    """
    if path is None:
        return
    if path == "-":
        sys.stdout.write(text.rstrip("\n") + "\n")
        return
    try:
        write_text_atomically(Path(path), text.rstrip("\n") + "\n")
    except OSError as error:
        raise ThreadxError("unwritable_file", path=path, reason=str(error.strerror)) from None
