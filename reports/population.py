"""The population of a run: what was surveyed, your strategy beside the best found, the candidates."""

from __future__ import annotations

from collections.abc import Sequence

from record.results import RunResult
from record.types import Member
from reports.words import WordsLike

_COLUMNS = ("number", "family", "side", "bars_held", "trades", "excess_t", "found")


def population_lines(result: RunResult, words: WordsLike) -> list[str]:
    """What was surveyed, and whether the best found is still the strategy that the run was given.

    Empty for a search with a single champion, and for runs of earlier versions.
    """
    archive = result.get("archive")
    if not archive:
        return []
    own = next(one for one in archive if one["given_first"])
    best = next(one for one in archive if one["hash"] == result["champion"]["hash"])
    lines = [
        words("report.population.surveyed", count=words.number(result["surveyed"])),
        words(
            "report.population.both",
            initial=words.number(own["excess_t"]),
            champion=words.number(best["excess_t"]),
        ),
    ]
    if best is own:
        return [*lines, words("report.population.yours")]
    if best["family"] == own["family"]:
        return [*lines, words("report.population.same_family", family=_family(own, words))]
    told = {"champion": _family(best, words), "initial": _family(own, words)}
    return [*lines, words("report.population.other_family", **told)]


def candidate_table(archive: Sequence[Member], words: WordsLike) -> tuple[list[str], list[list[str]]]:
    """(names of the columns, one row a candidate), best first; two columns of words after the number."""
    head = [words(f"report.population.{name}") for name in _COLUMNS]
    return head, [_row(one, words) for one in archive]


def _row(one: Member, words: WordsLike) -> list[str]:
    if one["given_first"]:
        found = words("report.population.found_start")
    elif one["iteration"] == 0:
        found = words("report.population.found_survey")
    else:
        found = words("report.population.found_iteration", iteration=one["iteration"])
    return [
        f"C{one['number']}",
        _family(one, words),
        words(f"report.side.{one['side']}"),
        words.number(one["bars_held"], 1),
        words.number(one["trades"]),
        words.number(one["excess_t"]),
        found,
    ]


def _family(one: Member, words: WordsLike) -> str:
    return words("report.population.own") if one["family"] == "own" else one["family"]


def no_change_line(result: RunResult, words: WordsLike) -> str:
    """That no variant was adopted: none had to beat more than the best candidate."""
    return words("report.no_change_population" if result.get("archive") else "report.no_change")
