"""The block of evidence that every role of an iteration is shown, within a budget of tokens.

A local model spends its time reading, and a small window holds little beside the instructions. So each line
has a rank of relevance: where the block would be too long, the least relevant lines are left out, the block
says how many, and nobody is asked to cite them. Older iterations are folded into counts by what was changed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from functools import lru_cache
from itertools import chain
from typing import NamedTuple

from backtest.language.tree import show
from backtest.types import LADDERS, PLACES
from base.same import Same
from nodes.optimization.changes.filters import required
from nodes.optimization.evidence.evidence import (
    WHOLE,
    Evidence,
    blind,
    item_line,
    iteration_lines,
    place,
    quoted,
)
from prompts import Language, part_of, text
from providers.request import estimate_tokens
from record.types import Item

SHARED = "optimization/shared"
"""The prompt that every role's own stands behind: a server that keeps what it has read reads it once."""

MARKET = "K"
"""Letter of the items about the prices themselves."""
_DATED = frozenset(("from",))
"""Fields of an item that tell a calendar date."""
GROUPS = "XSTG"
"""Letters of groups of trades; a group that is alone holds all of them, and tells nothing new."""
MOST_FOLDED = 6

_RANKS = {
    **{"W": (0, 2), "M": (0, 2), "I": (2, 1), "C": (4, 3), "P": (5, 3), "O": (6, 3), "X": (7, 4)},
    **{"L": (10, 4), "G": (12, 4), "S": (14, 4), "D": (11, 8), "K": (6, 6), "T": (24, 4)},
}
"""Rank of the first line of a letter, and how much each further one adds; 0 is never left out."""
_FOLDED_RANK, _OFF_RANK, _ALL_TRADES = 9.0, 22.0, 99.0
_OLDER = 12.0
"""What an iteration before the last one adds to the rank of its lines."""

_ORDER = {
    "M": (
        *("sharpe_ratio", "max_drawdown", "profit_factor", "win_rate", "n_trades", "total_return"),
        *("exposure", "avg_trade", "volatility", "cagr", "worst_trade", "best_trade"),
        *("sortino_ratio", "calmar_ratio", "expectancy"),
    ),
    "O": (
        *("probability_that_sharpe_exceeds_luck", "configurations_compared_so_far"),
        *("sharpe_ratio_whole_minus_walk_forward", "years_of_data", "years_of_data_needed", "conditions"),
        *("sharpe_ratio_that_luck_alone_reaches", "years_below_which_luck_gives_sharpe_1"),
    ),
}
"""Names by relevance, where it is not the order of the ids."""


class Line(NamedTuple):
    """One line of the block: its rank, the id that answers cite, and the letter of lines without one."""

    words: str
    rank: float = 0.0
    id: str = ""
    letter: str = ""


class Block(NamedTuple):
    """The block within its budget.

    Attributes:
        parts: of the prompt, by name.
        note: what was left out, in the language of the prompt; empty where nothing was.
        ids: that an answer may cite: those shown, and trials of the iteration at work.
        left_out: ids of the lines that were left out.
    """

    parts: dict[str, str]
    note: str
    ids: list[str]
    left_out: list[str]


@lru_cache(maxsize=8)
def evidence_block(evidence: Evidence, language: Language, tokens: int) -> Block:
    """The block with as many lines, by their rank, as a budget has room for; made once for an evidence.

    Args:
        evidence: of the iteration.
        language: of the prompt.
        tokens: of the whole block, as `estimate_tokens` counts, rather too many than too few; market,
            strategy, score and Sharpe ratio are told in any case.
    """
    parts = {
        "prices": _items_told(Same(evidence.items), evidence.named, of_market=True),
        "lessons": list(_lesson_lines(evidence, language)),
        "strategy": list(_strategy_lines(evidence, language)),
        "figures": _items_told(Same(evidence.items), evidence.named, of_market=False),
        "history": list(_history_lines(evidence, language)),
    }
    market = market_line(evidence, language)
    lines = sorted(chain.from_iterable(parts.values()), key=lambda line: line.rank)
    costs = [_line_tokens(line.words) for line in lines]
    room = tokens - _frame_tokens(language) - estimate_tokens(market)
    if sum(costs) > room:
        room -= estimate_tokens(_note(lines, language))
    kept = 0
    while kept < len(lines) and (lines[kept].rank == 0.0 or costs[kept] <= room):
        room -= costs[kept]
        kept += 1
    out = lines[kept:]
    shown = {line.id for line in lines[:kept]}
    at_work = f"I{evidence.iteration}."
    told = {
        name: _told([one for one in given if one not in out], given, language)
        for name, given in parts.items()
    }
    return Block(
        parts={"market": market, **told},
        note=_note(out, language) if out else "",
        ids=[name for name in evidence.ids if name in shown or name.startswith(at_work)],
        left_out=[line.id for line in out if line.id],
    )


@lru_cache(maxsize=1024)
def _line_tokens(words: str) -> int:
    """Tokens of a line and its end; all roles of an iteration are shown nearly the same lines."""
    return estimate_tokens(words) + 1


@lru_cache
def _frame_tokens(language: Language) -> int:
    """Tokens of what stands around the lines: headings, and sentences that are always there."""
    return estimate_tokens(part_of(SHARED, "user", language))


def _told(kept: list[Line], given: list[Line], language: Language) -> str:
    empty = text(f"optimization.evidence.{'omitted' if given else 'nothing'}", language)
    return "\n".join(line.words for line in kept) or empty


def _note(out: list[Line], language: Language) -> str:
    """How many lines of each letter were left out."""
    counts = Counter(line.id[:1] or line.letter for line in out)
    told = ", ".join(f"{letter} {count}" for letter, count in sorted(counts.items()))
    return text("optimization.evidence.left_out", language, count=len(out), lines=told)


def market_line(evidence: Evidence, language: Language) -> str:
    """What is traded, by its name or blind, and of how many instruments all figures are."""
    line = _market_named(evidence, language)
    if pooled := len(evidence.prices.get("instruments", [])):
        line += " " + text("optimization.evidence.market_pool", language, count=pooled)
    return line


def _market_named(evidence: Evidence, language: Language) -> str:
    prices = evidence.prices
    timeframe = quoted(prices["timeframe"])
    if evidence.named:
        symbol = quoted(prices["symbol"])
        return text("optimization.evidence.market_named", language, symbol=symbol, timeframe=timeframe)
    every_day = (evidence.baseline.get("bars_per_year") or {}).get("basis") == "every_day"
    key = "market_every_day" if every_day else "market_blind"
    return text(f"optimization.evidence.{key}", language, timeframe=timeframe)


def _strategy_lines(evidence: Evidence, language: Language) -> Iterator[Line]:
    """The strategy: conditions, further series, parameters with bounds, rules of risk."""
    spec = evidence.spec
    yield Line(blind(quoted(spec.name), evidence, language))
    for name in PLACES:
        if condition := getattr(spec, name):
            yield Line(f"{name}: {condition}")
    for name, one in sorted(spec.readable.items()):
        about = ", ".join(filter(None, (one.kind, quoted(one.unit))))
        yield Line(text("optimization.evidence.series", language, name=name, about=about))
    for side in ("long", "short"):
        parts = required(spec, side)
        if len(parts) > 1:
            for number, part in enumerate(parts, 1):
                yield Line(f"entry_{side} filter {number}: {show(part)}")
    searched, off = evidence.grid, []
    # The strategy's own parameters first: what is adjusted most often stands on top.
    for name, bound in sorted(evidence.bounds.items(), key=lambda item: item[0] not in spec.params):
        kind, value = place(spec, name)
        if value is None:
            off.append(name)
            continue
        refitted = f", {text('optimization.evidence.refitted', language)}" if name in searched else ""
        step = f"{text('optimization.evidence.step', language)} {bound.step:g}"
        span = f"{bound.low:g} … {bound.high:g}"
        yield Line(f"{kind} {name} = {value:g} [{span}, {step}{refitted}]")
    for name, told in spec.risk.active().items():
        if name in LADDERS:
            yield Line(f"risk {name} = {told}")
    if off:
        words = text("optimization.evidence.off", language, names=", ".join(off))
        yield Line(words, _OFF_RANK, letter=text("optimization.evidence.off_letter", language))


@lru_cache(maxsize=8)
def _items_told(items: Same[Sequence[Item]], named: bool, *, of_market: bool) -> list[Line]:
    """They are the same before and after an iteration's tests."""
    return list(_item_lines(items.it, named, of_market=of_market))


def _item_lines(items: Sequence[Item], named: bool, *, of_market: bool) -> Iterator[Line]:
    """The items about the market itself, or those about the strategy and its rivals, a line each."""
    hidden = frozenset() if named else _DATED
    places: Counter[str] = Counter()
    in_all = Counter(item["id"][0] for item in items)
    traded: dict[tuple[str, ...], str] = {}
    for item in items:
        letter = item["id"][0]
        if (letter == MARKET) != of_market:
            continue
        order = _ORDER.get(letter, ())
        at = order.index(item["name"]) if item["name"] in order else max(places[letter], len(order))
        places[letter] += 1
        told = {key: value for key, value in item.items() if key not in hidden}
        # Candidates of one family differ in values alone: what they trade on is told at the first of them.
        conditions = tuple(str(told[name]) for name in PLACES if name in told)
        if conditions and (first := traded.setdefault(conditions, item["id"])) != item["id"]:
            told = {key: value for key, value in told.items() if key not in PLACES} | {"as": first}
        rank = _ALL_TRADES if letter in GROUPS and in_all[letter] == 1 else _rank(letter, at)
        yield Line(item_line(told), rank, item["id"])


def _rank(letter: str, at: int) -> float:
    first, each = _RANKS.get(letter, (0, 1))
    return float(first + each * at)


def _lesson_lines(evidence: Evidence, language: Language) -> Iterator[Line]:
    """What earlier runs on such a market taught."""
    for number, lesson in enumerate(evidence.lessons, start=1):
        told = text(
            "optimization.evidence.lesson",
            language,
            change=quoted(lesson["change"]),
            helped=lesson["helped"],
            tested=lesson["tested"],
            market=quoted(lesson["market"]),
        )
        yield Line(f"L{number} {told}", _rank("L", number - 1), f"L{number}")


def _history_lines(evidence: Evidence, language: Language) -> Iterator[Line]:
    """The iterations before this one: what older ones came to by what was changed, the last ones whole."""
    if folded := evidence.folded:
        told = "; ".join(
            text("optimization.evidence.folded_change", language, **asdict(one))
            for one in folded[:MOST_FOLDED]
        )
        told += "; …" if len(folded) > MOST_FOLDED else ""
        last = evidence.iteration - 1 - WHOLE
        yield Line(
            text("optimization.evidence.folded", language, last=last, changes=told), _FOLDED_RANK, letter="I"
        )
    before = [entry for entry in evidence.history if entry["iteration"] < evidence.iteration]
    for entry in before[-WHOLE:]:
        older = 0.0 if entry is before[-1] else _OLDER
        heading, *trials = iteration_lines(entry, evidence, language)
        yield Line(heading, _rank("I", 0) + older, letter="I")
        for at, (trial, words) in enumerate(zip(entry["trials"], trials, strict=True)):
            yield Line(words, _rank("I", at) + older, f"I{entry['iteration']}.{trial['number']}")
