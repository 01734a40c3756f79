"""Windows as our own packages see it, for every Python process that has this folder on PYTHONPATH.

Python imports a module of this name at its start. From then on imports in our packages find no POSIX-only
module, and no POSIX-only name in `os`, `signal`, `sys` and `subprocess`. What our code does with files meets
the rules of Windows: names without forbidden characters, and no replacing, renaming or removing of what this
process has open. Other packages keep the machine they run on: how they do on Windows is theirs to test.
"""

from __future__ import annotations

import builtins
import ntpath
import os
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PureWindowsPath
from types import FrameType, ModuleType
from typing import Any

from missing_on_windows import GONE, HIDDEN, OURS  # beside this file, which is on the path

BREAK = signal.SIGUSR1
"""In the place of Ctrl-Break, which ends a process that does not listen for it, too."""

FORBIDDEN = frozenset('<>:"|?*') | {chr(code) for code in range(32)}
SYSTEM = ("/dev", "/proc", "/sys")


def kill(pid: int, number: int) -> None:
    """`os.kill` as on Windows: an event of the console for a group of processes, or the end of one."""
    if number == 1:  # CTRL_BREAK_EVENT
        if os.getpgid(pid) != pid:
            raise OSError(22, "The parameter is incorrect", None, 87)
        os.killpg(pid, BREAK)
    elif number == 0:  # CTRL_C_EVENT, which a group of its own never hears
        return
    else:
        os.kill(pid, signal.SIGKILL)


def as_told(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a process: what Windows refuses is refused, its own flags are translated."""
    told = dict(options)
    if told.get("preexec_fn") is not None or told.get("pass_fds"):
        raise ValueError("preexec_fn and pass_fds are not supported on Windows platforms")
    told.pop("start_new_session", None)
    if told.pop("creationflags", 0) & 0x200:
        told["process_group"] = 0
    return told


class Popen(subprocess.Popen[bytes]):
    """A process started as on Windows."""

    def __init__(self, arguments: Any, **options: Any) -> None:
        super().__init__(arguments, **as_told(options))


def run(arguments: Any, **options: Any) -> Any:
    """`subprocess.run` as on Windows."""
    return subprocess.run(arguments, **as_told(options))


class View(ModuleType):
    """A module as our packages see it."""

    def __init__(self, module: ModuleType, **changed: Any) -> None:
        super().__init__(module.__name__)
        self.__dict__.update(changed)
        self.__dict__["_module"] = module

    def __getattr__(self, name: str) -> Any:
        module = self.__dict__["_module"]
        if name in GONE[module.__name__]:
            raise AttributeError(f"module {module.__name__!r} has no attribute {name!r} on Windows")
        return getattr(module, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.__dict__["_module"], name, value)


def views() -> dict[str, View]:
    """The modules that differ."""
    import socket  # noqa: PLC0415  # not at the start of every process
    import time  # noqa: PLC0415

    return {
        "os": View(os, name="nt", kill=kill),
        "signal": View(signal, SIGBREAK=BREAK, CTRL_C_EVENT=0, CTRL_BREAK_EVENT=1),
        "sys": View(sys, platform="win32"),
        "subprocess": View(subprocess, CREATE_NEW_PROCESS_GROUP=0x200, Popen=Popen, run=run),
        "time": View(time),
        "socket": View(socket),
    }


def ours(name: str) -> bool:
    """Whether a module is one of ours."""
    return name.partition(".")[0] in OURS


def hide(found: Mapping[str, View], real: Callable[..., ModuleType]) -> Callable[..., ModuleType]:
    """`__import__` that gives our packages what Windows would."""

    def importing(
        name: str,
        globals: Mapping[str, Any] | None = None,
        locals: Mapping[str, Any] | None = None,
        fromlist: Any = (),
        level: int = 0,
    ) -> ModuleType:
        spec = (globals or {}).get("__spec__")
        who = getattr(spec, "name", None) or (globals or {}).get("__name__") or ""
        if level == 0 and ours(str(who)):
            top = name.partition(".")[0]
            if top in HIDDEN:
                raise ModuleNotFoundError(f"No module named {top!r} on Windows", name=top)
            if name in found or (top in found and not fromlist):
                return found[top]
        return real(name, globals, locals, fromlist, level)

    return importing


def reserved(part: str) -> bool:
    """Whether Windows keeps a name for itself."""
    if hasattr(ntpath, "isreserved"):  # from Python 3.13 on
        return bool(ntpath.isreserved(part))
    return PureWindowsPath(part).is_reserved()


def forbidden(path: str) -> str | None:
    """The part of a path that Windows would not have as a name."""
    for part in Path(path).parts[1:] if path.startswith("/") else Path(path).parts:
        if part in (".", ".."):
            continue
        if FORBIDDEN & set(part) or part[-1] in " ." or reserved(part):
            return part
    return None


def opened(path: str) -> bool:
    """Whether this process has the file, or one below the folder, open or mapped."""
    whole = os.path.realpath(path)
    for number in os.listdir("/proc/self/fd"):
        try:
            held = os.readlink(f"/proc/self/fd/{number}")
        except OSError:
            continue
        if held == whole or held.startswith(f"{whole}/"):
            return True
    with open("/proc/self/maps", encoding="utf-8", errors="replace") as maps:
        return any(line.rstrip("\n").endswith(whole) or f" {whole}/" in line for line in maps)


IN_USE = "The process cannot access the file because it is being used by another process"
NOT_A_NAME = "The filename, directory name, or volume label syntax is incorrect"
LIBRARY = sysconfig.get_paths()["stdlib"]


def callers(frame: FrameType | None) -> Iterator[FrameType]:
    """The frames that lead here, the nearest first."""
    while frame is not None:
        yield frame
        frame = frame.f_back


def asked_by_us() -> bool:
    """Whether it is our own code that touches a file, by the standard library or by itself."""
    for frame in callers(sys._getframe(2)):
        file = frame.f_code.co_filename
        if (
            file == __file__
            or file.startswith("<frozen")
            or (LIBRARY in file and "site-packages" not in file)
        ):
            continue
        return ours(str(frame.f_globals.get("__name__", "")))
    return False


def busy(path: Any) -> PermissionError:
    """What Windows says of a file in use."""
    return PermissionError(13, IN_USE, path)


def refuse(event: str, given: tuple[Any, ...]) -> None:
    """Stop what Windows would stop; an audit hook."""
    match event:
        case "open":
            path, mode, flags = given
            if not isinstance(path, str | bytes):
                return
            made = (mode and set("wax+") & set(mode)) or (not mode and flags & os.O_CREAT)
            if not made:
                return
        case "os.mkdir" | "os.rename":
            path = given[0] if event == "os.mkdir" else given[1]
        case "os.remove" | "os.rmdir":
            path = given[0]
        case _:
            return
    path = os.fsdecode(path)
    if path.startswith(SYSTEM) or not asked_by_us():
        return
    if event in ("open", "os.mkdir", "os.rename") and (part := forbidden(path)):
        raise OSError(22, f"{NOT_A_NAME}: {part!r}", path)
    if event == "os.remove" and opened(path):
        raise busy(path)
    if event == "os.rename":
        source = os.fsdecode(given[0])
        if opened(source) or opened(path):
            raise busy(path)
        if os.path.isdir(path):
            raise PermissionError(13, "Access is denied", path)


_views = views()
builtins.__import__ = hide(_views, builtins.__import__)
sys.addaudithook(refuse)
