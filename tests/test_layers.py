"""Imports run one way between the rooms and inside them, and role files never import each other."""

import ast
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from record.events import EVENTS
from tests.windows import parsed

ROOT = Path(__file__).resolve().parents[1]
ALLOWED = {
    "threadx": {
        "graphs",
        "nodes",
        "feeds",
        "vault",
        "reports",
        "record",
        "backtest",
        "providers",
        "prompts",
        "base",
    },
    "graphs": {"nodes", "feeds", "vault", "reports", "record", "backtest", "providers", "prompts", "base"},
    "nodes": {"feeds", "vault", "reports", "record", "backtest", "providers", "prompts", "base"},
    "feeds": {"vault", "backtest", "base"},
    "vault": {"backtest", "base"},
    "reports": {"record", "backtest", "base"},
    "record": {"backtest", "base"},
    "backtest": {"base"},
    "providers": {"base"},
    "prompts": {"base"},
    "base": set(),
}
# Rooms inside a room, from the front to the back: none imports what stands before it.
INSIDE = {
    "backtest": ("validation", "coded", "engine", "statistics", "data", "kernels", "language", "cage"),
    "feeds": ("builders",),
    "nodes": ("ensemble", "optimization", "seam"),
    "nodes/optimization": ("policies", "trials", "evidence", "changes"),
    "nodes/ensemble": ("scores", "claims", "operation", "policies"),
    "threadx": ("work", "scorecard", "jobs", "audit", "web"),
}
FILES = sorted(path for room in ALLOWED for path in (ROOT / room).rglob("*.py"))


@cache
def imports(path):
    return [*imported(parsed(path), path)]


def imported(tree, path):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module


def files_used(path):
    """Files of ours that one imports, at its top, inside a function, for types alone or by name."""
    told = []
    for node in ast.walk(parsed(path)):
        match node:
            case ast.ImportFrom(module=module, names=names):
                told += [module, *(f"{module}.{alias.name}" for alias in names)]
            case ast.Import(names=names):
                told += [alias.name for alias in names]
            case ast.Call(func=ast.Name("import_module"), args=[ast.Constant(str(name))]):
                told.append(name)
    return {file for name in told if (file := ROOT / f"{name.replace('.', '/')}.py").exists()}


def test_no_file_comes_back_to_itself():
    TopologicalSorter({path: files_used(path) for path in FILES}).prepare()  # names the circle it finds


@pytest.mark.parametrize("name", ["debate", "ensemble", "optimization", "review"])
def test_a_graph_is_read_from_top_to_bottom_at_once(name):
    assert len((ROOT / "graphs" / f"{name}.py").read_text(encoding="utf-8").splitlines()) <= 150


@pytest.mark.parametrize("room", ALLOWED)
def test_imports_run_one_way(room):
    wrong = {}
    for path in (path for path in FILES if path.relative_to(ROOT).parts[0] == room):
        ours = {name.partition(".")[0] for name in imports(path)} & ALLOWED.keys()
        if not ours - {room} <= ALLOWED[room]:
            wrong[path.relative_to(ROOT).as_posix()] = ours - {room} - ALLOWED[room]
    assert wrong == {}


@pytest.mark.parametrize(
    ("room", "inner"), [(room, inner) for room, order in INSIDE.items() for inner in order]
)
def test_rooms_inside_a_room_have_an_order(room, inner):
    before = INSIDE[room][: INSIDE[room].index(inner)]
    package = room.replace("/", ".")
    files = sorted((ROOT / room / inner).rglob("*.py"))
    assert files
    for path in files:
        wrong = {name for name in imports(path) for other in before if name.startswith(f"{package}.{other}.")}
        assert not wrong, path.relative_to(ROOT)


def test_pages_use_nothing_of_the_room_that_starts_them():
    for path in sorted((ROOT / "threadx" / "web").glob("*.py")):
        others = {name for name in imports(path) if name.partition(".")[0] == "threadx"}
        assert not {name for name in others if not name.startswith("threadx.web")}, path.name


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


def test_kinds_of_events_are_classes_outside_the_room_of_records():
    """Nobody compares, matches or looks up a kind as a string: `record.events` alone knows their names."""
    kinds = {kind for kind, _ in EVENTS}
    found = []
    for path in FILES:
        if path.parent == ROOT / "record":
            continue
        for node in ast.walk(parsed(path)):
            match node:
                case ast.Compare(left=left, comparators=others):
                    asked, told = [left, *others], [left, *others]
                case ast.Match(subject=subject, cases=cases):
                    asked = [subject]
                    parts = [part for case in cases for part in ast.walk(case.pattern)]
                    told = [part for part in parts if isinstance(part, ast.MatchValue)]
                case ast.Subscript(value=ast.Name("event"), slice=ast.Constant("kind" | "data")):
                    found.append(f"{path.relative_to(ROOT)}:{node.lineno}")
                    continue
                case _:
                    continue
            words = {part.value for one in told for part in ast.walk(one) if isinstance(part, ast.Constant)}
            if kinds & words and any("event" in ast.unparse(one) for one in asked):
                found.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert found == []
