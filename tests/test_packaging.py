"""What stands beside the code: settings for the server, what an image leaves out."""

from __future__ import annotations

import ast
import json
import re
import shlex
import subprocess
import sys
import tomllib
import urllib.request
from collections.abc import Iterator
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pathspec
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from prompts import Words
from tests import langgraph_server
from tests.langgraph_server import PROJECT
from tests.laws import some
from tests.windows import OURS, sources

LIBRARIES = {"LANGSMITH_TRACING", "LANGSMITH_API_KEY", "LANGSMITH_PROJECT", "LANGSMITH_ENDPOINT"}
"""Settings that LangSmith's own library reads."""
INTERNAL = {"LANGSMITH_DISABLE_RUN_COMPRESSION", "LANGSMITH_USE_DAEMON", "THREADX_NAMED_PLUGINS"}
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


WORD = r"(?:-[-\w]+|'[^' ]+'|[\w.\[\]=<>{}-]+)"
HINTS = re.compile(rf"(pip install|uv sync|uv add|uv pip install)((?: +{WORD})*)")


def hints() -> Iterator[tuple[str, str, list[str]]]:
    """Every command in texts and docs that installs something: where, the program, what it is given."""
    texts = sorted((PROJECT / "prompts" / "texts").glob("*.toml"))
    for path in [PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md")), *texts]:
        for match in HINTS.finditer(path.read_text(encoding="utf-8")):
            yield path.name, match[1], shlex.split(match[2])


def test_what_texts_and_docs_say_to_install_is_ours_or_a_named_library() -> None:
    """`threadx` on the package index is somebody else's program."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = set(project["optional-dependencies"])
    rows = sum(project["optional-dependencies"].values(), project["dependencies"])
    libraries = {re.split(r"[\[<>=,]", row)[0] for row in rows} | {"{package}"}
    seen = list(hints())
    assert len(seen) > 5
    for where, program, given in seen:
        plain = [word for word in given if not word.startswith("-")]
        if program == "uv sync":
            assert set(plain) <= extras, (where, given)
            assert given.count("--extra") == len(plain), (where, given)
            continue
        for word in plain:
            ours = re.fullmatch(r"\.(?:\[([\w,]+)\])?", word)
            assert ours or re.split(r"[\[<>=,]", word)[0] in libraries | {"requirements.lock"}, (where, given)
            assert not ours or set((ours[1] or "").split(",")) - {""} <= extras, (where, given)
    assert project["name"] == "threadx-quant"


def test_an_image_holds_what_runs_and_nothing_of_a_person() -> None:
    lines = (PROJECT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    left_out = pathspec.PathSpec.from_lines("gitignore", lines)
    done = subprocess.run(["git", "ls-files", "-z"], cwd=PROJECT, capture_output=True, check=True)
    files = done.stdout.decode("utf-8").rstrip("\0").split("\0")
    needed = [name for name in files if name.startswith(tuple(f"{room}/" for room in OURS))]
    needed += ["pyproject.toml", "README.md", "LICENSE", "langgraph.json"]
    assert not [name for name in needed if left_out.match_file(name)]
    for name in (
        ".env",
        ".git/HEAD",
        ".venv/bin/python",
        "data/ledger.sqlite",
        "threadx/web/__pycache__/a.pyc",
    ):
        assert left_out.match_file(name), name


def locked(name: str) -> dict[str, set[str]]:
    """Versions by package; one has several where they are for different versions of Python."""
    lines = (PROJECT / name).read_text(encoding="utf-8").splitlines()
    versions: dict[str, set[str]] = {}
    for line in lines:
        if not line.startswith(" "):
            pin = re.fullmatch(r"(\S+)==(\S+)(?: ;.*?)? \\", line)
            assert pin, line
            versions.setdefault(pin[1], set()).add(pin[2])
    return versions


def test_no_package_is_in_both_locks() -> None:
    """One place for each version, so that the two cannot disagree."""
    assert not locked("requirements.lock").keys() & locked("requirements-test.lock").keys()


def test_whatever_the_code_imports_is_installed_to_run_it() -> None:
    running, ours = locked("requirements.lock"), {*OURS, *sys.stdlib_module_names}
    providers = packages_distributions()
    for path in sources(*OURS):
        for step in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            named = [one.name for one in step.names] if isinstance(step, ast.Import) else []
            if isinstance(step, ast.ImportFrom) and not step.level:
                named.append(step.module or "")
            for module in {name.partition(".")[0] for name in named} - ours:
                given = {canonicalize_name(one) for one in providers.get(module, [module])}
                assert given & running.keys(), f"{path.name}: {module}"


def test_whatever_runs_finds_what_it_requires() -> None:
    """The locks are installed without dependencies: what a package requires must be listed with it."""
    told = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
    never = {Requirement(one).name for one in told["tool"]["uv"]["override-dependencies"]}
    project, running = told["project"], locked("requirements.lock")
    asked = project["dependencies"]
    for extra in ("embedded", "exchange", "dask", "postgres", "mcp", "studio", "editable"):
        asked = [*asked, *project["optional-dependencies"][extra]]
    waiting, seen = [Requirement(one) for one in asked], set()
    while waiting:
        wanted = waiting.pop()
        name = canonicalize_name(wanted.name)
        if name in never or (name, *sorted(wanted.extras)) in seen:
            continue
        seen.add((name, *sorted(wanted.extras)))
        assert [*wanted.specifier.filter(running.get(name, ()), prereleases=True)], str(wanted)
        for text in requires(name) or []:
            one = Requirement(text)
            extras = [{"extra": extra} for extra in ("", *wanted.extras)]
            if one.marker is None or any(one.marker.evaluate(extra) for extra in extras):
                waiting.append(one)


@pytest.mark.parametrize("target", ["optimize", "summary", "ui", "dev", "doctor", "install"])
def test_what_runs_does_not_wait_for_what_tests_need(tmp_path: Path, target: str) -> None:
    assert "requirements-test.lock" not in made(tmp_path, target)


@pytest.mark.parametrize("target", ["test", "lint", "types", "format", "notebook", "soak", "screenshots"])
def test_what_tests_need_comes_on_top_of_what_runs(tmp_path: Path, target: str) -> None:
    told = made(tmp_path, target)
    assert 0 < told.index("-r requirements.lock") < told.index("-r requirements-test.lock")


def made(folder: Path, target: str) -> str:
    """What make would run for a target in a fresh checkout."""
    command = ["make", "-n", target, f"VENV={folder / 'venv'}"]
    return subprocess.run(
        command, cwd=PROJECT, capture_output=True, text=True, encoding="utf-8", check=True
    ).stdout


SETTINGS = [("THREADX_LANGUAGE=en\n", "en"), (None, "fr")]
"""Of a server, and the language it then speaks; without any it starts for every other test of the server."""


@pytest.mark.server
@pytest.mark.parametrize(("env", "language"), some(SETTINGS, SETTINGS[:1]))
def test_the_server_starts_with_and_without_settings(tmp_path: Path, env: str | None, language: str) -> None:
    if env is not None:
        (tmp_path / "server").mkdir()
        (tmp_path / "server" / ".env").write_text(env, encoding="utf-8")
    with (
        langgraph_server.langgraph_server(tmp_path) as server,
        urllib.request.urlopen(f"{server.url}/threadx") as answer,
    ):
        assert Words(language)("web.skip") in answer.read().decode("utf-8")  # type: ignore[arg-type]
