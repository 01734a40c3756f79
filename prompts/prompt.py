"""Role prompts: one Markdown file a role and language, in parts: `[system]`, `[user]` and `[closing]`."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from string import Formatter

from prompts.errors import PromptError
from prompts.texts import Language

PARTS = ("system", "user", "closing")
_HEADING = re.compile(r"^\[(\w+)\]\n", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """What one model call is given.

    Attributes:
        name: the file it came from, without language, for example `optimization/analyst`.
        language: `fr` or `en`.
        system: who the model is and how it must answer.
        user: the evidence and the question.
        closing: what follows the shape of the answer: what changes from call to call.
        begins: the file whose parts stand before its own, the same for several roles; or empty.
    """

    name: str
    language: Language
    system: str
    user: str
    closing: str = ""
    begins: str = ""

    @cached_property
    def hash(self) -> str:
        """SHA-256 of all parts, 16 hexadecimal digits: equal prompts have equal hashes."""
        return _hash(self.system, self.user, self.closing)

    @property
    def version(self) -> str:
        """The same of the files as they stand, before anything is filled in: it changes with an edit."""
        return _hash(*_joined(self.name, self.begins, self.language).values())


def _hash(*parts: str) -> str:
    return hashlib.sha256("\x00".join(part for part in parts if part).encode()).hexdigest()[:16]


@cache
def _parts(name: str, language: Language) -> dict[str, str]:
    """The parts of a file by their names."""
    source = files("prompts").joinpath(f"{name}.{language}.md")
    if not source.is_file():
        raise PromptError("missing_text", key=name, language=language)
    before, *found = _HEADING.split(source.read_text(encoding="utf-8"))
    parts = dict(zip(found[::2], map(str.strip, found[1::2]), strict=True))
    if before or "user" not in parts or not parts.keys() <= set(PARTS):
        raise PromptError("bad_template", key=name, language=language)
    return parts


@cache
def _joined(name: str, begins: str, language: Language) -> dict[str, str]:
    """Every part of a role's prompt: what it shares with others, then its own."""
    sources = [_parts(one, language) for one in (begins, name) if one]
    joined = {part: "\n\n".join(one[part] for one in sources if part in one) for part in PARTS}
    if not joined["system"]:
        raise PromptError("bad_template", key=name, language=language)
    return joined


def placeholders(template: str) -> set[str]:
    """The names between braces in a template."""
    return {name for _, name, _, _ in Formatter().parse(template) if name}


def part_of(name: str, part: str, language: Language) -> str:
    """One part of a role's prompt, which asks for no values, for a prompt that builds on it.

    Raises:
        PromptError: no such prompt.
    """
    return _parts(name, language)[part]


def render(name: str, language: Language, *, begins: str = "", **values: str) -> Prompt:
    """Fill the prompt of a role.

    Strict on purpose: a value that no placeholder uses is as much a mistake as a placeholder without a value.

    Args:
        name: path under `prompts/` without language and suffix, for example `optimization/analyst`.
        language: `fr` or `en`.
        begins: the prompt that stands before it, the same for several roles, so that a server that keeps what
            it has read reads it once.
        **values: one text a placeholder; braces inside them are left alone.

    Raises:
        PromptError: no such prompt, or values and placeholders differ.
    """
    parts = _joined(name, begins, language)
    wanted = set().union(*map(placeholders, parts.values()))
    if missing := wanted - values.keys():
        raise PromptError("missing_value", key=name, language=language, value=", ".join(sorted(missing)))
    if unknown := values.keys() - wanted:
        raise PromptError("unknown_value", key=name, language=language, value=", ".join(sorted(unknown)))
    filled = {part: template.format(**values) for part, template in parts.items()}
    return Prompt(name=name, language=language, begins=begins, **filled)
