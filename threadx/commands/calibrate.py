"""`threadx calibrate`: how often the cycle believes in nothing, and how often it finds what is there."""

from __future__ import annotations

from typing import Any

import click

from prompts import Words
from threadx.commands import options
from threadx.commands.local import work
from threadx.commands.output_path import OutputPath
from threadx.defaults import CALIBRATION_BARS, CALIBRATION_ITERATIONS


def command(words: Words) -> click.Command:
    """Build the command."""

    @options.local_command("calibrate", words)
    @click.option(
        "--null",
        "nulls",
        type=click.IntRange(0, 100_000),
        default=200,
        show_default=True,
        help=words("command.option.null"),
    )
    @click.option(
        "--planted",
        type=click.IntRange(0, 100_000),
        default=200,
        show_default=True,
        help=words("command.option.planted"),
    )
    @click.option("--kept", is_flag=True, help=words("command.option.kept"))
    @click.option("--intraday", is_flag=True, help=words("command.option.intraday"))
    @click.option(
        "--pooled",
        type=click.IntRange(1, 20),
        default=1,
        show_default=True,
        help=words("command.option.pooled"),
    )
    @click.option(
        "--sharpe",
        "strengths",
        type=click.FloatRange(0.1, 10.0),
        multiple=True,
        help=words("command.option.sharpe"),
    )
    @click.option(
        "--seed",
        type=click.IntRange(0, 2**31 - 1),
        default=0,
        show_default=True,
        help=words("command.option.calibrate_seed"),
    )
    @click.option(
        "--bars",
        type=click.IntRange(300, 100_000),
        default=CALIBRATION_BARS,
        show_default=True,
        help=words("command.option.calibrate_bars"),
    )
    @click.option(
        "--iterations",
        type=click.IntRange(1, 100),
        default=CALIBRATION_ITERATIONS,
        show_default=True,
        help=words("command.option.calibrate_iterations"),
    )
    @options.engine(words, "processes", "dask")
    @click.option("--workers", type=click.IntRange(1, 1_000), help=words("command.option.workers"))
    @click.option(
        "--picture",
        "picture_path",
        type=OutputPath(),
        metavar="PATH",
        help=words("command.option.calibrate_picture"),
    )
    @options.json_option(words)
    @options.common(words)
    def calibrate_command(**given: Any) -> Any:
        return work("calibrate", "run", words, given)

    return calibrate_command
