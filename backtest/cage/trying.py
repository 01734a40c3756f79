"""The one door of the cage: from a text to a function that was examined, in a process of its own.

examined = examine(text)              # CodeError says why not
examined.source.name, examined.values # on `histories.walk()`
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from backtest.cage.errors import CodeError
from backtest.cage.source import Source, read_source
from base import bounded, job_objects
from base.bounded import Limits
from base.reasons import ReasonError

CHILD = "backtest.cage.child"

LIMITS = Limits(seconds=600.0, processor=60.0, memory=1024**3, sealed=True)
"""What compiling and trying a function may take, the start of the process included."""


@dataclass(frozen=True, slots=True)
class Examined:
    """A function that was compiled, run and tried, and did nothing that it must not.

    Attributes:
        source: the function.
        measured: the powers of price and volume that its values grow with, and its warm-ups.
        values: what it gives on `histories.walk()` with its usual parameters, as `honesty.values_of` does.
    """

    source: Source
    measured: dict[str, int]
    values: NDArray[np.float64] = field(compare=False, repr=False)


def require_cage() -> None:
    """Refuse where a process cannot be held.

    Raises:
        CodeError: `no_cage`.
    """
    if sys.platform == "win32":
        try:
            job_objects.require()
        except job_objects.NotHeldError:
            raise CodeError("no_cage") from None


def examine(text: str, limits: Limits = LIMITS) -> Examined:
    """Read a function, then compile and try it in a process that has nothing of this one's.

    Args:
        text: Python; see `backtest.cage.source`.
        limits: of the process.

    Raises:
        CodeError: it is refused; or `no_cage`, this system has no limits for processes.
        OSError: no process can be started.
    """
    source = read_source(text)
    require_cage()
    try:
        answer = bounded.run(CHILD, "examine", {}, source.text.encode(), limits=limits)
    except ReasonError as error:
        if error.code == "not_held":
            raise CodeError("no_cage") from None
        raise CodeError("ended", name=source.name, reason=error) from None
    head, _, values = answer.partition(b"\n")
    told = json.loads(head)
    if "refused" in told:
        raise CodeError.of(**told["refused"])
    found = np.frombuffer(values, dtype=np.float64)
    if source.places:
        found = found.reshape(len(source.places), -1)
    return Examined(source, told["measured"], found)
