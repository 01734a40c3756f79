"""The library of indicators: functions that the cage has examined, kept with who wrote them and why.

`indicators/NAME.json` in the data folder holds one: its source, its author, what it descends from and what
was measured. Whoever uses the folder (`use`) may name them in conditions. A file that was changed by hand, or
sent, is read again by the rules of the cage: what it may do is bound by its code, whatever the file says.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from backtest.cage.errors import CodeError
from backtest.cage.source import LONGEST, Source, read_source
from base import locks, private
from base.labels import Label
from base.reasons import told_known
from vault.errors import MarketError
from vault.sealed import Sealed, read_sealed, write_sealed

_FOLDER = "indicators"
MOST_PARENTS = 8

Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]


class Kept(Sealed):
    """One indicator of the library.

    Attributes:
        name: what conditions call it.
        source: its Python.
        hash: identity of the source.
        author: `person`, or the reference of a model.
        parents: hashes of the functions that it was made from.
        measured: its powers of price and volume, and its warm-ups (`backtest.cage.honesty`).
        nearest: the known indicator that it is most like, and their correlation.
        evidence: what spoke for it, by name: figures, the run.
        added_at: ISO time, UTC.
    """

    version: Literal[1] = 1
    name: str
    source: Annotated[str, Field(max_length=LONGEST + 1)]
    hash: Hash
    author: Label
    parents: Annotated[tuple[Hash, ...], Field(max_length=MOST_PARENTS)] = ()
    measured: dict[str, Annotated[int, Field(ge=-2, le=100_000)]]
    nearest: tuple[str, float]
    evidence: dict[str, float | str] = Field(default_factory=dict)
    added_at: str

    @model_validator(mode="after")
    def _hangs_together(self) -> Self:
        try:
            read = self.read()
        except CodeError as error:
            raise ValueError(error.code) from None
        if (read.name, read.hash) != (self.name, self.hash):
            raise ValueError("another source")
        return self

    def read(self) -> Source:
        """Its source, read by the rules of the cage."""
        return read_source(self.source)


def has_library(home: Path) -> bool:
    """Whether a data folder has indicators; nothing is read to know it."""
    return any((home / _FOLDER).glob("*.json"))


def library(home: Path) -> dict[str, Kept]:
    """Every indicator of a data folder, by name.

    Raises:
        MarketError: `damaged_indicator`, naming the file.
    """
    found = [_read(path) for path in sorted((home / _FOLDER).glob("*.json"))]
    return {one.name: one for one in found}


def one_of(home: Path, name: str) -> Kept:
    """The indicator of a name.

    Raises:
        MarketError: `unknown_indicator`, with the nearest names; `damaged_indicator`.
    """
    known = library(home)
    if name not in known:
        raise MarketError("unknown_indicator", name=name, known=told_known(name, known))
    return known[name]


def keep(kept: Kept, home: Path) -> None:
    """Put one into the library; the same one again changes nothing.

    Raises:
        MarketError: `indicator_there`: another one has its name; `indicator_known`: it is there under another
            name; `damaged_indicator`.
        OSError: the data folder cannot be written.
    """
    folder = home / _FOLDER
    private.make_folder(folder)
    with locks.lock(folder / ".lock"):
        for other in library(home).values():
            if other.hash == kept.hash:
                return
            if other.name == kept.name:
                raise MarketError("indicator_there", name=kept.name)
        _write(kept, folder)


def tell(home: Path, name: str, evidence: dict[str, float | str]) -> None:
    """Add to what speaks for an indicator, or against it.

    Raises:
        MarketError: `unknown_indicator`, `damaged_indicator`.
        OSError: the data folder cannot be written.
    """
    folder = home / _FOLDER
    with locks.lock(folder / ".lock"):
        kept = one_of(home, name)
        _write(kept.model_copy(update={"evidence": {**kept.evidence, **evidence}}), folder)


def drop(home: Path, name: str) -> Kept:
    """Take one out of the library.

    Raises:
        MarketError: `unknown_indicator`, `damaged_indicator`.
        OSError: the data folder cannot be written.
    """
    folder = home / _FOLDER
    kept = one_of(home, name)
    with locks.lock(folder / ".lock"):
        (folder / f"{kept.name}.json").unlink(missing_ok=True)
    return kept


def now() -> str:
    """The present moment, as the library writes it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _write(kept: Kept, folder: Path) -> None:
    write_sealed(folder / f"{kept.name}.json", "indicator", kept)


def _read(path: Path) -> Kept:
    damaged = MarketError("damaged_indicator", path=str(path))
    found = read_sealed(path, "indicator", Kept, damaged)
    if found is None or found.name != path.stem:
        raise damaged
    return found
