"""What `--edit FILE` may hold: an example of every kind of change, for help, documentation and tests.

Plain JSON, so that the help imports no engine; `tests/test_docs_language.py` holds it against the schema.
"""

from __future__ import annotations

import json
from typing import Any

CHANGES: dict[str, dict[str, Any]] = {
    "param_adjustment": {"parameter": "fast_period", "value": {"low": 5, "high": 20}},
    "add_filter": {"side": "long", "condition": "adx(14) > 25"},
    "remove_filter": {"side": "long", "condition": "adx(14) > 25"},
    "replace_condition": {"side": "long", "exit": "rsi(close, 14) > 70", "logic": "or"},
    "risk_management": {"parameter": "stop_loss_pct", "value": 3},
    "sizing": {"method": "risk_per_trade_pct", "value": 1},
    "switch_preset": {"preset": "supertrend", "search": True},
}
"""By kind, what stands beside it."""


def example(kind: str) -> str:
    """A change of this kind as JSON."""
    return json.dumps({"kind": kind, **CHANGES[kind]})
