"""Contrast as WCAG 2 defines it, of what a chart's SVG holds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree import ElementTree

SVG = "{http://www.w3.org/2000/svg}"
TEXT_AT_LEAST = 4.5
MARK_AT_LEAST = 3.0
_MARKS = re.compile(r"\bmark-(line|trail|rule|symbol)\b")

Colour = tuple[float, float, float]


def colour(told: str) -> Colour | None:
    """Red, green and blue of `#rgb`, `#rrggbb` or `rgb(...)`, 0–255; None for what is not painted."""
    if told.startswith("#"):
        digits = told[1:] if len(told) == 7 else "".join(2 * digit for digit in told[1:])
        return int(digits[:2], 16), int(digits[2:4], 16), int(digits[4:], 16)
    if told.startswith("rgb("):
        red, green, blue = (float(part) for part in told[4:-1].split(","))
        return red, green, blue
    if told == "black":
        return 0.0, 0.0, 0.0
    assert told in ("none", "transparent"), told
    return None


def luminance(of: Colour) -> float:
    """Relative luminance, 0–1 (WCAG 2.2, definition)."""
    shares = [part / 255 for part in of]
    linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: Colour, other: Colour) -> float:
    """Contrast ratio, 1–21."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def painted(svg: str, ground: str) -> Iterator[tuple[str, float, float]]:
    """(what, its contrast with the ground, the least it needs) for each text, line and point of a chart.

    Areas, cells and candles are left out: they are told apart by their shapes and outlines. Grid lines and
    outlines that carry nothing are too.
    """
    behind = colour(ground)
    assert behind is not None

    def walk(node: ElementTree.Element, kind: str) -> Iterator[tuple[str, float, float]]:
        kind = node.get("class", "") or kind
        if "role-axis-grid" in kind:
            return
        text = node.tag == f"{SVG}text"
        mark = node.tag in (f"{SVG}path", f"{SVG}line") and "role-mark" in kind and _MARKS.search(kind)
        if (text and node.text) or mark:
            # A point is seen by its fill, a line by its stroke.
            name = "fill" if text or colour(node.get("fill", "none")) else "stroke"
            ink = colour(node.get(name, "none"))
            share = float(node.get("opacity", 1)) * float(node.get(f"{name}-opacity", 1))
            if ink is not None and share > 0:
                red, green, blue = (share * a + (1 - share) * b for a, b in zip(ink, behind, strict=True))
                what = f"{node.text if text else kind} {node.get(name)} {share:g}"
                yield what, contrast((red, green, blue), behind), TEXT_AT_LEAST if text else MARK_AT_LEAST
        for child in node:
            yield from walk(child, kind)

    yield from walk(ElementTree.fromstring(svg), "")
