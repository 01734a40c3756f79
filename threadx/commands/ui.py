"""`threadx ui`: the pages without the LangGraph server."""

from __future__ import annotations

import click

from prompts import Words
from threadx.commands import options
from threadx.runner import make_context, writable
from web.serve import serve


def command(words: Words) -> click.Command:
    """Build the command."""

    @options.local_command("ui", words)
    @click.option("--port", type=click.IntRange(1, 65535), default=8100, help=words("command.option.port"))
    @options.common(words)
    def ui(port: int, home: str | None, language: str, debug: bool) -> None:
        context = make_context(home=home, language=language)
        writable(context.home_path)
        click.echo(words("command.ui_ready", url=f"http://127.0.0.1:{port}/threadx"), err=True)
        serve(context.home_path, words.language, port)

    return ui
