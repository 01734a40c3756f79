"""Node `publish`: removes what was invented, adds what code knows, validates, writes the hour."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from filelock import FileLock
from langgraph.runtime import Runtime

from backtest.files import write_text_atomically
from nodes.context import EnsembleContext
from nodes.ensemble.arbiter_rules import contributors
from nodes.ensemble.evidence import candidates
from nodes.ensemble.limits import LONGEST, known_limits
from nodes.ensemble.pooling import AGENTS, QUORUM
from nodes.ensemble.schemas import LLMEnsembleSummary
from nodes.ensemble.state import EnsembleState
from prompts import Words

_MOST_LIMITS = 20
_FEWEST_CONTRIBUTORS = 3


def publish(state: EnsembleState, runtime: Runtime[EnsembleContext]) -> dict[str, Any]:
    """Write summary and trace whole; without a draft nothing can be said and nothing is written.

    Raises:
        OSError: the data folder cannot be written; no half of a summary is left.
    """
    context = EnsembleContext.of(runtime.context)
    draft = state["draft"]
    if draft is None:
        return {
            "status": "failed",
            "degraded": True,
            "failure": state["arbiter"]["code"],
            "summary": None,
            "summary_path": None,
        }
    summary, removed = _finished(state, draft, Words(context.language))
    turns = [state[agent] for agent in AGENTS]  # type: ignore[literal-required]
    degraded = any(turn["degraded"] for turn in (*turns, state["arbiter"]))
    speaking = sum(turn["status"] == "answered" for turn in turns)
    status = "degraded" if degraded or speaking < QUORUM else "finished"
    content = summary.model_dump(mode="json")
    hour = datetime.fromisoformat(state["hour"])
    folder = context.home_path / "llm_summary" / f"dt={hour:%Y%m%d%H}"
    folder.mkdir(parents=True, exist_ok=True)
    trace = {
        "run": {
            "hour": state["hour"],
            "language": context.language,
            "sample": state["sample"],
            "status": status,
            "degraded": degraded,
            "speaking": speaking,
            "removed_contributors": removed,
        },
        "inputs": {"evidence": state["evidence"], "notices": state["notices"]},
        "messages": [_message(turn) for turn in (*turns, *state["turns"])],
        "raw": [_raw(turn) for turn in (*turns, *state["turns"])],
    }
    with FileLock(folder / ".lock"):
        _keep_earlier(folder)
        write_text_atomically(folder / "trace_raw.json", _json(trace))
        write_text_atomically(folder / "summary.json", _json(content))
    return {
        "status": status,
        "degraded": degraded,
        "failure": "",
        "summary": content,
        "summary_path": str(folder / "summary.json"),
    }


def _finished(state: EnsembleState, draft: dict[str, Any], words: Words) -> tuple[LLMEnsembleSummary, int]:
    """The draft without inventions, completed from the evidence where too few rows are left."""
    invented = set(state["invented"])
    kept = [row for place, row in enumerate(draft["contributors"]) if place not in invented]
    completed = 0
    if len(kept) < _FEWEST_CONTRIBUTORS:
        whole = contributors(candidates(state["evidence"]), words, kept)
        completed = len(whole) - len(kept)
        kept = whole
    known = known_limits(state, words, removed=len(invented), completed=completed)
    own = [sentence[:LONGEST] for sentence in draft["limits"] if sentence not in known]
    limits = [*known, *own][:_MOST_LIMITS]
    fields = {**draft, "contributors": kept, "limits": limits}
    return LLMEnsembleSummary.model_validate(fields), len(invented)


def _keep_earlier(folder: Path) -> None:
    """A rerun of the hour keeps what was published before, under the next number."""
    if not (folder / "summary.json").exists():
        return
    number = 1
    while (folder / f"summary.{number}.json").exists():
        number += 1
    for name in ("summary", "trace_raw"):
        source = folder / f"{name}.json"
        if source.exists():
            # A copy, so that the hour never stands without a summary.
            write_text_atomically(folder / f"{name}.{number}.json", source.read_text(encoding="utf-8"))


def _message(turn: Any) -> dict[str, Any]:
    return {"role": turn["role"], "status": turn["status"], "prompt": turn["prompt"]}


def _raw(turn: Any) -> dict[str, Any]:
    fields = ("role", "status", "code", "degraded", "report", "provenance")
    return {name: turn[name] for name in fields}


def _json(content: Any) -> str:
    return json.dumps(content, ensure_ascii=False, indent=2, allow_nan=False) + "\n"
