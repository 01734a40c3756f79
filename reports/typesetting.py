"""PDF by typst: fonts of its own, nothing fetched, the same bytes for the same content."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import typst

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def typeset(template: str, pictures: Mapping[str, bytes], data: Any = None, made: datetime = _EPOCH) -> bytes:
    """Compile a typst template.

    Args:
        template: typst source; it reads `data` with `json(bytes(sys.inputs.data))`.
        pictures: files the template may name, PDF among them.
        data: plain JSON.
        made: the document's date.

    Returns:
        The PDF.
    """
    with TemporaryDirectory(prefix="threadx-") as name:
        folder = Path(name)
        for file, content in pictures.items():
            (folder / file).write_bytes(content)
        main = folder / "main.typ"
        main.write_text(template, encoding="utf-8")
        made_pdf: bytes = typst.compile(
            str(main),
            root=str(folder),
            format="pdf",
            ignore_system_fonts=True,
            sys_inputs={"data": json.dumps(data, ensure_ascii=False, sort_keys=True)},
            timestamp=int(made.timestamp()),
        )
    return made_pdf
