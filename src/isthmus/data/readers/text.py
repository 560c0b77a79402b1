"""The text of a file and its lines: UTF-8 and nothing else, split at line feeds and nowhere else."""

from pathlib import Path

from isthmus.errors import DataError

#: Where in a file something is: a line, counted from 1, or in words where lines say nothing.
Spot = int | str

#: A byte order mark.
BOM = b"\xef\xbb\xbf"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


def read_text(path: Path) -> str:
    """The text of ``path`` as it is, less a byte order mark.

    Raises:
        DataError: the file cannot be read, is empty, or is not UTF-8 (with the line and the offset of the byte).
    """
    return decode(path, read_data(path))


def read_data(path: Path) -> bytes:
    """The bytes of ``path``, with a byte order mark where it has one.

    Raises:
        DataError: the file cannot be read, is empty, or shows at a glance that it is no text of ours.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise DataError(f"There is no file {path}.") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error
    body = data.removeprefix(BOM)
    if not body or body.isspace():
        raise DataError(f"{path} is empty.")
    if data.startswith(_UTF16) or _nuls(body):
        raise DataError(f"{path} is UTF-16: save it as UTF-8.")
    if b"\n" not in body and body.count(b"\r") > 1 and not body.lstrip().startswith((b"{", b"[")):
        raise DataError(f"{path} has no line feeds: its lines end in carriage returns alone; save it with line feeds.")
    return data


def decode(path: Path, data: bytes) -> str:
    """The text that the bytes of ``path`` are, less a byte order mark. Raises DataError where they are not UTF-8."""
    body = data.removeprefix(BOM)
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        offset = error.start + len(data) - len(body)
        raise at(
            path,
            body.count(b"\n", 0, error.start) + 1,
            f"byte 0x{body[error.start]:02x} at offset {offset} is not UTF-8; save the file as UTF-8.",
        ) from None


def split_lines(text: str) -> list[str]:
    """The lines of ``text`` without line feed and the carriage return before it; none after the last line feed.

    Unlike ``str.splitlines`` this leaves form feeds, U+0085, U+2028 and their like inside the line, where texts have
    them.
    """
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()
    return [line.removesuffix("\r") for line in lines] if "\r" in text else lines


def _nuls(body: bytes) -> bool:
    """Is every second byte of the beginning a NUL, as in UTF-16 without a mark?"""
    start = body[:200]
    return len(start) > 3 and start.count(0) * 5 > len(start) * 2


def at(path: Path, spot: Spot, what: str) -> DataError:
    """The error ``what`` at a spot of ``path``."""
    return DataError(f"{path}:{spot}: {what}" if isinstance(spot, int) else f"{path}, {spot}: {what}")
