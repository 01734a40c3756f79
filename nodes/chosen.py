"""`<home>/settings.json`: what a person has chosen once for every run, by command, page or Studio alike.

The folder may be somebody else's: where prompts and keys go is not chosen there.

Precedence of a setting: given explicitly, then the environment, then this file, then the default.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, TypeAdapter, ValidationError

from base.files import write_text_atomically
from base.json_files import LARGEST, Json, parse_json
from base.plain_files import read_plain
from base.reasons import ReasonError, because
from base.references import listed
from nodes.deadlines import checked_deadlines
from nodes.errors import SettingError

FILE = "settings.json"
_DEADLINES = TypeAdapter(Annotated[str, AfterValidator(checked_deadlines)])
SWITCHES = {"allow_code": "THREADX_ALLOW_CODE"}
"""What is on or off, and the environment's name of it."""

VARIABLES = {"deadlines": "THREADX_DEADLINES", **SWITCHES}
"""The environment's name of each setting that has one."""

OPERATORS_OWN = {
    "home": "THREADX_HOME",
    "ollama_base_url": "OLLAMA_HOST",
    "openai_base_url": "OPENAI_BASE_URL",
}
"""Settings of whoever runs the program, with their variables: no request and no data folder has them."""

_ENVIRONMENTS = {
    **{
        variable.lower(): variable
        for variable in (
            *OPERATORS_OWN.values(),
            *("OLLAMA_MODELS", "OLLAMA_API_KEY", "OPENAI_API_KEY", "OPENROUTER_API_KEY"),
            "THREADX_G4F_BASE_URL",
        )
    },
    **OPERATORS_OWN,
    "g4f_base_url": "THREADX_G4F_BASE_URL",
}
"""What somebody may look for in the file, and find in the environment alone."""

SETTINGS = frozenset(
    (
        *("analyst", "strategist", "validator", "models", "arbiter"),
        *("technical", "macro", "sentiment", "quality"),
        *VARIABLES,
    )
)
"""What may stand in the file: who answers, and for how long. All but `VARIABLES` are chains of models."""


def chosen(home: Path) -> Json:
    """The settings of a data folder's file; none where there is no file.

    Raises:
        SettingError: `bad_settings_file`: no JSON object; `unknown_in_settings_file`;
            `environments_in_settings_file`: an address, a folder or a key; `no_chain_in_settings_file`,
            `no_text_in_settings_file`, `no_switch_in_settings_file`: another kind of value than a setting
            has.
    """
    path = home / FILE
    if not path.exists():
        return {}
    try:
        found = parse_json(read_plain(path, LARGEST).decode())
        if not isinstance(found, dict):
            raise ReasonError("other_shape")
    except (ValueError, OSError, ReasonError) as error:
        raise SettingError("bad_settings_file", path=str(path), reason=because(error)) from None
    if unknown := sorted(found.keys() - SETTINGS):
        for name in unknown:
            if variable := _ENVIRONMENTS.get(name.lower()):
                raise SettingError(
                    "environments_in_settings_file", path=str(path), name=name, variable=variable
                )
        known = ", ".join(sorted(SETTINGS))
        raise SettingError("unknown_in_settings_file", path=str(path), name=unknown[0], known=known)
    # A setting that one graph does not have is refused too: a person has one file, and would find out late.
    for name, value in sorted(found.items()):
        if name in SWITCHES:
            if not isinstance(value, bool):
                raise SettingError("no_switch_in_settings_file", path=str(path), name=name)
        elif name in VARIABLES:
            if not isinstance(value, str):
                raise SettingError("no_text_in_settings_file", path=str(path), name=name)
            try:
                _DEADLINES.validate_python(value)
            except ValidationError as error:
                raise SettingError(
                    "deadlines_in_settings_file", path=str(path), reason=because(error)
                ) from None
        elif not _is_chain(value):
            raise SettingError("no_chain_in_settings_file", path=str(path), name=name)
    return found


def _is_chain(value: object) -> bool:
    """Whether it names at least one model, as text or as a list of texts."""
    if isinstance(value, str):
        return bool(listed(value))
    return isinstance(value, list) and bool(value) and all(isinstance(one, str) and one for one in value)


def fill(given: Mapping[str, Any], home: Path, known: Collection[str]) -> Json:
    """What was given, with what the file has for the rest.

    Args:
        given: explicit settings.
        home: the data folder.
        known: settings that the graph has.
    """
    from_file = {
        name: value
        for name, value in chosen(home).items()
        if name in known and not os.environ.get(VARIABLES.get(name, ""))
    }
    return {**from_file, **given}


def choose(home: Path, settings: Mapping[str, Any]) -> Path:
    """Write some settings into the file, the others as they were; None takes one out.

    Raises:
        SettingError: as `chosen`.
        OSError: the folder cannot be written.
    """
    merged = {**chosen(home), **settings}
    kept = {name: value for name, value in sorted(merged.items()) if value is not None}
    path = home / FILE
    write_text_atomically(path, json.dumps(kept, indent=1, ensure_ascii=False) + "\n")
    return path
