"""Every test runs without network, without the machine's own settings, and in a data folder of its own."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import pytest_socket
from hypothesis import settings

from base import plugins
from base.aside import taken
from tests.laws import TIMES

LOCAL = ["127.0.0.1", "::1", "localhost"]
MAY_TALK_TO_LOCALHOST = ("model", "server", "browser", "local")
_FOREIGN = ("THREADX_", "LANGSMITH", "LANGCHAIN", "OPENAI", "OPENROUTER", "OLLAMA")

# Here and not in a fixture: some libraries read these when they are imported.
for _name in [name for name in os.environ if name.startswith(_FOREIGN)]:
    del os.environ[_name]
os.environ["LANGSMITH_TRACING"] = "false"
os.environ["LANGGRAPH_CLI_NO_ANALYTICS"] = "1"
# Several processes of tests share the cores: further threads of BLAS take a tenth of a run for nothing.
for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[_name] = "1"

# A machine with much to do is slow, not wrong.
settings.register_profile("threadx", deadline=None)
settings.load_profile("threadx")

# A shell that starts tests in the background has their processes ignore Ctrl-C, and their children's too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure(config: pytest.Config) -> None:
    # langchain-community announces its end at import; its cache class is all that is used of it.
    config.addinivalue_line(
        "filterwarnings", "ignore:.langchain-community. is being sunset:DeprecationWarning"
    )


def _turns(items: list[pytest.Item]) -> dict[Path, int]:
    """When each long file begins: one that begins last leaves one process at work and the others idle.

    Those that wait for servers and browsers come by turns with those that compute: side by side they would
    leave processors idle.
    """
    long = dict.fromkeys(item.path for item in items if item.get_closest_marker("long"))
    waiting = {item.path for item in items if item.get_closest_marker("server")}
    kinds = [path for path in long if path in waiting], [path for path in long if path not in waiting]
    return {path: turn for kind in kinds for turn, path in enumerate(kind)}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    turns = _turns(items)
    items.sort(key=lambda item: turns.get(item.path, len(items)))
    named = any("::" in argument for argument in config.args)  # who asks for one test by its name gets it
    if TIMES == 1 and not named:
        left = [item for item in items if item.get_closest_marker("soak")]
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if not item.get_closest_marker("soak")]


def pytest_collection_finish() -> None:
    # Ten thousand tests and everything they import stay until the end: no search for garbage need see them.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000)


def pytest_runtest_setup(item: pytest.Item) -> None:
    if sys.platform == "win32" and item.get_closest_marker("posix"):
        pytest.skip("this machine is a Windows, and the test needs POSIX")


@pytest.fixture(scope="session", autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("THREADX_HOME", str(tmp_path_factory.mktemp("home")))
        yield


@pytest.fixture(autouse=True)
def _nothing_of_the_test_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A process's own notices and plugins, which the command leaves there for its children."""
    monkeypatch.setenv(plugins.VARIABLE, "")
    monkeypatch.setenv(plugins.NAMED, "")
    plugins.plugins.cache_clear()
    taken()
    yield
    plugins.plugins.cache_clear()


@pytest.fixture(scope="module", autouse=True)
def _no_functions_of_the_files_before() -> Iterator[None]:
    """What the tests of a file have taken into the language is no part of it for the next file."""
    # Imported here, for what is set above counts for them too.
    from backtest.coded import taking  # noqa: PLC0415
    from backtest.engine import derived  # noqa: PLC0415
    from backtest.engine.adopted import adopted, dismiss  # noqa: PLC0415
    from backtest.language import functions  # noqa: PLC0415

    caged, added = set(adopted()), functions.added().keys()
    yield
    for name in set(adopted()) - caged:
        dismiss(name)
    for name in functions.added().keys() - added:  # of somebody's strategy
        functions.remove(name)
        derived.remove_rule(name)
    taking._taken.clear()


@pytest.fixture(autouse=True)
def _no_network(request: pytest.FixtureRequest) -> None:
    # pytest-socket takes the restrictions back itself after each test.
    if any(request.node.get_closest_marker(mark) for mark in MAY_TALK_TO_LOCALHOST):
        pytest_socket.socket_allow_hosts(LOCAL, allow_unix_socket=True)
    else:
        pytest_socket.disable_socket(allow_unix_socket=True)
