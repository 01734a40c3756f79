"""`threadx follow`: a champion sealed, and judged on bars that did not exist then."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from backtest.validation.forward import DECISIVE
from nodes.following import COLUMNS, Following, cells, follow_all, follow_seal, p_value, plan_of, seal_run
from prompts import Words
from record.record import canonical_json, run_folder
from reports.pictures import picture_suffix
from reports.words import figure, moment
from threadx.errors import ThreadxError
from threadx.settings import make_context
from threadx.terminal import Terminal
from threadx.work.further import read_tables
from threadx.work.written import write_drawing, write_json
from threadx.writable import writable
from vault.seals import Seal, read_seal

if TYPE_CHECKING:
    import altair as alt

_MOST_TOLD = 1e6
_NOTHING = 0.05
"""Yearly Sharpe ratio that rounds to none."""

_ASKED = 1.0
"""Yearly Sharpe ratio for which the years are told where less is expected."""


def follow(
    words: Words,
    run: str | None,
    data: str | None,
    tables: tuple[str, ...],
    picture_path: str | None,
    json_path: str | None,
    home: str | None,
    language: str,
    debug: bool,
) -> int:
    """One sealed strategy, or all of them; the first call for a run seals it."""
    folder = make_context(home=home).home_path
    if picture_path is not None:  # what cannot be drawn is said before the work, not after
        picture_suffix(picture_path)
    terminal = Terminal(words)
    if run is None:
        for name, value in (("--data", data), ("--with", tables), ("--picture", picture_path)):
            if value:
                raise ThreadxError("follow_without_run", option=name)
        return _every(terminal, folder, json_path)
    run_folder(folder, run)  # refuses what is no run's name
    fresh = read_seal(run, folder) is None
    if fresh:
        writable(folder)
    seal = seal_run(run, folder)
    found = follow_seal(seal, folder, data, read_tables(tables, folder)[0] if tables else None)
    if json_path != "-":
        _tell(terminal, found, fresh=fresh)
    if picture_path is not None:
        enough = found.forward.bars > 1
        if enough:
            write_drawing(drawn(found, words), picture_path)
        if json_path != "-":
            told = words("command.written", folder=picture_path) if enough else words("follow.no_picture")
            terminal.line(told)
    write_json(canonical_json(found.to_dict()), json_path)
    return 0


def _every(terminal: Terminal, folder: Path, json_path: str | None) -> int:
    """All of them, each from where its run's prices came from; exit code 1 where one cannot be judged."""
    words, rows, told, failed = terminal.words, [], [], 0
    for run, found in follow_all(folder):
        rows.append([run, *cells(found, terminal.cells)])
        if isinstance(found, Following):
            told.append({"run": run, **found.to_dict()})
        else:
            told.append({"run": run, "problem": words.told(found)})
            failed = 1
    if json_path != "-":
        if rows:
            head = [words(f"follow.head.{name}") for name in ("run", *COLUMNS)]
            terminal.table(words("follow.title_all"), head, rows, words_columns=(0, 1, 6))
        else:
            terminal.line(words("follow.none"))
    write_json(canonical_json(told), json_path)
    return failed


def drawn(found: Following, words: Words) -> alt.VConcatChart:
    """The account beside holding, over the evidence."""
    from reports.charts.forward import forward_chart  # noqa: PLC0415

    seal, capital = found.seal, pd.Series(found.forward.path, index=found.account.index)
    about = words("follow.title", run=seal.run, symbol=seal.symbol, timeframe=seal.timeframe)
    return forward_chart(found.account, found.holding, capital, words, decisive=DECISIVE, about=about)


def _tell(terminal: Terminal, found: Following, *, fresh: bool) -> None:
    words, seal, forward = terminal.words, found.seal, found.forward
    if fresh:
        terminal.line(words("follow.sealed", run=seal.run, fingerprint=seal.fingerprint))
    rows = [
        (words("follow.head.sealed_at"), f"{seal.sealed_at[:16].replace('T', ' ')} UTC"),
        (words("follow.head.fingerprint"), seal.fingerprint),
        (words("follow.head.expected"), _expected(seal, words)),
        (words("follow.head.bars"), _bars(found, words)),
    ]
    if forward.bars:
        now, highest = (_capital(one, words) for one in (forward.capital, forward.highest))
        rows += [
            (words("follow.head.own"), words.percent(found.total_return, signed=True)),
            (words("follow.head.held"), words.percent(found.holding_return, signed=True)),
            (words("follow.head.excess_sharpe"), figure(words, "sharpe_ratio", forward.excess_sharpe)),
            (words("follow.head.capital"), words("follow.capital", now=now, highest=highest)),
            (words("follow.head.p"), p_value(found, words)),
        ]
    if forward.decided_at is not None:
        decided = moment(found.account.index[forward.decided_at - 1])
        state = words(f"follow.outcome.{forward.outcome}")
        rows.append((words("follow.head.decided"), words("follow.decided", state=state, time=decided)))
    terminal.table(
        words("follow.title", run=seal.run, symbol=seal.symbol, timeframe=seal.timeframe),
        [words("report.table.item"), words("report.table.value")],
        rows,
        words_columns=(0, 1),
    )
    if found.left_out:
        terminal.line(words("follow.left_out", count=found.left_out))
    if found.shorter:
        terminal.line(words("follow.told.shorter", time=found.reaches))
    else:
        terminal.line(words(f"follow.told.{forward.outcome if forward.bars else 'empty'}"))
    if forward.outcome == "open":
        ratio = max(_ASKED, (seal.expected or (0.0,))[0])
        # On bars of a second the fee of each bar is more than the edge: then there is no such time.
        if (years := plan_of(seal).years_needed(ratio)) is not None:
            terminal.line(
                words("follow.patience", ratio=words.number(ratio, 1), years=words.number(years, 1))
            )


def _capital(value: float, words: Words) -> str:
    return words.number(value) if value < _MOST_TOLD else f"> {words.number(_MOST_TOLD, 0)}"


def _expected(seal: Seal, words: Words) -> str:
    if seal.expected is None:
        return "–"
    if max(map(abs, seal.expected)) < _NOTHING:
        return words("follow.nothing_expected")
    expected, low, high = (words.number(one) for one in seal.expected)
    return words("follow.expected", expected=expected, low=low, high=high)


def _bars(found: Following, words: Words) -> str:
    if found.first is None or found.last is None:
        return words.number(0)
    return words("follow.bars", count=found.forward.bars, first=found.first, last=found.last)
