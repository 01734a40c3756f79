"""What `optimize` and `review` do: start a graph as the options ask, show how it goes and what came of it."""

from __future__ import annotations

from typing import Any

from backtest.engine.engines import using
from prompts import Words
from threadx.api import begin
from threadx.settings import make_context
from threadx.terminal import Terminal
from threadx.work import asked
from threadx.work.each import table
from threadx.work.further import take_further
from threadx.work.outcome import show_outcome


def optimize(words: Words, **given: Any) -> int:
    """`threadx optimize`: one run, or with `--each` or `--timeframes` many that end in one table."""
    each, timeframes = given.pop("each"), given.pop("timeframes")
    with using(asked.take_engine(given)):
        if each or timeframes:
            return table(words, timeframes or (), given)
        return _start("optimization", words, given)


def review(words: Words, **given: Any) -> int:
    """`threadx review`."""
    return _start("review", words, given)


def _start(graph: str, words: Words, given: dict[str, Any]) -> int:
    """Run a graph to its end, or until it waits for a person.

    Args:
        graph: `optimization` or `review`.
        words: in the user's language.
        given: every option of the command.

    Returns:
        The exit code.
    """
    settings = {name: value for name, value in given.items() if name not in ("data", "json_path", "debug")}
    further = take_further(settings, make_context(home=given["home"]).home_path)
    offering = graph == "optimization"
    spec = asked.take_strategy(settings, further, offering=offering)
    terminal = Terminal(words)
    if given["json_path"] != "-":
        terminal.lines(asked.code_notes(spec, words))
    with terminal.progress(given["home"]) as watch:
        outcome = begin(
            graph,
            given["data"],
            spec,
            None,
            inputs=further.references,
            offered=further.declared if offering else None,
            watch=watch,
            **asked.chosen_roles(settings),
        )
    return show_outcome(terminal, outcome, given["json_path"])
