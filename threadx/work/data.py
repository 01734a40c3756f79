"""`threadx data`: what a price file is worth before anything is computed from it; and what fills a folder."""

from __future__ import annotations

import json
from typing import Any

from backtest import GapPolicy
from backtest.data.quality import quality_report
from prompts import Words
from reports.quality import advice, check_rows, gap_rows, outlier_rows, title
from reports.tables import notice_lines
from threadx.errors import ThreadxError
from threadx.plain import say
from threadx.settings import make_context
from threadx.terminal import Terminal
from threadx.work import asked
from threadx.work.written import write_json
from threadx.writable import writable
from vault.boundaries import advance, advance_registered
from vault.datasets import DATASET_PREFIX
from vault.readers.prices import read_prices
from vault.registered import find_registered, read_any


def move(
    words: Words,
    data: str,
    symbol: str | None,
    timeframe: str | None,
    gaps: GapPolicy,
    to: str | None,
    json_path: str | None,
    home: str | None,
    language: str,
    debug: bool,
    **given: Any,
) -> None:
    """`threadx data advance`: the boundary moved forward, and what lies on its two sides now."""
    folder = writable(make_context(home=home).home_path)
    reading = asked.take_reading(given)
    if data.startswith(DATASET_PREFIX):
        known = find_registered(data, folder, gaps=gaps, timeframe=timeframe, symbol=symbol, reading=reading)
        dataset = advance_registered(known, folder, to)
    elif reading != reading.whole:
        raise ThreadxError("window_of_all", option="start" if reading.start else "end")
    else:
        frame, source = read_prices(
            data, folder, gaps=gaps, timeframe=timeframe, symbol=symbol, reading=reading
        )
        names = {"symbol": source.symbol, "timeframe": source.timeframe}
        dataset = advance(frame, **names, home=folder, to=to, notices=source.notices)
    if json_path != "-":
        terminal, moved = Terminal(words), dataset.advances[-1]
        terminal.home(folder)
        terminal.line(
            words(
                "command.advanced",
                symbol=dataset.symbol,
                before=moved.before,
                after=moved.after,
                openings=moved.openings,
                rows=words.number(dataset.development_rows, 0),
                holdout=words.number(dataset.holdout_rows, 0),
            )
        )
    write_json(dataset.model_dump_json(indent=2), json_path)


def check(
    words: Words,
    data: str,
    symbol: str | None,
    timeframe: str | None,
    gaps: GapPolicy,
    json_path: str | None,
    home: str | None,
    language: str,
    debug: bool,
    **given: Any,
) -> None:
    """What the file holds and lacks, and what follows from it."""
    folder = make_context(home=home).home_path
    reading = asked.take_reading(given)
    frame, source = read_any(data, folder, gaps=gaps, timeframe=timeframe, symbol=symbol, reading=reading)
    report = quality_report(frame)
    # The report shows those itself, and its advice is about them.
    told = [one for one in source.told() if one["code"] != "suspect_prices"]
    if json_path != "-":
        terminal = Terminal(words)
        terminal.table(
            words("command.check.title", name=source.symbol),
            [words("command.check.what"), words("command.check.found")],
            check_rows(report, terminal.cells),
        )
        if report.gaps:
            head, rows = gap_rows(report.gaps, terminal.cells)
            terminal.table(title("gaps_title", len(report.gaps), words), head, rows, words_columns=(0, 1))
        if report.outliers:
            head, rows = outlier_rows(report.outliers, terminal.cells)
            name = title("outliers_title", len(report.outliers), words)
            terminal.table(name, head, rows, words_columns=(0, 1))
        for line in notice_lines(told, words):
            say(line)
        for line in advice(report, words):
            say(line)
    write_json(
        json.dumps(
            {**report.to_dict(), "notices": told},
            ensure_ascii=False,
            sort_keys=True,
            indent=2,
            allow_nan=False,
        ),
        json_path,
    )
