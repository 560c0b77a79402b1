"""A place that fsspec reaches: reading, writing, and saying in a sentence what keeps it from that."""

import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from isthmus.errors import IsthmusError, MissingPackage, SpecError, StoreError, nearest

#: Places whose objects appear whole or not at all, and that have no folders.
_OBJECT_STORES = ("s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "oss", "oci")
_PACKAGES = {
    "s3": "s3fs",
    "s3a": "s3fs",
    "gs": "gcsfs",
    "gcs": "gcsfs",
    "abfs": "adlfs",
    "az": "adlfs",
    "sftp": "paramiko",
}
_TRIES = 5
#: The packages whose errors are those of places.
_CLIENTS = ("botocore", "aiobotocore", "aiohttp", "gcsfs", "adlfs", "azure", "paramiko")
_PART = 16 << 20  # bytes of a file that are in memory at once, for each of the two parts that move together

Result = TypeVar("Result")


def shown(url: str) -> str:
    """``url`` without what may be a secret: a user, a password, options."""
    if "://" not in url:
        return url
    scheme, _, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    return f"{scheme}://{authority.rpartition('@')[2]}{slash}{path.partition('?')[0].partition('#')[0]}"


def _check(url: str) -> None:
    if not url.strip():
        raise SpecError("The address of the remote store is empty: give one, such as s3://bucket/prefix, or a folder.")
    if "://" in url and (urlsplit(url).password or urlsplit(url).query):
        raise SpecError(
            f"The address of {shown(url)} holds a password or options, which logs would show: leave them out, and give "
            "credentials as the environment does, such as AWS_ACCESS_KEY_ID or ~/.aws/credentials."
        )


def _code(error: BaseException) -> str:
    """What S3 calls an error; nothing for others."""
    return str(getattr(error.__cause__ or error, "response", {}).get("Error", {}).get("Code", ""))


def _no_bucket(error: BaseException) -> bool:
    known = isinstance(error, FileNotFoundError) and "bucket does not exist" in str(error)
    return known or _code(error) == "NoSuchBucket"


def _problem(error: BaseException) -> str | None:
    """What a person should know of an error of the place; None where nothing is known."""
    name, text, code = type(error).__name__, " ".join(str(error).split())[:160], _code(error)
    ours = isinstance(error, OSError) or type(error).__module__.partition(".")[0] in _CLIENTS
    told = text or name if ours else None
    if "Credentials" in name or "Token" in name:
        told = "no credentials were found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
    elif _no_bucket(error):
        told = "there is no such bucket: create it, or mend the address"
    elif isinstance(error, PermissionError) or code in ("AccessDenied", "403"):
        told = f"access is denied ({text}): check the credentials and what they allow"
    elif isinstance(error, NotADirectoryError):
        told = "a file is where a folder should be: choose another address"
    elif isinstance(error, (ConnectionError, socket.gaierror)) or ("Connect" in name and ours):
        told = f"it cannot be reached ({text}): check the address and the network"
    elif isinstance(error, TimeoutError) or ("Timeout" in name and ours):
        told = "it does not answer in time: check the address and the network"
    return told


@contextmanager
def plainly_at(url: str, writing: bool = False) -> Iterator[None]:
    """Turn what a place does not do into one sentence, without secrets. In reading, FileNotFoundError stays."""
    try:
        yield
    except IsthmusError:
        raise
    except Exception as error:
        told = _problem(error)
        if told is None or (isinstance(error, FileNotFoundError) and not writing and not _no_bucket(error)):
            raise
        raise StoreError(f"{shown(url)}: {told}.") from error


def _final(error: BaseException) -> bool:
    """Is there no use in trying again?"""
    known = (FileNotFoundError, FileExistsError, PermissionError, IsADirectoryError, NotADirectoryError, IsthmusError)
    return (
        isinstance(error, known)
        or "Credentials" in type(error).__name__
        or _code(error) in ("NoSuchBucket", "AccessDenied")
    )


def patiently(attempt: Callable[[], Result], tries: int = _TRIES) -> Result:
    """The result of ``attempt``, which is tried again after a pause where an outage may be over by then."""
    for number in range(tries):
        try:
            return attempt()
        except OSError as error:
            if _final(error) or number == tries - 1:
                raise
        except Exception as error:  # clients have errors of their own for what is an OSError elsewhere
            if _problem(error) is None or _final(error) or number == tries - 1:
                raise
        time.sleep(2.0**number * (0.5 + secrets.randbelow(1000) / 1000))
    raise AssertionError("the last attempt returns or raises")


class Place:
    """A folder or a prefix of a bucket. Every method may be called from several threads.

    Raises:
        SpecError: the address is empty, has a password in it, or a scheme that nothing reaches.
        MissingPackage: the package for such places is not installed.
    """

    def __init__(self, url: str) -> None:
        _check(url)
        self.url = url
        try:
            import fsspec
        except ImportError:
            raise MissingPackage("fsspec", "A remote store", "remote") from None
        scheme = url.partition("://")[0] if "://" in url else "file"
        if scheme not in fsspec.available_protocols():
            raise SpecError(f"{shown(url)}: {scheme}:// leads nowhere: {nearest(scheme, _PACKAGES)}")
        options = {"auto_mkdir": True} if scheme in ("file", "local") else {}
        try:
            self._fs, root = fsspec.core.url_to_fs(
                url, use_listings_cache=False, skip_instance_cache=scheme != "memory", **options
            )
        except ImportError as error:
            package = _PACKAGES.get(scheme, getattr(error, "name", None) or scheme)
            raise MissingPackage(package, shown(url), "remote" if package == "s3fs" else None) from None
        except Exception as error:
            raise StoreError(f"{shown(url)} cannot be used ({type(error).__name__}: {error}).") from error
        self._root = root.rstrip("/")
        self._whole = scheme in _OBJECT_STORES
        self._parts = {"max_concurrency": 2} if scheme in ("s3", "s3a") else {}

    def __str__(self) -> str:
        return shown(self.url)

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    def _folder(self, name: str) -> None:
        if not self._whole:
            self._fs.makedirs(self._fs._parent(self._path(name)), exist_ok=True)

    def read(self, name: str) -> bytes:
        """The bytes of a small object. Raises FileNotFoundError."""
        with plainly_at(self.url):
            content: bytes = patiently(lambda: self._fs.cat_file(self._path(name)))
        return content

    def write(self, name: str, content: bytes) -> None:
        """Make or replace a small object in one step."""
        with plainly_at(self.url, writing=True):
            self._folder(name)
            if self._whole:
                patiently(lambda: self._fs.pipe_file(self._path(name), content))
                return
            temporary = self._temporary(name)
            self._folder(temporary)
            patiently(lambda: self._fs.pipe_file(self._path(temporary), content))
            self._move(temporary, name)

    def create(self, name: str, content: bytes) -> bool:
        """Make a small object; False where there is one. In one step where the place can do that."""
        with plainly_at(self.url, writing=True):
            self._folder(name)
            try:
                self._fs.pipe_file(self._path(name), content, mode="create")
            except FileExistsError:
                return False
            except (TypeError, NotImplementedError, ValueError):  # the place knows no such thing
                if self._fs.exists(self._path(name)):
                    return False
                self.write(name, content)
            except OSError as error:
                if "PreconditionFailed" in str(error) or "pre-conditions" in str(error).lower():
                    return False
                raise
        return True

    def sizes(self, under: str) -> dict[str, int]:
        """Every object below ``under`` by its name from there, with its size in bytes."""
        found: dict[str, Any] = {}
        with suppress(FileNotFoundError), plainly_at(self.url):
            found = patiently(lambda: self._fs.find(self._path(under), detail=True))
        start = len(self._fs._strip_protocol(self._path(under))) + 1
        return {path[start:]: int(facts["size"] or 0) for path, facts in found.items() if facts["type"] == "file"}

    def exists(self, name: str) -> bool:
        """Is there such an object?"""
        with suppress(FileNotFoundError), plainly_at(self.url):
            return bool(patiently(lambda: self._fs.info(self._path(name))))
        return False

    def empty(self) -> bool:
        """Is nothing there?"""
        with suppress(FileNotFoundError), plainly_at(self.url):
            return not patiently(lambda: self._fs.ls(self._root, detail=False))
        return True

    def put(self, source: Path, name: str, moved: Callable[[int], None]) -> None:
        """Copy a file there; it appears under ``name`` whole or not at all. ``moved`` is told of bytes."""
        with plainly_at(self.url, writing=True):
            target = name if self._whole else self._temporary(name)
            self._folder(target)
            size = max(_PART, source.stat().st_size // 9000)
            parts = {"chunksize": size, **self._parts} if self._parts else {}
            self._counted(lambda tell: self._put(source, target, tell, parts), source, moved)
            if target != name:
                self._move(target, name)

    def _put(self, source: Path, target: str, tell: Any, parts: dict[str, int]) -> None:
        try:
            self._fs.put_file(str(source), self._path(target), callback=tell, **parts)
        except FileNotFoundError as error:
            if _no_bucket(error) or not source.exists():
                raise
            # An upload in parts was completed, the answer was lost, and the client asked again.
            if self.sizes(target.rpartition("/")[0]).get(target.rpartition("/")[2]) != source.stat().st_size:
                raise ConnectionError(str(error)) from error

    def get(self, name: str, target: Path, moved: Callable[[int], None]) -> None:
        """Copy an object to a file, which may be there in part when it fails. Raises FileNotFoundError."""
        parts = {"chunksize": _PART, **self._parts} if self._parts else {}
        with plainly_at(self.url):
            path = self._path(name)
            self._counted(lambda tell: self._fs.get_file(path, str(target), callback=tell, **parts), target, moved)

    def _counted(self, copy: Callable[[Any], object], file: Path, moved: Callable[[int], None]) -> None:
        from fsspec.callbacks import Callback

        class Count(Callback):  # type: ignore[misc]
            """Passes on what is moved; what a failed attempt moved does not count."""

            total = 0

            def relative_update(self, inc: int = 1) -> None:
                self.total += inc
                moved(inc)

        def attempt() -> None:
            tell = Count()
            try:
                copy(tell)
            except BaseException:
                moved(-tell.total)
                raise
            tell.relative_update(file.stat().st_size - tell.total)  # some places tell of nothing on the way

        patiently(attempt)

    def delete(self, name: str) -> None:
        """Delete an object; one that is not there is no error."""
        with suppress(FileNotFoundError), plainly_at(self.url):
            self._fs.rm_file(self._path(name))

    def set_aside(self, name: str) -> None:
        """Move an object below ``damaged/``, so that it is not believed any more. One that is not there is no error."""
        target = f"damaged/{name}.{secrets.token_hex(4)}"
        with suppress(FileNotFoundError), plainly_at(self.url):
            self._move(name, target)

    def _move(self, name: str, target: str) -> None:
        self._folder(target)
        if self._whole:
            self._fs.cp_file(self._path(name), self._path(target))
            self._fs.rm_file(self._path(name))
        else:
            self._fs.mv(self._path(name), self._path(target))

    def _temporary(self, name: str) -> str:
        return f"tmp/{name.rpartition('/')[2]}.{threading.get_ident():x}{secrets.token_hex(6)}"
