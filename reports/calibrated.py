"""What a calibration found, read strictly and told as tables: by the command, and on its page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, NamedTuple, get_args

import altair as alt
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from base import private
from base.files import write_text_atomically
from base.plain_files import read_plain
from base.reasons import because
from record.errors import ReportError
from reports.charts.calibration import power_chart
from reports.charts.style import PAPER, Look
from reports.words import WordsLike

FALSE_LIMIT = 0.025
"""Rate of `real` or `promising` without an edge that the verdict was designed for."""

Where = Literal["not_proposed", "not_kept", "not_believed"]
LOST: tuple[Where, ...] = get_args(Where)
"""Where an edge that is there can be lost, in the order of the work."""

PValue = Literal["development_p", "single_p", "holdout_p", "combined_p"]
P_VALUES: tuple[PValue, ...] = get_args(PValue)

LARGEST = 16 * 1024 * 1024
"""Bytes of a result that is read: ten thousand series take about a tenth."""

_Share = Annotated[float, Field(ge=0.0, le=1.0)]
_Count = Annotated[int, Field(ge=0)]


class _Read(BaseModel):
    """What is not named here, as each series by itself, is kept by nobody who reads a result."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)


class Group(_Read):
    """Series of one kind or strength: how many, how many were believed, with an exact 95 % interval."""

    count: _Count
    believed: _Count
    rate: _Share | None
    interval: tuple[_Share, _Share]


class Planted(Group):
    """The same of series with an edge: where the others were lost, and what theory allows."""

    lost: dict[Where, _Count]
    limit: _Share | None


class Spread(_Read):
    """How p-values are spread without an edge: the share at or below each bound; how far from uniform ones.

    Results of earlier versions do not tell how far.
    """

    count: _Count
    below: dict[str, _Share] | None
    above_uniform: _Share | None = None
    below_uniform: _Share | None = None
    too_small_p: _Share | None
    not_uniform_p: _Share | None


class _Null(Group):
    p_values: dict[PValue, Spread]
    by_kind: dict[str, Group]


class _Edges(Planted):
    by_strength: dict[str, Planted]


class Calibration(_Read):
    """The JSON of `threadx calibrate`, as far as it is shown.

    Attributes:
        seed: of all series.
        bars: days of each.
        iterations: of the cycle at most.
        kept: whether they were of the kinds that nothing was tuned on.
        intraday: whether they were of hourly bars, or with `kept` of both.
        pooled: instruments a series, judged together; results of earlier versions have one.
        strengths: Sharpe ratios that were asked for; None for the usual ones.
        null: series without an edge.
        planted: series with one.
    """

    seed: int
    bars: Annotated[int, Field(ge=1)]
    iterations: Annotated[int, Field(ge=1)]
    kept: bool
    intraday: bool = False
    pooled: Annotated[int, Field(ge=1)] = 1
    strengths: list[float] | None = None
    null: _Null
    planted: _Edges


class Told(NamedTuple):
    """A table in words."""

    title: str
    head: list[str]
    rows: list[list[str]]


def read_calibration(text: str | bytes, name: str) -> Calibration:
    """A result from its JSON.

    Args:
        text: the JSON.
        name: of the file, for the error.

    Raises:
        ReportError: `no_calibration`, with the first thing that is wrong.
    """
    try:
        return Calibration.model_validate_json(text)
    except ValidationError as error:
        raise ReportError("no_calibration", name=name, reason=because(error)) from None


def folder(home: Path) -> Path:
    """Where results of a data folder are kept."""
    return home / "calibration"


def keep(home: Path, text: str, name: str = "JSON") -> Path:
    """Keep a result under what it was made of: the same calibration takes the place of its former result.

    Args:
        home: the data folder.
        text: the JSON.
        name: of the file it came in, for the error.

    Raises:
        ReportError: `no_calibration`.
        OSError: the folder cannot be written.
    """
    found = read_calibration(text, name)
    size = f"{found.null.count}-{found.planted.count}-{found.bars}-{found.iterations}"
    kinds = "-kept" * found.kept + "-intraday" * found.intraday
    together = f"-pooled{found.pooled}" if found.pooled > 1 else ""
    chosen = "".join(f"-sharpe{one:g}" for one in found.strengths or ())
    path = folder(home) / f"seed{found.seed}-{size}{kinds}{together}{chosen}.json"
    private.make_folder(path.parent)
    write_text_atomically(path, text.rstrip("\n") + "\n")
    return path


def kept(home: Path) -> list[str]:
    """Names of the results in a data folder, the newest first."""
    found = sorted(folder(home).glob("*.json"), key=lambda path: (-path.stat().st_mtime_ns, path.name))
    return [path.stem for path in found]


def load(home: Path, name: str) -> Calibration:
    """A result of the data folder.

    Raises:
        ReportError: `no_calibration`.
        OSError: it cannot be read.
    """
    return read_calibration(read_plain(folder(home) / f"{name}.json", LARGEST), f"{name}.json")


def tables(found: Calibration, words: WordsLike) -> list[Told]:
    """How often each kind of series was believed in, where edges were lost, how p-values are spread."""
    rows = [[words("command.calibrate_null"), *_share(words, found.null)]]
    rows += [
        [words("command.calibrate_planted", sharpe=words.number(float(strength), 1)), *_share(words, told)]
        for strength, told in found.planted.by_strength.items()
    ]
    names = ("series", "count", "believed", "rate", "interval")
    shown = [Told(words("command.calibrate_title"), _head(words, names), rows)]
    if found.planted.count:
        rows = [_lost(words, strength, told) for strength, told in found.planted.by_strength.items()]
        shown.append(
            Told(words("command.calibrate_lost_title"), _head(words, ("sharpe", *LOST, "limit")), rows)
        )
    if found.null.count:
        shown.append(_spread(found.null.p_values, words))
    return shown


def _head(words: WordsLike, names: tuple[str, ...]) -> list[str]:
    return [words(f"command.calibrate_{name}") for name in names]


def _share(words: WordsLike, told: Group) -> list[str]:
    """Count, believed, rate and interval of one group as cells."""
    low, high = told.interval
    return [
        words.number(told.count),
        words.number(told.believed),
        words.percent(told.rate),
        words("verdict.interval", low=words.percent(low), high=words.percent(high)),
    ]


def _lost(words: WordsLike, strength: str, told: Planted) -> list[str]:
    """Where edges of one strength were lost, and how many theory lets a search find, as cells."""
    counts = [words.number(told.lost[where]) for where in LOST]
    return [words.number(float(strength), 1), *counts, words.percent(told.limit)]


def _spread(spreads: Mapping[PValue, Spread], words: WordsLike) -> Told:
    """Shares of p-values below each bound, and the largest distances from what is due."""
    bounds = next((list(one.below) for one in spreads.values() if one.below), [])
    head = [words("command.calibrate_below", bound=words.percent(float(bound), 0)) for bound in bounds]
    rows = [
        [
            words(f"command.calibrate_{name}"),
            *(words.percent((spreads[name].below or {}).get(bound)) for bound in bounds),
            words.percent(spreads[name].above_uniform),
            words.percent(spreads[name].below_uniform),
            words.percent(spreads[name].too_small_p),
        ]
        for name in P_VALUES
        if name in spreads
    ]
    last = _head(words, ("above_uniform", "below_uniform", "too_small_p"))
    return Told(words("command.calibrate_p_title"), [words("command.calibrate_p"), *head, *last], rows)


def about(found: Calibration, words: WordsLike) -> str:
    """What a calibration was made of, for the chart's subtitle."""
    return words(
        "command.calibrate_about",
        nulls=words.number(found.null.count),
        planted=words.number(found.planted.count),
        seed=found.seed,
    )


def chart(found: Calibration, words: WordsLike, about: str = "", look: Look = PAPER) -> alt.LayerChart:
    """How often each strength of edge was found; false alarms at a strength of 0."""
    null, planted = found.null, found.planted
    return power_chart(
        {strength: told.model_dump() for strength, told in planted.by_strength.items()},
        words,
        null=null.model_dump(),
        false_limit=FALSE_LIMIT,
        about=about,
        look=look,
    )
