"""`threadx optimize --each`: many separate optimisations, and the table in which they end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from prompts import Words
from reports.belief import P_DIGITS
from threadx.each import OptimizationTable, TableRow, optimize_each, outcome_of
from threadx.plain import say
from threadx.settings import make_context
from threadx.terminal import Terminal
from threadx.work import asked
from threadx.work.further import take_further
from threadx.work.written import write_json

_ENDED = ("finished", "waiting")
_WORDS, _SPARE = (0, 1, 2, 8), (8, 3, 4, 7)
"""Columns of words; those that a narrow terminal goes without, the first to go first."""


def table(words: Words, timeframes: str | Sequence[str], given: dict[str, Any]) -> int:
    """Run every instrument at every timeframe, or go on with them; show the table.

    Args:
        words: in the user's language.
        timeframes: of the bars; none: those of the prices.
        given: every other option of `threadx optimize`.

    Returns:
        The exit code: 1 where a row could not be run or failed.
    """
    json_path = given.pop("json_path")
    settings = {name: value for name, value in given.items() if name != "debug"}
    further = take_further(settings, make_context(home=given["home"]).home_path)
    data, spec = settings.pop("data"), asked.take_strategy(settings, further, offering=True)
    say(words("command.each.again"), err=True)
    found = optimize_each(
        list(data),
        spec,
        timeframes=timeframes,
        inputs=further.references,
        offered=further.declared,
        progress=True,
        **asked.chosen_roles(settings),
    )
    if json_path != "-":
        _show(Terminal(words), found)
    write_json(found.to_json(), json_path)
    return 0 if all(row.status in _ENDED for row in found.rows) else 1


def _show(terminal: Terminal, found: OptimizationTable) -> None:
    words = terminal.words
    head = [
        words("verdict.instrument.name"),
        words("command.check.timeframe"),
        words("command.runs_column.verdict"),
        *(
            words(f"verdict.instrument.{name}")
            for name in ("development", "holdout", "return", "holding", "p")
        ),
        words("command.runs_column.run"),
    ]
    rows = [_cells(row, terminal.cells, words) for row in found.rows]
    terminal.table(words("command.each.title", count=len(rows)), head, rows, None, _WORDS, _SPARE)
    for row in found.rows:
        if row.refusal is not None:
            terminal.line(
                words("command.each.done", symbol=row.symbol, timeframe=row.timeframe, outcome=row.refusal)
            )
    if found.verdicts > 1:
        terminal.line(words("command.each.note", count=found.verdicts))


def _cells(row: TableRow, cells: Words, words: Words) -> list[str]:
    return [
        row.symbol,
        row.timeframe,
        outcome_of(row, words),
        cells.number(row.excess_sharpe),
        cells.number(row.holdout_excess_sharpe),
        cells.percent(row.holdout_return, signed=True),
        cells.percent(row.holding_return, signed=True),
        cells.percent(row.adjusted_p, P_DIGITS),
        row.run if row.refusal is None else cells.number(None),
    ]
