"""What a data folder holds is a plain file of bounded size, and no link is written through."""

import ast
import errno
import os
import sys

import pytest

from base import private
from base.files import write_atomically
from base.plain_files import read_plain, read_plain_text
from tests.windows import PROJECT, parsed, sources

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="links need a right, and pipes are none")


OTHERS = {
    "base/bounded_child.py": "what the system says of the process",
    "base/errors.py": "texts of the package",
    "base/files.py": "a device that the user named for writing",
    "base/json_files.py": "a file that the user named",
    "base/own_tables.py": "looked at before",
    "base/plugins.py": "files of plugins that the user named",
    "base/sources.py": "sources of the package",
    "feeds/builders/headlines.py": "a file that the user named",
    "feeds/builders/sample.py": "data of the package",
    "feeds/lexicon.py": "data of the package",
    "feeds/quarantine.py": "data of the package",
    "feeds/tagging.py": "data of the package, or a file that the user named",
    "prompts/prompt.py": "texts of the package",
    "reports/pdf.py": "data of the package",
    "threadx/web/frame.py": "data of the package",
    "threadx/web/report_file.py": "a file that was made just now",
    "vault/readers/price_files.py": "a file of prices, looked at before",
    "vault/readers/prices.py": "a file of prices, looked at before",
}
"""Who reads files without the rule of plain files, and which."""


def reads(node):
    """Whether a call opens a file for reading by Python's own means."""
    if not isinstance(node, ast.Call):
        return False
    match node.func:
        case ast.Attribute(attr="read_text" | "read_bytes"):
            return True
        case ast.Attribute(attr="open", value=place):
            modules = isinstance(place, ast.Name) and place.id in ("os", "webbrowser", "gzip", "StressCase")
            return not modules and all(isinstance(one, ast.Constant) for one in node.args)
        case ast.Name(id="open"):
            return all(one.arg != "opener" for one in node.keywords)
    return False


def test_whoever_reads_a_file_of_a_data_folder_reads_a_plain_file():
    rooms = ("base", "feeds", "nodes", "prompts", "providers", "record", "reports", "threadx", "vault")
    found = {
        path.relative_to(PROJECT).as_posix()
        for path in sources(*rooms)
        if any(reads(node) for node in ast.walk(parsed(path)))
    }
    assert found == OTHERS.keys()


def refused(act):
    try:
        act()
    except OSError as error:
        return error.errno if error.filename else None
    return None


def opened(path, mode):
    with open(path, mode, opener=private.opener) as stream:
        stream.write(b"!")


def test_devices_pipes_folders_and_files_beyond_bounds_are_not_read(tmp_path):
    (tmp_path / "zero").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").write_bytes(b"four")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    assert refused(lambda: read_plain(tmp_path / "zero")) == errno.ESPIPE
    assert refused(lambda: read_plain(tmp_path / "pipe")) == errno.ESPIPE
    assert refused(lambda: read_plain(tmp_path)) == errno.EISDIR
    assert refused(lambda: read_plain(tmp_path / "none")) == errno.ENOENT
    assert refused(lambda: read_plain(tmp_path / "file", 3)) == errno.EFBIG
    assert read_plain(tmp_path / "file", 4) == read_plain(tmp_path / "link", 4) == b"four"


def test_a_text_is_read_as_python_reads_one(tmp_path):
    path = tmp_path / "text"
    path.write_bytes("\ufeffé\r\nb\rc\n".encode())
    assert read_plain_text(path, "utf-8-sig") == path.read_text(encoding="utf-8-sig")


@pytest.mark.parametrize("mode", ["wb", "ab", "a+b", "r+b"])
def test_nothing_is_opened_for_writing_through_a_link_nor_on_a_pipe(tmp_path, mode):
    (tmp_path / "victim").write_bytes(b"the user's own")
    (tmp_path / "link").symlink_to(tmp_path / "victim")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "nowhere").symlink_to(tmp_path / "new")
    for name, number in {"link": errno.EMLINK, "nowhere": errno.EMLINK, "pipe": errno.ESPIPE}.items():
        assert refused(lambda name=name: opened(tmp_path / name, mode)) == number
    assert (tmp_path / "victim").read_bytes() == b"the user's own"
    assert not (tmp_path / "new").exists()
    opened(tmp_path / "victim", mode)
    assert (tmp_path / "victim").read_bytes() == {
        "wb": b"!",
        "ab": b"the user's own!",
        "a+b": b"the user's own!",
        "r+b": b"!he user's own",
    }[mode]


def test_a_link_is_followed_only_where_the_user_named_the_path(tmp_path):
    (tmp_path / "victim").write_bytes(b"own")
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "victim")
    assert refused(lambda: write_atomically(link, lambda stream: stream.write(b"new"))) == errno.EMLINK
    assert (tmp_path / "victim").read_bytes() == b"own"
    write_atomically(link, lambda stream: stream.write(b"new"), named=True)
    assert (tmp_path / "victim").read_bytes() == b"new"
    assert link.is_symlink()
