"""What goes into the engine beside prices and strategy, and what comes out of it in plain numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    ValidationError,
    model_validator,
)

from backtest.errors import RequestError, StrategyError

Fill = Literal["next_open", "close"]
FILLS: tuple[Fill, ...] = get_args(Fill)


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
            StrategyError: `parameter_not_whole` or `parameter_out_of_bounds`.
        """
        if not math.isfinite(value) or not self.low <= value <= self.high:
            raise StrategyError(
                "parameter_out_of_bounds",
                name=name,
                value=f"{value:g}",
                low=f"{self.low:g}",
                high=f"{self.high:g}",
            )
        if self.integer and value != int(value):
            raise StrategyError("parameter_not_whole", name=name, value=f"{value:g}")
        return plain(value)


def plain(value: float) -> float:
    """A number as an int where it is whole, so that 5 and 5.0 print and hash alike."""
    return int(value) if value == int(value) else float(value)


class Strict(BaseModel):
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
                raise StrategyError("unknown_field", name=name, known=", ".join(cls.model_fields)) from None
            if first["type"] == "missing":
                raise StrategyError("missing_field", name=name) from None
            raise StrategyError(
                "bad_field", name=name, value=repr(first["input"])[:80], reason=first["type"]
            ) from None


_COST_BOUNDS = Bounds(low=0.0, high=1_000.0, step=1.0, integer=False, default=0.0)


class Costs(Strict):
    """What trading costs, in basis points (1 bps = 0.01 %).

    Attributes:
        fee_bps: of the notional, at each fill.
        slippage_bps: by which each fill's price moves against the trade.
    """

    fee_bps: Annotated[
        float, Field(title="Fee (bps)", description="Basis points of notional, each side.")
    ] = 0.0
    slippage_bps: Annotated[
        float, Field(title="Slippage (bps)", description="Price moved against each fill, basis points.")
    ] = 0.0

    @model_validator(mode="after")
    def _check(self) -> Self:
        for name in ("fee_bps", "slippage_bps"):
            _COST_BOUNDS.check(name, getattr(self, name))
        return self


RISK_BOUNDS: dict[str, Bounds] = {
    "stop_loss_pct": Bounds(low=0.1, high=50.0, step=0.5, integer=False),
    "take_profit_pct": Bounds(low=0.1, high=500.0, step=0.5, integer=False),
    "trailing_stop_pct": Bounds(low=0.1, high=50.0, step=0.5, integer=False),
    "stop_loss_atr": Bounds(low=0.1, high=20.0, step=0.25, integer=False),
    "take_profit_atr": Bounds(low=0.1, high=50.0, step=0.25, integer=False),
    "trailing_stop_atr": Bounds(low=0.1, high=20.0, step=0.25, integer=False),
    "atr_period": Bounds(low=1, high=200, step=1, integer=True, default=14),
    "max_bars": Bounds(low=1, high=100_000, step=5, integer=True),
}


class Risk(Strict):
    """When a position is closed whatever the signals say.

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
        whole_units: buy whole units only.
    """

    stop_loss_pct: float | None = None
    take_profit_pct: float | None = None
    trailing_stop_pct: float | None = None
    stop_loss_atr: float | None = None
    take_profit_atr: float | None = None
    trailing_stop_atr: float | None = None
    atr_period: int = 14
    max_bars: int | None = None
    whole_units: bool = False

    @model_validator(mode="before")
    @classmethod
    def _none_is_absent(cls, value: Any) -> Any:
        if isinstance(value, dict):
            return {name: setting for name, setting in value.items() if setting is not None}
        return value

    @model_validator(mode="after")
    def _check(self) -> Self:
        for name, bounds in RISK_BOUNDS.items():
            value = getattr(self, name)
            if value is None:
                continue
            if value == 0:
                raise StrategyError("zero_is_not_off", name=name)
            bounds.check(name, value)
        return self

    @property
    def needs_atr(self) -> bool:
        """Whether any level is measured in average true ranges."""
        return (self.stop_loss_atr, self.take_profit_atr, self.trailing_stop_atr) != (None, None, None)

    def active(self) -> dict[str, float | bool]:
        """The settings that have an effect, whole numbers as int: equal for equal behaviour."""
        found: dict[str, float | bool] = {}
        for name in RISK_BOUNDS:
            value = getattr(self, name)
            if value is not None and (name != "atr_period" or self.needs_atr):
                found[name] = plain(value)
        if self.whole_units:
            found["whole_units"] = True
        return found


@dataclass(frozen=True, kw_only=True, slots=True)
class Metrics:
    """Figures of one backtest, as fractions; None is undefined. Formulas: `backtest.simulation.measure`."""

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
        """From the numbers of `measure`, in the order of the fields; what is not finite becomes None."""
        found: dict[str, Any] = {
            field.name: float(value) if math.isfinite(value) else None
            for field, value in zip(fields(cls), values, strict=True)
        }
        found["n_trades"] = int(found["n_trades"])
        return cls(**found)

    def to_dict(self) -> dict[str, float | int | None]:
        """Plain numbers and None, ready for JSON; `Metrics(**metrics.to_dict())` is the way back."""
        return asdict(self)


def check_fill(fill: str) -> bool:
    """Whether fills are at the next open.

    Raises:
        RequestError: `unknown_fill`.
    """
    if fill not in FILLS:
        raise RequestError("unknown_fill", name=str(fill), known=", ".join(FILLS))
    return fill == "next_open"
