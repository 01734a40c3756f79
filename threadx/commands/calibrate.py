"""`threadx calibrate`: how often the cycle believes in nothing, and how often it finds what is there."""

from __future__ import annotations

import json
from typing import Any

import altair as alt
import click

from prompts import Words
from reports.charts.calibration import power_chart
from reports.pictures import picture_suffix
from threadx.calibration import BARS, FALSE_LIMIT, ITERATIONS, STRENGTHS, calibrate
from threadx.commands import options
from threadx.commands.progress import bar
from threadx.commands.written import write_drawing
from threadx.terminal import Terminal


def _share(words: Words, told: dict[str, Any]) -> list[str]:
    """Count, believed, rate and interval of one group as cells."""
    low, high = told["interval"]
    return [
        words.number(told["count"]),
        words.number(told["believed"]),
        words.percent(told["rate"]),
        words("verdict.interval", low=words.percent(low), high=words.percent(high)),
    ]


def _power(found: dict[str, Any], words: Words) -> alt.LayerChart:
    """How often each strength of edge was found; false alarms at a strength of 0."""
    null = found["null"]
    return power_chart(
        found["planted"]["by_strength"],
        words,
        null=null,
        false_limit=FALSE_LIMIT,
        about=words(
            "command.calibrate_about",
            nulls=words.number(null["count"]),
            planted=words.number(found["planted"]["count"]),
            seed=found["seed"],
        ),
    )


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
        default=BARS,
        show_default=True,
        help=words("command.option.calibrate_bars"),
    )
    @click.option(
        "--iterations",
        type=click.IntRange(1, 100),
        default=ITERATIONS,
        show_default=True,
        help=words("command.option.calibrate_iterations"),
    )
    @click.option("--workers", type=click.IntRange(1, 1_000), help=words("command.option.workers"))
    @click.option(
        "--picture",
        "picture_path",
        type=click.Path(),
        metavar="PATH",
        help=words("command.option.calibrate_picture"),
    )
    @options.json_option(words)
    @options.common(words)
    def calibrate_command(
        nulls: int,
        planted: int,
        seed: int,
        bars: int,
        iterations: int,
        workers: int | None,
        picture_path: str | None,
        json_path: str | None,
        home: str | None,
        language: str,
        debug: bool,
    ) -> None:
        if picture_path is not None:  # what cannot be drawn is said before the work, not after
            picture_suffix(picture_path)
        terminal = Terminal(words)
        total = nulls + planted
        with bar(terminal, "command.calibrate_working", "command.calibrate_progress") as progress:
            found = calibrate(
                nulls,
                planted,
                seed,
                bars=bars,
                iterations=iterations,
                workers=workers,
                done=lambda count: progress(count, total),
            )
        if json_path != "-":
            rows = [[words("command.calibrate_null"), *_share(words, found["null"])]]
            rows += [
                [
                    words("command.calibrate_planted", sharpe=words.number(strength, 1)),
                    *_share(words, found["planted"]["by_strength"][f"{strength:g}"]),
                ]
                for strength in STRENGTHS
            ]
            terminal.table(
                words("command.calibrate_title"),
                [
                    words(f"command.calibrate_{name}")
                    for name in ("series", "count", "believed", "rate", "interval")
                ],
                rows,
            )
        if picture_path is not None:
            write_drawing(_power(found, words), picture_path)
            if json_path != "-":
                click.echo(words("command.written", folder=picture_path))
        text = json.dumps(found, ensure_ascii=False, sort_keys=True, indent=2, allow_nan=False)
        options.write_json(text, json_path)

    return calibrate_command
