"""`threadx calibrate`: how often the cycle believes in nothing, and how often it finds what is there."""

from __future__ import annotations

import json
from typing import Any

from prompts import Words
from reports.calibrated import about, chart, keep, read_calibration, tables
from reports.pictures import picture_suffix
from threadx.errors import ThreadxError
from threadx.jobs.calibration import PROCESSES, calibrate
from threadx.plain import say
from threadx.settings import home_folder
from threadx.terminal import Terminal
from threadx.work import asked
from threadx.work.progress import bar
from threadx.work.written import write_drawing, write_json
from threadx.writable import writable


def run(
    words: Words,
    nulls: int,
    planted: int,
    kept: bool,
    intraday: bool,
    pooled: int,
    strengths: tuple[float, ...],
    seed: int,
    bars: int,
    iterations: int,
    workers: int | None,
    picture_path: str | None,
    json_path: str | None,
    home: str | None,
    language: str,
    debug: bool,
    **given: Any,
) -> None:
    """How often each kind of series was believed in: a table, a picture, JSON."""
    if nulls + planted == 0:
        raise ThreadxError("nothing_to_calibrate")
    if picture_path is not None:  # what cannot be drawn is said before the work, not after
        picture_suffix(picture_path)
    engine = asked.take_engine(given) or PROCESSES
    folder = writable(home_folder(home))
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
            intraday=intraday,
            pooled=pooled,
            strengths=strengths or None,
            workers=workers,
            engine=engine,
            done=lambda count: progress(count, total),
        )
    text = json.dumps(found, ensure_ascii=False, sort_keys=True, indent=2, allow_nan=False)
    path, told = keep(folder, text), read_calibration(text, "JSON")
    if json_path != "-":
        for one in tables(told, terminal.cells):
            terminal.table(*one)
    if picture_path is not None:
        write_drawing(chart(told, words, about(told, words)), picture_path)
    write_json(text, json_path)
    if json_path != "-":
        for written in filter(None, (str(path), picture_path, json_path)):
            say(words("command.written", folder=written))
