"""How a finished sweep is told: its best rows, what was left out and lost, and the same as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from backtest import SweepFile
from backtest.engine.ranking import ACCOUNT_LOST
from prompts import Words
from reports.tables import METRIC_ROWS, day_of, metric
from threadx.plain import say
from threadx.terminal import Terminal
from threadx.work.written import plain_rows

LOST_TOLD = 5
SHOWN = ("sharpe_ratio", "total_return", "max_drawdown", "profit_factor", "n_trades")


def figure_heads(words: Words) -> list[str]:
    """Heads of `figure_cells`."""
    return [words(f"report.metric.{name}") for name in SHOWN]


def figure_cells(cells: Words, row: Mapping[str, Any]) -> list[str]:
    """The metrics of a row that a table shows."""
    kinds = dict(METRIC_ROWS)
    return [metric(cells, row, name, kinds[name]) for name in SHOWN]


def show(
    terminal: Terminal, found: SweepFile, names: Sequence[str], title: str, caption: str, dropped: int
) -> None:
    """Tables and lines of a sweep.

    Args:
        terminal: where.
        found: the sweep; of several instruments that of the pooled account.
        names: the axes, and whatever else stands before the metrics.
        title: which prices.
        caption: which strategy.
        dropped: combinations without a row.
    """
    words = terminal.words
    rows = top_rows(found)
    heads = [words("command.sweep_up") if name == "instruments_up" else name for name in names]
    terminal.table(
        title,
        [*heads, *figure_heads(words)],
        [
            [*(_value(row[name], terminal.cells) for name in names), *figure_cells(terminal.cells, row)]
            for row in rows
        ],
        caption=caption,
    )
    say(words("command.sweep_done", rows=words.number(found.rows), dropped=words.number(dropped)))
    if len(found.top) < found.rows:
        say(words("command.sweep_shown", shown=words.number(len(found.top)), rows=words.number(found.rows)))
    if found.untraded:
        say(words("command.sweep_untraded", count=words.number(found.untraded)))
    for code, count in sorted(found.dropped_by.items()):
        say(f"  {words(f'command.dropped.{code}', count=words.number(count))}")
    if found.lost:
        say(words("command.sweep_lost", count=words.number(found.lost)))
        for row in [one for one in rows if one[ACCOUNT_LOST]][:LOST_TOLD]:
            values = ", ".join(f"{name} = {_value(row[name], words)}" for name in names)
            say(f"  {words('command.sweep_lost_one', values=values, day=day_of(row[ACCOUNT_LOST]))}")
    if found.below_one_unit:
        say(words("command.sweep_below_one_unit", count=words.number(found.below_one_unit)))
    if found.unaffordable:
        say(words("command.sweep_unaffordable", count=words.number(found.unaffordable)))
    if found.continued_from:
        say(words("command.sweep_continued", count=words.number(found.continued_from)))
    say(words("command.written", folder=str(found.path)))


def _value(value: Any, words: Words) -> str:
    return value if isinstance(value, str) else words.short(value)


def top_rows(found: SweepFile) -> list[dict[str, Any]]:
    """The best rows as plain JSON, times of lost accounts as ISO text; None where undefined."""
    return plain_rows(found.top)


def figures_told(found: SweepFile, grid: Mapping[str, Sequence[Any]], rank_by: str) -> dict[str, Any]:
    """What `--json` tells of a sweep, whatever it was of."""
    return {
        "grid": {name: list(values) for name, values in grid.items()},
        "rows": found.rows,
        "bars_per_year": found.bars_per_year.to_dict(),
        "rank_by": rank_by,
        "account_lost": found.lost,
        "configurations_untraded": found.untraded,
        "configurations_below_one_unit": found.below_one_unit,
        "configurations_unaffordable": found.unaffordable,
        "top": top_rows(found),
        "file": str(found.path),
    }
