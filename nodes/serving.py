"""What a request to the LangGraph server may not say: addresses, the data folder, files outside of it.

Whoever runs the server decides these in the environment. A request that names them is refused, however it
comes: with the run, from a stored assistant or schedule, by way of a changed state. Python and the command
are free.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from langgraph.config import get_config

from base.references import file_of_reference, listed, placed
from nodes.chosen import OPERATORS_OWN, chosen
from nodes.errors import SettingError
from nodes.model_settings import MODELS
from vault.datasets import DATASET_PREFIX
from vault.readers.prices import SAMPLE_PREFIX

OUR_MARK = "__threadx_"
"""So begin the keys of the configuration that only our own code may set."""

SERVED = f"{OUR_MARK}served"
"""Under this key the configuration tells the steps of a run that a request began it."""


def refuse_operators_own(names: Iterable[str]) -> None:
    """Refuse a request that names one of the settings of whoever runs the server.

    Raises:
        SettingError: `not_from_a_request`.
    """
    for name in names:
        if name in OPERATORS_OWN:
            raise SettingError("not_from_a_request", name=name, variable=OPERATORS_OWN[name])


def refuse_model_files(references: Iterable[str], home: Path) -> None:
    """Refuse a model file that is neither in the data folder's `models` nor chosen in its settings file.

    Args:
        references: of the models that a request names, or that its settings come to.
        home: the data folder.

    Raises:
        SettingError: `model_file_of_request`.
    """
    folder = home / MODELS
    for reference in references:
        path = file_of_reference(placed(reference))
        if path is None or placed(reference) in _chosen_references(home):
            continue
        try:
            if not os.path.isabs(path):  # a drive, where there are none
                raise SettingError("outside_home", data=path, home=str(home))
            inside(path, folder)
        except SettingError:
            raise SettingError("model_file_of_request", path=path, folder=str(folder)) from None


def _chosen_references(home: Path) -> set[str]:
    found: set[str] = set()
    for value in chosen(home).values():
        chain = listed(value) if isinstance(value, str) else value if isinstance(value, list) else ()
        found |= {placed(one) for one in chain if isinstance(one, str)}
    return found


def is_served() -> bool:
    """Whether a request to the LangGraph server began the run of the step at work."""
    return bool(get_config().get("configurable", {}).get(SERVED))


def file_of(reference: str, home: Path) -> str:
    """A file or folder as the step at work may open it.

    A request's is taken from the data folder, whatever folder the server stands in, and stays inside it. One
    outside is refused before it is looked for: nobody learns whether it exists.

    Raises:
        SettingError: `outside_home`.
    """
    return inside(reference, home) if is_served() else reference


def prices_of(reference: str, home: Path) -> str:
    """The same for prices, which may be a sample or a registered dataset too.

    Raises:
        SettingError: `outside_home`.
    """
    return reference if reference.startswith((SAMPLE_PREFIX, DATASET_PREFIX)) else file_of(reference, home)


def inside(reference: str, home: Path) -> str:
    """The absolute path of something in the data folder.

    Raises:
        SettingError: `outside_home`.
    """
    told = "" if "\0" in reference else os.path.normpath(home / reference)
    # As text first: on Windows a mere look at `\\host\share` tells that host who asks. Then through links.
    if not _holds(os.path.normpath(home), told) or not _holds(os.path.realpath(home), os.path.realpath(told)):
        raise SettingError("outside_home", data=reference, home=str(home))
    return told


def _holds(folder: str, path: str) -> bool:
    try:
        return bool(path) and os.path.commonpath([os.path.normcase(folder), os.path.normcase(path)]) == (
            os.path.normcase(folder)
        )
    except ValueError:  # of another drive
        return False
