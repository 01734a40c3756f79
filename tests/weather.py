"""The command in bad weather: full disks, closed outputs, odd places, odd environments. POSIX alone.

    python -m tests.weather FOLDER [--large]        prints a JSON line for each case

Everything is imported once; each case is a forked child with descriptors, environment, limits and user of its
own, so that it is a real process and costs little.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import re
import resource
import shutil
import signal
import stat
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from tests.partitions import AS_OF, fill
from tests.prices import made_up_prices
from threadx.command import COMMANDS as GROUPS
from threadx.command import main

ENOUGH_SECONDS = 40
NOBODY = 65534
RULES = [part for role in ("analyst", "strategist", "validator") for part in (f"--{role}", "rules")]
SHORT = ["--max-iterations", "1", "--search", "single", *RULES]

COMMANDS: dict[str, list[str]] = {
    "backtest": ["backtest", "PRICES"],
    "sweep": ["sweep", "PRICES", "-g", "fast_period=3,5"],
    "optimize": ["optimize", "PRICES", *SHORT, "--run", "new"],
    "review": ["review", "PRICES", *RULES, "--run", "new"],
    "check": ["data", "check", "PRICES"],
    "forecast": ["data", "forecast", "BASE/folder", "--as-of", "2025-01-30T12"],
    "summary": ["ensemble", "run", "--as-of", AS_OF.isoformat(), "--models", "rules"],
    "backfill": [
        *("ensemble", "backfill", "--from", "2024-03-14T13"),
        *("--to", "2024-03-14T14"),
    ],
    "history": ["ensemble", "history"],
    "document": ["ensemble", "report"],
    "list": ["runs", "list"],
    "show": ["runs", "show", "done"],
    "report": ["runs", "report", "done"],
    "rechecked": ["runs", "check", "done"],
    "replay": ["runs", "replay", "done"],
    "resume": ["runs", "resume", "done"],
    "help": ["--help"],
    "version": ["--version"],
}
"""A call of each command; PRICES, HOME and BASE stand for the case's own."""

WRITERS = ("backtest", "sweep", "optimize", "review", "forecast", "summary", "backfill")
SHORT_PLACES = ("a file", "locked", "very long", "with NUL", "surrogate", "a link to itself")
"""Where a home lies that the short walk tries."""

FAST = ("backtest", "check", "list", "summary")


@dataclass(frozen=True)
class Case:
    """One command in one weather.

    Attributes:
        name: of both.
        arguments: of the command.
        codes: exit codes that are right.
        told: what the line on standard error has in it, where there has to be one.
        environment: variables set, or None to take one away.
        out, err: `kept`, `closed`, `gone` (a pipe that nobody reads), `full` (a device without room).
        before: makes the weather, in the child.
        after: looks at what is left; says what is wrong with it.
        plain_user: whether the child gives up being root.
    """

    name: str
    arguments: list[str]
    codes: tuple[int, ...] = (0,)
    told: str | None = None
    environment: dict[str, str | None] = field(default_factory=dict)
    out: str = "kept"
    err: str = "kept"
    before: Callable[[Path], None] | None = None
    after: Callable[[Path, str], str | None] | None = None
    plain_user: bool = False


# What the weather is made of


def limited(size: int) -> Callable[[Path], None]:
    """No file may grow beyond `size` bytes."""

    def before(_: Path) -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return before


def placed(make: Callable[[Path], None]) -> Callable[[Path], None]:
    """`BASE/place` is made."""
    return lambda base: make(base / "place")


def locked(path: Path) -> None:
    """A folder that nobody may write to."""
    path.mkdir(exist_ok=True)
    path.chmod(0o555)


def reads_nothing(path: Path) -> None:
    """A file that nobody may read."""
    path.write_text("time,open,high,low,close,volume\n", encoding="utf-8")
    path.chmod(0)


def drained(path: Path) -> None:
    """A pipe with a reader, which keeps what it reads beside it."""
    os.mkfifo(path)
    if os.fork() == 0:
        os.closerange(0, 1024)
        signal.alarm(ENOUGH_SECONDS)
        kept = path.with_suffix(".read").open("wb")
        with path.open("rb") as stream:
            shutil.copyfileobj(stream, kept)
        kept.close()
        os._exit(0)


def read_by_somebody(path: Path) -> str:
    """What the reader of the pipe got."""
    kept = path.with_suffix(".read")
    for _ in range(500):
        if kept.is_file() and kept.stat().st_size:
            return kept.read_text(encoding="utf-8", errors="replace")
        time.sleep(0.01)
    return ""


def is_still(kind: Callable[[int], bool]) -> Callable[[Path, str], str | None]:
    """`BASE/place` is what it was."""

    def after(base: Path, _: str) -> str | None:
        return None if kind((base / "place").lstat().st_mode) else "the place is another thing now"

    return after


def linked(base: Path, _: str) -> str | None:
    """The link stands, and what it points to has the text."""
    if not (base / "place").is_symlink():
        return "the link is replaced"
    return None if (base / "behind").read_bytes() else "nothing went through the link"


def piped(base: Path, _: str) -> str | None:
    """The pipe stands, and its reader has the text."""
    if not stat.S_ISFIFO((base / "place").lstat().st_mode):
        return "the pipe is replaced"
    return None if read_by_somebody(base / "place") else "nothing went through the pipe"


def on_standard_output(_: Path, out: str) -> str | None:
    """Standard output has the JSON, and `/dev/stdout` is a link as before."""
    if not Path("/dev/stdout").is_symlink():
        return "/dev/stdout is replaced"
    try:
        json.loads(out[min(out.index(mark) for mark in ("\n{", "\n[") if mark in out) :])
    except ValueError:
        return "no JSON on standard output"
    return None


# Cases


def cases(large: bool) -> Iterator[Case]:
    """Every case; without `large` those that find a fault of each kind."""
    yield from _outputs(large)
    yield from _environments(large)
    yield from _homes(large)
    yield from _data(large)
    yield from _files(large)
    yield from _limits(large)


def _outputs(large: bool) -> Iterator[Case]:
    names = tuple(COMMANDS) if large else ("list", "help")
    for name in names:
        given = COMMANDS[name]
        yield Case(f"{name} | gone", given, (0, 141), out="gone")
        yield Case(f"{name} > full", given, (1,), "plein", out="full")
        yield Case(f"{name} >&-", given, (1,), "sortie standard", out="closed")
        yield Case(f"{name} 2>&-", given, err="closed")
    for name in names if large else ("list",):
        given = COMMANDS[name]
        yield Case(f"{name} 2> gone", given, (0, 2, 141), err="gone")
        yield Case(f"{name} 2> full", given, (0, 1, 2), err="full")
        yield Case(f"{name} >&- 2>&-", given, (1,), out="closed", err="closed")
    for name in ("backtest", "list", "summary") if large else ("list",):
        given = [*COMMANDS[name], "--json", "-"]
        yield Case(f"{name} --json - | gone", given, (0, 141), out="gone")
        yield Case(f"{name} --json - > full", given, (1,), "plein", out="full")
        yield Case(f"{name} --json - >&-", given, (1,), "sortie standard", out="closed")
    yield Case("bad usage 2>&-", ["runs", "show", "nobody"], (2,), err="closed")
    yield Case("bad usage 2> full", ["runs", "show", "nobody"], (2,), err="full")
    yield Case("bad usage 2> gone", ["runs", "show", "nobody"], (2,), err="gone")


def _environments(large: bool) -> Iterator[Case]:
    nowhere = {"HOME": "/nonexistent", "XDG_DATA_HOME": None, "THREADX_HOME": None}
    odd: list[tuple[str, dict[str, str | None], tuple[int, ...], str | None]] = [
        ("TMPDIR missing", {"TMPDIR": "/nonexistent/tmp"}, (0,), None),
        ("HOME unset", {"HOME": None}, (0,), None),
        ("HOME empty", {"HOME": ""}, (0,), None),
        (
            "nothing but PATH",
            {**dict.fromkeys(os.environ, None), "XDG_DATA_HOME": "BASE/share"},
            (0, 2),
            None,
        ),
        ("language xx", {"THREADX_LANGUAGE": "xx"}, (2,), "xx"),
        ("language empty", {"THREADX_LANGUAGE": ""}, (0,), None),
        ("home empty", {"THREADX_HOME": "", "XDG_DATA_HOME": "BASE/share"}, (0, 2), None),
        ("home of nobody known", {"THREADX_HOME": "~no-such-user/x"}, (2,), "no-such-user"),
        ("variable misspelt", {"THREADX_HOMES": "x"}, (2,), "THREADX_HOMES"),
        ("columns odd", {"COLUMNS": "0", "LINES": "x"}, (0,), None),
        ("columns negative", {"COLUMNS": "-5", "TERM": "dumb"}, (0,), None),
        ("columns no number", {"COLUMNS": "wide", "NO_COLOR": "1"}, (0,), None),
        ("time zone odd", {"TZ": "Mars/Olympus"}, (0,), None),
    ]
    for name in FAST if large else ("list",):
        for label, environment, codes, told in odd:
            yield Case(f"{name}: {label}", COMMANDS[name], codes, told, environment=environment)
    if not large:
        return
    yield Case("check: no home at all", COMMANDS["check"], (0,), environment=nowhere, plain_user=True)
    yield Case("list: no home at all", COMMANDS["list"], (0, 2), environment=nowhere, plain_user=True)
    yield Case(
        "backtest: no home at all",
        COMMANDS["backtest"],
        (2,),
        "/nonexistent",
        environment=nowhere,
        plain_user=True,
    )


def _homes(large: bool) -> Iterator[Case]:
    places: list[tuple[str, str, Callable[[Path], None] | None, str]] = [
        ("a file", "BASE/prices.csv", None, "prices.csv"),
        ("under a file", "BASE/prices.csv/x/y", None, "prices.csv"),
        ("locked", "BASE/place", placed(locked), "place"),
        ("under locked", "BASE/place/x/y", placed(locked), "place"),
        ("very long", "BASE/" + "x" * 300, None, "xxx"),
        ("deep", "BASE/" + "x/" * 3000, None, "x/x"),
        ("of nobody known", "~no-such-user/x", None, "no-such-user"),
        ("with NUL", "BASE/a\0b", None, "a"),
        ("surrogate", "BASE/a\udcff", None, "a?"),
        ("a device", "/dev/null", None, "/dev/null"),
        ("a link to itself", "BASE/place", placed(lambda path: path.symlink_to(path)), "place"),
        ("a broken link", "BASE/place", placed(lambda path: path.symlink_to("/nonexistent/x")), "place"),
        ("a pipe", "BASE/place", placed(os.mkfifo), "place"),
    ]
    names = [name for name in COMMANDS if name not in ("help", "version", "check")]
    for name in names if large else ("backtest", "list"):
        for label, home, before, told in places:
            if not large and label not in SHORT_PLACES:
                continue
            codes: tuple[int, ...] = (2,)
            line: str | None = told
            if name not in WRITERS and label in ("locked", "under locked", "a broken link"):
                # A home that is not there yet is empty for those who only read.
                codes, line = (0, 1, 2), None
            yield Case(
                f"{name}: home {label}",
                [*COMMANDS[name], "--home", home],
                codes,
                line,
                before=before,
                plain_user=True,
            )
        yield Case(f"{name}: home relative", [*COMMANDS[name], "--home", "some/where"], (0, 2))


def _data(large: bool) -> Iterator[Case]:
    places: list[tuple[str, str, Callable[[Path], None] | None, str]] = [
        ("a folder", "BASE/folder", None, "dossier"),
        ("a folder named .csv", "BASE/place.csv", lambda base: (base / "place.csv").mkdir(), "dossier"),
        ("a pipe", "BASE/place.csv", lambda base: os.mkfifo(base / "place.csv"), "place.csv"),
        ("a device", "/dev/zero", None, "/dev/zero"),
        ("nothing", "/dev/null", None, "/dev/null"),
        ("not readable", "BASE/place.csv", lambda base: reads_nothing(base / "place.csv"), "place.csv"),
        ("nowhere", "/no/such/place/x.csv", None, "/no/such/place/x.csv"),
        ("empty", "BASE/place.csv", lambda base: (base / "place.csv").touch(), "vide"),
        ("white", "BASE/place.csv", lambda base: (base / "place.csv").write_bytes(b"\n \n"), "vide"),
        ("very long", "BASE/" + "x" * 300 + ".csv", None, "xxx"),
        ("with NUL", "BASE/a\0b.csv", None, "a"),
        ("of nobody known", "~no-such-user/x.csv", None, "no-such-user"),
        ("a link to itself", "BASE/place.csv", lambda b: (b / "place.csv").symlink_to(b / "place.csv"), "pl"),
        ("no text", "", None, ""),
        ("surrogate", "BASE/a\udcff.csv", None, "csv"),
    ]
    for name in ("backtest", "check", "sweep", "optimize", "review") if large else ("check",):
        for label, data, before, told in places:
            given = [data if part == "PRICES" else part for part in COMMANDS[name]]
            yield Case(f"{name}: data {label}", given, (2,), told, before=before, plain_user=True)
    for label, data, before, told in places:
        if label in ("a folder", "a folder named .csv", "empty", "white", "surrogate", "no text"):
            continue
        if not large and label not in ("not readable", "with NUL"):
            continue
        given = ["optimize", "PRICES", *SHORT, "--strategy-file", data]
        yield Case(f"strategy file {label}", given, (2,), told, before=before, plain_user=True)
        if large:
            given = ["data", "news", data]
            yield Case(f"news {label}", given, (1, 2), told, before=before, plain_user=True)
            given = ["data", "macro", data]
            yield Case(f"macro data {label}", given, (1, 2), told, before=before, plain_user=True)
            given = ["data", "forecast", data]
            yield Case(f"forecast prices {label}", given, (1, 2), told, before=before, plain_user=True)
            given = ["ensemble", "run", "--as-of", AS_OF.isoformat(), "--models", "rules", "--data", data]
            yield Case(f"summary data {label}", given, (1, 2), told, before=before, plain_user=True)


def _files(large: bool) -> Iterator[Case]:
    options = {
        "backtest --json": [*COMMANDS["backtest"], "--json"],
        "backtest --picture": [*COMMANDS["backtest"], "--picture"],
        "list --json": [*COMMANDS["list"], "--json"],
        "report --out": [*COMMANDS["report"], "--out"],
        "document --out": [*COMMANDS["document"], "--out"],
        "summary --json": [*COMMANDS["summary"], "--json"],
        "sweep --out": [*COMMANDS["sweep"], "--out"],
        "sweep --json": [*COMMANDS["sweep"], "--json"],
        "show --json": [*COMMANDS["show"], "--json"],
        "history --json": [*COMMANDS["history"], "--json"],
        "check --json": [*COMMANDS["check"], "--json"],
        "optimize --json": [*COMMANDS["optimize"], "--json"],
    }
    for name, given in options.items():
        if not large and name not in ("list --json", "sweep --out"):
            continue
        ending = {"backtest --picture": ".svg", "sweep --out": ".parquet"}.get(name, "")

        def at(place: str, given: list[str] = given) -> list[str]:
            return [*given, f"{place}"]

        place = f"BASE/place{ending}"
        yield Case(f"{name} a folder", at(place), (2,), "place", before=_with(ending, Path.mkdir))
        missing = f"BASE/missing/place{ending}"
        yield Case(f"{name} in no folder", at(missing), (2,), "missing")
        locked_place = f"BASE/place/x{ending}"
        yield Case(
            f"{name} in a locked folder",
            at(locked_place),
            (2,),
            "place",
            before=placed(locked),
            plain_user=True,
        )
        yield Case(f"{name} with NUL", at(f"BASE/a\0b{ending}"), (2,), "a")
        yield Case(f"{name} very long", at("BASE/" + "x" * 300 + ending), (2,), "xxx")
        if ending == "":
            yield Case(f"{name} /dev/null", at("/dev/null"), after=_null)
            yield Case(f"{name} /dev/full", at("/dev/full"), (1,), "/dev/full", after=_full)
            yield Case(f"{name} a pipe", at("BASE/place"), before=placed(drained), after=piped)
            if "json" in name:
                yield Case(f"{name} /dev/stdout", at("/dev/stdout"), after=on_standard_output)
        if ending != ".parquet":

            def link(base: Path, ending: str = ending) -> None:
                (base / f"place{ending}").symlink_to(base / "behind")
                (base / "behind").touch()

            def through(base: Path, _: str, ending: str = ending) -> str | None:
                if not (base / f"place{ending}").is_symlink():
                    return "the link is replaced"
                return None if (base / "behind").read_bytes() else "nothing went through the link"

            yield Case(f"{name} a link", at(place), before=link, after=through)


def _with(ending: str, make: Callable[[Path], Any]) -> Callable[[Path], None]:
    return lambda base: make(base / f"place{ending}")


def _null(_: Path, __: str) -> str | None:
    return None if stat.S_ISCHR(os.stat("/dev/null").st_mode) else "/dev/null is replaced"


def _full(_: Path, __: str) -> str | None:
    return None if stat.S_ISCHR(os.stat("/dev/full").st_mode) else "/dev/full is replaced"


def _limits(large: bool) -> Iterator[Case]:
    names = ("backtest", "sweep", "optimize", "review", "summary", "backfill", "forecast", "replay", "report")
    sizes = (0, 1, 100, 1_000, 4_096, 5_000, 10_000, 20_000, 40_000, 80_000, 200_000)
    for name in names if large else ("summary",):
        for size in sizes if large else (0, 5_000):
            # Enough for some: then all is well.
            yield Case(f"{name}: files of {size} bytes", COMMANDS[name], (0, 1, 2), before=limited(size))


# One case


@dataclass(frozen=True)
class Seen:
    """What a case came to."""

    code: int
    out: str
    err: str
    left: str | None


def prepare(base: Path, large: bool) -> None:
    """Prices and a home; `large`: with a finished run and a published hour. All imports are done."""
    frame = made_up_prices(400, cycle=0.05)
    base.mkdir(parents=True, exist_ok=True)
    frame.to_csv(base / "prices.csv")
    (base / "folder").mkdir()
    made_up_prices(400, frequency="1D").to_csv(base / "folder" / "ABC.csv")
    fill(base / "home")
    os.environ["THREADX_HOME"] = str(base / "home")
    for name in ("optimize", "summary") if large else ():
        given = [str(base / "prices.csv") if part == "PRICES" else part for part in COMMANDS[name]]
        given = ["done" if part == "new" else part for part in given]
        _quietly(given)
    for path in (Path(__file__).parents[1] / "threadx" / "work").glob("*.py"):
        import_module(f"threadx.work.{path.stem}")
    for name in GROUPS:
        import_module(f"threadx.commands.{name}")
    if large:
        _quietly(["runs", "report", "done"])
        _quietly(["runs", "replay", "done"])
    _quietly(["runs", "list"])


def _quietly(arguments: list[str]) -> None:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()) as err:
        try:
            main(arguments)
        except SystemExit as left:
            if left.code:
                raise RuntimeError(arguments, err.getvalue()) from left


def _opened(how: str, kept: int) -> int | None:
    match how:
        case "kept":
            return kept
        case "full":
            return os.open("/dev/full", os.O_WRONLY)
        case "gone":
            reader, writer = os.pipe()
            os.close(reader)
            return writer
        case _:
            return None


def walk(case: Case, prepared: Path, base: Path) -> Seen:
    """Run one case in a folder of its own."""
    base.mkdir(parents=True)
    shutil.copytree(prepared, base, dirs_exist_ok=True)
    base.chmod(0o777)
    if case.plain_user and os.getuid() == 0:
        for folder, _, names in os.walk(base):
            os.chown(folder, NOBODY, NOBODY)
            for name in names:
                os.chown(os.path.join(folder, name), NOBODY, NOBODY)
    pipes = [os.pipe(), os.pipe()]
    if (child := os.fork()) == 0:
        _child(case, base, [writer for _, writer in pipes])
    for _, writer in pipes:
        os.close(writer)
    with ThreadPoolExecutor(2) as pool:
        texts = pool.map(_whole, [reader for reader, _ in pipes])
        status = _waited(child)
        out, err = texts
    left = case.after(base, out) if case.after else None
    return Seen(os.waitstatus_to_exitcode(status), out, err, left)


def _whole(descriptor: int) -> str:
    with open(descriptor, encoding="utf-8", errors="replace") as stream:
        return stream.read()


def _waited(child: int) -> int:
    timer = threading.Timer(ENOUGH_SECONDS, lambda: os.kill(child, signal.SIGKILL))
    timer.start()
    status = os.waitpid(child, 0)[1]
    timer.cancel()
    return status


def _child(case: Case, base: Path, writers: list[int]) -> None:
    """Never returns."""
    code = 99
    try:
        os.setpgid(0, 0)
        os.chdir(base)
        if case.plain_user and os.getuid() == 0:
            os.setgid(NOBODY)
            os.setuid(NOBODY)
        if case.before:
            case.before(base)
        os.environ["THREADX_HOME"] = str(base / "home")
        for name, value in case.environment.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = _placed(value, base)
        streams: list[Any] = []
        for number, how in enumerate((case.out, case.err), start=1):
            descriptor = _opened(how, writers[number - 1])
            if descriptor is None:
                os.close(number)
                streams.append(None)
            else:
                os.dup2(descriptor, number)
                streams.append(os.fdopen(number, "w", -1 if number == 1 else 1, encoding="utf-8"))
        for writer in writers:
            os.close(writer)
        sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__ = streams
        code = _main([_placed(part, base) for part in case.arguments])
    finally:
        os._exit(code)


def _placed(part: str, base: Path) -> str:
    if part == "PRICES":
        return str(base / "prices.csv")
    return part.replace("BASE", str(base)) if part.startswith("BASE") else part


def _main(arguments: list[str]) -> int:
    """The command as an interpreter runs it, with what it says at its end."""
    code = 0
    try:
        main(arguments)
    except SystemExit as left:
        code = left.code if isinstance(left.code, int) else 1
    except BaseException:
        code = 1
        if sys.stderr is not None:
            with contextlib.suppress(OSError):
                traceback.print_exc()
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError as error:
        code = 120
        if sys.stderr is not None:
            with contextlib.suppress(OSError):
                sys.stderr.write(f"Exception ignored: {error!r}\n")
    with contextlib.suppress(OSError, AttributeError):
        sys.stderr.flush()
    return code


_UNCLEAR = re.compile(r"Traceback|Exception ignored|Error\(|[A-Z]\w+Error\b|Errno|\bException\b")


def wrong(case: Case, seen: Seen) -> str | None:
    """What is wrong with what was seen; None where all is well."""
    if seen.code not in case.codes:
        return f"exit code {seen.code} and not {case.codes}"
    if _UNCLEAR.search(seen.err) or "Traceback" in seen.out:
        return "no clear line"
    last = seen.err.strip().splitlines()[-1:] or [""]
    if seen.code in (1, 2) and case.err == "kept" and not last[0]:
        return "nothing is said"
    if case.told and seen.code in (1, 2) and case.err == "kept" and case.told not in seen.err:
        return f"nothing is said of {case.told!r}"
    return seen.left


def main_walk() -> None:
    """Walk every case, and print what each came to."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--only", default="")
    given = parser.parse_args()
    failed = 0
    given.folder.mkdir(parents=True, exist_ok=True)
    given.folder.chmod(0o755)
    prepared = given.folder.absolute() / "prepared"
    prepare(prepared, given.large)
    for number, case in enumerate(cases(given.large)):
        if given.only not in case.name:
            continue
        base = given.folder.absolute() / f"case{number}"
        seen = walk(case, prepared, base)
        problem = wrong(case, seen)
        failed += problem is not None
        told = {"case": case.name, "code": seen.code, "wrong": problem, "err": seen.err[-1500:]}
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()
        for folder, _, _ in os.walk(base):
            os.chmod(folder, 0o777)
        shutil.rmtree(base)
    if given.large and failed:
        sys.exit(1)


if __name__ == "__main__":
    main_walk()
