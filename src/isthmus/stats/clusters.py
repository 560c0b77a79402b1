"""Which examples of a test set share a source, in one language and across languages."""

from collections.abc import Iterator, Sequence

from isthmus.results import Statistics


def linked(splits: Sequence[Statistics]) -> list[tuple[str, ...]]:
    """The groups of one task's test splits, a language each, by names that are the same where the source is the same.

    Groups of the same name in two languages are one, as paragraph 7 is in all translations of a reading test. Unless
    examples of the same id say otherwise: MLQA asks its questions in some languages each, and numbers paragraphs anew
    in each. Then names count within their language alone, and groups are one where they have an id in common.
    """
    if _agree(splits):
        return [statistics.groups for statistics in splits]
    sources = _Sources()
    for number, statistics in enumerate(splits):
        for identifier, group in zip(statistics.ids, statistics.groups, strict=True):
            sources.join(f"id/{identifier}", f"{number}/{group}")
    return [tuple(sources.of(f"{number}/{group}") for group in split.groups) for number, split in enumerate(splits)]


def _agree(splits: Sequence[Statistics]) -> bool:
    """Is every example that several languages have in a group of the same name?"""
    known: dict[str, str] = {}
    return all(known.setdefault(identifier, group) == group for identifier, group in _examples(splits))


def _examples(splits: Sequence[Statistics]) -> Iterator[tuple[str, str]]:
    for statistics in splits:
        yield from zip(statistics.ids, statistics.groups, strict=True)


class _Sources:
    """Names that are joined, each with one that stands for all."""

    def __init__(self) -> None:
        self._above: dict[str, str] = {}

    def of(self, name: str) -> str:
        above = self._above.setdefault(name, name)
        while above != name:
            self._above[name] = self._above[above]
            name, above = above, self._above[above]
        return name

    def join(self, one: str, other: str) -> None:
        self._above[self.of(one)] = self.of(other)
