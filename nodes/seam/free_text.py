"""Free text of an answer that says nothing: the prompt's own words, the same text twice, a text cut off.

A small model fills a field with whatever it has just read, and a grammar ends a text where its room ends.
Both look like an opinion. Fields are marked with `FREE_TEXT` in their schema; what says nothing is sent back
once, and is then left out, with what cannot stand without it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NamedTuple, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError

from prompts import Prompt

T = TypeVar("T", bound=BaseModel)

Emptiness = Literal["copied", "repeated", "cut_off"]


@dataclass(frozen=True)
class _FreeText:
    """Marks a field, or the items of a list, as words of the model's own."""


FREE_TEXT = _FreeText()


class Unsaid(NamedTuple):
    """A text that says nothing, and why not."""

    words: str
    why: Emptiness


_RUN = 4
"""Words in a row that count as taken from somewhere."""

_COPIED = 0.6
"""Share of a text's runs of words that makes it a copy."""

_LEAST = 6
"""Words that a copy must have: shorter texts are terms, which everybody uses."""

_LONG = 150
"""Letters from which a text without a mark at its end was cut off: grammars end texts at 160."""

_WORD = re.compile(r"[^\W_]+")
_EVIDENCE = re.compile(
    r"<evidence>.*?</evidence>|^(?P<mark>[0-9a-f]{16})$.*?^(?P=mark)$", re.DOTALL | re.MULTILINE
)
"""What is there to be cited: the block of the cycle, or the rows between the ensemble's marks."""

_ENDS = re.compile(r"[.!?…][\"'»”’)\]\s]*$")
_OPEN = re.compile(
    r"(?:[,;:(\[«“–—-]|\b(?:a|an|the|of|and|or|to|in|with|because|that|which|than|by|for|is|are|but|if"
    r"|le|la|les|un|une|des|du|de|et|ou|à|dans|avec|que|qui|par|pour|est|sont|mais|si|[ldnscj]['’]))\s*$",
    re.IGNORECASE,
)


def words_of(text: str) -> list[str]:
    """Words and numbers of a text without case and punctuation: equal lists say the same."""
    return _WORD.findall(text.casefold())


def _runs(words: list[str]) -> list[tuple[str, ...]]:
    return [tuple(words[place : place + _RUN]) for place in range(len(words) - _RUN + 1)]


class Listener:
    """Hears the texts of one answer, in order.

    Attributes:
        unsaid: those that say nothing.
    """

    def __init__(self, prompt: Prompt) -> None:
        asked = _EVIDENCE.sub(" ", f"{prompt.user}\n{prompt.closing}")
        self._instructions = frozenset(_runs(words_of(f"{prompt.system}\n{asked}")))
        self._heard: set[tuple[str, ...]] = set()
        self.unsaid: list[Unsaid] = []

    def says_nothing(self, text: str) -> bool:
        """Whether a text is a copy, a repetition or a fragment; it is put down if it is."""
        why = self._emptiness(text)
        if why is not None:
            self.unsaid.append(Unsaid(text, why))
        return why is not None

    def _emptiness(self, text: str) -> Emptiness | None:
        words = words_of(text)
        runs = _runs(words)
        if len(words) >= _LEAST and sum(run in self._instructions for run in runs) >= _COPIED * len(runs):
            return "copied"
        if tuple(words) in self._heard:
            return "repeated"
        self._heard.add(tuple(words))
        open_end = _OPEN.search(text) or text.count("(") > text.count(")")
        return "cut_off" if not _ENDS.search(text) and (len(text) >= _LONG or open_end) else None


def said(value: T, listener: Listener) -> T | None:
    """What an answer says, without the texts that say nothing.

    A text that its field does not need is emptied; where a field needs one, the object that holds it goes,
    and so does a list that becomes too short.

    Returns:
        The answer itself if it says everything; None if too little of it is left to be an answer.
    """
    before = len(listener.unsaid)
    left = dict(value)
    for name, field in type(value).model_fields.items():
        given = getattr(value, name)
        if isinstance(given, str) and FREE_TEXT in field.metadata:
            if given and listener.says_nothing(given):
                if field.is_required():
                    return None
                left[name] = field.default
        elif isinstance(given, list):
            keep = _keeper(field.annotation, listener)
            left[name] = [part for item in given if (part := keep(item)) is not None]
        elif isinstance(given, BaseModel):
            if (kept := said(given, listener)) is None:
                return None
            left[name] = kept
    if len(listener.unsaid) == before:
        return value
    try:
        # Validated by itself: a list may have become too short.
        return type(value).model_validate(left)
    except ValidationError:
        return None


def _keeper(annotation: Any, listener: Listener) -> Callable[[Any], Any]:
    """What is kept of an item of a list: itself, less of it, or None."""
    (items,) = get_args(annotation) or (Any,)
    marked = get_origin(items) is Annotated and FREE_TEXT in items.__metadata__

    def keep(item: Any) -> Any:
        if isinstance(item, BaseModel):
            return said(item, listener)
        return None if marked and listener.says_nothing(item) else item

    return keep
