"""What somebody who waits is told: by a spinner which node is at work, by a pipe how far it is."""

import re

from rich.console import Console

from prompts import Words
from threadx.terminal import Progress, Terminal
from threadx.work import progress
from threadx.work.ensemble import _at_work as next_of_ensemble


class Spinner:
    """Keeps what it shows."""

    def __init__(self):
        self.shown = []

    def update(self, line):
        self.shown.append(str(line))


def event(kind, node, data):
    told = {"id": f"i02.{node}.{kind}", "kind": kind, "node": node, "iteration": 2, "data": data}
    return {**told, "time": "2026-01-01T00:00:00.000+00:00"}


def test_the_spinner_names_the_node_at_work_between_the_roles_too():
    spinner, console = Spinner(), Console(quiet=True)
    watch = Progress(Words("en"), console, spinner, "home", 5)
    watch(event("role_called", "validator", {}))
    watch(event("consensus", "debate", {"decision": "stop", "dissent": []}))
    watch(event("decision", "converge", {"stop": True, "reason": "target_score", "score": 5.0, "gain": 0.0}))
    assert ["Validator" in spinner.shown[0], len(spinner.shown)] == [True, 3]
    assert "[2/5] at work: the stopping rule" in spinner.shown[1]
    assert "[2/5] at work: judgement on the holdout" in spinner.shown[2]


def test_the_ensembles_spinner_names_the_agents_that_are_still_at_work():
    assert set(next_of_ensemble(["gather"])) == {"technical", "macro", "sentiment", "quality"}
    assert next_of_ensemble(["gather", "quality", "macro", "technical"]) == ["sentiment"]
    done = ["gather", "technical", "macro", "sentiment", "quality"]
    for node in ("arbiter", "check", "publish"):
        assert next_of_ensemble(done) == [node]
        done.append(node)


def test_a_pipe_hears_of_each_tenth_and_never_less_often_than_agreed(monkeypatch, capsys):
    now = [0.0]
    monkeypatch.setattr(progress, "clock", lambda: now[0])
    with progress.bar(
        Terminal(Words("en")), "command.calibrate_working", "command.calibrate_progress"
    ) as tell:
        for done in range(1, 401):
            now[0] += 10.0 if done <= 40 else 0.01  # slow at first: seven minutes for the first tenth
            tell(done, 400)
    told = [int(re.findall(r"\d+", line)[0]) for line in capsys.readouterr().err.splitlines()]
    assert told[:4] == [1, 4, 7, 10]
    assert set(range(40, 401, 40)) <= set(told)
    assert len(told) < 30
