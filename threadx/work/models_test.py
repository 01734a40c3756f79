"""`threadx models test`: what models are worth in each role, beside `rules` and dice."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import count
from typing import Any

from base.references import placed
from nodes.context import RULES, OptimizationContext
from nodes.model_settings import provider_settings
from nodes.scorecard_tables import DICE, tables
from prompts import Words
from providers import check_all, parse_reference
from providers.embedded import check_file
from record.record import canonical_json
from record.scorecards import Card, keep
from record.types import Attempt
from threadx.plain import say
from threadx.scorecard.asking import review
from threadx.scorecard.cases import CASES
from threadx.scorecard.marking import bench, mark, throw
from threadx.settings import make_context
from threadx.terminal import Terminal
from threadx.work.progress import bar
from threadx.work.written import write_json
from threadx.writable import writable


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
    """Have each model review every case, and show how it did; 1 where a model could not be asked.

    Who would not answer is told before anybody is asked. Of the minutes each model has an equal share, and
    what one leaves over is for those after it; `rules` and dice, which take seconds, come last and have none.
    """
    context = make_context(home=home, language=language)
    named = list(dict.fromkeys(str(parse_reference(placed(model))) for model in models))
    for model in named:
        check_file(model)
    writable(context.home_path)
    terminal = Terminal(words)
    settings = provider_settings(context)
    failures = {
        one.reference: words(one.text_key, **one.fields) for one in check_all([named], settings) if not one.ok
    }
    for model, why in failures.items():
        say(words("models.test.failed", model=model, why=why), err=True)
    asked = [model for model in named if model != RULES and model not in failures]
    asked += [RULES] if asked or RULES in named else []
    cards: dict[str, Card] = {}
    over = False
    end = None if minutes is None else time.monotonic() + 60.0 * minutes
    with bar(terminal, "models.test.working", "models.test.progress") as progress:
        steps = count(1)

        def step() -> None:
            progress(next(steps), len(asked) * len(CASES))

        for position, model in enumerate(asked):
            now = time.monotonic()
            # Rules, the last of them, take no time worth a share.
            sharing = max(1, len(asked) - 1 - position)
            until = None if end is None or model == RULES else now + max(0.0, end - now) / sharing
            cards[model] = Card()
            try:
                failed = _asked(cards, model, context, until, step)
            except _OutOfTime:
                over = True
                continue
            if failed is not None:
                failures[model] = words(f"failure.{failed['code']}")
    for model, card in cards.items():
        if card.faults:
            keep(context.home_path, model, card, context.language, len(CASES))
    if json_path != "-":
        lines = [words("models.test.failed", model=model, why=why) for model, why in failures.items()]
        _show(terminal, cards, lines, over)
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
        mark(cards[model], reviewed, setting, items, context.language)
        if model == RULES:
            throw(cards.setdefault(DICE, Card()), setting, items, context.seed)
        step()
    return None


def _show(terminal: Terminal, cards: dict[str, Card], lines: list[str], over: bool) -> None:
    """A table a role, one of the faults, and what could not be done."""
    for title, head, rows, caption in tables(cards, terminal.cells) if cards else ():
        terminal.table(title, head, rows, caption or None)
    terminal.lines([*lines, *([terminal.words("models.test.over")] if over else [])])
