"""How a price file is to be read, and what its reader tells of it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

Decimal = Literal[".", ","]
EPOCH_FORMATS = ("unix_s", "unix_ms", "unix_us", "unix_ns", "excel")
"""Values of `Reading.time_format` that name a way of counting time; any other is a pattern as in strptime."""


class Reading(BaseModel):
    """What a caller knows about a price file. All of it may be left out: the reader then finds out, and says.

    This is the one list of these settings: options of the command, arguments of `threadx.optimize` and fields
    of Studio's form are made from it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    time_format: str | None = Field(
        default=None,
        title="Time format",
        description="Pattern of the times, for example %d/%m/%Y %H:%M; or unix_s, unix_ms, unix_us, unix_ns, "
        "excel. Found out if left out.",
        min_length=1,
    )
    time_zone: str | None = Field(
        default=None,
        title="Time zone",
        description="Zone of the bars, for example Europe/Paris: times without a zone are of it, others are "
        "put into it.",
        min_length=1,
    )
    decimal: Decimal | None = Field(
        default=None, title="Decimal mark", description="Found out if left out; a text file's only."
    )
    adjust: bool = Field(
        default=False,
        title="Adjusted prices",
        description="Multiply all prices by adjusted close / close.",
    )
    start: str | None = Field(
        default=None,
        title="First bar",
        description="ISO date or time; earlier bars are ignored.",
        min_length=1,
    )
    end: str | None = Field(
        default=None,
        title="Last bar",
        description="ISO date (that day included) or time; later bars are ignored.",
        min_length=1,
    )
    resample: str | None = Field(
        default=None,
        title="Longer bars",
        description="Timeframe of longer bars to make out of those of the file, for example 4h, 1d, 1w.",
        min_length=1,
    )

    @property
    def whole(self) -> Reading:
        """The same without `start` and `end`."""
        return self.model_copy(update={"start": None, "end": None})


class Notice(BaseModel):
    """One thing that the reader assumed, left out or mended.

    Attributes:
        code: what; `market.notice.<code>` is its text.
        fields: what it concerns, as plain texts and numbers, in one order: reports repeat to the letter.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str
    fields: Annotated[dict[str, Any], AfterValidator(lambda told: dict(sorted(told.items())))] = {}
