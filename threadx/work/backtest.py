"""`threadx backtest`: one strategy on one file of prices."""

from __future__ import annotations

import json
from typing import Any

import click
import pandas as pd

from backtest import BacktestResult, GapPolicy, run_backtest
from market.counting import count_backtest
from nodes.optimization.figures import figures
from prompts import Words
from reports.tables import METRIC_ROWS, bars_per_year_lines, metric
from threadx.runner import make_context, writable
from threadx.terminal import Terminal
from threadx.work import asked
from threadx.work.written import write_json


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as plain JSON, times as ISO text."""
    return json.loads(table.to_json(orient="records", date_format="iso", date_unit="ns"))  # type: ignore[no-any-return]


def whole_result(result: BacktestResult, found: dict[str, Any], about: dict[str, Any]) -> str:
    """Figures, trades and equity as JSON text."""
    equity = result.equity
    return json.dumps(
        {
            **about,
            **found,
            "trades": _rows(result.trades),
            "equity": {
                "time": [moment.isoformat() for moment in equity.index],
                "value": result.equity_values.tolist(),
            },
        },
        ensure_ascii=False,
        sort_keys=True,
        allow_nan=False,
    )


def backtest(
    words: Words,
    data: str,
    symbol: str | None,
    timeframe: str | None,
    gaps: GapPolicy,
    fill: str | None,
    whole: bool,
    json_path: str | None,
    home: str | None,
    language: str,
    debug: bool,
    **given: Any,
) -> None:
    """A table of figures; the whole result as JSON for those who ask."""
    context = make_context(home=home, language=language, fill=fill, **asked.take_costs(given))
    spec, reading = asked.take_strategy(given), asked.take_reading(given)
    folder = writable(context.home_path)
    prices, dataset, source = asked.registered_prices(
        data,
        symbol,
        timeframe,
        gaps,
        folder,
        reading=reading,
        reader=f"backtest {spec.hash}" if whole else None,
    )
    result = run_backtest(
        prices,
        spec,
        costs=context.costs,
        fill=context.fill,
    )
    count_backtest(folder, dataset, result, prices, whole=whole)
    found = figures(spec, result)
    about = {
        "dataset": dataset.model_dump(mode="json"),
        "gaps": {"count": source.gaps, "missing_bars": source.missing_bars, "policy": source.policy},
        "part": "all" if whole else "development",
        "strategy": spec.model_dump(mode="json"),
        "settings": {**context.costs.model_dump(), "fill": context.fill},
    }
    if json_path != "-":
        part = words("command.part.all" if whole else "command.part.development")
        Terminal(words).table(
            words("command.backtest_title", symbol=dataset.symbol, timeframe=dataset.timeframe, part=part),
            [words("report.table.metric"), words("report.table.value")],
            [
                [words("report.metric.score"), words.number(found["score"])],
                *(
                    [words(f"report.metric.{name}"), metric(words, found["metrics"], name, kind)]
                    for name, kind in METRIC_ROWS
                ),
            ],
            caption=spec.describe(),
        )
        for line in bars_per_year_lines(found["bars_per_year"], words):
            click.echo(line)
        if note := asked.gap_note(source, words):
            click.echo(note)
    # Every bar as text is many times the size of the prices: made for those who ask.
    if json_path is not None:
        write_json(whole_result(result, found, about), json_path)
