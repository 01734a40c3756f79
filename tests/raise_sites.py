"""Every place in the code where a typed error is made, read off the source: class, code and fields."""

from __future__ import annotations

import ast
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path

from base.errors import TypedError

ROOT = Path(__file__).resolve().parents[1]
ROOMS = (
    "threadx",
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
)


@dataclass(frozen=True)
class Site:
    """One place.

    Attributes:
        place: file and line.
        kind: class of the error.
        code: its code; None where it is no literal, nor a parameter that callers in the file give as one.
        fields: names given, None among them for a mapping that cannot be read off.
        call: the source.
    """

    place: str
    kind: type[TypedError]
    code: str | None
    fields: frozenset[str | None]
    call: ast.Call


def texts() -> Iterator[tuple[Path, str]]:
    """Every file of the product."""
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            yield path, path.read_text(encoding="utf-8")


def sources() -> Iterator[tuple[Path, ast.Module]]:
    """The same, parsed."""
    for path, text in texts():
        yield path, ast.parse(text)


@cache
def kinds() -> dict[str, type[TypedError]]:
    """Every class of errors by its name. They stand in files named errors.py; one elsewhere is found too."""

    def below(kind: type[TypedError]) -> Iterator[type[TypedError]]:
        yield kind
        for one in kind.__subclasses__():
            yield from below(one)

    for path, text in texts():
        if path.name == "errors.py" or re.search(r"class \w+\([^)]*Error\b", text):
            import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    ours = (kind for kind in below(TypedError) if kind.__module__.partition(".")[0] in ROOMS)
    return {kind.__name__: kind for kind in ours}


def _name(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _literal(node: ast.expr | None) -> list[str]:
    """The codes that an argument can be: a text, or one of two."""
    match node:
        case ast.Constant(value=str(code)):
            return [code]
        case ast.IfExp(body=one, orelse=other) if _literal(one) and _literal(other):
            return _literal(one) + _literal(other)
        case _:
            return []


def _parameters(function: ast.FunctionDef) -> list[str]:
    names = [one.arg for one in function.args.args]
    return names[1:] if names[:1] in (["self"], ["cls"]) else names


def _calls_of(
    tree: ast.Module, function: ast.FunctionDef, name: str
) -> Iterator[tuple[str, frozenset[str | None]]]:
    """Codes that callers in the file give as parameter `name`, with the fields they add."""
    place = _parameters(function).index(name)
    own = set(_parameters(function))
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and _name(call) == function.name:
            by_name = {one.arg: one.value for one in call.keywords}
            given = by_name.get(name, call.args[place] if place < len(call.args) else None)
            for code in _literal(given):
                yield code, frozenset(one for one in by_name if one not in own)


def _calls(tree: ast.Module) -> Iterator[tuple[ast.Call, ast.FunctionDef | None]]:
    """Every call, with the innermost function around it."""
    left: deque[tuple[ast.AST, ast.FunctionDef | None]] = deque([(tree, None)])
    while left:
        node, owner = left.popleft()
        if isinstance(node, ast.Call):
            yield node, owner
        inner = node if isinstance(node, ast.FunctionDef) else owner
        left.extend((child, inner) for child in ast.iter_child_nodes(node))


@cache
def sites() -> tuple[Site, ...]:
    """Every place, in the order of files."""
    found: list[Site] = []
    for path, tree in sources():
        for call, owner in _calls(tree):
            if (kind := kinds().get(_name(call))) is None:
                continue
            place = f"{path.relative_to(ROOT).as_posix()}:{call.lineno}"
            fields = frozenset(keyword.arg for keyword in call.keywords)
            first = call.args[0] if call.args else None
            given: list[tuple[str | None, frozenset[str | None]]] = [
                (code, fields) for code in _literal(first)
            ]
            if isinstance(first, ast.Name) and owner is not None and first.id in _parameters(owner):
                given = [(code, (fields - {None}) | more) for code, more in _calls_of(tree, owner, first.id)]
            found += [Site(place, kind, code, names, call) for code, names in given or [(None, fields)]]
    return tuple(found)
