"""The one kind of error, and the sentences that readers get for it.

TypedError (RuntimeError)    a room, a code and fields; each room has a class of its own
└── PromptError              a text, a language or a value that a template needs is missing

An error holds no prose. Shown anywhere (a traceback, `str(error)`, Studio, a tool's message, a page, the
terminal) it is its sentence in the reader's language. The words stand in `prompts/texts`, one TOML catalogue
a room and language; they are read from here, as data, because rooms that know no prompts raise errors too.

It is a RuntimeError: pydantic would wrap a ValueError into its own ValidationError, and the LangGraph server
hides the message of whatever is no built-in error from its clients.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any, ClassVar, Literal, get_args

from base.days import day
from base.entries import EntryError
from base.secrets import masked

Language = Literal["fr", "en"]
LANGUAGES: tuple[Language, ...] = get_args(Language)

Face = Literal["python", "terminal", "page", "report"]
"""Where a text is read: what is an argument here is an option there, and a field under a label elsewhere."""

_LOCAL: frozenset[Face] = frozenset(("page", "report"))
"""Faces at which moments are written as the reader's language does; elsewhere they may be typed again."""

_FACE: ContextVar[Face] = ContextVar("face", default="python")

_APART = 10_000
"""From here on the thousands of a count stand apart; a count below is read at a glance."""

CATALOGUES = "prompts.texts"
"""The package whose data the catalogues are."""

COUNTS = frozenset(("bars", "count", "holdout", "limit", "missing", "rows"))
"""Names of values that count things, beside those that a template chooses a plural by."""

MOMENTS = frozenset(("after", "before", "boundary", "date", "first", "last", "since", "time", "until"))
"""Names of values that are moments: data keep ISO 8601, a reader sees a day, or a day and its hour."""

_MOMENT = re.compile(
    r"(?P<day>\d{4}-\d\d-\d\d)"
    r"(?:[T ](?P<hour>\d\d:\d\d)(?P<seconds>:\d\d(?:\.\d+)?)?(?:\+00:00|Z)?)?"
)

LONGEST_QUOTED = 2_000
"""Letters of a field that a sentence quotes; the longest lists of known names are shorter."""


class TypedError(RuntimeError):
    """Something that cannot be done, and why.

    Attributes:
        room: whose error it is: its text is `<room>.error.<code>`.
        code: snake_case name of the reason.
        fields: what the reason concerns: plain str, int or float, or another error as the reason of this one;
            without secrets.
        language: of the reader; None until somebody who knows it says so (see `in_language`).
    """

    room: ClassVar[str]
    language: Language | None = None

    def __init__(self, code: str, /, **fields: Any) -> None:
        self.code = code
        self.fields = masked(fields)
        super().__init__(code, self.fields)
        self.add_note(f"{self.room}.{code}")  # for who reads a traceback: the name to catch it by

    def sentence(self, language: Language | None = None) -> str:
        """One clear line: what is wrong, where, and what to do.

        Raises:
            PromptError: there is no text for it, or the text needs a field that the error lacks.
        """
        spoken = language or self.language or readers_language()
        shown = {name: _shortened(value) for name, value in self.fields.items()}
        told = text(f"{self.room}.error.{self.code}", spoken, **shown)
        return told.encode("utf-8", "replace").decode()  # half a letter of a pair, which nothing can write

    def __str__(self) -> str:
        try:
            return self.sentence()
        except PromptError:
            return repr(self)  # better the bare code than a traceback about a missing text

    def __repr__(self) -> str:
        named = "".join(f", {name}={value!r}" for name, value in self.fields.items())
        return f"{type(self).__name__}({self.code!r}{named})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _revive, (type(self), self.code, self.fields, self.language)


def _shortened(value: Any) -> Any:
    """What is quoted in a sentence: of a text that nobody would read to its end, its beginning."""
    return f"{value[:LONGEST_QUOTED]}…" if isinstance(value, str) and len(value) > LONGEST_QUOTED else value


class PromptError(TypedError):
    """A programming mistake in a template or in its caller."""

    room = "prompts"


def _revive(
    kind: type[TypedError], code: str, fields: dict[str, Any], language: Language | None
) -> TypedError:
    error = kind(code, **fields)
    error.language = language
    return error


def readers_language() -> Language:
    """THREADX_LANGUAGE, or French where it is not set or names no language."""
    chosen = os.environ.get("THREADX_LANGUAGE")
    return chosen if chosen in LANGUAGES else "fr"


@contextmanager
def shown_at(face: Face) -> Iterator[None]:
    """Whatever text is filled within the block names options as this face does."""
    before = _FACE.set(face)
    try:
        yield
    finally:
        _FACE.reset(before)


@contextmanager
def in_language(language: Language) -> Iterator[None]:
    """Whatever error leaves the block is shown in this language; one that has its language keeps it."""
    try:
        yield
    except TypedError as error:
        error.language = error.language or language
        raise


@cache
def catalogue(room: str, language: Language) -> dict[str, str]:
    """Every text of one room in one language, by its key without the room.

    Raises:
        PromptError: there is no such catalogue, or a table stands in a table of it, where no key leads.
    """
    source = files(CATALOGUES).joinpath(f"{room}.{language}.toml")
    if not source.is_file():
        raise PromptError("missing_catalogue", room=room, language=language)
    found: dict[str, str] = {}
    for name, entry in tomllib.loads(source.read_text(encoding="utf-8")).items():
        if isinstance(entry, str):
            found[name] = entry
            continue
        for inner, words in entry.items():
            if not isinstance(words, str):
                raise PromptError("nested_table", key=f"{room}.{name}.{inner}", language=language)
            found[f"{name}.{inner}"] = words
    return found


@contextmanager
def texts_added(room: str, texts: Mapping[str, Mapping[str, str]]) -> Iterator[None]:
    """Add what a plugin says to the texts of one room; an error within the block takes it back.

    Args:
        room: whose texts.
        texts: by language, then by key without the room. A text that is there is never replaced.

    Raises:
        EntryError: one language says less than the other, or a text is there already.
    """
    french, english = (dict(texts.get(language, {})) for language in LANGUAGES)
    if differing := french.keys() ^ english.keys():
        raise EntryError(f"texts for {room} in one language only: {', '.join(sorted(differing))}")
    known = [catalogue(room, language) for language in LANGUAGES]
    if taken := french.keys() & known[0].keys():
        raise EntryError(f"there already are texts for {room}: {', '.join(sorted(taken))}")
    for one, said in zip(known, (french, english), strict=True):
        one.update(said)
    try:
        yield
    except Exception:
        for one in known:
            for key in french:
                del one[key]
        raise


def text(key: str, language: Language, /, **values: Any) -> str:
    """The text of `key` in `language`, its placeholders filled.

    Args:
        key: `room.name` or `room.table.name`.
        language: `fr` or `en`.
        **values: placeholders; more than the text uses is allowed, so that each language may say less. An
            error among them, or one as JSON (`base.reasons.plain`), is told by its own sentence.

    A placeholder `{--time-zone}`, `{--gaps=fill}` or `{--all|whole=True}` (where Python has another name) is
    an option, as it is called where the text is read (`shown_at`); `{--@option}` is the one that the value
    `option` names. `{count?row|rows}` is the form that goes with the number `count`.

    Raises:
        PromptError: no such text, or a placeholder without a value.
    """
    room, _, name = key.partition(".")
    try:
        template = catalogue(room, language)[name]
    except KeyError:
        raise PromptError("missing_text", key=key, language=language) from None
    try:
        told = {name: _told(name, value, language) for name, value in values.items()}
        # A count is read with its thousands apart; the number of a row or a port is not one.
        told |= {
            name: _Count(value, language)
            for name, value in told.items()
            if type(value) is int and (name in COUNTS or f"{{{name}?" in template)
        }
        return template.format_map(_Filling(told, language))
    except (KeyError, IndexError) as missing:
        raise PromptError("missing_value", key=key, language=language, value=str(missing)) from None


class _Filling(dict[str, Any]):
    """What fills a template; options need no value, and plurals choose by one."""

    def __init__(self, values: dict[str, Any], language: Language) -> None:
        super().__init__(values)
        self.language = language

    def __missing__(self, name: str) -> str:
        counted, plural, forms = name.partition("?")
        if plural and counted in self:
            one, _, many = forms.partition("|")
            return one if _is_singular(self[counted], self.language) else many
        if not name.startswith("--"):
            raise KeyError(counted)
        if name.startswith("--@"):
            name = f"--{self[name.removeprefix('--@')]}"
        option, _, argument = name.partition("|")
        return _option(option, argument, self.language)


def _option(option: str, argument: str, language: Language) -> str:
    """An option, with the value that is advised, as it is called at this face."""
    name, _, value = option.partition("=")
    field = name.removeprefix("--").replace("-", "_")
    face = _FACE.get()
    if face == "python":
        return argument or (f'{field}="{value}"' if value else f"{field}=")
    label = catalogue("web", language).get(f"setting.{field}")
    if face != "page" or label is None:
        return f"{name} {value}".rstrip()
    quoted = f"«\u00a0{label}\u00a0»" if language == "fr" else f"“{label}”"
    return f"{quoted} = {value}" if value else quoted


def _is_singular(count: Any, language: Language) -> bool:
    """Whether a number, or one as a reader sees it, takes the singular: below 2 in French, 1 in English."""
    try:
        number = abs(float(str(count).replace(",", ".")))
    except ValueError:  # thousands, apart from each other
        return False
    return number < 2.0 if language == "fr" else number == 1.0


def _told(name: str, value: Any, language: Language) -> Any:
    match value:
        case TypedError():
            return value.sentence(language)
        case {"room": str(room), "code": str(code), "fields": dict(fields)} if len(value) == 3:
            return text(f"{room}.error.{code}", language, **{str(name): one for name, one in fields.items()})
        case float():
            # A figure as it is written, with the reader's decimal mark; templates that shape it do so alone.
            return _Figure(value, language)
        case str() if name in MOMENTS:
            return told_moment(value, language)
        case _:
            return value


def told_moment(iso: str, language: Language) -> str:
    """A day, and its hour where it has one, as the face at work writes it; any other text as it stands."""
    found, local = _MOMENT.fullmatch(iso), _FACE.get() in _LOCAL
    if found is None or (" " in iso and not local):
        return iso
    told = found["day"]
    if local:
        with suppress(ValueError):  # no day of the calendar: it stands as it was given
            told = day(date.fromisoformat(told), language)
    hour = (found["hour"] or "00:00") + (found["seconds"] or "").removesuffix(":00")
    return told if hour == "00:00" else f"{told} {hour}"


class _Count(int):
    """A number of things as a text shows it: thousands apart from ten thousand on."""

    def __new__(cls, value: int, language: Language) -> _Count:
        made = super().__new__(cls, value)
        made.mark = "\u202f" if language == "fr" else ","
        return made

    mark: str

    def __format__(self, form: str) -> str:
        return int.__format__(self, form or (",d" if abs(self) >= _APART else "d")).replace(",", self.mark)


class _Figure(float):
    """A number as a text shows it: no more digits than it has, with the decimal mark of the language."""

    def __new__(cls, value: float, language: Language) -> _Figure:
        made = super().__new__(cls, value)
        made.mark = "," if language == "fr" else "."
        return made

    mark: str

    def __format__(self, form: str) -> str:
        told = float.__format__(self, form or ".12g")
        if form:  # a figure of ours; one that is quoted stands as it was typed
            told = told.replace("-", "\u2212")
        return told.replace(".", self.mark)
