"""How the files of a data set are laid out, and how they are read."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from isthmus.data.readers.options import Options
from isthmus.data.readers.read import read_rows
from isthmus.data.readers.rows import Note, Reading, Rows
from isthmus.data.schema import GOLD, Kind
from isthmus.languages import language

#: What the splits are called in the names of files, where a layout says nothing else.
SPLITS: Mapping[str, str] = {"train": "train", "dev": "dev", "test": "test"}
_PLACE = re.compile(r"\{(\w+)\}")


class View(NamedTuple):
    """What is to be read: rows of a kind, for a split (``candidates`` and ``dev_candidates`` are splits, too)."""

    kind: Kind
    split: str
    code: str
    tag: str
    labelled: bool
    #: the same files of the other languages of the pool, by their codes
    pool: Mapping[str, tuple[Path, ...]] = {}

    def fill(self, text: str, split: str = "") -> str:
        """``text`` with the language in place of ``{code}``, ``{tag}``, ``{iso3}``, ``{name}`` or ``{lower}``."""
        if "{" not in text:
            return text
        fact = language(self.tag)
        names = {"code": self.code, "tag": self.tag, "iso3": fact.iso639_3, "name": fact.name, "split": split}
        names["lower"] = fact.name.lower()
        return _PLACE.sub(lambda match: names[match[1]], text)

    @property
    def candidates(self) -> bool:
        """Are candidates wanted, not queries?"""
        return self.split.endswith("candidates")

    @property
    def base(self) -> str:
        """The split whose files are read: that of the queries."""
        return {"candidates": "test", "dev_candidates": "dev"}.get(self.split, self.split)


#: Makes rows of files that no option describes.
Reader = Callable[[tuple[Path, ...], View], Rows]


@dataclass(frozen=True)
class Layout:
    """One way that the files of a data set are laid out.

    Attributes:
        path: of a file below a folder, with ``{split}`` and the language: as the data set calls it (``{code}``), by its
            BCP 47 tag (``{tag}``) or English name (``{lower}``). ``a+b`` are two files that belong together; ``?``
            behind one says that it may be missing. ``*`` stands for anything, here or in ``splits``: all files that fit
            are joined in the order of their names.
        how: options for a plain file, or what reads it.
        splits: what the splits are called here; those left out are not there.
        codes: only these languages are laid out so; all where empty.
        numbered: lines before the first row, where ids are to be row numbers: the file has ids of its own that other
            copies of the data set lack; None where it is as the reader has it.
    """

    path: str
    how: Options | Reader = field(default_factory=Options)
    splits: Mapping[str, str] = field(default_factory=lambda: SPLITS)
    codes: tuple[str, ...] = ()
    numbered: int | None = None

    @property
    def joins(self) -> bool:
        """Are all files that fit one of its names joined?"""
        return any("*" in name for name in (self.path, *self.splits.values()))

    def identity(self) -> tuple[object, ...]:
        """What it says, whose text is the same in every process: a reader is named."""
        how = self.how if isinstance(self.how, Options) else self.how.__name__
        return self.path, how, self.splits, self.codes, self.numbered

    def paths(self, view: View) -> tuple[str, ...]:
        """The files for ``view``; none where this layout has not got them."""
        if view.split not in self.splits or (self.codes and view.code not in self.codes):
            return ()
        return tuple(view.fill(self.path, self.splits[view.split]).split("+"))

    def read(self, paths: tuple[Path, ...], view: View) -> Rows:
        """The rows of the files. Raises DataError where they are unreadable or malformed, or labels are missing."""
        if not isinstance(self.how, Options):
            return self.how(paths, view)
        options = self.how
        only = {column: view.fill(value) for column, value in options.only.items()}
        prefix = view.fill(options.token_prefix)
        options = replace(options, only=only, token_prefix=prefix, labelled=view.labelled)
        if not view.labelled:
            options = replace(options, drop={})  # line n of a submission is about row n of the test set
            columns = {role: at for role, at in options.columns.items() if role not in GOLD[view.kind]}
            options, paths = replace(options, columns=columns), paths[:1] if "+" in self.path else paths
        if self.joins:
            rows = joined([read_rows(path, view.kind, options) for path in paths])
            numbers = [str(row) for row in range(1, len(rows.lines) + 1)]
            return rows if self.numbered is None else replace(rows, values={**rows.values, "id": numbers})
        rows = read_rows(paths[0] if len(paths) == 1 else (paths[0], paths[1]), view.kind, options)
        if self.numbered is None:
            return rows
        ids = [str(int(line) - self.numbered) for line in rows.lines]
        return replace(rows, values={**rows.values, "id": ids})


def joined(parts: list[Rows]) -> Rows:
    """The rows of several files, one after another. Ids that are the same in two of them become row numbers."""
    if len(parts) == 1:
        return parts[0]
    first = parts[0]
    roles = [role for role in first.values if all(role in part.values for part in parts)]
    values = {role: [value for part in parts for value in part.values[role]] for role in roles}
    if len(set(values["id"])) < len(values["id"]):
        values["id"] = [str(row) for row in range(1, len(values["id"]) + 1)]
    counts: dict[str, int] = {}
    for note in (note for part in parts for note in part.notes):
        counts[note.what] = counts.get(note.what, 0) + note.times
    notes = [Note(len(parts), "files joined"), *(Note(count, what) for what, count in counts.items())]
    reading = Reading(first.reading.form, first.reading.columns, len(values["id"]), tuple(notes))
    lines = [line for part in parts for line in part.lines]
    return Rows(first.path, first.kind, values, lines, reading)


def optional(names: tuple[str, ...]) -> Iterator[tuple[str, bool]]:
    """Each name without its ``?``, and whether it may be missing."""
    for name in names:
        yield name.removesuffix("?"), name.endswith("?")
