"""The child of `base.bounded`: imports one module and calls its functions as they are asked for.

    python -m base.bounded_child MODULE

It bounds itself too: a parent that was killed ends nobody.
"""

from __future__ import annotations

import faulthandler
import json
import math
import os
import struct
import sys
import traceback
from contextlib import suppress
from importlib import import_module
from typing import IO, Any

from base import job_objects

if sys.platform != "win32":
    import resource

_GRACE_SECONDS = 5.0
"""The parent has this long to end the child itself."""


def _bound(seconds: float, memory: int | None) -> None:
    """Bound what comes: time everywhere; addresses, of which more are taken than used, where one can."""
    faulthandler.dump_traceback_later(seconds + _GRACE_SECONDS, exit=True)
    if sys.platform != "win32":
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        most = hard if memory is None else _pages() * resource.getpagesize() + 2 * memory
        with suppress(ValueError, OSError):  # macOS knows the limit and keeps to none
            resource.setrlimit(resource.RLIMIT_AS, (most, hard))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _seal(sealed: bool, memory: int | None, processor: float | None) -> None:
    """What the system holds a child to that its parent cannot: writing, and work once the parent is gone.

    Raises:
        NotHeldError: it was to be sealed, and the system does not.
    """
    if sys.platform == "win32":
        if sealed:
            job_objects.hold(
                memory=None if memory is None else 2 * memory,
                processor=None if processor is None else processor + _GRACE_SECONDS,
            )
    if sys.platform != "win32":
        if sealed:
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        if processor is not None:
            used = resource.getrusage(resource.RUSAGE_SELF)
            most = math.ceil(used.ru_utime + used.ru_stime + processor + _GRACE_SECONDS)
            resource.setrlimit(resource.RLIMIT_CPU, (most, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def _pages() -> int:
    """Pages of addresses that this process has already, where the system tells; else more than it has."""
    try:
        with open("/proc/self/statm", encoding="ascii") as told:
            return int(told.read().split()[0])
    except OSError:
        return 2**21


def write_message(stream: IO[bytes], *parts: bytes) -> None:
    """Write parts so that `read_message` finds them again: how many, how long each is, and they.

    Raises:
        OSError: nobody reads.
    """
    stream.write(struct.pack(f"<{1 + len(parts)}Q", len(parts), *map(len, parts)))
    for part in parts:
        stream.write(part)
    stream.flush()


def read_message(stream: IO[bytes], most: int | None = None) -> list[bytes]:
    """Read what `write_message` wrote.

    Args:
        stream: to read.
        most: bytes that may come.

    Raises:
        EOFError: the stream ends before.
        OverflowError: more would come.
    """
    (count,) = struct.unpack("<Q", _exactly(stream, 8))
    if count > 1_000:
        raise EOFError
    sizes = struct.unpack(f"<{count}Q", _exactly(stream, 8 * count))
    if most is not None and sum(sizes) > most:
        raise OverflowError
    return [_exactly(stream, size) for size in sizes]


def _exactly(stream: IO[bytes], size: int) -> bytes:
    found = stream.read(size)
    if len(found) < size:
        raise EOFError
    return found


def main() -> None:
    """Answer until the parent has gone."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # libraries may print
    module = import_module(sys.argv[1])
    while True:
        try:
            message = read_message(sys.stdin.buffer)
        except EOFError:
            return
        question = json.loads(message[0])
        _bound(question["seconds"], question["memory"])
        told: dict[str, Any] = {}
        parts: list[bytes] = []
        try:
            _seal(question["sealed"], question["memory"], question["processor"])
            parts = [getattr(module, question["function"])(question["fields"], message[1:])]
        except BaseException as error:  # pyo3's panics are no Exception; whatever it is, it is told
            told = {
                "kinds": [kind.__name__ for kind in type(error).__mro__],
                "errno": error.errno if isinstance(error, OSError) else None,
                "trace": "".join(traceback.format_exception(error))[-4_000:],
            }
        faulthandler.cancel_dump_traceback_later()
        del message
        write_message(answers, json.dumps(told).encode(), *parts)


if __name__ == "__main__":
    main()
