"""What a data folder holds is a plain file of bounded size, and no link is written through."""

import errno
import os
import sys

import pytest

from base import private
from base.files import write_atomically
from base.plain_files import read_plain, read_plain_text

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="links need a right, and pipes are none")


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
