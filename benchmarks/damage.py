"""Every file of a home damaged in every way, and every command and page that reads it.

    python -m benchmarks.damage [--json PATH] [--every N]

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
from pathlib import Path

from tests import conftest, damage
from tests.browser import served_pages


def main() -> int:
    """Walk, and print what was not clear, and how many of how many were."""
    options = argparse.ArgumentParser()
    options.add_argument("--json", metavar="PATH")
    options.add_argument("--every", type=int, default=1, help="of the changed fields one in so many")
    given = options.parse_args()
    assert conftest.LOCAL, "imported for the environment that it clears"
    began, unclear, clear = time.monotonic(), [], 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "built").mkdir()
        home = damage.build(folder / "built")
        opened = damage.readers(home, folder)
        for file, readers in opened.items():
            for way in damage.WAYS:
                for reader in readers:
                    copy = damage.copied(home, folder)
                    damage.damage(copy / file, way)
                    problem = damage.answer(copy, reader) or damage.others_harmed(copy, file)
                    shutil.rmtree(copy.parent)
                    if problem is None:
                        clear += 1
                        continue
                    unclear.append({"file": file, "way": way, "reader": reader, "problem": problem})
                    print(f"{file} | {way} | {reader} | {problem}", flush=True)
        (folder / "pages").mkdir()
        with served_pages(home, folder / "pages", "en") as url:
            for run in ("one", "waiting"):
                for label, problem in damage.changed_pages(url, home, run, given.every):
                    if problem is None:
                        clear += 1
                        continue
                    place = {"file": f"runs/{run}/events.jsonl", "way": label, "reader": "page in a browser"}
                    unclear.append({**place, "problem": problem})
                    print(f"{run} | {label} | page | {problem}", flush=True)
        for pattern, asked in damage.FIELD_READERS.items():
            (path,) = home.glob(pattern)
            file = path.relative_to(home).as_posix()
            changed = damage.field_mutations(path.read_bytes(), lines=path.suffix != ".json")
            for label, content in list(changed)[:: given.every]:
                for reader in asked:
                    copy = damage.copied(home, folder)
                    (copy / file).write_bytes(content)
                    problem = damage.answer(copy, reader)
                    shutil.rmtree(copy.parent)
                    if problem is None:
                        clear += 1
                        continue
                    unclear.append({"file": file, "way": label, "reader": reader, "problem": problem})
                    print(f"{file} | {label} | {reader} | {problem}", flush=True)
    tried = clear + len(unclear)
    print(
        f"{len(opened)} files, {len(damage.WAYS)} ways, {len(damage.READERS)} readers: "
        f"{clear} of {tried} clear, {time.monotonic() - began:.0f} s"
    )
    if given.json:
        Path(given.json).write_text(json.dumps(unclear, indent=1) + "\n", encoding="utf-8")
    return 1 if unclear else 0


if __name__ == "__main__":
    sys.exit(main())
