"""Locales that are odd, missing or poor: every word still comes out, in the reader's language."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.langgraph_server import clean_environment
from tests.laws import some

LOCALES: dict[str, dict[str, str]] = {
    "unknown": {"LC_ALL": "xx_YY.UTF-8", "LANG": "xx_YY.UTF-8"},
    "empty": {"LC_ALL": "", "LANG": ""},
    "no name at all": {"LC_ALL": "; rm -rf /", "LANG": "\u00e9"},
    "C": {"LC_ALL": "C"},
    "C, and Python does not help": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "letters of 1987": {"LANG": "de_DE.ISO-8859-1", "LC_ALL": "de_DE.ISO-8859-1"},
    "ASCII alone": {"PYTHONIOENCODING": "ascii"},
    "ASCII alone, and strict": {"PYTHONIOENCODING": "ascii:strict"},
    "of Windows": {"PYTHONIOENCODING": "cp1252"},
    "parts that differ": {"LC_NUMERIC": "de_DE.UTF-8", "LC_CTYPE": "C", "LC_TIME": "tr_TR.UTF-8"},
}


FEW = ("C, and Python does not help", "ASCII alone, and strict")

COMMAND = [sys.executable, "-m", "threadx", "runs", "show", "r\u00e9sum\u00e9"]


@pytest.mark.parametrize("name", some(list(LOCALES), FEW))
def test_the_command_speaks_in_every_locale(name: str, tmp_path: Path) -> None:
    home = tmp_path / "donn\u00e9es"
    done = subprocess.run(
        [*COMMAND, "--home", str(home), "--language", "fr"],
        env={**clean_environment(), **LOCALES[name]},
        capture_output=True,
        check=False,
    )
    said = (done.stdout + done.stderr).decode("utf-8", "replace")
    assert (done.returncode, said.count("\n"), "Traceback" in said) == (2, 1, False), said
