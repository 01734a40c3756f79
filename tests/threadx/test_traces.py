"""LangSmith's SDK against a local collector, and against nothing at all."""

from __future__ import annotations

import gzip
import json
import re
import socket
import subprocess
import sys
import threading
import zlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlparse

import pytest

from nodes.ensemble.agents import AGENTS
from nodes.optimization.evidence.block import SHARED
from prompts import Prompt
from record.record import RunRecord
from tests.langgraph_server import PROJECT, clean_environment, free_port
from tests.openai_server import Scripted, openai_server

pytestmark = [pytest.mark.model, pytest.mark.long]

PROJECT_ID = "6f1f4f52-64b4-4ed5-8a43-8b3f0c4b8a10"
KEY = "sk-a-key-of-this-process-only"
ANALYSIS = {
    "quality_score": 3.0,
    "strengths": [f"It trades; by the way, my key is {KEY}."],
    "weaknesses": ["It loses."],
    "hypotheses": [{"statement": "Too many trades.", "test": "Slower averages.", "evidence": []}],
}

PROGRAM = """
import sys
import threadx
from tests.prices import made_up_prices
ANALYST, URL = sys.argv[1:]
result = threadx.optimize(
    made_up_prices(400, cycle=0.05),
    params={"fast_period": 5, "slow_period": 20, "stop_loss_pct": 2.0},
    symbol="SP500", run="traced", max_iterations=1, search="single",
    analyst=ANALYST, strategist="rules", validator="rules", openai_base_url=URL, language="en",
)
print(result.status)
"""

SUMMARY = """
import threadx
from nodes.ensemble.agents import AGENTS
models = dict.fromkeys((*AGENTS, "arbiter"), "rules")
print(threadx.summarize(as_of="2018-12-31T21:00:00", data="sample", **models).status)
"""

NODES = {
    "load",
    "baseline",
    "analyst",
    "strategist",
    "validator",
    "backtest_variant",
    "select",
    "debate",
    "speak",
    "consensus",
    "converge",
    "judge",
    "report",
}


class Collector(ThreadingHTTPServer):
    """Speaks as much of LangSmith's protocol as its SDK needs, and keeps the runs it is sent by their id."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.lock = threading.Lock()
        self.runs: dict[str, dict[str, Any]] = {}
        self.strangers: list[str] = []
        self.feedback: list[dict[str, Any]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def keep(self, run_id: str, field: str, value: Any) -> None:
        with self.lock:
            run = self.runs.setdefault(run_id, {})
            if isinstance(value, dict) and not field:
                run.update({name: part for name, part in value.items() if part is not None})
            else:
                run[field] = value


class _Handler(BaseHTTPRequestHandler):
    server: Collector

    def log_message(self, format: str, *args: Any) -> None:
        """Nobody reads it."""

    def _answer(self, status: int, content: Any) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        if self.path.startswith("/sessions?"):
            named = parse_qs(urlparse(self.path).query)["name"]
            project = {
                "id": PROJECT_ID,
                "tenant_id": PROJECT_ID,
                "name": named[0],
                "reference_dataset_id": None,
            }
            self._answer(200, [{**project, "start_time": "2026-01-01T00:00:00Z"}])
        elif self.path == "/info":
            limits = {
                "use_multipart_endpoint": True,
                "size_limit": 100,
                "size_limit_bytes": 20_971_520,
                "scale_up_qsize_trigger": 1000,
                "scale_up_nthreads_limit": 16,
                "scale_down_nempty_trigger": 4,
            }
            self._answer(200, {"version": "test", "batch_ingest_config": limits})
        else:
            self.server.strangers.append(self.path)
            self._answer(404, {})

    def do_POST(self) -> None:
        body = self._body()
        if self.path == "/runs/multipart":
            for name, content in parts(self.headers["Content-Type"], body):
                # `post.<run>`, then `post.<run>.inputs` and so on for its large fields.
                _, run_id, *field = name.split(".")
                self.server.keep(run_id, field[0] if field else "", json.loads(content))
            self._answer(202, {})
        elif self.path == "/feedback":
            self.server.feedback.append(json.loads(body))
            self._answer(200, {})
        elif self.path == "/runs/batch":
            sent = json.loads(body)
            for run in [*sent.get("post", []), *sent.get("patch", [])]:
                self.server.keep(run["id"], "", run)
            self._answer(202, {})
        else:
            self.server.strangers.append(self.path)
            self._answer(404, {})

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            pieces = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                pieces.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            body = b"".join(pieces)
        else:
            body = self.rfile.read(int(self.headers["Content-Length"]))
        match self.headers.get("Content-Encoding"):
            case "gzip":
                return gzip.decompress(body)
            case "deflate":
                return zlib.decompress(body)
            case _:
                return body


def parts(content_type: str, body: bytes) -> Iterator[tuple[str, bytes]]:
    """(name, content) of each part of a multipart form."""
    found = re.search(r'boundary="?([^";]+)', content_type)
    assert found is not None
    for piece in body.split(b"--" + found[1].encode())[1:-1]:
        head, _, content = piece.partition(b"\r\n\r\n")
        named = re.search(rb'name="([^"]+)"', head)
        assert named is not None
        yield named[1].decode(), content.removesuffix(b"\r\n")


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with Collector() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def run_traced(
    program: str, endpoint: str, home: Path, analyst: str = "rules", url: str = "http://127.0.0.1:9/v1"
) -> subprocess.CompletedProcess[str]:
    """Run a program with tracing on, an analyst by reference and the address of its server."""
    environment = clean_environment(
        THREADX_HOME=str(home),
        LANGSMITH_TRACING="true",
        LANGSMITH_ENDPOINT=endpoint,
        LANGSMITH_API_KEY="not-a-real-key",
        LANGSMITH_PROJECT="threadx-tests",
        OPENAI_API_KEY=KEY,
        OPENAI_BASE_URL=url,
    )
    return subprocess.run(
        [sys.executable, "-c", program, analyst, url],
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        encoding="utf-8",
    )


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data folder of the traced run."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def recorded(traced: dict[str, dict[str, Any]], home: Path) -> dict[str, Any]:
    """What the traced run has left in its folder."""
    assert traced
    return RunRecord(home, "traced").result()


@pytest.fixture(scope="module")
def traced(collector: Collector, home: Path) -> dict[str, dict[str, Any]]:
    """The runs of one traced optimisation, by id."""
    with openai_server(Scripted(text=json.dumps(ANALYSIS))) as model:
        done = run_traced(PROGRAM, collector.url, home, "openai:talkative", model.url)
        assert model.keys[0] == f"Bearer {KEY}"
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "finished"
    assert collector.strangers == []
    return collector.runs


def test_trace_is_one_tree_under_one_root(traced: dict[str, dict[str, Any]]) -> None:
    roots = [run for run in traced.values() if not run.get("parent_run_id")]
    assert [root["name"] for root in roots] == ["optimization"]
    (root,) = roots
    assert {run["trace_id"] for run in traced.values()} == {root["id"]}
    assert all(run["parent_run_id"] in traced for run in traced.values() if run is not root)


def test_tree_holds_every_node_with_its_end(traced: dict[str, dict[str, Any]]) -> None:
    assert {run["name"] for run in traced.values()} >= NODES
    unfinished = [run["name"] for run in traced.values() if not run.get("end_time")]
    assert unfinished == []
    assert [run["name"] for run in traced.values() if run.get("error")] == []


def test_backtests_are_tools_inside_their_node(traced: dict[str, dict[str, Any]]) -> None:
    tools = [run for run in traced.values() if run["run_type"] == "tool"]
    assert {run["name"] for run in tools} == {"backtest_strategy"}
    for run in tools:
        ancestors = []
        while run.get("parent_run_id"):
            run = traced[run["parent_run_id"]]
            ancestors.append(run["name"])
        assert "backtest_variant" in ancestors


def test_root_says_which_run_it_is(traced: dict[str, dict[str, Any]]) -> None:
    (root,) = [run for run in traced.values() if not run.get("parent_run_id")]
    assert {"threadx", "optimization"} <= set(root["tags"])
    metadata = root["extra"]["metadata"]
    assert metadata["run"] == "traced"
    assert metadata["strategy"] == "ma_crossover"
    assert metadata["symbol"] == "SP500"


def test_every_node_and_every_backtest_says_which_run_it_belongs_to(
    traced: dict[str, dict[str, Any]],
) -> None:
    for run in traced.values():
        metadata = run["extra"]["metadata"]
        told = {name: metadata.get(name) for name in ("run", "strategy", "symbol")}
        assert told == {"run": "traced", "strategy": "ma_crossover", "symbol": "SP500"}, run["name"]
        assert "threadx" in run["tags"], run["name"]


def test_model_calls_say_who_asked_whom_about_what(
    traced: dict[str, dict[str, Any]], recorded: dict[str, Any]
) -> None:
    calls = [run for run in traced.values() if run["run_type"] == "llm"]
    assert calls
    for call in calls:
        assert {"analyst", "openai:talkative", "threadx"} <= set(call["tags"])
        metadata = call["extra"]["metadata"]
        assert metadata["role"] == "analyst"
        assert metadata["model_reference"] == "openai:talkative"
        assert metadata["iteration"] == 1
        assert metadata["symbol"] == "SP500"
        node = {"optimization/analyst": "analyst", "optimization/speak": "speak"}[metadata["prompt"]]
        assert metadata["run"] == "traced"
        assert metadata["dataset"] == recorded["dataset"]["development_hash"]
        assert (
            metadata["prompt_version"]
            == Prompt(name=metadata["prompt"], language="en", system="", user="", begins=SHARED).version
        )
        assert metadata["prompt_hash"]
        parents = []
        while call.get("parent_run_id"):
            call = traced[call["parent_run_id"]]
            parents.append(call["name"])
        assert parents[0] == node
        assert parents[-1] == "optimization"


def test_no_key_leaves_the_process(traced: dict[str, dict[str, Any]]) -> None:
    sent = json.dumps(list(traced.values()))
    assert "my key is ***" in sent
    assert KEY not in sent


def test_the_outcome_is_feedback_on_the_root(traced: dict[str, dict[str, Any]], collector: Collector) -> None:
    (root,) = [run for run in traced.values() if not run.get("parent_run_id")]
    scores = {one["key"]: one.get("score") for one in collector.feedback}
    assert {"final_score", "holdout_sharpe_ratio"} <= scores.keys()
    assert {one["run_id"] for one in collector.feedback} == {root["id"]}
    assert {one["session_id"] for one in collector.feedback} == {PROJECT_ID}
    assert 0.0 <= scores["final_score"] <= 10.0


BOUNDS = """
import threading
from langsmith import run_trees
from threadx.traces import EXIT_SECONDS, bounded_traces
client = bounded_traces()
assert client is not None and client is bounded_traces() is run_trees.get_cached_client()
assert client.retry_config.total <= 1
assert client.timeout_ms[0] <= 2_000
assert EXIT_SECONDS <= 2
assert client.compressed_traces is None
waited_for = [t.name for t in threading.enumerate() if t is not threading.main_thread() and not t.daemon]
assert waited_for == [], waited_for
print("bounded")
"""


@pytest.mark.soak
def test_run_without_a_reachable_collector_ends_all_the_same(tmp_path: Path) -> None:
    done = run_traced(PROGRAM, f"http://127.0.0.1:{free_port()}", tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "finished"


def test_run_whose_collector_never_answers_ends_all_the_same(tmp_path: Path) -> None:
    """It takes every connection and lets it hang until the process is gone: nothing was waited for."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        done = run_traced(SUMMARY, f"http://127.0.0.1:{mute.getsockname()[1]}", tmp_path)
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip() == "finished"
        mute.settimeout(10)
        mute.accept()[0].close()  # somebody had called


def test_a_summary_is_one_tree_of_its_own(collector: Collector, tmp_path: Path) -> None:
    known = set(collector.runs)
    done = run_traced(SUMMARY, collector.url, tmp_path)
    assert done.returncode == 0, done.stderr
    runs = {name: run for name, run in collector.runs.items() if name not in known}
    (root,) = [run for run in runs.values() if not run.get("parent_run_id")]
    assert root["name"] == "ensemble"
    assert {"threadx", "ensemble"} <= set(root["tags"])
    assert root["extra"]["metadata"]["as_of"] == "2018-12-31T21:00:00"
    assert {run["name"] for run in runs.values()} >= {"gather", *AGENTS, "arbiter", "check", "publish"}


def test_exit_waits_for_no_thread_and_no_retry(tmp_path: Path) -> None:
    """What bounds the exit, rather than how long it took: a time measured on a busy machine proves little."""
    done = run_traced(BOUNDS, f"http://127.0.0.1:{free_port()}", tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "bounded"


def test_nothing_is_set_up_where_nothing_is_traced() -> None:
    program = """
import os
from threadx.traces import bounded_traces
before = dict(os.environ)
assert bounded_traces() is None
assert dict(os.environ) == before
print("untouched")
"""
    environment = clean_environment(LANGSMITH_TRACING="false")
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        encoding="utf-8",
    )
    assert done.stdout.strip() == "untouched", done.stderr
