"""Queries, and the candidates they are looked for among: two files of objects, for mining and ranking."""

from isthmus.data.readers.cells import Cells
from isthmus.data.readers.rows import Rows
from isthmus.data.readers.text import at
from isthmus.data.schema import Kind


def with_targets(queries: Cells, candidates: Rows) -> Cells:
    """The queries with ``target`` and ``target_context`` (for ranking): the text of the first of their targets.

    Raises:
        DataError: a target is no candidate, or a query of a ranking task has none.
    """
    ids = candidates.values["id"]
    place = {one: number for number, one in enumerate(ids)}
    targets = queries.lists("targets")
    first = []
    for wanted, line in zip(targets, queries.lines, strict=True):
        for one in wanted:
            if one not in place:
                raise at(queries.path, line, f"the target {one!r} is the id of no candidate in {candidates.path}.")
        if queries.kind is Kind.RANKING and not wanted:
            raise at(queries.path, line, "this query has no target; a query without one cannot be ranked.")
        first.append(place[wanted[0]] if wanted else -1)
    values = {**queries.values, "targets": targets}
    if queries.kind is Kind.RANKING:
        for role, column in (("target", "text"), ("target_context", "context")):
            values.setdefault(role, [candidates.values[column][number] for number in first])
    return queries.with_values(values)
