"""LangSmith traces that never hold up a run, nor its exit.

By default the SDK sends from threads that the interpreter waits for, with long time-outs and several tries:
with an unreachable server a process that has done its work ends minutes late. Here the same traces are sent
from threads that end with the process, and the exit waits two seconds at most for what is on its way.

Nothing happens, and nothing is sent, unless `LANGSMITH_TRACING` asks for it.
"""

from __future__ import annotations

import atexit
import os
import threading

from langsmith import Client, run_trees
from langsmith.utils import tracing_is_enabled
from urllib3.util import Retry

EXIT_SECONDS = 2.0
"""The longest an exit waits for traces."""

CONNECT_MILLISECONDS = 2_000
READ_MILLISECONDS = 10_000

_lock = threading.Lock()
_bounded: Client | None = None


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
            )
            atexit.register(_bounded.flush, timeout=EXIT_SECONDS)
        return _bounded
