"""How each kind of task is encoded, learned and predicted: one file a kind; the training loop knows none of them."""

from isthmus.data.schema import Kind
from isthmus.kinds.core import Method


def method(kind: Kind | str) -> Method:
    """The method of a kind. Imported on demand: these modules need torch."""
    from isthmus.kinds.bitext import BITEXT
    from isthmus.kinds.choice import CHOICE
    from isthmus.kinds.mining import MINING
    from isthmus.kinds.ranking import RANKING
    from isthmus.kinds.sequence import PAIR, SEQUENCE
    from isthmus.kinds.span import SPAN
    from isthmus.kinds.tagging import TAGGING
    from isthmus.kinds.text import TEXT

    methods: dict[Kind, Method] = {
        Kind.SEQUENCE: SEQUENCE,
        Kind.PAIR: PAIR,
        Kind.TAGGING: TAGGING,
        Kind.SPAN: SPAN,
        Kind.CHOICE: CHOICE,
        Kind.BITEXT: BITEXT,
        Kind.MINING: MINING,
        Kind.RANKING: RANKING,
        Kind.TEXT: TEXT,
    }
    return methods[Kind(kind)]
