"""`threadx ensemble`: the investment summary."""

from __future__ import annotations

import click

from prompts import Words
from reports.record import canonical_json
from threadx.api import summarize
from threadx.commands import ensemble_report, options
from threadx.commands.local import LocalGroup
from threadx.errors import ThreadxError
from threadx.terminal import Terminal


def command(words: Words) -> click.Group:
    """Build the group."""
    group = LocalGroup("ensemble", help=words("command.help.ensemble"), words=words, no_args_is_help=True)

    @options.local_command("run", words)
    @click.option("--as-of", metavar="ISO", help=words("command.option.as_of"))
    @click.option("--data", metavar="DIR", help=words("command.option.partitions"))
    @click.option("--models", metavar="MODEL[,MODEL…]", help=words("command.option.ensemble_models"))
    @click.option("--cache-hours", type=float, help=words("command.option.cache_hours"))
    @options.json_option(words)
    @options.common(words)
    def run(
        as_of: str | None,
        data: str | None,
        models: str | None,
        cache_hours: float | None,
        json_path: str | None,
        home: str | None,
        language: str,
        debug: bool,
    ) -> int:
        agents = ("technical", "macro", "sentiment", "quality", "arbiter")
        terminal = Terminal(words)
        with terminal.steps(words("command.ensemble_working")) as done:
            result = summarize(
                as_of=as_of,
                data=data,
                watch=lambda node: done(words(f"command.ensemble_done.{node}")),
                home=home,
                language=language,
                cache_hours=cache_hours,
                **(dict.fromkeys(agents, models) if models else {}),
            )
        if result.summary is None:
            key = "no_data" if result.failure == "no_data" else "other"
            raise ThreadxError("run_failed", reason=words(f"ensemble.failure.{key}", code=result.failure))
        if json_path != "-":
            terminal.summary(result)
        options.write_json(canonical_json(result.summary), json_path)
        return 0 if result.status != "failed" else 1

    group.add_command(run)
    group.add_command(ensemble_report.command(words))
    return group
