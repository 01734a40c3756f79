"""Which points of a long series are in the browser: few, but every extreme of what is looked at."""

from __future__ import annotations

import numpy as np
import pytest

from threadx.web.panes import MOST_POINTS, places_to_draw

BARS = 100_000


@pytest.mark.parametrize(("low", "high"), [(0, BARS), (40_000, 60_000), (70_000, 71_500), (99_990, BARS)])
def test_few_points_keep_the_extremes_of_the_window(low: int, high: int) -> None:
    values = np.random.default_rng(5).normal(size=BARS).cumsum()
    spike = (low + high) // 2
    values[spike] += 1_000.0
    found = places_to_draw(values, low, high)
    assert len(found) <= MOST_POINTS
    assert (np.diff(found) > 0).all()
    assert {0, BARS - 1, spike} <= set(found.tolist())
    inside = values[low:high]
    assert inside.min() in values[found]
    if high - low <= 2_000:
        assert set(range(low, high)) <= set(found.tolist()), "every bar of a narrow window"


def test_a_short_series_is_there_whole() -> None:
    assert places_to_draw(np.zeros(MOST_POINTS), 5, 6).tolist() == list(range(MOST_POINTS))
