"""Values told apart by what they are, not by what they hold: keys for what is made of them."""

from __future__ import annotations

from typing import Generic, TypeVar

T = TypeVar("T")


class Same(Generic[T]):
    """A value that equals itself alone, and can be a key even where it is a list or a dict.

    A cache that holds it keeps the value alive, so that no other can take its place. For values that nobody
    changes in place: parts of a graph's state, answers.
    """

    __slots__ = ("it",)

    def __init__(self, it: T) -> None:
        self.it = it

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and self.it is other.it

    def __hash__(self) -> int:
        return id(self.it)
