"""`threadx data migrate`: the state of a data folder brought to this version, and into a database."""

from __future__ import annotations

from dataclasses import asdict

from prompts import Words
from record.record import canonical_json
from threadx import migrating
from threadx.settings import make_context
from threadx.terminal import Terminal
from threadx.work.written import write_json
from threadx.writable import writable


def migrate(words: Words, json_path: str | None, home: str | None, language: str, debug: bool) -> None:
    """Carry it over, and say what stands there now."""
    folder = writable(make_context(home=home).home_path)
    found = migrating.migrate(folder)
    if json_path != "-":
        terminal = Terminal(words)
        terminal.home(folder)
        place = "files" if found.database is None else "database"
        told = {"database": found.database, "trials": found.trials, "openings": found.openings}
        terminal.line(words(f"command.migrated.{place}", **told, version=found.versions["ledger"]))
        if found.moved:
            terminal.line(
                words("command.migrated.moved", files=", ".join(found.moved), lessons=found.lessons)
            )
    write_json(canonical_json(asdict(found)), json_path)
