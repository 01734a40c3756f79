"""The verdict and its evidence, in words: the verdict that opens a report, and the figures it rests on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from base.errors import catalogue
from record.results import RunResult
from reports.tables import notice_lines
from reports.words import WordsLike

P_DIGITS = 2
MOST_REASONS = 3
GOOD_VERDICTS = frozenset({"real", "promising"})
FOLD_COLUMNS = ("number", "tested", "values", "train", "test", "initial", "return", "trades")
"""Columns of `fold_rows`; their names are `verdict.fold.<name>`."""
INSTRUMENT_COLUMNS = ("name", "verdict", "development", "holdout", "return", "holding", "trades", "p")
"""Columns of `instrument_rows`; their names are `verdict.instrument.<name>`."""


def told(fields: Mapping[str, Any], words: WordsLike) -> dict[str, str]:
    """Fields of a finding or a reason as words: `..._percent` are fractions, `test` the name of a test."""
    found = {}
    for name, value in fields.items():
        if name == "test":
            found[name] = catalogue("stress", words.language).get(f"name.{value}", value)
        elif isinstance(value, str):
            found[name] = value
        elif name.endswith("_percent"):
            found[name] = words.percent(value, P_DIGITS if value is not None and abs(value) < 0.01 else 1)
        else:
            found[name] = words.number(value)
    return found


def verdict_line(result: RunResult, words: WordsLike) -> str:
    """The verdict in one sentence."""
    return words(f"verdict.value.{result['verdict']['value']}")


def sight_lines(result: RunResult, words: WordsLike) -> list[str]:
    """What to expect of the champion, what this judgement could have seen, and what the timing earned.

    Earlier versions wrote nothing of it, or not all.
    """
    return [
        *_expected_lines(result, words),
        *_attribution_lines(result, words),
        *_declared_lines(result, words),
    ]


def _declared_lines(result: RunResult, words: WordsLike) -> list[str]:
    """The hypothesis that was declared before anybody looked, and its own verdict."""
    if (declared := result.get("declared")) is None:
        return []
    author = declared["declared_by"]
    return [
        words(
            "verdict.declared.told",
            date=declared["declared_at"][:10],
            author=words("verdict.declared.person") if author == "person" else author,
            text=declared["text"],
            description=declared["description"],
            direction=words(f"verdict.declared.{declared['direction']}"),
            verdict=words(f"verdict.short.{declared['verdict']['value']}"),
            **told({"p_percent": declared["verdict"]["combined_p"]}, words),
        )
    ]


def _attribution_lines(result: RunResult, words: WordsLike) -> list[str]:
    """What holding earned and what the timing added, the holdout first: nobody chose by it."""
    parts = result.get("attribution") or {}
    lines = []
    for name in ("holdout", "development"):
        if (part := parts.get(name)) is None:
            continue
        added = "added" if part["timing"] >= 0.0 else "cost"
        timing = words(f"verdict.attribution.{added}", value=words.percent(abs(part["timing"])))
        if part["low"] is not None:
            ends = {end: words.percent(part[end], signed=True) for end in ("low", "high")}
            timing = words("verdict.attribution.within", timing=timing, **ends)
        line = words(
            "verdict.attribution.told",
            part=words(f"verdict.attribution.{name}"),
            exposure=words.percent(part["exposure"]),
            holding=words.percent(part["holding"]),
            timing=timing,
        )
        if name == "development" and result["overfitting"]["trials"] > 1:
            line += " " + words("verdict.attribution.chosen")
        lines.append(line)
    return lines


def _expected_lines(result: RunResult, words: WordsLike) -> list[str]:
    if not (sight := result.get("sight")) or not result["holdout"]["weight"]:  # spent: its reason says so
        return []
    edge = {
        name: words.percent(value) if name == "positive" else words.number(value, 1)
        for name, value in sight["edge"].items()
    }
    chances = {"one": words.percent(sight["power"]["1"], 0), "two": words.percent(sight["power"]["2"], 0)}
    needed = sight["years_needed"]
    # All of the interval is the case that there is no edge: a reader is told that, not "0 to 0".
    told = "no_edge" if sight["edge"]["low"] == sight["edge"]["high"] == 0.0 else "edge"
    lines = [words(f"verdict.sight.{told}", **edge), words("verdict.sight.power", **chances)]
    if needed is None:
        lines[-1] += " " + words("verdict.sight.out_of_reach")
    else:
        lines[-1] += " " + words("verdict.sight.years", years=words.number(math.ceil(needed)))
    if result["verdict"]["value"] == "unproven":
        lines.append(words(f"verdict.sight.{sight['outcome']}"))
    return lines


def reason_lines(result: RunResult, words: WordsLike) -> list[str]:
    """What the verdict rests on: evidence missing, wrong prices, a line a condition, a moved boundary."""
    lines = missing_lines(result, words)
    suspect = [one for one in result["dataset"].get("notices", ()) if one["code"] == "suspect_prices"]
    lines += notice_lines(suspect, words)
    lines += [_reason_line(reason, words) for reason in result["verdict"]["reasons"]]
    lines += _earlier_lines(result, words)
    if moves := result["dataset"].get("advances"):
        last = moves[-1]
        days = {name: last[name][:10] for name in ("before", "after")}
        told_moves = {"count": len(moves), "date": last["time"][:10], "openings": last["openings"]}
        lines.append(words("verdict.advanced", **told_moves, **days))
    return lines


def _earlier_lines(result: RunResult, words: WordsLike) -> list[str]:
    """Which earlier openings of the holdout count, and why: the same prices, or the same market."""
    told = []
    for one in result.get("earlier_openings", []):
        name = f"{one['symbol']} {one['timeframe']}".strip() or words("verdict.opened.unnamed")
        why = words("verdict.opened.same")
        if one["correlation"] is not None:
            alike = words.number(one["correlation"], 3)
            why = words("verdict.opened.alike", correlation=alike, like=one["like"])
        told.append(words("verdict.opened.one", name=name, readers=words.number(one["readers"]), why=why))
    return [words("verdict.opened.told", openings="; ".join(told))] if told else []


def main_reason_lines(result: RunResult, words: WordsLike) -> list[str]:
    """The reasons that a glance needs, `MOST_REASONS` at most: first those that bear the verdict out."""
    good = result["verdict"]["value"] in GOOD_VERDICTS
    reasons = sorted(result["verdict"]["reasons"], key=lambda one: one["speaks_for"] != good)
    return [_reason_line(reason, words) for reason in reasons[:MOST_REASONS]]


def _reason_line(reason: Mapping[str, Any], words: WordsLike) -> str:
    sign = words("verdict.for" if reason["speaks_for"] else "verdict.against")
    sentence = words(f"verdict.reason.{reason['code']}", **told(reason["fields"], words))
    return words("verdict.pair", sign=sign, reason=sentence)


def missing_lines(result: RunResult, words: WordsLike) -> list[str]:
    """What ledger or log of openings no longer hold, or hold otherwise than it was written."""
    return [
        words(
            f"verdict.missing.{one['code']}",
            **{name: words.number(one[name]) for name in ("present", "witnessed", "count") if name in one},
            runs=", ".join(one.get("runs", [])),
        )
        for one in result.get("missing_evidence", [])
    ]


def finding_rows(result: RunResult, words: WordsLike) -> list[list[str]]:
    """One row a stress test: its name, its outcome, its sentence.

    A test of a plugin that is no longer there left no words: its name and its figure are told.
    """
    rows = []
    for finding in result["stress"]:
        test, known = finding["name"], catalogue("stress", words.language)
        name = known.get(f"name.{test}", test)
        if finding["outcome"] == "skipped":
            sentence = known.get(f"not_applicable.{test}") or words("stress.skipped", name=name)
        elif test in known:
            sentence = words(f"stress.{test}", **told(finding["fields"], words))
        else:
            sentence = words.number(finding["figure"])
        rows.append([name, words(f"stress.outcome.{finding['outcome']}"), sentence])
    return rows


def statistic_rows(result: RunResult, words: WordsLike) -> list[list[str]]:
    """Name and value of each statistic; a dash where one is undefined."""
    search, holdout, walk = result["overfitting"], result["holdout"], result["walk_forward"]
    snooping = search["data_snooping"] or {}
    holm = search["haircuts"].get("holm", {})
    # A path that lost its account has no ratio, and stands below all that have one.
    ratios = sorted(
        walk["cross_validation"]["sharpe_ratios"], key=lambda one: -math.inf if one is None else one
    )
    middle = ratios[len(ratios) // 2] if ratios else None
    figures: list[tuple[str, str]] = [
        ("trials", words.number(search["trials"])),
        ("effective_trials", words.number(search["effective_trials"])),
        ("excess_sharpe", words.number(search["excess_sharpe_annual"])),
        ("luck_sharpe", words.number(search["luck_sharpe_annual"])),
        ("adjusted_sharpe", words.number(search["autocorrelation_adjusted_sharpe_annual"])),
        ("probabilistic_sharpe", words.percent(search["probabilistic_sharpe"])),
        ("deflated_sharpe", words.percent(search["deflated_sharpe"])),
        ("deflated_sharpe_clusters", words.percent(search["deflated_sharpe_clusters"])),
        ("pbo", words.percent(search["pbo"])),
        ("familywise_p", words.percent(search["familywise_p"], P_DIGITS)),
        ("reality_check", words.percent(snooping.get("reality_check"), P_DIGITS)),
        ("spa", words.percent(snooping.get("spa_consistent"), P_DIGITS)),
        ("haircut", words.percent(holm.get("haircut"))),
        ("minimum_track_record", words.number(_whole(search["minimum_track_record_bars"]))),
        ("minimum_backtest", words.number(search["minimum_backtest_years"])),
        ("walk_forward_sharpe", words.number(walk["metrics"]["sharpe_ratio"])),
        ("cross_validated_sharpe", words.number(middle)),
        ("holdout_excess_sharpe", words.number(holdout["excess_sharpe_annual"])),
        ("holdout_p", words.percent(holdout["p_value"], P_DIGITS)),
        ("opening", words.number(holdout["opening"])),
    ]
    return [[words(f"verdict.statistic.{name}"), value] for name, value in figures]


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)


def fold_rows(result: RunResult, words: WordsLike) -> list[list[str]]:
    """One row a walk-forward test of the champion, the initial strategy's Sharpe ratio beside its own.

    None for a run of a version that did not keep its folds.
    """
    rows = []
    before = result["initial"]["development"]["walk_forward"].get("per_fold", ())
    for number, (fold, first) in enumerate(
        zip(result["walk_forward"].get("per_fold", ()), before, strict=True), start=1
    ):
        rows.append(
            [
                words.number(number),
                words("verdict.interval", low=fold["test_start"][:10], high=fold["test_end"][:10]),
                ", ".join(_chosen(name, value, words) for name, value in fold["values"].items()) or "–",
                words.number(fold["train_sharpe_ratio"]),
                words.number(fold["sharpe_ratio"]),
                words.number(first["sharpe_ratio"]),
                words.percent(fold["total_return"]),
                words.number(fold["n_trades"]),
            ]
        )
    return rows


def _chosen(name: str, value: float | None, words: WordsLike) -> str:
    return f"{name} = {'–' if value is None else words.short(value)}"


def instrument_rows(result: RunResult, words: WordsLike) -> list[list[str]]:
    """One row an instrument of a pool, by `INSTRUMENT_COLUMNS`; none in a run on one instrument."""
    rows = []
    for one in result.get("instruments", []):
        inside, outside = one["development"], one["holdout"]
        held = ["–"] * 3
        if outside is not None:
            held = [
                words.number(outside["excess_sharpe_annual"]),
                words.percent(outside["total_return"], signed=True),
                words.percent(outside["holding_return"], signed=True),
            ]
        rows.append(
            [
                one["symbol"],
                words(f"verdict.short.{one['verdict']}") if one["verdict"] else "–",
                words.number(inside["excess_sharpe_annual"]),
                *held,
                words.number(inside["trades"] + (outside["trades"] if outside else 0)),
                words.percent(one["adjusted_p"], P_DIGITS),
            ]
        )
    return rows


def instrument_lines(result: RunResult, words: WordsLike) -> list[str]:
    """What the pool is, and how each instrument's own verdict counts."""
    if not (found := result.get("instruments")):
        return []
    boundary = result["dataset"].get("boundary", "")[:10]
    return [words("verdict.instrument.note", count=len(found), boundary=boundary)]


def interval_rows(result: RunResult, words: WordsLike) -> list[list[str]]:
    """95 % intervals of the headline metrics on development data and on the holdout."""
    rows = []
    percents = {"max_drawdown", "total_return", "win_rate", "cagr", "volatility", "avg_trade"}
    inside, outside = result["overfitting"]["intervals"], result["holdout"]["intervals"]
    for name in sorted({*inside, *outside}):
        cells = []
        for part in (inside, outside):
            ends = part.get(name)
            show = words.percent if name in percents else words.number
            cells.append(
                "–"
                if ends is None
                else words("verdict.interval", low=show(ends["low"]), high=show(ends["high"]))
            )
        rows.append([words(f"verdict.metric.{name}"), *cells])
    return rows
