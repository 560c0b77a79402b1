"""How each kind of task is encoded, learned and predicted: one file a kind; the training loop knows none of them."""

from isthmus.data.schema import Kind
from isthmus.kinds.core import Method


def method(kind: Kind | str) -> Method:
    """The method of a kind. Imported on demand: these modules need torch."""
    from isthmus.kinds.bitext import BITEXT
    from isthmus.kinds.sequence import PAIR, SEQUENCE
    from isthmus.kinds.tagging import TAGGING

    methods: dict[Kind, Method] = {
        Kind.SEQUENCE: SEQUENCE,
        Kind.PAIR: PAIR,
        Kind.TAGGING: TAGGING,
        Kind.BITEXT: BITEXT,
    }
    return methods[Kind(kind)]
