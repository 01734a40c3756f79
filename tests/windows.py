"""Windows played on this machine: the environment for processes, and the rules that source text must keep.

What is played is told in `tests/as_windows/sitecustomize.py`; processes that are started from one take part.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.as_windows.missing_on_windows import GONE, HIDDEN, OURS
from tests.langgraph_server import PROJECT, clean_environment

MODES = frozenset("rwaxbt+")
PLAYED = PROJECT / "tests" / "as_windows"
PORTABLE = (
    *(
        "threadx/web/processes.py",
        "threadx/console.py",
        "base/files.py",
        "base/bounded_child.py",
        "base/heap.py",
        "base/job_objects.py",
    ),
    *("base/children.py", "base/cores.py", "backtest/cage/child.py", "backtest/cage/trying.py"),
    *("benchmarks/memory.py", "benchmarks/under_fire.py"),
)
"""The files that know how systems differ; what they do elsewhere is named under a test of `sys.platform`."""


def windows(**settings: str) -> dict[str, str]:
    """The environment of a process on Windows, whose pipes speak the code page of French machines."""
    path = os.pathsep.join((str(PLAYED), str(PROJECT)))
    played = {"PYTHONPATH": path, "PYTHONIOENCODING": "cp1252", "LANGSMITH_TRACING": "false"}
    return clean_environment(**{**played, **settings})


@cache
def parsed(path: Path) -> ast.Module:
    """The tree of a file, read once for all who look at it."""
    return ast.parse(path.read_text(encoding="utf-8"))


def sources(*folders: str) -> list[Path]:
    """Every Python file below folders of the project."""
    return sorted(path for folder in folders for path in (PROJECT / folder).rglob("*.py"))


def _is_text(mode: ast.expr | None) -> bool:
    return mode is None or (isinstance(mode, ast.Constant) and "b" not in str(mode.value))


def _named(call: ast.Call) -> dict[str | None, ast.expr]:
    return {one.arg: one.value for one in call.keywords}


def unencoded(tree: ast.AST) -> Iterator[int]:
    """Lines that read or write text in whatever encoding the machine has."""
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call):
            continue
        named, given = _named(call), call.args
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        match name:
            case "open" if isinstance(call.func, ast.Name):  # open(path, mode)
                text = _is_text(named.get("mode", given[1] if len(given) > 1 else None))
            case "open":  # path.open(mode); other people's `open` takes no such word first
                first = named.get("mode", given[0] if given else None)
                word = first is None or (
                    isinstance(first, ast.Constant) and set(f"{first.value}") <= set("rwaxbt+")
                )
                text = len(given) < 2 and word and _is_text(first)
            case "fdopen" | "NamedTemporaryFile" | "TemporaryFile":
                mode = named.get("mode", given[-1] if given and name == "fdopen" and len(given) > 1 else None)
                text = _is_text(mode) and (mode is not None or name == "fdopen")
            case "read_text":
                text = not given
            case "write_text":
                text = len(given) < 2
            case "run" | "Popen" | "check_output":
                text = "text" in named or "universal_newlines" in named
            case "FileHandler":
                text = True
            case _:
                continue
        if text and "encoding" not in named:
            yield call.lineno


def posix_only(tree: ast.AST) -> Iterator[str]:
    """Names that Windows does not have, each as `line: name`."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                found = [one.name for one in names if one.name.partition(".")[0] in HIDDEN]
            case ast.ImportFrom(module=str(module), names=names) if module in HIDDEN:
                found = [module]
            case ast.ImportFrom(module=str(module), names=names):
                found = [f"{module}.{one.name}" for one in names if one.name in GONE.get(module, ())]
            case ast.Attribute(value=ast.Name(id=module), attr=name) if name in GONE.get(module, ()):
                found = [f"{module}.{name}"]
            case ast.keyword(arg="preexec_fn" | "pass_fds" as name):
                found = [name]
            case _:
                continue
        yield from (f"{getattr(node, 'lineno', 0)}: {name}" for name in found)


__all__ = ["OURS", "PORTABLE", "parsed", "posix_only", "sources", "unencoded", "windows"]
