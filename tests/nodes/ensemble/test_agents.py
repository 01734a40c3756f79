"""The registry of agents, and a fifth one added as `docs/ensemble.md` says."""

import json
import re
import shutil
import subprocess
import sys
from types import SimpleNamespace

import pytest

from nodes.context import EnsembleContext
from nodes.ensemble.agents import AGENTS, VIEWS
from nodes.ensemble.policies.evidence import lines
from nodes.ensemble.schemas import AgentReport
from nodes.ensemble.technical import coverage
from tests.langgraph_server import PROJECT
from tests.partitions import AS_OF, fill

ROOMS = ("graphs", "nodes", "prompts", "providers", "feeds", "vault", "record", "reports", "backtest")

STANCE = {"outlook_days_7", "outlook_days_30"}


@pytest.mark.parametrize("agent", AGENTS.values(), ids=lambda agent: agent.name)
def test_who_reads_markets_gives_a_stance_and_who_judges_data_gives_none(agent):
    fields = agent.schema.model_fields
    assert fields.keys() >= {"confidence", "drivers" if agent.reads else "concerns"}
    assert (fields.keys() >= STANCE) is (agent.name in VIEWS) is (agent.reads is not None)
    assert agent.name == "quality" or fields.keys() >= STANCE


RUN = """
import json, sys
from graphs.ensemble import graph
from nodes.context import EnsembleContext
state = graph.invoke({"as_of": sys.argv[2]}, context=EnsembleContext(home=sys.argv[1], models="rules"))
drawing = graph.get_graph().draw_mermaid()
print(json.dumps({"sector": state["agents"]["sector"], "stances": state["stances"], "status": state["status"],
                  "arbiter": state["arbiter"]["prompt"]["user"], "drawing": drawing}))
"""


def test_weights_stand_in_the_order_told():
    ordered = sorted(AGENTS, key=lambda name: -AGENTS[name].weight)
    assert ordered == ["quality", "technical", "sentiment", "macro"]
    assert list(VIEWS) == ["technical", "sentiment", "macro"]


@pytest.mark.parametrize("name", list(AGENTS))
def test_an_agent_is_its_file_its_prompt_and_its_chain(name):
    assert AGENTS[name].name == name
    assert (PROJECT / f"nodes/ensemble/{name}.py").is_file()
    assert {(PROJECT / f"prompts/ensemble/{name}.{language}.md").is_file() for language in ("fr", "en")} == {
        True
    }
    assert issubclass(AGENTS[name].schema, AgentReport) == (name in VIEWS)
    context = EnsembleContext(models="rules", **{name: "ollama:m"})
    assert context.chain(name) == ("ollama:m",)
    assert context.chain("another") == ("rules",)


def test_coverage_counts_the_forecasts_that_are_missing():
    known = [("A", "1w"), ("A", "1m"), ("B", "1w"), ("B", "1y")]
    rows = [SimpleNamespace(ticker=ticker, horizon=horizon) for ticker, horizon in known]
    assert coverage(SimpleNamespace(forecasts=SimpleNamespace(rows=rows))) == 0.75


def test_a_fifth_agent_takes_one_file_one_prompt_and_one_line(tmp_path):
    told = (PROJECT / "docs/ensemble.md").read_text(encoding="utf-8").partition("## A fifth agent")[2]
    code, prompt, line = re.findall(r"```(?:python)?\n(.*?)```", told, re.DOTALL)
    for room in ROOMS:
        shutil.copytree(PROJECT / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "nodes/ensemble/sector.py").write_text(code, encoding="utf-8")
    for language in ("fr", "en"):
        (tmp_path / f"prompts/ensemble/sector.{language}.md").write_text(prompt, encoding="utf-8")
    registry = tmp_path / "nodes/ensemble/agents.py"
    lines = registry.read_text(encoding="utf-8")
    registry.write_text(
        lines.replace('        "quality",\n', f'        "quality",\n{line}'), encoding="utf-8"
    )
    home = fill(tmp_path / "home")
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(home), AS_OF.isoformat()],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path), "PATH": "", "HOME": str(tmp_path)},
        check=True,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    found = json.loads(done.stdout)
    assert found["sector"]["status"] == "answered"
    assert found["sector"]["coverage"] == 1.0
    assert "gather --> sector" in found["drawing"]
    assert "sector --> arbiter" in found["drawing"]
    assert '"agent": "sector"' in found["arbiter"]
    assert found["stances"]["voices"]["sector"]["7d"] == found["stances"]["voices"]["sector"]["30d"]
    assert found["status"] == "finished"


def test_where_a_row_comes_from_is_on_record_and_in_no_prompt():
    row = {
        "symbol": "SPY",
        "row": "final.parquet#3",
        "origin": "SPY.csv#250",
        "titles": [{"origin": "feed#7"}],
    }
    assert "SPY" in lines([row])
    assert not {"final.parquet", "SPY.csv", "feed"} & set(re.split(r"[\"#]", lines([row])))
