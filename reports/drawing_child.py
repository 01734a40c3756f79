"""Charts and pages, drawn in a child of `base.bounded`: the renderers are native code, and abort."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import typst
import vl_convert

_PNG_SCALE = 2.0


def png(fields: dict[str, Any], parts: list[bytes]) -> bytes:
    """A chart as PNG.

    Args:
        fields: none.
        parts: the chart as Vega-Lite.
    """
    drawn: bytes = vl_convert.vegalite_to_png(json.loads(parts[0]), scale=_PNG_SCALE)
    return drawn


def svg(fields: dict[str, Any], parts: list[bytes]) -> bytes:
    """The same as SVG."""
    return str(vl_convert.vegalite_to_svg(json.loads(parts[0]))).encode()


def pdf(fields: dict[str, Any], parts: list[bytes]) -> bytes:
    """The same as PDF."""
    drawn: bytes = vl_convert.vegalite_to_pdf(json.loads(parts[0]))
    return drawn


def page(fields: dict[str, Any], parts: list[bytes]) -> bytes:
    """A typst template as PDF.

    Args:
        fields: `names` of the files that the template may name, `time` in seconds since 1970.
        parts: the template, the data as JSON, the files.
    """
    template, data, *files = parts
    with TemporaryDirectory(prefix="threadx-") as name:
        folder = Path(name)
        for file, content in zip(fields["names"], files, strict=True):
            (folder / file).write_bytes(content)
        main = folder / "main.typ"
        main.write_bytes(template)
        made: bytes = typst.compile(
            str(main),
            root=str(folder),
            format="pdf",
            ignore_system_fonts=True,
            sys_inputs={"data": data.decode()},
            timestamp=fields["time"],
        )
    return made
