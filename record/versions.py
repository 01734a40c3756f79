"""Which code made a record: versions of what can change a figure or an answer, and a digest of ours."""

from __future__ import annotations

import platform
from functools import cache
from importlib import metadata

from backtest.language.functions import added
from base.plugins import in_use, lost
from base.sources import source_digest
from record.errors import ReportError

LIBRARIES = (
    "langchain-core",
    "langchain-ollama",
    "langchain-openai",
    "langgraph",
    "numba",
    "numpy",
    "pandas",
    "pydantic",
)

INDICATOR = "indicator "
"""How versions on record name the indicators of a library."""


@cache
def _library_versions() -> dict[str, str]:
    """Each takes a parse of its package's description, and none changes while it is in use."""
    return {name: metadata.version(name) for name in LIBRARIES}


def versions() -> dict[str, str]:
    """Versions by name: Python, libraries, `source`, the digest of our code, plugins and indicators."""
    return {
        "python": platform.python_version(),
        **_library_versions(),
        "source": source_digest(),
        **in_use(),
        **_indicators(),
    }


def _indicators() -> dict[str, str]:
    return {f"{INDICATOR}{name}": told for name, told in added().items()}


def changed_versions(then: dict[str, str]) -> list[tuple[str, str, str]]:
    """(name, then, now) of every version that is not what it was; a dash where there was none."""
    # Indicators that joined a library since change nothing of a run that could not name them.
    now = {name: told for name, told in versions().items() if name in then or not name.startswith(INDICATOR)}
    return [
        (name, then.get(name, "–"), now.get(name, "–"))
        for name in sorted({*then, *now})
        if then.get(name) != now.get(name)
    ]


def check_plugins(run: str, then: dict[str, str]) -> None:
    """Refuse to go on with a run without what others had added to it.

    Args:
        run: its name.
        then: the versions that it recorded.

    Raises:
        ReportError: `plugins_differ`; `indicators_differ`, of the library.
    """
    if found := lost(then, in_use()):
        missing = [name for name, changed in found if not changed]
        differing = [name for name, changed in found if changed]
        raise ReportError(
            "plugins_differ", run=run, missing=", ".join(missing) or "–", changed=", ".join(differing) or "–"
        )
    if found := lost(then, _indicators(), INDICATOR):
        raise ReportError("indicators_differ", run=run, names=", ".join(name for name, _ in found))
