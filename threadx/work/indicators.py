"""`threadx indicators`: what is in the library, what one does, a new one examined."""

from __future__ import annotations

import sys
from pathlib import Path

from backtest.cage.source import LONGEST
from backtest.cage.wording import told
from backtest.engine.adopted import dismiss
from backtest.language.functions import usage
from base.files import write_text_atomically
from base.paths import typed_path
from base.plain_files import read_plain
from base.reasons import because
from prompts import Words
from record.record import canonical_json
from threadx.errors import ThreadxError
from threadx.settings import make_context
from threadx.terminal import Terminal
from threadx.work.written import write_json
from threadx.writable import writable
from vault import adding, indicators
from vault.indicators import Kept

PERSON = "person"
_SCALES = {0: "free", 1: "price"}


def listing(words: Words, json_path: str | None, home: str | None, language: str, debug: bool) -> None:
    """Every function of the library: what conditions call, what it measures, who wrote it."""
    known = indicators.library(make_context(home=home, language=language).home_path)
    if json_path != "-":
        rows = [(_usage(one), _about(one, words), _author(one, words)) for one in known.values()]
        head = [words(f"code.list.{name}") for name in ("usage", "about", "author")]
        if rows:
            Terminal(words).columns(head, rows, words_columns=range(len(head)), spare=(2,))
        else:
            Terminal(words).line(words("code.list.none"))
    write_json(canonical_json({"indicators": [_told(one) for one in known.values()]}), json_path)


def show(
    words: Words, name: str, json_path: str | None, home: str | None, language: str, debug: bool
) -> None:
    """What one measures, where it comes from, and its source."""
    kept = indicators.one_of(make_context(home=home, language=language).home_path, name)
    if json_path != "-":
        Terminal(words).lines([*_lines(kept, words), "", *kept.source.splitlines()])
    write_json(canonical_json(_told(kept)), json_path)


def export(words: Words, name: str, out: str | None, home: str | None, language: str, debug: bool) -> None:
    """Its source, to standard output or a file: `threadx indicators add` takes it elsewhere.

    Raises:
        ThreadxError: `unwritable_file`.
    """
    kept = indicators.one_of(make_context(home=home, language=language).home_path, name)
    text = f"# {kept.author}, {kept.added_at}, {kept.hash}\n\n{kept.source}"
    if out is None or out == "-":
        sys.stdout.write(text)
        return
    try:
        write_text_atomically(Path(out), text, named=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise ThreadxError("unwritable_file", path=out, reason=because(error)) from None
    Terminal(words).line(words("command.written", folder=out))


def remove(words: Words, name: str, home: str | None, language: str, debug: bool) -> None:
    """Take one out of the library; strategies that name it are then refused."""
    kept = indicators.drop(writable(make_context(home=home, language=language).home_path), name)
    dismiss(kept.name)
    Terminal(words).line(words("code.done.removed", name=kept.name))


def add(words: Words, file: str, json_path: str | None, home: str | None, language: str, debug: bool) -> None:
    """Examine a function in the cage, and keep it.

    Raises:
        ThreadxError: `unreadable_code`: the file.
        CodeError: it is refused, and why.
    """
    context = make_context(home=home, language=language)
    try:
        text = read_plain(typed_path(file), 8 * LONGEST).decode()
    except (OSError, UnicodeDecodeError) as error:
        raise ThreadxError("unreadable_code", path=file, reason=because(error)) from None
    kept = adding.add(text, writable(context.home_path), author=PERSON)
    if json_path != "-":
        Terminal(words).lines([*_lines(kept, words), words("code.done.added", usage=_usage(kept))])
    write_json(canonical_json(_told(kept)), json_path)


def _usage(kept: Kept) -> str:
    """How conditions call it; a strategy has a function for each of its signals."""
    return ", ".join(usage(name) for name in kept.read().functions)


def _about(kept: Kept, words: Words) -> str:
    return told(kept.read().about, words)


def _author(kept: Kept, words: Words) -> str:
    return words("code.show.person") if kept.author == PERSON else kept.author


def _lines(kept: Kept, words: Words) -> list[str]:
    power = kept.measured["price_power"]
    scale = words(f"code.scale.{_SCALES.get(power, 'power')}", power=power)
    nearest, correlation = kept.nearest
    return [
        words("code.show.line", usage=_usage(kept), about=_about(kept, words)),
        words("code.show.author", author=_author(kept, words), date=kept.added_at, hash=kept.hash),
        scale,
        words("code.show.nearest", known=nearest, correlation=words.number(correlation, 2)),
        *([words("code.show.parents", parents=", ".join(kept.parents))] if kept.parents else []),
        *(words("code.show.evidence", name=name, value=value) for name, value in kept.evidence.items()),
    ]


def _told(kept: Kept) -> dict[str, object]:
    source = kept.read()
    parameters = [
        {"name": one.name, "low": one.low, "high": one.high, "default": one.default, "whole": one.whole}
        for one in source.parameters
    ]
    return {
        **kept.model_dump(mode="json"),
        "about": source.about,
        "inputs": list(source.inputs),
        "parameters": parameters,
    }
