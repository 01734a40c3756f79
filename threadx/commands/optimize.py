"""`threadx optimize`: the optimisation cycle, with progress and a final table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from backtest import GapPolicy
from prompts import Words
from threadx.api import optimize as optimize_prices
from threadx.commands import options
from threadx.errors import ThreadxError
from threadx.orchestrator import chain
from threadx.terminal import Terminal


def command(words: Words) -> click.Command:
    """Build the command."""

    def models(name: str, role: str) -> Callable[[options.Function], options.Function]:
        return click.option(
            f"--{name}", metavar="MODEL[,MODEL…]", help=words("command.option.models", role=role)
        )

    @options.local_command("optimize", words)
    @options.prices(words)
    @options.strategy(words)
    @models("analyst", words("report.role.analyst"))
    @models("strategist", words("report.role.strategist"))
    @models("validator", words("report.role.validator"))
    @click.option("--no-validator", is_flag=True, help=words("command.option.no_validator"))
    @click.option("--no-debate", is_flag=True, help=words("command.option.no_debate"))
    @click.option("--max-iterations", type=int, help=words("command.option.max_iterations"))
    @click.option("--convergence-threshold", type=float, help=words("command.option.convergence_threshold"))
    @click.option("--patience", type=int, help=words("command.option.patience"))
    @click.option("--target-score", type=float, help=words("command.option.target_score"))
    @click.option("--seed", type=int, help=words("command.option.seed"))
    @click.option("--cache-hours", type=float, help=words("command.option.cache_hours"))
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
        analyst: str | None,
        strategist: str | None,
        validator: str | None,
        no_validator: bool,
        no_debate: bool,
        run: str | None,
        json_path: str | None,
        language: str,
        debug: bool,
        **settings: Any,
    ) -> int:
        spec = options.chosen_strategy(
            strategy,
            pairs,
            strategy_file,
            {
                "entry_long": entry_long,
                "exit_long": exit_long,
                "entry_short": entry_short,
                "exit_short": exit_short,
            },
        )
        for role, given in (("analyst", analyst), ("strategist", strategist), ("validator", validator)):
            if given is not None:
                parts = tuple(part.strip() for part in given.split(",") if part.strip())
                if not parts:
                    raise ThreadxError("no_model", role=role)
                settings[role] = chain(parts[0]) if len(parts) == 1 else parts
        terminal = Terminal(words)
        with terminal.progress() as watch:
            result = optimize_prices(
                data,
                strategy=spec,
                symbol=symbol,
                timeframe=timeframe,
                gaps=gaps,
                run=run,
                watch=watch,
                language=language,
                use_validator=False if no_validator else None,
                use_debate=False if no_debate else None,
                **settings,
            )
        if json_path != "-":
            terminal.optimization_result(result)
        options.write_json(result.to_json(), json_path)
        return 0 if result.status == "finished" else 1

    return optimize
