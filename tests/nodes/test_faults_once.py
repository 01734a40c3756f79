"""A failure for good is met once a run, and its own words are told wherever a run is told."""

import pytest
from pydantic import BaseModel

from nodes.context import OptimizationContext
from nodes.seam.ask import Question, ask
from prompts import Prompt
from tests.answers import analysis
from tests.ollama_emulator import Scripted, ollama_emulator
from tests.optimization_runs import run_graph
from tests.prices import made_up_prices
from threadx.command import main
from threadx.results import Waiting
from threadx.runner import make_input, resume_run, start_run
from threadx.settings import make_context

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
def test_a_run_of_the_same_name_in_another_folder_asks_for_itself(tmp_path):
    with ollama_emulator({"big": Scripted(status=500, error=SAID)}) as emulator:
        for folder in ("one", "two"):
            context = OptimizationContext(home=str(tmp_path / folder), ollama_base_url=emulator.url)
            (attempt,) = ask(question(run="r"), chain=(MODEL,), context=context).provenance.attempts
            assert not attempt.repeated
        assert len(emulator.chats) == 2


@pytest.mark.model
def test_what_a_person_mended_while_the_run_waited_is_asked_again(tmp_path, monkeypatch):
    with ollama_emulator({}) as emulator:
        monkeypatch.setenv("OLLAMA_HOST", emulator.url)
        roles = {"analyst": (MODEL, "rules"), "strategist": "rules", "validator": "rules"}
        more = {"home": str(tmp_path / "h"), "language": "en"}
        context = make_context(**roles, **more, approve=True, max_iterations=2)
        prices = tmp_path / "TEST_1h.csv"
        made_up_prices(600).to_csv(prices)
        waiting = start_run(make_input(data=str(prices), run="r"), context)
        assert isinstance(waiting, Waiting)
        assert not emulator.chats
        emulator.models["big"] = Scripted(text=analysis())
        resume_run("r", tmp_path / "h", word={"accept": "all"})
        assert emulator.chats


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
