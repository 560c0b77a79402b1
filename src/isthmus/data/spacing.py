"""White space, and scripts that are written without it between words."""

import itertools
import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

#: What `str.isspace` calls white space.
SPACES = np.asarray([point for point in range(0x3001) if chr(point).isspace()], dtype=np.uint32)
#: First and last code points: Thai, Lao, Tibetan, Myanmar, Khmer, ideographs with their punctuation, kana and bopomofo,
#: the extensions of Myanmar and Khmer, and the full-width forms (Unicode's blocks of these names). Korean has spaces.
_BLOCKS = (
    (0x0E00, 0x0FFF),
    (0x1000, 0x109F),
    (0x1780, 0x17FF),
    (0x19E0, 0x19FF),
    (0x2E80, 0x2FDF),
    (0x3000, 0x312F),
    (0x31A0, 0x31FF),
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xA9E0, 0xA9FF),
    (0xAA60, 0xAA7F),
    (0xF900, 0xFAFF),
    (0xFE30, 0xFE4F),
    (0xFF00, 0xFF9F),
    (0x20000, 0x3FFFF),
)
_EDGES = np.array([(first, last + 1) for first, last in _BLOCKS], dtype=np.int64).reshape(-1)


def code_points(text: str) -> NDArray[np.uint32]:
    """The code points of a text."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")


def unspaced(codes: NDArray[np.uint32]) -> NDArray[np.bool_]:
    """Which code points stand next to their neighbours without a space."""
    return np.asarray(np.searchsorted(_EDGES, codes, side="right") % 2 == 1)


_UNSPACED = re.compile(f"[{''.join(f'{chr(first)}-{chr(last)}' for first, last in _BLOCKS)}]")


def sentence(tokens: Sequence[str]) -> str:
    """Tokens as a text, with a space between two of them.

    None is next to a letter of a script without spaces, and in a sentence with such letters none is between tokens of
    one character each: these data sets are cut into characters, numbers and foreign names, too.
    """
    tokens = [token for token in tokens if token]
    text = " ".join(tokens)
    if not _UNSPACED.search(text):
        return text
    parts = tokens[:1]
    for one, other in itertools.pairwise(tokens):
        near = _UNSPACED.match(one[-1]) or _UNSPACED.match(other[0]) or len(one) == len(other) == 1
        parts += [other] if near else [" ", other]
    return "".join(parts)
