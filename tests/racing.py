"""Processes that start the same run, one after the other or at once; and others that start runs of their own.

    python -m tests.racing FOLDER PRICES ROUNDS OTHERS        prints one JSON list: see `race`

Everything is imported once; each start is a forked child. A child waits for a byte before it starts, so that
the parent decides when: at once, or when the winner's log has so many events.
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
from pathlib import Path
from typing import Any

from record.record import ReportError, RunRecord, _held
from tests.killing import SETTINGS, warm
from tests.run_lines import lines
from threadx.errors import ThreadxError
from threadx.runner import make_input, start_run
from threadx.settings import make_context

SAME = 5
FINISHED, REFUSED, FAILED = 0, 3, 1
EVENTS = 40
"""Events of a whole run, about: starts are spread over them and a little further."""


def started(home: Path, prices: str, run: str, gate: int) -> int:
    """The child's work: what came of starting the run once the gate opens."""
    os.read(gate, 1)
    _held.clear()  # what another of this process held before the fork is not ours
    settings = {**SETTINGS, "approve": False}
    try:
        start_run(make_input(data=prices, run=run), make_context(home=str(home), **settings))
    except ReportError as error:
        return REFUSED if error.code in ("run_busy", "run_exists") else FAILED
    except ThreadxError:
        return FAILED
    return FINISHED


def child(home: Path, prices: str, run: str) -> tuple[int, int]:
    """(process, gate) of a child that waits to start the run."""
    gate, opener = os.pipe()
    process = os.fork()
    if process == 0:
        status = FAILED
        try:
            status = started(home, prices, run, gate)
        except BaseException as error:
            sys.stderr.write(f"{type(error).__name__}: {error}\n")
        os._exit(status)
    os.close(gate)
    return process, opener


def open_gate(opener: int) -> None:
    """Let a child start."""
    os.write(opener, b".")
    os.close(opener)


def race(home: Path, prices: str, draw: random.Random, others: int) -> dict[str, Any]:
    """One round in an empty data folder.

    Returns:
        `same`: what came of each start of the same run; `others`: of each run of its own; `openings`: of the
        holdout by that run; `finished`: last events in its log; `twice`: events written again; `left`: what
        stands in the folder of runs.
    """
    record = RunRecord(home, "r")
    delays = sorted([0, *(draw.choice([0, 0, draw.randint(0, EVENTS + 10)]) for _ in range(SAME - 1))])
    waiting = [(delay, *child(home, prices, "r")) for delay in delays]
    beside = [child(home, prices, f"other{number}") for number in range(others)]
    for _, opener in beside:
        open_gate(opener)
    processes = [process for _, process, _ in waiting]
    ended: dict[int, int] = {}
    while waiting:
        written = record.events_path.read_bytes().count(b"\n") if record.events_path.is_file() else 0
        over = processes[0] in ended
        for late in [late for late in waiting if late[0] <= written or over]:
            open_gate(late[2])
            waiting.remove(late)
        if not over:
            process, status = os.waitpid(processes[0], os.WNOHANG)
            if process:
                ended[process] = os.waitstatus_to_exitcode(status)
        time.sleep(0.002)

    def came(process: int) -> int:
        if process not in ended:
            ended[process] = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        return ended[process]

    same = [came(process) for process in processes]
    events = lines(record)
    opened = home / "datasets" / "holdout_openings.jsonl"
    return {
        "same": same,
        "others": [came(process) for process, _ in beside],
        "openings": sum(json.loads(line)["reader"] == "r" for line in opened.read_text("utf-8").splitlines()),
        "finished": sum(event["kind"] == "finished" for event in events),
        "twice": len(events) - len({event["id"] for event in events}),
        "left": sorted(path.name for path in (home / "runs").iterdir()),
    }


def main(folder: Path, prices: str, rounds: int, others: int, seed: int) -> list[dict[str, Any]]:
    """Every round, each in a folder of its own."""
    warm(prices)
    draw = random.Random(seed)
    told = []
    for number in range(rounds):
        home = folder / f"round{number}"
        home.mkdir()
        told.append(race(home, prices, draw, others))
    return told


if __name__ == "__main__":
    given = sys.argv[1:]
    sys.stdout.write(json.dumps(main(Path(given[0]), given[1], *map(int, given[2:]))))
