"""What a function must not do, found by running it: before any figure of a strategy is seen.

causal        the value of a bar is the same whatever comes after it, and however much
rooted        it does not lean on the bar at which a history happens to begin
repeatable    the same prices give the same values, bit for bit
scaled        a price ten times as high gives a value in step: the same, or so many times it
telling       it is known, it varies, and each of its parameters and inputs matters
needed        no shorter function, without one of its larger parts, gives the same

Of a strategy all of it holds for each of its signals.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from backtest.cage import histories
from backtest.cage.compiled import Compiled, Floats, arguments, interpreted
from backtest.cage.description import simpler
from backtest.cage.errors import CodeError
from backtest.cage.histories import BARS, History
from backtest.cage.source import Bounded, Source

CUTS = (1, 2, 3, 7, 20, 50, 101, 233, 400, 512, 640, 777, 900, 1024, 1111, 1250, 1313, 1400, 1488, 1499)
"""Bars after which the future is cut off, and after which another one is planted."""

LONG = 60_000
LONG_CUTS = (5_003, 30_011, 59_999)
"""A history longer than the others, for who looks ahead only where there are many bars."""

SCALES = (10.0, 0.01, 30.0, 100.0, 1000.0)
"""What prices and volumes are multiplied by: markets of many heights, for who knows the height of one."""

TOLERANCE = 1e-9
"""Share of its size by which a value may differ: sums of another length are rounded otherwise."""

STARTS = (2, 61, 250)
"""How many of the first bars are left out, to see whether a value leans on them."""

LARGEST_TRIED = 120
"""Whole parameters are tried up to this value, where a history of 1,500 bars can show something."""

MOST_UNKNOWN = 0.5
"""Share of bars after the first known one that may be without a value."""

SAME = 0.99
"""Correlation from which on a shorter function gives the same as a longer one."""

_BRIEF = 400
"""Bars of the history on which shorter functions are tried, which Python runs uncompiled."""

Values = dict[str, float]
Run = Callable[[History, Values], Floats]


def tried(source: Source, function: Compiled) -> tuple[Floats, dict[str, int]]:
    """Run a function on made-up histories, and refuse it where it cheats.

    Returns:
        Its values on `histories.walk()` with its usual parameters; and what was measured: `price_power`,
        `volume_power` (see `scaled`) and the counts of `warm_ups`.

    Raises:
        CodeError: `outside_array`, `too_much_work`, `fails`, `not_one_value_a_bar`; `knows_future`,
            `knows_length`, `not_repeatable`, `leans_on_start`, `out_of_scale_price`, `out_of_scale_volume`,
            `constant`, `mostly_unknown`, `never_signals`, `idle_parameter`, `idle_input`, `needless`.
    """

    def run(history: History, values: Values) -> Floats:
        return values_of(source, function, history.columns(source.inputs), values)

    usual = {one.name: one.default for one in source.parameters}
    history = histories.walk()
    for values in settings(source):
        for stormy in histories.storms():
            run(stormy, values)
        run(history, values)
    found = run(history, usual)
    if not np.array_equal(found, run(history, usual), equal_nan=True):
        raise CodeError("not_repeatable")
    for values in tried_settings(source):
        causal(run, history, values)
    causal(run, histories.walk(LONG), usual, LONG_CUTS)
    telling(source, found)
    matters(source, run, history, usual, found)
    rooted(run, history, usual)
    needed(source, run)
    price, volume = scaled(run, history, usual, found)
    return found, {"price_power": price, "volume_power": volume, **warm_ups(source, run, history)}


def values_of(source: Source, function: Compiled, columns: list[Floats], values: Values) -> Floats:
    """What a function gives for its columns; what is infinite is unknown.

    Returns:
        A value a bar; of a strategy a row for each of its places, with 1, 0 or, where unknown, not a number.

    Raises:
        CodeError: it fails, does not give one value a bar, or a signal is neither true nor false.
    """
    try:
        found = function(*columns, *arguments(source, values))
    except IndexError:
        raise CodeError("outside_array", values=_told(values)) from None
    except OverflowError:
        raise CodeError("too_much_work", values=_told(values)) from None
    except (ValueError, ZeroDivisionError, MemoryError):
        raise CodeError("fails", values=_told(values)) from None
    for series in found if source.places else (found,):
        if series.shape != columns[0].shape:
            raise CodeError("not_one_value_a_bar", bars=columns[0].size, found=series.size)
    series = np.stack(found) if source.places else found
    known = np.isfinite(series)
    if source.places and (odd := known & (series != 0.0) & (series != 1.0)).any():
        raise CodeError("no_signal", value=float(series[odd][0]), values=_told(values))
    return np.where(known, series, np.nan)


def settings(source: Source) -> list[Values]:
    """Parameters as usual, all least, all most, and each at its ends with the others as usual."""
    usual = {one.name: one.default for one in source.parameters}
    ends = [{one.name: getattr(one, end) for one in source.parameters} for end in ("low", "high")]
    single = [{**usual, one.name: value} for one in source.parameters for value in (one.low, one.high)]
    return _different([usual, *ends, *single])


def tried_settings(source: Source) -> list[Values]:
    """As usual, all least, all most, within what a history can show."""
    usual, least, most = (
        {one.name: _within(one, getattr(one, end)) for one in source.parameters}
        for end in ("default", "low", "high")
    )
    return _different([usual, least, most])


def causal(run: Run, history: History, values: Values, cuts: tuple[int, ...] = CUTS) -> None:
    """Refuse what a later bar changes, or the mere number of later bars.

    Raises:
        CodeError: `knows_future`, with the first such bar; `knows_length`.
    """
    whole = run(history, values)
    for place, cut in enumerate(cuts):
        rest = history.close.size - cut
        other = histories.walk(rest, seed=100 + place).times(3.0 if place % 2 else 0.4)
        planted = run(history.part(0, cut).then(other), values)
        if (bar := first_difference(whole[..., :cut], planted[..., :cut])) is not None:
            raise CodeError("knows_future", bar=bar + 1, cut=cut)
        alone = run(history.part(0, cut), values)
        if (bar := first_difference(whole[..., :cut], alone)) is not None:
            raise CodeError("knows_length", bar=bar + 1, cut=cut)


def telling(source: Source, found: Floats) -> None:
    """Refuse what is unknown or always the same.

    Raises:
        CodeError: `mostly_unknown`, `constant`, `never_signals`.
    """
    for place, series in zip(source.places or ("",), np.atleast_2d(found), strict=True):
        known = ~np.isnan(series)
        if not known.any() or known[known.argmax() :].mean() < 1.0 - MOST_UNKNOWN:
            raise CodeError("mostly_unknown", percent=round(100.0 * float(1.0 - known.mean())))
        values = series[known]
        if np.ptp(values) <= TOLERANCE * max(1e-6, float(np.abs(values).max())):
            raise CodeError("never_signals", place=place) if place else CodeError("constant")


def matters(source: Source, run: Run, history: History, usual: Values, found: Floats) -> None:
    """Refuse parameters and inputs that change nothing.

    Raises:
        CodeError: `idle_parameter`, `idle_input`.
    """
    for one in source.parameters:
        ends = [_within(one, value) for value in (one.low, one.high)]
        others = [run(history, {**usual, one.name: value}) for value in ends]
        if all(first_difference(found, other) is None for other in others):
            raise CodeError("idle_parameter", name=one.name)
    other = histories.walk(seed=7)
    for name in source.inputs:
        changed = History(
            *(getattr(other if column == name else history, column) for column in History.__slots__)
        )
        if first_difference(found, run(changed, usual)) is None:
            raise CodeError("idle_input", name=name)


def needed(source: Source, run: Run) -> None:
    """Refuse a function that is as good without a quarter of it, and more.

    Raises:
        CodeError: `needless`, with the line of the part.
    """
    history = histories.walk(_BRIEF)
    usual = {one.name: _within(one, one.default) for one in source.parameters}
    found = run(history, usual)
    for saved, line, shorter in simpler(source):
        given = {one.name: usual[one.name] for one in shorter.parameters}
        columns = history.columns(shorter.inputs)
        try:
            with np.errstate(all="ignore"):
                other = values_of(shorter, interpreted(shorter), columns, given)
        except (CodeError, ArithmeticError, ValueError, TypeError, LookupError):
            continue  # what Python cannot run is no alternative
        if (alike := _likeness(found, other)) > SAME:
            raise CodeError("needless", line=line, percent=round(100.0 * saved), correlation=round(alike, 4))


def rooted(run: Run, history: History, values: Values) -> None:
    """Refuse a value that still leans on where the history begins after more than a thousand bars.

    Raises:
        CodeError: `leans_on_start`.
    """
    whole = run(history, values)
    size = _size(whole)
    for start in STARTS:
        later = run(history.part(start, BARS), values)
        last, known = later[..., -100:], whole[..., -100:]
        gap = np.abs(last - known)
        if not np.array_equal(np.isnan(last), np.isnan(known)) or np.nanmax(gap, initial=0.0) > 1e-3 * size:
            raise CodeError("leans_on_start", start=start)


def scaled(run: Run, history: History, values: Values, found: Floats) -> tuple[int, int]:
    """The powers of price and volume that a value grows with; 0 for a logarithm too.

    Raises:
        CodeError: `out_of_scale_price`, `out_of_scale_volume`.
    """
    prices = [run(history.times(scale), values) for scale in SCALES]
    volumes = [run(history.times(1.0, scale), values) for scale in SCALES]
    return _power(found, prices, "price"), _power(found, volumes, "volume")


def warm_ups(source: Source, run: Run, history: History) -> dict[str, int]:
    """Bars without a value at the beginning: as usual, and with each whole parameter at two values."""
    usual = {one.name: _within(one, one.default) for one in source.parameters}
    told = {"warm_up": _unknown(run(history, usual))}
    for one in source.parameters:
        if one.whole:
            for place, value in (("low", one.low), ("high", one.high)):
                values = {**usual, one.name: _within(one, value)}
                told[f"warm_up.{one.name}.{place}"] = _unknown(run(history, values))
    return told


def first_difference(one: Floats, other: Floats) -> int | None:
    """The first bar at which series differ by more than rounding; unknown is equal to unknown."""
    unknown = np.isnan(one) != np.isnan(other)
    # Against the size of the whole series too: what is left of a difference of sums is rounding.
    near = np.abs(one - other) <= TOLERANCE * np.maximum(np.abs(one), _size(one)) + 1e-300
    differs = np.atleast_2d(unknown | ~(near | np.isnan(one))).any(axis=0)
    return int(differs.argmax()) if differs.any() else None


def _likeness(one: Floats, other: Floats) -> float:
    """The least correlation over the series, signs aside; 0 where only one of them is known."""
    least = 1.0
    for mine, theirs in zip(np.atleast_2d(one), np.atleast_2d(other), strict=True):
        known = ~np.isnan(mine)
        if np.isnan(theirs[known]).any() or known.sum() < 2:
            return 0.0
        first, second = mine[known] - mine[known].mean(), theirs[known] - theirs[known].mean()
        size = float(np.sqrt((first @ first) * (second @ second)))
        least = min(least, abs(float(first @ second)) / size if size > 0.0 else 0.0)
    return least


def _power(found: Floats, scaled: list[Floats], of: str) -> int:
    known, size = ~np.isnan(found), _size(found)
    if all(np.array_equal(known, ~np.isnan(other)) for other in scaled):
        others = [(scale, other[known]) for scale, other in zip(SCALES, scaled, strict=True)]
        for power in (0, 1, -1, 2, -2):
            if all(_near(other / scale**power, found[known], size) for scale, other in others):
                return power
        moved = [other - found[known] for _, other in others]
        if all(np.ptp(one) <= 1e-6 * max(size, float(np.abs(one).max())) for one in moved):
            return 0
    raise CodeError("out_of_scale_price" if of == "price" else "out_of_scale_volume")


def _near(one: Floats, other: Floats, size: float) -> bool:
    return bool(np.all(np.abs(one - other) <= 1e-6 * size))


def _size(values: Floats) -> float:
    known = values[~np.isnan(values)]
    return float(np.median(np.abs(known))) if known.size else 0.0


def _unknown(values: Floats) -> int:
    known = ~np.isnan(np.atleast_2d(values)).any(axis=0)
    return int(known.argmax()) if known.any() else known.size


def _within(one: Bounded, value: float) -> float:
    return min(value, max(one.low, float(LARGEST_TRIED))) if one.whole else value


def _different(found: list[Values]) -> list[Values]:
    return [one for place, one in enumerate(found) if one not in found[:place]]


def _told(values: Values) -> str:
    return ", ".join(f"{name} = {value:.12g}" for name, value in values.items()) or "–"
