"""Why something did not work, out of what Python and its libraries raise: typed, and told in two languages.

Their own messages are English, change with their versions and name their classes. `because` keeps what a
reader can act on; the exception itself stays in the chain, for `--debug`.
"""

from __future__ import annotations

import difflib
import errno
import json
import math
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from typing_extensions import TypedDict

from base.errors import PromptError, TypedError


class ReasonError(TypedError):
    """A part of another error's sentence, without capital and full stop."""

    room = "base"


ENDINGS = (TypedError, OSError, sqlite3.Error)
"""What may end work without a fault of the program's: told to the reader by `whole`, at every face."""

_BY_NUMBER = {
    errno.ENOENT: "no_such_file",
    errno.EACCES: "not_permitted",
    errno.EPERM: "not_permitted",
    errno.EROFS: "read_only",
    errno.ENOSPC: "disk_full",
    errno.EDQUOT: "disk_full",
    errno.EFBIG: "too_large",
    errno.EIO: "device_failed",
    errno.EBADF: "closed",
    errno.EMFILE: "too_many_open",
    errno.ENFILE: "too_many_open",
    errno.ENOMEM: "no_memory",
    errno.EPIPE: "nobody_reads",
    errno.ELOOP: "link_in_circles",
    errno.EINVAL: "no_name",
    errno.EMLINK: "is_a_link",
    errno.ESPIPE: "no_plain_file",
    errno.ENXIO: "no_device",
    errno.ENODEV: "no_device",
    errno.ETXTBSY: "in_use",
    errno.EBUSY: "in_use",
    errno.EISDIR: "is_a_folder",
    errno.ENOTDIR: "no_folder",
    errno.EEXIST: "exists",
    errno.ENAMETOOLONG: "name_too_long",
    errno.ETIMEDOUT: "timed_out",
    errno.ECONNREFUSED: "connection_refused",
    errno.ECONNRESET: "connection_lost",
    errno.EADDRINUSE: "address_in_use",
}

_BY_NAME = {
    "ParserError": "no_table",
    "EmptyDataError": "empty",
    "ArrowInvalid": "wrong_format",
    "ArrowTypeError": "wrong_format",
    "BadZipFile": "damaged_archive",
    "BadGzipFile": "damaged_archive",
    "EOFError": "cut_off",
    "ArrowMemoryError": "no_memory",
    "MemoryError": "no_memory",
    "RecursionError": "too_deep",
    "OverflowError": "too_large_number",
    "TimeoutError": "timed_out",
    "Timeout": "timed_out",
    "TOMLDecodeError": "not_toml",
    "ConnectError": "connection_refused",
    "ConnectTimeout": "timed_out",
    "ReadTimeout": "timed_out",
    "FileNotFoundError": "no_such_file",  # of a store, which has no numbers for them
    "PermissionError": "not_permitted",
    "EndpointConnectionError": "connection_refused",
    "ConnectTimeoutError": "timed_out",
    "ReadTimeoutError": "timed_out",
    "NoCredentialsError": "no_keys",
    "NotHeldError": "not_held",
}
"""Classes of libraries that this room does not import."""

_BY_DATABASE = {
    sqlite3.SQLITE_FULL: "disk_full",
    sqlite3.SQLITE_IOERR: "device_failed",
    sqlite3.SQLITE_READONLY: "read_only",
    sqlite3.SQLITE_PERM: "not_permitted",
    sqlite3.SQLITE_CANTOPEN: "database_closed",
    sqlite3.SQLITE_BUSY: "in_use",
    sqlite3.SQLITE_LOCKED: "in_use",
    sqlite3.SQLITE_CORRUPT: "damaged_database",
    sqlite3.SQLITE_NOTADB: "damaged_database",
    sqlite3.SQLITE_NOMEM: "no_memory",
}
"""The lowest byte of what SQLite gives as the reason."""

_MISSHAPEN = (
    LookupError,
    StopIteration,  # of a list in which what is looked for is missing
    TypeError,
    ValueError,
    AttributeError,
    ArithmeticError,
    RecursionError,
    PromptError,
)

NO_FAULT_OF_THE_ASKER = frozenset(
    {
        "disk_full",
        "too_large",
        "device_failed",
        "closed",
        "too_many_open",
        "no_memory",
        "damaged_database",
        "in_use",
    }
)
"""Reasons for which another question would have failed as well."""

_LIMITS = {
    "greater_than": "gt",
    "greater_than_equal": "ge",
    "less_than": "lt",
    "less_than_equal": "le",
    "multiple_of": "multiple_of",
    "string_too_short": "min_length",
    "string_too_long": "max_length",
    "too_short": "min_length",
    "too_long": "max_length",
    "string_pattern_mismatch": "pattern",
    "literal_error": "expected",
    "enum": "expected",
    "union_tag_invalid": "expected_tags",
}
"""Complaints of pydantic that name a limit, with its name in their context."""

_CHOICES = frozenset({"literal_error", "union_tag_invalid"})
"""Of these, those that name choices, of which one may have been meant."""

_FORMS = {
    "int_type": "whole_number",
    "int_parsing": "whole_number",
    "int_from_float": "whole_number",
    "int_parsing_size": "whole_number",
    "float_type": "number",
    "float_parsing": "number",
    "finite_number": "finite_number",
    "bool_type": "truth",
    "bool_parsing": "truth",
    "string_type": "words",
    "string_unicode": "words",
    "control_character": "visible",
    "deadlines": "deadlines",
    "deadlines_in_all": "deadlines_in_all",
    "list_type": "list",
    "tuple_type": "list",
    "dict_type": "mapping",
    "model_type": "mapping",
    "model_attributes_type": "mapping",
    "mapping_type": "mapping",
    "none_required": "nothing",
    "missing": "missing",
    "extra_forbidden": "unknown_key",
    "json_invalid": "json",
    "json_type": "json",
    "datetime_type": "time",
    "datetime_parsing": "time",
    "datetime_from_date_parsing": "time",
    "timezone_aware": "time_zone",
    "timezone_naive": "time_zone",
    "date_type": "date",
    "date_parsing": "date",
    "date_from_datetime_parsing": "date",
    "union_tag_not_found": "no_kind",
}
"""Other complaints of pydantic, each by the text for it."""


def because(error: BaseException) -> TypedError:
    """What an exception comes to for a reader."""
    match error:
        case TypedError():
            return error
        case ValidationError():
            return complaint(error.errors(include_url=False)[0])
        case json.JSONDecodeError():
            return ReasonError("not_json", line=error.lineno, column=error.colno)
        case UnicodeDecodeError():
            return ReasonError("not_utf8", byte=error.start)
        case OSError(errno=number) if number in _BY_NUMBER:
            return ReasonError(_BY_NUMBER[number])
        case sqlite3.Error() if (code := getattr(error, "sqlite_errorcode", -1) & 0xFF) in _BY_DATABASE:
            return ReasonError(_BY_DATABASE[code])
        case _:
            return named([kind.__name__ for kind in type(error).__mro__])


def whole(error: Exception) -> TypedError:
    """The same as a sentence: what the system would not do, and nobody nearer has told, with its place."""
    if isinstance(error, TypedError):
        return error
    path = getattr(error, "filename", None)
    if path is None:
        return ReasonError("system_nowhere", reason=because(error))
    return ReasonError("system", path=str(path), reason=because(error))


@contextmanager
def misshapen(refusal: Callable[[TypedError], TypedError]) -> Iterator[None]:
    """Whatever the block makes of stored JSON of another shape is one typed error.

    Who reads a record takes its fields as they come: which versions wrote it is not known. What is missing
    there, of another type, or a value that has no text, ends the reading here.

    Args:
        refusal: makes the error out of its reason.
    """
    try:
        yield
    except _MISSHAPEN as error:
        if isinstance(error, RecursionError) and type(error) is not RecursionError:
            raise  # a limit of steps, which LangGraph makes a kind of it, is no shape
        # A RuntimeError caused by a StopIteration passes for Python's own: `with` would raise the latter.
        raise refusal(_misshape(error)) from None if isinstance(error, StopIteration) else error


def _misshape(error: BaseException) -> TypedError:
    match error:
        case KeyError(args=(str(name), *_)):
            return ReasonError("at", where=name, what=ReasonError("value_missing"))
        case ValidationError() | UnicodeError() | json.JSONDecodeError() | RecursionError() | OverflowError():
            return because(error)
        case _:
            return ReasonError("other_shape")


def named(kinds: Sequence[str]) -> ReasonError:
    """The same for who has only the names of an exception's classes, its own first."""
    known = next((name for name in kinds if name in _BY_NAME), None)
    return ReasonError("other", kind=kinds[0]) if known is None else ReasonError(_BY_NAME[known])


LONGEST_COMPARED = 100
"""Letters of a name that are compared with known ones; no known name has so many."""


def likest(name: str, known: Iterable[str]) -> list[str]:
    """Known names, those that look most like this one first."""
    begun = name[:LONGEST_COMPARED].lower()  # the comparison takes the product of the two lengths

    def unlikeness(one: str) -> float:
        return -difflib.SequenceMatcher(None, begun, one.lower()).ratio()

    return sorted(sorted(known), key=unlikeness)


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name that looks most like this one; empty where none is known."""
    return next(iter(likest(name, known)), "")


def told_known(name: str, known: Iterable[str]) -> str:
    """Known names as a text, the nearest first; a dash where there are none."""
    return ", ".join(likest(name, known)) or "-"


def names_at(schema: type[BaseModel], place: Sequence[int | str]) -> list[str]:
    """Names of the fields that may stand at a place of what a schema describes."""
    kinds = [schema]
    for part in place:
        inside = [kind.model_fields[part] for kind in kinds if part in kind.model_fields]
        if inside:  # the others are numbers of items, and tags of unions
            kinds = [kind for field in inside for kind in _schemas(field.annotation)]
    return [name for kind in kinds for name in kind.model_fields]


def _schemas(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [kind for part in get_args(annotation) for kind in _schemas(part)]


def complaint(item: Mapping[str, Any], schema: type[BaseModel] | None = None) -> ReasonError:
    """One of pydantic's complaints: where, and what is wrong there.

    Args:
        item: pydantic's.
        schema: whose: of an unknown name the nearest one is told.
    """
    where = ".".join(str(part) for part in item["loc"])
    found = shape(item)
    if schema is not None and item["type"] == "extra_forbidden":
        *place, name = item["loc"]
        found = ReasonError("value_unknown_key_near", nearest=nearest(str(name), names_at(schema, place)))
    return ReasonError("at", where=where, what=found) if where else found


def shape(item: Mapping[str, Any]) -> ReasonError:
    """What is wrong in one of pydantic's complaints, without the place."""
    kind, context, given = item["type"], item.get("ctx", {}), item.get("input")
    if isinstance(given, float) and not math.isfinite(given):
        return ReasonError("value_finite_number")
    if kind in _LIMITS and _LIMITS[kind] in context:
        limit = _limit(context[_LIMITS[kind]])
        said = context.get("tag", given)
        if kind in _CHOICES and isinstance(said, str) and (alike := _alike(said[:80], str(limit))):
            return ReasonError(f"value_{kind}_near", nearest=alike, limit=limit)
        return ReasonError(f"value_{kind}", limit=limit)
    if kind in _FORMS:
        return ReasonError(f"value_{_FORMS[kind]}")
    return ReasonError("value_other", kind=kind)


def _alike(said: str, choices: str) -> str:
    """What was meant by a misspelt choice; empty where none of them looks like it.

    Args:
        said: the value that is none of them.
        choices: as `_limit` gives them, each in quotation marks.
    """
    return next(iter(difflib.get_close_matches(said.lower(), choices.replace("'", "").split(", "), n=1)), "")


def _limit(limit: Any) -> float | str:
    """A number as itself, anything else in words."""
    return limit if isinstance(limit, int | float) else str(limit).replace(" or ", ", ")


class PlainError(TypedDict):
    """An error as JSON; a field may be an error itself."""

    room: str
    code: str
    fields: dict[str, Any]


def plain(error: TypedError) -> PlainError:
    """An error as JSON, for a state or a record; `base.errors.text` tells it as the error itself."""
    fields = {
        name: plain(value) if isinstance(value, TypedError) else value for name, value in error.fields.items()
    }
    return {"room": error.room, "code": error.code, "fields": fields}
