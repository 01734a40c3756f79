"""A failure for good is met once a run, and its own words are told wherever a run is told."""

import pytest
from pydantic import BaseModel

from nodes.context import OptimizationContext
from nodes.seam.ask import Question, ask
from prompts import Prompt
from tests.ollama_emulator import Scripted, ollama_emulator
from tests.optimization_runs import run_graph
from threadx.command import main

SAID = "model requires more system memory (40.6 GiB) than is available (7.1 GiB)"
MODEL = "ollama:big"


class Told(BaseModel):
    value: int


def question(**more):
    prompt = Prompt(name="ensemble/macro", language="fr", system="s", user="u")
    fields = {"role": "macro", "schema": Told, "evidence": {}, "policy": lambda given: Told(value=0)}
    return Question(prompt=prompt, **{**fields, **more})


@pytest.mark.model
@pytest.mark.parametrize(
    ("model", "code", "chats"),
    [(Scripted(status=500, error=SAID), "out_of_memory", 1), (None, "model_not_pulled", 0)],
    ids=["out of memory", "unknown model"],
)
def test_once_a_run_and_again_in_the_next(tmp_path, model, code, chats):
    with ollama_emulator({"big": model} if model else {}) as emulator:
        context = OptimizationContext(home=str(tmp_path), ollama_base_url=emulator.url)
        tries = [
            ask(question(run=run), chain=(MODEL,), context=context).provenance.attempts
            for run in ("one", "one", "one", "two", "", "")
        ]
        assert len(emulator.chats) == chats * 4  # one, two, and each question that belongs to no run
        asked = len(emulator.keys)
    assert [[(one.code, one.repeated) for one in part] for part in tries] == [
        [(code, repeated)] for repeated in (False, True, True, False, False, False)
    ]
    assert asked == 4 * (1 + chats)


@pytest.mark.model
def test_its_own_words_reach_screen_report_and_runs_show(tmp_path, monkeypatch, capsys):
    with ollama_emulator({"big": Scripted(status=500, error=SAID)}) as emulator:
        monkeypatch.setenv("OLLAMA_HOST", emulator.url)
        roles = {role: (MODEL, "rules") for role in ("analyst", "strategist", "validator")}
        state, _ = run_graph(tmp_path, given=None, **roles, max_iterations=2)
        assert len(emulator.chats) == 1
    run = state["run_id"]
    failures = [brain["failures"] for brain in state["result"]["brains"].values()]
    assert [one for one in failures if one] == [{f"{MODEL}: out_of_memory": 1}]

    def threadx(*arguments):
        with pytest.raises(SystemExit):
            main([*arguments, "--home", str(tmp_path), "--language", "en"])
        return " ".join(capsys.readouterr().out.split())

    assert SAID in threadx("runs", "show", run)
    threadx("runs", "report", run, "--format", "md", "--out", str(tmp_path / "report.md"))
    assert "40.6 GiB" in (tmp_path / "report.md").read_text(encoding="utf-8")
