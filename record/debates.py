"""The debates of a run, read from its events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def run_debates(events: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The debates of a run, one entry an iteration, from its events so far.

    Returns:
        `iteration`; `turns`, each the data of a `debate_turn` event; `decision` and `dissent` once there is
        a consensus, None and empty before.
    """
    debates: dict[int, dict[str, Any]] = {}
    for event in events:
        if event["kind"] not in ("debate_turn", "consensus"):
            continue
        debate = debates.setdefault(
            event["iteration"],
            {"iteration": event["iteration"], "turns": [], "decision": None, "dissent": []},
        )
        if event["kind"] == "debate_turn":
            debate["turns"].append(dict(event["data"]))
        else:
            debate["decision"] = event["data"]["decision"]
            debate["dissent"] = list(event["data"]["dissent"])
    return [debates[iteration] for iteration in sorted(debates)]
