"""Texts as token ids, where every distinct text is tokenised once.

Most of the time goes into the tokenizer, and texts come again: a premise of NLI has three hypotheses, a sentence of a
parallel set many counterparts. What is put around and between two texts is read off the tokenizer (`template_of`), so
that joining them here gives what the tokenizer gives; what is too long is left to it, which knows where it cuts.
"""

import itertools
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from isthmus.data.spacing import SPACES, code_points, unspaced
from isthmus.kinds.core import Tokenizer
from isthmus.kinds.features import Features, Ints, Ragged, Stretches, bounds_of, gathered, joined
from isthmus.kinds.pairs import around, template_of

#: Texts that are tokenised together: bounds what the tokenizer returns at once, a hundred bytes and more a token.
_SLICE = 2000


class Inputs(NamedTuple):
    """Model inputs, and where the second of two texts begins in each, for models that tell them apart."""

    texts: Ragged
    second: Ragged | None


def pieces(texts: Sequence[str], tokenizer: Tokenizer) -> Ragged:
    """The tokens of each text, without special ones."""
    parts = [Ragged.of(one.ids for one in encoded) for encoded in _encoded(texts, tokenizer)]
    return joined([Ragged.of(()), *parts])


def _encoded(texts: Sequence[str], tokenizer: Tokenizer, placed: bool = False) -> Iterator[list[Any]]:
    """What the tokenizer's engine says of the texts, some at a time; with ``placed``, also where tokens stand."""
    backend = tokenizer.backend_tokenizer
    backend.no_truncation()
    backend.no_padding()
    encode = backend.encode_batch if placed else backend.encode_batch_fast
    for start in range(0, len(texts), _SLICE):
        yield encode(list(texts[start : start + _SLICE]), add_special_tokens=False)


def placed_pieces(texts: Sequence[str], tokenizer: Tokenizer) -> tuple[Ragged, list[Ints]]:
    """As `pieces`, and the code points [start, end) of the text that each token stands for: (tokens, 2) a text."""
    tokens: list[Ragged] = [Ragged.of(())]
    places: list[Ints] = []
    for encoded in _encoded(texts, tokenizer, placed=True):
        tokens.append(Ragged.of(one.ids for one in encoded))
        places.extend(np.asarray(one.offsets, dtype=np.int32).reshape(-1, 2) for one in encoded)
    return joined(tokens), places


def worded_pieces(texts: Sequence[str], tokenizer: Tokenizer) -> tuple[Ragged, NDArray[np.bool_]]:
    """As `pieces`, and which of all tokens begin a word.

    A word begins after white space and wherever the tokenizer begins to cut anew. In scripts without spaces a clause
    would be a word; there each token is one: a multilingual vocabulary has words of these languages as its pieces.
    """
    tokens: list[Ragged] = [Ragged.of(())]
    begins = [np.empty(0, dtype=np.bool_)]
    for start, encoded in zip(range(0, len(texts), _SLICE), _encoded(texts, tokenizer, placed=True), strict=True):
        tokens.append(Ragged.of(one.ids for one in encoded))
        begins.extend(_begins(texts[start + number], one) for number, one in enumerate(encoded))
    return joined(tokens), np.concatenate(begins)


def _begins(text: str, encoded: Any) -> NDArray[np.bool_]:
    """Which tokens of one text begin a word."""
    if not encoded.ids:
        return np.empty(0, dtype=np.bool_)
    codes = np.append(code_points(text), np.uint32(ord(" ")))
    first, end = np.asarray(encoded.offsets, dtype=np.int64).T
    space = np.isin(codes, SPACES)
    words = np.asarray([-1 if word is None else word for word in encoded.word_ids])
    alone = unspaced(codes[np.maximum(end, 1) - 1])
    found: NDArray[np.bool_] = space[first] | space[first - 1] | alone
    found[1:] |= (words[1:] != words[:-1]) | alone[:-1]
    found[0] = True
    return found


def distinct_pieces(columns: Sequence[pa.ChunkedArray], tokenizer: Tokenizer) -> tuple[Ragged, list[Ints]]:
    """The tokens of the distinct texts of all ``columns``, and which of them each column's texts are."""
    chunks = [chunk for column in columns for chunk in column.chunks]
    numbered = pa.chunked_array(chunks, pa.string()).combine_chunks().dictionary_encode()
    places = numbered.indices.to_numpy()
    ends = np.cumsum([len(column) for column in columns])
    return pieces(numbered.dictionary.to_pylist(), tokenizer), np.split(places, ends[:-1])


def inputs_for(columns: Sequence[pa.ChunkedArray], tokenizer: Tokenizer, max_length: int) -> Inputs:
    """One input a row: its text, or its two texts (as many as there are ``columns``), cut to ``max_length`` tokens."""
    tokens, places = distinct_pieces(columns, tokenizer)
    special, numbered = _special(tokenizer, len(columns))
    size = np.full(len(columns[0]), sum(map(len, special)))
    for place in places:
        size += tokens.lengths[place]
    fits = np.flatnonzero(size <= max_length)
    long = np.flatnonzero(size > max_length)
    texts = woven(special, [tokens.at(place[fits]) for place in places])
    second = np.full(len(size), -1, dtype=np.int64)
    second[fits] = len(special[0]) + tokens.lengths[places[0][fits]] + len(special[1])
    if len(long):
        cut = tokenizer(
            *(column.take(long).to_pylist() for column in columns),
            truncation=True,
            max_length=max_length,
            return_attention_mask=False,
        )
        order = np.empty(len(size), dtype=np.int64)
        order[np.concatenate([fits, long])] = np.arange(len(size))
        texts = joined([texts, Ragged.of(cut["input_ids"])]).take(order)
        if numbered:
            second[long] = [row.index(1) if 1 in row else -1 for row in cut["token_type_ids"]]
    if not numbered:
        return Inputs(texts, None)
    there = second >= 0
    return Inputs(texts, Ragged(second[there].astype(np.int32), bounds_of(there.astype(np.int64))))


def _special(tokenizer: Tokenizer, texts: int) -> tuple[Sequence[Sequence[int]], bool]:
    """The special tokens around one text or two, and whether the tokenizer numbers them."""
    if texts == 1:
        return around(tokenizer), False
    template = template_of(tokenizer)
    return (template.before, template.between, template.after), template.numbered


def features_of_sides(sides: Sequence[Ragged]) -> Features:
    """One feature a row, of one text or more: one from each side."""
    rows = len(sides[0].bounds) - 1
    order = np.arange(rows * len(sides)).reshape(len(sides), rows).T.reshape(-1)
    texts = joined(sides).take(order) if len(sides) > 1 else sides[0]
    several = np.arange(0, len(order) + 1, len(sides)) if len(sides) > 1 else None
    return Features(np.arange(rows, dtype=np.int32), texts, several=several)


def woven(special: Sequence[Sequence[int]], parts: Sequence[Stretches]) -> Ragged:
    """One row for each stretch of the parts: special tokens, that of the first part, special tokens, and so on.

    Args:
        special: tokens before, between and after the parts; one more than there are parts.
        parts: all of as many stretches.
    """
    values = [np.asarray(ids, dtype=np.int32) for ids in special]
    shape = len(parts[0].first), len(special) + len(parts)
    first, last = np.empty(shape, dtype=np.int64), np.empty(shape, dtype=np.int64)
    starts = bounds_of([len(one) for one in (*values, *(part.values for part in parts))])
    for number, (start, end) in enumerate(itertools.pairwise(starts[: len(special) + 1].tolist())):
        first[:, 2 * number], last[:, 2 * number] = start, end
    for number, (part, start) in enumerate(zip(parts, starts[len(special) :].tolist(), strict=False)):
        first[:, 2 * number + 1], last[:, 2 * number + 1] = part.first + start, part.last + start
    pool = np.concatenate([*values, *(part.values for part in parts)])
    rows = gathered(Stretches(pool, first.ravel(), last.ravel()))
    return Ragged(rows.values, rows.bounds[:: shape[1]])
