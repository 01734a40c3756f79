"""Copies of finished runs where `THREADX_COPIES` says: a folder, or an object store that fsspec knows.

A run works in the data folder, where a lock and a file that appears whole mean something. When it has
finished, its files go to the store as they are, one object a run: a zip that is the same bytes for the same
files, under a name that holds its SHA-256. So an object is there whole or is seen to be damaged, and a run
that has not changed is not sent again. Unlike a file that is shared with others (`nodes.sharing`) a copy is
for oneself: it keeps paths, tags and notes, and what comes back is the run itself and not one made elsewhere.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from base.files import file_name
from base.plain_files import read_plain
from base.reasons import ReasonError, because, misshapen
from base.secrets import masked_text
from nodes.sharing import LARGEST, LARGEST_INSIDE, RECORD, TABLES, look_through, packed, settle, unpacked
from record.errors import ReportError
from record.labels import LABEL, listed_run
from record.record import ANSWERS, ENSEMBLE_PREFIX, RunRecord, run_folder, runs_folder

VARIABLE = "THREADX_COPIES"

_ENDING = ".run.zip"
_NAME = re.compile(rf"(?P<run>.+)\.(?P<digest>[0-9a-f]{{64}}){re.escape(_ENDING)}")
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://.+")
_CODE = "code/"
_KEPT = frozenset((*RECORD, *TABLES, LABEL, ANSWERS))


def is_asked_for() -> bool:
    """Whether the environment names a place for copies."""
    return bool(_asked())


class Store:
    """The place for copies.

    Attributes:
        shown: its address without secrets.

    Raises:
        ReportError: `no_copies` without the variable; `copies_address`, `copies_library`.
    """

    def __init__(self) -> None:
        told = _asked()
        if not told:
            raise ReportError("no_copies")
        self.shown = masked_text(told)
        if not _ADDRESS.fullmatch(told):
            raise ReportError("copies_address", address=self.shown)
        try:
            core = import_module("fsspec.core")
            self._files, self._root = core.url_to_fs(told, use_listings_cache=False)
        except ImportError:
            raise ReportError("copies_library", address=self.shown) from None
        except ValueError:  # no such kind of store
            raise ReportError("copies_address", address=self.shown) from None

    def runs(self) -> list[str]:
        """Names of the runs that have a copy.

        Raises:
            ReportError: `copies_unusable`.
        """
        found = sorted({run for run, _, _ in self._objects()})
        if not found:
            self._require_place()
        return found

    def put(self, run: str, home: Path) -> bool:
        """Copy a finished run.

        Returns:
            Whether anything had to be sent.

        Raises:
            ReportError: `bad_run_name`, `unknown_run`, `no_result`, `unreadable_record`,
                `too_large_to_share`, `copies_unusable`.
        """
        record = listed_run(home, run)
        record.result()
        content = packed(_files(record))
        if len(content) > LARGEST:
            raise ReportError("too_large_to_share", run=run, limit=LARGEST // 1024**2)
        digest = hashlib.sha256(content).hexdigest()
        known = [(found, path) for name, found, path in self._objects() if name == run]
        with self._told():
            if sent := digest not in [found for found, _ in known]:
                if self._is_local:
                    self._files.makedirs(self._root, exist_ok=True)
                self._files.pipe_file(f"{self._root}/{run}.{digest}{_ENDING}", content)
            for found, path in known:
                if found != digest:
                    self._files.rm_file(path)
        return sent

    def get(self, run: str, home: Path) -> None:
        """Bring a run back, checked by its hash; nothing is kept of one that is damaged.

        Raises:
            ReportError: `bad_run_name`, `no_copy`, `run_exists`, `damaged_copy`, `copies_unusable`.
            OSError: the data folder cannot be written.
        """
        run_folder(home, run)  # refuses what is no run's name
        found = [(digest, path) for name, digest, path in self._objects() if name == run]
        if not found:
            self._require_place()
            raise ReportError("no_copy", run=run, address=self.shown)
        with self._told():
            digest, path = max(found, key=lambda one: self._files.modified(one[1]))
            content = self._files.cat_file(path)
        files = self._checked(run, content, digest)
        settle(RunRecord(home, run), files, "fetch")

    def _checked(self, run: str, content: bytes, digest: str) -> dict[str, bytes]:
        def refusal(reason: Exception) -> ReportError:
            return ReportError("damaged_copy", run=run, address=self.shown, reason=reason)

        if hashlib.sha256(content).hexdigest() != digest:
            raise refusal(ReasonError("damaged_archive"))
        try:
            with misshapen(refusal), TemporaryDirectory(prefix="threadx-fetch-") as folder:
                files = unpacked(content, _belongs)
                look_through(files, Path(folder), run)
                if json.loads(files["run.json"])["run"] != run:
                    raise ReasonError("other_shape")
                return files
        except (ReasonError, ReportError) as error:
            if error.code == "damaged_copy":
                raise
            # The path of a damaged part is one of a folder that is gone by now.
            raise refusal(error.fields["reason"] if error.code == "unreadable_record" else error) from error

    def _objects(self) -> Iterator[tuple[str, str, str]]:
        """Run, hash and path of each copy; what else lies there is none."""
        with self._told():
            try:
                found = sorted(self._files.ls(self._root, detail=False))
            except FileNotFoundError:  # nothing was ever copied; sending says whether it can be
                found = []
        for path in found:
            if named := _NAME.fullmatch(str(path).rpartition("/")[2]):
                yield named["run"], named["digest"], str(path)

    def _require_place(self) -> None:
        """Tell an empty place from a bucket that is not there."""
        if not self._is_local:
            with self._told():
                self._files.ls(self._root.partition("/")[0])

    @property
    def _is_local(self) -> bool:
        """Whether the place is a folder of this machine; an object store has no folders to make."""
        protocol = self._files.protocol
        return "file" in ([protocol] if isinstance(protocol, str) else protocol)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Whatever the store, or the way to it, refuses is one error."""
        try:
            yield
        except _failures() as error:
            raise ReportError("copies_unusable", address=self.shown, reason=because(error)) from error


def missing_copies(home: Path, store: Store) -> list[str]:
    """Runs that have a copy and are not in the data folder."""
    return [run for run in store.runs() if not RunRecord(home, run).exists()]


def finished_runs(home: Path) -> list[str]:
    """Names of the runs of a data folder that can be copied."""
    found = (path.parent.name for path in runs_folder(home).glob("*/result.json"))
    return sorted(run for run in found if not run.startswith(ENSEMBLE_PREFIX))


def _asked() -> str:
    return os.environ.get(VARIABLE, "").strip()


def _failures() -> tuple[type[Exception], ...]:
    """What a store raises: Python's own errors, and those of Amazon's library where it was imported."""
    library: Any = sys.modules.get("botocore.exceptions")
    return OSError, ValueError, *((library.BotoCoreError, library.ClientError) if library else ())


def _belongs(name: str) -> bool:
    """Whether a name may stand in the folder of a run that is copied."""
    own = name.removeprefix(_CODE)
    return name in _KEPT or (own != name and "/" not in own and file_name(own) == own and own[:1] != ".")


def _files(record: RunRecord) -> dict[str, bytes]:
    """A run's files by their names.

    Raises:
        ReportError: `linked_record`, `unreadable_record`.
    """
    record.require_no_links()
    inside = [*record.folder.iterdir(), *(record.folder / _CODE).glob("*")]
    named = {path.relative_to(record.folder).as_posix(): path for path in inside}
    kept = {name: path for name, path in sorted(named.items()) if _belongs(name)}
    try:
        return {name: read_plain(path, LARGEST_INSIDE) for name, path in kept.items()}
    except OSError as error:
        raise ReportError("unreadable_record", path=str(error.filename), reason=because(error)) from None
