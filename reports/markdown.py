"""The report of an optimisation run as Markdown, drawn from its result alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reports.belief import finding_rows, interval_rows, statistic_rows, verdict_lines
from reports.wording import WordsLike as WordsLike

METRIC_ROWS: tuple[tuple[str, str], ...] = (
    ("sharpe_ratio", "number"),
    ("sortino_ratio", "number"),
    ("calmar_ratio", "number"),
    ("max_drawdown", "percent"),
    ("profit_factor", "number"),
    ("total_return", "percent"),
    ("win_rate", "percent"),
    ("n_trades", "number"),
)


def metric(words: WordsLike, metrics: Mapping[str, Any], name: str, kind: str) -> str:
    """One metric as words."""
    value = metrics[name]
    return words.percent(value) if kind == "percent" else words.number(value)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; vertical bars inside cells are escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def brain_lines(result: Mapping[str, Any], words: WordsLike) -> list[tuple[str, str]]:
    """(role, who answered) for every role that was asked."""
    lines = []
    for role, brain in result["brains"].items():
        told = [f"{model} × {count}" for model, count in sorted(brain["answers"].items())]
        if brain["abstentions"]:
            told.append(words("report.brain.abstained", count=brain["abstentions"]))
        if brain["degraded"]:
            told.append(words("report.brain.degraded", count=brain["degraded"]))
        lines.append((words(f"report.role.{role}"), ", ".join(told)))
    return lines


def failure_lines(result: Mapping[str, Any]) -> list[str]:
    """Each way in which a model could not be reached or understood, with how often, over all roles."""
    counts: dict[str, int] = {}
    for brain in result["brains"].values():
        for failure, count in brain["failures"].items():
            counts[failure] = counts.get(failure, 0) + count
    return [f"{failure} × {count}" for failure, count in sorted(counts.items())]


def figures_table(result: Mapping[str, Any], words: WordsLike) -> tuple[list[str], list[list[str]]]:
    """Head and rows: each metric for the initial strategy and the champion, development and holdout."""
    initial, champion = result["initial"], result["champion"]
    parts = [initial["development"], champion["development"], initial["holdout"], champion["holdout"]]
    head = [
        words("report.table.metric"),
        words("report.table.initial_development"),
        words("report.table.champion_development"),
        words("report.table.initial_holdout"),
        words("report.table.champion_holdout"),
    ]
    rows = [
        [words(f"report.metric.{name}"), *(metric(words, part["metrics"], name, kind) for part in parts)]
        for name, kind in METRIC_ROWS
    ]
    rows.insert(0, [words("report.metric.score"), *(words.number(part["score"]) for part in parts)])
    return head, rows


def belief_sections(result: Mapping[str, Any], words: WordsLike) -> list[str]:
    """Statistics of the search, stress tests and intervals: what the verdict rests on."""
    holdout = result["holdout"]
    weight = words.percent(holdout["weight"])
    return [
        f"## {words('verdict.heading.verdict')}",
        "",
        words("verdict.opening_note", opening=words.number(holdout["opening"]), weight=weight),
        "",
        f"### {words('verdict.heading.statistics')}",
        "",
        words("verdict.statistics_note"),
        "",
        table([words("report.table.metric"), words("report.table.value")], statistic_rows(result, words)),
        "",
        f"### {words('verdict.heading.stress')}",
        "",
        words("verdict.stress_note"),
        "",
        table(
            [words(f"verdict.table.{name}") for name in ("test", "outcome", "finding")],
            finding_rows(result, words),
        ),
        "",
        f"### {words('verdict.heading.intervals')}",
        "",
        table(
            [
                words("report.table.metric"),
                words("verdict.table.development"),
                words("verdict.table.holdout"),
            ],
            interval_rows(result, words),
        ),
        "",
    ]


def optimization_report(result: Mapping[str, Any], words: WordsLike) -> str:
    """The whole report."""
    dataset, champion = result["dataset"], result["champion"]
    head, rows = figures_table(result, words)
    lines = [
        f"# {words('report.title', symbol=dataset['symbol'], timeframe=dataset['timeframe'])}",
        "",
        *verdict_lines(result, words),
        words(
            f"report.status.{result['status']}", reason=words(f"optimization.stop.{result['stop_reason']}")
        ),
        "",
    ]
    if result["degraded"]:
        lines += [f"> {words('report.degraded')}", ""]
    lines += [
        words(
            "report.summary",
            iterations=result["iterations"],
            trials=result["trials"],
            before=words.number(result["initial_score"]),
            after=words.number(result["final_score"]),
        ),
        "",
        f"## {words('report.heading.champion')}",
        "",
        f"`{champion['description']}`",
        "",
        f"## {words('report.heading.figures')}",
        "",
        table(head, rows),
        "",
        words("report.holdout_note"),
        "",
        *belief_sections(result, words),
        f"## {words('report.heading.changes')}",
        "",
    ]
    for change in result["applied_changes"]:
        lines.append(
            "- "
            + words(
                "report.change",
                iteration=change["iteration"],
                description=change["description"],
                reason=change["reason"],
                before=words.number(change["score_before"]),
                after=words.number(change["score_after"]),
            )
        )
    if not result["applied_changes"]:
        lines.append(words("report.no_change"))
    lines += ["", f"## {words('report.heading.trials')}", ""]
    for entry in result["history"]:
        score = words.number(entry["score"])
        lines += [f"### {words('report.iteration', iteration=entry['iteration'], score=score)}", ""]
        for trial in entry["trials"]:
            outcome = words(f"optimization.outcome.{trial['outcome']}")
            score = words.number(trial["score"])
            if trial["p_value"] is not None:
                outcome = words(
                    "report.luck",
                    outcome=outcome,
                    p=words.number(trial["p_value"], 3),
                    allowed=words.number(trial["allowed"], 3),
                )
            reason = f" — {trial['verdict_reason']}" if trial["outcome"] == "rejected" else ""
            lines.append(f"- {trial['sentence']} ({outcome}, {score}){reason}")
        if not entry["trials"]:
            lines.append(words("report.no_proposal"))
        lines.append("")
    lines += [f"## {words('report.heading.brains')}", ""]
    lines += [f"- {words('report.pair', name=role, value=told)}" for role, told in brain_lines(result, words)]
    failures = failure_lines(result)
    if failures:
        lines += ["", words("report.failures"), "", *(f"- `{failure}`" for failure in failures)]
    if result["unfounded"]:
        lines += ["", f"## {words('report.heading.unfounded')}", ""]
        lines += [
            "- "
            + words(
                "report.unfounded",
                role=words(f"report.role.{one['role']}"),
                iteration=one["iteration"],
                numbers=", ".join(one["numbers"]),
                claim=one["claim"],
            )
            for one in result["unfounded"]
        ]
    lines += [
        "",
        f"## {words('report.heading.audit')}",
        "",
        table(
            [words("report.table.item"), words("report.table.value")],
            [
                [words("report.audit.run"), result["run"]["id"]],
                [words("report.audit.strategy"), champion["hash"]],
                [words("report.audit.development"), dataset["development_hash"]],
                [words("report.audit.holdout"), dataset["holdout_hash"]],
                [words("report.audit.boundary"), str(dataset["boundary"])],
                [
                    words("report.audit.costs"),
                    f"{result['settings']['fee_bps']:g} + {result['settings']['slippage_bps']:g} bps",
                ],
                [words("report.audit.seed"), str(result["settings"]["seed"])],
            ],
        ),
        "",
    ]
    return "\n".join(lines)
