"""How deadlines are written in a setting: `local=900,first=600`."""

from __future__ import annotations

import math
import re
from typing import TypedDict

from pydantic_core import PydanticCustomError

DEADLINES = ("hosted", "local", "first", "idle", "loading")
"""Limits of a call that can be set, each `<name>_seconds` of `providers.ProviderSettings`."""


class Seconds(TypedDict, total=False):
    """The same limits by their whole names."""

    hosted_seconds: float
    local_seconds: float
    first_seconds: float
    idle_seconds: float
    loading_seconds: float


_ONE = rf"\s*(?:{'|'.join(DEADLINES)})\s*=\s*(?:[1-9]\d{{0,5}}(?:\.\d+)?|0?\.0*[1-9]\d*)\s*"
_DEADLINES = re.compile(rf"(?:{_ONE}(?:,{_ONE})*)?")


def checked_deadlines(told: str) -> str:
    """Refuse what is not NAME=SECONDS, names one twice, or lets a part of a call take longer than all of it.

    A pattern of pydantic's would be told as it is.

    Raises:
        PydanticCustomError: `deadlines`, `deadlines_in_all`.
    """
    names = [part.partition("=")[0].strip() for part in told.split(",")]
    if not _DEADLINES.fullmatch(told) or len(names) > len(set(names)):
        raise PydanticCustomError("deadlines", "deadlines")
    given = (part.partition("=") for part in told.split(",") if part)
    seconds = {name.strip(): float(value) for name, _, value in given}
    if any(seconds.get(part, 0.0) > seconds.get("local", math.inf) for part in ("first", "idle")):
        raise PydanticCustomError("deadlines_in_all", "deadlines_in_all")
    return told
