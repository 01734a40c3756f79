"""`threadx models test`: what models are worth in each role, beside `rules` and dice."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import count
from typing import Any

from base.references import placed
from nodes.context import RULES, OptimizationContext
from nodes.seam.ask import provider_settings
from prompts import Words
from providers import check, parse_reference
from providers.embedded import check_file
from record.record import canonical_json
from record.types import Attempt
from threadx.scorecard.asking import ROLES, review
from threadx.scorecard.cases import CASES
from threadx.scorecard.marking import THROWS, Card, Marks, bench, mark, throw
from threadx.settings import make_context
from threadx.terminal import Terminal
from threadx.work.progress import bar
from threadx.work.written import write_json
from threadx.writable import writable

DICE = "dice"
MARKS = (
    *("first", "repaired", "corrected", "founded", "own", "language"),
    *("usable", "diverse", "better", "named", "aimed", "fitting", "agreed"),
)
"""In the order of the table; a mark that nobody could earn in a role has no row there."""


class _OutOfTime(Exception):
    """The minutes are over."""


def test(
    words: Words,
    models: tuple[str, ...],
    minutes: float | None,
    json_path: str | None,
    home: str | None,
    language: str,
    debug: bool,
) -> int:
    """Have each model review every case, and show how it did; 1 where a model could not be asked."""
    context = make_context(home=home, language=language)
    writable(context.home_path)
    named = list(dict.fromkeys(str(parse_reference(placed(model))) for model in models))
    for model in named:
        check_file(model)
    terminal = Terminal(words)
    until = None if minutes is None else time.monotonic() + 60.0 * minutes
    cards: dict[str, Card] = {}
    failures: dict[str, str] = {}
    over = False
    asked = [RULES, *(model for model in named if model != RULES)]
    with bar(terminal, "models.test.working", "models.test.progress") as progress:
        steps = count(1)

        def step() -> None:
            progress(next(steps), len(asked) * len(CASES))

        for model in asked:
            if not (health := check(model, provider_settings(context))).ok:
                failures[model] = words(health.text_key, **health.fields)
                continue
            try:
                failed = _asked(cards, model, context, until, step)
            except _OutOfTime:
                over = True
                break
            if failed is not None:
                failures[model] = words(f"failure.{failed['code']}")
    if json_path != "-":
        _show(terminal, cards, failures, over)
    told = {"cases": [case.name for case in CASES], "out_of_time": over, "failures": failures}
    write_json(
        canonical_json({**told, "models": {model: card.plain() for model, card in cards.items()}}), json_path
    )
    return 1 if failures else 0


def _asked(
    cards: dict[str, Card],
    model: str,
    context: OptimizationContext,
    until: float | None,
    step: Callable[[], None],
) -> Attempt | None:
    """Put a model's reviews on its card; beside those of `rules` the dice are thrown.

    Returns:
        What kept the model from answering; it is not asked about further cases then.

    Raises:
        _OutOfTime: what was reviewed until then is on the card.
    """

    def watch(event: dict[str, Any]) -> None:
        if until is not None and time.monotonic() >= until:
            raise _OutOfTime

    for case in CASES:
        reviewed = review(case, model, context, watch)
        if reviewed.failure is not None:
            return reviewed.failure
        setting, items = bench(reviewed)
        mark(cards.setdefault(model, Card()), reviewed, setting, items, context.language)
        if model == RULES:
            throw(cards.setdefault(DICE, Card()), setting, items, context.seed)
        step()
    return None


def _show(terminal: Terminal, cards: dict[str, Card], failures: dict[str, str], over: bool) -> None:
    """A table a role, one of the faults, and what could not be done."""
    words = terminal.words
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
        terminal.table(words(f"report.role.{role}"), [words("models.test.mark"), *cards], rows)
    rows = [
        [words(f"models.fault.{case.name}"), *(_fault(card, case.name, words) for card in cards.values())]
        for case in CASES
    ]
    caption = words("models.test.faults_read", throws=THROWS)
    terminal.table(words("models.test.faults"), [words("models.test.fault"), *cards], rows, caption)
    lines = [words("models.test.failed", model=model, why=why) for model, why in failures.items()]
    terminal.lines([*lines, *([words("models.test.over")] if over else [])])


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
