"""Forms that a report is written in."""

from __future__ import annotations

from typing import Literal, get_args

Format = Literal["md", "html", "pdf"]
FORMATS: tuple[Format, ...] = get_args(Format)
