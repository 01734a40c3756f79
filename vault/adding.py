"""From a text to an indicator of the library, and from the library to the language."""

from __future__ import annotations

from pathlib import Path

from backtest.cage.source import Source
from backtest.cage.trying import examine
from backtest.engine.adopted import adopt
from backtest.engine.likeness import require_new
from vault import indicators
from vault.indicators import Kept


def add(
    text: str,
    home: Path,
    *,
    author: str,
    parents: tuple[str, ...] = (),
    evidence: dict[str, float | str] | None = None,
) -> Kept:
    """Examine a function in the cage, and keep it for conditions of this process and of later ones.

    Args:
        text: Python; see `backtest.cage.source`.
        home: the data folder.
        author: `person`, or the reference of a model.
        parents: hashes of what it was made from.
        evidence: what speaks for it.

    Raises:
        CodeError: it is refused, and why.
        RequestError: `indicator_name_taken`.
        MarketError: `indicator_there`, `damaged_indicator`.
        OSError: no process can be started, or the data folder cannot be written.
    """
    use(home)
    source, measured, nearest = examined(text)
    adopt(source, measured, author)
    return keep(source, measured, nearest, home, author=author, parents=parents, evidence=evidence)


def examined(text: str) -> tuple[Source, dict[str, int], tuple[str, float]]:
    """A function that is honest and new: its source, what was measured, and what it is most like.

    Raises:
        CodeError: it is refused, and why.
        OSError: no process can be started.
    """
    found = examine(text)
    return found.source, found.measured, require_new(found)


def keep(
    source: Source,
    measured: dict[str, int],
    nearest: tuple[str, float],
    home: Path,
    *,
    author: str,
    parents: tuple[str, ...] = (),
    evidence: dict[str, float | str] | None = None,
) -> Kept:
    """Put a function that was examined into the library of a data folder.

    Raises:
        MarketError: `indicator_there`, `damaged_indicator`.
        OSError: the data folder cannot be written.
    """
    kept = Kept(
        name=source.name,
        source=source.text,
        hash=source.hash,
        author=author,
        parents=parents,
        measured=measured,
        nearest=nearest,
        evidence=evidence or {},
        added_at=indicators.now(),
    )
    indicators.keep(kept, home)
    return kept


def use(home: Path) -> list[str]:
    """Let conditions of this process name the indicators of a data folder.

    Returns:
        Their names.

    Raises:
        MarketError: `damaged_indicator`.
        RequestError: `indicator_name_taken`: by one of another data folder, or by a plugin.
    """
    known = indicators.library(home)
    for kept in known.values():
        adopt(kept.read(), kept.measured, kept.author)
    return [*known]
