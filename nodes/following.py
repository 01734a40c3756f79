"""A run's champion on bars that did not exist when it was sealed: the evidence that no search can spoil."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from backtest import StrategySpec, run_backtest
from backtest.data.inputs import Tables, tables_of
from backtest.statistics.returns import Returns, bar_returns
from backtest.validation.forward import Forward, Plan, judge_forward
from backtest.validation.trials import average_exposure, excess_returns, market_returns
from base.errors import TypedError
from nodes.context import OptimizationContext
from nodes.forking import recorded_settings
from prompts import Words
from record.errors import ReportError
from record.events import Started
from record.record import RunRecord, as_recorded, run_folder
from reports.tables import instrument_cell
from vault import seals
from vault.datasets import Dataset, find_dataset, load_development
from vault.errors import MarketError
from vault.readers.further import further_tables, join
from vault.readers.options import Reading
from vault.registered import read_any
from vault.seals import FURTHEST_ZONE, Seal, keep_seal, read_seal, sealed_runs
from vault.splits import ENOUGH_TO_COMPARE

COLUMNS = ("instrument", "bars", "own", "held", "p", "state")
"""What is told of a strategy in a list."""

_DIFFERENT_MOVES = 0.01
"""Share of common bars whose moves may differ before prices are another instrument's."""
_SAME_MOVE = 1e-3


@dataclass(frozen=True, kw_only=True)
class Following:
    """What became of a sealed strategy.

    Attributes:
        seal: what was fixed.
        forward: what the new bars say.
        first, last: ISO times of the first and last new bar that is over; None without any.
        reaches: ISO time of the last bar of the prices.
        shorter: they end before the run's did.
        left_out: bars after the run's last that opened before the seal: they existed, and prove nothing.
        total_return: of the strategy on the new bars, net of costs.
        holding_return: of holding with the sealed exposure.
        account: value after each new bar of an account that had 1 before, by time.
        holding: the same of holding with the sealed exposure.
    """

    seal: Seal
    forward: Forward
    first: str | None
    last: str | None
    reaches: str
    shorter: bool
    left_out: int
    total_return: float
    holding_return: float
    account: pd.Series
    holding: pd.Series

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "seal": self.seal.model_dump(mode="json"),
            "fingerprint": self.seal.fingerprint,
            **self.forward.to_dict(),
            "first": self.first,
            "last": self.last,
            "reaches": self.reaches,
            "left_out": self.left_out,
            "total_return": self.total_return,
            "holding_return": self.holding_return,
        }


def plan_of(seal: Seal) -> Plan:
    """How the bars will be judged, as it was sealed."""
    return Plan(exposure=seal.exposure, deviation=seal.deviation, bars_per_year=seal.bars_per_year)


def seal_run(run: str, home: Path) -> Seal:
    """Seal the champion of a finished run; the one that is there where it is sealed.

    The holdout is not read: exposure and deviation are those of the development part.

    Raises:
        ReportError: `bad_run_name`, `unknown_run`, `no_result`, `unreadable_record`; `nothing_to_follow`: it
            is no optimisation, or its champion never trades.
        MarketError: the run's prices are no longer registered; `damaged_seal`.
        OSError: the data folder cannot be written.
    """
    run_folder(home, run)  # first: it refuses what is no run's name
    if (known := read_seal(run, home)) is not None:
        return known
    record = RunRecord(home, run)
    about = record.about()
    if about["graph"] != "optimization":
        raise ReportError("nothing_to_follow", run=run)
    told = record.run_result()
    begun = record.log.told("i00.load", Started)
    if begun is None:
        raise ReportError("no_result", run=run)
    with as_recorded(record.folder):
        dataset = Dataset.model_validate(begun.dataset)
        spec = StrategySpec.model_validate(told["champion"]["strategy"])
        edge = (told.get("sight") or {}).get("edge")
        asked = about["input"]
    context = recorded_settings(record, OptimizationContext)
    prices = load_development(find_dataset(dataset.development_hash, home), home)
    result = run_backtest(prices, spec, costs=context.costs, fill=context.fill)
    deviation = float(excess_returns(result, prices["close"]).std(ddof=1))
    if not deviation > 0.0:
        raise ReportError("nothing_to_follow", run=run)
    seal = Seal(
        run=run,
        symbol=dataset.symbol,
        timeframe=dataset.timeframe,
        development_hash=dataset.development_hash,
        source=about.get("source", asked["data"]),
        gaps=asked.get("gaps", "accept"),
        reading=Reading.model_validate(asked.get("reading", {})).whole,
        inputs={name: place for name, place in asked.get("inputs", {}).items() if name in tables_of(spec)},
        last=dataset.last,
        sealed_at=seals.now().isoformat(timespec="seconds"),
        strategy=spec.model_dump(mode="json"),
        strategy_hash=spec.hash,
        costs=context.costs,
        fill=context.fill,
        exposure=average_exposure(result),
        deviation=deviation,
        bars_per_year=result.bars_per_year.value,
        expected=None if edge is None else (edge["expected"], edge["low"], edge["high"]),
    )
    return keep_seal(seal, home)


def follow_seal(
    seal: Seal, home: Path, data: pd.DataFrame | str | None = None, inputs: Tables | None = None
) -> Following:
    """Judge a sealed strategy on the bars that opened after the seal.

    Args:
        seal: what was fixed.
        home: the data folder.
        data: prices that reach further than the run's; default: where the run's came from.
        inputs: tables beside them, by name; default: where the run's came from.

    Raises:
        MarketError: the prices or a table cannot be read; `other_prices`: they are not those of the seal,
            grown; `future_bars`: they hold bars that cannot exist yet; `remote_source`.
        BacktestError: as `backtest.run_backtest`.
    """
    places = [*([seal.source] if data is None else []), *(seal.inputs.values() if inputs is None else [])]
    for place in places:
        if place.startswith(("\\\\", "//")):
            # A mere look at such a path tells its host who asks, and who sent the data folder wrote the path.
            raise MarketError("remote_source", run=seal.run, path=place)
    source = seal.source if data is None else data
    frame, _ = read_any(source, home, gaps=seal.gaps, symbol=seal.symbol, reading=seal.reading)
    spec = StrategySpec.model_validate(seal.strategy)
    if spec.inputs:
        frame = join(frame, further_tables(seal.inputs, home) if inputs is None else inputs, spec).prices
    index = pd.DatetimeIndex(frame.index)
    _require_same(frame["close"], seal, home)
    # Of times without a zone only those count that are after the seal, and before now, on every clock.
    margin = FURTHEST_ZONE if index.tz is None else pd.Timedelta(0)
    sealed_at, today = (_on_clock(pd.Timestamp(one), index) for one in (seal.sealed_at, seals.now()))
    if (later := index[index > today + margin]).size:
        raise MarketError("future_bars", symbol=seal.symbol, first=later[0].isoformat(), count=later.size)
    known = _on_clock(pd.Timestamp(seal.last), index)
    # The last bar counts when the next is there: it may still grow, and what is open is closed on it.
    new = index[(index >= sealed_at + margin) & (index > known)][:-1]
    left_out = int(((index > known) & (index < sealed_at + margin)).sum())
    file = {"reaches": index[-1].isoformat(), "shorter": bool(index[-1] < known), "left_out": left_out}
    if not len(new):
        nothing = pd.Series(dtype=np.float64, index=new)
        return _following(seal, np.empty(0), nothing, nothing, **file)
    result = run_backtest(
        frame,
        spec,
        costs=seal.costs,
        fill=seal.fill,
        periods_per_year=seal.bars_per_year,
        trade_from=new[0].isoformat(),
    )
    own = bar_returns(result.equity_values, result.initial_capital)[:-1]
    held = seal.exposure * market_returns(result, frame["close"])[:-1]
    account = pd.Series(np.cumprod(1.0 + own), index=new)
    return _following(seal, own - held, account, pd.Series(np.cumprod(1.0 + held), index=new), **file)


def follow_all(home: Path) -> list[tuple[str, Following | TypedError]]:
    """Every sealed strategy by its run's name, on the prices where that run's came from; or why not."""
    found: list[tuple[str, Following | TypedError]] = []
    for run in sealed_runs(home):
        try:
            found.append((run, follow_seal(seal_run(run, home), home)))
        except TypedError as error:
            found.append((run, error))
    return found


def _following(seal: Seal, excess: Returns, account: pd.Series, holding: pd.Series, **file: Any) -> Following:
    index = pd.DatetimeIndex(account.index)
    return Following(
        seal=seal,
        forward=judge_forward(excess, plan_of(seal)),
        first=index[0].isoformat() if len(index) else None,
        last=index[-1].isoformat() if len(index) else None,
        **file,
        total_return=float(account.iloc[-1]) - 1.0 if len(index) else 0.0,
        holding_return=float(holding.iloc[-1]) - 1.0 if len(index) else 0.0,
        account=account,
        holding=holding,
    )


def _on_clock(moment: pd.Timestamp, index: pd.DatetimeIndex) -> pd.Timestamp:
    """A moment as the prices tell times; UTC where one of the two has no zone."""
    if index.tz is None:
        return moment if moment.tzinfo is None else moment.tz_convert("UTC").tz_localize(None)
    return (
        moment.tz_localize("UTC").tz_convert(index.tz)
        if moment.tzinfo is None
        else moment.tz_convert(index.tz)
    )


def _require_same(closes: pd.Series, seal: Seal, home: Path) -> None:
    """Refuse prices that moved otherwise than those the strategy was found on, where both have bars.

    Moves and not prices: a dividend or a split scales all prices before it.
    """
    seen = load_development(find_dataset(seal.development_hash, home), home)["close"]
    alike = (pd.DatetimeIndex(seen.index).tz is None) == (pd.DatetimeIndex(closes.index).tz is None)
    common = seen.index.intersection(closes.index) if alike else seen.index[:0]
    moves = [one.loc[common].pct_change().to_numpy()[1:] for one in (seen, closes)]
    differing = int((np.abs(moves[0] - moves[1]) > _SAME_MOVE).sum())
    if len(common) < ENOUGH_TO_COMPARE or differing > _DIFFERENT_MOVES * len(common):
        raise MarketError("other_prices", run=seal.run, symbol=seal.symbol)


def cells(found: Following | TypedError, words: Words) -> list[str]:
    """A row of `COLUMNS`, as people read it; of what cannot be judged only why."""
    if isinstance(found, TypedError):
        return [*[""] * (len(COLUMNS) - 1), words.told(found)]
    forward = found.forward
    return [
        f"{instrument_cell(found.seal.symbol, words)} {found.seal.timeframe}",
        words.number(forward.bars),
        words.percent(found.total_return, signed=True),
        words.percent(found.holding_return, signed=True),
        p_value(found, words),
        words(f"follow.outcome.{forward.outcome}"),
    ]


def p_value(found: Following, words: Words) -> str:
    """The p-value; never "0.0 %"."""
    value = found.forward.p_value
    return words.percent(value) if value >= 0.001 else f"< {words.percent(0.001)}"
