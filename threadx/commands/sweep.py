"""`threadx sweep`: every combination of a grid on prices of one instrument or several."""

from __future__ import annotations

from typing import Any

import click

from backtest import Metrics
from prompts import Words
from threadx.commands import options
from threadx.commands.local import work
from threadx.commands.output_path import OutputPath


def command(words: Words) -> click.Command:
    """Build the command."""

    @options.sectioned_command("sweep", words)
    @options.price_file(words, several=True)
    @options.strategy(words)
    @options.further(words)
    @click.option(
        "--grid",
        "-g",
        "grids",
        multiple=True,
        required=True,
        metavar="NAME=START:STOP[:STEP]",
        help=words("command.option.grid"),
    )
    @click.option("--out", type=OutputPath(), metavar="PATH", help=words("command.option.out"))
    @click.option(
        "--rank-by",
        type=click.Choice(tuple(Metrics.__dataclass_fields__)),
        default="sharpe_ratio",
        show_default=True,
        help=words("command.option.rank_by"),
    )
    @click.option(
        "--top",
        type=click.IntRange(1, 1_000),
        default=20,
        show_default=True,
        help=words("command.option.top"),
    )
    @click.option(
        "--picture", "picture_path", type=OutputPath(), metavar="PATH", help=words("command.option.picture")
    )
    @click.option("--picture-axes", metavar="X[,Y]", help=words("command.option.picture_axes"))
    @click.option("--all", "whole", is_flag=True, help=words("command.option.all"))
    @options.engine(words, "threads", "processes", "cuda", "dask", about="sweep_engine")
    @click.option("--free-models", is_flag=True, help=words("command.option.free_models"))
    @options.json_option(words)
    @options.common(words)
    def sweep(**given: Any) -> Any:
        return work("sweep", "sweep", words, given)

    return sweep
