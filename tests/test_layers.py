"""Imports run one way between the rooms, and role files never import each other."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ALLOWED = {
    "threadx": {"base", "web", "graphs", "nodes", "backtest", "prompts", "providers", "market", "reports"},
    "web": {"base", "graphs", "nodes", "backtest", "prompts", "providers", "market", "reports"},
    "graphs": {"base", "nodes", "backtest", "prompts", "providers", "market", "reports"},
    "nodes": {"base", "backtest", "prompts", "providers", "market", "reports"},
    "market": {"base", "backtest"},
    "reports": {"base", "backtest"},
    "backtest": {"base"},
    "prompts": {"base"},
    "providers": {"base"},
    "base": set(),
}
FILES = sorted(path for room in ALLOWED for path in (ROOT / room).rglob("*.py"))


def imports(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_run_one_way(path):
    room = path.relative_to(ROOT).parts[0]
    ours = {name.partition(".")[0] for name in imports(path)} & ALLOWED.keys()
    assert ours - {room} <= ALLOWED[room]


@pytest.mark.parametrize(
    ("folder", "roles"),
    [
        ("nodes/optimization", {"analyst", "strategist", "validator", "speak"}),
        ("nodes/ensemble", {"technical", "macro", "sentiment", "quality", "arbiter"}),
    ],
)
def test_role_files_do_not_import_each_other(folder, roles):
    package = folder.replace("/", ".")
    for role in sorted(roles):
        others = {f"{package}.{other}" for other in roles - {role}}
        assert not others & set(imports(ROOT / folder / f"{role}.py"))
