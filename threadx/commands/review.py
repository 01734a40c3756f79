"""`threadx review`: a backtest read, discussed and left as it is."""

from __future__ import annotations

from typing import Any

import click

from prompts import Words
from threadx.api import begin
from threadx.commands import options
from threadx.commands.outcome import show_outcome
from threadx.terminal import Terminal


def command(words: Words) -> click.Command:
    """Build the command."""

    @options.sectioned_command("review", words)
    @options.prices(words)
    @options.strategy(words)
    @options.roles(words)
    @click.option("--seed", type=int, help=words("command.option.seed"))
    @click.option("--run", help=words("command.option.run"))
    @options.json_option(words)
    @options.common(words)
    def review(
        data: str,
        symbol: str | None,
        timeframe: str | None,
        strategy: str,
        pairs: tuple[str, ...],
        strategy_file: str | None,
        entry_long: str | None,
        exit_long: str | None,
        entry_short: str | None,
        exit_short: str | None,
        run: str | None,
        json_path: str | None,
        language: str,
        debug: bool,
        **settings: Any,
    ) -> int:
        conditions = {
            "entry_long": entry_long,
            "exit_long": exit_long,
            "entry_short": entry_short,
            "exit_short": exit_short,
        }
        spec = options.chosen_strategy(strategy, pairs, strategy_file, conditions)
        chosen = options.chosen_roles(settings)
        terminal = Terminal(words)
        with terminal.progress() as watch:
            outcome = begin(
                "review",
                data,
                spec,
                None,
                symbol=symbol,
                timeframe=timeframe,
                run=run,
                watch=watch,
                language=language,
                **chosen,
            )
        return show_outcome(terminal, outcome, json_path)

    return review
