"""Errors of the ensemble.

EnsembleError (RuntimeError)
├── BusyError           another process is at work on the ensemble of this data folder: busy
└── PublishError        the summary or its record cannot be written: publish_failed, lease_lost
"""

from __future__ import annotations

from typing import ClassVar


class EnsembleError(RuntimeError):
    """The ensemble cannot do its work.

    Attributes:
        code: snake_case; `prompts/texts/ensemble.*.toml` has a text for each under `[error]`.
        fields: what the text needs; plain str, int or float.
    """

    room: ClassVar[str] = "ensemble"

    def __init__(self, code: str, **fields: str | int | float) -> None:
        super().__init__(code, fields)
        self.code = code
        self.fields = fields

    def __str__(self) -> str:
        return f"{self.code}: " + ", ".join(f"{name}={value}" for name, value in self.fields.items())

    def __reduce__(self) -> tuple[object, ...]:
        return _revive, (type(self), self.code, self.fields)


class BusyError(EnsembleError):
    """Somebody else is at work."""


class PublishError(EnsembleError):
    """What was found cannot be written."""


def _revive(kind: type[EnsembleError], code: str, fields: dict[str, str | int | float]) -> EnsembleError:
    return kind(code, **fields)
