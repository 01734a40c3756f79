"""How a price history is cut into training and test stretches: by bars, in order, with an embargo between."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations
from typing import Literal, get_args

from backtest.errors import RequestError

Scheme = Literal["anchored", "rolling"]
SCHEMES: tuple[Scheme, ...] = get_args(Scheme)

FOLDS = 8
TRAIN_SEGMENTS = 4
EMBARGO_SHARE = 0.01
EMBARGO_BARS_AT_MOST = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class Fold:
    """One training stretch and the test stretch that follows it; `stop`s are excluded.

    Attributes:
        number: from 1, in order of time.
        train_start: first bar of training.
        train_stop: bar behind the last one of training.
        test_start: first bar of the test.
        test_stop: bar behind the last one of the test.
    """

    number: int
    train_start: int
    train_stop: int
    test_start: int
    test_stop: int


@dataclass(frozen=True, kw_only=True, slots=True)
class CombinatorialSplit:
    """One way of choosing test groups among all groups; stretches are (start, stop), stop excluded.

    Attributes:
        test_groups: numbers of the groups tested, from 0.
        test: the stretch of each of them.
        train: what is left for training, the embargo taken off on either side of every test group.
    """

    test_groups: tuple[int, ...]
    test: tuple[tuple[int, int], ...]
    train: tuple[tuple[int, int], ...]


def default_embargo(bars: int) -> int:
    """1 % of the bars, from 1 to 500: as between development part and holdout."""
    return min(max(math.ceil(bars * EMBARGO_SHARE), 1), EMBARGO_BARS_AT_MOST)


def _edges(bars: int, parts: int) -> list[int]:
    return [bars * part // parts for part in range(parts + 1)]


def make_folds(
    bars: int,
    folds: int = FOLDS,
    scheme: Scheme = "rolling",
    *,
    embargo: int | None = None,
    train_segments: int = TRAIN_SEGMENTS,
) -> list[Fold]:
    """Cut bars into equal segments: the first ones are for training only, each later one is tested once.

    Training ends `embargo` bars before its test begins, and what is open then is closed: no trade reaches
    from one into the other (purging).

    Args:
        bars: length of the history.
        folds: test segments.
        scheme: `rolling` trains on as many segments each time, `anchored` on everything before the test.
        embargo: bars between training and test; 1 % of all (1 to 500) by default.
        train_segments: segments before the first test.

    Raises:
        RequestError: `unknown_scheme`, `bad_request`; `not_enough_bars` where a stretch would hold fewer
            than two bars.
    """
    if scheme not in SCHEMES:
        raise RequestError("unknown_scheme", name=str(scheme), known=", ".join(SCHEMES))
    for name, value in (("folds", folds), ("train_segments", train_segments)):
        if value < 1:
            raise RequestError("bad_request", name=name, value=str(value))
    embargo = default_embargo(bars) if embargo is None else embargo
    if embargo < 0:
        raise RequestError("bad_request", name="embargo", value=str(embargo))
    parts = folds + train_segments
    edges = _edges(bars, parts)
    if bars < parts * 2 or train_segments * (bars // parts) < embargo + 2:
        raise RequestError("not_enough_bars", needed=parts * (embargo + 2), bars=bars)
    return [
        Fold(
            number=number + 1,
            train_start=0 if scheme == "anchored" else edges[number],
            train_stop=edges[number + train_segments] - embargo,
            test_start=edges[number + train_segments],
            test_stop=edges[number + train_segments + 1],
        )
        for number in range(folds)
    ]


def combinatorial_splits(
    bars: int, groups: int = 6, test_groups: int = 2, *, embargo: int | None = None
) -> list[CombinatorialSplit]:
    """Every choice of `test_groups` among `groups` equal stretches of time.

    López de Prado 2018, Advances in Financial Machine Learning, chapter 12. What is open at the end of a
    training stretch is closed there, so no training trade reaches into a test (purging); `embargo` bars of
    training are given up on either side of a test group: behind it its prices still stand in the indicators.

    Args:
        bars: length of the history.
        groups: equal stretches of time.
        test_groups: how many of them are tested at a time, fewer than `groups`.
        embargo: 1 % of the bars (1 to 500) by default.

    Raises:
        RequestError: `bad_request`; `not_enough_bars` where a group is not longer than two embargoes.
    """
    if groups < 2:
        raise RequestError("bad_request", name="groups", value=str(groups))
    if not 1 <= test_groups < groups:
        raise RequestError("bad_request", name="test_groups", value=str(test_groups))
    embargo = default_embargo(bars) if embargo is None else embargo
    if embargo < 0:
        raise RequestError("bad_request", name="embargo", value=str(embargo))
    edges = _edges(bars, groups)
    if bars // groups < 2 * embargo + 2:
        raise RequestError("not_enough_bars", needed=groups * (2 * embargo + 2), bars=bars)
    splits = []
    for chosen in combinations(range(groups), test_groups):
        train = []
        for group in range(groups):
            if group in chosen:
                continue
            after = embargo if group - 1 in chosen else 0
            before = embargo if group + 1 in chosen else 0
            train.append((edges[group] + after, edges[group + 1] - before))
        splits.append(
            CombinatorialSplit(
                test_groups=chosen,
                test=tuple((edges[group], edges[group + 1]) for group in chosen),
                train=tuple(train),
            )
        )
    return splits
