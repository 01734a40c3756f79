"""What goes into the engine beside prices and strategy, and what comes out of it in plain numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal, Self, get_args

from pydantic import (
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from backtest.errors import RequestError, StrategyError
from base.labels import shown
from base.numbers import Numeric
from base.reasons import shape, told_known

CONDITIONS = ("entry_long", "exit_long", "entry_short", "exit_short")
ENTRY_LEVELS = ("entry_limit_long", "entry_stop_long", "entry_limit_short", "entry_stop_short")
EXIT_LEVELS = ("exit_stop_long", "exit_limit_long", "exit_stop_short", "exit_limit_short")
LEVELS = (*ENTRY_LEVELS, *EXIT_LEVELS)
"""Prices of orders, in the order of `backtest.kernels.orders.Levels`."""
CANCELS = ("cancel_long", "cancel_short")
PLACES = (*CONDITIONS, *ENTRY_LEVELS, *CANCELS, *EXIT_LEVELS)
"""What a strategy says in the strategy language."""

Fill = Literal["next_open", "close"]
FILLS: tuple[Fill, ...] = get_args(Fill)

Every = Literal["day", "week", "month", "quarter", "change"]
EVERY: tuple[Every, ...] = get_args(Every)
"""When target weights are traded: at the first row of a period, or where they change."""

GapPolicy = Literal["accept", "fill", "refuse"]
GAP_POLICIES: tuple[GapPolicy, ...] = get_args(GapPolicy)


@dataclass(frozen=True, kw_only=True, slots=True)
class Bounds:
    """Where a number may lie, and the step in which the field usually moves it.

    Attributes:
        low: smallest value allowed.
        high: largest value allowed.
        step: a sensible step of a search.
        integer: whole numbers only.
        default: the value when none is given; None means off.
    """

    low: float
    high: float
    step: float
    integer: bool
    default: float | None = None

    def check(self, name: str, value: float) -> float:
        """The value, as an int where it is whole.

        Raises:
            StrategyError: `parameter_not_finite`, `parameter_not_whole` or `parameter_out_of_bounds`.
        """
        value = held(value)
        if not math.isfinite(value):
            raise StrategyError("parameter_not_finite", name=name, low=plain(self.low), high=plain(self.high))
        value = plain(value)
        if not self.low <= value <= self.high:
            raise StrategyError(
                "parameter_out_of_bounds",
                name=name,
                value=value,
                low=plain(self.low),
                high=plain(self.high),
            )
        if self.integer and value != int(value):
            raise StrategyError("parameter_not_whole", name=name, value=value)
        return value


def held(value: float) -> float:
    """The number itself, or infinity where it is a whole one that no float holds."""
    try:
        math.isfinite(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf
    return value


def plain(value: float) -> float:
    """A number as it is written: to 12 significant digits, nothing below 1e-15, whole ones as int.

    What arithmetic makes of 0.3 (`np.arange` gives 0.30000000000000004) so prints, hashes and trades as 0.3.
    """
    if value != int(value):
        value = 0.0 if abs(value) < 1e-15 else float(f"{value:.12g}")
    return int(value) if value == int(value) else float(value)


def _plainly(value: Any) -> Any:
    """`plain` of what is a float, anything else as it is."""
    return plain(value) if isinstance(value, float) and math.isfinite(value) else value


class Strict(Numeric):
    """A frozen model whose every refusal is a StrategyError, never pydantic's own."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="wrap")
    @classmethod
    def _typed_errors(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return handler(value)
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(str(part) for part in first["loc"]) or cls.__name__
            if first["type"] == "extra_forbidden":
                raise StrategyError(
                    "unknown_field", name=name, known=told_known(name, cls.model_fields)
                ) from None
            if first["type"] == "missing":
                raise StrategyError("missing_field", name=name) from None
            raise StrategyError(
                "bad_field", name=name, value=shown(first["input"]), reason=shape(first)
            ) from None


InputKind = Literal["price", "move", "share", "size", "none"]
Known = Literal["next_day", "close", "stamp"]


class Input(Strict):
    """A further series of a strategy, as it declares it.

    Attributes:
        kind: what becomes of it where prices are turned upside down: a `price` is reflected as they are, a
            `move` (a signal, a funding rate) changes its sign, a `share` (of 0 to 100) becomes 100 less
            itself, a `size` (a volume, an open interest) stays; `none` has no mirror image.
        unit: what it is measured in, for people.
        known: from when on a value is known. Of rows that lie a day or more apart: `next_day`, from the first
            bar that begins when its day (week, month) is over; `close`, on the bar that closes with it. Of
            any rows: `stamp`, at their very times, where these tell when something was published.
    """

    kind: InputKind = "none"
    unit: Annotated[str, Field(max_length=40)] = ""
    known: Known = "next_day"


COST_BOUNDS: dict[str, Bounds] = {
    "fee_bps": Bounds(low=0.0, high=1_000.0, step=1.0, integer=False, default=0.0),
    "fee_fixed": Bounds(low=0.0, high=1e9, step=1.0, integer=False, default=0.0),
    "slippage_bps": Bounds(low=0.0, high=1_000.0, step=1.0, integer=False, default=0.0),
    "slippage_atr": Bounds(low=0.0, high=5.0, step=0.01, integer=False, default=0.0),
    "spread_bps": Bounds(low=0.0, high=2_000.0, step=1.0, integer=False, default=0.0),
    "borrow_bps_per_bar": Bounds(low=-100.0, high=100.0, step=0.1, integer=False, default=0.0),
    "interest_pct_per_year": Bounds(low=0.0, high=200.0, step=0.5, integer=False, default=0.0),
    "funding_bps_per_8h": Bounds(low=-100.0, high=100.0, step=0.1, integer=False, default=0.0),
    "maintenance_margin_pct": Bounds(low=0.0, high=50.0, step=0.5, integer=False, default=0.0),
}
SLIPPAGE_ATR_PERIOD = 14


# Nobody has costs so small: who writes 0.001 basis points means the fraction 0.001, which is 10 of them.
_FRACTIONS_OF = {
    "fee_bps": 10_000,
    "slippage_bps": 10_000,
    "spread_bps": 10_000,
    "maintenance_margin_pct": 100,
}
_LEAST_LIKELY = 0.01


class Costs(Strict):
    """What trading costs; basis points where the name says so (1 bps = 0.01 %).

    Prices are taken as the middle between bid and ask: levels are touched by the middle, fills pay for the
    way to their side of it.

    Attributes:
        fee_bps: of the notional, at each fill.
        fee_fixed: in the currency of the prices, at each fill.
        slippage_bps: by which each fill's price moves against the trade.
        slippage_atr: the same in average true ranges (14 bars, Wilder) of the last bar completed before the
            fill; no position is opened before there is one.
        spread_bps: between bid and ask; each fill pays half of it.
        borrow_bps_per_bar: of a short's market value, paid at the close of each bar it is exposed to and
            survives, as the two that follow: the fee for borrowed shares; negative is received. Where holding
            a position takes all the account is worth, it is liquidated at that close.
        interest_pct_per_year: percent a year of the cash that a long of more than the account's own money has
            borrowed, spread evenly over the bars of a year and added to the debt.
        funding_bps_per_8h: of a position's market value, each eight hours, paid by longs to shorts as on
            perpetual futures, spread evenly over the bars; negative is paid by shorts to longs. A column
            `funding_rate` of the prices (fractions, due during the bar, empty for none) is paid on top of it.
        maintenance_margin_pct: share of a position's market value that the account must keep; below it the
            position is liquidated. 0 liquidates where the account is lost.
    """

    fee_bps: Annotated[
        float, Field(title="Fee (bps)", description="Basis points of notional, each side.")
    ] = 0.0
    fee_fixed: Annotated[
        float, Field(title="Fixed fee", description="In the currency of the prices, each side.")
    ] = 0.0
    slippage_bps: Annotated[
        float, Field(title="Slippage (bps)", description="Price moved against each fill, basis points.")
    ] = 0.0
    slippage_atr: Annotated[
        float, Field(title="Slippage (ATR)", description="Price moved against each fill, share of the ATR.")
    ] = 0.0
    spread_bps: Annotated[
        float, Field(title="Spread (bps)", description="Between bid and ask; each fill pays half of it.")
    ] = 0.0
    borrow_bps_per_bar: Annotated[
        float, Field(title="Borrowing (bps a bar)", description="Of a short's value, each bar it is held.")
    ] = 0.0
    interest_pct_per_year: Annotated[
        float,
        Field(title="Margin interest (% a year)", description="Of the cash that a leveraged long borrows."),
    ] = 0.0
    funding_bps_per_8h: Annotated[
        float,
        Field(
            title="Funding (bps per 8 hours)",
            description="Of a position's value; longs pay it to shorts, negative the other way round.",
        ),
    ] = 0.0
    maintenance_margin_pct: Annotated[
        float,
        Field(title="Maintenance margin (%)", description="Of a position's value; below it: liquidation."),
    ] = 0.0

    @model_validator(mode="before")
    @classmethod
    def _as_written(cls, value: Any) -> Any:
        return {name: _plainly(one) for name, one in value.items()} if isinstance(value, dict) else value

    @model_validator(mode="after")
    def _check(self) -> Self:
        for name, bounds in COST_BOUNDS.items():
            value = bounds.check(name, getattr(self, name))
            if name in _FRACTIONS_OF and 0.0 < value < _LEAST_LIKELY:
                meant = value * _FRACTIONS_OF[name]
                raise StrategyError("fraction_likely", name=name, value=value, meant=meant)
        return self


COST_NAMES = tuple(Costs.model_fields)

RISK_BOUNDS: dict[str, Bounds] = {
    "stop_loss_pct": Bounds(low=0.1, high=50.0, step=0.5, integer=False),
    "take_profit_pct": Bounds(low=0.1, high=500.0, step=0.5, integer=False),
    "trailing_stop_pct": Bounds(low=0.1, high=50.0, step=0.5, integer=False),
    "stop_loss_atr": Bounds(low=0.1, high=20.0, step=0.25, integer=False),
    "take_profit_atr": Bounds(low=0.1, high=50.0, step=0.25, integer=False),
    "trailing_stop_atr": Bounds(low=0.1, high=20.0, step=0.25, integer=False),
    "atr_period": Bounds(low=1, high=200, step=1, integer=True, default=14),
    "max_bars": Bounds(low=1, high=100_000, step=5, integer=True),
    "break_even_pct": Bounds(low=0.1, high=100.0, step=0.5, integer=False),
    "cooldown_bars": Bounds(low=1, high=100_000, step=1, integer=True),
    "exit_after_bars": Bounds(low=1, high=100_000, step=1, integer=True),
    "exit_above_pct": Bounds(low=-90.0, high=500.0, step=0.5, integer=False),
    "exit_below_pct": Bounds(low=-90.0, high=500.0, step=0.5, integer=False),
    "order_bars": Bounds(low=1, high=100_000, step=1, integer=True),
}
LADDERS: dict[str, tuple[Bounds, Bounds]] = {
    "roi": (
        Bounds(low=0, high=100_000, step=1, integer=True),
        Bounds(low=-90.0, high=500.0, step=0.5, integer=False),
    ),
    "scale_out": (
        Bounds(low=0.1, high=500.0, step=0.5, integer=False),
        Bounds(low=0.1, high=100.0, step=5.0, integer=False),
    ),
}
"""Settings that are tables, and where either of their columns may lie."""
MOST_RUNGS = 20


def rungs(ladder: str | None) -> list[tuple[float, float]]:
    """The rows of a setting that is a table."""
    pairs = (pair.split(":") for pair in ladder.split(",")) if ladder else ()
    return [(float(first), float(second)) for first, second in pairs]


def _ladder(name: str, value: Any) -> str | None:
    """A table as it is written: `0:4,10:2` of `{0: 4, 10: 2}`, of a text in any spacing, or of pairs.

    Raises:
        StrategyError: `bad_ladder`, a value out of bounds, `too_many_rungs`, `parts_beyond_all`.
    """
    pairs = value
    if isinstance(value, str):
        pairs = [part.split(":") for part in value.strip(" {}").split(",")]
    found: dict[float, float] = {}
    try:
        for first, second in pairs.items() if isinstance(pairs, Mapping) else pairs:
            keys = [float(str(one).strip(" \"'")) for one in (first, second)]
            key, rung = (bounds.check(name, one) for bounds, one in zip(LADDERS[name], keys, strict=True))
            if key in found:
                raise ValueError
            found[key] = rung
    except (TypeError, ValueError):
        raise StrategyError("bad_ladder", name=name, value=shown(value)) from None
    if len(found) > MOST_RUNGS:
        raise StrategyError("too_many_rungs", name=name, limit=MOST_RUNGS)
    if name == "scale_out" and sum(found.values()) > 100.0 + 1e-9:
        raise StrategyError("parts_beyond_all", name=name, total=plain(sum(found.values())))
    return ",".join(f"{key}:{found[key]}" for key in sorted(found)) or None


class Settings(Strict):
    """Named settings of which None is off, and where each may lie."""

    bounds: ClassVar[Mapping[str, Bounds]]

    @model_validator(mode="before")
    @classmethod
    def _none_is_absent(cls, value: Any) -> Any:
        if isinstance(value, dict):
            return {name: _plainly(setting) for name, setting in value.items() if setting is not None}
        return value

    @model_validator(mode="after")
    def _check(self) -> Self:
        for name, bounds in self.bounds.items():
            value = getattr(self, name)
            if value is None:
                continue
            if value == 0 and bounds.low > 0:
                raise StrategyError("zero_is_not_off", name=name)
            bounds.check(name, value)
        return self

    def over(self, chosen: Mapping[str, Any]) -> Self:
        """These settings, with those of a configuration in place of them."""
        return type(self)(**{name: chosen.get(name, value) for name, value in self.model_dump().items()})


class Risk(Settings):
    """When a position is closed whatever the signals say, and when none is opened.

    None is off; percent values are in percent (2.0 = 2 %).

    Attributes:
        stop_loss_pct: distance of the stop from the fill price.
        take_profit_pct: distance of the target from the fill price.
        trailing_stop_pct: distance from the highest high (lowest low) of the completed bars.
        stop_loss_atr: as `stop_loss_pct`, in average true ranges of the signal's bar.
        take_profit_atr: as `take_profit_pct`, in average true ranges.
        trailing_stop_atr: as `trailing_stop_pct`, in average true ranges.
        atr_period: of the three above.
        max_bars: bars a position may be held.
        break_even_pct: once a completed bar's high (low for a short) is that far beyond the fill price, the
            stop is at the fill price.
        cooldown_bars: bars after an exit, its own included, whose signals open nothing.
        exit_after_bars: bars a position was held before its exit condition is heard; an opposite entry and
            levels always are.
        exit_above_pct: the exit condition is heard only at closes so far beyond the fill price in the
            position's favour; negative is against it.
        exit_below_pct: the exit condition is heard only at closes not further in the position's favour; -2
            hears it at a loss of 2 % or more.
        order_bars: bars that an entry order at a level waits to be filled; needs a level.
        roi: targets by age, `{bars: percent}`: from so many bars after the entry on, a profit of so many
            percent of the fill price is a target; `{0: 4, 20: 2, 60: 0}`, written `0:4,20:2,60:0`.
        scale_out: targets in parts, `{percent: share}`: at a profit of so many percent of the fill price that
            share of the position, in percent of all that was bought, is closed; the rest goes on.
    """

    bounds: ClassVar[Mapping[str, Bounds]] = RISK_BOUNDS

    stop_loss_pct: float | None = None
    take_profit_pct: float | None = None
    trailing_stop_pct: float | None = None
    stop_loss_atr: float | None = None
    take_profit_atr: float | None = None
    trailing_stop_atr: float | None = None
    atr_period: int = 14
    max_bars: int | None = None
    break_even_pct: float | None = None
    cooldown_bars: int | None = None
    exit_after_bars: int | None = None
    exit_above_pct: float | None = None
    exit_below_pct: float | None = None
    order_bars: int | None = None
    roi: str | None = None
    scale_out: str | None = None

    @field_validator(*LADDERS, mode="before")
    @classmethod
    def _as_ladder(cls, value: Any, about: ValidationInfo) -> str | None:
        return None if value is None else _ladder(str(about.field_name), value)

    @property
    def needs_atr(self) -> bool:
        """Whether any level is measured in average true ranges."""
        return (self.stop_loss_atr, self.take_profit_atr, self.trailing_stop_atr) != (None, None, None)

    @property
    def has_stop(self) -> bool:
        """Whether a position has a stop from the start."""
        return any(getattr(self, name) is not None for name in STOPS)

    def active(self) -> dict[str, float | str]:
        """The settings that have an effect, whole numbers as int: equal for equal behaviour."""
        found: dict[str, float | str] = {
            name: plain(value)
            for name in RISK_BOUNDS
            if (value := getattr(self, name)) is not None and (name != "atr_period" or self.needs_atr)
        }
        return found | {name: value for name in LADDERS if (value := getattr(self, name))}


STOPS = ("stop_loss_pct", "trailing_stop_pct", "stop_loss_atr", "trailing_stop_atr")

SIZING_BOUNDS: dict[str, Bounds] = {
    "equity_pct": Bounds(low=0.1, high=10_000.0, step=5.0, integer=False),
    "fixed_amount": Bounds(low=1e-9, high=1e15, step=100.0, integer=False),
    "risk_per_trade_pct": Bounds(low=0.01, high=100.0, step=0.25, integer=False),
    "volatility_target_pct": Bounds(low=0.1, high=1_000.0, step=5.0, integer=False),
    "volatility_period": Bounds(low=2, high=2_000, step=5, integer=True, default=20),
    "leverage": Bounds(low=1.0, high=125.0, step=0.5, integer=False, default=1.0),
    "max_entries": Bounds(low=1, high=100, step=1, integer=True, default=1),
}
SIZES = ("equity_pct", "fixed_amount", "risk_per_trade_pct", "volatility_target_pct")
"""Settings that leave something of the account for a further entry."""


class Sizing(Settings):
    """How much a position is worth. Each setting is a limit, None is off, and the smallest counts.

    Attributes:
        equity_pct: percent of the account.
        fixed_amount: an amount in the currency of the prices.
        risk_per_trade_pct: percent of the account lost if the first stop fills at its level, exit costs
            aside; needs a stop.
        volatility_target_pct: annualised volatility of the account, in percent, if the price goes on as in
            the last `volatility_period` bars; nothing is opened before that is known.
        volatility_period: bars of the sample standard deviation of returns from close to close.
        leverage: market value at most, in multiples of the account. With everything else off a position is
            worth that much: at 1 the whole account, its fee included.
        max_entries: entries that a position consists of at most: each further entry signal of its side adds
            one, sized as the first, while `leverage` leaves room. Above 1 it needs one of the four limits.
        whole_units: trade whole units only, rounded down.
    """

    bounds: ClassVar[Mapping[str, Bounds]] = SIZING_BOUNDS

    equity_pct: float | None = None
    fixed_amount: float | None = None
    risk_per_trade_pct: float | None = None
    volatility_target_pct: float | None = None
    volatility_period: int = 20
    leverage: float = 1.0
    max_entries: int = 1
    whole_units: bool = False

    def active(self) -> dict[str, float | bool]:
        """The settings that have an effect, whole numbers as int: equal for equal behaviour."""
        found: dict[str, float | bool] = {}
        for name in SIZING_BOUNDS:
            value = getattr(self, name)
            idle = (name == "volatility_period" and self.volatility_target_pct is None) or (
                name in ("leverage", "max_entries") and value == 1.0
            )
            if value is not None and not idle:
                found[name] = plain(value)
        if self.whole_units:
            found["whole_units"] = True
        return found


@dataclass(frozen=True, kw_only=True, slots=True)
class Metrics:
    """Figures of one backtest; None is undefined, never NaN or infinity.

    r are simple returns from bar to bar of the account, P bars a year, no risk-free rate. Definitions are
    empyrical's for returns; where other libraries differ, `backtest.kernels.simulation.measure` says so.

    Attributes:
        sharpe_ratio: mean(r) / sample standard deviation(r) × √P; None, as the two that follow, where the
            account was lost.
        sortino_ratio: mean(r) × √P / √(mean(min(r, 0)²)); None where the root is rounding noise.
        calmar_ratio: cagr / |max_drawdown|.
        max_drawdown: deepest fall below the highest value so far, as a fraction, never positive.
        profit_factor: sum of profits / |sum of losses|; undefined without a loss.
        win_rate: share of trades with a profit above 0, 0 to 1.
        total_return: last value / initial capital - 1, a fraction.
        cagr: (1 + total_return) ** (P / bars) - 1, a fraction a year.
        volatility: sample standard deviation(r) × √P, a fraction a year.
        exposure: share of bars with a position, 0 to 1.
        n_trades: closed trades.
        expectancy: mean profit of a trade, in cash.
        avg_trade: mean return of a trade, profit / (size × entry price), a fraction.
        best_trade: highest return of a trade.
        worst_trade: lowest return of a trade.
    """

    sharpe_ratio: float | None
    sortino_ratio: float | None
    calmar_ratio: float | None
    max_drawdown: float
    profit_factor: float | None
    win_rate: float | None
    total_return: float
    cagr: float | None
    volatility: float | None
    exposure: float
    n_trades: int
    expectancy: float | None
    avg_trade: float | None
    best_trade: float | None
    worst_trade: float | None

    @classmethod
    def from_values(cls, values: Sequence[float]) -> Metrics:
        """From the numbers of `measure`, in the order of the fields; what is not finite becomes None.

        What stands behind them, the bar at which the account was lost, is no metric.
        """
        found: dict[str, Any] = {
            field.name: float(value) if math.isfinite(value) else None
            for field, value in zip(fields(cls), values, strict=False)
        }
        found["n_trades"] = int(found["n_trades"])
        return cls(**found)

    def __getitem__(self, name: str) -> float | int | None:
        """A figure by its name: `metrics["sharpe_ratio"]`.

        Raises:
            KeyError: there is no such figure.
        """
        if name not in self.__dataclass_fields__:
            raise KeyError(name)
        found: float | int | None = getattr(self, name)
        return found

    def to_dict(self) -> dict[str, float | int | None]:
        """Plain numbers and None, ready for JSON; `Metrics(**metrics.to_dict())` is the way back."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True, slots=True)
class AccountLost:
    """Where an account ended: the exit that took all it was worth. Nothing is traded after it.

    Attributes:
        bar: place of the exit's bar in the data, from 0.
        time: of that bar.
        price: of the exit.
    """

    bar: int
    time: datetime
    price: float

    def to_dict(self) -> dict[str, int | float | str]:
        """Plain JSON, the time as ISO text."""
        return {"bar": self.bar, "time": self.time.isoformat(), "price": self.price}


def check_fill(fill: str) -> bool:
    """Whether fills are at the next open.

    Raises:
        RequestError: `unknown_fill`.
    """
    if fill not in FILLS:
        raise RequestError("unknown_fill", name=str(fill), known=", ".join(FILLS))
    return fill == "next_open"
