"""Role prompts: one Markdown file a role and language, with a `[system]` and a `[user]` part."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from string import Formatter

from prompts.errors import PromptError
from prompts.texts import Language


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """What one model call is given.

    Attributes:
        name: the file it came from, without language, for example `optimization/analyst`.
        language: `fr` or `en`.
        system: who the model is and how it must answer.
        user: the evidence and the question.
    """

    name: str
    language: Language
    system: str
    user: str

    @cached_property
    def hash(self) -> str:
        """SHA-256 of both parts, 16 hexadecimal digits: equal prompts have equal hashes."""
        return hashlib.sha256(f"{self.system}\x00{self.user}".encode()).hexdigest()[:16]

    @property
    def version(self) -> str:
        """The same of the file as it stands, before anything is filled in: it changes with an edit."""
        system, user = _parts(self.name, self.language)
        return hashlib.sha256(f"{system}\x00{user}".encode()).hexdigest()[:16]


@cache
def _parts(name: str, language: Language) -> tuple[str, str]:
    source = files("prompts").joinpath(f"{name}.{language}.md")
    if not source.is_file():
        raise PromptError("missing_text", key=name, language=language)
    head, mark, user = source.read_text(encoding="utf-8").partition("\n[user]\n")
    if not mark or not head.startswith("[system]\n"):
        raise PromptError("bad_template", key=name, language=language)
    return head.removeprefix("[system]\n").strip(), user.strip()


def placeholders(template: str) -> set[str]:
    """The names between braces in a template."""
    return {name for _, name, _, _ in Formatter().parse(template) if name}


def system_text(name: str, language: Language, **values: str) -> str:
    """The system part of a role's prompt, filled, for a prompt that builds on it.

    Raises:
        PromptError: no such prompt, or values and placeholders differ.
    """
    system, _ = _parts(name, language)
    return _filled(name, language, values, system)[0]


def render(name: str, language: Language, **values: str) -> Prompt:
    """Fill the prompt of a role.

    Strict on purpose: a value that no placeholder uses is as much a mistake as a placeholder without a value.

    Args:
        name: path under `prompts/` without language and suffix, for example `optimization/analyst`.
        language: `fr` or `en`.
        **values: one text a placeholder; braces inside them are left alone.

    Raises:
        PromptError: no such prompt, or values and placeholders differ.
    """
    system, user = _filled(name, language, values, *_parts(name, language))
    return Prompt(name=name, language=language, system=system, user=user)


def _filled(name: str, language: Language, values: dict[str, str], *templates: str) -> list[str]:
    """Templates with the values they ask for, no more and no less."""
    wanted = set().union(*map(placeholders, templates))
    if missing := wanted - values.keys():
        raise PromptError("missing_value", key=name, language=language, value=", ".join(sorted(missing)))
    if unknown := values.keys() - wanted:
        raise PromptError("unknown_value", key=name, language=language, value=", ".join(sorted(unknown)))
    return [template.format(**values) for template in templates]
