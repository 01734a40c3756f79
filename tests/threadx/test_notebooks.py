"""Each notebook runs from its first cell to its last, in a kernel, as a reader runs it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = sorted((ROOT / "notebooks").glob("*.py"))

TITLES = (
    "Equity and drawdown",
    "Convergence",
    "Evolution of the strategy",
    "Debates",
    "Price, signals and indicators",
    "Walk-forward",
    "Development and holdout",
)

# Python imports this first of all, in the kernel too: nothing there may reach beyond this machine.
SITE = """
import pytest_socket

pytest_socket.socket_allow_hosts(["127.0.0.1", "localhost"], allow_unix_socket=True)
"""


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_the_notebook_runs_and_shows_what_it_promises(script, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(SITE, encoding="utf-8")
    executed = tmp_path / "executed.ipynb"
    tools = Path(sys.executable).parent
    for command in (
        [tools / "jupytext", "--to", "ipynb", "--output", executed, script],
        [tools / "jupyter-execute", "--inplace", executed],
    ):
        done = subprocess.run(
            command,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}", "TMPDIR": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
            encoding="utf-8",
        )
        assert done.returncode == 0, done.stderr[-2000:]
    shown = [
        output["data"]
        for cell in json.loads(executed.read_text(encoding="utf-8"))["cells"]
        for output in cell.get("outputs", [])
        if output["output_type"] == "execute_result"
    ]
    drawn = ["".join(data["image/svg+xml"]) for data in shown if "image/svg+xml" in data]
    assert len(drawn) == len(TITLES)
    assert all(title in svg for title, svg in zip(TITLES, drawn, strict=True))
    tables = ["".join(data["text/html"]) for data in shown if "text/html" in data]
    assert any("outcome" in table for table in tables)
    assert any("holdout" in table and "sharpe_ratio" in table for table in tables)
    (report,) = tmp_path.glob("threadx-*/report.pdf")
    assert report.read_bytes().startswith(b"%PDF")
