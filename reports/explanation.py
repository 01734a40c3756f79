"""The evolution of a strategy told in words: for each modification why it was made, or was not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from record.types import Evolution, Modification
from reports.tables import METRIC_ROWS, lost_fields, metric
from reports.words import WordsLike

_SHOWN = ("sharpe_ratio", "max_drawdown", "profit_factor", "n_trades")


def explanation(evolution: Evolution, words: WordsLike) -> list[str]:
    """One paragraph a modification, as lines; the first of each begins with `##`."""
    lines: list[str] = []
    for entry in evolution["modifications"]:
        lines += ["", f"## {_heading(entry, words)}", *(f"- {line}" for line in _reasons(entry, words))]
    if not evolution["modifications"]:
        lines.append(words("report.no_change"))
    if evolution["stop"]:
        reason = words(f"optimization.stop.{evolution['stop']['reason']}")
        lines += ["", words("report.explain.stop", reason=reason)]
    return lines


def _heading(entry: Modification, words: WordsLike) -> str:
    return words(
        "report.explain.heading",
        iteration=entry["iteration"],
        sentence=entry["sentence"],
        outcome=words(f"optimization.outcome.{entry['outcome']}"),
    )


def background(entry: Modification, words: WordsLike) -> list[str]:
    """What stood behind a modification: hypotheses, whose it was, what was expected, who spoke against."""
    lines = [
        words("report.explain.hypothesis", statement=hypothesis["statement"])
        for hypothesis in entry["hypotheses"]
    ]
    if proposer := entry["proposed_by"]:
        key = "proposed_degraded" if proposer["degraded"] else "proposed"
        role = words(f"report.role.{proposer['role']}")
        lines.append(words(f"report.explain.{key}", role=role, model=proposer["model"] or "–"))
    if entry["expected_effect"]:
        lines.append(words("report.explain.expected", effect=entry["expected_effect"]))
    for objection in entry["objections"]:
        by = words(f"report.role.{objection['by']}")
        lines.append(
            words(f"report.explain.against_{objection['against']}", by=by, why=objection["why"] or "–")
        )
    if not entry["objections"]:
        lines.append(words("report.explain.nobody"))
    return lines


def _reasons(entry: Modification, words: WordsLike) -> list[str]:
    reason = words("report.explain.reason", reason=entry["reason"] or "–")
    lines = [reason, *background(entry, words)]
    if entry["before"] and entry["after"]:
        lines.append(
            words(
                "report.explain.figures",
                before=_figures(entry["before"], words),
                after=_figures(entry["after"], words),
            )
        )
    decided = entry["decided_by"]
    if decided["score"] is not None:
        lines.append(
            words(
                f"report.explain.{_decision(entry)}",
                score=words.number(decided["score"]),
                champion=words.number(decided["champion_score"]),
                t=words.number(decided.get("excess_t")),
                champion_t=words.number(decided.get("champion_excess_t")),
                p=words.short(decided.get("p_value")),
                allowed=words.short(decided.get("allowed")),
                length=decided.get("code_length", 0),
                gain=words.number(decided.get("gain_bits")),
                **(lost_fields(words, lost) if (lost := decided.get("account_lost")) else {}),
            )
        )
    return lines


def _decision(entry: Modification) -> str:
    """A population adopts by its rank, a single champion by its score and significance."""
    ranked = entry["decided_by"].get("champion_excess_t") is not None
    told = "_population" if ranked and entry["outcome"] in ("adopted", "kept_out", "needless") else ""
    return f"decided_{entry['outcome']}{told}"


def _figures(figures: Mapping[str, Any], words: WordsLike) -> str:
    kinds = dict(METRIC_ROWS)
    told = [
        words(
            "report.explain.figure", name=words("report.metric.score"), value=words.number(figures["score"])
        )
    ]
    for name in _SHOWN:
        value = metric(words, figures["metrics"], name, kinds[name])
        told.append(words("report.explain.figure", name=words(f"report.metric.{name}"), value=value))
    return ", ".join(told)
