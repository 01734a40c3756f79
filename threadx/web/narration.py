"""Events of a run told in words, one line each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from prompts import Words
from reports.tables import lost_line, notice_lines


@dataclass(frozen=True)
class Line:
    """One line of the timeline.

    Attributes:
        title: what happened.
        body: why, or with what; may be empty.
        icon: name of a Material icon.
        tone: `plain`, `good`, `bad` or `end`.
    """

    title: str
    body: str = ""
    icon: str = "circle"
    tone: str = "plain"


def clock(moment: str) -> str:
    """The time of day of an ISO time, seconds included."""
    return moment[11:19]


def _answerer(data: Mapping[str, Any], words: Words) -> str:
    """Who answered, whether it stands in for a model, and which of its figures no evidence bears out."""
    provenance = data["provenance"]
    key = "web.answered_degraded" if provenance["degraded"] else "web.answered"
    by = words(key, model=provenance["model"])
    claims = (data.get("answer") or data).get("unfounded", [])
    doubtful = [number for claim in claims for number in claim["numbers"]]
    return words("web.event.unfounded", by=by, numbers=", ".join(doubtful)) if doubtful else by


def _analysis(data: Mapping[str, Any], words: Words) -> str:
    answer = data["answer"]
    return words(
        "web.event.analysis_body",
        strengths=" ".join(answer["strengths"]),
        weaknesses=" ".join(answer["weaknesses"]),
        by=_answerer(data, words),
    )


def _answer(event: Mapping[str, Any], words: Words) -> Line:
    data = event["data"]
    match event["node"]:
        case "analyst":
            score = words.number(data["answer"]["quality_score"], 1)
            return Line(words("web.event.analysis", score=score), _analysis(data, words), "insights")
        case "validator":
            validated = sum(verdict["decision"] == "validated" for verdict in data["verdicts"])
            title = words(
                "web.event.verdicts", validated=validated, rejected=len(data["verdicts"]) - validated
            )
            return Line(title, _answerer(data, words), "rule")
        case _:
            refused = "; ".join(
                f"{entry['sentence']} ({entry['reason_refused']})" for entry in data["refused"]
            )
            by = _answerer(data, words)
            body = words("web.event.refused", by=by, refused=refused) if refused else by
            return Line(words("web.event.proposals"), body, "lightbulb")


def _selected(data: Mapping[str, Any], words: Words) -> Line:
    if data["adopted"]:
        body = words(
            "web.event.score_change",
            before=words.number(data["score_before"]),
            after=words.number(data["score"]),
        )
        return Line(words("web.event.adopted", sentence=data["adopted"]), body, "trending_up", "good")
    return Line(words("web.event.kept", score=words.number(data["score"])), "", "shield")


def _holdout(data: Mapping[str, Any], words: Words) -> Line:
    metrics = data["champion"]["metrics"]
    body = words(
        "web.event.holdout_body",
        sharpe=words.number(metrics["sharpe_ratio"]),
        total=words.percent(metrics["total_return"]),
        drawdown=words.percent(metrics["max_drawdown"]),
        trades=words.number(metrics["n_trades"]),
    )
    body = f"{body} {lost_line(words, data['champion'])}".rstrip()
    return Line(words("web.event.holdout"), body, "lock_open", "end")


def line(event: Mapping[str, Any], words: Words) -> Line | None:
    """The event in words; None for those that only announce another (a role was called) or stand elsewhere.

    An event of a kind this version does not know is named as it is: a page never hides what happened.
    """
    data, node = event["data"], event["node"]
    match event["kind"]:
        case "role_called" | "debate_turn" | "call":
            return None
        case "evidence":
            return Line(words("web.event.evidence", count=words.number(len(data["items"]))), "", "list_alt")
        case "lessons":
            count = len(data["lessons"])
            return Line(words("web.event.lessons", count=words.number(count)), "", "school")
        case "started" if "dataset" in data:
            dataset = data["dataset"]
            body = words(
                "web.event.started_body",
                rows=words.number(dataset["development_rows"]),
                holdout=words.number(dataset["holdout_rows"]),
            )
            title = words("web.event.started", symbol=dataset["symbol"], timeframe=dataset["timeframe"])
            return Line(title, body, "play_arrow")
        case "read":
            body = " ".join(notice_lines(data["notices"], words))
            return Line(words("web.event.read"), body, "table_view")
        case "backtest" if node == "baseline":
            score = words.number(data["figures"]["score"])
            return Line(words("web.event.baseline", score=score), lost_line(words, data["figures"]), "flag")
        case "answer" if node in ("analyst", "strategist", "validator"):
            return _answer(event, words)
        case "answer" if node == "single":
            score = words.number(data["answer"]["quality_score"], 1)
            return Line(words("web.event.analysis", score=score), _analysis(data, words), "insights")
        case "waiting":
            return Line(words("web.event.waiting"), "", "pan_tool")
        case "approved":
            told = {name: ", ".join(map(str, data[name])) or "–" for name in ("accepted", "declined")}
            return Line(words("web.event.approved", **told), "", "how_to_reg")
        case "ledger" if "snapshot" in data:
            told = {"trials": words.number(data["snapshot"]["trials"]), "openings": data["openings"]}
            return Line(words("web.event.ledger_begun", **told), "", "menu_book")
        case "ledger":
            return Line(words("web.event.ledger", trials=words.number(data["trials"])), "", "menu_book")
        case "search":
            told = {name: words.number(data[name]) for name in ("compared", "effective_trials")}
            return Line(words("web.event.search", **told), "", "scatter_plot")
        case "budget":
            reason = words(f"optimization.stop.{data['budget']}")
            return Line(words("web.event.budget", reason=reason), "", "timer_off", "end")
        case "noticed":
            return Line(words(f"command.noticed.{data['code']}", **data), "", "change_circle", "bad")
        case "abstention":
            role = words(f"report.role.{node}")
            return Line(words("web.event.abstention", role=role), "", "block", "bad")
        case "exhausted":
            return Line(words("web.event.exhausted"), "", "hourglass_empty")
        case "proposal":
            return Line(data["sentence"], data["reason"], "edit_note")
        case "backtest":
            score = words.number(data["figures"]["score"])
            title = words("web.event.tested", sentence=data["sentence"], score=score)
            return Line(title, lost_line(words, data["figures"]), "science")
        case "error" if "sentence" in data:
            problem = data["error"]
            why = words(f"backtest.error.{problem['code']}", **problem)
            return Line(words("web.event.test_failed", sentence=data["sentence"]), why, "error", "bad")
        case "decision" if node == "select":
            return _selected(data, words)
        case "consensus":
            return Line(words(f"web.event.consensus_{data['decision']}"), "", "forum")
        case "decision" if node == "converge":
            reason = words(f"optimization.stop.{data['reason']}")
            key, tone = ("web.event.stop", "end") if data["stop"] else ("web.event.going_on", "plain")
            return Line(words(key, reason=reason), "", "flag_circle" if data["stop"] else "loop", tone)
        case "holdout":
            return _holdout(data, words)
        case "finished" if node in ("report", "review"):
            good = data["status"] == "finished"
            title = words(f"web.event.report_{data['status']}")
            return Line(title, "", "task_alt" if good else "error", "end" if good else "bad")
        case kind:
            return Line(words("web.event.other", kind=kind, node=node))
