"""`threadx backtest`: one strategy on one file of prices; `threadx.work.together` has several."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from backtest import GapPolicy, run_backtest
from backtest.data.inputs import with_inputs
from nodes.optimization.evidence.figures import figures
from prompts import Words
from reports.pictures import picture_suffix
from threadx.backtested import Backtest
from threadx.defaults import STRATEGY
from threadx.plain import say
from threadx.pool import instruments_of
from threadx.settings import make_context
from threadx.terminal import Terminal
from threadx.work import asked
from threadx.work.further import take_further
from threadx.work.together import Asked, several, take_allocation
from threadx.work.written import plain_rows, write_drawing, write_json
from threadx.writable import writable
from vault.counted import count_backtest


def whole_result(result: Backtest, found: Mapping[str, Any], about: dict[str, Any]) -> str:
    """Figures, card, trades and equity as JSON text."""
    equity = result.equity
    return json.dumps(
        {
            **about,
            **found,
            "card": result.card.to_dict(),
            "trades": plain_rows(result.trades),
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
    data: tuple[str, ...],
    symbol: str | None,
    timeframe: str | None,
    gaps: GapPolicy,
    fill: str | None,
    capital: float,
    picture_path: str | None,
    whole: bool,
    json_path: str | None,
    home: str | None,
    language: str,
    debug: bool,
    **given: Any,
) -> None:
    """A card; a picture, and the whole result as JSON, for those who ask."""
    context = make_context(home=home, language=language, fill=fill, **asked.take_costs(given))
    instruments, how = instruments_of(data), take_allocation(given, STRATEGY)
    further = take_further(given, context.home_path)
    spec, reading = asked.take_strategy(given, further), asked.take_reading(given)
    if picture_path is not None:  # what cannot be drawn is said before the work, not after
        picture_suffix(picture_path)
    folder = writable(context.home_path)
    if how.weights is not None or len(instruments) > 1:
        known = {"symbol": symbol, "timeframe": timeframe, "gaps": gaps}
        terms = (context.costs, context.fill, capital, reading, known, whole, picture_path, json_path)
        return several(words, Asked(folder, instruments, *terms), spec, further, how)
    (named, reference) = instruments[0]
    prices, dataset, source = asked.registered_prices(
        str(reference),
        symbol or named,
        timeframe,
        gaps,
        folder,
        reading=reading,
        reader=f"backtest {spec.hash}" if whole else None,
    )
    prices = with_inputs(prices, further.tables, spec)
    engine = run_backtest(prices, spec, costs=context.costs, fill=context.fill, initial_capital=capital)
    terminal = Terminal(words)
    terminal.home(folder)
    count_backtest(folder, dataset, engine, prices, whole=whole)
    result = Backtest.of(engine, prices, dataset, whole=whole)
    if json_path != "-":
        notes = asked.price_notes(source, words) + asked.ended_notes(prices, further.tables, spec, words)
        for line in notes + asked.code_notes(spec, words):  # first: they change how the card is read
            say(line)
        terminal.card(result.told(words, terminal.cells))
    if picture_path is not None:
        write_drawing(result.chart(words), picture_path)
        if json_path != "-":
            say(words("command.written", folder=picture_path))
    # Every bar as text is many times the size of the prices: made for those who ask.
    if json_path is not None:
        about = {
            "dataset": dataset.model_dump(mode="json"),
            "gaps": {"count": source.gaps, "missing_bars": source.missing_bars, "policy": source.policy},
            "reading": {"options": reading.model_dump(mode="json"), "notices": source.told()},
            "part": "all" if whole else "development",
            "strategy": spec.model_dump(mode="json"),
            "settings": {**context.costs.model_dump(), "fill": context.fill, "initial_capital": capital},
        }
        write_json(whole_result(result, figures(spec, result, prices["close"]), about), json_path)
