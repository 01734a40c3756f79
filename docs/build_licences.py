"""Writes `docs/licences.md`, the licence of every locked package: `make licences`.

A licence is what the package's own metadata says, as an SPDX expression. Where they say it in part or not at
all, `STATED` has what its licence file says. What ThreadX may not use, or not without a condition that stands
on the page, ends in an error.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import NamedTuple

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression
from packaging.requirements import Requirement

from docs.build_language import built, table

PROJECT = Path(__file__).resolve().parents[1]
PAGE = PROJECT / "docs" / "licences.md"
LOCKS = {"running": "requirements.lock", "testing": "requirements-test.lock"}

PERMISSIVE = {"0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "CNRI-Python", "ISC", "MIT"}
PERMISSIVE |= {"LicenseRef-Public-Domain", "NCSA", "PSF-2.0", "Unlicense", "Zlib"}
# Their terms bind changes to the library itself; ThreadX imports them as they are and ships none.
LIBRARY = {"MPL-2.0", "LGPL-2.1-only", "LGPL-2.1-or-later", "LGPL-3.0-only"}
CONDITIONS = {
    "g4f": "GPL-3.0: whoever passes on ThreadX together with g4f, in an image for instance, passes the whole "
    "on under GPL-3.0. ThreadX itself is MIT, does not ship g4f, and imports it only when a `g4f:` model is "
    "called",
    "langgraph-api": "Elastic-2.0, not an open-source licence: it may not be offered to others as a hosted "
    "service, nor its licence keys circumvented. Only `langgraph dev` needs it (extra `studio`); command and "
    "pages do not",
    "langgraph-runtime-inmem": "Elastic-2.0, as langgraph-api",
}

WORDS = {
    "Apache 2.0": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "Apache License, Version 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "2-clause BSD": "BSD-2-Clause",
    "Simplified BSD": "BSD-2-Clause",
    "3-Clause BSD License": "BSD-3-Clause",
    "BSD 3-Clause License": "BSD-3-Clause",
    "ISC License (ISCL)": "ISC",
    "ISC license": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
}
STATED = {
    # Metadata say nothing, or not which of several.
    "axe-playwright-python": "MIT",
    "docutils": "LicenseRef-Public-Domain AND BSD-2-Clause",  # its one GPL file is not in the wheel
    "forbiddenfruit": "GPL-3.0-or-later OR MIT",
    "g4f": "GPL-3.0-or-later",
    "num2words": "LGPL-2.1-only",
    "sqlite-vec": "MIT OR Apache-2.0",
    "ta-lib": "BSD-2-Clause",
    "uvloop": "MIT OR Apache-2.0",
    # Not installed everywhere: for other systems, or other versions of Python.
    "appnope": "BSD-2-Clause",
    "colorama": "BSD-3-Clause",
    "httpx2-jsfetch": "BSD-3-Clause",
    "importlib-metadata": "Apache-2.0",
    "lazy-importer": "Apache-2.0",
    "pywin32": "PSF-2.0 AND LGPL-2.1-or-later",
    "winloop": "MIT OR Apache-2.0",
    "zipp": "MIT",
}


class Locked(NamedTuple):
    """One version of a package, as a lock has it."""

    name: str
    version: str
    marker: str
    hashes: tuple[str, ...]


def locked(lock: str) -> Iterator[Locked]:
    """Every line of a lock in its order; a package has two where versions of Python differ."""
    text = (PROJECT / lock).read_text(encoding="utf-8").replace("\\\n", " ")
    for line in text.splitlines():
        wanted, *hashes = line.split(" --hash=sha256:")
        one = Requirement(wanted)
        marker = str(one.marker) if one.marker else ""
        version = str(one.specifier).removeprefix("==")
        yield Locked(one.name, version, marker, tuple(text.strip() for text in hashes))


def licence(name: str) -> str:
    """The SPDX expression of a package's licence.

    Raises:
        ValueError: neither the package nor `STATED` says it.
    """
    try:
        found = distribution(name)
    except PackageNotFoundError:
        if name in STATED:
            return STATED[name]
        raise ValueError(f"{name} is not installed here: call `make licences` on Linux.") from None
    if told := found.metadata.get("License-Expression"):
        return canonicalize_license_expression(told)
    if name in STATED:
        return STATED[name]
    first = (found.metadata.get("License") or "").partition("\n")[0]
    classifiers = found.metadata.get_all("Classifier") or []
    for words in (first, *(one.rpartition(" :: ")[2] for one in classifiers if one.startswith("License"))):
        if words in ("BSD", "BSD License"):
            return _clauses(found)
        try:
            return canonicalize_license_expression(WORDS.get(words, words))
        except InvalidLicenseExpression:
            continue
    raise ValueError(f"{name} does not say its licence: read its licence file, and add it to STATED.")


def _clauses(found: Distribution) -> str:
    """Which BSD licence: the third clause is about endorsement."""
    (file, *_) = [one for one in found.files or () if re.search(r"dist-info/.*LICEN[CS]E", str(one))]
    return "BSD-3-Clause" if "endorse" in file.read_text(encoding="utf-8") else "BSD-2-Clause"


def permits(expression: str) -> bool:
    """Whether a licence lets ThreadX import a package as it is; of alternatives one suffices."""
    either = re.split(r" OR (?![^(]*\))", expression)
    if len(either) > 1:
        return any(map(permits, either))
    every = re.split(r" AND (?![^(]*\))", expression)
    if len(every) > 1:
        return all(map(permits, every))
    if expression.startswith("("):
        return permits(expression[1:-1])
    return expression.partition(" WITH ")[0] in PERMISSIVE | LIBRARY


def licences(lock: str) -> dict[str, str]:
    """Every package of a lock with its licence.

    Raises:
        ValueError: a licence is unknown, or forbids what ThreadX does.
    """
    found = {one.name: licence(one.name) for one in locked(lock)}
    for name, expression in found.items():
        if not permits(expression) and name not in CONDITIONS:
            raise ValueError(
                f"{name} is under {expression}: leave it out, or say its condition in CONDITIONS."
            )
    return found


def rows(lock: str) -> str:
    """The table of a lock."""
    versions: dict[str, list[str]] = {}
    for one in locked(lock):
        versions.setdefault(one.name, []).append(one.version)
    told = licences(lock).items()
    return table(
        ("package", "version", "licence"),
        ((f"`{name}`", ", ".join(versions[name]), text) for name, text in told),
    )


def conditions() -> str:
    """What binds whoever uses or passes on these packages."""
    return "\n".join(f"- `{name}`: {text}." for name, text in CONDITIONS.items())


BLOCKS = {
    "conditions": conditions,
    "running": lambda: rows(LOCKS["running"]),
    "testing": lambda: rows(LOCKS["testing"]),
}


def main() -> None:
    """Rewrite the page."""
    try:
        page = built(PAGE.read_text(encoding="utf-8"), BLOCKS)
    except ValueError as error:
        sys.exit(str(error))
    PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
