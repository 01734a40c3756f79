"""Tables in JSON: records, columns by name, rows of exchanges without names, and what they are wrapped in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from base.reasons import ReasonError
from vault.readers.columns import plain
from vault.readers.sizes import check_values

_WIDTH = 5
_KRAKEN_WIDTH = 8
"""Time, four prices, average price, volume, count: the average stands where others have the volume."""


def read_json(content: bytes, path: Path, *, lines: bool) -> Any:
    """JSON out of the bytes of a file.

    Args:
        content: UTF-8, with or without mark.
        path: for the reader.
        lines: a value a line.

    Raises:
        MarketError: `too_many_values`.
        ValueError, RecursionError: this is no JSON, or too deep.
    """
    check_values(path, content)
    text = content.decode("utf-8-sig")
    if not lines:
        return _DECODER.decode(text)
    return [_DECODER.decode(line) for line in text.splitlines() if line.strip()]


class _Twice(dict[str, Any]):
    """An object in which a name stands twice: which of its values is meant?"""

    name: str


def _whole(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    told = _Twice(found)
    names = [name for name, _ in pairs]
    told.name = next(name for name in names if names.count(name) > 1)
    return told


_DECODER = json.JSONDecoder(object_pairs_hook=_whole)


def from_json(content: Any) -> pd.DataFrame:
    """A table out of JSON, whatever layout it has; rows of arrays have numbered columns.

    Raises:
        ReasonError: `no_rows`; `repeated_key`, `repeated_keys`: a name stands twice in a row, or elsewhere.
        ValueError, KeyError, TypeError: its columns do not go together.
    """
    frames = _tables(content, ())
    if not frames:
        raise ReasonError("no_rows")
    if len(frames) == 1:
        return frames[0][1]
    return pd.concat([frame.assign(symbol=name) for name, frame in frames], ignore_index=True)


def json_symbol(content: Any) -> str | None:
    """The instrument that stands beside the rows, where an exchange tells it."""
    if not isinstance(content, dict):
        return None
    for name, part in content.items():
        if plain(name) in ("symbol", "ticker", "instrument", "pair") and isinstance(part, str):
            return part
    inner = [part for part in content.values() if isinstance(part, dict)]
    if len(inner) == 1:
        rows = [name for name, part in inner[0].items() if _is_rows(part)]
        return (
            rows[0]
            if len(rows) == 1 and plain(rows[0]) not in ("list", "data", "candles")
            else json_symbol(inner[0])
        )
    return None


def _is_rows(content: Any) -> bool:
    return (
        isinstance(content, list) and bool(content) and all(isinstance(row, list | dict) for row in content)
    )


def _tables(content: Any, path: tuple[str, ...]) -> list[tuple[str, pd.DataFrame]]:
    """Every table in a piece of JSON, with the key it stands under."""
    name = path[-1] if path else ""
    if isinstance(content, _Twice):
        raise ReasonError("repeated_keys", name=content.name)
    if isinstance(content, list):
        for number, row in enumerate(content, start=1):
            if isinstance(row, _Twice):
                raise ReasonError("repeated_key", row=number, name=row.name)
        if content and all(isinstance(row, dict) for row in content):
            return [(name, pd.DataFrame.from_records(content))]
        if content and all(isinstance(row, list) and len(row) >= _WIDTH for row in content):
            return [(name, _rows(content))]
        return []
    if not isinstance(content, dict) or not content:
        return []
    if {"columns", "data"} <= content.keys():
        frame = pd.DataFrame(content["data"], columns=content["columns"])
        return [(name, frame if "index" not in content else frame.assign(time=content["index"]))]
    lists = {key: part for key, part in content.items() if isinstance(part, list)}
    flat = {key: part for key, part in lists.items() if part and not isinstance(part[0], list | dict)}
    if len(flat) >= _WIDTH and len({len(part) for part in flat.values()}) == 1:
        return [(name, pd.DataFrame(flat))]
    if all(isinstance(part, dict) for part in content.values()):
        parts = list(content.values())
        for number, part in enumerate(parts, start=1):
            if isinstance(part, _Twice):
                raise ReasonError("repeated_key", row=number, name=part.name)
        if all(not isinstance(one, list | dict) for part in parts for one in part.values()):
            return [(name, _mapping(content))]
    found = []
    for key, part in content.items():
        if isinstance(part, list | dict):
            found += _tables(part, (*path, str(key)))
    return found


def _mapping(content: dict[str, dict[str, Any]]) -> pd.DataFrame:
    """Columns of cells by time, or rows of cells by name under their time."""
    names = {plain(name) for name in content}
    frame = pd.DataFrame(content)
    if not names & {"open", "close", "o", "c"}:
        frame = frame.T  # a row under each time, as some services write
    if {"timestamp", "time", "date", "datetime", "open_time"} & {plain(name) for name in frame.columns}:
        return frame.reset_index(drop=True)
    keys = frame.index.astype(str)
    whole = keys.str.fullmatch(r"-?\d+").all()
    return frame.assign(time=keys.astype("int64") if whole else keys).reset_index(drop=True)


def _rows(content: list[list[Any]]) -> pd.DataFrame:
    """Rows of arrays as numbered columns: time, four prices, volume, more."""
    frame = pd.DataFrame(content)
    if len(frame.columns) == _KRAKEN_WIDTH and _is_average(frame):
        frame = frame.drop(columns=5).set_axis(range(_KRAKEN_WIDTH - 1), axis=1)
    return frame


def _is_average(frame: pd.DataFrame) -> bool:
    """Whether column 5 holds average prices: between the least and the greatest price, or none."""
    figures = frame.apply(pd.to_numeric, errors="coerce")
    prices = figures[[1, 2, 3, 4]]
    inside = figures[5].between(prices.min(axis=1) * (1 - 1e-9), prices.max(axis=1) * (1 + 1e-9))
    return bool((inside | ((figures[5] == 0) & (figures[6] == 0))).all())
