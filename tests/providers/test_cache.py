"""The answer cache under threads and processes."""

from __future__ import annotations

import multiprocessing
import os
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from providers import ProviderSettings, Reply, Request, parse_reference, recall, remember
from tests.gguf_files import gguf

REFERENCE = parse_reference("ollama:m")


def request(number: int) -> Request:
    return Request(role="r", system="S", user=f"U {number}", schema={"type": "object"}, schema_words="")


def settings(path: Path) -> ProviderSettings:
    return ProviderSettings(cache_path=path, cache_seconds=3600)


def keep_and_find(path: Path, number: int) -> str:
    reply = Reply(text=f"{number}", thinking="é", prompt_tokens=1, answer_tokens=None)
    remember(REFERENCE, request(number), reply, settings(path))
    found = recall(REFERENCE, request(number), settings(path))
    return "" if found is None else found.text


def _keep_many(path: str, first: int) -> list[str]:
    return [keep_and_find(Path(path), number) for number in range(first, first + 10)]


def test_threads_and_processes_share_one_file(tmp_path: Path) -> None:
    path = tmp_path / "new" / "llm_cache.sqlite"
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        # Both processes start with no file and write overlapping questions.
        both = pool.starmap(_keep_many, [(str(path), 0), (str(path), 5)])
    assert both == [[str(n) for n in range(10)], [str(n) for n in range(5, 15)]]
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda number: keep_and_find(path, number), range(40)))
    assert found == [str(number) for number in range(40)]


def test_the_file_is_a_write_ahead_log_with_a_time_in_each_row(tmp_path: Path) -> None:
    path = tmp_path / "llm_cache.sqlite"
    keep_and_find(path, 1)
    with sqlite3.connect(path) as connection:
        [(mode,)] = connection.execute("PRAGMA journal_mode").fetchall()
        [(created,)] = connection.execute("SELECT created FROM answers").fetchall()
    connection.close()
    assert mode == "wal"
    assert created > 1_600_000_000


def test_what_was_kept_comes_back_whole(tmp_path: Path) -> None:
    path = tmp_path / "llm_cache.sqlite"
    reply = Reply(text="{}", thinking="pensée", prompt_tokens=7, answer_tokens=3)
    remember(REFERENCE, request(1), reply, settings(path))
    assert recall(REFERENCE, request(1), settings(path)) == reply


def test_looking_up_makes_no_file(tmp_path: Path) -> None:
    path = tmp_path / "llm_cache.sqlite"
    assert recall(REFERENCE, request(1), settings(path)) is None
    assert list(tmp_path.iterdir()) == []


def test_another_file_in_the_place_of_a_model_is_not_answered_for_by_the_old_one(tmp_path: Path) -> None:
    path, kept = tmp_path / "m.gguf", settings(tmp_path / "llm_cache.sqlite")
    model = parse_reference(f"embedded:{gguf(path)}")
    remember(model, request(1), Reply(text="{}", thinking="", prompt_tokens=1, answer_tokens=1), kept)
    assert recall(model, request(1), kept) is not None
    first = path.stat()
    whole = bytearray(path.read_bytes())
    whole[-1] ^= 1  # another weight; size, header and time are the same
    path.write_bytes(whole)
    os.utime(path, ns=(first.st_atime_ns, first.st_mtime_ns))
    assert recall(model, request(1), kept) is None
    gguf(path, weights=8192)
    assert recall(model, request(1), kept) is None
    path.unlink()
    assert recall(model, request(1), kept) is None
    gguf(path)
    os.utime(path, ns=(first.st_atime_ns, first.st_mtime_ns))
    assert recall(model, request(1), kept) is not None
