"""Code of others: what is read, what is refused and why, and that what is accepted is what it says."""

from __future__ import annotations

import ast
import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from backtest.cage import histories
from backtest.cage.compiled import compiled
from backtest.cage.errors import CodeError
from backtest.cage.honesty import values_of
from backtest.cage.source import read_source
from backtest.cage.trying import LIMITS, examine
from backtest.engine.adopted import entries_of
from backtest.engine.likeness import known_positions, require_new
from base import bounded
from base.bounded import Limits
from base.errors import catalogue
from tests.caged import HONEST, READ, RUN, SIGNALS, function, looped, valued

ROOT = Path(__file__).resolve().parents[2]


def refused(source: str) -> CodeError:
    with pytest.raises(CodeError) as caught:
        read_source(source)
    return caught.value


@pytest.mark.parametrize("attempt", READ, ids=lambda one: one.name)
def test_the_syntax_tree_is_enough_to_refuse(attempt):
    error = refused(attempt.source)
    assert error.code == attempt.code
    for language in ("fr", "en"):
        assert error.sentence(language)


def test_reading_imports_no_compiler():
    """What is refused by its syntax is refused at once: numba alone takes longer to import than that."""
    code = "import sys, backtest.cage.source; sys.exit('numba' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_the_corpus_is_as_large_as_it_is_said_to_be():
    names = [one.name for one in (*READ, *RUN)]
    assert len(names) == len(set(names)) >= 120
    reasons = {one.code for one in (*READ, *RUN)}
    said = catalogue("code", "en").keys()
    assert {f"error.{code}" for code in reasons} <= said


@pytest.mark.parametrize("source", HONEST, ids=lambda one: one.split("(")[0].split()[-1])
def test_what_a_person_would_write_is_read(source):
    found = read_source(source)
    assert found.inputs
    assert found.about.endswith(".")
    again = read_source(source.replace("\n    for", "\n\n    # a comment\n    for").replace("\n", "\r\n"))
    assert again.hash == found.hash


def test_the_reading_of_names_bounds_and_docstring():
    found = read_source(
        "def tilt(high, close, period: (2, 50) = 10, share: (-0.5, 0.5) = 0.0):\n"
        '    """Tilt\n    of bars.\n\n    More."""\n'
        "    out = high - share * close\n    out[period] = 0.0\n    return out\n"
    )
    assert (found.name, found.about, found.inputs) == ("tilt", "Tilt of bars.", ("high", "close"))
    assert [(one.name, one.low, one.high, one.default, one.whole) for one in found.parameters] == [
        ("period", 2, 50, 10, True),
        ("share", -0.5, 0.5, 0.0, False),
    ]


# -- compiled here: what holds in every process


def ran(source: str, bars: int = 300, **values: float) -> np.ndarray:
    """What a function gives on a walk, run in this process without any trial."""
    read = read_source(source)
    history = histories.walk(bars)
    return values_of(read, compiled(read), history.columns(read.inputs), values)


def test_what_is_computed_is_what_is_written():
    """The same lines run by Python itself give the same values."""
    read = read_source(HONEST[2])
    names = {"np": np, "math": math}
    exec(compile(ast.Module([read.tree], []), "<reference>", "exec"), names)
    history = histories.walk(300)
    expected = names[read.name](history.close, history.volume, 50)
    assert np.isnan(expected[:50]).all()
    np.testing.assert_allclose(ran(HONEST[2], period=50), expected, rtol=1e-12)


ENDS = (
    # (lines of a loop, what stops it): neither a compiler's gap nor an overflow may let it on.
    ("for k in range(-m, m):\n    out[t] = 1.0", "too_much_work"),
    ("for k in range(m, -m):\n    out[t] = 1.0", None),
    ("for k in range(0, -m - m - m, -1):\n    out[t] = 1.0", "too_much_work"),
    ("out[t] = np.sum(close[-m : m])", "too_much_work"),
    ("out[t] = close[m]", "outside_array"),
    ("out[t] = close[-m]", "outside_array"),
    ("out[int(m * 1e9)] = 1.0", None),
    ("out[t] = close[int(np.nan)] + close[int(m * np.inf)]", None),
)


@pytest.mark.parametrize(("lines", "code"), ENDS, ids=[lines for lines, _ in ENDS])
def test_what_ends_and_what_stays_inside_does_so_in_every_process(lines, code):
    source = looped(f"m = 9007199254740991 * 1000 + 0 * t\n{lines}")
    if code is None:
        assert ran(source, bars=20).size == 20
        return
    with pytest.raises(CodeError) as caught:
        ran(source, bars=20)
    assert caught.value.code == code


def test_honest_and_useless_work_ends_within_its_allowance():
    """Ten thousand steps a bar pass, a few more do not."""
    source = looped(
        "total = 0.0\nfor k in range(step):\n    total += close[t]\nout[t] = total",
        "close, step: (1, 20000) = 1",
    )
    assert np.isfinite(ran(source, step=9_000)).all()
    with pytest.raises(CodeError) as caught:
        ran(source, step=20_000)
    assert caught.value.code == "too_much_work"


# -- examined in a process of its own


@pytest.mark.posix
@pytest.mark.parametrize("attempt", RUN, ids=lambda one: one.name)
def test_what_can_only_be_seen_by_running_it(attempt):
    with pytest.raises(CodeError) as caught:
        examine(attempt.source)
    assert caught.value.code == attempt.code
    for language in ("fr", "en"):
        assert caught.value.sentence(language)


@pytest.mark.posix
@pytest.mark.parametrize("source", HONEST, ids=lambda one: one.split("(")[0].split()[-1])
def test_an_honest_function_is_examined_and_its_warm_up_measured(source):
    found = examine(source)
    assert (found.measured["price_power"], found.measured["volume_power"]) == (0, 0)
    read = found.source
    whole = {one.name: int(one.default) for one in read.parameters if one.whole}
    (entry,) = entries_of(read, found.measured, "person")
    for values in (whole, {name: 33 for name in whole}):
        known = ~np.isnan(ran(source, bars=400, **values))
        assert entry.bars(*values.values()) == known.argmax()


@pytest.mark.posix
def test_signals_are_those_that_are_written_and_a_known_strategy_is_told_so():
    found = examine(SIGNALS)
    assert found.source.functions == ("attempt_entry_long", "attempt_exit_long")
    names = {"np": np, "math": math}
    exec(SIGNALS, names)
    entries, exits = names["attempt"](histories.walk().close, 20)
    np.testing.assert_array_equal(found.values, np.array([entries, exits], dtype=float))
    held = np.zeros(len(entries))
    for bar in range(len(held)):
        held[bar] = 1.0 if entries[bar] else 0.0 if exits[bar] else held[bar - 1] if bar else 0.0
    known, most = require_new(found)
    every = dict(known_positions(found, histories.walk()))
    assert most < 0.99
    assert most == pytest.approx(abs(np.corrcoef(held, every[known])[0, 1]))
    cross = function(
        "entry = np.zeros(len(close))\nexit = np.zeros(len(close))\n"
        "for t in range(slow, len(close)):\n"
        "    above = np.mean(close[t - fast + 1 : t + 1]) > np.mean(close[t - slow + 1 : t + 1])\n"
        "    was = np.mean(close[t - fast : t]) > np.mean(close[t - slow : t])\n"
        "    entry[t] = above and not was\n    exit[t] = was and not above\n"
        "return entry, exit",
        "close, fast: (2, 50) = 12, slow: (51, 200) = 60",
    )
    with pytest.raises(CodeError) as caught:
        require_new(examine(cross))
    assert caught.value.fields["known"] == "ma_crossover(12, 60)"


@pytest.mark.posix
def test_a_function_that_is_known_under_another_name_is_told_so():
    average = looped("if t >= 19:\n    out[t] = np.sum(close[t - 19 : t + 1]) / 20.0")
    for source, known in ((average, "sma(close, 20)"), (HONEST[0], "williams_r(20)")):
        with pytest.raises(CodeError) as caught:
            require_new(examine(source))
        assert caught.value.code == "duplicate"
        assert known in caught.value.fields["known"]
    nearest, correlation = require_new(examine(HONEST[2]))
    assert nearest != "–"
    assert correlation < 0.99


@pytest.mark.posix
def test_the_process_can_neither_open_nor_write_nor_read_our_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("THREADX_SECRET", "ours")
    told = json.loads(
        bounded.run("tests.caged_child", "try_everything", {"path": str(tmp_path / "x")}, limits=LIMITS)
    )
    assert set(told.pop("environment")) <= {"LC_CTYPE", "PYTHONPATH"}  # Python sets the first one itself
    assert told == {"open": "EMFILE", "socket": "EMFILE", "written": 0, "folder": "/"}
    assert not (tmp_path / "x").exists() or (tmp_path / "x").stat().st_size == 0


@pytest.mark.posix
def test_who_takes_too_much_of_the_processor_is_killed():
    limits = Limits(seconds=600.0, processor=0.02, memory=1024**3, sealed=True)
    with pytest.raises(CodeError) as caught:
        examine(valued("close[t]"), limits)
    assert caught.value.code == "ended"
    assert caught.value.fields["reason"].code == "child_time"


def test_a_system_without_limits_refuses_new_code(monkeypatch):
    monkeypatch.setattr("sys.platform", "win32")
    with pytest.raises(CodeError) as caught:
        examine(HONEST[0])
    assert caught.value.code == "no_cage"
