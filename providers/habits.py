"""Parameters that a model refuses: left out one by one, and remembered by model and server.

`<home>/logs/refused_parameters.json` holds them for a month; then they are tried again, for servers learn.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, Field, RootModel, ValidationError

from base import locks, private
from base.files import write_text_atomically
from base.plain_files import read_plain
from base.secrets import masked_text
from providers import calls_log
from providers.reference import Reference
from providers.registry import provider_of
from providers.settings import Parameter, ProviderSettings

KEPT = timedelta(days=30)
_FILE = "refused_parameters.json"

_NAMED: tuple[tuple[Parameter, re.Pattern[str]], ...] = (
    (
        "response_format",
        re.compile(
            r"response_format|json.?schema|structured output|guided|grammar|\bformat\b", re.IGNORECASE
        ),
    ),
    ("stream_options", re.compile(r"stream_options|include_usage", re.IGNORECASE)),
    ("temperature", re.compile(r"temperature", re.IGNORECASE)),
    ("seed", re.compile(r"\bseed\b", re.IGNORECASE)),
    (
        "system",
        re.compile(
            r"\bsystem\b.{0,20}\b(?:role|message|prompt|instruction)|\brole.{0,40}\bsystem\b"
            r"|developer (?:role|message|instruction)|roles must alternate",
            re.IGNORECASE,
        ),
    ),
)
_IN_ORDER: tuple[Parameter, ...] = ("response_format", "seed", "temperature")
"""What is left out, one after the other, where a server does not say what it minds."""


class _Refused(BaseModel):
    parameters: list[Parameter]
    since: AwareDatetime


class _File(RootModel[dict[str, Annotated[_Refused, Field()]]]):
    """Refused parameters by model and server."""


def refused_parameter(detail: str, sent: Collection[Parameter], *, guesses: bool) -> Parameter | None:
    """The parameter to leave out of the next try, after a server's refusal; None where none is left.

    Args:
        detail: what the server said.
        sent: parameters that could be left out still.
        guesses: also where the server names none of them.
    """
    named = [name for name, words in _NAMED if words.search(detail)]
    return next((name for name in (*named, *(_IN_ORDER if guesses else ())) if name in sent), None)


def refused(reference: Reference, settings: ProviderSettings) -> frozenset[Parameter]:
    """The parameters that this model on this server is known to refuse."""
    known = _read(settings.logs).get(_key(reference, settings))
    return frozenset(known.parameters) if known is not None else frozenset()


def remember(reference: Reference, settings: ProviderSettings, parameters: Collection[Parameter]) -> None:
    """Keep the parameters without which a model has answered.

    Raises:
        OSError: the folder cannot be written.
    """
    if settings.logs is None:
        return
    private.make_folder(settings.logs)
    with locks.lock(settings.logs / f".{_FILE}.lock"):
        told = _read(settings.logs)
        now = datetime.fromtimestamp(calls_log.now(), UTC)
        told[_key(reference, settings)] = _Refused(parameters=sorted(parameters), since=now)
        _write(settings.logs, told)


def forget(reference: Reference, settings: ProviderSettings) -> None:
    """Try everything again with this model.

    Raises:
        OSError: the folder cannot be written.
    """
    if settings.logs is None or not refused(reference, settings):
        return
    with locks.lock(settings.logs / f".{_FILE}.lock"):
        told = _read(settings.logs)
        told.pop(_key(reference, settings), None)
        _write(settings.logs, told)


def _write(folder: Path, told: dict[str, _Refused]) -> None:
    plain = {key: one.model_dump(mode="json") for key, one in told.items()}
    write_text_atomically(folder / _FILE, json.dumps(plain, indent=1, ensure_ascii=False) + "\n")


def _read(folder: Path | None) -> dict[str, _Refused]:
    """What is kept and not too old; a file that cannot be read only costs a refused call."""
    path = None if folder is None else folder / _FILE
    if path is None or not path.is_file():
        return {}
    try:
        found = _File.model_validate_json(read_plain(path)).root
    except (ValidationError, OSError):
        return {}
    oldest = datetime.fromtimestamp(calls_log.now(), UTC) - KEPT
    return {key: one for key, one in found.items() if one.since > oldest}


def _key(reference: Reference, settings: ProviderSettings) -> str:
    return f"{reference} {masked_text(provider_of(reference).address(settings))}".rstrip()
