"""Events of a run told in words, one line each."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from base.entries import EntryError
from base.errors import LANGUAGES, catalogue
from prompts import Words
from record.events import (
    EVENTS,
    Abstained,
    AnalystAnswer,
    Approved,
    BaselineTested,
    BudgetMet,
    Called,
    CodeExamined,
    Consensus,
    Converged,
    DebateTurn,
    EarlySearch,
    Event,
    EventData,
    EvidenceListed,
    Judged,
    LedgerBegun,
    LedgerClosed,
    LessonsRecalled,
    LibraryKnown,
    Noticed,
    PricesRead,
    Proposed,
    RoleCalled,
    RunFinished,
    SearchMeasured,
    Selected,
    Started,
    StrategistAnswer,
    Surveyed,
    TrialsFixed,
    ValidatorAnswer,
    VariantFailed,
    VariantTested,
)
from record.types import Figures, Selection
from reports.tables import lost_line, notice_lines

for _kind in EVENTS.values():
    for _language in LANGUAGES:
        if _kind.says and _kind.says.removeprefix("web.") not in catalogue("web", _language):
            raise EntryError(f"{_kind.__name__}: {_kind.says} ({_language}) not said")


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


def _answerer(event: EventData, words: Words) -> str:
    """Who answered, whether it stands in for a model, and which of its figures no evidence bears out."""
    provenance = event.answered_by
    assert provenance is not None, "somebody answered"
    key = "web.answered_degraded" if provenance["degraded"] else "web.answered"
    by = words(key, model=provenance["model"])
    doubtful = [number for claim in event.doubts for number in claim["numbers"]]
    return words("web.event.unfounded", by=by, numbers=", ".join(doubtful)) if doubtful else by


def _analysis(event: AnalystAnswer, words: Words) -> Line:
    answer = event.answer
    body = words(
        "web.event.analysis_body",
        strengths=" ".join(answer["strengths"]),
        weaknesses=" ".join(answer["weaknesses"]),
        by=_answerer(event, words),
    )
    score = words.number(answer["quality_score"], 1)
    return Line(words("web.event.analysis", score=score), body, "insights")


def _verdicts(event: ValidatorAnswer, words: Words) -> Line:
    count = Counter(verdict["decision"] for verdict in event.verdicts)
    title = words(
        "web.event.verdicts",
        validated=count["validated"],
        rejected=count["rejected"],
        abstained=count["abstained"],
    )
    return Line(title, _answerer(event, words), "rule")


def _proposals(event: StrategistAnswer, words: Words) -> Line:
    refused = "; ".join(f"{entry['sentence']} ({entry['reason_refused']})" for entry in event.refused)
    by = _answerer(event, words)
    body = words("web.event.refused", by=by, refused=refused) if refused else by
    return Line(words("web.event.proposals"), body, "lightbulb")


def _selected(selection: Selection, words: Words) -> Line:
    after = words.number(selection["score"])
    if selection["adopted"]:
        before = words.number(selection["score_before"])
        body = words("web.event.score_change", before=before, after=after)
        return Line(words("web.event.adopted", sentence=selection["adopted"]), body, "trending_up", "good")
    return Line(words("web.event.kept", score=after), "", "shield")


def _holdout(champion: Figures, words: Words) -> Line:
    metrics = champion["metrics"]
    body = words(
        "web.event.holdout_body",
        sharpe=words.number(metrics["sharpe_ratio"]),
        total=words.percent(metrics["total_return"]),
        drawdown=words.percent(metrics["max_drawdown"]),
        trades=words.number(metrics["n_trades"]),
    )
    body = f"{body} {lost_line(words, champion)}".rstrip()
    return Line(words("web.event.holdout"), body, "lock_open", "end")


def line(event: Event, words: Words) -> Line | None:
    """The event in words; None for those that only announce another (a role was called) or stand elsewhere.

    A kind that has no line of its own is named as it is: a page never hides what happened.
    """
    match event.data:
        case RoleCalled() | DebateTurn() | Called() | LibraryKnown():
            return None
        case EvidenceListed(items=items):
            return Line(words("web.event.evidence", count=words.number(len(items))), "", "list_alt")
        case LessonsRecalled(lessons=lessons):
            return Line(words("web.event.lessons", count=words.number(len(lessons))), "", "school")
        case Started(dataset=dataset):
            body = words(
                "web.event.started_body",
                rows=words.number(dataset["development_rows"]),
                holdout=words.number(dataset["holdout_rows"]),
            )
            title = words("web.event.started", symbol=dataset["symbol"], timeframe=dataset["timeframe"])
            return Line(title, body, "play_arrow")
        case PricesRead(notices=notices):
            return Line(words("web.event.read"), " ".join(notice_lines(notices, words)), "table_view")
        case BaselineTested(figures=figures):
            score = words.number(figures["score"])
            return Line(words("web.event.baseline", score=score), lost_line(words, figures), "flag")
        case Surveyed(configurations=configurations, archive=archive):
            title = words(
                "web.event.survey", configurations=words.number(configurations), candidates=len(archive)
            )
            best = words.number(archive[0]["excess_t"])
            body = words("web.event.survey_body", family=archive[0]["family"], excess_t=best)
            return Line(title, body, "travel_explore")
        case AnalystAnswer() as answer:
            return _analysis(answer, words)
        case ValidatorAnswer() as answer:
            return _verdicts(answer, words)
        case StrategistAnswer() as answer:
            return _proposals(answer, words)
        case Approved(accepted=accepted, declined=declined):
            told = {"accepted": _numbers(accepted), "declined": _numbers(declined)}
            return Line(words("web.event.approved", **told), "", "how_to_reg")
        case LedgerBegun(snapshot=snapshot, openings=openings):
            trials = words.number(snapshot["trials"])
            return Line(words("web.event.ledger_begun", trials=trials, openings=openings), "", "menu_book")
        case LedgerClosed(trials=trials) | TrialsFixed(trials=trials) | EarlySearch(trials=trials):
            return Line(words("web.event.ledger", trials=words.number(trials)), "", "menu_book")
        case SearchMeasured(compared=compared, effective_trials=effective):
            told = {"compared": words.number(compared), "effective_trials": words.number(effective)}
            return Line(words("web.event.search", **told), "", "scatter_plot")
        case BudgetMet(budget=budget):
            reason = words(f"optimization.stop.{budget}")
            return Line(words("web.event.budget", reason=reason), "", "timer_off", "end")
        case Noticed() as notice:
            return Line(words(f"command.noticed.{notice.code}", **notice.plain()), "", "change_circle", "bad")
        case CodeExamined(name=name, refused=dict(refused)):
            why = words(f"code.error.{refused['code']}", **refused["fields"])
            return Line(words("web.event.code_refused", name=name or "–"), why, "gpp_bad", "bad")
        case CodeExamined(name=name, nearest=nearest):
            told = {"known": nearest[0], "correlation": words.number(nearest[1])}
            return Line(
                words("web.event.code_passed", name=name), words("web.event.nearest", **told), "gpp_good"
            )
        case Abstained():
            role = words(f"report.role.{event.node}")
            return Line(words("web.event.abstention", role=role), "", "block", "bad")
        case Proposed(proposal=proposal):
            return Line(proposal["sentence"], proposal["reason"], "edit_note")
        case VariantFailed(variant={"sentence": sentence, "error": dict(problem)}):
            why = words(f"backtest.error.{problem['code']}", **problem)
            title = words("web.event.test_failed", sentence=sentence)
            return Line(title, why, "error", "bad")
        case VariantTested() as tested:
            score = words.number(tested.figures["score"])
            title = words("web.event.tested", sentence=tested.variant["sentence"], score=score)
            return Line(title, lost_line(words, tested.figures), "science")
        case Selected(selection=selection):
            return _selected(selection, words)
        case Consensus(decision=decision):
            return Line(words(f"web.event.consensus_{decision}"), "", "forum")
        case Converged(decision=decision):
            reason = words(f"optimization.stop.{decision['reason']}")
            if decision["stop"]:
                return Line(words("web.event.stop", reason=reason), "", "flag_circle", "end")
            return Line(words("web.event.going_on", reason=reason), "", "loop")
        case Judged(judgement=judgement):
            return _holdout(judgement["champion"], words)
        case RunFinished(status=status):
            good = status == "finished"
            title = words(f"web.event.report_{status}")
            return Line(title, "", "task_alt" if good else "error", "end" if good else "bad")
        case EventData(says=str(key), icon=icon) as told:
            return Line(words(key, **told.plain()), "", icon)
        case other:
            return Line(words("web.event.other", kind=other.kind, node=event.node))


def _numbers(proposals: list[int]) -> str:
    return ", ".join(map(str, proposals)) or "–"
