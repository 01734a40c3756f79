"""What faces tell of the ensemble's operation, in words."""

from __future__ import annotations

from collections.abc import Iterable

from nodes.ensemble.run_log import Alert
from prompts import Words


def alert_lines(alerts: Iterable[Alert], words: Words) -> list[str]:
    """One sentence an alert."""
    return [
        words(
            f"ensemble.alert.{alert.code}",
            value=words.number(alert.value, 0) if alert.code == "latency" else words.percent(alert.value, 0),
            limit=words.number(alert.limit, 0) if alert.code == "latency" else words.percent(alert.limit, 0),
            runs=alert.runs,
        )
        for alert in alerts
    ]
