"""`threadx data`: what a price file is worth before anything is computed from it; and what fills a folder."""

from __future__ import annotations

import json

import click

from backtest.quality import QualityReport, quality_report
from market.prices import read_prices
from prompts import Words
from threadx.commands import data_sources, options
from threadx.commands.local import LocalGroup
from threadx.runner import make_context
from threadx.terminal import Terminal

MOST_LINES = 20


def _lines(report: QualityReport, words: Words) -> list[list[str]]:
    """The report as rows of a table; long lists are cut, their length is told."""
    none = words("command.check.none")

    def count(value: int | None) -> str:
        return none if value is None else words.number(value, 0)

    rows = [
        ("rows", count(report.rows)),
        ("first", report.first.isoformat()),
        ("last", report.last.isoformat()),
        ("timeframe", report.timeframe or none),
        ("time_zone", report.time_zone or none),
        ("hours", words(f"command.check.{'sessions' if report.sessions else 'continuous'}")),
        ("gaps", count(len(report.gaps))),
        ("missing_bars", count(report.missing_bars)),
        ("irregular_bars", count(report.irregular_bars)),
        ("zero_volume_bars", count(report.zero_volume_bars)),
        ("flat_bars", count(report.flat_bars)),
        ("outliers", count(len(report.outliers))),
    ]
    return [[words(f"command.check.{name}"), told] for name, told in rows]


def command(words: Words) -> click.Group:
    """Build the group."""
    group = LocalGroup("data", help=words("command.help.data"), words=words, no_args_is_help=True)

    @options.local_command("check", words)
    @click.argument("data", metavar="DATA")
    @options.json_option(words)
    @options.common(words)
    def check(data: str, json_path: str | None, home: str | None, language: str, debug: bool) -> None:
        frame, source = read_prices(data, make_context(home=home).home_path)
        report = quality_report(frame)
        if json_path != "-":
            terminal = Terminal(words)
            terminal.table(
                words("command.check.title", name=source.symbol),
                [words("command.check.what"), words("command.check.found")],
                _lines(report, words),
            )
            if report.gaps:
                terminal.table(
                    words(
                        "command.check.gaps_title",
                        shown=min(MOST_LINES, len(report.gaps)),
                        count=len(report.gaps),
                    ),
                    [words(f"command.check.{name}") for name in ("after", "before", "missing")],
                    [
                        [gap.after.isoformat(), gap.before.isoformat(), words.number(gap.missing, 0)]
                        for gap in report.gaps[:MOST_LINES]
                    ],
                    words_columns=(0, 1),
                )
            if report.outliers:
                terminal.table(
                    words(
                        "command.check.outliers_title",
                        shown=min(MOST_LINES, len(report.outliers)),
                        count=len(report.outliers),
                    ),
                    [words(f"command.check.{name}") for name in ("time", "change", "deviations")],
                    [
                        [one.time.isoformat(), words.percent(one.change), words.number(one.deviations, 1)]
                        for one in report.outliers[:MOST_LINES]
                    ],
                )
        options.write_json(
            json.dumps(report.to_dict(), ensure_ascii=False, sort_keys=True, indent=2, allow_nan=False),
            json_path,
        )

    group.add_command(check)
    for filling in data_sources.commands(words):
        group.add_command(filling)
    return group
