"""What others add without a fork: packages by entry points, single files by the variable THREADX_PLUGINS.

A package names a module under the entry point `threadx.<kind>`; a file offers what its own names say. A room
asks for its kind when it is first imported, and only then is a plugin's code run. One that fails there is
kept with the reason, for `threadx doctor` and the record, and stops nothing else. What fails later, while it
works, is one error that names the plugin, the entry and the line (`guarded`).
"""

from __future__ import annotations

import ast
import hashlib
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field, fields, is_dataclass, replace
from functools import cache, wraps
from importlib import import_module, metadata
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from inspect import isfunction
from pathlib import Path
from traceback import extract_tb
from types import ModuleType
from typing import Any, Literal, TypeVar, cast

from base.entries import EntryError
from base.errors import TypedError, texts_added
from base.reasons import because

VARIABLE = "THREADX_PLUGINS"
"""Files, separated as in PATH."""

NAMED = "THREADX_NAMED_PLUGINS"
"""The same, of files that somebody names at the command, which sets it for itself and for its children."""

Kind = Literal["indicators", "providers", "agents", "changes", "stress", "strategies"]
Way = Literal["option", "variable", "package"]
NAMES: dict[str, Kind] = {
    "GROUP": "indicators",
    "PROVIDER": "providers",
    "AGENT": "agents",
    "CHANGE": "changes",
    "STRESS_TEST": "stress",
}
"""What a plugin's module defines, and the kind of registry that takes it."""

STRATEGY_METHODS = frozenset(("next", "populate_entry_trend"))
"""Methods by which a file of strategies is known (`backtest.coded`): it defines no name of ours."""

PREFIX, FAILED = "plugin ", "failed"
"""How versions on record name plugins, and one that could not be used."""

E = TypeVar("E")


class PluginError(TypedError):
    """A plugin cannot be used; the code says why."""

    room = "base"


@dataclass(slots=True)
class Plugin:
    """Something that others added.

    Attributes:
        name: of its file or its entry point.
        kind: what it adds.
        way: how it came, which decides how it is left out.
        path: of its file; of a package's module, once it is imported.
        imported: name of a package's module; empty for a file.
        version: of its package; empty for a file.
        digest: SHA-256 of its module's file, 12 hexadecimal digits.
        module: its code; None until it was asked for, and where it failed.
        adds: names of what it added.
        error: why it is not used; None where it is.
    """

    name: str
    kind: Kind | None
    way: Way
    path: Path | None = None
    imported: str = ""
    version: str = ""
    digest: str = ""
    module: ModuleType | None = None
    adds: list[str] = field(default_factory=list)
    error: PluginError | None = None

    def offer(self, name: str) -> Any:
        """What its module defines under a name.

        Raises:
            AttributeError: nothing.
        """
        return getattr(self.module, name)

    def refuse(self, error: Exception) -> None:
        """Leave it out, and keep why."""
        reason = because(error) if isinstance(error, OSError) else f"{type(error).__name__}: {error}"
        self.module = None
        self.error = self.fault("plugin_failed", detail=reason)

    def fault(self, code: str, **told: Any) -> PluginError:
        """An error of this plugin, with what can be done about it."""
        match self.way:
            case "option":
                remedy = PluginError("plugin_remedy_option", name=self.name)
            case "variable":
                remedy = PluginError("plugin_remedy_variable")
            case _:
                remedy = PluginError("plugin_remedy_package")
        return PluginError(code, name=self.name, remedy=remedy, **told)

    def wrong_values(self, entry: str, given: str, bars: int) -> PluginError:
        """An indicator of it gave something else than one value a bar."""
        return self.fault("plugin_wrong_values", entry=entry, given=given, bars=bars)

    def raised(self, error: Exception, entry: str) -> PluginError:
        """What one of its functions raised: the last line of its own code, else the last one at all."""
        frames = extract_tb(error.__traceback__)
        own = [frame for frame in frames if self.path is not None and Path(frame.filename) == self.path]
        last = (own or frames)[-1]
        return self.fault(
            "plugin_raised",
            entry=entry,
            kind=type(error).__name__,
            detail=str(error),
            line=last.lineno or 0,
            file=Path(last.filename).name,
        )


@cache
def _entry_points() -> tuple[tuple[metadata.EntryPoint, Kind], ...]:
    """Those of installed packages: to find them, the files of every package there is are read."""
    found = metadata.entry_points()
    return tuple((one, kind) for kind in NAMES.values() for one in found.select(group=f"threadx.{kind}"))


@cache
def plugins() -> tuple[Plugin, ...]:
    """Every plugin there is, none of them run yet; by kind and name."""
    found = [_packaged(entry, kind) for entry, kind in _entry_points()]
    named = dict.fromkeys(_files(NAMED))
    found += [_single(path, "option") for path in named]
    found += [_single(path, "variable") for path in _files(VARIABLE) if path.absolute() not in named]
    return tuple(sorted(found, key=lambda one: (one.kind or "", one.name)))


def offered(kind: Kind) -> list[Plugin]:
    """The plugins of a kind, their modules imported; those that fail are left out."""
    for plugin in plugins():
        if plugin.kind == kind and plugin.module is None and plugin.error is None:
            _import(plugin)
    return [plugin for plugin in plugins() if plugin.kind == kind and plugin.module is not None]


def with_plugins(
    kind: Kind,
    own: tuple[E, ...],
    collected: Callable[[tuple[E, ...]], Mapping[str, object]],
    texts: str | None = None,
) -> tuple[E, ...]:
    """Our entries, then those of plugins; one that does not fit is left out by name.

    Args:
        kind: of the entries.
        own: ours.
        collected: entries by name; raises where they do not fit together.
        texts: the room that what a plugin says (`TEXTS`, by language and key) is added to, if any.
    """
    (name,) = (name for name, one in NAMES.items() if one == kind)
    entries = own
    for plugin in offered(kind):
        said = getattr(plugin.module, "TEXTS", {})
        try:
            with nullcontext() if texts is None else texts_added(texts, said):
                entry: E = plugin.offer(name)
                added = [*collected((*entries, entry)).keys() - collected(entries).keys()]
        except (AttributeError, TypeError, ValueError, EntryError) as error:
            plugin.refuse(error)
            continue
        entries = (*entries, guarded(entry, plugin, ", ".join(added)))
        plugin.adds = added
    return entries


def guarded(given: E, plugin: Plugin, entry: str) -> E:
    """The same, but whatever its functions raise is one error that says whose they are.

    Args:
        given: a function; an entry, whose fields may be functions or entries; or a class of the plugin's own,
            whose methods are guarded in place.
        plugin: whose it is.
        entry: its name for a reader.

    Its functions raise PluginError `plugin_raised`, or the typed errors that they raise themselves.
    """
    if isinstance(given, type):
        package = given.__module__.partition(".")[0]
        for base in given.__mro__:
            for name, method in [*vars(base).items()]:
                if isfunction(method) and method.__module__.partition(".")[0] == package:
                    setattr(given, name, guarded(getattr(given, name), plugin, entry))
        return given
    if is_dataclass(given):
        parts = {one.name: getattr(given, one.name) for one in fields(given)}
        working = {
            name: guarded(part, plugin, entry)
            for name, part in parts.items()
            if not isinstance(part, type) and (callable(part) or is_dataclass(part))
        }
        return cast(E, replace(cast(Any, given), **working))
    function = cast("Callable[..., Any]", given)

    @wraps(function)
    def call(*arguments: Any, **named: Any) -> Any:
        try:
            return function(*arguments, **named)
        except TypedError:
            raise
        except Exception as error:  # somebody else's code: whatever it raises is told as its own fault
            raise plugin.raised(error, entry) from error

    return cast(E, call)


def in_use() -> dict[str, str]:
    """Version and digest of each plugin that takes part, by `plugin NAME`; what could not be used too."""
    for kind in NAMES.values():
        offered(kind)  # a package's digest is known only once it is imported
    return {
        f"{PREFIX}{one.name}": FAILED if one.error else f"{one.version} {one.digest}".strip()
        for one in plugins()
    }


def lost(then: Mapping[str, str], now: Mapping[str, str], prefix: str = PREFIX) -> list[tuple[str, bool]]:
    """(name, whether another one is there) of each plugin that took part then and is not the same now.

    Args:
        then: versions on record.
        now: versions in use.
        prefix: of the names that count.
    """
    return [
        (name.removeprefix(prefix), now.get(name, FAILED) != FAILED)
        for name, version in sorted(then.items())
        if name.startswith(prefix) and version not in (FAILED, now.get(name))
    ]


def _files(variable: str) -> list[Path]:
    return [Path(name) for name in os.environ.get(variable, "").split(os.pathsep) if name.strip()]


def _packaged(entry: metadata.EntryPoint, kind: Kind) -> Plugin:
    version = entry.dist.version if entry.dist is not None else ""
    return Plugin(name=entry.name, kind=kind, way="package", imported=entry.module, version=version)


def _single(path: Path, way: Way) -> Plugin:
    """A file: what it offers is read off its names, without running it."""
    plugin = Plugin(name=path.name, kind=None, way=way, path=path)
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        assigned = {
            target.id
            for node in tree.body
            if isinstance(node, ast.Assign | ast.AnnAssign)
            for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
            if isinstance(target, ast.Name)
        }
    except (OSError, ValueError, SyntaxError) as error:
        plugin.refuse(error)
        return plugin
    kinds = sorted(assigned & NAMES.keys())
    if not kinds and _has_strategy(tree):
        plugin.kind, plugin.digest = "strategies", _digest(path)
        return plugin
    if len(kinds) != 1:
        plugin.error = plugin.fault("plugin_offers_nothing", names=", ".join(NAMES))
        return plugin
    plugin.kind, plugin.digest = NAMES[kinds[0]], _digest(path)
    return plugin


def _has_strategy(tree: ast.Module) -> bool:
    """Whether a class decides as strategies of other libraries do."""
    return any(
        isinstance(method, ast.FunctionDef) and method.name in STRATEGY_METHODS
        for node in tree.body
        if isinstance(node, ast.ClassDef)
        for method in node.body
    )


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def _import(plugin: Plugin) -> None:
    try:
        plugin.module = _run(plugin.path) if plugin.path is not None else import_module(plugin.imported)
    except Exception as error:  # somebody else's code: whatever it raises is its own fault and nobody else's
        plugin.refuse(error)
        return
    if plugin.path is None and plugin.module.__file__ is not None:
        plugin.path = Path(plugin.module.__file__)
        plugin.digest = _digest(plugin.path)


def _run(path: Path) -> ModuleType:
    """A file's own module, whatever its ending; two files of one name are two modules."""
    name = f"threadx_plugin_{_digest(path)}"
    spec = spec_from_file_location(name, path, loader=SourceFileLoader(name, str(path)))
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
