"""Names that people and files give (symbols, strategies, timeframes): short, every letter visible."""

from __future__ import annotations

import re
import reprlib
from typing import Annotated, Any

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

LONGEST_LABEL = 120

# Controls, line ends, marks that turn the direction of writing, halves of a pair, what is no character.
UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")


def _seen(label: str) -> str:
    if UNSEEN.search(label):
        raise PydanticCustomError("control_character", "control character")
    return label


Label = Annotated[str, Field(min_length=1, max_length=LONGEST_LABEL), AfterValidator(_seen)]
"""A name of 1 to `LONGEST_LABEL` letters without control characters."""


def is_label(told: str) -> bool:
    """Whether a text is a `Label`."""
    return 0 < len(told) <= LONGEST_LABEL and UNSEEN.search(told) is None


class _Short(reprlib.Repr):
    """Python's notation, cut in depth and length, whatever is in it."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel, self.maxstring, self.maxother, self.maxlong = 3, 80, 80, 80

    def repr_int(self, value: int, level: int) -> str:
        # Python writes no integer of more than 4,300 digits, and takes quadratic time for those it writes.
        return f"{'-' * (value < 0)}2**{value.bit_length()}" if value.bit_length() > 1_000 else repr(value)


_short = _Short()


def shown(value: Any) -> str:
    """Anything as Python writes it, cut to 80 letters; what cannot be seen is written by its number."""
    written = _short.repr(value)[:80]
    return UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", written)
