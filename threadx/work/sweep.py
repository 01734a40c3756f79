"""`threadx sweep`: every combination of a grid on one file of prices; `sweep_together` has several."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from backtest import GapPolicy, RequestError, StrategyError, sweep_to_parquet
from backtest.data.inputs import with_inputs
from backtest.engine.engines import Engine, chosen, missing
from backtest.engine.sweep import MOST_CONFIGURATIONS, grid_axes
from backtest.strategy import SIDE_AXIS
from backtest.types import LADDERS, plain
from base.reasons import because
from nodes.counted import sweep_path
from nodes.model_settings import provider_settings
from prompts import Words
from providers.ollama import unload
from reports.pictures import picture_suffix
from reports.tables import bars_per_year_lines
from threadx.errors import ThreadxError
from threadx.plain import say
from threadx.pool import instruments_of
from threadx.settings import make_context
from threadx.terminal import Terminal
from threadx.work import asked
from threadx.work.further import take_further
from threadx.work.progress import bar
from threadx.work.sweep_together import Sweep, sweep_together
from threadx.work.swept import figures_told, show
from threadx.work.written import write_drawing, write_json
from threadx.writable import writable
from vault.counted import count_sweep


def grid_values(text: str) -> tuple[str, Any]:
    """`fast_period=3:31`, `slow_period=20:201:5` (end excluded, as in Python), `adx=20,25,none`, `side=long`.

    Tables are parted by semicolons: `roi=none;0:4,20:2`.

    Raises:
        ThreadxError: `bad_grid`.
        RequestError: `grid_too_large`.
    """
    name, equals, words = text.partition("=")
    try:
        if not equals or not name.strip():
            raise ValueError(text)
        if name.strip().lower() == SIDE_AXIS:
            return SIDE_AXIS, [one.strip().lower() for one in words.split(",")]
        if name.strip().lower() in LADDERS:
            return name.strip(), [None if one.strip() in ("none", "off") else one for one in words.split(";")]
        if ":" not in words:
            return name.strip(), [
                None if one.strip().lower() in ("none", "off") else plain(float(one))
                for one in words.split(",")
            ]
        start, stop, step = (*(plain(float(one)) for one in words.split(":")), 1)[:3]
        if words.count(":") > 2 or not step > 0:
            raise ValueError(text)
    except (ValueError, OverflowError):
        raise ThreadxError("bad_grid", grid=text) from None
    many = (stop - start) / step - 1e-9
    count = max(0, math.ceil(many) if math.isfinite(many) else MOST_CONFIGURATIONS + 1)
    if count > MOST_CONFIGURATIONS:
        raise RequestError("grid_too_large", count=count, limit=MOST_CONFIGURATIONS)
    if all(isinstance(one, int) for one in (start, stop, step)):
        return name.strip(), range(int(start), int(stop), int(step))
    # Ten digits: 0.1 + 2 × 0.1 is to be 0.3 for whoever reads the table.
    return name.strip(), [round(start + step * place, 10) for place in range(count)]


def all_values(grids: tuple[str, ...]) -> dict[str, Any]:
    """Every `--grid`, by name.

    Raises:
        ThreadxError: `bad_grid`.
        RequestError: `grid_too_large`.
        StrategyError: `repeated_name`: which of two grids is meant?
    """
    found: dict[str, Any] = {}
    for text in grids:
        name, values = grid_values(text)
        if name.lower() in found:
            raise StrategyError("repeated_name", name=name)
        found[name.lower()] = values
    return found


def sweep(
    words: Words,
    data: tuple[str, ...],
    symbol: str | None,
    timeframe: str | None,
    gaps: GapPolicy,
    fill: str | None,
    grids: tuple[str, ...],
    out: str | None,
    rank_by: str,
    top: int,
    picture_path: str | None,
    picture_axes: str | None,
    whole: bool,
    json_path: str | None,
    free_models: bool,
    home: str | None,
    language: str,
    debug: bool,
    **given: Any,
) -> None:
    """The best configurations as a table, all of them in a Parquet file."""
    context = make_context(home=home, language=language, fill=fill, **asked.take_costs(given))
    engine = asked.take_engine(given) or chosen()
    if (absent := missing(engine)) is not None:
        engine = Engine()
    further = take_further(given, context.home_path)
    spec, reading = asked.take_strategy(given, further), asked.take_reading(given)
    grid = grid_axes(spec, all_values(grids))
    if picture_path is not None:  # what cannot be drawn is said before the work, not after
        picture_suffix(picture_path)
        from reports.charts.sweep import axes_to_draw  # noqa: PLC0415  # the drawing library takes 0.7 s that only a drawing has

        wished = [one.strip().lower() for one in picture_axes.split(",")] if picture_axes else []
        axes = axes_to_draw(grid, wished)
    instruments, folder = instruments_of(data), writable(context.home_path)
    if absent is not None:
        say(words.told(absent), err=True)
    if free_models:
        names = ", ".join(unload(provider_settings(context)))
        freed = words("command.models_freed", names=names) if names else words("command.no_models_freed")
        say(freed, err=True)
    if len(instruments) > 1:
        known = {"symbol": symbol, "timeframe": timeframe, "gaps": gaps}
        wanted = Sweep(
            home=folder,
            instruments=instruments,
            spec=spec,
            grid=grid,
            costs=context.costs,
            fill=context.fill,
            reading=reading,
            known=known,
            whole=whole,
            out=out,
            rank_by=rank_by,
            top=top,
            picture_path=picture_path,
            picture_axes=axes if picture_path else [],
            json_path=json_path,
        )
        return sweep_together(words, wanted, further, engine)
    (named, reference) = instruments[0]
    prices, dataset, source = asked.registered_prices(
        str(reference),
        symbol or named,
        timeframe,
        gaps,
        folder,
        reading=reading,
        reader=f"sweep {spec.hash}" if whole else None,
    )
    prices = with_inputs(prices, further.tables, spec)
    path = (
        Path(out)
        if out
        else sweep_path(folder, dataset, prices, spec, grid, context.costs, context.fill, whole=whole)
    )
    terminal = Terminal(words)
    unsaid = [folder]  # told with the first step, so that bad input gets one line alone
    try:
        with bar(terminal, "command.sweep_working", "command.sweep_progress") as progress:

            def step(done: int, total: int) -> None:
                while unsaid:
                    terminal.home(unsaid.pop())
                progress(done, total)

            found = sweep_to_parquet(
                prices,
                spec,
                grid,
                path,
                context.costs,
                context.fill,
                rank_by=rank_by,
                top=top,
                progress=step,
                engine=engine,
            )
    except KeyboardInterrupt:
        say(words("command.sweep_interrupted", folder=f"{path}.parts"), err=True)
        raise SystemExit(130) from None
    except OSError as error:
        raise ThreadxError("unwritable_file", path=str(path), reason=because(error)) from None
    count_sweep(folder, dataset, prices, spec, grid, context.costs, context.fill, found, whole=whole)
    part = words("command.part.all" if whole else "command.part.development")
    title = words("command.backtest_title", symbol=dataset.symbol, timeframe=dataset.timeframe, part=part)
    if json_path != "-":
        notes = asked.price_notes(source, words) + asked.ended_notes(prices, further.tables, spec, words)
        notes += asked.code_notes(spec, words)
        for line in notes:  # first: they change how the figures are read
            say(line)
        dropped = sum(found.dropped_by.values())
        show(terminal, found, list(grid), title, spec.describe(without=grid), dropped)
        for line in bars_per_year_lines(found.bars_per_year.to_dict(), words):
            say(line)
    if picture_path is not None:
        from reports.charts.sweep import sweep_cells, sweep_chart  # noqa: PLC0415

        cells = sweep_cells(found.path, grid, axes, rank_by)
        write_drawing(sweep_chart(cells, words, about=f"{title} · {spec.name}"), picture_path)
        if json_path != "-":
            say(words("command.written", folder=picture_path))
    told = {
        "dataset": dataset.model_dump(mode="json"),
        "gaps": {"count": source.gaps, "missing_bars": source.missing_bars, "policy": source.policy},
        "reading": {"options": reading.model_dump(mode="json"), "notices": source.told()},
        "part": "all" if whole else "development",
        "strategy": spec.model_dump(mode="json"),
        "settings": {**context.costs.model_dump(), "fill": context.fill},
        "dropped_by": found.dropped_by,
        **figures_told(found, grid, rank_by),
    }
    write_json(json.dumps(told, ensure_ascii=False, sort_keys=True, indent=2, allow_nan=False), json_path)
