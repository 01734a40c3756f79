"""The report of one of the ensemble's summaries: the judgement first, then its reasons and its limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from reports.audit import value_rows
from reports.document import Block, Document, Grid, Heading, Items, Paragraph, Picture
from reports.tables import advice_lines, change_head, change_lines, contributor_cells
from reports.words import WordsLike

_JUDGED = ("regime", "risk_level", "outlook_days_7", "outlook_days_30")
_TOLD = ("key_drivers", "tensions", "recommendations", "limits")
_COLUMNS = ("source", "symbol", "horizon", "prediction", "rationale", "score")


@dataclass(frozen=True, kw_only=True)
class Published:
    """One hour's summary.

    Attributes:
        hour: which hour, UTC.
        summary: as published.
        trace: inputs, prompts and raw answers; empty where the file is not there.
        hashes: SHA-256 of the files by name.
        names: of the agents, by role, in words.
    """

    hour: datetime
    summary: Mapping[str, Any]
    trace: Mapping[str, Any]
    hashes: Mapping[str, str]
    names: Mapping[str, str]


def summary_document(published: Published, words: WordsLike, *, pictures: Sequence[Picture] = ()) -> Document:
    """The report.

    Args:
        published: the summary with its trace.
        words: language; what was published stays in the language it was written in.
        pictures: the hours before.
    """
    summary, run = published.summary, published.trace.get("run", {})
    hour = words.moment(published.hour)
    blocks = [*_changes(summary, words), Heading(text=words("explain.heading.judgement"))]
    blocks.append(
        Grid(
            head=(words("report.table.item"), words("report.table.value")),
            rows=tuple(
                (words(f"ensemble.face.{name}"), words(f"ensemble.value.{summary[name]}")) for name in _JUDGED
            ),
            words=2,
        )
    )
    if run.get("sample"):
        blocks.append(Paragraph(text=words("explain.sample"), tone="doubtful"))
    if run.get("degraded"):
        blocks.append(Paragraph(text=words("ensemble.face.degraded"), tone="doubtful"))
    blocks += pictures
    for name in _TOLD:
        lines = tuple(summary[name]) or (words("explain.nothing"),)
        if name == "recommendations":
            # In one line the act, its instrument and its end must end as the sentences do.
            lines = tuple(
                " ".join((told, *(f"{one[:1].upper()}{one[1:].removesuffix('.')}." for one in more)))
                for told, more in advice_lines(summary, words)
            )
        blocks += [Heading(text=words(f"ensemble.face.{name}")), Items(items=lines)]
    blocks += [Heading(text=words("ensemble.face.contributors")), _contributors(summary, words)]
    blocks += _stances(published, words)
    blocks += _agents(published, words)
    blocks += [Heading(text=words("report.heading.audit")), _audit(published, words)]
    return Document(
        title=words("explain.summary_title", hour=hour),
        about=words("explain.summary_about", hour=hour),
        language=words.language,
        made=published.hour,
        blocks=tuple(blocks),
    )


def _changes(summary: Mapping[str, Any], words: WordsLike) -> list[Block]:
    """What has changed, before anything else; nothing in the first hour and of earlier versions."""
    if not summary.get("since"):
        return []
    head = change_head(summary["since"], summary["changes"], words)
    if not summary["changes"]:
        return [Paragraph(text=head)]
    return [Heading(text=head), Items(items=tuple(change_lines(summary["changes"], words)))]


def _contributors(summary: Mapping[str, Any], words: WordsLike) -> Grid:
    told = [contributor_cells(row, words) for row in summary["contributors"]]
    rows = tuple(tuple(cells[name] for name in _COLUMNS) for cells in told)
    head = tuple(words(f"ensemble.column.{name}") for name in _COLUMNS)
    return Grid(head=head, rows=rows, words=len(_COLUMNS) - 1)


def _stances(published: Published, words: WordsLike) -> list[Block]:
    """What each agent expects; quality, which judges the data, expects nothing and is said to."""
    rows = []
    for turn in published.trace.get("raw", ()):
        if turn["role"] == "arbiter" or turn["report"] is None:
            continue
        shares = [_shares(turn["report"].get(name), words) for name in ("outlook_days_7", "outlook_days_30")]
        counted = (turn["report"]["confidence"], turn["coverage"])
        told = (words.percent(share, 0) for share in counted)
        rows.append((published.names[turn["role"]], *shares, *told))
    if not rows:
        return []
    names = ("agent", "days_7", "days_30", "confidence", "coverage")
    grid = Grid(head=tuple(words(f"ensemble.stance.{name}") for name in names), rows=tuple(rows), words=3)
    note = Paragraph(text=words("ensemble.stance.quality"))
    return [Heading(text=words("ensemble.stance.title")), grid, note]


def _shares(stance: Mapping[str, float] | None, words: WordsLike) -> str:
    if stance is None:
        return "–"
    return words("ensemble.stance.shares", **{name: words.percent(p, 0) for name, p in stance.items()})


def _agents(published: Published, words: WordsLike) -> list[Block]:
    """Who answered, with which model; a stand-in is named as what it is."""
    turns = published.trace.get("raw", ())
    if not turns:
        return []
    lines = []
    for turn in turns:
        model = (turn["provenance"] or {}).get("model") or "–"
        stood_in = turn["degraded"] and turn["status"] == "answered"
        key = "agent_degraded" if stood_in else "agent" if turn["status"] == "answered" else "agent_silent"
        lines.append(
            words(
                f"explain.{key}",
                role=published.names[turn["role"]],
                status=words(f"explain.turned.{turn['status']}"),
                model=model,
            )
        )
    return [Heading(text=words("explain.heading.agents")), Items(items=tuple(lines))]


def _audit(published: Published, words: WordsLike) -> Grid:
    parts: dict[str, Any] = {"sha256": published.hashes, "run": published.trace.get("run", {})}
    for turn in published.trace.get("raw", ()):
        provenance = dict(turn["provenance"] or {})
        attempts = [f"{one['model']} {one['outcome']}" for one in provenance.get("attempts", ())]
        told = {
            "model": provenance.get("model"),
            "prompt_hash": provenance.get("prompt_hash"),
            "cached": provenance.get("cached"),
            "attempts": attempts,
        }
        parts[turn["role"]] = {**parts.get(turn["role"], {}), f"turn_{_turn(parts, turn)}": told}
    rows = tuple(row for name, part in parts.items() for row in value_rows(part, name))
    head = (words("report.table.item"), words("report.table.value"))
    return Grid(head=head, rows=rows, words=2, exact=True)


def _turn(parts: Mapping[str, Any], turn: Mapping[str, Any]) -> int:
    """Which of a role's turns this is: the arbiter may have several."""
    return len(parts.get(turn["role"], {})) + 1
