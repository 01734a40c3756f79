"""What tables of state are, wherever they lie: their columns, and how a transaction reaches them or fails."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from base.errors import TypedError


class DatabaseError(TypedError):
    """The database that several machines share cannot be used as it is asked for."""

    room = "base"


class Cursor(Protocol):
    """What a statement found or changed."""

    @property
    def rowcount(self) -> int:
        """How many rows it changed."""

    @property
    def description(self) -> Any:
        """A tuple a column of what it found, its name first."""

    def fetchone(self) -> Any:
        """The next row; None where there is none."""

    def fetchall(self) -> list[Any]:
        """All rows."""


class Tables(Protocol):
    """Tables within one transaction: a `sqlite3.Connection`, or what stands for it."""

    def execute(self, statement: str, values: Sequence[Any] = (), /) -> Cursor:
        """One statement with its values, each a question mark there."""

    def executemany(self, statement: str, rows: Iterable[Sequence[Any]], /) -> Cursor:
        """One statement with many rows of values; its `rowcount` is of all of them."""


@dataclass(frozen=True, kw_only=True)
class Schema:
    """Tables that belong together, in which nothing is ever changed or deleted.

    Attributes:
        name: of all of them.
        version: of their shape; what is of an earlier one gets what it lacks.
        tables: the columns of each.
        begin: writes what stands in them first, in the same transaction.
    """

    name: str
    version: int
    tables: Mapping[str, str]
    begin: Callable[[Tables], None]
