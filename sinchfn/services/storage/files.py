"""Files: a storage in a folder. A key is a path below it.

A write goes to a temporary file, which takes the place of what was there once it is complete and on the disk. So
readers and other writers, in any process, see the old or the new content, and a crash leaves nothing half-written.
"""

from __future__ import annotations

import errno
import io
import os
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from ..assets import resolve_inside
from .storage import OWN, BackendError, NotStoredError

Folders = list[Path]

#: Error number of the system -> the remedy.
REMEDIES = {
    errno.ENOSPC: "Free space on that file system.",
    errno.EDQUOT: "Free space, or have the quota raised.",
    errno.EFBIG: "Raise the largest size of a file that the process may write (ulimit -f).",
    errno.EACCES: "Let the user that runs the function write there, or change SINCHFN_STORAGE_URL.",
    errno.EPERM: "Let the user that runs the function write there, or change SINCHFN_STORAGE_URL.",
    errno.EROFS: "Mount a volume that can be written there, or change SINCHFN_STORAGE_URL.",
    errno.ENAMETOOLONG: "Keep what is between two slashes of a key below 256 bytes.",
    errno.ENOTDIR: "There is a file where a folder is needed: a key cannot be the folder of another one.",
    errno.ENOTEMPTY: "There are keys below it: a key cannot be the folder of another one.",
    errno.EXDEV: "Mount a volume at the storage's folder, and not below it.",
    errno.EMFILE: "Close what storage.open() returned, or raise the number of open files (ulimit -n).",
}

#: The errors that mean that nothing is stored under a key: no such file, or a path that cannot be one.
NOTHING = (FileNotFoundError, NotADirectoryError, IsADirectoryError)

#: Seconds without a write after which a temporary file counts as left behind by a crash.
LEFT_BEHIND = 24 * 3600.0

#: Seconds between two searches of a process for such files.
SWEEP_EVERY = 3600.0

#: The most attempts of a write when others remove the folder that it has just made.
ATTEMPTS = 100


class Files:
    """Keys as files below a folder. Files are made with mode 0600, folders with 0700: recordings are personal data.

    A symbolic link that stays inside is followed when its key is read; one that points out is refused with a
    ``ValueError`` in every method. Linked folders are not listed.
    """

    def __init__(self, folder: Path) -> None:
        self._root = folder.resolve()
        self._temporary = self._root / OWN
        self._swept: float | None = None
        self.place = f"file:{self._root}"

    def write(self, key: str, pieces: Iterator[memoryview]) -> None:
        resolve_inside(self._root, key)
        with _failing(), self._being_written() as temporary:
            with temporary:
                temporary.writelines(pieces)
                temporary.flush()
                os.fsync(temporary.fileno())
            self._put(Path(temporary.name), self._root / key)

    def read(self, key: str) -> bytes:
        with self.open(key) as file, _failing():
            return file.read()

    def open(self, key: str) -> io.BufferedReader:
        path = resolve_inside(self._root, key)
        with _failing():
            if not _is_file(path):
                raise NotStoredError
            try:
                return path.open("rb")
            except NOTHING:  # removed in between
                raise NotStoredError from None

    def exists(self, key: str) -> bool:
        path = resolve_inside(self._root, key)
        with _failing():
            return _is_file(path)

    def delete(self, key: str) -> bool:
        found = resolve_inside(self._root, key)
        with _failing():
            if not _is_file(found):
                return False
            path = self._root / key
            try:
                path.unlink()
            except NOTHING:
                return False
            self._remove_empty(path.parent)
            return True

    def list(self, prefix: str) -> Iterator[str]:
        start = self._root / prefix.rpartition("/")[0]
        if os.path.realpath(start) != str(start):
            return
        with _failing():
            folders = [start]
            while folders:
                yield from self._keys(folders.pop(), folders)

    def close(self) -> None:
        """Do nothing: no file stays open."""

    def _keys(self, folder: Path, folders: Folders) -> Iterator[str]:
        """Yield the keys in `folder` and add the folders in it to `folders`."""
        try:
            with os.scandir(folder) as found:
                entries = list(found)
        except NOTHING:
            return
        except PermissionError:  # such as lost+found: nothing in it can be read either
            if folder == self._root:
                raise
            return
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                if entry.path != str(self._temporary):
                    folders.append(Path(entry.path))
            elif self._holds(entry):
                yield Path(entry.path).relative_to(self._root).as_posix()

    def _holds(self, entry: os.DirEntry[str]) -> bool:
        if not entry.is_symlink():
            return entry.is_file()
        target = Path(os.path.realpath(entry.path))
        return target.is_relative_to(self._root) and _is_file(target)

    @contextmanager
    def _being_written(self) -> Iterator[IO[bytes]]:
        """Open a new temporary file. It is removed at the end unless it was moved to its place."""
        self._sweep()
        _make_folder(self._temporary)
        file = tempfile.NamedTemporaryFile("wb", dir=self._temporary, delete=False)  # noqa: SIM115 - the caller closes it
        try:
            yield file
        finally:
            with suppress(OSError):
                file.close()
            with suppress(OSError):  # in most cases it was moved
                Path(file.name).unlink()

    def _put(self, temporary: Path, target: Path) -> None:
        """Rename a file so that a crash does not undo it."""
        for attempts_left in reversed(range(ATTEMPTS)):
            try:
                _make_folder(target.parent)
                temporary.replace(target)
                break
            except FileNotFoundError:  # another process has just removed the folder, because it was empty
                if not attempts_left:
                    raise
            except IsADirectoryError:
                target.rmdir()  # an empty one is not needed
        _sync_folder(target.parent)

    def _remove_empty(self, folder: Path) -> None:
        _sync_folder(folder)
        with suppress(OSError):  # it is not empty
            while folder != self._root:
                folder.rmdir()
                folder = folder.parent

    def _sweep(self) -> None:
        """Remove the files that crashes left behind, at most once in ``SWEEP_EVERY`` seconds."""
        now = time.monotonic()
        if self._swept is not None and now - self._swept < SWEEP_EVERY:
            return
        self._swept = now
        with suppress(OSError):
            left = list(self._temporary.iterdir())
            for file in left:
                with suppress(OSError):  # one that cannot be removed does not keep the others
                    if time.time() - file.lstat().st_mtime > LEFT_BEHIND:
                        file.unlink()


@contextmanager
def _failing() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        remedy = REMEDIES.get(error.errno or 0, "Check that folder, or change SINCHFN_STORAGE_URL.")
        raise BackendError(error.strerror or str(error), remedy) from error


def _is_file(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except NOTHING:
        return False
    except OSError as error:
        if error.errno in (errno.ENAMETOOLONG, errno.ELOOP):
            return False
        raise


def _make_folder(folder: Path) -> None:
    """Make a folder and those above it so that they survive a crash."""
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    with suppress(FileExistsError):  # another process was faster, or it is a file, which the next step finds out
        folder.mkdir(mode=0o700)
        _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":  # elsewhere a folder cannot be opened
        return
    with suppress(FileNotFoundError):  # it was empty, and another process has removed it
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network file systems know no fsync of folders
                raise
        finally:
            os.close(descriptor)
