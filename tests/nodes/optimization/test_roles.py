"""Roles are data that one frame runs: nobody else asks a model, and each is its prompt, schema and policy."""

import ast
from pathlib import Path

import pytest

from nodes.optimization.analyst import ANALYST
from nodes.optimization.evidence.block import SHARED
from nodes.optimization.single import SINGLE
from nodes.optimization.speak import SPEAK
from nodes.optimization.strategist import STRATEGIST
from nodes.optimization.validator import VALIDATOR
from prompts.prompt import _parts, placeholders
from prompts.texts import LANGUAGES

ROLES = (ANALYST, STRATEGIST, VALIDATOR, SPEAK, SINGLE)
CYCLE = Path(__file__).resolve().parents[3] / "nodes" / "optimization"


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_a_role_is_its_prompt_and_asks_for_nothing_that_it_is_not_shown(role):
    for language in LANGUAGES:
        own = set().union(*map(placeholders, _parts(f"optimization/{role.name}", language).values()))
        shared = set().union(*map(placeholders, _parts(SHARED, language).values()))
        assert {"prices", "lessons", "strategy", "figures", "history", "left_out"} <= shared
        assert not own & shared, "what all are shown stands before what a role is asked"
    assert (CYCLE / f"{role.name}.py").is_file()


def test_only_the_frame_asks_models_and_says_that_nothing_is_left():
    for path in sorted(CYCLE.rglob("*.py")):
        named = {
            alias.name
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        }
        assert path.name == "role.py" or not named & {"ask", "Question", "Exhausted"}, path.name
