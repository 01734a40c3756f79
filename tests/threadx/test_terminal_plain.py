"""What a model, a file or a server wrote is text in a terminal: it colours, moves and rewrites nothing."""

import inspect
import io
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

import threadx
from prompts import Words
from threadx.plain import plain, say
from threadx.terminal import Terminal

HOSTILE = (
    "\x1b[2J\x1b[31mred\x1b]8;;http://evil.test\x07link\x1b]8;;\x07 \x9b1A \x08\x08 \r over \x00 "
    "\u202eturned\u202c [bold]loud[/bold] [link=http://evil.test]x[/link] openai:m: :smile: [/]"
)
OUR_OWN = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")
"""What the console itself sends: styles, and moves of the cursor for a spinner or a bar."""

SHOWN = (
    r"\x1b[2J\x1b[31mred\x1b]8;;http://evil.test\x07link\x1b]8;;\x07 \x9b1A \x08\x08 \x0d over \x00 "
    r"\u202eturned\u202c [bold]loud[/bold] [link=http://evil.test]x[/link] openai:m: :smile: [/]"
)


@pytest.fixture
def terminal():
    """A terminal that keeps what it is sent, as wide as the longest line."""
    made = Terminal(Words("en"))
    for name in ("out", "err"):
        console = Console(
            file=io.StringIO(), force_terminal=True, width=600, emoji=False, color_system="truecolor"
        )
        setattr(made, name, console)
    return made


def sent(terminal):
    """Everything it was sent, without the console's own sequences."""
    return OUR_OWN.sub("", terminal.out.file.getvalue() + terminal.err.file.getvalue())


def with_steps(terminal):
    with terminal.steps(HOSTILE) as done:
        done(HOSTILE)
        done.now(HOSTILE)


def with_progress(terminal):
    provenance = {
        "model": HOSTILE,
        "degraded": True,
        "attempts": [{"model": HOSTILE, "code": "unreachable", "outcome": "error"}],
    }
    read = {"quality_score": 1.0, "strengths": [HOSTILE], "weaknesses": []}
    with terminal.progress("home", 1) as watch:
        watch(
            {
                "id": "i01.analyst.answer",
                "kind": "answer",
                "node": "analyst",
                "iteration": 1,
                "time": "2026-01-01T00:00:00.000+00:00",
                "data": {"provenance": provenance, "answer": read},
            }
        )


WAYS = {
    "table": lambda t: t.table(HOSTILE, [HOSTILE], [[HOSTILE]], caption=HOSTILE),
    "checks": lambda t: t.checks(HOSTILE, [(True, HOSTILE, HOSTILE)]),
    "columns": lambda t: t.columns([HOSTILE], [[HOSTILE]]),
    "line": lambda t: t.line(HOSTILE),
    "lines": lambda t: t.lines([HOSTILE, f"## {HOSTILE}"]),
    "notice": lambda t: t.notice(
        {"code": "prices_changed", **dict.fromkeys(("name", "then", "now"), HOSTILE)}
    ),
    "home": lambda t: t.home(HOSTILE),
    "steps": with_steps,
    "progress": with_progress,
}
RESULTS = {"card", "optimization_result", "review_result", "waiting", "summary"}
"""Drawn by the ways above from whole results."""


def test_every_way_of_speaking_is_tried():
    public = {
        name for name, _ in inspect.getmembers(Terminal, inspect.isfunction) if not name.startswith("_")
    }
    assert public - RESULTS == set(WAYS)


@pytest.mark.parametrize("way", WAYS)
def test_words_of_others_are_words(terminal, way):
    WAYS[way](terminal)
    told = sent(terminal)
    assert [
        letter for letter in told if letter not in "\n\r" and (ord(letter) < 32 or letter in "\x9b\u202e")
    ] == []
    assert "openai:m:" in told
    assert SHOWN.partition(" over")[0] in told


def test_an_echoed_line_is_words(capsys):
    say(HOSTILE)
    say(HOSTILE, err=True)
    told = capsys.readouterr()
    assert told.out == told.err == SHOWN + "\n"


@given(st.text())
def test_no_control_character_is_left(text):
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", plain(text))
    assert plain("Ünïcode, 100 %\n\tas it stands — « ici »") == "Ünïcode, 100 %\n\tas it stands — « ici »"


def test_no_part_of_the_command_speaks_past_the_filter():
    """click and rich would take whatever they are given."""
    folder = Path(threadx.__file__).parent
    for path in [*folder.glob("*.py"), *folder.glob("work/*.py"), *folder.glob("commands/*.py")]:
        source = path.read_text(encoding="utf-8")
        if path.name != "plain.py":
            assert "click.echo(" not in source.replace("click.echo(drawn.decode(), nl=False)", ""), path
        if path.name != "terminal.py":
            # Before the rest is imported, and through the filter too.
            assert "Console(" not in re.sub(
                r"console = Console\(.*\n(.*\n){3}.*status\(plain\(", "", source
            ), path
