"""`threadx runs show`: a run's result, or why it came out so."""

from __future__ import annotations

from prompts import Words
from record.evolution import strategy_evolution
from record.record import RunRecord, as_recorded, canonical_json
from reports.explanation import explanation
from threadx.results import SummaryResult, read_result
from threadx.settings import home_folder
from threadx.terminal import Terminal
from threadx.work.outcome import show_outcome
from threadx.work.written import write_json


def show(
    words: Words, run: str, explain: bool, json_path: str | None, home: str | None, language: str, debug: bool
) -> None:
    """A run's result, or why it came out so."""
    record = RunRecord(home_folder(home), run)
    about = record.about()
    terminal = Terminal(words)
    if about.get("graph") == "ensemble":
        result = record.result()
        if json_path != "-":
            with as_recorded(record.result_path):
                terminal.summary(SummaryResult.from_details(result))
        write_json(canonical_json(result), json_path)
    elif explain:
        with as_recorded(record.events_path):
            evolution = strategy_evolution(record.events())
            if json_path != "-":
                terminal.lines(explanation(evolution, words))
        told = {"run": run, "graph": about["graph"], **evolution}
        write_json(canonical_json(told), json_path)
    else:
        with as_recorded(record.result_path):
            show_outcome(terminal, read_result(record), json_path)
