"""LangSmith traces that never hold up a run, nor its exit.

By default the SDK sends from threads that the interpreter waits for, with long time-outs and several tries:
with an unreachable server a process that has done its work ends minutes late. Here the same traces are sent
from threads that end with the process, and the exit waits two seconds at most for what is on its way.

Nothing happens, and nothing is sent, unless `LANGSMITH_TRACING` asks for it.
"""

from __future__ import annotations

import atexit
import logging
import os
import re
import threading
import time
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from langsmith import Client, run_trees
from langsmith.anonymizer import create_anonymizer
from langsmith.utils import LangSmithError, get_tracer_project, tracing_is_enabled
from urllib3.util import Retry

from record.results import RunResult

EXIT_SECONDS = 2.0
"""The longest an exit waits for traces."""

CONNECT_MILLISECONDS = 2_000
READ_MILLISECONDS = 10_000

MASK = "***"

# Keys as their issuers write them, and what a header or an address may carry.
_SECRETS = (
    r"\b(?:sk|gsk|lsv2|hf|ghp|pk|rk)[-_][A-Za-z0-9_\-]{12,}",
    r"(?i)(?<=bearer )[A-Za-z0-9._~+/\-]{8,}=*",
    r"(?<=://)[^/\s:@]+:[^/\s@]+(?=@)",
)
_SECRET_NAMES = ("_API_KEY", "_TOKEN", "_SECRET", "_PASSWORD")
_SHORTEST_SECRET = 8

_lock = threading.Lock()
_bounded: Client | None = None
_senders: list[threading.Thread] = []
_log = logging.getLogger(__name__)


def bounded_traces() -> Client | None:
    """Give this process's traces their bounds; to be called before a graph runs, as often as one likes.

    A client that the program has made for itself already is left as it is.

    Returns:
        The client that the traces go through; None where nothing is traced or the program has its own.
    """
    global _bounded
    if not tracing_is_enabled():
        return None
    with _lock:
        if _bounded is None and run_trees._CLIENT is None:
            # Compressed batches are sent from a pool that the interpreter joins without any bound.
            os.environ.setdefault("LANGSMITH_DISABLE_RUN_COMPRESSION", "true")
            os.environ.setdefault("LANGSMITH_USE_DAEMON", "true")
            _bounded = run_trees.get_cached_client(
                timeout_ms=(CONNECT_MILLISECONDS, READ_MILLISECONDS),
                retry_config=Retry(total=1, backoff_factor=0.1),
                anonymizer=create_anonymizer(secret_rules(os.environ)),
            )
            atexit.register(_finish, _bounded)
        return _bounded


def _finish(client: Client) -> None:
    """Wait for what is on its way, no longer than `EXIT_SECONDS` in all."""
    end = time.monotonic() + EXIT_SECONDS
    for thread in _senders:
        thread.join(max(0.0, end - time.monotonic()))
    client.flush(timeout=max(0.0, end - time.monotonic()))


def secret_rules(environment: Mapping[str, str]) -> list[Any]:
    """What is masked in everything that is sent: keys by their shape, and this process's own by their value.

    Args:
        environment: variables of which those named like a key, token, secret or password hold secrets.
    """
    own = sorted(
        value
        for name, value in environment.items()
        if name.upper().endswith(_SECRET_NAMES) and len(value) >= _SHORTEST_SECRET
    )
    patterns = [*_SECRETS, *(re.escape(value) for value in own)]
    return [{"pattern": re.compile(pattern), "replace": MASK} for pattern in patterns]


def give_feedback(client: Client | None, trace: UUID, result: RunResult) -> None:
    """Put a run's outcome beside its trace: score on the development part, Sharpe ratio on the holdout.

    It is sent by a thread that ends with the process, for the SDK asks the server first which of its ways of
    sending it speaks.

    Args:
        client: as `bounded_traces` gave it; None does nothing.
        trace: id of the trace's root.
        result: `result.json`.
    """
    if client is None:
        return
    told: dict[str, dict[str, Any]] = {
        "final_score": {"score": result["final_score"]},
        "holdout_sharpe_ratio": {"score": (result["holdout_metrics"] or {}).get("sharpe_ratio")},
        "verdict": {"value": (result.get("verdict") or {}).get("value")},
    }
    known = {key: given for key, given in told.items() if next(iter(given.values())) is not None}

    def send() -> None:
        try:
            project = client.read_project(project_name=get_tracer_project())
            for key, given in sorted(known.items()):
                client.create_feedback(
                    trace, key, trace_id=trace, session_id=project.id, stop_after_attempt=1, **given
                )
        except (LangSmithError, OSError) as reason:
            _log.warning("feedback not sent: %s", reason)

    thread = threading.Thread(target=send, name="threadx-feedback", daemon=True)
    thread.start()
    with _lock:
        _senders.append(thread)
