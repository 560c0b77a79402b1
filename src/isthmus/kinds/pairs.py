"""One text or two as an input: what a tokenizer puts before, between and after, so that either can be cut or slid over.

Read off the tokenizer's own pair of two short texts: `<s> A </s> </s> B </s>` and `[CLS] A [SEP] B [SEP]` alike.
"""

from collections.abc import Sequence
from typing import NamedTuple

from isthmus.kinds.core import Tokenizer


class Pair(NamedTuple):
    """One input made of two texts, and where the second begins for a model that tells them apart."""

    ids: list[int]
    #: one position, or none for models without ``token_type_ids``
    second: tuple[int, ...]


class Template(NamedTuple):
    """The special tokens around two texts."""

    before: list[int]
    between: list[int]
    after: list[int]
    #: does the tokenizer number its texts (``token_type_ids``)?
    numbered: bool

    @property
    def size(self) -> int:
        """How many special tokens there are."""
        return len(self.before) + len(self.between) + len(self.after)

    def join(self, first: Sequence[int], second: Sequence[int]) -> Pair:
        """The input of two texts, given as token ids without special tokens."""
        start = len(self.before) + len(first) + len(self.between)
        ids = [*self.before, *first, *self.between, *second, *self.after]
        return Pair(ids, (start,) if self.numbered else ())


def template_of(tokenizer: Tokenizer) -> Template:
    """How ``tokenizer`` joins two texts."""
    encoded = tokenizer("a", "a")
    ids, texts = encoded["input_ids"], encoded.sequence_ids()
    first, last = texts.index(0), len(texts) - 1 - texts[::-1].index(1)
    end, start = len(texts) - texts[::-1].index(0), texts.index(1)
    numbered = any(encoded.get("token_type_ids", ()))
    return Template(ids[:first], ids[end:start], ids[last + 1 :], numbered)


def around(tokenizer: Tokenizer) -> tuple[list[int], list[int]]:
    """The special tokens before and after a single text."""
    encoded = tokenizer("a")
    ids, texts = encoded["input_ids"], encoded.sequence_ids()
    return ids[: texts.index(0)], ids[len(texts) - texts[::-1].index(0) :]
