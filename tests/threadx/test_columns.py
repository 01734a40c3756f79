"""Tables at any width: nothing is broken, nothing is lost without a word; in a pipe, what `cut` expects."""

import io
import os
import re
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from prompts import Words
from record.record import RunRecord
from threadx.columns import GAP, fitted
from threadx.command import main
from threadx.terminal import Terminal

WORDS = st.text("abcdefgh", min_size=1, max_size=14)
CELLS = st.lists(WORDS, min_size=1, max_size=4).map(" ".join)


@st.composite
def tables(draw):
    """A head and rows of one to six columns, which of them are words, and which are spare."""
    columns = draw(st.integers(1, 6))
    row = st.lists(CELLS, min_size=columns, max_size=columns)
    words = draw(st.sets(st.integers(0, columns - 1)))
    spare = draw(st.lists(st.integers(1, columns - 1), unique=True)) if columns > 1 else []
    return draw(row), draw(st.lists(row, max_size=4)), words, spare


@given(tables(), st.integers(20, 120))
def test_what_fits_breaks_no_word_and_what_does_not_is_left_out_or_shortened(table, width):
    head, rows, words, spare = table
    found = fitted(head, rows, width, words_columns=words, spare=spare)
    if found is None:
        return
    assert sum(found.widths) + GAP * (len(found.widths) - 1) <= width
    assert sorted([*found.shown, *found.left_out]) == list(range(len(head)))
    assert found.left_out == tuple(sorted(spare[: len(found.left_out)]))
    shortened = 0
    for place, wide in zip(found.shown, found.widths, strict=True):
        cells = [row[place] for row in rows]
        if place in words and place:
            shortened += any(len(word) > wide for cell in [head[place], *cells] for word in cell.split())
        else:  # a figure, or the name of the row
            assert all(len(cell) <= wide for cell in cells)
    assert not shortened or len(found.left_out) == len(spare), "a word is shortened only after spare columns"


def made(width):
    """A terminal of some width that keeps what it is sent."""
    terminal = Terminal(Words("en"))
    terminal.out = Console(file=io.StringIO(), force_terminal=True, width=width, color_system=None)
    return terminal


def sent(terminal):
    return re.sub(r"\x1b\[[0-9;]*m", "", terminal.out.file.getvalue())


HEAD = ["Run", "Started", "Instrument", "Strategy", "Status", "Verdict", "Score"]
ROW = ["20260302-101500-gspc-ma_crossover-2", "2026-03-02", "^GSPC 1d", "ma_crossover", "interrupted"]
ROW += ["not proven", "12.34"]


def test_a_narrow_terminal_names_the_columns_it_leaves_out():
    terminal = made(80)
    terminal.columns(HEAD, [ROW], range(6), spare=(1, 3, 2))
    told = sent(terminal)
    assert ROW[0] in told
    assert {"interrupted", "12.34"} <= set(told.split())
    assert "left out at this width (80)" in " ".join(told.split())
    assert all(len(line) <= 80 for line in told.splitlines())
    wide = made(140)
    wide.columns(HEAD, [ROW], range(6), spare=(1, 3, 2))
    assert set(" ".join(ROW).split()) <= set(sent(wide).split())
    assert "left out" not in sent(wide)


def test_where_no_width_is_enough_each_cell_has_a_line():
    terminal = made(30)
    terminal.columns(HEAD, [ROW], range(6))
    lines = [line.split("  ", 1) for line in sent(terminal).splitlines() if line.strip()]
    assert [line[0].strip() for line in lines] == HEAD


@pytest.mark.parametrize("language", ["fr", "en"])
def test_a_pipe_gets_cells_between_tabs_and_figures_that_programs_read(tmp_path, language):
    given = ["sweep", "sample:sp500", "--grid", "fast_period=5:8", "--top", "3", "--language", language]
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8"}
    told = subprocess.run(
        [sys.executable, "-m", "threadx", *given, "--home", str(tmp_path)],
        capture_output=True,
        encoding="utf-8",
        env=environment,
        check=True,
    ).stdout
    head, *rows = [line.split("\t") for line in told.splitlines() if "\t" in line]
    assert len(rows) == 3
    assert {len(row) for row in rows} == {len(head)}
    assert head[0] == "fast_period"
    figures = [[float(cell) for cell in row] for row in rows]  # no thousands, no comma, no percent
    drawdown = head.index(Words(language)("report.metric.max_drawdown"))
    assert all(-1.0 < row[drawdown] < 0.0 for row in figures), "a fraction, not a percentage"


def test_the_list_of_runs_can_be_cut(tmp_path, capsys):
    record = RunRecord(tmp_path, "one")
    record.start({"graph": "optimization", "input": {"data": "sample:sp500"}, "context": {}})
    with pytest.raises(SystemExit):
        main(["runs", "list", "--home", str(tmp_path), "--language", "en"])
    head, row, *rest = capsys.readouterr().out.splitlines()
    assert (head.split("\t")[0], row.split("\t")[0], rest) == ("Run", "one", [""])
    assert row.split("\t")[-1] == "", "no score is an empty cell"
