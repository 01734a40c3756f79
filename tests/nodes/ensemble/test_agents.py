"""The registry of agents, and a fifth one added as `docs/ensemble.md` says."""

import json
import os
import re
import shutil
import subprocess
import sys
from types import SimpleNamespace

import httpx
import pytest

from graphs.ensemble import graph
from nodes.ensemble.agent import RESERVED
from nodes.ensemble.agents import AGENTS, VIEWS
from nodes.ensemble.context import EnsembleContext
from nodes.ensemble.policies.evidence import lines
from nodes.ensemble.schemas import AgentReport
from nodes.ensemble.technical import coverage
from tests.browser import served
from tests.langgraph_server import PROJECT, clean_environment
from tests.partitions import AS_OF, fill

ignored = shutil.ignore_patterns("__pycache__", ".*", "docs", "tests", "benchmarks", "notebooks", "shared")

STANCE = {"outlook_days_7", "outlook_days_30"}


@pytest.mark.parametrize("agent", AGENTS.values(), ids=lambda agent: agent.name)
def test_who_reads_markets_gives_a_stance_and_who_judges_data_gives_none(agent):
    fields = agent.schema.model_fields
    assert fields.keys() >= {"confidence", "drivers" if agent.reads else "concerns"}
    assert (fields.keys() >= STANCE) is (agent.name in VIEWS) is (agent.reads is not None)
    assert agent.name == "quality" or fields.keys() >= STANCE


TOLD = (PROJECT / "docs" / "extending.md").read_text(encoding="utf-8")
SECTOR = next(code for code in re.findall(r"```python\n(.*?)```", TOLD, re.DOTALL) if "sector.py" in code)
RUN = """
import contextlib, io, json, sys
from base.plugins import plugins
from graphs.ensemble import graph
from nodes.ensemble.agent import RESERVED
from nodes.ensemble.agents import AGENTS
from nodes.ensemble.context import EnsembleContext
from nodes.ensemble.policies.evidence import candidates
from nodes.ensemble.policies.pooling import factors, weights
from nodes.ensemble.state import reports_of
from prompts import Words
from record.versions import versions
from reports.tables import contributor_cells
from threadx.command import main

home, hour = sys.argv[1:]
given = {"as_of": hour}
chain = {"sector": "ollama:m,rules", "ollama_base_url": "http://127.0.0.1:9"}
context = EnsembleContext(home=home, models="rules", language="en", **chain)
state = graph.invoke(given, context=context)
drawing = graph.get_graph().draw_mermaid()
told = {"sector": state["agents"]["sector"], "stances": state["stances"], "status": state["status"],
        "arbiter": state["arbiter"]["prompt"], "drawing": drawing, "agents": [*AGENTS],
        "others": {name: one["provenance"]["attempts"] for name, one in state["agents"].items()},
        "weights": weights(reports_of(state), factors(state["evidence"]["quality"]), state["record"]),
        "cited": [contributor_cells(row, Words("en")) for row in state["summary"]["contributors"]],
        "settings": EnsembleContext.model_json_schema()["properties"]["sector"],
        "errors": {one.name: None if one.error is None else one.error.sentence("en") for one in plugins()},
        "versions": versions()}
for name, command in {"run": ["ensemble", "run", "--as-of", hour, "--data", home, "--models", "rules"],
                      "report": ["ensemble", "report", "--format", "md"], "doctor": ["doctor"]}.items():
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.suppress(SystemExit):
        main([*command, "--home", home, "--language", "en"])
    told[name] = out.getvalue()
print(json.dumps(told))
"""


def run_with(folder, home, **environment):
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(fill(home)), AS_OF.isoformat()],
        cwd=folder,
        env=clean_environment(PYTHONPATH=str(folder), **environment),
        check=False,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def plugin(tmp_path_factory):
    """A run with an agent of somebody else's, and with three that do not fit."""
    folder = tmp_path_factory.mktemp("plugins")
    texts = {
        "sector.py": SECTOR,
        "half.py": SECTOR.replace("sector", "half").replace("    weight=0.05,\n", ""),
        "mute.py": SECTOR.replace("sector", "mute").replace('        "mute.ask"', '        "mute.asked"'),
        "one_sided.py": SECTOR.replace("sector", "side").replace("cited.side", "cited.one", 1),
        "taken.py": SECTOR.replace("sector", "home").replace("breadth", "width"),
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    files = os.pathsep.join(str(folder / name) for name in texts)
    told = run_with(PROJECT, folder / "home", THREADX_PLUGINS=files)
    environment = clean_environment(THREADX_PLUGINS=files, LANGSMITH_TRACING="false")
    with served(folder / "home", folder, environment, "en") as address:
        return {**told, "page": httpx.get(f"{address}/llm_summary", timeout=60).text}


def test_an_agent_from_outside_votes_is_cited_and_has_a_chain_of_its_own(plugin):
    sector = plugin["sector"]
    assert (sector["status"], sector["coverage"], sector["degraded"]) == ("answered", 1.0, True)
    assert sector["provenance"]["attempts"][0]["model"] == "ollama:m"
    others = [attempts for name, attempts in plugin["others"].items() if name != "sector"]
    assert not any(attempt["model"] == "ollama:m" for one in others for attempt in one)
    assert plugin["weights"]["sector"] > 0.0
    assert plugin["stances"]["voices"]["sector"]["7d"] == plugin["stances"]["voices"]["sector"]["30d"]
    assert "gather --> sector" in plugin["drawing"]
    assert "sector --> arbiter" in plugin["drawing"]
    assert '"agent": "sector"' in plugin["arbiter"]["user"]
    assert "quality, technical, sentiment, macro, sector" in plugin["arbiter"]["system"]
    (cited,) = [row for row in plugin["cited"] if row["source"] == "agreement"]
    assert cited["model"] == "count of the forecasts"
    assert "of the forecasts point the same way" in cited["rationale"]


def test_an_agent_from_outside_is_on_terminal_report_page_and_settings(plugin):
    assert plugin["settings"]["title"] == "Sector agent"
    assert plugin["settings"]["description"] == "Models of the sector agent, in order."
    assert "sector" in " ".join(plugin["doctor"].split())
    assert "agreement" in plugin["run"]
    assert "the sector agent" in plugin["report"]
    assert "The sector agent" in plugin["page"]
    assert "agreement" in plugin["page"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("half.py", "half: weight not said"),
        ("mute.py", "mute: agents.mute.ask (fr), agents.mute.ask (en) not said"),
        ("one_sided.py", "texts for agents in one language only: cited.one, cited.side"),
        ("taken.py", "home: there are two of this name"),
    ],
)
def test_half_an_agent_is_refused_by_name_and_stops_nothing(plugin, name, reason):
    assert plugin["errors"]["sector.py"] is None
    assert reason in plugin["errors"][name]
    assert f"The plugin {name} is not used" in " ".join(plugin["doctor"].split())
    assert plugin["agents"] == ["technical", "macro", "sentiment", "quality", "sector"]
    assert plugin["versions"][f"plugin {name}"] == "failed"
    assert re.fullmatch(r"[0-9a-f]{12}", plugin["versions"]["plugin sector.py"])


def test_no_agent_has_the_name_of_a_node_or_a_setting():
    assert EnsembleContext.model_fields.keys() - AGENTS.keys() <= RESERVED
    assert set(graph.get_graph().nodes) - AGENTS.keys() - {"__start__", "__end__"} <= RESERVED


def test_weights_stand_in_the_order_told():
    ordered = sorted(AGENTS, key=lambda name: -AGENTS[name].weight)
    assert ordered == ["quality", "technical", "sentiment", "macro"]
    assert list(VIEWS) == ["technical", "sentiment", "macro"]


@pytest.mark.parametrize("name", list(AGENTS))
def test_an_agent_is_its_file_its_texts_and_its_chain(name):
    assert AGENTS[name].name == name
    assert (PROJECT / f"nodes/ensemble/{name}.py").is_file()
    assert issubclass(AGENTS[name].schema, AgentReport) == (name in VIEWS)
    context = EnsembleContext(models="rules", **{name: "ollama:m"})
    assert context.chain(name) == ("ollama:m",)
    assert context.chain("another") == ("rules",)


def test_coverage_counts_the_forecasts_that_are_missing():
    known = [("A", "1w"), ("A", "1m"), ("B", "1w"), ("B", "1y")]
    rows = [SimpleNamespace(ticker=ticker, horizon=horizon) for ticker, horizon in known]
    assert coverage(SimpleNamespace(forecasts=SimpleNamespace(rows=rows))) == 0.75


def test_a_fifth_agent_of_ours_takes_its_file_its_texts_and_a_line(tmp_path):
    """Four files; the file of the documentation's plugin, its texts moved into the catalogues."""
    shutil.copytree(PROJECT, tmp_path, dirs_exist_ok=True, ignore=ignored)
    namespace = {}
    exec(SECTOR, namespace)
    (tmp_path / "nodes/ensemble/sector.py").write_text(SECTOR, encoding="utf-8")
    for language, said in namespace["TEXTS"].items():
        lines = [f"{key} = {json.dumps(words, ensure_ascii=False)}" for key, words in said.items()]
        place = tmp_path / f"prompts/texts/agents.{language}.toml"
        for line in lines:
            table, _, rest = line.partition(".")
            told = place.read_text(encoding="utf-8")
            told = told if f"[{table}]\n" in told else f"{told}\n[{table}]\n"
            place.write_text(told.replace(f"[{table}]\n", f"[{table}]\n{rest}\n"), encoding="utf-8")
    registry = tmp_path / "nodes/ensemble/agents.py"
    told = registry.read_text(encoding="utf-8")
    registry.write_text(told.replace('"quality",\n', '"quality",\n        "sector",\n'), encoding="utf-8")
    found = run_with(tmp_path, tmp_path / "home")
    assert found["sector"]["status"] == "answered"
    assert found["settings"]["title"] == "Sector agent"
    assert "agreement" in {row["source"] for row in found["cited"]}
    assert found["errors"] == {}


def test_where_a_row_comes_from_is_on_record_and_in_no_prompt():
    row = {
        "symbol": "SPY",
        "row": "final.parquet#3",
        "origin": "SPY.csv#250",
        "titles": [{"origin": "feed#7"}],
    }
    assert "SPY" in lines([row])
    assert not {"final.parquet", "SPY.csv", "feed"} & set(re.split(r"[\"#]", lines([row])))
