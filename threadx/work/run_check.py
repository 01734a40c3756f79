"""`threadx runs check`: a run's figures computed once more, in a table beside what is on record."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from prompts import Words
from record.record import canonical_json
from threadx.audit.checking import Check, Row, check_run
from threadx.settings import make_context
from threadx.terminal import Terminal
from threadx.work.written import write_json

_TOLD_ALONE = ("verdict", "overfitting", "holdout")
_SCORES = ("development.score", "holdout.score", "metrics.sharpe_ratio")


def _alone(part: str, figure: str) -> bool:
    """Whether a figure has a line of its own where all is well."""
    if part in _TOLD_ALONE:
        return "." not in figure
    return part in ("initial", "champion", "walk_forward") and figure in _SCORES


def _group(figure: str) -> str:
    """What a figure that agrees is counted under, within its part."""
    first, dot, _ = figure.partition(".")
    return f"{first}.*" if dot and not first.isdigit() else "*"


def table_rows(rows: Iterable[Row], words: Words, *, every: bool) -> list[list[str]]:
    """Part of the record, figure, on record, computed now, whether they agree.

    Args:
        rows: of `threadx.audit.checking.Check`.
        words: language.
        every: each figure by itself; else of those that agree only the chief ones, the others by number.
    """
    told: list[list[str]] = []
    counted: dict[tuple[str, str], int] = {}
    places: dict[tuple[str, str], int] = {}
    for row in rows:
        part, figure = _split(row.name)
        if every or not row.agrees or _alone(part, figure):
            mark = words(f"command.run_check.{'yes' if row.agrees else 'no'}")
            told.append([part, figure, _value(row.told), _value(row.found), mark])
            continue
        key = (part, _group(figure))
        if key not in places:
            places[key] = len(told)
            told.append([part, key[1], "", "", words("command.run_check.yes")])
        counted[key] = counted.get(key, 0) + 1
    for key, place in places.items():
        told[place][2] = words("command.run_check.figures", count=words.number(counted[key]))
    return told


def _split(name: str) -> tuple[str, str]:
    """The part of the record, and the figure in it; the names of tables hold a dot themselves."""
    head, _, rest = name.partition(".")
    if rest.startswith("parquet."):
        return f"{head}.parquet", rest.removeprefix("parquet.")
    return head, rest


def _value(value: Any) -> str:
    return "–" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)


def _show(check: Check, words: Words, *, every: bool) -> None:
    terminal = Terminal(words)
    for notice in check.notices:
        terminal.notice(notice.as_data())
    terminal.table(
        words("command.run_check.title", run=check.run),
        [words(f"command.run_check.{name}") for name in ("part", "figure", "told", "found", "agrees")],
        table_rows(check.rows, terminal.cells, every=every),
        words_columns=(0, 1),
    )
    differing = sum(not row.agrees for row in check.rows)
    key = "same" if check.agrees else "different"
    terminal.line(
        words(
            f"command.run_check.{key}", count=words.number(len(check.rows)), differing=words.number(differing)
        )
    )


def check(
    words: Words,
    run: str,
    files: Sequence[str],
    every: bool,
    json_path: str | None,
    home: str | None,
    language: str,
    debug: bool,
) -> int:
    """Every figure computed again; exit code 1 where one differs."""
    found = check_run(run, make_context(home=home).home_path, files)
    if json_path != "-":
        _show(found, words, every=every)
    write_json(canonical_json(found.to_dict()), json_path)
    return 0 if found.agrees else 1
