"""What is deployed by the files of `deploy/` exists: commands, options, variables and paths."""

import json
import re
import shlex
import shutil
import subprocess
import sys

import click
import pytest
import yaml
from click.testing import CliRunner
from langgraph_cli.cli import cli

from nodes.context import VARIABLES
from prompts import Words
from tests.langgraph_server import PROJECT
from threadx.command import build
from threadx.web.ready import READY_PATH

DEPLOY = PROJECT / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
UNITS = sorted(DEPLOY.glob("*.service"))
TEXTS = [
    path.read_text(encoding="utf-8") for path in (*sorted(DEPLOY.iterdir()), PROJECT / "docs/deployment.md")
]


def parsed(arguments):
    """Read a command line as the command would, without running it."""
    command = build(Words("en"))
    context = click.Context(command, info_name="threadx")
    while isinstance(command, click.Group):
        name, command, arguments = command.resolve_command(context, arguments)
        context = click.Context(command, parent=context, info_name=name)
    command.make_context(command.name, [*arguments], parent=context)


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.stem)
def test_a_unit_starts_a_command_that_there_is_and_writes_in_its_folder_alone(unit):
    found = dict(line.split("=", 1) for line in unit.read_text(encoding="utf-8").splitlines() if "=" in line)
    program, *arguments = shlex.split(found["ExecStart"])
    assert program.endswith("/.venv/bin/threadx")
    parsed(arguments)
    assert f"THREADX_HOME=/var/lib/{found['StateDirectory']}" in found["Environment"].split()
    assert (found["ProtectSystem"], found["NoNewPrivileges"]) == ("strict", "yes")
    assert (found["User"], found["CapabilityBoundingSet"]) == ("threadx", "")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
def test_systemd_knows_every_setting_of_the_units(tmp_path):
    for unit in UNITS:
        text = unit.read_text(encoding="utf-8").replace("/opt/threadx/.venv/bin/threadx", sys.executable)
        (tmp_path / unit.name).write_text(text, encoding="utf-8")
    units = [str(tmp_path / unit.name) for unit in UNITS]
    command = ["systemd-analyze", "verify", *units]
    told = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    complaints = [line for line in told.stderr.splitlines() if any(unit.name in line for unit in UNITS)]
    assert (told.returncode, complaints) == (0, [])


def test_the_containers_start_commands_that_there_are_and_are_asked_where_they_answer():
    program, *arguments = COMPOSE["services"]["schedule"]["entrypoint"]
    assert program == "threadx"
    parsed(arguments)
    assert READY_PATH in COMPOSE["services"]["server"]["healthcheck"]["test"][-1]
    for name in ("server", "schedule"):
        told = COMPOSE["services"][name]["environment"]
        assert told["THREADX_DATABASE"].startswith("postgresql://")
        assert told["THREADX_HOME"] == COMPOSE["services"][name]["volumes"][0].partition(":")[2]


def test_no_container_can_gain_privileges_and_none_but_the_server_is_reached_from_outside():
    for name, service in COMPOSE["services"].items():
        assert service["security_opt"] == ["no-new-privileges:true"], name
        # PostgreSQL's image begins as root and gives its rights up by itself.
        assert name == "postgres" or service["cap_drop"] == ["ALL"]
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ())), name
    assert {name for name, one in COMPOSE["services"].items() if "ports" in one} == {"server"}
    assert {name for name, one in COMPOSE["services"].items() if one.get("read_only")} == {
        "redis",
        "schedule",
    }


def test_the_image_that_langgraph_builds_is_told_of_the_graphs_as_they_are(tmp_path):
    """Docker reads quotation marks as a shell does: an apostrophe in a description would end its value."""
    done = CliRunner().invoke(
        cli, ["dockerfile", "--config", str(PROJECT / "langgraph.json"), str(tmp_path / "Dockerfile")]
    )
    assert done.exit_code == 0, done.output
    lines = (tmp_path / "Dockerfile").read_text(encoding="utf-8").splitlines()
    settings = [shlex.split(line.removeprefix("ENV ")) for line in lines if line.startswith("ENV ")]
    found = {name: json.loads(value) for (one,) in settings for name, _, value in [one.partition("=")]}
    config = json.loads((PROJECT / "langgraph.json").read_text(encoding="utf-8"))
    assert (found["LANGSERVE_GRAPHS"], found["LANGGRAPH_HTTP"]) == (config["graphs"], config["http"])
    assert [line for line in lines if line.startswith("RUN") and "psycopg[binary]" in line]


def test_every_setting_is_in_the_example_or_the_guide():
    names = re.compile(r"\b[A-Z][A-Z0-9_]+\b")
    example, guide = (
        set(names.findall((PROJECT / path).read_text(encoding="utf-8")))
        for path in (".env.example", "docs/deployment.md")
    )
    asked = set(re.findall(r"\$\{(\w+)", (DEPLOY / "compose.yaml").read_text(encoding="utf-8")))
    assert "THREADX_TOKEN" in asked
    assert asked <= example | guide
    assert VARIABLES - example == {"THREADX_NAMED_PLUGINS"}, "what a process tells its children"


def test_no_variable_is_unknown_and_no_secret_has_a_default():
    named = set(re.findall(r"\bTHREADX_[A-Z0-9_]+", "\n".join(TEXTS)))
    assert named <= VARIABLES
    secrets = re.findall(r"\$\{(\w*(?:PASSWORD|TOKEN|KEY)\w*)(?::-([^}]*))?", "\n".join(TEXTS))
    assert secrets
    assert not [name for name, default in secrets if default]
