"""The functions that a run has written: what each measures, its code, what came of it, and what it cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from backtest.cage.source import read_source
from backtest.cage.wording import told as told_in
from record.events import CodeExamined, IndicatorWritten, code_id
from record.run_view import RunView, Trial
from record.types import Trial as Outcome
from reports.document import Block, Code, Grid, Heading, Items, Paragraph, Picture
from reports.words import WordsLike

SECTION = "code."
"""What pictures of a function are called, before its name."""


def brought(view: RunView) -> dict[str, Trial]:
    """The proposals that brought code and were tested, by the name of the function."""
    names = {event.id: event.data.name for event in view.events if isinstance(event.data, CodeExamined)}
    found = {code_id(trial.source): trial for trial in view.trials.values() if trial.source}
    return {names[one]: trial for one, trial in found.items() if one in names}


def written_line(view: RunView, words: WordsLike) -> str:
    """That a run wrote code, what the cage took of it, and what was kept; empty of a run without code."""
    examined = _examined(view)
    if not examined:
        return ""
    kept = sorted(name for name, trial in brought(view).items() if trial.state == "adopted")
    passed = sum(one.refused is None for one in examined)
    return words(
        "explain.code.overview",
        passed=passed,
        refused=len(examined) - passed,
        kept=", ".join(kept) or words("explain.code.none"),
    )


def written_blocks(view: RunView, words: WordsLike, pictures: Mapping[str, Sequence[Picture]]) -> list[Block]:
    """The section; nothing of a run without code. What was kept is shown whole, the rest in a table."""
    examined = _examined(view)
    if not examined:
        return []
    sources = {one.name: one for one in examined if one.refused is None}
    trials = brought(view)
    found = [event.data for event in view.events if isinstance(event.data, IndicatorWritten)]
    names = {one.hash: one.name for one in found}
    tested = [trials[one.name] for one in found if one.name in trials]
    cost = sum(_backtests(view, trial) for trial in tested)
    refused = [one for one in examined if one.refused is not None]
    told = words("explain.code.cost", written=len(found), refused=len(refused), trials=words.number(cost))
    blocks: list[Block] = [Heading(text=words("explain.heading.code")), Paragraph(text=told)]
    rows = []
    for one in found:
        code, trial = sources[one.name], trials.get(one.name)
        outcome = words(f"optimization.outcome.{trial.state}") if trial else "–"
        about = told_in(read_source(code.source).about, words)
        count = words.number(_backtests(view, trial)) if trial else "–"
        rows.append((one.name, about, outcome, count))
        if trial is None or trial.state != "adopted":
            continue
        parents = ", ".join(names.get(parent, parent) for parent in one.parents)
        nearest = {"known": code.nearest[0], "correlation": words.number(code.nearest[1])}
        lines = [
            words("explain.code.author", author=one.author, hash=one.hash),
            *([words("code.show.parents", parents=parents)] if parents else []),
            words("code.show.nearest", **nearest),
            words("explain.code.why", reason=trial.reason, outcome=outcome),
            *_length(view, trial, words),
            words("explain.code.paid", trials=count),
        ]
        blocks += [
            Heading(text=one.name, level=2),
            Paragraph(text=about),
            Items(items=tuple(lines)),
            Code(text=code.source.strip()),
            *pictures.get(f"{SECTION}{one.name}", ()),
        ]
    if rows:
        head = tuple(words(f"explain.code.{name}") for name in ("name", "measures", "outcome", "tried"))
        blocks.append(Grid(head=head, rows=tuple(rows), words=3))
    if refused:
        reasons = tuple(
            words(
                "explain.code.refused",
                name=one.name or "–",
                why=words(f"code.error.{one.refused['code']}", **one.refused["fields"]),
            )
            for one in refused
            if one.refused is not None
        )
        blocks.append(Items(items=reasons))
    return blocks


def _examined(view: RunView) -> list[CodeExamined]:
    return [event.data for event in view.events if isinstance(event.data, CodeExamined)]


def _length(view: RunView, trial: Trial, words: WordsLike) -> list[str]:
    """How long the code is beyond the champion's, and what was gained; nothing where it is hardly longer."""
    lines = []
    for one in _selected(view, trial):
        if "code_length" in one:
            lines.append(words("explain.code.length", length=one["code_length"]))
        if "gain_bits" in one:
            lines.append(words("explain.code.gained", gain=words.number(one["gain_bits"], 1)))
    return lines


def _backtests(view: RunView, trial: Trial) -> int:
    """Configurations that were tried for a proposal: each is a trial of the ledger."""
    return sum(int(one.get("backtests", 0)) for one in _selected(view, trial))


def _selected(view: RunView, trial: Trial) -> list[Outcome]:
    """The proposal as its iteration was closed, once it is."""
    entry = view.history.get(trial.iteration)
    return [one for one in entry["trials"] if one["number"] == trial.number] if entry else []
