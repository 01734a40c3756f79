"""The check of a price history in words: what `threadx data check` and the data page both tell."""

from __future__ import annotations

from backtest.data.gaps import Gap
from backtest.data.quality import Outlier, QualityReport
from reports.words import WordsLike

MOST_LINES = 20


def check_rows(report: QualityReport, words: WordsLike) -> list[list[str]]:
    """What was found, a name and a value a row."""
    none = words("command.check.none")

    def count(value: int | None) -> str:
        return none if value is None else words.number(value, 0)

    def part(value: int | None) -> str:
        """A number of bars, and what part that is of those there should be."""
        if not value:
            return count(value)
        return f"{count(value)} ({words.percent(value / (report.rows + report.missing_bars), 2)})"

    rows = [
        ("rows", count(report.rows)),
        ("first", words.bar_time(report.first)),
        ("last", words.bar_time(report.last)),
        ("timeframe", report.timeframe or none),
        ("time_zone", report.time_zone or words("command.check.no_zone")),
        ("hours", words(f"command.check.{'sessions' if report.sessions else 'continuous'}")),
        ("gaps", count(len(report.gaps))),
        ("missing_bars", part(report.missing_bars)),
        ("irregular_bars", part(report.irregular_bars)),
        ("zero_volume_bars", part(report.zero_volume_bars)),
        *([("unknown_volume_bars", part(report.unknown_volume_bars))] if report.unknown_volume_bars else []),
        ("flat_bars", part(report.flat_bars)),
        ("outliers", count(len(report.outliers))),
    ]
    return [[words(f"command.check.{name}"), told] for name, told in rows]


def gap_rows(gaps: tuple[Gap, ...], words: WordsLike) -> tuple[list[str], list[list[str]]]:
    """Head and rows of the widest gaps, in order of time."""
    widest = sorted(gaps, key=lambda gap: (-gap.missing, gap.after))[:MOST_LINES]
    head = [words(f"command.check.{name}") for name in ("after", "before", "missing")]
    return head, [
        [words.bar_time(gap.after), words.bar_time(gap.before), words.number(gap.missing, 0)]
        for gap in sorted(widest, key=lambda gap: gap.after)
    ]


def outlier_rows(outliers: tuple[Outlier, ...], words: WordsLike) -> tuple[list[str], list[list[str]]]:
    """Head and rows of the largest prices out of proportion, in order of time."""
    largest = sorted(outliers, key=lambda one: -one.deviations)[:MOST_LINES]
    head = [words(f"command.check.{name}") for name in ("time", "price", "row", "change", "deviations")]
    return head, [
        [
            words.bar_time(one.time),
            words(f"command.check.{one.column}"),
            words.number(one.row),
            words.percent(one.change, signed=True),
            words.number(one.deviations, 1),
        ]
        for one in sorted(largest, key=lambda one: one.row)
    ]


def title(name: str, count: int, words: WordsLike) -> str:
    """A heading that says so where a list was cut."""
    shown = min(count, MOST_LINES)
    return words(f"command.check.{name}{'' if shown == count else '_cut'}", shown=shown, count=count)


def advice(report: QualityReport, words: WordsLike) -> list[str]:
    """What follows from what was found."""
    found = ["usable"]
    if report.gaps:
        found.append("holidays" if report.sessions else "outages")
    if report.unknown_volume_bars:
        found.append("no_volume")
    if report.irregular_bars:
        found.append("off_beat")
    if report.outliers:
        found.append("look_at_outliers")
    return [words(f"command.check.{name}") for name in found]
