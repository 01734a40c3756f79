"""Runs of the optimisation cycle that are killed (SIGKILL) at one place after the other, and taken up again.

    python -m tests.killing FOLDER PRICES                 prints one JSON object: see `main`
    python -m tests.killing FOLDER PRICES ROUNDS SEED     the same: see `at_instants`

Everything is imported once; each run is a forked child, so that a kill is a real one and costs little.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from langgraph.checkpoint.sqlite import SqliteSaver

from backtest import Costs, StrategySpec
from nodes.optimization.trials.trial import try_strategy
from record.event_log import EventLog
from record.events import Event
from record.record import RunRecord
from record.versions import versions
from tests.laws import some
from tests.run_lines import lines
from threadx.results import Waiting
from threadx.runner import make_input, resume_run, start_run
from threadx.settings import make_context
from vault.readers.prices import read_prices

SETTINGS: dict[str, Any] = {
    "analyst": "rules",
    "strategist": "rules",
    "validator": "rules",
    "max_iterations": 1,
    "approve": True,
    "search": some(["population"], ["single"])[0],
}
KILLS = 3
"""A round's, one after the other, before its run may end."""

LAST_WORDS = ("baseline", "approve", "select", "judge", "report")
"""Nodes whose event is on disk before the state knows of it."""


def word(waiting: Waiting) -> dict[str, Any]:
    """All but the first proposal."""
    first, *others = (proposal["number"] for proposal in waiting.question["proposals"])
    return {"accept": others, "reject": [first]}


def warm(prices: str) -> None:
    """Compile and read here what every child would otherwise read again."""
    versions()
    spec = StrategySpec.preset("ma_crossover")
    grid = {"fast_period": [4.0, 6.0]}
    try_strategy(read_prices(prices, Path())[0], spec, grid, Costs(), "next_open")


def die() -> None:
    """End this process as a power cut would."""
    os.kill(os.getpid(), signal.SIGKILL)


def forked(work: Callable[[], Any]) -> int:
    """Do the work in a child; its exit status."""
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException as error:
            sys.stderr.write(f"{type(error).__name__}: {error}\n")
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1]


def killed_at_event(event_id: str, *, before: bool) -> None:
    """From now on this process dies just before, or just after, the event is on disk."""
    append = EventLog.append

    def dying(log: EventLog, event: Event) -> Event:
        if event.id == event_id and before:
            die()
        written = append(log, event)
        if event.id == event_id:
            die()
        return written

    EventLog.append = dying  # type: ignore[method-assign]


def killed_at_checkpoint(number: int) -> None:
    """From now on this process dies when the work of the n-th task is done but not yet stored."""
    put = SqliteSaver.put_writes
    done = 0

    def dying(saver: SqliteSaver, *arguments: Any, **named: Any) -> None:
        nonlocal done
        done += 1
        if done == number:
            die()
        put(saver, *arguments, **named)

    SqliteSaver.put_writes = dying  # type: ignore[method-assign]


def killed_at_instant(seconds: float) -> None:
    """This process dies once it has used a processor for so long, wherever it is: in native code too."""
    signal.setitimer(signal.ITIMER_PROF, seconds)  # nobody handles the signal, so the system ends us


def begin(home: Path, prices: str) -> None:
    """Start the run; it waits for a person before its first tests."""
    start_run(make_input(data=prices, run="r"), make_context(home=str(home), **SETTINGS))


def go_on(home: Path) -> None:
    """Take the run up, and decide what waits, until it has ended; a run that never began begins anew."""
    record = RunRecord(home, "r")
    if not record.exists():
        start_run(make_input(data=PRICES, run="r"), make_context(home=str(home), **SETTINGS))
    while not (record.folder / "result.json").is_file():
        if isinstance(outcome := resume_run("r", home), Waiting):
            resume_run("r", home, word=word(outcome))
    resume_run("r", home)


def whole(home: Path, prices: str) -> dict[str, Any]:
    """An undisturbed run: its result, its events and how many tasks were stored."""
    stored = home / "stored"
    home.mkdir()
    put = SqliteSaver.put_writes

    def counting(saver: SqliteSaver, *arguments: Any, **named: Any) -> None:
        with stored.open("a", encoding="utf-8") as count:
            count.write(".")
        put(saver, *arguments, **named)

    SqliteSaver.put_writes = counting  # type: ignore[method-assign]
    if forked(lambda: (begin(home, prices), go_on(home))):
        raise SystemExit("the undisturbed run failed")
    SqliteSaver.put_writes = put  # type: ignore[method-assign]
    return {**left(home), "stored": len(stored.read_text(encoding="utf-8"))}


def left(home: Path) -> dict[str, Any]:
    """What a run has left: its result without what may differ, and its events."""
    record = RunRecord(home, "r")
    events = lines(record)
    return {
        "result": {**record.result(), "run": None},
        "nodes": {event["id"]: event["node"] for event in sorted(events, key=lambda event: event["time"])},
    }


def main(folder: Path, prices: str) -> dict[str, Any]:
    """Kill at every node, and compare.

    Where: just before the first event of each node (after it, too, for nodes that decide something), in
    the middle of a debate, and whenever the work of a task is done but not yet stored.

    Returns:
        `whole`, what an undisturbed run leaves; `cases`: by place {"killed": status of the killed process,
        "left": what the resumed run left, or None where resuming failed}.
    """
    warm(prices)
    undisturbed = whole(folder / "whole", prices)
    places: dict[str, Callable[[], None]] = {}
    seen: set[str] = set()
    for event_id, node in undisturbed["nodes"].items():
        kind = "speak" if ".debate." in event_id else node
        if kind not in seen:
            seen.add(kind)
            places[f"{kind} begins"] = lambda e=event_id: killed_at_event(e, before=True)
            if kind in LAST_WORDS:
                places[f"{kind} has spoken"] = lambda e=event_id: killed_at_event(e, before=False)
    second = next(event_id for event_id in undisturbed["nodes"] if event_id.endswith(".debate.2.turn"))
    places["speak has spoken twice"] = lambda: killed_at_event(second, before=False)
    tasks = range(1, undisturbed["stored"] + 1)
    for number in some(tasks, tasks[::9]):
        places[f"task {number} done"] = lambda n=number: killed_at_checkpoint(n)
    cases = {}
    chosen = some([*places.items()], [*places.items()][::9])
    for position, (name, trap) in enumerate(chosen):
        home = folder / f"case{position}"

        def doomed(trap: Callable[[], None] = trap, home: Path = home) -> None:
            trap()
            begin(home, prices)
            go_on(home)

        status = forked(doomed)
        ended = forked(lambda home=home: go_on(home))
        cases[name] = {
            "killed": os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL,
            "left": None if ended else left(home),
        }
    return {"whole": undisturbed, "cases": cases}


def at_instants(folder: Path, prices: str, rounds: int, seed: int) -> dict[str, Any]:
    """Kill at instants that a seed draws, each resumption too, and compare.

    Returns:
        As `main`; "killed" is how many of a round's processes were, for some have ended by then.
    """
    warm(prices)
    before = os.times()
    undisturbed = whole(folder / "whole", prices)
    after = os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    generator = random.Random(seed)
    cases = {}
    for number in range(rounds):
        home = folder / f"round{number}"
        instants = [generator.uniform(0.0, used) for _ in range(KILLS)]
        killed = 0
        for instant in instants:

            def doomed(instant: float = instant, home: Path = home) -> None:
                killed_at_instant(instant)
                go_on(home)

            killed += os.WIFSIGNALED(forked(doomed))
        ended = forked(lambda home=home: go_on(home))
        cases[f"after {instants} s"] = {"killed": killed, "left": None if ended else left(home)}
    return {"whole": undisturbed, "cases": cases}


if __name__ == "__main__":
    PRICES = sys.argv[2]
    asked = [int(number) for number in sys.argv[3:]]
    told = at_instants(Path(sys.argv[1]), PRICES, *asked) if asked else main(Path(sys.argv[1]), PRICES)
    sys.stdout.write(json.dumps(told))
