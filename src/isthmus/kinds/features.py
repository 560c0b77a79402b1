"""Features: what a model reads of one example, and those of many rows as flat arrays.

A million rows as Python objects take gigabytes and minutes; as arrays they take four bytes a token, can be mapped from
a file (`isthmus.kinds.files`), and one `Feature` is built when it is asked for.
"""

import itertools
import operator
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int32]
#: Where rows begin in an array of values, and the last one ends: of their number and one more.
Bounds = NDArray[np.int64]
#: What targets are: nothing, a label, one label a token, the first and the last token of an answer, masked tokens, or
#: the same for all.
Form = Literal["none", "label", "tokens", "span", "blanks", "shared"]


@dataclass(frozen=True)
class Feature:
    """One model input, or two for kinds that compare texts, made from (a part of) one example.

    Attributes:
        example: the row it was made from; a long sentence gives several features.
        texts: token ids of each text, special tokens included.
        target: what the loss compares with: a label index, one index a token (-100 where there is none), or whatever
            else the kind's own loss reads; None where there is nothing to learn from.
        words: where word number ``first_word + i`` starts in ``texts[0]``, for kinds that label or mask words.
        first_word: the number of the first word, or the first token, of a window.
        second: where the second of two texts begins in each of ``texts``, for models that tell them apart by
            ``token_type_ids``; empty for others.
        places: for kinds that answer with a stretch of a text, the code points [start, end) of it that each token of
            ``texts[0]`` stands for, int32 of shape (tokens, 2); -1 where an answer can neither start nor end.
    """

    example: int
    texts: tuple[list[int], ...]
    target: Any = None
    words: tuple[int, ...] = ()
    first_word: int = 0
    second: tuple[int, ...] = ()
    places: Ints | None = field(default=None, compare=False)

    @property
    def length(self) -> int:
        """Tokens of its longest text."""
        return max(len(text) for text in self.texts)


class Vocabulary(NamedTuple):
    """What masking must know of a tokenizer: shared by all features."""

    mask: int
    #: the special tokens, which are never masked and never stand in for another
    special: NDArray[np.int64]
    #: all other tokens
    ordinary: NDArray[np.int64]


class Blanks(NamedTuple):
    """The positions of a window that are to be predicted, rising, and what stood there."""

    positions: NDArray[np.int64]
    tokens: NDArray[np.int64]


class Stretches(NamedTuple):
    """Stretches [first, last) of an array of values."""

    values: Ints
    first: NDArray[np.int64]
    last: NDArray[np.int64]

    def shorter(self, longest: int | NDArray[np.int64]) -> "Stretches":
        """Their beginnings, of at most so many values."""
        return self._replace(last=np.minimum(self.last, self.first + longest))

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Of each."""
        return self.last - self.first


class Ragged(NamedTuple):
    """Rows of different lengths: row i is ``values[bounds[i] : bounds[i + 1]]``."""

    values: Ints
    bounds: Bounds

    @classmethod
    def of(cls, rows: Iterable[Sequence[int] | Ints]) -> "Ragged":
        """Rows given one by one."""
        arrays = [np.asarray(row, dtype=np.int32) for row in rows]
        return cls(np.concatenate([np.empty(0, np.int32), *arrays]), bounds_of(list(map(len, arrays))))

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Of each row."""
        return np.diff(self.bounds)

    def row(self, number: int) -> Ints:
        """One row."""
        return self.values[self.bounds[number] : self.bounds[number + 1]]

    def rows(self) -> list[list[int]]:
        """All of them."""
        values, bounds = self.values.tolist(), self.bounds.tolist()
        return [values[first:last] for first, last in itertools.pairwise(bounds)]

    def take(self, rows: NDArray[np.integer[Any]]) -> "Ragged":
        """These rows, in this order."""
        return gathered(self.at(rows))

    def at(self, rows: NDArray[np.integer[Any]]) -> Stretches:
        """Where these rows are."""
        return Stretches(self.values, self.bounds[rows], self.bounds[rows + 1])


def bounds_of(lengths: Sequence[int] | NDArray[np.integer[Any]]) -> Bounds:
    """The bounds of rows that follow each other."""
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths, dtype=np.int64)])


def gathered(stretches: Stretches) -> Ragged:
    """The stretches, one after another."""
    bounds = bounds_of(stretches.lengths)
    source = np.repeat(stretches.first - bounds[:-1], stretches.lengths)
    source += np.arange(len(source))
    return Ragged(stretches.values[source], bounds)


def joined(parts: Sequence[Ragged]) -> Ragged:
    """The rows of all parts, one after another."""
    lengths = [part.lengths for part in parts]
    return Ragged(np.concatenate([part.values for part in parts]), bounds_of(np.concatenate(lengths)))


@dataclass(frozen=True, eq=False)
class Features(Sequence[Feature]):
    """The features of many rows. A column that is None is empty, or 0, in all of them.

    Attributes:
        example: as in `Feature`, int32 of shape (features,); so is ``first_word``.
        texts: token ids, one row a text.
        form: what targets are.
        target: their columns: a number a feature, or several.
        vocabulary: the target of all features, where it is the same.
        several: where the texts of each feature begin among ``texts``, (features + 1,); None for one each.
        words, second, places: as in `Feature`, one row a feature; of ``places`` two numbers a token.
    """

    example: Ints
    texts: Ragged
    form: Form = "none"
    target: tuple[Ints | Ragged, ...] = ()
    vocabulary: Vocabulary | None = None
    several: Bounds | None = None
    words: Ragged | None = None
    first_word: Ints | None = None
    second: Ragged | None = None
    places: Ragged | None = None

    @classmethod
    def of(cls, features: Sequence[Feature]) -> "Features":
        """Features that are there one by one; all have the same form."""
        if isinstance(features, Features):
            return features
        counts = [len(feature.texts) for feature in features]
        form, target = _columns([feature.target for feature in features])
        places = [feature.places for feature in features if feature.places is not None]
        assert len(places) in {0, len(features)}
        return cls(
            np.asarray([feature.example for feature in features], dtype=np.int32),
            Ragged.of(text for feature in features for text in feature.texts),
            form,
            target,
            features[0].target if form == "shared" else None,
            bounds_of(counts) if set(counts) - {1} else None,
            Ragged.of(feature.words for feature in features) if any(one.words for one in features) else None,
            np.asarray([feature.first_word for feature in features], dtype=np.int32)
            if any(one.first_word for one in features)
            else None,
            Ragged.of(feature.second for feature in features) if any(one.second for one in features) else None,
            Ragged.of(place.reshape(-1) for place in places) if places else None,
        )

    def __len__(self) -> int:
        return len(self.example)

    @property
    def lengths(self) -> Ints:
        """Tokens of the longest text of each feature."""
        lengths = self.texts.lengths
        if self.several is not None and len(self):
            lengths = np.maximum.reduceat(lengths, self.several[:-1])
        return lengths.astype(np.int32)

    @overload
    def __getitem__(self, item: int) -> Feature: ...
    @overload
    def __getitem__(self, item: slice) -> "Features": ...
    def __getitem__(self, item: int | slice) -> "Feature | Features":
        if isinstance(item, slice):
            return self.take(np.arange(len(self))[item])
        row = operator.index(item)
        if not -len(self) <= row < len(self):
            raise IndexError(f"there are {len(self)} features, and none with the number {row}")
        row %= len(self)
        first, last = (row, row + 1) if self.several is None else self.several[row : row + 2]
        return Feature(
            int(self.example[row]),
            tuple(self.texts.row(text).tolist() for text in range(first, last)),
            self._target(row),
            () if self.words is None else tuple(self.words.row(row).tolist()),
            0 if self.first_word is None else int(self.first_word[row]),
            () if self.second is None else tuple(self.second.row(row).tolist()),
            None if self.places is None else self.places.row(row).reshape(-1, 2),
        )

    def __iter__(self) -> Iterator[Feature]:
        return (self[row] for row in range(len(self)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(map(operator.eq, self, other))

    __hash__ = None  # type: ignore[assignment]

    def _target(self, row: int) -> Any:
        values = [column.row(row) if isinstance(column, Ragged) else int(column[row]) for column in self.target]
        match self.form:
            case "label":
                return values[0]
            case "tokens":
                return values[0].tolist()  # type: ignore[union-attr]
            case "span":
                return tuple(values)
            case "blanks":
                return Blanks(*(value.astype(np.int64) for value in values))  # type: ignore[union-attr]
        return self.vocabulary

    def take(self, rows: NDArray[np.integer[Any]]) -> "Features":
        """These features, in this order."""
        texts, several = rows, None
        if self.several is not None:
            texts, several = Ragged(np.arange(self.several[-1], dtype=np.int32), self.several).take(rows)
        return replace(
            self,
            example=self.example[rows],
            texts=self.texts.take(texts),
            target=tuple(_taken(column, rows) for column in self.target),
            several=several,
            **{name: _taken(column, rows) for name, column in self._optional()},
        )

    def renumbered(self, place: NDArray[np.integer[Any]]) -> "Features":
        """Every token replaced by ``place[token]``."""
        return replace(self, texts=Ragged(place[self.texts.values].astype(np.int32, copy=False), self.texts.bounds))

    def _optional(self) -> list[tuple[str, Any]]:
        names = ("words", "first_word", "second", "places")
        return [(name, getattr(self, name)) for name in names if getattr(self, name) is not None]


def lengths_of(features: Sequence[Feature]) -> Ints:
    """Tokens of the longest text of each feature."""
    if isinstance(features, Features):
        return features.lengths
    return np.fromiter((feature.length for feature in features), dtype=np.int32, count=len(features))


def concatenated(parts: Sequence[Features]) -> Features:
    """The features of all parts, one after another, all of one kind.

    A part has a column only if one of its features needs it, so that parts may differ in which they have.
    """
    there = [part for part in parts if len(part)]
    if len(there) < 2:
        return there[0] if there else parts[0]
    several = None
    if any(part.several is not None for part in there):
        counts = [np.ones(len(part), np.int64) if part.several is None else np.diff(part.several) for part in there]
        several = bounds_of(np.concatenate(counts))

    def ragged(name: str) -> Ragged | None:
        columns = [getattr(part, name) for part in there]
        if all(column is None for column in columns):
            return None
        empty = [Ragged(np.empty(0, np.int32), np.zeros(len(part) + 1, np.int64)) for part in there]
        return joined([other if column is None else column for column, other in zip(columns, empty, strict=True)])

    numbers = [part.first_word for part in there]
    return replace(
        there[0],
        example=np.concatenate([part.example for part in there]),
        texts=joined([part.texts for part in there]),
        target=tuple(_joined_column(columns) for columns in zip(*(part.target for part in there), strict=True)),
        several=several,
        words=ragged("words"),
        first_word=None
        if all(column is None for column in numbers)
        else np.concatenate([np.zeros(len(p), np.int32) if p.first_word is None else p.first_word for p in there]),
        second=ragged("second"),
        places=ragged("places"),
    )


def _joined_column(columns: Sequence[Ints | Ragged]) -> Ints | Ragged:
    ragged = [column for column in columns if isinstance(column, Ragged)]
    return joined(ragged) if ragged else np.concatenate(columns)


def _taken(column: Ints | Ragged, rows: NDArray[np.integer[Any]]) -> Any:
    return column.take(rows) if isinstance(column, Ragged) else column[rows]


def _columns(targets: Sequence[Any]) -> tuple[Form, tuple[Ints | Ragged, ...]]:
    """The form of targets, and their columns."""
    first = targets[0] if targets else None
    if first is None:
        return "none", ()
    if isinstance(first, Vocabulary):
        return "shared", ()
    if isinstance(first, Blanks):
        return "blanks", tuple(Ragged.of(blanks[side] for blanks in targets) for side in (0, 1))
    if isinstance(first, tuple):
        return "span", tuple(np.asarray([target[side] for target in targets], dtype=np.int32) for side in (0, 1))
    if isinstance(first, list):
        return "tokens", (Ragged.of(targets),)
    return "label", (np.asarray(targets, dtype=np.int32),)
