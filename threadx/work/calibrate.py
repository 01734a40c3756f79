"""`threadx calibrate`: how often the cycle believes in nothing, and how often it finds what is there."""

from __future__ import annotations

import json
from typing import Any

import altair as alt

from prompts import Words
from reports.charts.calibration import power_chart
from reports.pictures import picture_suffix
from threadx.errors import ThreadxError
from threadx.jobs.calibration import FALSE_LIMIT, LOST, P_VALUES, QUANTILES, STRENGTHS, calibrate
from threadx.plain import say
from threadx.terminal import Terminal
from threadx.work.progress import bar
from threadx.work.written import write_drawing, write_json


def _share(words: Words, told: dict[str, Any]) -> list[str]:
    """Count, believed, rate and interval of one group as cells."""
    low, high = told["interval"]
    return [
        words.number(told["count"]),
        words.number(told["believed"]),
        words.percent(told["rate"]),
        words("verdict.interval", low=words.percent(low), high=words.percent(high)),
    ]


def _lost(words: Words, strength: str, told: dict[str, Any]) -> list[str]:
    """Where edges of one strength were lost, and how many theory lets a search find, as cells."""
    counts = [words.number(told["lost"][where]) for where in LOST]
    return [words.number(float(strength), 1), *counts, words.percent(told["limit"])]


def _below(words: Words, told: dict[str, Any]) -> list[str]:
    """Shares of p-values below each bound as cells."""
    shares = told["below"] or {}
    return [words.percent(shares.get(f"{bound:g}")) for bound in QUANTILES]


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


def run(
    words: Words,
    nulls: int,
    planted: int,
    kept: bool,
    pooled: int,
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
    """How often each kind of series was believed in: a table, a picture, JSON."""
    if nulls + planted == 0:
        raise ThreadxError("nothing_to_calibrate")
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
            kept=kept,
            pooled=pooled,
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
        if planted:
            terminal.table(
                words("command.calibrate_lost_title"),
                [words(f"command.calibrate_{name}") for name in ("sharpe", *LOST, "limit")],
                [_lost(words, strength, told) for strength, told in found["planted"]["by_strength"].items()],
            )
        if nulls:
            terminal.table(
                words("command.calibrate_p_title"),
                [
                    words("command.calibrate_p"),
                    *(words("command.calibrate_below", bound=words.percent(bound, 0)) for bound in QUANTILES),
                ],
                [
                    [words(f"command.calibrate_{name}"), *_below(words, found["null"]["p_values"][name])]
                    for name in P_VALUES
                ],
            )
    if picture_path is not None:
        write_drawing(_power(found, words), picture_path)
        if json_path != "-":
            say(words("command.written", folder=picture_path))
    text = json.dumps(found, ensure_ascii=False, sort_keys=True, indent=2, allow_nan=False)
    write_json(text, json_path)
