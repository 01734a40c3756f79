"""`threadx optimize`: the optimisation cycle, with progress and a final table."""

from __future__ import annotations

from typing import Any

import click

from prompts import Words
from threadx.commands import options
from threadx.commands.local import work


def command(words: Words) -> click.Command:
    """Build the command."""

    @options.sectioned_command("optimize", words)
    @options.price_file(words, several=True)
    @options.strategy(words)
    @options.further(words)
    @options.roles(words)
    @click.option("--roles", type=click.Choice(["team", "single"]), help=words("command.option.roles"))
    @click.option(
        "--search", type=click.Choice(["population", "single"]), help=words("command.option.search")
    )
    @click.option("--ranges", type=click.Choice(["thinned", "sampled"]), help=words("command.option.ranges"))
    @options.approve(words)
    @click.option("--allow-code", is_flag=True, help=words("command.option.allow_code"))
    @click.option("--max-iterations", type=int, help=words("command.option.max_iterations"))
    @click.option("--max-backtests", type=int, help=words("command.option.max_backtests"))
    @click.option("--convergence-threshold", type=float, help=words("command.option.convergence_threshold"))
    @click.option("--patience", type=int, help=words("command.option.patience"))
    @click.option("--target-score", type=float, help=words("command.option.target_score"))
    @click.option("--seed", type=int, help=words("command.option.seed"))
    @click.option("--other", "others", multiple=True, metavar="PATH", help=words("command.option.other"))
    @click.option("--each", is_flag=True, help=words("command.option.each"))
    @click.option("--timeframes", metavar="LIST", help=words("command.option.timeframes"))
    @click.option("--run", help=words("command.option.run"))
    @options.engine(words, "threads", "processes", "dask")
    @options.json_option(words)
    @options.common(words)
    def optimize(**given: Any) -> Any:
        return work("starting", "optimize", words, given)

    return optimize
