"""`threadx optimize`: the optimisation cycle, with progress and a final table."""

from __future__ import annotations

from typing import Any

import click

from backtest import GapPolicy
from prompts import Words
from threadx.api import begin
from threadx.commands import options
from threadx.commands.outcome import show_outcome
from threadx.terminal import Terminal


def command(words: Words) -> click.Command:
    """Build the command."""

    @options.local_command("optimize", words)
    @options.prices(words)
    @options.strategy(words)
    @options.roles(words)
    @click.option("--roles", type=click.Choice(["team", "single"]), help=words("command.option.roles"))
    @click.option("--approve", is_flag=True, help=words("command.option.approve"))
    @click.option("--max-iterations", type=int, help=words("command.option.max_iterations"))
    @click.option("--max-backtests", type=int, help=words("command.option.max_backtests"))
    @click.option("--convergence-threshold", type=float, help=words("command.option.convergence_threshold"))
    @click.option("--patience", type=int, help=words("command.option.patience"))
    @click.option("--target-score", type=float, help=words("command.option.target_score"))
    @click.option("--seed", type=int, help=words("command.option.seed"))
    @click.option("--other", "others", multiple=True, metavar="PATH", help=words("command.option.other"))
    @click.option("--run", help=words("command.option.run"))
    @options.json_option(words)
    @options.common(words)
    def optimize(
        data: str,
        symbol: str | None,
        timeframe: str | None,
        gaps: GapPolicy,
        strategy: str,
        pairs: tuple[str, ...],
        strategy_file: str | None,
        entry_long: str | None,
        exit_long: str | None,
        entry_short: str | None,
        exit_short: str | None,
        approve: bool,
        others: tuple[str, ...],
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
                "optimization",
                data,
                spec,
                None,
                symbol=symbol,
                timeframe=timeframe,
                gaps=gaps,
                others=others,
                run=run,
                watch=watch,
                language=language,
                approve=approve or None,
                **chosen,
            )
        return show_outcome(terminal, outcome, json_path)

    return optimize
