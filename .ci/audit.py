"""Asks pip-audit whether a locked version has a known vulnerability: `make audit`.

    python .ci/audit.py PIP-AUDIT…

Exit 1 where one has. A database that does not answer is no finding and no all-clear either: one line says
so, exit 0. So the first question is about a release whose vulnerabilities are known; an index of one's own,
or a proxy, answers "none" there, and its other answers would be worth as much.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

PROJECT = Path(__file__).resolve().parents[1]
LOCKS = ("requirements.lock", "requirements-test.lock")
KNOWN = "jinja2==2.11.2"  # CVE-2020-28493, CVE-2024-22195 and others
UNANSWERED = "The database of vulnerabilities does not answer here: nothing was audited."


def ask(command: list[str], pins: list[str]) -> list[dict[str, Any]] | None:
    """What pip-audit says of each version; nothing where it had no answer."""
    with TemporaryDirectory() as folder:
        wanted, told = Path(folder, "pins.txt"), Path(folder, "told.json")
        wanted.write_text("\n".join(pins) + "\n", encoding="utf-8")
        options = ["--disable-pip", "--no-deps", "--progress-spinner", "off", "--format", "json"]
        # Its one exit status for "found" and "failed" does not tell; the file, written at the end, does.
        done = [*command, *options, "--requirement", str(wanted), "--output", str(told)]
        subprocess.run(done, capture_output=True, check=False)
        if not told.exists():
            return None
        answers: list[dict[str, Any]] = json.loads(told.read_text(encoding="utf-8"))["dependencies"]
        return answers


def rounds() -> list[list[str]]:
    """Every pin for every system; a package's second version, for another Python, in a second question."""
    seen: Counter[str] = Counter()
    found: dict[int, list[str]] = {}
    for lock in LOCKS:
        for line in (PROJECT / lock).read_text(encoding="utf-8").splitlines():
            if not line.startswith(" "):
                pin = line.split()[0]
                name = pin.partition("==")[0]
                found.setdefault(seen[name], []).append(pin)
                seen[name] += 1
    return [*found.values()]


def main(command: list[str]) -> int:
    """Ask, and tell."""
    known = ask(command, [KNOWN])
    if not known or not known[0].get("vulns"):
        sys.stdout.write(f"{UNANSWERED}\n")
        return 0
    found = 0
    audited = 0
    for pins in rounds():
        answers = ask(command, pins)
        if answers is None:
            sys.stdout.write(f"{UNANSWERED}\n" if not audited else "The database stopped answering.\n")
            return int(found > 0)
        for one in answers:
            if "skip_reason" in one:
                sys.stdout.write(f"{one['name']}: not audited: {one['skip_reason']}\n")
                continue
            audited += 1
            for what in one["vulns"]:
                found += 1
                mended = ", ".join(what["fix_versions"]) or "no version yet"
                sys.stdout.write(f"{one['name']} {one['version']}: {what['id']}, mended in {mended}\n")
    sys.stdout.write(f"{audited} locked versions audited, {found} known vulnerabilities\n")
    return int(found > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
