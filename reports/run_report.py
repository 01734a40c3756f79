"""The report of a finished run of either kind, from its record alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from record.record import RunRecord
from reports.document import Document, Picture
from reports.explain import explain
from reports.review_markdown import review_document
from reports.words import WordsLike


def is_review(record: RunRecord) -> bool:
    """Whether the run read a backtest and changed nothing."""
    return bool(record.about()["graph"] == "review")


def run_report(
    record: RunRecord,
    words: WordsLike,
    *,
    pictures: Mapping[str, Sequence[Picture]] | None = None,
    lacking: Sequence[str] = (),
) -> Document:
    """The report.

    Args:
        record: of a finished run.
        words: language; what models wrote stays as it was.
        pictures: charts by section, as for `explain`; a review has none.
        lacking: what could not be drawn, and why.

    Raises:
        ReportError: `unknown_run`, `no_result` or `unreadable_record`.
    """
    if is_review(record):
        return review_document(record.review_result(), words)
    return explain(
        record.run_result(),
        words,
        events=record.events(),
        pictures=pictures,
        lacking=lacking,
        versions=record.about().get("versions"),
    )
