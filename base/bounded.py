"""Work of native code in a child process, bounded in memory and time: a crash there is one typed error here.

    run("vault.readers.arrow_files", "read", {"path": "prices.parquet"}, limits=Limits(seconds=60,
    memory=2**30))

A child (`base.bounded_child`) imports one module and calls its functions, one at a time. It is kept for the
next call and ended when nobody needs it for a while. It is started as a program of its own and not by
`multiprocessing`, which would run the caller's script once more.
"""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import psutil

from base import children
from base.bounded_child import read_message, write_message
from base.reasons import ReasonError, because, named

_LOOK_SECONDS = 0.02
"""Between two looks at the memory of a child: what it takes meanwhile, it has."""

_IDLE_SECONDS = 120.0
_AT_ONCE = threading.BoundedSemaphore(4)
_MIB = 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one piece of work may take.

    Attributes:
        seconds: from the question to the whole answer, the start of the child included.
        memory: bytes of the child, and of its answer.
        reserves: whether the work reserves far more addresses than it uses, as a JavaScript engine does: then
            only what is in use is counted.
        sealed: whether the child has nothing of ours: no environment, no file it could write. All work of a
            module is sealed, or none.
        processor: seconds of processor time, where they are bounded too: a machine at work elsewhere makes
            everything take longer, and this not more.
    """

    seconds: float
    memory: int
    reserves: bool = False
    sealed: bool = False
    processor: float | None = None


@dataclass
class _Child:
    """One child process; `over` says why it was ended here."""

    module: str
    process: subprocess.Popen[bytes]
    over: ReasonError | None = None
    timer: threading.Timer | None = field(default=None, repr=False)

    @classmethod
    def start(cls, module: str, sealed: bool = False) -> _Child:
        process = subprocess.Popen(
            children.command("base.bounded_child", module),
            env=children.bare_environment() if sealed else None,
            cwd=os.path.abspath(os.sep) if sealed else None,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            # Ctrl-C is for us: the child leaves when we do.
            start_new_session=True,
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
        return cls(module, process)

    def ask(self, question: Mapping[str, Any], parts: tuple[bytes, ...], limits: Limits) -> bytes:
        """One question and its answer.

        Raises:
            ReasonError: the child died, was ended, or the work itself failed.
        """
        done = threading.Event()
        watch = threading.Thread(target=self._watch, args=(limits, done), daemon=True)
        watch.start()
        try:
            assert self.process.stdin is not None
            assert self.process.stdout is not None
            write_message(self.process.stdin, json.dumps(question).encode(), *parts)
            told, *rest = read_message(self.process.stdout, limits.memory)
        except (EOFError, OSError):
            self.process.kill()
            self.process.wait()
            raise self.over or ReasonError("child_died") from None
        except OverflowError:
            raise ReasonError("child_memory", limit=limits.memory // _MIB) from None
        finally:
            done.set()
            watch.join()
        answer: dict[str, Any] = json.loads(told)
        if "kinds" in answer:
            error = (
                named(answer["kinds"]) if answer["errno"] is None else because(OSError(answer["errno"], ""))
            )
            error.add_note(answer["trace"])
            raise error
        return rest[0]

    def _watch(self, limits: Limits, done: threading.Event) -> None:
        """End the child where it takes too long or too much."""
        begun = time.monotonic()
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(self.process.pid)
            used = _worked(process)
            while not done.wait(_LOOK_SECONDS):
                if process.memory_info().rss > limits.memory:
                    self.over = ReasonError("child_memory", limit=limits.memory // _MIB)
                elif time.monotonic() - begun > limits.seconds:
                    self.over = ReasonError("child_time", seconds=round(limits.seconds))
                elif limits.processor is not None and _worked(process) - used > limits.processor:
                    self.over = ReasonError("child_time", seconds=round(limits.processor))
                if self.over is not None:
                    self.process.kill()
                    return

    def end(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            with suppress(OSError):  # what it did not take any more
                pipe.close()


def _worked(process: psutil.Process) -> float:
    told = process.cpu_times()
    return float(told.user + told.system)


class _Idle:
    """Children that wait for work, one a module. A fork of this process has none of them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._children: dict[str, _Child] = {}
        self._owner = os.getpid()

    def take(self, module: str) -> _Child | None:
        with self._lock:
            if self._owner != os.getpid():
                self._children, self._owner = {}, os.getpid()
            child = self._children.pop(module, None)
        if child is None:
            return None
        if child.timer is not None:
            child.timer.cancel()
        if child.process.poll() is None:
            return child
        child.end()
        return None

    def put(self, child: _Child) -> None:
        with self._lock:
            if child.module not in self._children:
                self._children[child.module] = child
                child.timer = threading.Timer(_IDLE_SECONDS, self._end, (child,))
                child.timer.daemon = True
                child.timer.start()
                return
        child.end()

    def end_all(self) -> None:
        for module in list(self._children):
            if (child := self.take(module)) is not None:
                child.end()

    def _end(self, child: _Child) -> None:
        with self._lock:
            if self._children.get(child.module) is not child:
                return
            del self._children[child.module]
        child.end()


_idle = _Idle()
atexit.register(_idle.end_all)


def warm(module: str) -> None:
    """Start a child for a module that will be needed, so that it starts while other things are done."""
    _idle.put(_idle.take(module) or _Child.start(module))


def run(module: str, function: str, fields: Mapping[str, Any], *parts: bytes, limits: Limits) -> bytes:
    """Call a function of a module in a child.

    Args:
        module: what the child imports; it should import little.
        function: takes `fields` and a list of bytes, returns bytes.
        fields: plain JSON.
        *parts: bytes for it.
        limits: what it may take.

    Raises:
        ReasonError: `child_died` (a crash), `child_time`, `child_memory`, or what `base.reasons.because`
            makes of what the function raised; a note holds the child's traceback.
        OSError: no child can be started.
    """
    question = {
        "function": function,
        "fields": dict(fields),
        "seconds": limits.seconds,
        "memory": None if limits.reserves else limits.memory,
        "sealed": limits.sealed,
        "processor": limits.processor,
    }
    with _AT_ONCE:
        child = _idle.take(module) or _Child.start(module, limits.sealed)
        try:
            answer = child.ask(question, parts, limits)
        except ReasonError as error:
            if error.code in ("child_died", "child_time", "child_memory"):
                child.end()
            else:
                _idle.put(child)
            raise
        except BaseException:  # Ctrl-C, most of all: the answer still to come is for nobody
            child.end()
            raise
        _idle.put(child)
    return answer
