"""Every installed package is locked, licensed and listed, and an audit says what it does not know."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from docs.build_licences import CONDITIONS, LOCKS, permits
from docs.build_sbom import sbom
from tests.langgraph_server import PROJECT
from tests.test_packaging import locked

WORKFLOW = (PROJECT / ".github/workflows/test.yml").read_text(encoding="utf-8")


def told() -> dict[str, str]:
    page = (PROJECT / "docs/licences.md").read_text(encoding="utf-8")
    return dict(re.findall(r"^\| `([\w.-]+)` \| [^|]+ \| ([^|]+) \|$", page, re.MULTILINE))


def test_every_locked_package_has_a_licence_that_lets_us_use_it() -> None:
    licences = told()
    assert licences.keys() == {name for lock in LOCKS.values() for name in locked(lock)}
    assert {name for name, text in licences.items() if not permits(text)} == CONDITIONS.keys()
    assert licences["g4f"].startswith("GPL-3.0"), "plainly"


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [
        ("MIT", True),
        ("GPL-3.0-or-later OR MIT", True),
        ("MPL-2.0 AND (Apache-2.0 OR MIT)", True),
        ("MIT AND (GPL-2.0-only OR AGPL-3.0-only)", False),
        ("BSD-2-Clause AND Apache-2.0 WITH LLVM-exception", True),
        ("MIT AND AGPL-3.0-only", False),
        ("Elastic-2.0", False),
    ],
)
def test_one_alternative_suffices_and_every_part_must(expression: str, allowed: bool) -> None:
    assert permits(expression) is allowed


@pytest.mark.posix
def test_the_list_holds_every_version_hash_and_licence_of_the_locks() -> None:
    text, licences = sbom(), told()
    assert text == sbom()
    parts = json.loads(text)["components"]
    assert {(one["name"], one["version"]) for one in parts} == {
        (name, version) for lock in LOCKS.values() for name, all_ in locked(lock).items() for version in all_
    }
    assert {one["name"]: one["licenses"][0]["expression"] for one in parts} == licences
    hashes = [one["content"] for part in parts for one in part["externalReferences"][0]["hashes"]]
    locks = "".join((PROJECT / lock).read_text(encoding="utf-8") for lock in LOCKS.values())
    assert hashes == re.findall(r"sha256:([0-9a-f]{64})", locks)


DATABASE = """
import json, sys
after = lambda name: sys.argv[sys.argv.index(name) + 1]
pins, out = open(after("--requirement")), open(after("--output"), "w")
found = {"jinja2==2.11.2": "CVE-2020-28493"} if KNOWS else {}
found |= {PIN: "CVE-1"} if PIN else {}
rows = []
for pin in pins.read().split():
    name, _, version = pin.partition("==")
    vulns = [{"id": found[pin], "fix_versions": ["9"]}] if pin in found else []
    rows.append({"name": name, "version": version, "vulns": vulns})
json.dump({"dependencies": rows}, out)
sys.exit(any(row["vulns"] for row in rows))
"""
SILENT = "import sys; sys.exit(1)"


def database(*, knows: bool, pin: str = "") -> str:
    return f"KNOWS, PIN = {knows}, {pin!r}\n{DATABASE}"


NUMPY = max(f"numpy=={version}" for version in locked("requirements.lock")["numpy"])
WINDOWS = "".join(f"pywin32=={version}" for version in locked("requirements.lock")["pywin32"])


@pytest.mark.parametrize(
    ("program", "status", "said"),
    [
        (SILENT, 0, "does not answer here: nothing was audited"),
        (database(knows=False, pin=NUMPY), 0, "does not answer here: nothing was audited"),
        (database(knows=True), 0, "audited, 0 known vulnerabilities"),
        (database(knows=True, pin=NUMPY), 1, NUMPY.replace("==", " ") + ": CVE-1, mended in 9"),
        (database(knows=True, pin=WINDOWS), 1, WINDOWS.replace("==", " ") + ": CVE-1, mended in 9"),
    ],
    ids=["silent", "knows nothing", "clean", "found", "found for another system"],
)
def test_an_audit_fails_on_a_finding_and_never_takes_silence_for_one(
    tmp_path: Path, program: str, status: int, said: str
) -> None:
    fake = tmp_path / "pip_audit.py"
    fake.write_text(program, encoding="utf-8")
    command = [sys.executable, PROJECT / ".ci/audit.py", sys.executable, str(fake)]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)
    assert (done.returncode, done.stderr) == (status, "")
    assert said in done.stdout
    assert status or done.stdout.count("\n") == 1


def test_what_runs_is_installed_by_hash_alone() -> None:
    for name in ("Makefile", "README.md", ".ci/run", ".github/workflows/test.yml"):
        for line in (PROJECT / name).read_text(encoding="utf-8").splitlines():
            if re.search(r"pip install .*-r ", line):
                assert "--no-deps --require-hashes" in line, (name, line)
            elif "pip install" in line and "-e ." in line:
                assert "--no-deps --no-build-isolation" in line, (name, line)


def test_the_workflow_may_read_alone_and_runs_pinned_actions() -> None:
    flow = yaml.safe_load(WORKFLOW)
    assert flow["permissions"] == {"contents": "read"}
    assert not [name for name, job in flow["jobs"].items() if "permissions" in job]
    for step in (step for job in flow["jobs"].values() for step in job["steps"] if "uses" in step):
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", step["uses"])
        assert "checkout" not in step["uses"] or step["with"]["persist-credentials"] is False
    steps = [step.get("run") for job in flow["jobs"].values() for step in job["steps"]]
    assert {"make audit", "make sbom"} <= {*steps}
