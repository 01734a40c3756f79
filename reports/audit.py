"""Everything that a result rests on, value by value, for those who want to check it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any


def value_rows(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """(path, value) of each leaf of plain JSON, exactly as it stands; lists of plain values on one line."""
    if isinstance(value, Mapping) and value:
        for key in value:
            yield from value_rows(value[key], f"{name}.{key}" if name else str(key))
    elif isinstance(value, list | tuple) and any(isinstance(part, Mapping | list | tuple) for part in value):
        for place, part in enumerate(value, start=1):
            yield from value_rows(part, f"{name}.{place}")
    elif isinstance(value, list | tuple):
        yield name, ", ".join(_exact(part) for part in value) or "–"
    else:
        yield name, _exact(value)


def _exact(value: Any) -> str:
    if value is None:
        return "–"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
