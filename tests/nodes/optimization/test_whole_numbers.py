"""Parameters that are whole numbers are told and searched as whole numbers, in every preset."""

from __future__ import annotations

import re
from itertools import islice

import pytest

from backtest import PRESETS, BacktestError, StrategySpec
from nodes.errors import ChangeError
from nodes.optimization.changes import CHANGE, describe_change
from nodes.optimization.changes.base import SearchRange
from nodes.optimization.policies.changes import parameter_changes, risk_changes
from tests.evidence import evidence

NUMBER = re.compile(r"(?<![\w.,])[-−]?\d+(?:[.,]\d+)?")
LANGUAGES = ("fr", "en")


def specs():
    for name in PRESETS:
        spec = StrategySpec.preset(name)
        yield spec
        # A person's odd values: halves and doubles of them are what the rules search between.
        for step in (1, 3):
            moved = {key: value + step for key, value in spec.params.items() if spec.bounds()[key].integer}
            try:
                yield spec.evolve(params=moved)
            except BacktestError:
                continue


def told_numbers(change, spec, language):
    """Figures of a sentence, names aside."""
    sentence = describe_change(change, spec, language).replace("\u202f", "").replace("\u00a0", "")
    return [one.replace(",", ".").replace("−", "-") for one in NUMBER.findall(sentence.partition(":")[2])]


def searched(spec):
    """(change, name) of every range that rules propose, and of ranges as models write them."""
    known = evidence(spec)
    for changes in (parameter_changes(spec, known), risk_changes(spec, known)):
        for change, _ in islice(changes, 200):
            if isinstance(getattr(change, "value", None), SearchRange):
                yield change
    for name, bounds in spec.bounds().items():
        if not bounds.integer:
            continue
        for low, high in ((2.5, 10.5), (0.3, 47.9), (bounds.low - 0.5, bounds.high + 0.5)):
            value = {"low": low, "high": high}
            # Models name rules of risk and sizing there too, and are understood.
            given = {"kind": "param_adjustment", "parameter": name, "value": value}
            yield CHANGE.validate_python(given)


@pytest.mark.parametrize("language", LANGUAGES)
def test_whole_numbers_are_told_and_searched_as_such(language):
    walked = 0
    for spec in specs():
        bounds = spec.bounds()
        for change in searched(spec):
            name = getattr(change, "parameter", None) or change.method
            try:
                values = change.grid(spec)[name]
            except ChangeError:
                continue
            found = [float(one) for one in told_numbers(change, spec, language)[-2:]]
            # The sentence tells the ends of what is searched, no wider and no narrower.
            assert found == pytest.approx([values[0], values[-1]], rel=1e-3), (spec.name, change)
            if bounds[name].integer:
                walked += 1
                assert all(isinstance(one, int) for one in values)
                assert not [one for one in told_numbers(change, spec, language) if "." in one]
    assert walked > 100


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_range_that_is_refused_is_told_as_it_was_given(language):
    spec = StrategySpec.preset("ma_crossover")
    for name, low, high in (("moon_period", 2.5, 10.0), ("fast_period", -9.5, -2.5)):
        change = CHANGE.validate_python(
            {"kind": "param_adjustment", "parameter": name, "value": {"low": low, "high": high}}
        )
        assert [float(one) for one in told_numbers(change, spec, language)[-2:]] == [low, high]
