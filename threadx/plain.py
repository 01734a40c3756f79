"""Words for a terminal that are nothing but words.

What a model, a file or a server wrote may hold escape sequences, which colour, move or rewrite what a person
sees, and marks that turn the direction of writing. Here they appear as their codes.
"""

from __future__ import annotations

import click

_KEPT = "\n\t"
_CONTROLS = (*range(0x20), 0x7F, *range(0x80, 0xA0))
_TURNING = (0x061C, 0x200E, 0x200F, 0x2028, 0x2029, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
_SHOWN = {
    **{code: f"\\x{code:02x}" for code in _CONTROLS if chr(code) not in _KEPT},
    **{code: f"\\u{code:04x}" for code in _TURNING},
}


def plain(text: str) -> str:
    """The text with every control character, and every mark that turns writing, as its code."""
    return text.translate(_SHOWN)


def say(text: object, *, err: bool = False) -> None:
    """One line of words on standard output, or on standard error."""
    click.echo(plain(str(text)), err=err)
