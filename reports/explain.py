"""What an optimisation run did and why, and whether to believe it: the verdict first, then the reasons.

Drawn from the run's result and its events; a section whose matter the record does not hold is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from record.events import Event
from record.evolution import strategy_evolution
from record.results import RunResult
from record.run_view import RunView
from reports.audit import value_rows
from reports.belief import (
    FOLD_COLUMNS,
    INSTRUMENT_COLUMNS,
    finding_rows,
    fold_rows,
    instrument_lines,
    instrument_rows,
    interval_rows,
    reason_lines,
    sight_lines,
    statistic_rows,
    verdict_line,
)
from reports.document import Block, Code, Document, Grid, Heading, Items, Paragraph, Picture, Tone
from reports.explanation import background
from reports.population import candidate_table, no_change_line, population_lines
from reports.tables import (
    bars_per_year_lines,
    brain_lines,
    failure_lines,
    figures_table,
    lost_lines,
    reading_lines,
)
from reports.words import WordsLike
from reports.written import written_blocks

VERDICT_TONES: dict[str, Tone] = {
    "real": "good",
    "promising": "good",
    "unproven": "doubtful",
    "overfit": "bad",
}


def explain(
    result: RunResult,
    words: WordsLike,
    *,
    events: Iterable[Event] = (),
    pictures: Mapping[str, Sequence[Picture]] | None = None,
    lacking: Sequence[str] = (),
    versions: Mapping[str, str] | None = None,
    timed: bool = True,
) -> Document:
    """The explain report of an optimisation run.

    Args:
        result: as written to `result.json`.
        words: language; what models wrote stays in the language of the run.
        events: the run's record; without it hypotheses, objections and debates are not told.
        lacking: what could not be drawn, and why, told beside the figures.
        versions: of the code and the libraries that made the run.
        timed: tell when the run was; off where the report is compared with that of a repeated run.
        pictures: charts by the section they illustrate (`search`, `figures`, `folds`, `holdout`;
            `code.` and the name of an indicator).
    """
    view = RunView.of(events)
    shown = pictures or {}
    dataset = result["dataset"]
    blocks: list[Block] = [
        *_verdict(result, words),
        *_instruments(result, words),
        *_champion(result, words),
        *_candidates(result, words),
        *_kept(result, view, words),
        *written_blocks(view, words, shown),
        *_pictures(shown, "search"),
        *_figures(result, words),
        *_pictures(shown, "figures"),
        *(Paragraph(text=line, tone="quiet") for line in lacking),
        *_belief(result, words),
        *_folds(result, words),
        *_pictures(shown, "folds"),
        Heading(text=words("explain.heading.holdout")),
        Paragraph(text=words("report.holdout_note")),
        *_pictures(shown, "holdout"),
        *_tried(result, words),
        *_objections(view, words),
        *_debates(view, words),
        *_answerers(result, words),
        *_unfounded(result, words),
        *_audit(result, view, words, versions or {}, timed),
    ]
    return Document(
        title=words("report.title", symbol=dataset["symbol"], timeframe=dataset["timeframe"]),
        about=words("explain.about", run=result["run"]["id"]),
        language=words.language,
        made=datetime.fromisoformat(result["run"]["finished"]),
        blocks=tuple(blocks),
    )


def _verdict(result: RunResult, words: WordsLike) -> list[Block]:
    blocks: list[Block] = [Heading(text=words("explain.heading.verdict"))]
    if result.get("verdict"):
        tone = VERDICT_TONES[result["verdict"]["value"]]
        blocks.append(Paragraph(text=verdict_line(result, words), tone=tone))
        blocks += [Paragraph(text=line) for line in sight_lines(result, words)]
        blocks.append(Items(items=tuple(reason_lines(result, words))))
    else:
        key = "no_verdict" if result["champion"]["holdout"] else "untested"
        blocks.append(Paragraph(text=words(f"explain.{key}"), tone="doubtful"))
    reason = words(f"optimization.stop.{result['stop_reason']}")
    blocks.append(Paragraph(text=words(f"report.status.{result['status']}", reason=reason)))
    if result["degraded"]:
        blocks.append(Paragraph(text=words("report.degraded"), tone="doubtful"))
    told = words(
        "report.summary",
        iterations=result["iterations"],
        trials=result["trials"],
        before=words.number(result["initial_score"]),
        after=words.number(result["final_score"]),
    )
    return [*blocks, Paragraph(text=told)]


def _instruments(result: RunResult, words: WordsLike) -> list[Block]:
    """The instruments of a pool, one by one."""
    if not (rows := instrument_rows(result, words)):
        return []
    return [
        Heading(text=words("verdict.heading.instruments")),
        *(Paragraph(text=line) for line in instrument_lines(result, words)),
        Grid(
            head=tuple(words(f"verdict.instrument.{name}") for name in INSTRUMENT_COLUMNS),
            rows=_rows(rows),
            words=2,
        ),
    ]


def _champion(result: RunResult, words: WordsLike) -> list[Block]:
    return [
        Heading(text=words("report.heading.champion")),
        Code(text=result["champion"]["description"].replace(" | ", "\n")),
    ]


def _candidates(result: RunResult, words: WordsLike) -> list[Block]:
    """Your strategy beside the best found, and the archive; nothing for a search with a single champion."""
    if not result.get("archive"):
        return []
    head, rows = candidate_table(result["archive"], words)
    return [
        *(Paragraph(text=line) for line in population_lines(result, words)),
        Heading(text=words("report.heading.candidates")),
        Grid(head=tuple(head), rows=tuple(map(tuple, rows)), words=3),
    ]


def _kept(result: RunResult, view: RunView, words: WordsLike) -> list[Block]:
    """Each modification that was kept: why, whose, against whom, and what it brought."""
    blocks: list[Block] = [Heading(text=words("report.heading.changes"))]
    if not result["applied_changes"]:
        return [*blocks, Paragraph(text=no_change_line(result, words))]
    told = {
        entry["iteration"]: entry
        for entry in strategy_evolution(view.events)["modifications"]
        if entry["outcome"] == "adopted"
    }
    for change in result["applied_changes"]:
        title = words("explain.kept", iteration=change["iteration"], sentence=change["description"])
        lines = [words("report.explain.reason", reason=change["reason"])]
        if entry := told.get(change["iteration"]):
            lines += background(entry, words)
        before, after = words.number(change["score_before"]), words.number(change["score_after"])
        lines.append(words("explain.score_step", before=before, after=after))
        blocks += [Heading(text=title, level=2), Items(items=tuple(lines))]
    return blocks


def _figures(result: RunResult, words: WordsLike) -> list[Block]:
    head, rows, note = figures_table(result, words)
    annualised = bars_per_year_lines(result["champion"]["development"].get("bars_per_year"), words)
    read = reading_lines(result, words)
    return [
        Heading(text=words("explain.heading.figures")),
        Grid(head=tuple(head), rows=tuple(tuple(row) for row in rows)),
        Paragraph(text=note, tone="quiet"),
        *(Paragraph(text=line, tone="bad") for line in lost_lines(result, words)),
        *(Paragraph(text=line, tone="quiet") for line in (*annualised, *read)),
    ]


def _belief(result: RunResult, words: WordsLike) -> list[Block]:
    """Statistics of the search, stress tests and intervals: what the verdict rests on."""
    if not result.get("verdict"):
        return []
    holdout = result["holdout"]
    opening, weight = words.number(holdout["opening"]), words.percent(holdout["weight"])
    metric, value = words("report.table.metric"), words("report.table.value")
    tests = tuple(words(f"verdict.table.{name}") for name in ("test", "outcome", "finding"))
    parts = tuple(words(f"verdict.table.{name}") for name in ("development", "holdout"))
    return [
        Heading(text=words("verdict.heading.verdict")),
        Paragraph(text=words("verdict.opening_note", opening=opening, weight=weight)),
        Heading(text=words("verdict.heading.statistics"), level=2),
        Paragraph(text=words("verdict.statistics_note"), tone="quiet"),
        Grid(head=(metric, value), rows=_rows(statistic_rows(result, words))),
        Heading(text=words("verdict.heading.stress"), level=2),
        Paragraph(text=words("verdict.stress_note"), tone="quiet"),
        Grid(head=tests, rows=_rows(finding_rows(result, words)), words=3),
        Heading(text=words("verdict.heading.intervals"), level=2),
        Grid(head=(metric, *parts), rows=_rows(interval_rows(result, words))),
    ]


def _folds(result: RunResult, words: WordsLike) -> list[Block]:
    """The walk-forward tests, one by one."""
    rows = fold_rows(result, words) if result.get("verdict") else []
    if not rows:
        return []
    head = tuple(words(f"verdict.fold.{name}") for name in FOLD_COLUMNS)
    return [
        Heading(text=words("verdict.heading.folds"), level=2),
        Paragraph(text=words("verdict.folds_note"), tone="quiet"),
        Grid(head=head, rows=_rows(rows), words=3),
    ]


def _rows(rows: Iterable[Sequence[str]]) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(row) for row in rows)


def _pictures(pictures: Mapping[str, Sequence[Picture]], section: str) -> Sequence[Picture]:
    return pictures.get(section, ())


def _tried(result: RunResult, words: WordsLike) -> list[Block]:
    """Every proposal of every iteration, with what became of it."""
    blocks: list[Block] = [Heading(text=words("report.heading.trials"))]
    rows = [
        (
            str(entry["iteration"]),
            trial["sentence"],
            _outcome(trial, words),
            words.number(trial["score"]),
        )
        for entry in result["history"]
        for trial in entry["trials"]
    ]
    if not rows:
        return [*blocks, Paragraph(text=words("report.no_proposal"))]
    names = ("iteration", "change", "outcome")
    head = (*(words(f"chart.{name}") for name in names), words("report.metric.score"))
    blocks.append(Grid(head=head, rows=tuple(rows), words=3))
    empty = [str(entry["iteration"]) for entry in result["history"] if not entry["trials"]]
    if empty:
        blocks.append(Paragraph(text=words("explain.without_proposal", iterations=", ".join(empty))))
    rejected = [
        words(
            "explain.rejected",
            iteration=entry["iteration"],
            sentence=trial["sentence"],
            why=trial["verdict_reason"],
        )
        for entry in result["history"]
        for trial in entry["trials"]
        if trial["verdict"] == "rejected"
    ]
    if rejected:
        blocks += [Heading(text=words("explain.heading.rejected"), level=2), Items(items=tuple(rejected))]
    return blocks


def _outcome(trial: Mapping[str, Any], words: WordsLike) -> str:
    """What became of a proposal; where it was compared, with how far luck explains the difference."""
    told = words(f"optimization.outcome.{trial['outcome']}")
    if trial.get("p_value") is None:
        return told
    allowed = words.number(trial["allowed"], 3)
    return words("report.luck", outcome=told, p=words.number(trial["p_value"], 3), allowed=allowed)


def _unfounded(result: RunResult, words: WordsLike) -> list[Block]:
    """What models claimed with figures that no evidence bears out."""
    claims = result.get("unfounded") or ()
    if not claims:
        return []
    lines = tuple(
        words(
            "report.unfounded",
            role=words(f"report.role.{one['role']}"),
            iteration=one["iteration"],
            numbers=", ".join(one["numbers"]),
            claim=one["claim"],
        )
        for one in claims
    )
    return [Heading(text=words("report.heading.unfounded")), Items(items=lines)]


def _objections(view: RunView, words: WordsLike) -> list[Block]:
    """Disagreements than the debate's outcome, and who could not answer."""
    lines = []
    for debate in view.debates.values():
        last = {turn["voice"]: turn for turn in debate.turns}
        for voice in debate.dissent:
            lines.append(
                words(
                    "explain.dissent",
                    iteration=debate.iteration,
                    role=words(f"report.role.{voice}"),
                    why=last[voice]["statement"] or "–",
                )
            )
    for iteration, name in view.abstentions:
        role = words(f"report.role.{name}")
        lines.append(words("explain.abstained", iteration=iteration, role=role))
    if not lines:
        return []
    return [Heading(text=words("explain.heading.objections")), Items(items=tuple(lines))]


def _debates(view: RunView, words: WordsLike) -> list[Block]:
    """The debates, turn by turn."""
    if not view.debates:
        return []
    blocks: list[Block] = [Heading(text=words("chart.debate"))]
    for debate in view.debates.values():
        decided = words(f"chart.decision_{debate.decision or 'open'}")
        title = words("explain.debate", iteration=debate.iteration, decided=decided)
        turns = []
        for turn in debate.turns:
            role = words(f"report.role.{turn['voice']}")
            if turn["stance"] is None:
                turns.append(words("explain.silent", role=role))
                continue
            turns.append(
                words(
                    "explain.turn",
                    role=role,
                    stance=words(f"chart.decision_{turn['stance']}"),
                    sure=words.percent(turn["confidence"], 0),
                    said=turn["statement"],
                )
            )
        blocks += [Heading(text=title, level=2), Items(items=tuple(turns))]
    return blocks


def _answerers(result: RunResult, words: WordsLike) -> list[Block]:
    lines = [words("report.pair", name=role, value=told) for role, told in brain_lines(result, words)]
    blocks: list[Block] = [Heading(text=words("report.heading.brains")), Items(items=tuple(lines))]
    if (named := result.get("settings", {}).get("named")) is not None:  # runs of earlier versions named them
        blocks.append(Paragraph(text=words("report.named" if named else "report.blind"), tone="quiet"))
    if failures := failure_lines(result, words):
        blocks += [Paragraph(text=words("report.failures")), Items(items=tuple(failures))]
    return blocks


def _audit(
    result: RunResult,
    view: RunView,
    words: WordsLike,
    versions: Mapping[str, str],
    timed: bool,
) -> list[Block]:
    """Every parameter, setting and hash."""
    champion, initial = result["champion"], result["initial"]
    run = result["run"] if timed else {"id": result["run"]["id"]}
    parts = {
        "run": {**run, "events": len(view.events)} if view.events else run,
        "dataset": result["dataset"],
        "champion": {"hash": champion["hash"], **champion["strategy"]},
        "initial": {"hash": initial["development"]["hash"], **initial["strategy"]},
        "settings": result["settings"],
        "spent": result.get("spent") or {},
        "versions": versions,
    }
    rows = [row for name, part in parts.items() if part for row in value_rows(part, name)]
    return [Heading(text=words("report.heading.audit")), _values(rows, words)]


def _values(rows: Iterable[tuple[str, str]], words: WordsLike) -> Grid:
    head = (words("report.table.item"), words("report.table.value"))
    return Grid(head=head, rows=tuple(rows), words=2, exact=True)
