"""The renderers behind charts and PDF, in a child that may crash or be ended."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from base import bounded
from base.bounded import Limits
from base.reasons import ReasonError
from record.errors import ReportError

CHILD = "reports.drawing_child"

_LIMITS = Limits(seconds=120.0, memory=3 * 1024**3, reserves=True)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# The renderer aborts on some of these, and none of them can be seen. As JSON writes them.
_CONTROL = re.compile(r"(?P<kept>\\\\)|\\u00[01][0-9a-f]|\\[bf]|[\x7f-\x9f\ufffe\uffff]")


def drawn(form: str, told: Mapping[str, Any]) -> bytes:
    """A chart's bytes.

    Args:
        form: `png`, `svg` or `pdf`.
        told: the chart as Vega-Lite; control characters in it are shown as U+FFFD.

    Raises:
        ReportError: `not_drawn`.
    """
    return _work(form, {}, _harmless(told))


def typeset(template: str, pictures: Mapping[str, bytes], data: Any = None, made: datetime = _EPOCH) -> bytes:
    """Compile a typst template: fonts of its own, nothing fetched, the same bytes for the same content.

    Args:
        template: typst source; it reads `data` with `json(bytes(sys.inputs.data))`.
        pictures: files the template may name, PDF among them.
        data: plain JSON.
        made: the document's date.

    Returns:
        The PDF.

    Raises:
        ReportError: `not_drawn`.
    """
    fields = {"names": list(pictures), "time": int(made.timestamp())}
    return _work("page", fields, template.encode(), _harmless(data, ordered=True), *pictures.values())


def _harmless(data: Any, *, ordered: bool = False) -> bytes:
    """Plain JSON without what cannot be shown; lone halves of a pair become question marks."""
    written = json.dumps(data, ensure_ascii=False, sort_keys=ordered)
    return _CONTROL.sub(lambda found: found["kept"] or "\ufffd", written).encode(errors="replace")


def _work(function: str, fields: Mapping[str, Any], *parts: bytes) -> bytes:
    try:
        return bounded.run(CHILD, function, fields, *parts, limits=_LIMITS)
    except ReasonError as reason:
        raise ReportError("not_drawn", reason=reason) from reason
