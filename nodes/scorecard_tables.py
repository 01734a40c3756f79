"""Scorecards of models as tables, the same on a terminal and on a page."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from prompts import Words
from prompts.texts import catalogue
from record.scorecards import ROLES, Card, Marks

DICE = "dice"
"""The card of random answers, several a case."""

MARKS = (
    *("first", "repaired", "corrected", "founded", "own", "language"),
    *("usable", "diverse", "better", "named", "aimed", "fitting", "agreed"),
)
"""In the order of the table; a mark that nobody could earn in a role has no row there."""

Shown = tuple[str, list[str], list[list[str]], str]
"""(title, head, rows, how to read it)."""


def tables(cards: Mapping[str, Card], words: Words) -> list[Shown]:
    """A table a role, with a column a model, and one of the faults that any of them was shown."""
    found: list[Shown] = []
    for role in ROLES:
        columns = [card.roles[role] for card in cards.values()]
        rows = [
            [words(f"models.mark.{name}"), *(_share(marks, name, words) for marks in columns)]
            for name in MARKS
            if any(marks.of[name] for marks in columns)
        ]
        rows += [
            [words(f"models.cost.{name}"), *(told(marks, words) for marks in columns)]
            for name, told in _COSTS.items()
        ]
        found.append((words(f"report.role.{role}"), [words("models.test.mark"), *cards], rows, ""))
    rows = [
        [words(f"models.fault.{fault}"), *(_fault(card, fault, words) for card in cards.values())]
        for fault in dict.fromkeys(fault for card in cards.values() for fault in card.faults)
        if f"fault.{fault}" in catalogue("models", words.language)
    ]
    throws = max((one["answers"] for one in cards[DICE].faults.values()), default=0) if DICE in cards else 0
    caption = words("models.test.faults_read", throws=throws)
    return [*found, (words("models.test.faults"), [words("models.test.fault"), *cards], rows, caption)]


def _share(marks: Marks, mark: str, words: Words) -> str:
    share = marks.share(mark)
    if share is None:
        return "–"
    return words("models.test.share", share=words.percent(share, 0), hits=marks.hits[mark], of=marks.of[mark])


def _fault(card: Card, fault: str, words: Words) -> str:
    if (found := card.faults.get(fault)) is None:
        return "–"
    shares = (found[name] / found["answers"] for name in ("named", "aimed", "fitting"))
    return " · ".join(words.percent(share, 0) for share in shares)


def _speed(marks: Marks, words: Words) -> str:
    if not marks.answer_tokens or not marks.seconds:
        return "–"
    return words.number(marks.answer_tokens / marks.seconds, 1)


_COSTS: dict[str, Callable[[Marks, Words], str]] = {
    "read": lambda marks, words: words.number(marks.prompt_tokens),
    "written": lambda marks, words: words.number(marks.answer_tokens),
    "seconds": lambda marks, words: words.number(marks.seconds, 1),
    "speed": _speed,
}
