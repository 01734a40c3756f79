"""`threadx runs`: what was run, and taking up what was interrupted."""

from __future__ import annotations

from pathlib import Path

import click

from nodes.context import Context
from nodes.ensemble.trail import RUN_PREFIX
from prompts import Words
from reports.errors import ReportError
from reports.record import RunRecord, canonical_json, runs_folder
from threadx.commands import options
from threadx.commands.local import LocalGroup
from threadx.results import OptimizationResult, SummaryResult
from threadx.runner import make_context, resume_optimization
from threadx.terminal import Terminal


def _home(home: str | None) -> Path:
    return (Context() if home is None else Context(home=home)).home_path


def command(words: Words) -> click.Group:
    """Build the group."""
    group = LocalGroup("runs", help=words("command.help.runs"), words=words, no_args_is_help=True)

    @options.local_command("list", words)
    @options.common(words)
    def listing(home: str | None, language: str, debug: bool) -> None:
        folder = _home(home)
        rows = []
        for path in sorted(runs_folder(folder).glob("*/run.json"), reverse=True):
            if path.parent.name.startswith(RUN_PREFIX):
                continue  # `threadx ensemble history` lists those
            record = RunRecord(folder, path.parent.name)
            about = record.about()
            try:
                result = record.result()
                told = [words(f"command.run_status.{result['status']}"), words.number(result["final_score"])]
            except ReportError as error:
                if error.code != "no_result":
                    raise
                told = [words("command.run_status.open"), "–"]
            rows.append([record.run, about["started"], about["input"]["data"], *told])
        Terminal(words).table(
            words("command.runs_title"),
            [words(f"command.runs_column.{name}") for name in ("run", "started", "data", "status", "score")],
            rows,
            words_columns=(0, 1, 2, 3),
        )

    @options.local_command("show", words)
    @click.argument("run")
    @options.json_option(words)
    @options.common(words)
    def show(run: str, json_path: str | None, home: str | None, language: str, debug: bool) -> None:
        record = RunRecord(_home(home), run)
        about = record.about()
        result = record.result()
        if about.get("graph") == "ensemble":
            if json_path != "-":
                Terminal(words).summary(SummaryResult.from_details(result))
        elif json_path != "-":
            Terminal(words).optimization_result(OptimizationResult.from_details(result, record.folder))
        options.write_json(canonical_json(result), json_path)

    @options.local_command("resume", words)
    @click.argument("run")
    @options.json_option(words)
    @options.common(words)
    def resume(run: str, json_path: str | None, home: str | None, language: str, debug: bool) -> int:
        terminal = Terminal(words)
        with terminal.progress() as watch:
            result = resume_optimization(run, make_context(home=home).home_path, watch)
        if json_path != "-":
            terminal.optimization_result(result)
        options.write_json(result.to_json(), json_path)
        return 0 if result.status == "finished" else 1

    @options.local_command("report", words)
    @click.argument("run")
    @options.common(words)
    def report(run: str, home: str | None, language: str, debug: bool) -> None:
        record = RunRecord(_home(home), run)
        record.about()
        path = record.folder / "report.md"
        if not path.is_file():
            raise ReportError("no_result", run=run)
        click.echo(path.read_text(encoding="utf-8"), nl=False)

    for one in (listing, show, resume, report):
        group.add_command(one)
    return group
