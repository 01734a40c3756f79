"""The written functions that later ones are made from: the best of each way to behave, none like another.

What a cell of the archive tells apart is how often a strategy trades, how long it holds, and in which part of
the history it earned most. Of two in one cell the better one stays; one whose syntax or values are nearly
those of a better one goes.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from backtest.cage import histories
from backtest.cage.breeding import novelty
from backtest.cage.compiled import Floats, compiled
from backtest.cage.honesty import values_of
from backtest.cage.source import Source, read_source
from backtest.engine.likeness import likeness, telling
from nodes.optimization.changes import CHANGE, KINDS, NewIndicator, NewStrategy
from nodes.optimization.evidence.evidence import Cell, Elite
from nodes.optimization.trials.archive import holding
from record.events import Event, Proposed, Started, VariantTested

MOST = 6
LEAST_NOVELTY = 0.1
"""Share of the parts of two syntax trees that must differ."""

MOST_LIKE = 0.95
"""Correlation of values from which on two functions are one."""

_TRADES = (5.0, 20.0, 60.0)
"""Trades in a thousand days that part one frequency from the next."""
_EVERY_OTHER_DAY = 500.0
"""The same where bars are shorter than a day."""


def elites(events: Iterable[Event], bars_a_day: int) -> list[Elite]:
    """The archive that a record has filled so far, best first.

    Args:
        events: of the record.
        bars_a_day: see `trials.archive.usual_day`.
    """
    brought: dict[tuple[int, int], NewIndicator | NewStrategy] = {}
    found, bars = [], 0
    for event in events:
        match event.data:
            case Started(dataset=dataset):
                bars = dataset["development_rows"]
            case Proposed(proposal={"change": change, "number": number}) if KINDS[change["kind"]].caged:
                made = CHANGE.validate_python(change)
                assert isinstance(made, NewIndicator | NewStrategy)
                brought[event.iteration, number] = made
            case VariantTested(variant=variant) as tested:
                made_by = brought.get((event.iteration, variant["number"]))
                if made_by is not None:
                    figures = tested.figures
                    excess = variant.get("excess_t")
                    trades = float(figures["metrics"]["n_trades"] or 0)
                    found.append(
                        Elite(
                            source=read_source(made_by.source),
                            change=made_by,
                            fitness=figures["score"] if excess is None else excess,
                            cell=cell(
                                trades, bars, variant.get("bars_held", 0.0), figures["blocks"], bars_a_day
                            ),
                        )
                    )
    return archived(found)


def cell(trades: float, bars: int, bars_held: float, blocks: list[float | None], bars_a_day: int) -> Cell:
    """Where a strategy belongs: by trades in so many bars, bars held on average, and its folds."""
    limits = _TRADES if bars_a_day == 1 else (*_TRADES, _EVERY_OTHER_DAY)
    often = sum(1000.0 * trades * bars_a_day / max(1, bars) > limit for limit in limits)
    told = [-1e9 if block is None else block for block in blocks]
    best = 3 * told.index(max(told)) // len(told) if told else 0
    return often, holding(bars_held, bars_a_day), best


def archived(found: Iterable[Elite]) -> list[Elite]:
    """The best of each cell, best first, none too like a better one."""
    kept: list[Elite] = []
    cells: set[Cell] = set()
    for one in sorted(found, key=lambda elite: (-elite.fitness, elite.source.hash)):
        if one.cell in cells or any(_alike(one, other) for other in kept):
            continue
        cells.add(one.cell)
        kept.append(one)
    return kept[:MOST]


def _alike(one: Elite, other: Elite) -> bool:
    if novelty(one.source, other.source) < LEAST_NOVELTY:
        return True
    return likeness(_values(one.source), _values(other.source)) > MOST_LIKE


@lru_cache(maxsize=64)
def _values(source: Source) -> Floats:
    """What it gives, or holds, on the history that every function is tried on."""
    values = values_of(source, compiled(source), histories.walk().columns(source.inputs), {})
    return telling(source, values)
