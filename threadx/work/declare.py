"""`threadx declare`: one hypothesis about a market, before anybody looks at it."""

from __future__ import annotations

from typing import Any

from backtest import GapPolicy
from prompts import Words
from record.record import canonical_json
from threadx.settings import make_context
from threadx.terminal import Terminal
from threadx.work import asked
from threadx.work.written import write_json
from threadx.writable import writable
from vault import declared
from vault.declared import Direction


def declare(
    words: Words,
    data: str,
    symbol: str | None,
    timeframe: str | None,
    gaps: GapPolicy,
    fill: str | None,
    text: str,
    direction: Direction,
    json_path: str | None,
    home: str | None,
    language: str,
    debug: bool,
    **given: Any,
) -> None:
    """Seal it; nothing is tested until the market is judged."""
    context = make_context(home=home, language=language, fill=fill, **asked.take_costs(given))
    spec, reading = asked.take_strategy(given), declared.whole_market(asked.take_reading(given))
    folder = writable(context.home_path)
    _, dataset, source = asked.registered_prices(
        data, symbol, timeframe, gaps, folder, reading=reading, reader=None
    )
    found = declared.declare(
        dataset,
        folder,
        text=text,
        strategy=spec,
        direction=direction,
        costs=context.costs,
        fill=context.fill,
        declared_by="person",
    )
    if json_path != "-":
        terminal = Terminal(words)
        for line in asked.price_notes(source, words):
            terminal.line(line)
        names = {"symbol": dataset.symbol, "timeframe": dataset.timeframe}
        terminal.line(
            words("command.declared", strategy=spec.describe(), fingerprint=found.fingerprint, **names)
        )
    write_json(canonical_json({**found.model_dump(mode="json"), "fingerprint": found.fingerprint}), json_path)
