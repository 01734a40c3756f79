"""Runs at once through the server while processes are killed, files damaged, disks full and clocks wrong.

    python -m benchmarks.under_fire [--minutes 10] [--runs 50] [--seed 1] [--pause 4]

Waves of runs (one in five a review, one in four asks a model that answers after its deadline, one in ten is
begun by the command) go to `langgraph dev`. Every few seconds a blow falls, drawn by the seed: SIGKILL of
the server, of a child of its or of a command; no room left in the data folder; the data folder read-only; the
clock ahead or behind by seconds to a year; a database (checkpoints, answers, ledger) or a Parquet file
damaged in one of the ways of `tests.damage`. What is interrupted is taken up by `threadx runs resume`, after
`threadx doctor --repair` where a file is said to be damaged, and after the price file is given again where
that is asked for. When the time is over the server stays untouched, everything is taken up to its end, and
what must hold is counted; memory is measured last, of one server over rounds of runs whose threads are
deleted.

A full disk and a folder read-only need root on Linux (a small file system is mounted), a wrong clock a C
compiler on Linux (a library before libc); elsewhere they are left out, and the first line says so.

Exit code 0 when every invariant holds.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import itertools
import json
import os
import platform
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import httpx
import psutil
from langgraph_sdk import get_sync_client
from langgraph_sdk.errors import LangGraphError

from base.errors import TypedError
from record.record import RunRecord
from record.run_view import RunView
from tests import answers, conftest, damage
from tests.langgraph_server import Server, clean_environment, langgraph_server
from tests.openai_server import Scripted, openai_server
from tests.prices import made_up_prices
from threadx.api import replay
from threadx.repairing import examine
from threadx.web import processes

LATE_SECONDS = 6.0
DEADLINE = "local=1,first=1,idle=1,loading=1"
"""Two seconds: the first token of one's own server gets the time of loading too."""
COMMANDS_AT_ONCE = 3
UNTOUCHED_SECONDS = 25.0
"""A server may work for so long before it is killed: it needs as long to start."""
LASTS_SECONDS = 3.0
MOST_TRIES = 60
"""Of a run, before it is lost."""
DISK_MIB = 256
JUMPS_SECONDS = (-86_400 * 30, -3_600, -61, 61, 3_600, 86_400 * 400)
DAMAGED = {
    "checkpoints": "checkpoints.sqlite",
    "cache": "llm_cache.sqlite",
    "ledger": "ledger.sqlite",
    "Parquet": "datasets/*.parquet",
}
GROWN_MIB = 1.0
"""What a run may leave behind in the server's memory, once it has had its first ones."""

_CLOCK = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>

static volatile long long *ahead;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("CLOCK_AHEAD");
    int file = path ? open(path, O_RDONLY) : -1;
    void *found = file < 0 ? MAP_FAILED : mmap(0, sizeof *ahead, PROT_READ, MAP_SHARED, file, 0);
    if (found != MAP_FAILED) ahead = found;
}

int clock_gettime(clockid_t which, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int failed = real(which, now);
    int wall = which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE;
    if (!failed && ahead && wall) now->tv_sec += *ahead;
    return failed;
}

int gettimeofday(struct timeval *now, void *zone) {
    struct timespec told;
    int failed = clock_gettime(CLOCK_REALTIME, &told);
    now->tv_sec = told.tv_sec;
    now->tv_usec = told.tv_nsec / 1000;
    return failed;
}

time_t time(time_t *now) {
    struct timespec told;
    clock_gettime(CLOCK_REALTIME, &told);
    if (now) *now = told.tv_sec;
    return told.tv_sec;
}
"""


def _typed(kind: type[TypedError] = TypedError) -> Iterator[str]:
    """Names of the errors that are sentences."""
    for one in kind.__subclasses__():
        yield one.__name__
        yield from _typed(one)


@dataclass
class Fire:
    """What burns, and what was seen of it.

    Attributes:
        folder: where the server works and the data folder lies.
        runs: at once.
        seed: of the blows.
        pause: seconds from one blow to the next, about.
        settings: further environment of every process of ours.
        server: the one that answers now; None while none does.
        ended: no server is needed any more.
        working: processes of commands.
        seen: blows, and what became of questions.
        wrong: what no process may say, by the invariant that it breaks.
        struck: files of the data folder that a blow has damaged.
    """

    folder: Path
    runs: int
    seed: int
    pause: float
    settings: dict[str, str] = field(default_factory=dict)
    server: Server | None = None
    answers_since: float = 0.0
    ended: threading.Event = field(default_factory=threading.Event)
    working: list[subprocess.Popen[bytes]] = field(default_factory=list)
    room: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(COMMANDS_AT_ONCE))
    seen: Counter[str] = field(default_factory=Counter)
    wrong: dict[str, list[str]] = field(default_factory=dict)
    struck: set[str] = field(default_factory=set)
    begun: float = field(default_factory=time.monotonic)

    @property
    def home(self) -> Path:
        """The data folder."""
        return self.folder / "home"

    @property
    def prices(self) -> Path:
        """What every run reads; a server reads nothing outside its data folder."""
        return self.home / "TEST_1h.csv"

    @cached_property
    def clock(self) -> Path | None:
        """Eight bytes: seconds that everybody's clock is ahead; None where no clock can be set."""
        compiler = shutil.which("cc") or shutil.which("gcc")
        if sys.platform != "linux" or compiler is None:
            return None
        (self.folder / "clock.c").write_text(_CLOCK, encoding="utf-8")
        library = self.folder / "clock.so"
        command = [compiler, "-shared", "-fPIC", "-O1", "-o", library, self.folder / "clock.c", "-ldl"]
        subprocess.run(command, check=True)
        ahead = self.folder / "clock"
        ahead.write_bytes(bytes(8))
        self.settings |= {"LD_PRELOAD": str(library), "CLOCK_AHEAD": str(ahead)}
        return ahead

    def say(self, words: str) -> None:
        """A line of progress."""
        print(f"{time.monotonic() - self.begun:6.0f} s  {words}", flush=True)

    def complain(self, invariant: str, words: str) -> None:
        """Note what must not be."""
        self.wrong.setdefault(invariant, []).append(words)
        self.say(f"{invariant}: {words}")


# What is asked


def keep_up(fire: Fire) -> None:
    """A server, and another one whenever it has been killed, until none is needed."""
    while not fire.ended.is_set():
        try:
            with langgraph_server(fire.folder, jobs=fire.runs + 1, **fire.settings) as server:
                fire.server, fire.answers_since = server, time.monotonic()
                while processes.begun(server.pid) is not None and not fire.ended.wait(0.2):
                    pass
                fire.server = None
        except AssertionError as failed:
            fire.seen["servers that did not start"] += 1
            fire.say(str(failed)[-300:])


def ask(fire: Fire, run: str, kind: str, context: dict[str, Any]) -> None:
    """Ask the server once for a run, as soon as there is one; whatever becomes of it."""
    while (server := fire.server) is None:
        time.sleep(0.5)
    given = {"data": fire.prices.name, "run": run, "params": {"fast_period": 5, "slow_period": 20}}
    try:
        with get_sync_client(url=server.url, timeout=900) as client:
            thread = client.threads.create()["thread_id"]
            told: Any = client.runs.wait(thread, kind, input=given, context=context, raise_error=False)
            client.threads.delete(thread)
    except (httpx.HTTPError, LangGraphError):
        fire.seen["questions cut off"] += 1
        return
    if refused := (told or {}).get("__error__"):
        fire.seen["questions refused"] += 1
        if refused["error"] not in set(_typed()):
            fire.complain("clear", f"{run}: {refused['error']}: {refused['message']}")


def command(fire: Fire, *arguments: str) -> tuple[int, str]:
    """Exit code and words of a command, which somebody may kill."""
    environment = clean_environment(LANGSMITH_TRACING="false", **fire.settings)
    given = ["-m", "threadx", *arguments, "--home", str(fire.home), "--language", "en"]
    with fire.room, tempfile.TemporaryFile() as words:
        process = processes.start_apart([sys.executable, *given], words, environment, fire.folder)
        fire.working.append(process)
        code = process.wait()
        fire.working.remove(process)
        words.seek(0)
        said = words.read().decode("utf-8", "replace")
    fire.seen["commands"] += 1
    if code not in (0, 1, 2, -9) or "Traceback" in said or (code in (1, 2) and not said.strip()):
        fire.complain("clear", f"{' '.join(arguments)}: left with {code}: {said.strip()[-600:]}")
    return code, said


def is_ended(record: RunRecord) -> bool:
    """Whether a run has its result and its last event."""
    try:
        return record.exists() and RunView.of(record.events()).status is not None and bool(record.result())
    except (TypedError, OSError):
        return False


def go_through(fire: Fire, run: str, number: int) -> None:
    """A run from the question to its result, however often it takes."""
    record = RunRecord(fire.home, run)
    late, by_command = number % 4 == 3, number % 10 == 9
    kind = "review" if number % 5 == 4 else "optimization"
    roles = ("analyst",) if kind == "review" else ("analyst", "strategist", "validator")
    context: dict[str, Any] = dict.fromkeys(roles, ["openai:small", "rules"] if late else ["rules"])
    context |= {"deadlines": DEADLINE, "language": "en"}
    context |= {} if kind == "review" else {"max_iterations": 1}
    said = ""
    for _ in range(MOST_TRIES):
        if is_ended(record):
            fire.seen["runs ended"] += 1
            return
        if record.exists():
            code, said = command(fire, "runs", "resume", run)
            fire.seen["runs taken up"] += code == 0
            if code and ("damaged" in said or "doctor --repair" in said):
                command(fire, "doctor", "--repair")
            if (
                code and "price file" in said
            ):  # its registered copy was damaged: who has the file gives it again
                command(fire, "backtest", str(fire.prices))
        elif by_command:
            told = [part for role in roles for part in (f"--{role}", ",".join(context[role]))]
            more = [] if kind == "review" else ["--max-iterations", "1"]
            verb = "optimize" if kind == "optimization" else kind
            command(fire, verb, str(fire.prices), *told, *more, "--deadlines", DEADLINE, "--run", run)
        else:
            ask(fire, run, kind, context)
        time.sleep(0.2)
    fire.say(f"{run} is given up: {said.strip()[-400:]}")


# What happens to it


def kill(fire: Fire, dice: random.Random) -> str | None:
    """SIGKILL of the server, of a child of its, or of a command."""
    found: dict[str, list[int]] = {}
    if fire.working:
        found["SIGKILL of a command"] = [process.pid for process in list(fire.working)]
    if (server := fire.server) and time.monotonic() - fire.answers_since > UNTOUCHED_SECONDS:
        found["SIGKILL of the server"] = [server.pid]
        with contextlib.suppress(psutil.NoSuchProcess):
            if inside := psutil.Process(server.pid).children(recursive=True):
                found["SIGKILL of a child of the server"] = [child.pid for child in inside]
    if not found:
        return None
    name = dice.choice(sorted(found))
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(dice.choice(sorted(found[name]))).kill()
    return name


def fill(fire: Fire, dice: random.Random) -> str | None:
    """No room in the data folder for a while."""
    ballast = fire.home / "ballast"
    with open(ballast, "wb", buffering=0) as stream, contextlib.suppress(OSError):
        while stream.write(bytes(1 << 16)):
            pass
    time.sleep(LASTS_SECONDS)
    ballast.unlink()
    return "disk full"


def forbid(fire: Fire, dice: random.Random) -> str | None:
    """The data folder read-only for a while; who has a file open may go on with it."""
    subprocess.run(["mount", "--bind", fire.home, fire.home], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", fire.home], check=True)
        time.sleep(LASTS_SECONDS)
    finally:
        subprocess.run(["umount", "--lazy", fire.home], check=True)
    return "folder read-only"


def jump(fire: Fire, dice: random.Random) -> str | None:
    """Everybody's clock ahead or behind, until the next jump."""
    assert fire.clock is not None
    ahead = dice.choice(JUMPS_SECONDS)
    with open(fire.clock, "r+b") as stream:
        stream.write(ahead.to_bytes(8, sys.byteorder, signed=True))
    return "clock jumps"


def spoil(fire: Fire, dice: random.Random, what: str) -> str | None:
    """A file of the data folder damaged while it is used."""
    found = sorted(fire.home.glob(DAMAGED[what]))
    if not found:
        return None
    path, way = dice.choice(found), dice.choice(sorted(damage.WAYS))
    try:
        damage.damage(path, way)
    except OSError:
        return None
    fire.struck.add(path.relative_to(fire.home).as_posix())
    return f"{what} damaged"


Blow = Callable[[Fire, random.Random], str | None]


def blows(fire: Fire, small: bool) -> Iterator[Blow]:
    """Every kind in an order that the seed draws, then all again; kills as often as all others together."""
    dice = random.Random(fire.seed)
    others: list[Blow] = [partial(spoil, what=what) for what in DAMAGED]
    others += [jump] if fire.clock else []
    others += [fill, forbid] if small else []
    while True:
        round_: list[Blow] = [*others, *[kill] * len(others)]
        dice.shuffle(round_)
        yield from round_


def burn(fire: Fire, seconds: float, small: bool) -> None:
    """Waves of runs under blows until the time is over; then each to its end without."""
    while fire.server is None:
        time.sleep(0.2)
    dice = random.Random(fire.seed + 1)
    until = time.monotonic() + seconds
    falling = blows(fire, small)
    waves = itertools.count()
    with ThreadPoolExecutor(fire.runs) as pool:
        going: list[Any] = []
        told = time.monotonic()
        while time.monotonic() < until:
            if all(one.done() for one in going):
                wave = next(waves)
                going = [
                    pool.submit(go_through, fire, f"w{wave}-{number:02}", number)
                    for number in range(fire.runs)
                ]
                fire.seen["runs asked for"] += fire.runs
            if fire.server is not None or fire.working:
                name = next(falling)(fire, dice)
                fire.seen[name or "blows that found nothing"] += 1
            time.sleep(dice.uniform(0.5, 1.5) * fire.pause)
            if time.monotonic() - told > 20:
                told = time.monotonic()
                fire.say(f"{fire.seen['runs ended']} of {fire.seen['runs asked for']} runs ended")
        if fire.clock is not None:
            fire.clock.write_bytes(bytes(8))
        fire.say("no more blows; what is left is taken up")
        for one in going:
            one.result()


# What must hold


def memory(fire: Fire, rounds: int = 4, runs: int = 4) -> list[float]:
    """MiB of one server after each round of runs."""
    found: list[float] = []
    for round_ in range(rounds + 1):
        with ThreadPoolExecutor(runs) as pool:
            names = [f"m{round_}-{number}" for number in range(runs)]
            list(pool.map(lambda name: go_through(fire, name, 0), names))
        fire.seen["runs asked for"] += runs
        assert fire.server is not None
        found.append(psutil.Process(fire.server.pid).memory_info().rss / 1024**2)
        fire.say(f"memory of the server: {found[-1]:.0f} MiB")
    return found


Finding = tuple[str, int, list[str]]
"""An invariant, how many it was looked at for, and where it does not hold."""


def _records(home: Path) -> list[RunRecord]:
    return [RunRecord(home, path.name) for path in sorted((home / "runs").iterdir())]


def logs(records: list[RunRecord]) -> Iterator[str]:
    for record in records:
        events = [event.plain() for event in record.events()]
        if len({event["id"] for event in events}) < len(events):
            yield f"{record.run}: an event twice"
        if (ends := sum(event["kind"] == "finished" for event in events)) != 1:
            yield f"{record.run}: {ends} ends"
        if not record.events_path.read_bytes().endswith(b"\n"):
            yield f"{record.run}: half a line"


def late_answers(records: list[RunRecord]) -> list[str]:
    return [
        record.run
        for record in records
        for event in record.events()
        if (told := event.plain())["kind"] == "call"
        and told["data"]["model"] == "openai:small"
        and told["data"]["answer"] is not None
    ]


def openings(home: Path, runs: Collection[str]) -> list[str]:
    """Looks that count against nobody's result; a run that was killed behind its own look looks again."""
    path = home / "datasets" / "holdout_openings.jsonl"
    readers = {json.loads(line)["reader"] for line in path.read_text("utf-8").splitlines()}
    return sorted(readers - set(runs))


_KEYS = {
    "trials": "family, spec_hash",
    "looks": "family, spec_hash, source",
    "searches": "family, search_hash, source",
}


def ledger_rows(home: Path) -> tuple[int, list[str]]:
    rows, twice = 0, []
    with closing(sqlite3.connect(home / "ledger.sqlite")) as ledger:
        for table, keys in _KEYS.items():
            rows += ledger.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0]
            again = f"SELECT {keys}, COUNT(*) FROM {table} GROUP BY {keys} HAVING COUNT(*) > 1"
            twice += [f"{table}: {row}" for row in ledger.execute(again)]
    return rows, twice


def _differing(home: Path, records: list[RunRecord]) -> Iterator[str]:
    for record in records:
        with contextlib.redirect_stdout(io.StringIO()):
            found = replay(record.run, home=home)
        if not found.same:
            yield f"{record.run}: {found.differences[:3]}"


def invariants(fire: Fire, grown: list[float]) -> Iterator[Finding]:
    """Each, when nothing works any more."""
    records = _records(fire.home)
    asked = fire.seen["runs asked for"]
    lost = [record.run for record in records if not is_ended(record)]
    yield "runs that ended with a result", asked, lost + ["a run is missing"] * (asked - len(records))
    yield "logs whole, one end each, no event twice", len(records), list(logs(records))
    forks = [record.run for record in records if "-fork" in record.run]
    yield "no run gone through twice (a fork that nobody asked for)", len(records), forks
    opened = fire.home / "datasets" / "holdout_openings.jsonl"
    looks = len(opened.read_bytes().splitlines())
    yield "looks at a holdout that are a run's", looks, openings(fire.home, [one.run for one in records])
    yield "no ledger row twice", *ledger_rows(fire.home)
    files = damage.files(fire.home)
    half = [
        f"{one.path.name}: {one.problem} {one.fields}"
        for one in examine(fire.home)
        if one.problem != "leftover" and one.path.relative_to(fire.home).as_posix() not in fire.struck
    ]
    yield "files whole but for those damaged here", len(files), half
    command(fire, "doctor", "--repair")
    left = [f"{one.path.name}: {one.problem}" for one in examine(fire.home)]
    yield "nothing left to repair after `doctor --repair`", len(files), left
    yield "no answer after its deadline counts", len(records), late_answers(records)
    disturbed = [record for record in records if record.run.startswith("w") and record.run not in lost]
    yield "records that replay to the same", len(disturbed), list(_differing(fire.home, disturbed))
    said = fire.seen["commands"] + fire.seen["questions refused"]
    yield "every refusal a sentence", said, fire.wrong.get("clear", [])
    half_way = len(grown) // 2
    each = (grown[-1] - grown[half_way]) / (4 * (len(grown) - 1 - half_way))
    too_much = [f"{each:.2f} MiB a run: {[round(one) for one in grown]}"] if each > GROWN_MIB else []
    yield f"memory flat: {each:+.2f} MiB a run, {grown[-1]:.0f} MiB", 4 * len(grown), too_much


@contextlib.contextmanager
def small_disk(home: Path) -> Iterator[bool]:
    """The data folder on a small file system of its own; False where none can be mounted."""
    home.mkdir()
    if sys.platform != "linux" or os.geteuid() != 0 or not shutil.which("mount"):
        yield False
        return
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "tmpfs", home], check=False)
    try:
        yield mounted.returncode == 0
    finally:
        if mounted.returncode == 0:
            subprocess.run(["umount", "--lazy", home], check=True)


def main() -> int:
    """Burn, and say what held."""
    options = argparse.ArgumentParser()
    options.add_argument("--minutes", type=float, default=10.0)
    options.add_argument("--runs", type=int, default=50)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--pause", type=float, default=4.0)
    given = options.parse_args()
    assert conftest.LOCAL, "imported for the environment that it clears"
    warnings.filterwarnings("ignore", "Request failed, attempting reconnect")
    late = Scripted(text=answers.analysis(), late_seconds=LATE_SECONDS)
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name,
        openai_server(late) as model,
        small_disk(Path(name) / "home") as small,
    ):
        fire = Fire(Path(name), given.runs, given.seed, given.pause)
        fire.settings |= {
            "OPENAI_BASE_URL": model.url,
            "OPENAI_API_KEY": "x",
            "OLLAMA_HOST": "http://127.0.0.1:9",
        }
        left_out = [] if small else ["full disk, read-only folder"]
        left_out += [] if fire.clock else ["clock jumps"]
        machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
        print(f"{machine}, seed {given.seed}; left out here: {', '.join(left_out) or 'nothing'}", flush=True)
        made_up_prices(500, cycle=0.05).to_csv(fire.prices)
        server = threading.Thread(target=keep_up, args=(fire,))
        server.start()
        try:
            burn(fire, 60.0 * given.minutes, small)
            grown = memory(fire)
        finally:
            fire.ended.set()
            server.join()
        print("\n| invariant | looked at | broken |\n|---|---|---|")
        found: list[Finding] = []
        for one in invariants(fire, grown):
            found.append(one)
            print(f"| {one[0]} | {one[1]} | {len(one[2])} |", flush=True)
        asked_late = len(model.requests)
    print("\n| what happened | times |\n|---|---|")
    for what, times in sorted(fire.seen.items()):
        print(f"| {what} | {times} |")
    print(f"| questions to the model that answers late | {asked_late} |")
    for what, _, broken in found:
        for words in broken[:20]:
            print(f"  {what}: {words}")
    return int(any(broken for _, _, broken in found))


if __name__ == "__main__":
    sys.exit(main())
