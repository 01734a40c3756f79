"""Tables and lines that more than one view of a result shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from base.errors import catalogue, shown_at
from record.results import Frame, RunResult
from record.types import Figures, earlier_score
from reports.words import WordsLike

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


def notice_lines(notices: Sequence[Mapping[str, Any]], words: WordsLike) -> list[str]:
    """What the reader of prices assumed, left out or mended, a sentence each.

    Args:
        notices: `vault.readers.options.Notice` as JSON.
        words: language.
    """
    return [words(f"market.notice.{one['code']}", **one["fields"]) for one in notices]


def reading_lines(result: Frame, words: WordsLike) -> list[str]:
    """The same for the report of a run, whoever began it: settings are named by their labels."""
    with shown_at("page"):
        return notice_lines(result["dataset"].get("notices", ()), words)


def bars_per_year_lines(found: Mapping[str, Any] | None, words: WordsLike) -> list[str]:
    """How figures are annualised, and a warning where two ways of counting differ; nothing of old records.

    Args:
        found: as `backtest.BarsPerYear.to_dict` gives it.
        words: language.
    """
    if found is None:
        return []
    value, basis = found["value"], found["basis"]
    told = words(f"backtest.bars_per_year.{basis}")
    lines = [words("backtest.bars_per_year.line", value=words.number(value, 0), basis=told)]
    if found["doubtful"]:
        way = basis if basis in ("given", "counted") else "calendar"
        difference = words.percent(found["other"] / value - 1.0)
        other = words.number(found["other"], 0)
        lines.append(words(f"backtest.bars_per_year_doubt.{way}", other=other, difference=difference))
    return lines


def account_lost(figures: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Where a strategy's account ended, in its tests or on all the bars it was tried on; None if it survived.

    Args:
        figures: of one backtest or trial, as the record has them; those of earlier versions tell nothing.
    """
    tests: Mapping[str, Any] = figures.get("walk_forward", {})
    return tests.get("account_lost") or figures.get("account_lost")


def lost_fields(words: WordsLike, lost: Mapping[str, Any]) -> dict[str, str]:
    """Where an account was lost, as words: `day`, with the hour where bars are shorter, and `price`."""
    price = lost["price"]
    return {
        "day": day_of(lost["time"]),
        "price": words.number(price) if price >= 1.0 else words.short(price),
    }


def lost_line(words: WordsLike, figures: Mapping[str, Any]) -> str:
    """That an account was lost, where, and that nothing is traded after; nothing where it survived."""
    lost = account_lost(figures)
    return words("report.account_lost.told", **lost_fields(words, lost)) if lost else ""


def lost_lines(result: RunResult, words: WordsLike) -> list[str]:
    """One line for each part of an optimisation's result in which an account was lost."""
    parts = {
        words(f"report.table.{name}"): figures.get("account_lost") for name, figures in _parts(result).items()
    }
    parts[words("report.account_lost.tests")] = result["walk_forward"].get("account_lost")
    return [
        words("report.account_lost.of", part=part, **lost_fields(words, lost))
        for part, lost in parts.items()
        if lost
    ]


def day_of(time: str) -> str:
    """A bar's ISO time as people write it: the day, and the hour where bars are shorter."""
    day, _, clock = time.partition("T")
    return day if clock[:8] in ("", "00:00:00") else f"{day} {clock[:5]}"


def brain_lines(result: Frame, words: WordsLike) -> list[tuple[str, str]]:
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


def failure_lines(result: Frame, words: WordsLike) -> list[str]:
    """Each way in which a model could not be reached or understood, with how often, over all roles."""
    counts: dict[str, int] = {}
    said: dict[str, str] = {}
    for brain in result["brains"].values():
        said |= brain.get("said", {})
        for failure, count in brain["failures"].items():
            counts[failure] = counts.get(failure, 0) + count
    told = []
    for failure, count in sorted(counts.items()):
        model, _, code = failure.rpartition(": ")
        what = words(f"failure.{code}")
        if detail := said.get(failure):
            what = words("report.failed_said", what=what, said=detail)
        told.append(words("report.failed", model=model, what=what, count=count))
    return told


_DATA_SOURCES = frozenset({"forecast", "macro", "news"})


def instrument(symbol: str, words: WordsLike) -> str:
    """An instrument as a reader knows it: its plain name where there is one, and its symbol."""
    return catalogue("ensemble", words.language).get(f"instrument.{symbol}", symbol)


def instrument_cell(symbol: str, words: WordsLike) -> str:
    """The same where it stands alone, without an article."""
    return words("ensemble.source.market") if symbol == "MARKET" else instrument(symbol, words)


def instrument_title(symbol: str, words: WordsLike) -> str:
    """`instrument_cell` where a title begins with it; a symbol without a name stays as it is written."""
    told = instrument_cell(symbol, words)
    return told if told == symbol else told[:1].upper() + told[1:]


def change_lines(changes: Sequence[Mapping[str, Any]], words: WordsLike) -> list[str]:
    """One line a change of a summary, as published."""
    return [_change(one, words) for one in changes]


def change_head(since: str, changes: Sequence[Any], words: WordsLike) -> str:
    """The first line of a summary: since when something has changed, or that nothing has."""
    key = "since" if changes else "same"
    return words(f"ensemble.change.{key}", hour=words.moment(since))


def _change(one: Mapping[str, Any], words: WordsLike) -> str:
    kind, before, now = one["kind"], one["before"], one["now"]
    if before is not None and now is not None:
        values = {"before": words(f"ensemble.value.{before}"), "now": words(f"ensemble.value.{now}")}
        return words("ensemble.change.turned", name=words(f"ensemble.face.{kind}"), **values)
    text = before if now is None else now
    if kind == "alert":
        text = words(f"ensemble.alert_name.{text}")
    return words(f"ensemble.change.{'old' if now is None else 'new'}_{kind}", text=text)


def advice_lines(summary: Mapping[str, Any], words: WordsLike) -> list[tuple[str, list[str]]]:
    """Each recommendation's sentence, and what code knows of it; nothing in summaries of earlier versions.

    Args:
        summary: as published.
        words: language of the reader; a sentence stays in the language it was written in.
    """
    details = summary.get("recommendation_details") or [None] * len(summary["recommendations"])
    return [
        (sentence, [] if one is None else _advice(one, words))
        for sentence, one in zip(summary["recommendations"], details, strict=True)
    ]


def _advice(one: Mapping[str, Any], words: WordsLike) -> list[str]:
    voice = catalogue("agents", words.language).get(f"{one['voice']}.name") or words("ensemble.agent.arbiter")
    told = words(
        "ensemble.advice.what",
        act=words(f"ensemble.act.{one['act']}"),
        symbol=instrument_cell(one["instrument"], words),
        horizon=words(f"ensemble.horizon.{one['horizon']}"),
        until=words.day(one["until"]),
        size=words(f"ensemble.size.{one['size']}"),
    )
    key = "no_move" if one["expected_move"] is None else "move"
    move = words(f"ensemble.advice.{key}", move=words.percent(one["expected_move"], signed=True))
    if one["costs"]:
        move += " " + words("ensemble.advice.costs", costs=words.percent(one["costs"], 2))
    key = "no_record" if one["skill"] is None else "record_better" if one["skill"] >= 0 else "record_worse"
    record = words(
        f"ensemble.advice.{key}",
        voice=voice,
        skill=words.percent(abs(one["skill"] or 0.0), 0),
        windows=one["windows"],
    )
    return [told, move, record, words("ensemble.advice.reversal", reversal=one["reversal"])]


def contributor_cells(row: Mapping[str, Any], words: WordsLike) -> dict[str, str]:
    """A row of evidence that a summary cites, each field as people read it.

    An agent that is no longer there left no words for its rows: they go by their names.
    """
    symbol, known = row["symbol"], catalogue("agents", words.language)
    if row["source"] == "quality" and symbol in _DATA_SOURCES:
        symbol = words(f"ensemble.source.{symbol}")
    else:
        symbol = instrument_cell(symbol, words)
    return {
        "source": known.get(f"cited.{row['source']}", row["source"]),
        "model": known.get(f"made_by.{row['model']}", row["model"]),
        "symbol": symbol,
        "horizon": words(f"ensemble.horizon.{row['horizon']}"),
        "score": words.number(row["score"]),
        "prediction": words(f"ensemble.value.{row['prediction']}"),
        "rationale": row["rationale"],
    }


def _parts(result: RunResult) -> dict[str, Figures]:
    """Figures of initial strategy and champion on each part of the data that was opened."""
    initial, champion = result["initial"], result["champion"]
    known = {
        "initial_development": initial["development"],
        "champion_development": champion["development"],
        "initial_holdout": initial["holdout"],
        "champion_holdout": champion["holdout"],
    }
    return {name: figures for name, figures in known.items() if figures is not None}


def figures_table(result: RunResult, words: WordsLike) -> tuple[list[str], list[list[str]], str]:
    """Each metric for the initial strategy and the champion, development and holdout.

    Returns:
        (head, rows, note): the note says which bars the score is of, and belongs under the table. A holdout
        that was never opened has no columns.
    """
    known = _parts(result)
    parts = list(known.values())
    head = [words("report.table.metric"), *(words(f"report.table.{name}") for name in known)]
    rows = [
        [words(f"report.metric.{name}"), *(metric(words, part["metrics"], name, kind) for part in parts)]
        for name, kind in METRIC_ROWS
    ]
    rows.insert(0, [words("report.metric.score_of_tests"), *(words.number(part["score"]) for part in parts)])
    opened = result["champion"]["holdout"] is not None
    return head, rows, score_note(result["initial"]["development"], words, opened=opened)


def score_note(figures: Figures, words: WordsLike, *, opened: bool = False) -> str:
    """Which bars the score and the other metrics are of, and what the score measures.

    Args:
        figures: of one strategy on development data: they show by which formula a run scored.
        words: language.
        opened: the holdout's metrics stand beside them.
    """
    note = words("report.score_note_holdout" if opened else "report.score_note")
    return f"{note} {score_meaning(figures, words)}"


def score_meaning(figures: Figures, words: WordsLike) -> str:
    """What the score measures, by the formula that these figures of development data were scored with."""
    return words("report.score_earlier" if earlier_score(figures) else "report.score_skill")
