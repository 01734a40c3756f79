"""The explain report of a run, with its charts, from its record and the registered prices."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import BaseModel, TypeAdapter, ValidationError

from backtest import StrategySpec
from base.plain_files import read_plain
from base.reasons import because
from nodes.ensemble.operation.partition import SUMMARY, TRACE, hour_folder, published_hours
from nodes.ensemble.policies.words import agent_name
from nodes.optimization.trials.workshop import restore
from prompts import Words
from record.errors import ReportError
from record.record import RunRecord, as_recorded
from record.results import RunResult
from record.run_tables import RETURNS, table_or_none
from record.run_view import RunView
from reports.champion import LAST_BARS, tested_champion
from reports.charts.convergence import convergence_chart
from reports.charts.evolution import evolution_chart
from reports.charts.folds import folds_chart
from reports.charts.holdout import holdout_chart
from reports.charts.indicators import strategy_indicators
from reports.charts.outlook import outlook_chart
from reports.charts.price import price_chart
from reports.document import Document, Picture
from reports.forms import Format
from reports.html import to_html
from reports.markdown import to_markdown
from reports.pdf import to_pdf
from reports.run_report import is_review, run_report
from reports.summary import Published, summary_document
from reports.written import SECTION, brought
from vault.datasets import Dataset
from vault.errors import MarketError
from vault.pools import development_of

_LOST = frozenset({"missing_dataset", "damaged_dataset"})
_HOURS_SHOWN = 72

_FORMS: dict[Format, Callable[[Document], str | bytes]] = {
    "md": to_markdown,
    "html": to_html,
    "pdf": to_pdf,
}


def in_form(document: Document, form: Format) -> bytes:
    """The document's bytes in one of `FORMATS`; the same document gives the same bytes."""
    drawn = _FORMS[form](document)
    return drawn.encode() if isinstance(drawn, str) else drawn


def run_document(home: Path, run: str, words: Words, *, drawn: bool = True) -> Document:
    """The report of a finished run.

    Args:
        home: the data folder.
        run: its name.
        words: language of the report; what models wrote stays as it was.
        drawn: with charts; Markdown needs none.

    Raises:
        ReportError: `unknown_run`, `no_result` or `unreadable_record`.
    """
    record, words = RunRecord(home, run), replace(words, face="report")
    with as_recorded(record.folder):
        return _run_document(home, record, words, drawn)


def _run_document(home: Path, record: RunRecord, words: Words, drawn: bool) -> Document:
    if not drawn or is_review(record):
        return run_report(record, words)
    result, view = record.run_result(), RunView.of(record.events())
    restore(record)
    market = _market_pictures(home, result, words)
    written = _written(home, result, view, words) if market else {}
    pictures = {
        **written,
        "search": [_convergence(result, view, words), _evolution(result, view, words)],
        "figures": market or (),
        "folds": _folds(result, words),
        "holdout": [_holdout(record, result, words)] if result["champion"]["holdout"] else [],
    }
    lacking = [words("explain.no_prices")] if market is None else []
    return run_report(record, words, pictures=pictures, lacking=lacking)


def _convergence(result: RunResult, view: RunView, words: Words) -> Picture:
    chart = convergence_chart(
        result["initial_score"] if view.initial_score is None else view.initial_score,
        [*view.history.values()],
        words,
        target_score=result["settings"]["target_score"],
    )
    return Picture(chart=chart, says=words("chart.convergence"))


def _evolution(result: RunResult, view: RunView, words: Words) -> Picture:
    chart = evolution_chart(result["initial_score"], [*view.history.values()], words)
    return Picture(chart=chart, says=words("chart.evolution"))


def _folds(result: RunResult, words: Words) -> list[Picture]:
    """The champion's walk-forward tests; nothing for a run of a version that did not keep them."""
    folds = result["walk_forward"].get("per_fold", ())
    return [Picture(chart=folds_chart(folds, words), says=words("chart.folds"))] if folds else []


def _holdout(record: RunRecord, result: RunResult, words: Words) -> Picture:
    chart = holdout_chart(result, words, returns=table_or_none(record.folder, RETURNS))
    return Picture(chart=chart, says=words("chart.holdout_title"))


def _written(home: Path, result: RunResult, view: RunView, words: Words) -> dict[str, list[Picture]]:
    """Each function that was written and kept: an indicator below the last prices, a strategy's trades.

    Of a pool none: it reads each part.
    """
    prices = development_of(Dataset.model_validate(result["dataset"]), home)
    found: dict[str, list[Picture]] = {}
    for name, trial in brought(view).items():
        if trial.state != "adopted" or not isinstance(prices, pd.DataFrame):
            continue
        spec = StrategySpec.model_validate(view.tested[trial.iteration][trial.number]["spec"])
        drawn = [one for one in strategy_indicators(prices, spec) if one.label.startswith(f"{name}(")]
        trades = None
        if not drawn:
            told = (result["settings"], result["dataset"], words)
            trades = tested_champion(prices, spec.model_dump(mode="json"), *told).trades
        shown = prices.iloc[-LAST_BARS:]
        chart = price_chart(
            shown,
            words,
            indicators=drawn,
            trades=trades,
            about=words("chart.last_bars", count=len(shown)),
        )
        says = words(f"explain.code.picture{'' if drawn else '_strategy'}", name=name)
        found[f"{SECTION}{name}"] = [Picture(chart=chart, says=says)]
    return found


def _market_pictures(home: Path, result: RunResult, words: Words) -> list[Picture] | None:
    """Equity and the last trades of the champion on development prices; None where those are gone."""
    try:
        prices = development_of(Dataset.model_validate(result["dataset"]), home)
    except MarketError as error:
        if error.code not in _LOST:
            raise
        return None
    champion = tested_champion(
        prices, result["champion"]["strategy"], result["settings"], result["dataset"], words
    )
    return [
        Picture(chart=champion.equity(words), says=words("chart.equity")),
        Picture(chart=champion.last(words), says=words("chart.price")),
    ]


class _Summary(BaseModel):
    """What a summary holds at least, whichever version wrote it."""

    regime: str
    risk_level: str
    outlook_days_7: str
    outlook_days_30: str


_OBJECT = TypeAdapter(dict[str, Any])
_LEAST: dict[str, TypeAdapter[Any]] = {SUMMARY: TypeAdapter(_Summary), TRACE: _OBJECT}


def hour_document(home: Path, hour: datetime | None, words: Words, *, drawn: bool = True) -> Document:
    """The report of a published summary.

    Args:
        home: the data folder.
        hour: of the summary; the newest if None.
        words: language of the report; the summary stays as it was published.
        drawn: with charts; Markdown needs none.

    Raises:
        ReportError: `no_summaries`, `no_summary` or `unreadable_record`.
    """
    hours, words = published_hours(home), replace(words, face="report")
    if not hours:
        raise ReportError("no_summaries", home=str(home))
    published = read_published(home, hour or hours[-1], words)
    with as_recorded(hour_folder(home, published.hour)):
        return _hour_document(home, hours, published, words, drawn)


def _hour_document(
    home: Path, hours: Sequence[datetime], published: Published, words: Words, drawn: bool
) -> Document:
    if not drawn:
        return summary_document(published, words)
    before = [one for one in hours if one <= published.hour][-_HOURS_SHOWN:]
    told = [{**read_published(home, one, words).summary, "hour": one.isoformat()} for one in before]
    pictures = []
    if len(told) > 1:
        pictures.append(Picture(chart=outlook_chart(told, words), says=words("chart.outlook")))
    return summary_document(published, words, pictures=pictures)


def read_published(home: Path, hour: datetime, words: Words) -> Published:
    """The summary of an hour with its trace.

    Raises:
        ReportError: `no_summary` for that hour; `unreadable_record`.
    """
    folder = hour_folder(home, hour)
    contents: dict[str, dict[str, Any]] = {}
    hashes: dict[str, str] = {}
    for name in (SUMMARY, TRACE):
        path = folder / name
        if not path.exists():
            continue
        try:
            written = read_plain(path)
            contents[name] = _OBJECT.validate_json(written)
            _LEAST[name].validate_python(contents[name])
            hashes[name] = hashlib.sha256(written).hexdigest()
        except (OSError, ValidationError) as error:
            raise ReportError("unreadable_record", path=str(path), reason=because(error)) from None
    if SUMMARY not in contents:
        raise ReportError("no_summary", hour=f"{hour:%Y-%m-%dT%H}")
    trace = contents.get(TRACE, {})
    with as_recorded(folder / TRACE):
        names = {turn["role"]: agent_name(turn["role"], words) for turn in trace.get("raw", ())}
    return Published(hour=hour, summary=contents[SUMMARY], trace=trace, hashes=hashes, names=names)
