"""What a graph is given, read once at its door: an unknown key is refused and the nearest one named."""

from __future__ import annotations

import os
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from base.errors import LANGUAGES
from base.labels import shown
from base.reasons import names_at, nearest, shape
from base.shared import check_address
from nodes.context import VARIABLES, Context
from nodes.errors import SettingError

T = TypeVar("T", bound=BaseModel)
C = TypeVar("C", bound=Context)

PREFIX = "THREADX_"
_SHOWN = 80
_LARGEST = 1e300


def read_input(schema: type[T], given: Any) -> T:
    """A graph's input, whatever it came as.

    Raises:
        SettingError: `unknown_input`, `missing_input` or `bad_setting`.
    """
    return _read(schema, given)


def read_context(schema: type[C], given: Any) -> C:
    """A run's settings; those not given come from the environment, whose own names are looked at too.

    Raises:
        SettingError: `unknown_setting`, `unknown_variable` or `bad_setting`.
    """
    check_environment()
    return _read(schema, {} if given is None else given)


def check_environment() -> None:
    """Refuse a variable of ours that does not exist or says nothing: it was meant to change something.

    Raises:
        SettingError: `unknown_variable`, `unknown_language`.
        DatabaseError: `database_address`.
    """
    for name in sorted(os.environ):
        if name.upper().startswith(PREFIX) and name.upper() not in VARIABLES:
            raise SettingError("unknown_variable", name=name, nearest=nearest(name, VARIABLES))
    language = os.environ.get("THREADX_LANGUAGE")
    if language and language not in LANGUAGES:
        raise SettingError("unknown_language", value=language, known=", ".join(LANGUAGES))
    check_address()


def _read(schema: type[T], given: Any) -> T:
    if isinstance(given, schema):
        return given
    if isinstance(given, BaseModel):
        given = given.model_dump()
    try:
        return schema.model_validate(given)
    except ValidationError as error:
        raise refusal(error, schema) from None


def _shown(given: Any) -> float | str:
    """A finite number as itself, anything else as its first letters."""
    if isinstance(given, str):
        return given[:_SHOWN]
    number = isinstance(given, int | float) and not isinstance(given, bool)
    return given if number and abs(given) < _LARGEST else shown(given)


def refusal(error: ValidationError, schema: type[BaseModel]) -> SettingError:
    """The first complaint about what was given; an unknown key before what it may have been meant for.

    Args:
        error: pydantic's.
        schema: whose.
    """
    items = sorted(error.errors(include_url=False), key=lambda item: item["type"] != "extra_forbidden")
    first = items[0]
    name = ".".join(str(part) for part in first["loc"]) or "?"
    match first["type"]:
        case "extra_forbidden":
            *place, last = first["loc"]
            meant = nearest(str(last), names_at(schema, place))
            return SettingError(
                "unknown_setting" if issubclass(schema, Context) else "unknown_input",
                name=name,
                nearest=".".join(map(str, (*place, meant))),
            )
        case "missing":
            return SettingError("missing_input", name=name)
        case _:
            return SettingError("bad_setting", name=name, value=_shown(first["input"]), reason=shape(first))
