"""A plateau is preferred to a peak."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backtest.plateau import plateau_scores


def slow_plateau(scores, shape):
    """The definition, cell by cell."""
    table = np.array(scores, dtype=float).reshape(shape)
    found = np.full(shape, np.nan)
    for place in np.ndindex(*shape):
        if np.isnan(table[place]):
            continue
        values = [table[place], table[place]]
        for axis in range(len(shape)):
            for step in (-1, 1):
                near = list(place)
                near[axis] += step
                if 0 <= near[axis] < shape[axis] and not np.isnan(table[tuple(near)]):
                    values.append(table[tuple(near)])
        found[place] = np.mean(values)
    return found.reshape(-1)


@given(st.data())
def test_it_is_the_average_with_the_neighbours(data):
    shape = tuple(data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=3)))
    value = st.one_of(st.just(float("nan")), st.floats(-5, 5))
    size = int(np.prod(shape))
    scores = np.array(data.draw(st.lists(value, min_size=size, max_size=size)))
    assert plateau_scores(scores, shape) == pytest.approx(slow_plateau(scores, shape), nan_ok=True)


def test_even_ground_beats_a_lone_peak():
    scores = np.array([0.0, 0.1, 3.0, 0.0, 1.5, 1.8, 1.6, 0.9])
    assert int(scores.argmax()) == 2
    assert int(np.nanargmax(plateau_scores(scores, (8,)))) == 5
