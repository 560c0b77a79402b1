"""Writing so that a crash at any moment leaves either the old state or the new one, and a full disk is said plainly."""

import errno
import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from isthmus.errors import IsthmusError, ResourceError, StoreError

_BLOCK = 1 << 20
#: Why it cannot be told whether a file is locked: it is not there, or cannot be read, or not be locked without writing.
_UNTOLD = (errno.ENOENT, errno.EACCES, errno.EPERM, errno.EROFS, errno.EBADF)


def sync_folder(folder: Path) -> None:
    """Make the names in ``folder`` durable."""
    _sync(folder)


def sync_tree(folder: Path) -> None:
    """Make every file and name below ``folder`` durable."""
    for parent, _, names in os.walk(folder):
        for name in names:
            _sync(os.path.join(parent, name))  # noqa: PTH118
        _sync(parent)


def _sync(path: str | Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_atomic(path: Path, content: bytes, durable: bool = True) -> None:
    """Replace ``path`` by ``content`` in one step; ``durable`` where it must outlast a loss of power."""
    with replacing(path, durable) as temporary:
        temporary.write_bytes(content)


@contextmanager
def replacing(path: Path, durable: bool = True) -> Iterator[Path]:
    """A temporary path to write to; what is there at the end takes the place of ``path`` in one step, and durably."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        if durable:
            _sync(temporary)
        temporary.replace(path)
        if durable:
            _sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def link_or_copy(source: Path, target: Path) -> None:
    """Give the bytes of ``source`` a second name, or copy them where the file system has no hard links."""
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copyfile(source, target)


@contextmanager
def lock(path: Path, wait: bool = True, shared: bool = False) -> Iterator[bool]:
    """Hold a lock on ``path``, alone or with others that share it; False when it cannot be had and ``wait`` is off.

    The operating system lets go of the lock when the process ends, however it ends.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:  # network file systems share only what can be read
        yield _take(file, wait, shared)


def _take(file: TextIO, wait: bool, shared: bool) -> bool:
    try:
        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    return True


def locked(path: Path, alone: bool = True) -> bool:
    """Is some process holding ``path`` now: ``alone``, or in any way? No, where that cannot be told."""
    try:
        with _to_look(path) as file:  # those who only look are not in each other's way
            return not _take(file, wait=False, shared=alone)
    except OSError as error:
        if error.errno not in _UNTOLD:
            raise
        return False


def _to_look(path: Path) -> TextIO:
    """For writing, as network file systems want it of those who ask for a lock alone; for reading if need be."""
    try:
        return path.open("r+")
    except OSError:
        return path.open()


@contextmanager
def plainly(root: Path) -> Iterator[None]:
    """Turn a full disk, a read-only folder and exhausted memory into one sentence."""
    try:
        yield
    except IsthmusError:
        raise
    except MemoryError as error:
        raise ResourceError(f"Memory ran out ({_short(error)}): lower --workers or --micro-batch.") from error
    except Exception as error:
        sentence = _disk_sentence(error, root) or _memory_sentence(error)
        if sentence is None:
            raise
        raise sentence from error


def _disk_sentence(error: Exception, root: Path) -> IsthmusError | None:
    code = getattr(error, "errno", None)
    text = str(error)
    if code in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) or "No space left" in text or "File too large" in text:
        return StoreError(
            f"The disk that holds {root} is full: free some space and run the same command again. "
            "Everything that was finished is kept."
        )
    if code in (errno.EACCES, errno.EROFS, errno.EPERM):
        return StoreError(f"{root} cannot be written ({os.strerror(code)}): choose another folder with --store.")
    return None


def _memory_sentence(error: Exception) -> IsthmusError | None:
    text = str(error)
    if "can't allocate memory" in text or "out of memory" in text.lower():
        return ResourceError(
            f"Memory ran out ({_short(error)}): lower --workers, --micro-batch or the recipe's max_length."
        )
    return None


def _short(error: BaseException) -> str:
    return (str(error).split("\n")[0] or type(error).__name__)[:160]
