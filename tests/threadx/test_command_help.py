"""Help, version and completion wait for no engine, graph or model library: a walk over every command."""

import json
import subprocess
import sys
import tomllib

import click
import pytest

from prompts import Words
from tests.langgraph_server import PROJECT
from tests.laws import some
from threadx.command import build
from threadx.commands.edits import CHANGES
from threadx.usage import usage_line

pytestmark = pytest.mark.long

LIGHT = {
    "annotated_types",
    "click",
    "platformdirs",
    "pydantic",
    "pydantic_core",
    "typing_extensions",
    "typing_inspection",
}
"""Distributions' modules that a help may import; everything else from outside is too heavy for it."""

WALK = """
import contextlib, io, json, os, sys

before = set(sys.modules)
asked = json.loads(sys.stdin.read())
heavy, told = {}, {}
for name, (arguments, environment) in asked.items():
    os.environ.update(environment)
    out = io.TextIOWrapper(io.BytesIO(), encoding='utf-8')  # completion writes bytes
    with contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):
        from threadx.command import main

        main(arguments)
    for key in environment:
        del os.environ[key]
    out.flush()
    told[name] = out.buffer.getvalue().decode()
    new = {
        module.partition(".")[0]
        for module, loaded in list(sys.modules.items())
        if module not in before and "site-packages" in str(getattr(loaded, "__file__", ""))
    }
    heavy[name] = sorted(new)
    before |= set(sys.modules)
print(json.dumps({"told": told, "heavy": heavy}))
"""


def every_command(one=None, path=()):
    """Each group and command with the words that call it."""
    one = build(Words("en")) if one is None else one
    yield path, one
    if isinstance(one, click.Group):
        context = click.Context(one)
        for name in one.list_commands(context):
            yield from every_command(one.get_command(context, name), (*path, name))


def in_one_process(asked):
    """What a child process prints for each line, and what it imports for it."""
    done = subprocess.run(
        [sys.executable, "-c", WALK],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=True,
        encoding="utf-8",
    )
    return json.loads(done.stdout)


def completed(words):
    """The environment in which a shell asks what may follow."""
    return {
        "_THREADX_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join(["threadx", *words]),
        "COMP_CWORD": str(len(words)),
    }


def too_heavy(found):
    return {name: left for name, new in found["heavy"].items() if (left := sorted(set(new) - LIGHT))}


@pytest.mark.parametrize("language", ["fr", "en"])
def test_the_help_of_every_command_is_light(language):
    asked = {
        " ".join(path) or "threadx": ([*path, "--help", "--language", language], {})
        for path, _ in every_command()
    }
    assert len(asked) >= 28
    found = in_one_process(asked)
    assert too_heavy(found) == {}
    # Each is the help of that very command, not of its group and not nothing.
    usage = {"fr": "Utilisation :", "en": "Usage:"}[language]
    for name, told in found["told"].items():
        line = told.replace("\u00a0", " ").splitlines()[0]
        assert line.startswith(f"{usage} threadx{'' if name == 'threadx' else ' ' + name} ")


@pytest.mark.parametrize("language", ["fr", "en"])
def test_the_help_of_resume_shows_every_kind_of_change_whole(language):
    told = in_one_process({"resume": (["runs", "resume", "--help", "--language", language], {})})["told"]
    examples = [json.loads(line) for line in told["resume"].splitlines() if line.strip().startswith("{")]
    assert [one["kind"] for one in examples] == list(CHANGES)


def test_every_group_and_every_choice_completes_in_the_shell_and_stays_light():
    asked, wanted = {}, {}
    for path, one in every_command():
        name = " ".join(path)
        if isinstance(one, click.Group):
            asked[name] = ([], completed([*path, ""]))
            wanted[name] = one.list_commands(click.Context(one))
        for option in one.params:
            if isinstance(option, click.Option) and isinstance(option.type, click.Choice):
                key = f"{name} {option.opts[0]}"
                asked[key] = ([], completed([*path, option.opts[0], ""]))
                wanted[key] = list(option.type.choices)
    found = in_one_process(asked)
    assert too_heavy(found) == {}
    for key, choices in wanted.items():
        offered = [line.partition(",")[2] for line in found["told"][key].splitlines()]
        assert offered == choices, key


def test_the_version_is_told_and_is_light():
    found = in_one_process({"version": (["--version"], {})})
    assert too_heavy(found) == {}
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert found["told"]["version"] == f"threadx {project['version']}\n"


@pytest.mark.parametrize("package", ["threadx", "backtest", "prompts"])
def test_importing_a_package_imports_nothing_heavy(package):
    walk = (
        f"import sys; before = set(sys.modules); import {package}; print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run(
        [sys.executable, "-c", walk], capture_output=True, text=True, check=True, encoding="utf-8"
    )
    assert not {name.partition(".")[0] for name in done.stdout.split()} & {
        *("numba", "numpy", "pandas", "pyarrow", "scipy", "langgraph", "langchain_core", "nicegui", "altair"),
    }


def test_no_command_waits_for_libraries_of_which_it_needs_a_formula():
    """Everything a run needs, imported; these took a fourth of the time until a command began."""
    walk = (
        "import sys, threadx.work.starting; print(*sys.modules)\n"
        "import threadx.summaries, threadx.work.ensemble; print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", walk], capture_output=True, text=True, check=True, encoding="utf-8"
    )
    optimize, ensemble = (set(line.split()) for line in done.stdout.splitlines())
    assert not ensemble & {"arch", "scipy.stats", "scipy.optimize", "scipy.cluster", "statsmodels"}
    rooms = {"graphs.ensemble", "nodes.ensemble", "feeds"}
    assert rooms <= ensemble
    assert not optimize & rooms


GRAPHS = {"langgraph", "langchain_core", "langsmith"}
DRAWING = {"altair", "IPython"}
ENGINE = {"numpy", "pandas", "pyarrow", "numba", "scipy"}


def test_a_list_waits_for_no_engine_and_a_backtest_for_no_graph(tmp_path):
    """What each command imports beyond the commands before it, in one process."""
    home = ["--home", str(tmp_path)]
    found = in_one_process(
        {
            "list": (["runs", "list", *home], {}),
            "show": (["runs", "show", "nobody", *home], {}),
            "backtest": (["backtest", "sample:sp500", *home], {}),
            "sweep": (["sweep", "sample:sp500", "--grid", "fast_period=3:5", *home], {}),
        }
    )
    assert not set(found["heavy"]["list"]) & (GRAPHS | DRAWING | ENGINE)
    for name in ("show", "backtest", "sweep"):
        assert not set(found["heavy"][name]) & (GRAPHS | DRAWING), name


@pytest.mark.parametrize("package", ["threadx", "backtest"])
def test_every_public_name_is_there(package):
    # In a child: submodules that other tests imported must not stand in for names.
    rooms = {"backtest": {"portfolio", "universe", "weights"}}.get(package, set())
    walk = (
        f"import {package} as p, types\n"
        "for name in p.__all__:\n"
        "    one = getattr(p, name)\n"
        "    module = isinstance(one, types.ModuleType) and not callable(one)\n"
        f"    assert module == (name in {rooms}), name\n"
        "assert set(p.__all__) <= set(dir(p))\n"
        f"from {package} import *\n"
    )
    subprocess.run([sys.executable, "-c", walk], capture_output=True, text=True, check=True, encoding="utf-8")


def slips(word):
    """What fingers make of a word: a letter left out, two changed places, one typed twice."""
    for place in range(3, len(word) - 1):
        yield word[:place] + word[place + 1 :]
        yield word[:place] + word[place + 1] + word[place] + word[place + 2 :]
        yield word[:place] + word[place] + word[place:]


def test_a_slip_of_the_finger_is_met_with_the_option_that_was_meant():
    wrong = {}
    for path, command in every_command():
        context = click.Context(command, info_name=" ".join(path))
        options = {name for one in command.get_params(context) for name in one.opts if name.startswith("--")}
        for option in sorted(name for name in options if len(name) >= 7):
            typed = sorted({*slips(option)} - options)
            for slip in some(typed, typed[::4]):
                with pytest.raises(click.NoSuchOption) as caught:
                    command.make_context(" ".join(path), [slip])
                if f"{option}." not in usage_line(caught.value, Words("en")):
                    wrong[path, slip] = usage_line(caught.value, Words("en"))
    # Where two options are a letter apart, the other one may be nearer.
    assert len(wrong) <= 3, wrong
