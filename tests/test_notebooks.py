"""Each notebook's script runs from top to bottom, as a reader runs it."""

import runpy
from pathlib import Path

import pytest

SCRIPTS = sorted((Path(__file__).resolve().parents[1] / "notebooks").glob("*.py"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_the_script_runs_and_shows_what_it_promises(script):
    shown = runpy.run_path(str(script))
    assert len(shown["changes"]) == len(shown["result"].applied_changes) > 0
    assert {"development", "holdout"} == set(shown["figures"].columns)
