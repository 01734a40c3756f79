"""Errors of this room.

ReportError (RuntimeError)    a run that does not exist, is at work elsewhere, or whose record cannot be read;
                              a picture that cannot be drawn as asked
"""

from __future__ import annotations

from typing import Any


class ReportError(RuntimeError):
    """Something about a run's record, or a picture.

    Attributes:
        code: `unknown_run`, `bad_run_name`, `run_busy`, `unreadable_record`, `no_result`; `no_table`,
            `table_differs`;
            `no_summary`, `no_summaries`; `unknown_picture`, `unknown_axis`, `too_many_axes`,
            `nothing_varies`.
        fields: what the text for people needs.
    """

    room = "reports"

    def __init__(self, code: str, **fields: Any) -> None:
        super().__init__(code, fields)
        self.code = code
        self.fields = fields

    def __str__(self) -> str:
        return f"{self.code}: " + ", ".join(f"{name}={value!r}" for name, value in self.fields.items())

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (self.code, self.fields)


def _rebuild(code: str, fields: dict[str, Any]) -> ReportError:
    return ReportError(code, **fields)
