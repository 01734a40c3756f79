"""What a reader is told to type runs: the tutorial, every example; and the site leaves nothing out."""

from __future__ import annotations

import ast
import re
import runpy
from pathlib import Path

import pytest
import yaml

import backtest
import threadx

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
PUBLIC = {"backtest": set(backtest.__all__), "threadx": set(threadx.__all__)}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THREADX_HOME", str(tmp_path))


def test_every_block_of_the_tutorial_runs_after_the_one_before(capsys: pytest.CaptureFixture[str]) -> None:
    page = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(blocks) > 5
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, "docs/index.md", "exec"), names)
    assert capsys.readouterr().out.count("\n") >= len(blocks)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_runs_and_tells_something(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(path), run_name="__main__")
    assert len(capsys.readouterr().out.splitlines()) >= 3


@pytest.mark.parametrize("path", [*EXAMPLES, ROOT / "docs" / "index.md"], ids=lambda path: path.stem)
def test_tutorial_and_examples_use_public_names_alone(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    code = "\n".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL)) if path.suffix == ".md" else text
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom) and node.module != "graphs.optimization":
            assert {alias.name for alias in node.names} <= PUBLIC[str(node.module)]


def test_the_site_shows_every_page_and_every_public_name() -> None:
    site = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    pages = set(re.findall(r": ([\w/]+\.md)", site))
    assert pages == {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    told = (ROOT / "docs" / "api" / "backtest.md").read_text(encoding="utf-8")
    constants = {"PRESETS", "GAP_POLICIES", "GapPolicy"}
    kinds = {name for name in backtest.__all__ if name.endswith("Error")}
    assert not [
        name for name in backtest.__all__ if name not in constants | kinds and f".{name}\n" not in told
    ]


def test_citation_and_distribution_have_one_version() -> None:
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert f'version = "{cited["version"]}"' in project
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "test.yml").read_text(encoding="utf-8"))
    assert set(workflow["jobs"]["everywhere"]["strategy"]["matrix"]["os"]) == {
        "ubuntu-latest",
        "macos-latest",
        "windows-latest",
    }
