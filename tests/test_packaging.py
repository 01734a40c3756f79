"""What stands beside the code: settings for the server, what an image leaves out."""

from __future__ import annotations

import json
import re
import subprocess
import urllib.request
from pathlib import Path

import pathspec
import pytest

from prompts import Words
from tests import langgraph_server
from tests.langgraph_server import PROJECT
from tests.windows import OURS, sources

LIBRARIES = {"LANGSMITH_TRACING", "LANGSMITH_API_KEY", "LANGSMITH_PROJECT", "LANGSMITH_ENDPOINT"}
"""Settings that LangSmith's own library reads."""
INTERNAL = {"LANGSMITH_DISABLE_RUN_COMPRESSION", "LANGSMITH_USE_DAEMON"}
"""Settings that the code makes for itself."""
NAME = re.compile(r"\b(?:THREADX|OLLAMA|OPENAI|OPENROUTER|LANGSMITH)_[A-Z0-9_]+\b")


def test_the_example_of_settings_names_every_setting_and_no_other() -> None:
    example = (PROJECT / ".env.example").read_text(encoding="utf-8")
    code = "\n".join(path.read_text(encoding="utf-8") for path in sources(*OURS))
    read = set(re.findall(rf'"({NAME.pattern})"', code)) - INTERNAL
    assert set(NAME.findall(example)) == read | LIBRARIES
    set_lines = [line for line in example.splitlines() if line.strip() and not line.startswith("#")]
    assert set_lines == []  # a copy changes nothing until something is set


def test_every_package_is_known() -> None:
    told = (PROJECT / "pyproject.toml").read_text(encoding="utf-8")
    (packages,) = re.findall(r"targets\.wheel\]\npackages = (\[.*?\])", told, re.DOTALL)
    assert set(json.loads(packages)) == set(OURS)


def test_an_image_holds_what_runs_and_nothing_of_a_person() -> None:
    lines = (PROJECT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    left_out = pathspec.PathSpec.from_lines("gitignore", lines)
    done = subprocess.run(["git", "ls-files", "-z"], cwd=PROJECT, capture_output=True, check=True)
    files = done.stdout.decode("utf-8").rstrip("\0").split("\0")
    needed = [name for name in files if name.startswith(tuple(f"{room}/" for room in OURS))]
    needed += ["pyproject.toml", "README.md", "LICENSE", "langgraph.json"]
    assert not [name for name in needed if left_out.match_file(name)]
    for name in (".env", ".git/HEAD", ".venv/bin/python", "data/ledger.sqlite", "web/__pycache__/a.pyc"):
        assert left_out.match_file(name), name


@pytest.mark.server
@pytest.mark.parametrize(("env", "language"), [(None, "fr"), ("THREADX_LANGUAGE=en\n", "en")])
def test_the_server_starts_with_and_without_settings(tmp_path: Path, env: str | None, language: str) -> None:
    if env is not None:
        (tmp_path / "server").mkdir()
        (tmp_path / "server" / ".env").write_text(env, encoding="utf-8")
    with (
        langgraph_server.langgraph_server(tmp_path) as server,
        urllib.request.urlopen(f"{server.url}/threadx") as answer,
    ):
        assert Words(language)("web.skip") in answer.read().decode("utf-8")  # type: ignore[arg-type]
