"""Both graphs through the real `langgraph dev`: what Studio and any SDK client see of them."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import httpx
import pytest
from jsonschema import Draft202012Validator
from langgraph_sdk import get_sync_client
from langgraph_sdk.client import SyncLangGraphClient
from mcp import Client
from playwright.sync_api import expect

from backtest import StrategySpec
from nodes.ensemble.operation.lease import leased
from nodes.ensemble.schemas import LLMEnsembleSummary
from prompts import Words
from record.errors import ReportError
from record.record import RunRecord
from tests.browser import opened_browser, opened_page, watch
from tests.langgraph_server import Server, langgraph_server
from tests.laws import combined, some
from tests.prices import made_up_prices
from tests.run_lines import lines
from threadx.results import OptimizationResult, Waiting
from threadx.runner import resume_run

pytestmark = [pytest.mark.server, pytest.mark.long]

T = TypeVar("T")

PRICES = "TEST_1h.csv"
"""In the data folder: few bars, for what any prices show."""

START = {"data": PRICES, "params": {"fast_period": 5, "slow_period": 20, "stop_loss_pct": 2.0}}
RULES = {"analyst": ["rules"], "strategist": ["rules"], "validator": ["rules"], "search": "single"}
"""No survey before each short run: `test_optimisation_streams_every_node_to_its_end` has one."""
ENSEMBLE_RULES = {agent: ["rules"] for agent in ("technical", "macro", "sentiment", "quality", "arbiter")}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    # No Ollama of this machine's own.
    folder = tmp_path_factory.mktemp("langgraph")
    with langgraph_server(folder, jobs=12, OLLAMA_HOST="http://127.0.0.1:9") as running:
        running.home.mkdir(exist_ok=True)
        made_up_prices(400, cycle=0.05).to_csv(running.home / PRICES)
        yield running


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[SyncLangGraphClient]:
    with get_sync_client(url=server.url) as opened:
        yield opened


@dataclass(frozen=True)
class Finished:
    """A run that has ended, and the places of its thread that one can go back to."""

    run: str
    thread: str
    history: list[Any]


@pytest.fixture(scope="module")
def finished(client: SyncLangGraphClient) -> Finished:
    thread, _ = start(client, "optimization", "finished", max_iterations=1)
    return Finished("finished", thread, [*client.threads.get_history(thread, limit=100)])


def at_once(calls: Iterable[Callable[[], T]]) -> list[T]:
    """What each call gives, in order; the server looks for new runs twice a second, so they wait together."""
    with ThreadPoolExecutor(12) as pool:
        return [one.result() for one in [pool.submit(call) for call in calls]]


def assistant(client: SyncLangGraphClient, graph: str) -> str:
    (found,) = client.assistants.search(graph_id=graph)
    return str(found["assistant_id"])


def drawing(client: SyncLangGraphClient, graph: str) -> set[tuple[str, str, bool]]:
    """Edges of the graph's drawing: (from, to, conditional)."""
    drawn: dict[str, Any] = client.assistants.get_graph(assistant(client, graph), xray=True)
    return {(edge["source"], edge["target"], edge.get("conditional", False)) for edge in drawn["edges"]}


def test_every_graph_is_an_assistant(client: SyncLangGraphClient) -> None:
    graphs = {found["graph_id"] for found in client.assistants.search()}
    assert graphs == {"optimization", "review", "ensemble"}


def test_drawing_of_the_optimisation_shows_its_decisions(client: SyncLangGraphClient) -> None:
    assert drawing(client, "optimization") == {
        ("__start__", "load", False),
        ("load", "baseline", False),
        ("baseline", "survey", True),
        *((node, "analyst", True) for node in ("baseline", "survey")),
        *((node, "single", True) for node in ("baseline", "survey")),
        ("analyst", "strategist", False),
        ("strategist", "validator", True),
        *((role, "approve", True) for role in ("strategist", "validator", "single")),
        *((role, "backtest_variant", True) for role in ("strategist", "validator", "single", "approve")),
        *((role, "select", True) for role in ("strategist", "validator", "single", "approve")),
        ("backtest_variant", "select", False),
        ("select", "debate:__start__", True),
        ("select", "converge", True),
        ("debate:__start__", "debate:speak", False),
        ("debate:speak", "debate:speak", True),
        ("debate:speak", "debate:consensus", True),
        ("debate:consensus", "converge", False),
        ("converge", "analyst", True),
        ("converge", "single", True),
        ("converge", "judge", True),
        ("converge", "report", True),
        ("judge", "report", False),
        ("report", "__end__", False),
    }


def test_drawing_of_the_ensemble_shows_four_agents_side_by_side(client: SyncLangGraphClient) -> None:
    agents = ("technical", "macro", "sentiment", "quality")
    assert drawing(client, "ensemble") == {
        ("__start__", "gather", False),
        *(("gather", agent, False) for agent in agents),
        *((agent, "arbiter", False) for agent in agents),
        ("arbiter", "check", False),
        ("check", "arbiter", True),
        ("check", "publish", True),
        ("publish", "__end__", False),
    }


def test_every_assistant_says_what_it_is_for(client: SyncLangGraphClient) -> None:
    told = {found["graph_id"]: found.get("description") or "" for found in client.assistants.search()}
    assert [graph for graph, words in told.items() if len(words) < 40] == []
    assert len(set(told.values())) == len(told)


def test_every_graph_is_a_tool_for_an_assistant_that_speaks_mcp(server: Server) -> None:
    async def talk() -> tuple[Any, Any, Any]:
        async with Client(f"{server.url}/mcp") as assistant:
            listed = await assistant.list_tools()
            right = await assistant.call_tool("review", {"data": PRICES, "run": "by-mcp"})
            wrong = await assistant.call_tool("review", {"data": PRICES, "strategyy": "rsi"})
            return listed.tools, right, wrong

    tools, right, wrong = asyncio.run(talk())
    assert {tool.name for tool in tools} == {"optimization", "review", "ensemble"}
    for tool in tools:
        assert len(tool.description) > 60
        Draft202012Validator.check_schema(tool.input_schema)
        assert all(field["description"] for field in tool.input_schema["properties"].values()), tool.name
    assert not right.is_error
    assert RunRecord(server.home, "by-mcp").result()["status"] == "finished"
    assert wrong.is_error  # of an error the server tells an assistant the class alone


def test_every_graph_is_an_agent_that_speaks_a2a_and_takes_its_form_as_data(
    server: Server, client: SyncLangGraphClient
) -> None:
    """No graph of ours holds a conversation: prose is refused with what is lacking, data are its input."""

    def answer(graph: str, part: dict[str, Any]) -> Any:
        message = {"messageId": "1", "role": "ROLE_USER", "parts": [part]}
        asked = {"message": message, "context": {"analyst": ["rules"]}}
        call = {"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": asked}
        address = f"{server.url}/a2a/{assistant(client, graph)}"
        return httpx.post(address, json=call, headers={"accept": "application/json"}, timeout=300).json()

    told = {found["graph_id"]: found["description"] for found in client.assistants.search()}
    for graph in ("optimization", "review", "ensemble"):
        address = f"/a2a/{assistant(client, graph)}"
        card = httpx.get(f"{server.url}{address}/.well-known/agent-card.json", timeout=60).json()
        assert (card["name"], card["description"], card["url"]) == (graph, told[graph], server.url + address)
        assert "data" in card["skills"][0]["metadata"]["inputSchema"]["properties"]
        assert "messages" in answer(graph, {"text": "Is it any good?"})["error"]["message"]

    done = answer("review", {"data": {"data": PRICES, "run": "by-a2a"}})["result"]["task"]
    assert done["status"]["state"] == "TASK_STATE_COMPLETED"
    assert RunRecord(server.home, "by-a2a").result()["status"] == "finished"
    assert "by-a2a" in done["artifacts"][0]["parts"][0]["text"]
    wrong = answer("review", {"data": {"data": PRICES, "strategyy": "rsi"}})["result"]["task"]
    assert wrong["status"]["state"] == "TASK_STATE_FAILED"


@pytest.mark.parametrize("graph", ["optimization", "review", "ensemble"])
@pytest.mark.parametrize("form", ["input_schema", "context_schema", "output_schema"])
def test_every_field_of_a_form_has_a_title_and_a_help_text(
    client: SyncLangGraphClient, graph: str, form: str
) -> None:
    schemas: dict[str, Any] = client.assistants.get_schemas(assistant(client, graph))
    fields = schemas[form]["properties"]
    assert fields
    bare = [name for name, field in fields.items() if not (field.get("title") and field.get("description"))]
    assert bare == []


def test_context_form_has_bounds_choices_and_defaults(client: SyncLangGraphClient) -> None:
    schemas: dict[str, Any] = client.assistants.get_schemas(assistant(client, "optimization"))
    fields = schemas["context_schema"]["properties"]
    assert (fields["max_iterations"]["minimum"], fields["max_iterations"]["maximum"]) == (1, 200)
    assert (fields["target_score"]["minimum"], fields["target_score"]["maximum"]) == (0.0, 10.0)
    assert fields["language"]["enum"] == ["fr", "en"]
    assert fields["fill"]["enum"] == ["next_open", "close"]
    assert fields["analyst"]["type"] == "array"
    assert fields["analyst"]["default"] == ["ollama:deepseek-r1:70b", "rules"]
    assert fields["use_validator"]["type"] == "boolean"
    assert fields["roles"]["enum"] == ["team", "single"]
    limit = fields["max_model_calls"]["anyOf"]
    assert [(part["type"], part.get("minimum")) for part in limit] == [("integer", 1), ("null", None)]


@pytest.mark.parametrize("graph", ["optimization", "review"])
def test_the_form_offers_every_preset(client: SyncLangGraphClient, graph: str) -> None:
    schemas: dict[str, Any] = client.assistants.get_schemas(assistant(client, graph))
    strategy = schemas["input_schema"]["properties"]["strategy"]
    assert strategy["enum"] == StrategySpec.preset_names()
    assert strategy["default"] in strategy["enum"]


@pytest.mark.parametrize("graph", ["optimization", "review", "ensemble"])
def test_what_comes_out_is_what_the_output_schema_says(client: SyncLangGraphClient, graph: str) -> None:
    """By a validator of schemas; and with what matters taken away, or another kind of thing, it is not."""
    schemas: dict[str, Any] = client.assistants.get_schemas(assistant(client, graph))
    told = schemas["output_schema"]
    checked = Draft202012Validator(told)
    if graph == "ensemble":
        given, context, matters = {"data": "sample"}, ENSEMBLE_RULES, "summary"
    else:
        given, context, matters = (
            {**START, "strategy": "MA-Crossover"},
            {**RULES, "max_iterations": 1},
            "result",
        )
        context = context if graph == "optimization" else RULES
    values: Any = client.runs.wait(None, graph, input=given, context=context)
    assert values.keys() >= told["properties"].keys()
    assert [error.message for error in checked.iter_errors(values)] == []
    (kind,) = [
        part["$ref"].rpartition("/")[2] for part in told["properties"][matters]["anyOf"] if "$ref" in part
    ]
    for name in told["$defs"][kind]["required"]:
        less = {key: value for key, value in values[matters].items() if key != name}
        assert not checked.is_valid({**values, matters: less}), name
        other = {**values[matters], name: object()}
        assert not checked.is_valid({**values, matters: other}), name


def test_optimisation_streams_every_node_to_its_end(server: Server, client: SyncLangGraphClient) -> None:
    thread = client.threads.create()
    nodes: list[str] = []
    kinds: list[str] = []
    for part in client.runs.stream(
        thread["thread_id"],
        "optimization",
        input={**START, "data": "sample:sp500", "run": "streamed"},
        context={**RULES, "max_iterations": 2, "language": "en", "search": "population"},
        stream_mode=["updates", "custom"],
        stream_subgraphs=True,
    ):
        assert part.event != "error", part.data
        mode = part.event.partition("|")[0]
        if mode == "updates":
            nodes.extend(part.data)
        elif mode == "custom":
            kinds.append(part.data["kind"])
    cycle = {"analyst", "strategist", "validator", "backtest_variant", "select", "debate", "converge"}
    assert set(nodes) == {"load", "baseline", "survey", *cycle, "speak", "consensus", "judge", "report"}
    assert nodes[:3] == ["load", "baseline", "survey"]
    assert nodes[-2:] == ["judge", "report"]
    record = RunRecord(server.home, "streamed")
    assert kinds == [event["kind"] for event in lines(record)]
    result = record.result()
    assert result["status"] == "finished"
    assert not result["degraded"]
    assert result["iterations"] == 2
    assert result["settings"]["language"] == "en"
    assert (record.folder / "report.md").is_file()
    state: dict[str, Any] = client.threads.get_state(thread["thread_id"])
    told = {name: value for name, value in result.items() if name != "history"}
    assert state["values"]["result"] == told, "every trial stands in result.json alone"


def test_run_is_joined_late_from_its_first_event(client: SyncLangGraphClient) -> None:
    thread = client.threads.create()
    run = client.runs.create(
        thread["thread_id"],
        "optimization",
        input={**START, "run": "joined"},
        context={**RULES, "max_iterations": 1},
        stream_mode=["updates"],
        stream_resumable=True,
    )
    client.runs.join(thread["thread_id"], run["run_id"])
    replayed = [
        name
        for part in client.runs.join_stream(thread["thread_id"], run["run_id"], last_event_id="-1")
        if part.event == "updates"
        for name in part.data
    ]
    assert replayed[0] == "load"
    assert replayed[-1] == "report"


def test_bad_input_is_refused_by_name(client: SyncLangGraphClient) -> None:
    thread = client.threads.create()
    parts = list(
        client.runs.stream(
            thread["thread_id"],
            "optimization",
            input={**START, "strategy": "no_such_strategy", "run": "refused"},
            context=RULES,
            stream_mode=["updates"],
        )
    )
    (error,) = [part.data for part in parts if part.event == "error"]
    assert error["error"] == "StrategyError"
    assert "no_such_strategy" in error["message"]


def start(client: SyncLangGraphClient, graph: str, run: str, **context: Any) -> tuple[str, dict[str, Any]]:
    """(thread, its state) after a run that has ended or waits."""
    thread = client.threads.create()["thread_id"]
    settings = {**RULES, "language": "en", **context}
    client.runs.wait(thread, graph, input={**START, "run": run}, context=settings)
    return thread, client.threads.get_state(thread)


@pytest.mark.soak
def test_ten_iterations_fit_the_servers_own_limit_of_steps(client: SyncLangGraphClient) -> None:
    """No limit of steps is given."""
    endless = {"use_debate": False, "patience": 10, "convergence_threshold": 0.0, "target_score": 10.0}
    _, state = start(client, "optimization", "ten", **endless)
    assert state["values"]["result"]["iterations"] == 10


def test_a_person_decides_in_studio(server: Server, client: SyncLangGraphClient) -> None:
    """Pause, a word that does not fit, a word that does: all over the API that Studio uses."""
    settings = {"approve": True, "max_iterations": 1}
    thread, state = start(client, "optimization", "asked", **settings)
    assert state["next"] == ["approve"]
    (question,) = [task["interrupts"][0]["value"] for task in state["tasks"]]
    numbers = [proposal["number"] for proposal in question["proposals"]]
    assert numbers[0] == 1
    assert "accept" in question["help"]
    assert not [e for e in lines(RunRecord(server.home, "asked")) if e["node"] == "backtest_variant"]

    def say(word: Any) -> dict[str, Any]:
        context = {**RULES, "language": "en", **settings}
        client.runs.wait(thread, "optimization", command={"resume": word}, context=context)
        told: dict[str, Any] = client.threads.get_state(thread)
        return told

    state = say({"accept": [1]})
    (question,) = [task["interrupts"][0]["value"] for task in state["tasks"]]
    assert any("not decided" in problem for problem in question["problems"])
    state = say({"accept": [1], "reject": numbers[1:]})
    assert state["next"] == []
    record = RunRecord(server.home, "asked")
    tested = [e["data"]["number"] for e in lines(record) if e["node"] == "backtest_variant"]
    assert tested == [1]
    assert record.result()["status"] == "finished"


def test_a_run_that_waits_in_the_server_is_decided_by_the_command(
    server: Server, client: SyncLangGraphClient
) -> None:
    _, state = start(client, "optimization", "handed-over", approve=True, max_iterations=1)
    assert state["next"] == ["approve"]
    waiting = resume_run("handed-over", server.home)
    assert isinstance(waiting, Waiting)
    result = resume_run("handed-over", server.home, word={"accept": "all"})
    assert isinstance(result, OptimizationResult)
    assert result.status == "finished"
    ids = [event["id"] for event in lines(RunRecord(server.home, "handed-over"))]
    assert len(ids) == len(set(ids))


def test_two_threads_cannot_have_one_run(
    server: Server, client: SyncLangGraphClient, finished: Finished
) -> None:
    before = RunRecord(server.home, finished.run).events_path.read_bytes()
    thread = client.threads.create()
    parts = list(
        client.runs.stream(
            thread["thread_id"], "optimization", input={**START, "run": finished.run}, context=RULES
        )
    )
    (error,) = [part.data for part in parts if part.event == "error"]
    assert finished.run in error["message"]
    assert RunRecord(server.home, finished.run).events_path.read_bytes() == before


def test_a_run_at_work_is_nobody_elses_and_the_server_answers(
    server: Server, client: SyncLangGraphClient
) -> None:
    thread = client.threads.create()
    refused, answered = [], []
    for part in client.runs.stream(
        thread["thread_id"],
        "optimization",
        input={**START, "run": "at-work"},
        context={**RULES, "max_iterations": 1},
        stream_mode=["updates", "custom"],
        stream_subgraphs=True,
    ):
        mode, _, inside = part.event.partition("|")
        # Once the lock is taken (the first event has passed) and before it is given back (the last one).
        if not refused and mode == "custom" and part.data["kind"] == "role_called":
            with pytest.raises(ReportError) as caught:
                resume_run("at-work", server.home)
            refused.append(caught.value.code)
        # The baseline begins the record: before it there is no run to be seen, only prices that were read.
        if mode == "updates" and not inside and "load" not in part.data and len(answered) < 3:
            page = httpx.get(f"{server.url}/threadx/runs/at-work", timeout=30)
            answer = httpx.get(f"{server.url}/ok", timeout=30).json()
            answered.append((answer["ok"], page.status_code))
    assert refused == ["run_busy"]
    assert answered
    assert set(answered) == {(True, 200)}
    assert RunRecord(server.home, "at-work").result()["status"] == "finished"


def test_a_run_that_fails_in_the_server_can_be_taken_up_at_once(
    server: Server, client: SyncLangGraphClient
) -> None:
    thread = client.threads.create()
    parts = list(
        client.runs.stream(
            thread["thread_id"],
            "optimization",
            input={**START, "run": "failed"},
            context={**RULES, "max_iterations": 1},
            config={"recursion_limit": 3},
        )
    )
    assert [part.event for part in parts][-1] == "error"
    assert RunRecord(server.home, "failed").exists()
    outcome = resume_run("failed", server.home)
    assert isinstance(outcome, OptimizationResult)
    assert outcome.details["status"] == "finished"
    assert "BlockingError" not in server.log


def test_a_review_runs_in_the_server_and_opens_nothing(server: Server, client: SyncLangGraphClient) -> None:
    openings = server.home / "datasets" / "holdout_openings.jsonl"
    before = openings.read_bytes() if openings.is_file() else b""
    thread, state = start(client, "review", "reviewed")
    assert state["values"]["result"] == RunRecord(server.home, "reviewed").result()
    assert len(state["values"]["result"]["proposals"]) >= 3
    assert (openings.read_bytes() if openings.is_file() else b"") == before
    page = httpx.get(f"{server.url}/threadx/runs/reviewed", timeout=30)
    assert page.status_code == 200
    assert thread


def test_ensemble_streams_every_agent_and_publishes(server: Server, client: SyncLangGraphClient) -> None:
    nodes: list[str] = []
    for part in client.runs.stream(
        None,
        "ensemble",
        input={"data": "sample"},
        context=ENSEMBLE_RULES,
        stream_mode=["updates", "custom"],
    ):
        assert part.event != "error", part.data
        if part.event == "updates":
            nodes.extend(part.data)
    assert nodes[0] == "gather"
    assert set(nodes[1:5]) == {"technical", "macro", "sentiment", "quality"}
    assert nodes[5:] == ["arbiter", "check", "publish"]
    (published,) = (server.home / "llm_summary").glob("dt=*/summary.json")
    LLMEnsembleSummary.model_validate_json(published.read_bytes())
    page = httpx.get(f"{server.url}/llm_summary", timeout=30)
    assert page.status_code == 200
    assert "Facteurs clés" in page.text


def test_the_server_refuses_a_second_start_of_the_ensemble(
    server: Server, client: SyncLangGraphClient
) -> None:
    """The command, or another server, is at work on the same data folder."""
    with leased(server.home):
        parts = list(client.runs.stream(None, "ensemble", input={"data": "sample"}, context=ENSEMBLE_RULES))
    assert [part.data["error"] for part in parts if part.event == "error"] == ["BusyError"]
    assert f"processus {os.getpid()}" in parts[-1].data["message"]
    client.runs.wait(None, "ensemble", input={"data": "sample"}, context=ENSEMBLE_RULES)


@pytest.mark.parametrize("path", ["/ok", "/info", "/docs", "/openapi.json"])
def test_pages_leave_the_servers_own_routes_alone(server: Server, path: str) -> None:
    answer = httpx.get(f"{server.url}{path}", timeout=30)
    assert answer.status_code == 200
    assert "nicegui" not in answer.text.lower()


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/threadx", 200),
        ("/threadx/", 200),
        ("/threadx/new", 200),
        ("/llm_summary", 200),
        ("/observability", 200),
        ("/threadx/runs/none", 404),
        ("/none", 404),
    ],
)
def test_pages_stand_beside_them(server: Server, path: str, status: int) -> None:
    assert httpx.get(f"{server.url}{path}", timeout=30).status_code == status


@pytest.mark.browser
def test_every_page_of_ours_is_alive_in_the_server(server: Server, finished: Finished) -> None:
    """Not only served: the browser's socket reaches them, so that what comes later comes."""
    words = Words("fr")
    later = {
        "/threadx": finished.run,
        "/threadx/new": "ollama:deepseek-r1:70b, rules",  # as the settings have it
        f"/threadx/runs/{finished.run}": words("web.fold.why"),
        "/llm_summary": words("web.relaunch.now"),
        "/observability": words("web.watch.answers"),
    }
    with opened_browser() as browser:
        # In the tests a list and a form, that wait for different things; in the soak each page.
        for path, says in some([*later.items()], [*later.items()][:2]):
            with opened_page(browser, "wide-light") as page:
                hosts, complaints = watch(page)
                page.goto(f"{server.url}{path}")
                if path == "/threadx/new":
                    expect(page.get_by_label(words("report.role.analyst"), exact=True)).to_have_value(says)
                else:
                    page.get_by_text(says, exact=True).first.wait_for()
                assert set(hosts) == {"127.0.0.1"}
                assert complaints == []


def test_metrics_are_served_beside_the_servers_own(server: Server) -> None:
    told = httpx.get(f"{server.url}/threadx/metrics")
    assert told.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert 'threadx_ensemble_alert{alert="success"}' in told.text


def files_of(server: Server, run: str) -> dict[str, bytes]:
    """A run's folder to the byte."""
    folder = server.home / "runs" / run
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix != ".lock"
    }


def openings(server: Server) -> list[str]:
    path = server.home / "datasets" / "holdout_openings.jsonl"
    return path.read_text(encoding="utf-8").splitlines() if path.is_file() else []


@pytest.mark.parametrize("by_hand", [False, True], ids=["earlier-checkpoint", "changed-state"])
@pytest.mark.parametrize("step", some(["analyst", "select", "judge"], ["judge"]))
def test_time_travel_is_a_run_of_its_own(
    server: Server, client: SyncLangGraphClient, finished: Finished, step: str, by_hand: bool
) -> None:
    """As Studio does it: a checkpoint of a finished thread, or its state edited, and no settings sent."""
    parent, thread = finished.run, finished.thread
    before, opened = files_of(server, parent), openings(server)
    known = {path.name for path in (server.home / "runs").iterdir()}
    (place,) = [one for one in finished.history if one["next"] == [step]]
    checkpoint = place["checkpoint"]["checkpoint_id"]
    if by_hand:
        edited: Any = client.threads.update_state(thread, {"confidence": 1.0}, checkpoint_id=checkpoint)
        checkpoint = edited["checkpoint"]["checkpoint_id"]
    values: Any = client.runs.wait(thread, "optimization", input=None, checkpoint_id=checkpoint)
    (fork,) = {path.name for path in (server.home / "runs").iterdir()} - known
    assert values["result"]["run"]["id"] == values["run_id"] == fork
    assert values["result"]["run"]["parent"]["run"] == parent
    assert RunRecord(server.home, fork).result()["status"] == "finished"
    assert files_of(server, parent) == before
    assert openings(server)[: len(opened)] == opened
    (opening,) = openings(server)[len(opened) :]
    assert json.loads(opening)["reader"] == fork


def said_of(
    client: SyncLangGraphClient, graph: str, given: Any, context: Any, thread: Any = None, **more: Any
) -> str:
    """The sentence with which a request is refused."""
    parts = client.runs.stream(thread, graph, input=given, context=context, **more)
    (error,) = [part.data for part in parts if part.event == "error"]
    assert error["error"] == "SettingError"
    return str(error["message"])


def misspelt(name: str) -> str:
    """One letter lost, or two changed about in a short name."""
    return name[:-1] if len(name) > 3 else name[1] + name[0] + name[2:]


@pytest.mark.parametrize(
    ("graph", "language"), [("optimization", "fr"), ("review", "en"), ("ensemble", "fr"), ("ensemble", "en")]
)
def test_an_unknown_key_is_refused_with_the_sentence(
    server: Server, client: SyncLangGraphClient, graph: str, language: Any
) -> None:
    """What the client sees is the sentence itself, and nothing is begun; test_doors walks over all keys."""
    schemas: dict[str, Any] = client.assistants.get_schemas(assistant(client, graph))
    good = {"data": "sample"} if graph == "ensemble" else START
    known = sorted((server.home / "runs").iterdir()) if (server.home / "runs").is_dir() else []
    words = Words(language)
    calls, sentences = [], []
    for form, text in (("input_schema", "unknown_input"), ("context_schema", "unknown_setting")):
        known_keys = [*schemas[form]["properties"]]
        for meant in (known_keys[0], known_keys[-1]):
            name = misspelt(meant)
            given: Any = dict(good)
            context: Any = {"language": language}
            (given if form == "input_schema" else context)[name] = "x"
            calls.append(partial(said_of, client, graph, given, context))
            sentences.append(words(f"nodes.error.{text}", name=name, nearest=meant))
    assert at_once(calls) == sentences
    assert (sorted((server.home / "runs").iterdir()) if known else []) == known


@pytest.mark.parametrize(
    ("graph", "kept"), combined(("optimization", "review", "ensemble"), ("context", "config"))
)
def test_a_stored_assistant_is_held_to_its_settings(
    server: Server, client: SyncLangGraphClient, graph: str, kept: str
) -> None:
    """Whichever way it keeps them, and although the run names others: a misspelt one is refused."""
    given: Any = {"data": "sample"} if graph == "ensemble" else START
    meant = {"ensemble": "language"}.get(graph, "max_tokens")
    name = misspelt(meant)
    settings: Any = {name: "x"}
    stored: Any = {"context": settings} if kept == "context" else {"config": {"configurable": settings}}
    made = client.assistants.create(graph, **stored)["assistant_id"]
    told = said_of(client, made, given, {"language": "en"})
    client.assistants.delete(made)
    assert told == Words("en")("nodes.error.unknown_setting", name=name, nearest=meant)


NOWHERE = "http://127.0.0.1:9/v1"


@pytest.mark.parametrize("graph", ["optimization", "ensemble"])
def test_no_request_names_an_address(server: Server, client: SyncLangGraphClient, graph: str) -> None:
    """Whichever way LangGraph has for a client's settings, stored ones too."""
    given: Any = {"data": "sample"} if graph == "ensemble" else START
    bad: Any = {"openai_base_url": NOWHERE, "language": "en"}
    config: Any = {"configurable": bad}

    def stored(**settings: Any) -> str:
        made = client.assistants.create(graph, **settings)["assistant_id"]
        said = said_of(client, made, given, {"language": "en"})
        client.assistants.delete(made)
        return said

    def threaded() -> str:
        return said_of(client, graph, given, bad, client.threads.create(graph_id=graph)["thread_id"])

    def scheduled() -> str:
        # The server takes it, and its runs are refused like any.
        client.crons.create(graph, schedule="0 0 1 1 *", input=given, context=bad)
        (one,) = client.crons.search()
        kept = one["payload"]
        client.crons.delete(one["cron_id"])
        return said_of(client, graph, kept["input"], kept["context"])

    ways: dict[str, Callable[[], str]] = {
        "context": partial(said_of, client, graph, given, bad),
        "config": partial(said_of, client, graph, given, None, config=config),
        "assistant": partial(stored, context=bad),
        "assistant config": partial(stored, config=config),
        "thread": threaded,
        "schedule": scheduled,
    }
    refused = Words("en")(
        "nodes.error.not_from_a_request", name="openai_base_url", variable="OPENAI_BASE_URL"
    )
    assert dict(zip(ways, at_once([*ways.values()]), strict=True)) == dict.fromkeys(ways, refused)


def test_a_request_reads_no_file_outside_the_data_folder_and_calls_no_address(
    server: Server, client: SyncLangGraphClient
) -> None:
    told = [
        said_of(client, "review", {**START, "data": path}, RULES).replace(path, "")
        for path in (str(server.folder / "server.log"), str(server.folder / "none.log"))
    ]
    assert told[0] == told[1]
    answer = httpx.post(
        f"{server.url}/runs/wait",
        json={
            "assistant_id": "review",
            "input": START,
            "context": RULES,
            "webhook": "https://192.0.2.1/hook",
        },
        timeout=60,
    )
    assert answer.status_code == 422
