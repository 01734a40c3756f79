"""The report of a review, drawn from its result alone."""

from __future__ import annotations

from datetime import datetime

from record.results import ReviewRecord
from reports.document import Block, Code, Document, Grid, Heading, Items, Paragraph
from reports.markdown import to_markdown
from reports.tables import (
    METRIC_ROWS,
    bars_per_year_lines,
    brain_lines,
    failure_lines,
    lost_line,
    metric,
    reading_lines,
    score_note,
)
from reports.words import WordsLike


def review_figures(result: ReviewRecord, words: WordsLike) -> list[list[str]]:
    """The backtest's figures, a row each; `score_note` belongs under them."""
    development = result["development"]
    rows = [[words("report.metric.score_of_tests"), words.number(development["score"])]]
    for name, kind in METRIC_ROWS:
        rows.append([words(f"report.metric.{name}"), metric(words, development["metrics"], name, kind)])
    return rows


def analysis_lines(result: ReviewRecord, words: WordsLike) -> list[str]:
    """Strengths, weaknesses and hypotheses of the analyst, or that it abstained."""
    analysis = result["analysis"]
    if analysis is None:
        return [words("report.review.no_analysis")]
    lines = [words("report.review.quality", score=words.number(analysis["quality_score"], 1))]
    for name in ("strengths", "weaknesses"):
        lines += [words(f"report.review.{name}", line=line) for line in analysis[name]]
    lines += [
        words("report.review.hypothesis", statement=hypothesis["statement"], test=hypothesis["test"] or "–")
        for hypothesis in analysis["hypotheses"]
    ]
    return lines


def proposal_lines(result: ReviewRecord, words: WordsLike) -> list[str]:
    """Each proposal: what, why, what it would be expected to do, and the validator's word."""
    lines = []
    for proposal in result["proposals"]:
        told = words(
            "report.review.proposal",
            number=proposal["number"],
            sentence=proposal["sentence"],
            reason=proposal["reason"] or "–",
            effect=proposal["expected_effect"] or "–",
        )
        if verdict := proposal["verdict"]:
            told += " " + words(f"report.review.{verdict['decision']}", reason=verdict["reason"])
        lines.append(told)
    return lines or [words("report.no_proposal")]


def debate_lines(result: ReviewRecord, words: WordsLike) -> list[str]:
    """Who said what, and the count; nothing where the debate was off."""
    debate = result["debate"]
    if debate is None:
        return []
    lines = []
    for turn in debate["turns"]:
        voice = words(f"report.role.{turn['voice']}")
        if turn["stance"] is None:
            lines.append(words("report.review.silent", voice=voice))
        else:
            stance = words(f"report.review.stance_{turn['stance']}")
            lines.append(words("report.review.said", voice=voice, stance=stance, words=turn["statement"]))
    lines.append(words(f"report.review.decision_{debate['decision']}"))
    return lines


def review_document(result: ReviewRecord, words: WordsLike) -> Document:
    """The whole report."""
    dataset = result["dataset"]
    head = (words("report.table.metric"), words("report.table.value"))
    rows = tuple((name, value) for name, value in review_figures(result, words))
    blocks: list[Block] = [Paragraph(text=words("report.review.nothing_tested"))]
    if result["degraded"]:
        blocks.append(Paragraph(text=words("report.degraded"), tone="doubtful"))
    blocks += [Code(text=result["strategy"]["description"]), Grid(head=head, rows=rows)]
    blocks.append(Paragraph(text=score_note(result["development"], words), tone="quiet"))
    if lost := lost_line(words, result["development"]):
        blocks.append(Paragraph(text=lost, tone="bad"))
    annualised = bars_per_year_lines(result["development"].get("bars_per_year"), words)
    blocks += [Paragraph(text=line, tone="quiet") for line in (*annualised, *reading_lines(result, words))]
    sections = {
        "analysis": analysis_lines(result, words),
        "proposals": proposal_lines(result, words),
        "debate": debate_lines(result, words),
        "brains": [words("report.pair", name=role, value=told) for role, told in brain_lines(result, words)],
        "failed": failure_lines(result, words),
    }
    for name, told in sections.items():
        if told:
            blocks += [Heading(text=words(f"report.review.heading_{name}")), Items(items=tuple(told))]
    return Document(
        title=words("report.review.title", symbol=dataset["symbol"], timeframe=dataset["timeframe"]),
        about=words("explain.about", run=result["run"]["id"]),
        language=words.language,
        made=datetime.fromisoformat(result["run"]["finished"]),
        blocks=tuple(blocks),
    )


def review_report(result: ReviewRecord, words: WordsLike) -> str:
    """The report as Markdown."""
    return to_markdown(review_document(result, words))
