"""Every file of a home damaged in every way, and every command and page that reads it.

    python -m benchmarks.damage [--json PATH] [--every N] [--part files|pages|fields]

Who reads what is found by watching which files are opened (`tests.damage.readers`). An answer is clear when
the reader works, or leaves with 1 or 2 and a line; a traceback, an unnamed end or "Interrupted" is none. Then
the list of runs must still show the others. And every field of every JSON that is kept: missing, null, of
another type, or with a value that nobody knows; those of a run's events also with its page as it is served.
Exit code 0 when every answer is clear.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests import conftest, damage
from tests.browser import served_pages

Found = Iterator[tuple[str, str, str, str | None]]
"""File, what was done to it, who read it, and what is wrong with the answer."""


def _files(home: Path, folder: Path, every: int) -> Found:
    """Every file damaged in every way, whoever opens it, and the list of runs afterwards."""
    for file, readers in damage.readers(home, folder).items():
        for way in damage.WAYS:
            for reader in readers:
                copy = damage.copied(home, folder)
                damage.damage(copy / file, way)
                problem = damage.answer(copy, reader) or damage.others_harmed(copy, file)
                shutil.rmtree(copy.parent)
                yield file, way, reader, problem


def _pages(home: Path, folder: Path, every: int) -> Found:
    """Fields of events, and the page of the run as it is served."""
    (folder / "pages").mkdir()
    with served_pages(home, folder / "pages", "en") as url:
        for run in ("one", "waiting"):
            for label, problem in damage.changed_pages(url, home, run, every):
                yield f"runs/{run}/events.jsonl", label, "page as it is served", problem


def _fields(home: Path, folder: Path, every: int) -> Found:
    """Fields of every JSON that is kept, and who is asked about it."""
    for pattern, asked in damage.FIELD_READERS.items():
        (path,) = home.glob(pattern)
        file = path.relative_to(home).as_posix()
        changed = damage.field_mutations(path.read_bytes(), lines=path.suffix != ".json")
        for label, content in list(changed)[::every]:
            for reader in asked:
                copy = damage.copied(home, folder)
                (copy / file).write_bytes(content)
                problem = damage.answer(copy, reader)
                shutil.rmtree(copy.parent)
                yield file, label, reader, problem


PARTS: dict[str, Callable[[Path, Path, int], Found]] = {"files": _files, "pages": _pages, "fields": _fields}


def main() -> int:
    """Walk, and print what was not clear, and how many of how many were."""
    options = argparse.ArgumentParser()
    options.add_argument("--json", metavar="PATH")
    options.add_argument("--every", type=int, default=1, help="of the changed fields one in so many")
    options.add_argument("--part", choices=PARTS, action="append", help="all of them if left out")
    given = options.parse_args()
    assert conftest.LOCAL, "imported for the environment that it clears"
    unclear, tried = [], 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "built").mkdir()
        home = damage.build(folder / "built")
        for part in given.part or PARTS:
            began, before, wrong = time.monotonic(), tried, len(unclear)
            for file, way, reader, problem in PARTS[part](home, folder, given.every):
                tried += 1
                if problem is not None:
                    unclear.append({"file": file, "way": way, "reader": reader, "problem": problem})
                    print(f"{file} | {way} | {reader} | {problem}", flush=True)
            count, bad = tried - before, len(unclear) - wrong
            print(f"{part}: {count - bad} of {count} clear, {time.monotonic() - began:.0f} s", flush=True)
    if given.json:
        Path(given.json).write_text(json.dumps(unclear, indent=1) + "\n", encoding="utf-8")
    return 1 if unclear else 0


if __name__ == "__main__":
    sys.exit(main())
