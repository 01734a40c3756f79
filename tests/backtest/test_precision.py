"""Every indicator to 1e-9 of its definition: ordinary, tiny, huge, offset by 1e8, and constant prices."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from backtest.language.functions import FUNCTIONS
from backtest.language.tree import Call
from tests.backtest.test_indicators import constant, series, tree, walk_of
from tests.precise_indicators import Precise, precise

pytestmark = pytest.mark.skipif(
    bool(np.finfo(np.longdouble).eps > 1e-18), reason="this machine has no extended precision"
)
LEVELS = {
    "ordinary": lambda: walk_of(1.0),
    "tiny": lambda: walk_of(1e-6),
    "huge": lambda: walk_of(1e8),
    "offset of 1e8": lambda: walk_of(1.0, 1e8),
    "constant 0.1": lambda: constant(0.1),
    "constant 1e-6": lambda: constant(1e-6),
    "constant 1e8": lambda: constant(1e8),
}
# These have a memory or need times: loops in test_extended and test_sessions are their references.
ELSEWHERE = {
    *("supertrend", "supertrend_direction", "vwap", "bars_since", "psar", "pivot_high", "pivot_low"),
    *("heikin_ashi_open", "heikin_ashi_high", "heikin_ashi_low", "vwap_upper", "vwap_lower", "session_open"),
    *("opening_range_high", "opening_range_low", "count", "value_when", "if"),
}


@functools.cache
def references(level: str) -> dict[str, Precise]:
    return precise(LEVELS[level]())


def test_none_is_left_out() -> None:
    named = {node.function for one in references("ordinary") if isinstance(node := tree(one), Call)}
    assert named | ELSEWHERE == {name for name, function in FUNCTIONS.items() if not function.condition}


@pytest.mark.parametrize("level", LEVELS)
def test_every_indicator_keeps_nine_digits(level: str) -> None:
    prices = LEVELS[level]()
    for expression, wanted in references(level).items():
        found = series(expression, prices)
        assert np.array_equal(np.isnan(found), np.isnan(wanted)), expression
        known = ~np.isnan(wanted)
        if not known.any():
            continue
        # Where an indicator crosses zero, nine digits of its usual size.
        usual = 0.01 * float(np.std(wanted[known].astype(float)))
        room = 1e-9 * np.maximum(np.abs(wanted[known]), usual)
        assert (np.abs(found[known] - wanted[known]) <= room).all(), expression
