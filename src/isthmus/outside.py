"""What leaves the store: texts for a terminal, and files where a person wants them."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from isthmus.disk import replacing

#: Control characters, line ends, and marks that turn the direction of writing.
_STEERING = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def visible(text: str) -> str:
    """The text on one line. What would steer a terminal is told (``\\x1b``), not done: names are other people's."""
    return _STEERING.sub(lambda found: repr(found[0])[1:-1], text)


@contextmanager
def written(path: Path) -> Iterator[BinaryIO]:
    """A file to write to, at a path that a person gave.

    A file, or the one that a link leads to, is replaced in one step: half of the content is never found under the name.
    What is no file (a pipe, a device) stays what it is, and is written to.
    """
    if path.exists() and not path.is_file():
        with path.open("wb") as file:
            yield file
        return
    with replacing(path.resolve()) as temporary, temporary.open("wb") as file:
        yield file
