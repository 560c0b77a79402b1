"""The unlabelled text of any task's rows, to train or measure a language model on."""

import hashlib
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from isthmus.data.schema import SCHEMAS, Kind
from isthmus.data.spacing import sentence

#: Digits of a text's hash that are its id: of a billion texts, two have the same with a chance below one in a hundred
#: thousand million.
_ID_DIGITS = 32
#: The columns of each kind that hold its text, in the language of the rows. The other side of bitext is English, and a
#: candidate of a ranking may be in any language, so neither is among them.
_COLUMNS: Mapping[Kind, tuple[str, ...]] = {
    Kind.SEQUENCE: ("text",),
    Kind.PAIR: ("text", "text_pair"),
    Kind.TAGGING: ("tokens",),
    Kind.SPAN: ("context", "question"),
    Kind.CHOICE: ("text", "question", "choices"),
    Kind.BITEXT: ("source",),
    Kind.MINING: ("text",),
    Kind.RANKING: ("text",),
    Kind.TEXT: ("text",),
}


def texts_of(kind: Kind, table: pa.Table) -> pa.Table:
    """The texts of rows of ``kind``, each once, as rows of the kind `text`.

    Premises and hypotheses, contexts and questions, choices and what they are about are texts of their own. Tokens are
    joined as their script is written (`isthmus.data.spacing.sentence`). Texts of white space alone are left out.

    Args:
        kind: what the rows are.
        table: rows in the schema of the kind.

    Returns:
        The columns ``id`` (a hash of the text, so that it is the same whatever rows it came with), ``group`` (that of
        the first row that has the text) and ``text``, column by column, in the order of the rows.
    """
    texts, groups = [pa.array([], pa.string())], [pa.array([], pa.string())]
    for name in _COLUMNS[kind]:
        column, group = table.column(name), table.column("group")
        if kind is Kind.TAGGING:
            column = pa.chunked_array([pa.array(map(sentence, column.to_pylist()), pa.string())])
        elif pa.types.is_list(column.type):
            group = group.take(pc.list_parent_indices(column))
            column = pc.list_flatten(column)
        texts.extend(column.chunks)
        groups.extend(group.chunks)
    distinct = pa.chunked_array(texts).combine_chunks().dictionary_encode()
    _, first = np.unique(distinct.indices.to_numpy(), return_index=True)
    rows = {
        "id": pa.array(map(_id, distinct.dictionary.to_pylist()), pa.string()),
        "group": pa.chunked_array(groups).take(first),
        "text": distinct.dictionary,
    }
    found = pa.table(rows, SCHEMAS[Kind.TEXT])
    return found.filter(pc.not_equal(pc.utf8_trim_whitespace(found.column("text")), ""))


def _id(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_ID_DIGITS]
