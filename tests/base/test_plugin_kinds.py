"""A provider, a kind of change and a stress test that others add: used like ours, named where they fail."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import Any

import pytest

from tests.langgraph_server import PROJECT, clean_environment

TOLD = (PROJECT / "docs" / "extending.md").read_text(encoding="utf-8")
CODES = {
    match[1]: code
    for code in re.findall(r"```python\n(.*?)```", TOLD, re.DOTALL)
    if (match := re.match(r'"""(\w+\.py)', code))
}
SAVED, BOTH, HALVES = CODES["saved.py"], CODES["both_sides.py"], CODES["halves.py"]
WALK = """
import contextlib, io, json, sys
import numpy as np
from pydantic import BaseModel
from backtest import StrategySpec
from backtest.validation.stress import STRESS_TESTS, StressCase, stress_tests
from backtest.validation.verdict import ESSENTIAL_TESTS
from base.plugins import plugins
from nodes.context import Context
from nodes.optimization.changes import CHANGE, KINDS, apply_change, describe_change, kinds_told
from nodes.optimization.schemas import Proposals
from nodes.seam.ask import Question, ask
from prompts import Prompt, Words
from providers.registry import PROVIDERS
from record.versions import changed_versions, versions
from reports.belief import finding_rows
from tests.prices import made_up_prices
from threadx.command import main

class Number(BaseModel):
    value: int

home, answer = sys.argv[1:]
spec = StrategySpec.preset("ma_crossover")
change = CHANGE.validate_python({"kind": "both_sides"})
case = StressCase.open(made_up_prices(600, cycle=0.05), spec, generator=np.random.default_rng(1))
result = {"stress": [finding.to_dict() for finding in stress_tests(case)]}
prompt = Prompt(name="optimization/analyst", language="en", system="s", user="u")
zero = lambda given: Number(value=0)
question = Question(role="analyst", prompt=prompt, schema=Number, evidence={}, policy=zero)
context = Context(home=home, language="en")
said = [ask(question, chain=[f"saved:{one}", "rules"], context=context) for one in (answer, f"{answer}.not")]
now = versions()
told = {
    "provider": [*PROVIDERS][-1],
    "answers": [(one.value.value, one.provenance.model, one.provenance.attempts[0].code) for one in said],
    "change": [*KINDS][-1],
    "short": apply_change(spec, change).entry_short,
    "sentences": [describe_change(change, spec, language) for language in ("fr", "en")],
    "prompt": kinds_told("en").splitlines()[-1],
    "schema": "both_sides" in json.dumps(Proposals.model_json_schema()),
    "stress": [*STRESS_TESTS][-1],
    "essential": ESSENTIAL_TESTS[-1],
    "row": finding_rows(result, Words("en"))[-1],
    "errors": {one.name: None if one.error is None else one.error.sentence("en") for one in plugins()},
    "adds": {one.name: one.adds for one in plugins()},
    "versions": now,
    "changed": changed_versions({**now, "plugin halves.py": "another"}),
}
with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.suppress(SystemExit):
    main(["doctor", "--home", home, "--language", "en"])
told["doctor"] = " ".join(out.getvalue().split())
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("plugins")
    texts = {
        "saved.py": SAVED,
        "both_sides.py": BOTH,
        "halves.py": HALVES,
        "no_probe.py": SAVED.replace("    probe=probe,\n", "").replace('"saved', '"gone'),
        "taken_provider.py": SAVED.replace('"saved', '"ollama'),
        "mute_change.py": BOTH.replace("both_sides", "mute").replace("mute.prompt", "mute.said"),
        "half_change.py": BOTH.replace("both_sides", "half").replace("    degrees", "    _degrees"),
        "mute_test.py": HALVES.replace("halves", "mute").replace("name.mute", "title.mute"),
        "half_test.py": HALVES.replace("halves", "half").replace(', failing="essential"', ""),
        "taken_test.py": HALVES.replace('"name.halves": ', '"name.costs": '),
        "wrong_test.py": "STRESS_TEST = 3",
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "answer.json").write_text('{"value": 7}', encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", WALK, str(folder / "home"), str(folder / "answer.json")],
        cwd=PROJECT,
        env=clean_environment(
            THREADX_PLUGINS=os.pathsep.join(str(folder / name) for name in texts),
            OLLAMA_HOST="http://127.0.0.1:9",
        ),
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_a_provider_from_outside_answers_and_gives_way_to_the_next(told: dict[str, Any]) -> None:
    assert told["provider"] == "saved"
    (value, model, _), (stood_in, other, code) = told["answers"]
    assert (value, model.startswith("saved:")) == (7, True)
    assert (stood_in, other, code) == (0, "rules", "unreachable")


def test_a_kind_of_change_from_outside_is_proposed_described_and_applied(told: dict[str, Any]) -> None:
    assert told["change"] == "both_sides"
    assert told["short"]
    assert told["sentences"][0] == "Vendre à découvert par l’image miroir du côté long"
    assert told["sentences"][1] == "Sell short by the mirror image of the long side"
    assert told["prompt"].startswith("- both_sides: sell short")
    assert told["schema"]


def test_a_stress_test_from_outside_runs_is_told_and_counts_for_the_verdict(told: dict[str, Any]) -> None:
    assert (told["stress"], told["essential"]) == ("halves", "halves")
    name, outcome, sentence = told["row"]
    assert (name, outcome in ("passed", "failed")) == ("Halves of the history", True)
    assert re.fullmatch(r"Excess Sharpe ratio: \S+ in the first half, \S+ in the second\.", sentence)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("no_probe.py", "gone: probe not said"),
        ("taken_provider.py", "ollama: there are two entries of this name"),
        ("mute_change.py", "mute: changes.mute.prompt (fr), changes.mute.prompt (en) not said"),
        ("half_change.py", "half: degrees not said"),
        ("mute_test.py", "mute: stress.name.mute (fr), stress.name.mute (en) not said"),
        ("half_test.py", "half: failing not said"),
        ("taken_test.py", "there already are texts for stress: halves, name.costs"),
        ("wrong_test.py", "AttributeError"),
    ],
)
def test_one_that_fails_is_named_with_its_reason_and_stops_nothing(
    told: dict[str, Any], name: str, reason: str
) -> None:
    assert [told["errors"][used] for used in ("saved.py", "both_sides.py", "halves.py")] == [None] * 3
    assert reason in told["errors"][name]
    assert f"The plugin {name} is not used" in told["doctor"]
    assert told["versions"][f"plugin {name}"] == "failed"


def test_doctor_lists_what_each_adds_and_a_replay_notices_another(told: dict[str, Any]) -> None:
    used = {"saved.py": "saved", "both_sides.py": "both_sides", "halves.py": "halves"}
    for name, added in used.items():
        assert told["adds"][name] == [added]
        assert name in told["doctor"]
        assert re.fullmatch(r"[0-9a-f]{12}", told["versions"][f"plugin {name}"])
    assert ["plugin halves.py", "another", told["versions"]["plugin halves.py"]] in told["changed"]
