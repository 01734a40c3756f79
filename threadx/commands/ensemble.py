"""`threadx ensemble`: the investment summary, once, every hour, or hour by hour over the past."""

from __future__ import annotations

from typing import Any

import click

from prompts import Words
from threadx.commands import ensemble_record, ensemble_report, options
from threadx.commands.local import LocalGroup, work


def command(words: Words) -> click.Group:
    """Build the group."""
    group = LocalGroup("ensemble", help=words("command.help.ensemble"), words=words, no_args_is_help=True)
    for build in (_run, _schedule, ensemble_record.history, ensemble_record.score, _backfill):
        group.add_command(build(words))
    group.add_command(ensemble_report.command(words))
    return group


def _run(words: Words) -> click.Command:
    @options.local_command("run", words)
    @click.option("--as-of", metavar="ISO", help=words("command.option.as_of"))
    @click.option("--data", metavar="DIR", help=words("command.option.partitions"))
    @click.option("--models", metavar="MODEL[,MODEL…]", help=words("command.option.ensemble_models"))
    @options.deadlines(words)
    @click.option("--reuse", is_flag=True, help=words("ensemble.option.reuse"))
    @options.json_option(words)
    @options.common(words)
    def run(**given: Any) -> Any:
        return work("ensemble", "run", words, given)

    return run


def _schedule(words: Words) -> click.Command:
    @options.local_command("schedule", words, room="ensemble")
    @click.option("--timezone", metavar="ZONE", help=words("ensemble.option.timezone"))
    @click.option("--wait", is_flag=True, help=words("ensemble.option.wait"))
    @click.option("--data", metavar="DIR", help=words("command.option.partitions"))
    @click.option("--models", metavar="MODEL[,MODEL…]", help=words("command.option.ensemble_models"))
    @options.deadlines(words)
    @options.common(words)
    def schedule(**given: Any) -> Any:
        return work("ensemble", "schedule", words, given)

    return schedule


def _backfill(words: Words) -> click.Command:
    @options.local_command("backfill", words, room="ensemble")
    @click.option("--from", "since", metavar="ISO", required=True, help=words("ensemble.option.since"))
    @click.option("--to", "until", metavar="ISO", required=True, help=words("ensemble.option.until"))
    @click.option("--data", metavar="DIR", help=words("command.option.partitions"))
    @click.option(
        "--models", metavar="MODEL[,MODEL…]", default="rules", help=words("ensemble.option.back_models")
    )
    @click.option("--step", type=click.IntRange(min=1), default=1, help=words("ensemble.option.step"))
    @options.json_option(words)
    @options.common(words)
    def backfill(**given: Any) -> Any:
        return work("ensemble", "backfill", words, given)

    return backfill
