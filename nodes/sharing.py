"""A run as one file that opens elsewhere: a zip of its record, the same bytes for the same record.

It holds what a reader needs, and nothing of who made it: no secret, no address of a server, no path of his
machine, no label, and no prices, which belong to whoever sold them. What is taken in was written by somebody
else: only the names that are known come out of it, within bounds, and all of it is read as a record before it
has a name here. It counts nothing: neither ledger nor openings of this data folder know of it.
"""

from __future__ import annotations

import io
import json
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath, PureWindowsPath
from tempfile import TemporaryDirectory
from typing import Any

from base import private
from base.files import write_atomically
from base.plain_files import read_plain
from base.reasons import ReasonError, because, misshapen
from base.secrets import MASK, masked
from nodes.forking import ADDRESSES
from prompts import Words
from record.errors import ReportError
from record.events import Started, Waiting
from record.labels import Label, listed_run, write_label
from record.record import ENSEMBLE_PREFIX, LOCK, RunRecord, as_recorded, canonical_json, run_folder
from record.run_list import ENDED, run_line
from record.run_tables import RETURNS, TRIALS, table_or_none
from record.run_view import RunView
from reports.markdown import optimization_report
from reports.review_markdown import review_report
from vault.datasets import DATASET_PREFIX
from vault.pools import named
from vault.readers.prices import SAMPLE_PREFIX

ENDING = ".threadx.zip"
"""Of the file's usual name."""

LARGEST = 64 * 1024**2
"""Bytes of the file; as many as a page takes."""

LARGEST_INSIDE = 256 * 1024**2
"""Bytes of all that it holds."""

RECORD = ("events.jsonl", "report.md", "result.json", "run.json")
TABLES = (RETURNS, TRIALS)
_LARGEST_LIST = 64 * 1024
"""Bytes of an archive's list of what is in it: there are six names at most."""

_BEGINNING = (1980, 1, 1, 0, 0, 0)
_END = struct.Struct("<4s4H2LH")
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s\"'<>`)\]]*")

# Whatever a damaged or hostile archive makes Python's reader raise.
_UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    OSError,
    ValueError,
    NotImplementedError,
)


def share_run(run: str, home: Path) -> bytes:
    """A finished run as one file.

    Raises:
        ReportError: `bad_run_name`, `unknown_run`, `no_result`, `unreadable_record`, `too_large_to_share`.
    """
    record = listed_run(home, run)
    record.result()
    with as_recorded(record.folder):
        content = packed(_clean(_read(record)))
    if len(content) > LARGEST:
        raise ReportError("too_large_to_share", run=run, limit=LARGEST // 1024**2)
    return content


def take_in(content: bytes, home: Path, *, name: str | None = None, path: str = "") -> RunRecord:
    """Keep a run that somebody shared, marked as made elsewhere.

    Args:
        content: of the file.
        home: the data folder.
        name: under which it is kept; None for its own.
        path: of the file, for whoever is told what is wrong with it.

    Raises:
        ReportError: `not_a_shared_run`, `bad_run_name`, or `run_exists`; nothing is kept.
        OSError: the data folder cannot be written.
    """
    files, own = _taken(content, path)
    kept = own if name is None else name
    run_folder(home, kept)  # refuses what is no run's name
    with _refused(path), TemporaryDirectory(prefix="threadx-import-") as folder:
        if kept != own:
            files = _renamed(files, kept)
        look_through(files, Path(folder), kept)
    record = RunRecord(home, kept)
    settle(record, files, "import", Label(imported=datetime.now(UTC).isoformat(timespec="seconds")))
    return record


def settle(record: RunRecord, files: Mapping[str, bytes], thread: str, label: Label | None = None) -> None:
    """Write a run that came from elsewhere, whole or not at all.

    Args:
        record: where it is to be.
        files: by their place in the run's folder.
        thread: who holds the run meanwhile.
        label: what marks it, before anything else is there.

    Raises:
        ReportError: `run_exists`; `run_busy`.
        OSError: the data folder cannot be written.
    """
    record.hold(thread, anew=True)
    try:
        if any(one.name != LOCK for one in record.folder.iterdir()):
            raise ReportError("run_exists", run=record.run)
        try:
            # The mark comes first and `run.json` last: what a crash leaves is no run, and witnesses nothing.
            if label is not None:
                write_label(record.folder, label)
            write_files(files, record.folder)
        except BaseException:
            record.remove()
            raise
    finally:
        record.release()


def _taken(content: bytes, path: str) -> tuple[dict[str, bytes], str]:
    """The clean files, and the name of their run."""
    with _refused(path):
        files = _clean(unpacked(content))
        own = str(json.loads(files["run.json"])["run"])
        run_folder(Path(), own)
        return files, own


@contextmanager
def _refused(path: str) -> Iterator[None]:
    """Whatever is wrong with what somebody sent is one error that names the file.

    Raises:
        ReportError: `not_a_shared_run`.
    """
    try:
        with misshapen(lambda reason: reason):
            yield
    except (ReasonError, ReportError) as error:
        # The path of a damaged part is one of a folder that is gone by now.
        reason = error.fields["reason"] if error.code == "unreadable_record" else error
        raise ReportError("not_a_shared_run", path=path, reason=reason) from error


def _read(record: RunRecord) -> dict[str, bytes]:
    """The record's files as they are."""
    paths = [record.folder / name for name in sorted((*RECORD, *TABLES))]
    try:
        return {path.name: read_plain(path, LARGEST_INSIDE) for path in paths if path.is_file()}
    except OSError as error:
        raise ReportError("unreadable_record", path=str(error.filename), reason=because(error)) from None


def write_files(files: Mapping[str, bytes], folder: Path) -> None:
    """Write the files of a run by their names, `run.json` last."""
    for name in sorted(files, key=lambda one: (one == "run.json", one)):
        content = files[name]
        write_atomically(folder / name, lambda stream, content=content: stream.write(content))  # type: ignore[misc]


def packed(files: Mapping[str, bytes]) -> bytes:
    """A zip: names in order, all of one time, nothing of the system that wrote it."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _BEGINNING)
            entry.compress_type, entry.create_system = zipfile.ZIP_DEFLATED, 3
            entry.external_attr = (stat.S_IFREG | private.SHARED_MODE) << 16
            archive.writestr(entry, files[name], compresslevel=6)
    return written.getvalue()


def _is_shared(name: str) -> bool:
    return name in RECORD or name in TABLES


def unpacked(content: bytes, is_known: Callable[[str], bool] = _is_shared) -> dict[str, bytes]:
    """What a zip of a run holds, if it holds a run and nothing else.

    Args:
        content: of the file; anybody may have written it.
        is_known: whether a name belongs to a run.

    Raises:
        ReasonError: it does not.
    """
    if len(content) > LARGEST:
        raise ReasonError("larger_than", limit=LARGEST // 1024**2)
    files, room = dict[str, bytes](), LARGEST_INSIDE
    try:
        _require_short_list(content)
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for entry in archive.infolist():
                # What stands behind a zero is cut off by the reader: the name as it was written counts.
                name = entry.orig_filename
                kind = stat.S_IFMT(entry.external_attr >> 16)
                plain = kind in (0, stat.S_IFREG) and not entry.flag_bits & 0x1
                deflated = entry.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
                if not is_known(name) or name in files or not (plain and deflated):
                    raise ReasonError("archive_holds", name=name[:80])
                with archive.open(entry) as stream:
                    files[name] = stream.read(room + 1)  # whatever size it claims to have
                room -= len(files[name])
                if room < 0:
                    raise ReasonError("archive_swells", limit=LARGEST_INSIDE // 1024**2)
    except _UNREADABLE as error:
        raise ReasonError("damaged_archive") from error
    for name in RECORD:
        if name not in files:
            raise ReasonError("archive_lacks", name=name)
    return files


def _require_short_list(content: bytes) -> None:
    """Refuse an archive that lists more than it could have, before anything reads that list."""
    place = content.rfind(b"PK\5\6", max(0, len(content) - _LARGEST_LIST - _END.size))
    if place < 0 or _END.unpack_from(content, place)[5] > _LARGEST_LIST:
        raise ReasonError("damaged_archive")


def _clean(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The files without secrets, addresses of servers and paths of a machine; tables hold figures alone.

    Whoever cleans what is clean gets it back to the byte. Files are cleaned before they are sent, and once
    more when they come: a path to a server would be asked by whoever looks for the prices there.
    """
    about = json.loads(files["run.json"])
    tidy = _tidier(about)
    about["context"] = {
        name: value for name, value in about["context"].items() if name not in ("home", *ADDRESSES)
    }
    asked = about["input"]
    asked["data"] = _by_name(asked["data"])
    if "source" in about:
        about["source"] = _by_name(about["source"])
    for several in ("pool", "other_data"):
        if asked.get(several):
            asked[several] = [_by_name(one) for one in asked[several]]
    if asked.get("inputs"):
        asked["inputs"] = {name: _by_name(one) for name, one in asked["inputs"].items()}
    about["thread"] = None  # its checkpoints stay where they are: it is never resumed elsewhere
    told = [json.dumps(tidy(line), **_AS_LOGGED) + "\n" for line in _lines(files)]
    return {
        **{name: files[name] for name in TABLES if name in files},
        "events.jsonl": "".join(told).encode("utf-8"),
        "report.md": tidy(files["report.md"].decode("utf-8")).encode("utf-8"),
        "result.json": canonical_json(tidy(json.loads(files["result.json"]))).encode("utf-8"),
        "run.json": canonical_json(tidy(about)).encode("utf-8"),
    }


def _lines(files: Mapping[str, bytes]) -> list[Any]:
    """The events as JSON; a text may hold what Python takes for the end of a line, and JSON does not."""
    return [json.loads(line) for line in files["events.jsonl"].decode("utf-8").split("\n") if line]


_AS_LOGGED: dict[str, Any] = {"ensure_ascii": False, "allow_nan": False, "separators": (",", ":")}


def _by_name(reference: str) -> str:
    """What prices are called, wherever they lay; Windows' paths know both kinds of slashes."""
    if reference.startswith((SAMPLE_PREFIX, DATASET_PREFIX)):
        return reference
    return PureWindowsPath(reference).name or MASK


def _tidier(about: Mapping[str, Any]) -> Callable[[Any], Any]:
    """What cleans a value of this run, at every depth."""
    asked, context = about["input"], about["context"]
    names = {}
    places = [asked["data"], about.get("source") or "", *(asked.get("pool") or ())]
    others = [*(asked.get("other_data") or ()), *(asked.get("inputs") or {}).values()]
    for given in (*(named(one)[1] for one in places), *others):
        if PurePosixPath(given).is_absolute() or PureWindowsPath(given).is_absolute():
            names[given] = _by_name(given)
    if len(home := str(context.get("home") or "")) > 1:
        names[home] = MASK
    for name in ADDRESSES:
        if place := str(context.get(name) or "").partition("://")[2].rstrip("/"):
            names[place] = MASK
    longest = sorted((one for one in names if names[one] != one), key=len, reverse=True)

    def tidied(value: Any) -> Any:
        match value:
            case str():
                for one in longest:
                    value = value.replace(one, names[one])
                return _ADDRESS.sub(MASK, value) if "://" in value else value
            case dict():
                return {key: tidied(one) for key, one in value.items()}
            case list():
                return [tidied(one) for one in value]
            case _:
                return value

    return lambda value: tidied(masked(value))


def _renamed(files: Mapping[str, bytes], name: str) -> dict[str, bytes]:
    """The files of the same run under another name."""
    about, result = json.loads(files["run.json"]), json.loads(files["result.json"])
    about["run"], result["run"]["id"] = name, name
    if "run" in about["input"]:
        about["input"]["run"] = name
    lines = _lines(files)
    for line in lines:
        if line["kind"] in (Started.kind, Waiting.kind) and "run" in line["data"]:
            line["data"]["run"] = name
    written = optimization_report if about["graph"] == "optimization" else review_report
    return {
        **files,
        "events.jsonl": "".join(json.dumps(line, **_AS_LOGGED) + "\n" for line in lines).encode("utf-8"),
        "report.md": written(result, Words(about["context"]["language"])).encode("utf-8"),
        "result.json": canonical_json(result).encode("utf-8"),
        "run.json": canonical_json(about).encode("utf-8"),
    }


def look_through(files: Mapping[str, bytes], folder: Path, name: str) -> None:
    """Read all of it as a record where nothing else lies.

    Raises:
        ReportError: something cannot be read.
        ReasonError: it is no finished run of the cycle.
    """
    if name.startswith(ENSEMBLE_PREFIX):
        raise ReasonError("no_finished_run")
    record = RunRecord(folder, name)
    write_files(files, record.folder)
    with as_recorded(record.folder):
        if record.about()["graph"] not in ("optimization", "review"):
            raise ReasonError("no_finished_run")
        view = RunView.of(record.events())
        if (line := run_line(record)).status not in ENDED or view.status is None:
            raise ReasonError("no_finished_run") if not line.problem else ReasonError("other_shape")
        for table in TABLES:
            table_or_none(record.folder, table)
