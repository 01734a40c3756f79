"""What `--edit FILE` may hold: an example of every kind of change, for help, documentation and tests.

Read from the texts, so that the help imports no engine; `tests/test_docs_language.py` holds it against the
schema.
"""

from __future__ import annotations

import json
from typing import Any

from base.errors import catalogue, text

CHANGES: dict[str, dict[str, Any]] = {
    kind: json.loads(text(f"changes.{kind}.example", "en"))
    for kind, _, key in (name.partition(".") for name in catalogue("changes", "en"))
    if key == "example"
}
"""By kind, what stands beside it."""


def example(kind: str) -> str:
    """A change of this kind as JSON."""
    return json.dumps({"kind": kind, **CHANGES[kind]})
