"""A strategy's file: what of it is run to have its classes, and what stands in them."""

from __future__ import annotations

import ast
import hashlib
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from traceback import extract_tb
from types import ModuleType
from typing import Any

from backtest.coded import populated, stepped
from backtest.coded.stand_ins import stand_ins
from backtest.errors import BacktestError, CodedError
from base.plain_files import read_plain
from base.reasons import ReasonError, because

LONGEST = 2**20
"""Bytes of a file."""

_DEFINED = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
_BINDING = ast.Assign | ast.AnnAssign | ast.AugAssign | ast.Import | ast.ImportFrom


@dataclass(frozen=True, slots=True)
class CodeFile:
    """A file that was read.

    Attributes:
        path: where it stands.
        text: its source.
        digest: SHA-256 of it and of the modules beside it that it imports, 8 hexadecimal digits.
        tree: its syntax.
        classes: its strategies, by name.
    """

    path: Path
    text: str
    digest: str
    tree: ast.Module
    classes: dict[str, type[Any]]

    def calls(self, method: str) -> list[ast.Call]:
        """Calls of a method of this name, wherever they stand."""
        return [
            node
            for node in ast.walk(self.tree)
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == method
        ]

    def named(self, function: str) -> list[ast.Call]:
        """Calls of a function of this name."""
        return [
            node
            for node in ast.walk(self.tree)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == function
        ]

    def reads(self, column: str) -> bool:
        """Whether a column of the prices is named in it."""
        for node in ast.walk(self.tree):
            named = node.value if isinstance(node, ast.Constant) else getattr(node, "attr", None)
            if isinstance(named, str) and named.lower() == column:
                return True
        return False


def read_file(path: Path) -> CodeFile:
    """Read a file and run its classes, functions, and the imports and values that these name; nothing else.

    Raises:
        CodedError: `strategy_unreadable`, `strategy_syntax`, `strategy_needs`, `strategy_raised`,
            `no_strategy_class`.
    """
    try:
        text = read_plain(path, LONGEST).decode("utf-8-sig")
        tree = ast.parse(text, filename=str(path))
    except SyntaxError as error:
        raise CodedError(
            "strategy_syntax", path=str(path), line=error.lineno or 1, reason=error.msg
        ) from None
    except (OSError, ValueError, ReasonError) as error:
        raise CodedError("strategy_unreadable", path=str(path), reason=because(error)) from None
    module = ModuleType(f"threadx_strategy_{hashlib.sha256(text.encode()).hexdigest()[:12]}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module  # dataclasses and the like look for it
    folder = str(path.resolve().parent)
    before = set(sys.modules)
    with running(path):
        sys.path.insert(0, folder)
        try:
            body = ast.Module(body=_definitions(tree), type_ignores=[])
            exec(compile(body, str(path), "exec"), module.__dict__)  # its reader's own code
        finally:
            sys.path.remove(folder)
        beside = _beside(Path(folder), set(sys.modules) - before)
    found = {
        name: one
        for name, one in vars(module).items()
        if isinstance(one, type)
        and one.__module__ == module.__name__
        and issubclass(one, stepped.Strategy | populated.IStrategy)
        and _is_whole(one)
    }
    if not found:
        raise CodedError("no_strategy_class", path=str(path))
    digest = hashlib.sha256(b"\x00".join([text.encode(), *beside])).hexdigest()[:8]
    return CodeFile(path, text, digest, tree, found)


def _is_whole(kind: type[Any]) -> bool:
    """Whether a class decides something itself, or by a parent of the file."""
    if issubclass(kind, stepped.Strategy):
        return kind.next is not stepped.Strategy.next
    whole = populated.IStrategy
    return issubclass(kind, whole) and kind.populate_entry_trend is not whole.populate_entry_trend


def _beside(folder: Path, names: Iterable[str]) -> list[bytes]:
    """Sources of modules that were imported from the file's own folder."""
    files = (getattr(sys.modules.get(name), "__file__", None) for name in sorted(names))
    paths = (Path(file).resolve() for file in files if file)
    return [
        path.read_bytes()
        for path in paths
        if path.suffix == ".py" and path.is_relative_to(folder) and "site-packages" not in path.parts
    ]


def _definitions(tree: ast.Module) -> list[ast.stmt]:
    """Classes and functions, and the imports and assignments that these use, in the order of the file.

    A script that ends with its own backtest is so taken in without it, and without what only that needs.
    """
    kept = {id(node) for node in tree.body if isinstance(node, _DEFINED | ast.Try)}
    used = _names(node for node in tree.body if isinstance(node, _DEFINED))
    while True:
        more = [
            node
            for node in tree.body
            if id(node) not in kept
            and isinstance(node, _BINDING)
            and (not (bound := _bound(node)) or bound & used)
        ]
        if not more:
            return [node for node in tree.body if id(node) in kept]
        kept |= {id(node) for node in more}
        used |= _names(more)


def _names(nodes: Iterable[ast.stmt]) -> set[str]:
    """Names that are read and that nothing around them binds: arguments and local names are none."""
    found: set[str] = set()
    for node in nodes:
        local = {one.arg for one in ast.walk(node) if isinstance(one, ast.arg)}
        parts = [one for one in ast.walk(node) if isinstance(one, ast.Name)]
        local |= {one.id for one in parts if isinstance(one.ctx, ast.Store) and isinstance(node, _DEFINED)}
        found |= {one.id for one in parts if isinstance(one.ctx, ast.Load)} - local
    return found


def _bound(node: ast.stmt) -> set[str]:
    """Names that a statement binds at its level; none are told of `import *` and of `__future__`."""
    match node:
        case ast.Import(names=names):
            return {one.asname or one.name.partition(".")[0] for one in names}
        case ast.ImportFrom(module=module, names=names):
            told = module != "__future__" and all(one.name != "*" for one in names)
            return {one.asname or one.name for one in names} if told else set()
        case ast.Assign(targets=targets):
            pass
        case _:
            targets = [node.target] if isinstance(node, ast.AnnAssign | ast.AugAssign) else []
    return {one.id for target in targets for one in ast.walk(target) if isinstance(one, ast.Name)}


@contextmanager
def running(path: Path) -> Iterator[None]:
    """A person's code runs within: what it raises is told as its own, with its line.

    Raises:
        CodedError: `strategy_needs`, `strategy_raised`.
    """
    try:
        with stand_ins(), redirect_stdout(sys.stderr):  # what it prints is no part of an answer
            yield
    except BacktestError:
        raise
    except ModuleNotFoundError as error:
        raise CodedError("strategy_needs", path=path.name, name=error.name or "?") from error
    except Exception as error:  # somebody's own code: whatever it raises is told as its own fault
        frames = extract_tb(error.__traceback__)
        own = [frame for frame in frames if Path(frame.filename).name == path.name]
        line = (own or frames)[-1].lineno or 0
        detail = f"{type(error).__name__}: {error}"[:300]
        raise CodedError("strategy_raised", path=path.name, line=line, detail=detail) from error
