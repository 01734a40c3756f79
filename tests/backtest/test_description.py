"""How long a function is as a description, what a gain pays for, and which part of it is for nothing."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backtest.cage.breeding import combined, mutated
from backtest.cage.compiled import interpreted
from backtest.cage.description import NEEDLESS, bits, gain, simpler, worth
from backtest.cage.errors import CodeError
from backtest.cage.honesty import needed, values_of
from backtest.cage.source import read_source
from nodes.optimization.policies.grammar import (
    LEAVES,
    MEMORIES,
    QUANTITIES,
    TRIGGERS,
    menu,
    strategy,
    template,
)
from nodes.optimization.trials.archive import pays
from tests.caged import HONEST, function, looped
from tests.caged import NEEDLESS as FOR_NOTHING
from tests.laws import cases

WRITTEN = sorted(
    [template(memory, quantity) for memory in MEMORIES for quantity in QUANTITIES]
    + [strategy(leave, trigger) for leave in LEAVES for trigger in TRIGGERS]
)
functions = st.sampled_from(WRITTEN).map(read_source)

CROSSING = function(
    "out = np.full(len(close), np.nan)\n"
    "for t in range(slow, len(close)):\n"
    "    above = np.mean(close[t - fast + 1 : t + 1]) > np.mean(close[t - slow + 1 : t + 1])\n"
    "    was = np.mean(close[t - fast : t]) > np.mean(close[t - slow : t])\n"
    "    out[t] = above and not was\n"
    "return out",
    "close, fast: (2, 50) = 12, slow: (51, 200) = 60",
)
NEW_LOW = looped(
    "if t >= period:\n    out[t] = close[t] < np.min(low[t - period : t])",
    "low, close, period: (2, 100) = 14",
)


def test_the_length_of_a_small_function_by_hand():
    """120 things may stand at a place; three own or given names and one more make two bits a name."""
    body = "out = high - low\nreturn out"  # assignment, out; difference, high, low; return, out: seven parts
    assert bits(read_source(function(body, "high, low")), 2) == pytest.approx(7 * math.log2(120) + 2 * 2)


@pytest.mark.parametrize(
    ("source", "least", "most"),
    [
        (NEW_LOW, 1, 2),
        (CROSSING, 1, 2),
        *((one, 1, 2) for one in HONEST),
        *((one, 2, 5) for one in WRITTEN[:3]),
    ],
)
def test_a_condition_written_out_is_worth_one_or_two(source, least, most):
    assert least <= worth([read_source(source)], 2_500) <= most


@settings(max_examples=20, deadline=None)
@given(functions, functions, st.integers(10, 100_000))
def test_what_is_known_is_told_by_a_reference(one, other, bars):
    alone = bits(one, bars)
    assert bits(one, bars, [one]) < 0.3 * alone
    assert bits(one, 4 * bars) == pytest.approx(alone + len(one.parameters)), "a bit for each parameter"
    child = read_source(mutated(one, np.random.default_rng(bars)))
    assert bits(child, bars, [one]) < 0.5 * bits(child, bars)
    if (text := combined(one, other, "sum")) is not None and one.places == other.places:
        both = read_source(text)
        assert bits(both, bars) > alone
        assert (
            worth([one, other, both], bars)
            <= worth([one, other], bars) + worth([both], bars, [one, other]) + 1
        )


def test_a_function_of_a_list_that_was_there_before_is_told_by_its_number():
    """One of 37, or none of them, is log2 38 bits; a model's own text is told whole, and so is paid for."""
    assert len(menu()) == len(WRITTEN) == 37
    for one in menu():
        free = 0.5 * math.log2(2_500) * len(one.parameters)
        assert bits(one, 2_500, menu()) == pytest.approx(math.log2(38) + free)
        assert worth([one], 2_500, menu()) == 0 < worth([one], 2_500)
    assert worth([read_source(CROSSING)], 2_500, menu()) == worth([read_source(CROSSING)], 2_500)


def test_a_child_asks_for_no_price_that_it_does_not_read():
    one = read_source(template("drift", "gap"))
    assert one.inputs == ("open", "close")
    children = {read_source(mutated(one, np.random.default_rng(seed))).inputs for seed in range(60)}
    assert {("close",), ("close", "low"), ("open", "close", "high")} <= children


@settings(max_examples=8, deadline=None)
@given(functions)
def test_names_and_words_are_free(one):
    told = re.sub(r'"""[^"]*"""', '"""Said otherwise, and longer."""', one.text)
    told = re.sub(r"\busual\b", "something_else_altogether", told).replace(one.name, "another_name")
    assert bits(read_source(told), 500) == bits(one, 500)


@given(st.floats(-20.0, 20.0), st.floats(-20.0, 20.0), st.floats(-20.0, 20.0))
def test_gains_add_up_and_losses_are_no_evidence(one, other, third):
    assert gain(one, other) + gain(other, third) == pytest.approx(gain(one, third), abs=1e-9)
    assert gain(-abs(one), -abs(other)) == 0.0


@pytest.mark.parametrize(
    ("challenger", "champion", "length", "expected"),
    [
        # Against nothing t = 2 is 2.885 bits: t² / (2 ln 2).
        (2.0, 0.0, 2, True),
        (2.0, 0.0, 3, False),
        (2.0, -5.0, 3, False),
        (4.0, 3.0, 5, True),
        (4.0, 3.0, 6, False),
        (1.0, 2.0, 0, False),
    ],
)
def test_a_bit_of_gain_pays_for_a_condition(challenger, champion, length, expected):
    assert pays(challenger, champion, length) is expected


# -- parts that are for nothing


def refusal(text: str) -> CodeError | None:
    source = read_source(text)
    try:
        needed(
            source,
            lambda prices, values: values_of(
                source, interpreted(source), prices.columns(source.inputs), values
            ),
        )
    except CodeError as error:
        return error
    return None


IDLE = {
    "a branch that is never taken": looped(
        "if t > 5 and close[t] > 0.0:\n    out[t] = close[t] / close[t - 5]\n"
        "elif t > 50:\n    out[t] = close[t] / np.mean(close[t - 50 : t]) - np.max(close[t - 20 : t])"
    ),
    "a condition that always holds": looped(
        "if t > 20 and (close[t] > 0.0 or np.max(close[t - 20 : t]) > 2.0 * np.min(close[t - 20 : t])):\n"
        "    out[t] = close[t] / close[t - 5]"
    ),
    "a share too small to matter": FOR_NOTHING,
}


@pytest.mark.parametrize("text", IDLE.values(), ids=IDLE)
def test_a_quarter_that_is_for_nothing_is_named(text):
    error = refusal(text)
    assert error is not None
    assert error.code == "needless"
    assert error.fields["percent"] >= 100 * NEEDLESS
    assert error.fields["correlation"] > 0.99
    assert 3 < error.fields["line"] <= text.count("\n")


@pytest.mark.parametrize(
    "text",
    [*HONEST, template("drift", "place"), strategy("tired", "surge")],
    ids=lambda one: one.split("(")[0].split()[-1],
)
def test_what_serves_is_left(text):
    assert refusal(text) is None


@settings(max_examples=cases(5), deadline=None)
@given(functions)
def test_a_simpler_function_is_shorter_and_asks_for_nothing_new(one):
    for saved, line, shorter in simpler(one):
        assert saved == pytest.approx(1.0 - bits(shorter, 2) / bits(one, 2))
        assert saved >= NEEDLESS
        assert {*shorter.inputs} <= {*one.inputs}
        assert {*shorter.parameters} <= {*one.parameters}
        assert 1 <= line <= one.text.count("\n")
