"""A plateau is preferred to a peak."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backtest.validation.plateau import plateau_scores

AXES = [
    st.lists(st.integers(1, 20), min_size=1, max_size=4, unique=True),
    st.lists(st.sampled_from([None, 0.5, 1.0, 2.0, 8.0]), min_size=1, max_size=4, unique=True),
    st.lists(st.sampled_from(["long", "short", "both"]), min_size=1, max_size=3, unique=True),
    st.lists(st.booleans(), min_size=1, max_size=2, unique=True),
]


def slow_plateau(scores, axes):
    """The definition, cell by cell: neighbours are the next smaller and the next larger number."""
    shape = tuple(map(len, axes))
    table = np.array(scores, dtype=float).reshape(shape)
    found = np.full(shape, np.nan)
    for place in np.ndindex(*shape):
        if np.isnan(table[place]):
            continue
        values = [table[place], table[place]]
        for axis, along in enumerate(axes):
            mine = along[place[axis]]
            if type(mine) not in (int, float):
                continue
            others = [one for one in along if type(one) in (int, float)]
            smaller = max((one for one in others if one < mine), default=None)
            larger = min((one for one in others if one > mine), default=None)
            for other in (smaller, larger):
                if other is None:
                    continue
                near = list(place)
                near[axis] = along.index(other)
                if not np.isnan(table[tuple(near)]):
                    values.append(table[tuple(near)])
        found[place] = np.mean(values)
    return found.reshape(-1)


@given(st.data())
def test_it_is_the_average_with_the_neighbours(data):
    axes = data.draw(st.lists(st.one_of(AXES), min_size=1, max_size=3))
    value = st.one_of(st.just(float("nan")), st.floats(-5, 5))
    size = int(np.prod([len(values) for values in axes]))
    scores = np.array(data.draw(st.lists(value, min_size=size, max_size=size)))
    assert plateau_scores(scores, axes) == pytest.approx(slow_plateau(scores, axes), nan_ok=True)


def test_even_ground_beats_a_lone_peak():
    scores = np.array([0.0, 0.1, 3.0, 0.0, 1.5, 1.8, 1.6, 0.9])
    assert int(scores.argmax()) == 2
    assert int(np.nanargmax(plateau_scores(scores, [range(8)]))) == 5


def test_a_side_has_no_neighbours():
    assert plateau_scores(np.array([3.0, 0.0, 1.0]), [["long", "short", "both"]]).tolist() == [3.0, 0.0, 1.0]
