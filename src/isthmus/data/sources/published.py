"""A data set as its authors publish it: in a folder, in one of the layouts its files are known in, or on the hub.

The same rows have the same ids and the same order wherever they come from, so that they have one fingerprint. What was
seen, mended or left out while reading is noted in the table's metadata, which is no part of the fingerprint.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from isthmus.data.provenance import Provenance, provenance, stamped
from isthmus.data.readers.options import Options
from isthmus.data.readers.rows import Rows, check_labels
from isthmus.data.schema import GOLD, Kind, to_table
from isthmus.data.sources.folder import digest, folder
from isthmus.data.sources.hub import Hub
from isthmus.data.sources.layout import Layout, View, optional
from isthmus.data.sources.sniff import check_answers, readable, withheld
from isthmus.errors import DataError, nearest
from isthmus.tasks.core import Split, Where

#: Changes when the same files give other rows.
VERSION = 2
_LEFT_OUT = ("rows left out", "questions left out")


class Place(NamedTuple):
    """The files of one split in one language, and the layout they are in."""

    layout: Layout
    files: tuple[Path, ...]


@dataclass(frozen=True)
class Dataset:
    """A source of rows (`isthmus.tasks.core.Published`).

    Attributes:
        name: of the task.
        kind: of its rows.
        codes: language, as a BCP 47 tag -> as the data set calls it.
        layouts: of its files, the official one of the benchmark first.
        hub: where it is on the hub; None where it is not.
        homepage: where its files are published.
        group: a role: rows that have the same value share a group.
        pool: languages that are searched together.
        labels: of the task, to hold against those of the hub; none where they follow from the training rows.
    """

    name: str
    kind: Kind
    codes: Mapping[str, str]
    layouts: tuple[Layout, ...]
    hub: Hub | None = None
    homepage: str = ""
    group: str = ""
    pool: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    where: Where = field(default_factory=Where)

    def at(self, where: Where) -> "Dataset":
        """The same, looking there."""
        return replace(self, where=where)

    def identity(self) -> Mapping[str, str]:
        """The content of the files there are, and the hub's name and revision for what they lack."""
        layouts = [layout.identity() for layout in self.layouts]
        read_by = (self.kind, self.codes, layouts, self.hub, self.group, self.pool)
        how = hashlib.sha256(repr(read_by).encode())
        found = {
            f"{split}/{tag}": [f"{path.name}:{digest(path)}" for path in place.files]
            for split in ("train", "dev", "test", "candidates", "dev_candidates")
            for tag in self.codes
            for place in self.places(split, tag)
        }
        told = {"version": str(VERSION), "reading": how.hexdigest()[:16]}
        if found:
            told["files"] = hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()
        if self.where.hub and self.hub:
            told["hub"] = f"{self.hub.id}@{self.hub.revision}{' first' if self.where.hub_first else ''}"
        if self.where.partial:
            told["partial"] = "yes"
        return told

    def languages(self) -> tuple[str, ...]:
        """The languages that have rows to measure on where it looks, with `Where.partial` on the dev split, if need be.

        Languages whose files turn out to be malformed are among them: that is an error, and no reason to leave one out.
        """
        return tuple(tag for tag in self.codes if self._on_hub("test", tag) or self._measurable(tag))

    def has(self, split: str, language: str) -> bool:
        """Is the split published in this language, as far as the layouts of its files and the hub tell?"""
        view = View(self.kind, split, self.codes[language], language, True)
        known = self.hub is not None and split in self.hub.splits and view.code not in self.hub.without
        return known or any(layout.paths(view) for layout in self.layouts)

    def offers(self, split: str, language: str) -> bool:
        """Can the split be had in a language: is it in a folder, or on the hub where that is asked?"""
        return language in self.codes and (self._on_hub(split, language) or self.there(split, language))

    def unlabelled(self, split: str, language: str) -> bool:
        """Are there files, none of which has labels?"""
        view = self._view(split, language)
        there = list(self.places(split, language))
        return bool(there) and all(withheld(*place, view) for place in there)

    def _measurable(self, language: str) -> bool:
        for place in self.places("test", language):
            view = self._view("test", language)
            if not self._chosen(place, view):
                continue
            if not self.where.labelled or not withheld(*place, view):
                return True
        return self.where.partial and self.where.labelled and any(True for _ in self.places("dev", language))

    def there(self, split: str, language: str) -> bool:
        """Are there files of a split in a language?"""
        view = self._view(split, language)
        return any(self._chosen(place, view) for place in self.places(split, language))

    def _chosen(self, place: Place, view: View) -> bool:
        """Has a file that several languages share rows of this one?"""
        shared = isinstance(place.layout.how, Options) and bool(place.layout.how.only)
        return not shared or readable(*place, view)

    def places(self, split: str, language: str, anew: bool = False) -> Iterator[Place]:
        """The files of a split in a language: in every folder, in every layout."""
        view = View(self.kind, split, self.codes[language], language, True)
        for root in self.where.folders:
            there = folder(root, anew)
            for layout in self.layouts:
                names = layout.paths(view)
                found = [(there.find(name), without) for name, without in optional(names)]
                if names and all(files or without for files, without in found):
                    yield Place(layout, tuple(file for files, _ in found for file in files))

    def load(self, split: Split, language: str) -> pa.Table:
        """The rows of a split in a language, from the first folder that has their files, else from the hub;
        or first from the hub.

        Raises:
            DataError: they are nowhere, their files are malformed, or their labels are withheld.
            MissingPackage: the hub is to be asked, and `datasets` is not installed.
        """
        if language not in self.codes:
            raise DataError(f"Task {self.name} has no rows in {language!r}: {nearest(language, self.codes)}")
        labelled = self.where.labelled or split in ("train", "dev", "dev_candidates")
        if self.where.hub_first and self._on_hub(split, language):
            return self._from_hub(split, language, labelled)
        problem: DataError | None = None
        seen: list[Place] = []
        for anew in (False, True):  # files may have come since the folder was last looked into
            for place in self.places(split, language, anew):
                if place in seen:
                    continue
                seen.append(place)
                view = self._view(split, language, labelled)
                try:
                    return self._table(place.layout.read(place.files, view), view)
                except DataError as error:
                    if not labelled or not readable(*place, view):
                        raise
                    problem = problem or error
        if self._on_hub(split, language):
            return self._from_hub(split, language, labelled)
        return self._instead(split, language, problem)

    def _instead(self, split: Split, language: str, problem: DataError | None) -> pa.Table:
        """The dev split in place of a test split that is not there or whose labels are withheld, if that will do."""
        if split == "test" and self.where.partial and any(True for _ in self.places("dev", language)):
            table = self.load("dev", language)
            told = provenance(table)
            what = "the test split is not there" if problem is None else "the labels of the test split are withheld"
            return stamped(table, told._replace(split="dev", notes=(f"{what}: this is the dev split", *told.notes)))
        if problem is None:
            raise self._missing(split, language)
        hub = (
            f"on the hub ({self.hub.id}): add `hub`"
            if self.hub
            else f"at {self.homepage}: add the folder that has them"
        )
        dev = ", take the dev split instead (partial: true)" if split == "test" else ""
        text = str(problem).split(": they seem to be withheld")[0].rstrip(".")
        raise DataError(
            f"{text}: the labels of task {self.name}, {split} split, language {language}, are not there. They are "
            f"{hub} to the places of data{dev}, or make predictions without "
            "labels (isthmus submission)."
        ) from problem

    def _missing(self, split: str, language: str) -> DataError:
        """The error that no file and no hub has a split."""
        where = f"Task {self.name}, {split} split, language {language}"
        view = self._view(split, language)
        names = [" and ".join(n.rstrip("?") for n in found) for layout in self.layouts if (found := layout.paths(view))]
        on_hub = self.hub and split in self.hub.splits and self.codes[language] not in self.hub.without
        hub = f"add `hub` to the places of data to take it from {self.hub.id}" if on_hub and self.hub else ""
        get = hub or (f"its files are at {self.homepage}" if self.homepage else "name the folder that has it")
        if not names and not on_hub:
            return DataError(f"{where}: it has no such split.")
        folders = ", ".join(map(str, self.where.folders))
        if not folders:
            return DataError(f"{where}: no folder of data is named, and it is not on the hub; {get}.")
        return DataError(f"{where}: there is no {' or '.join(names) or 'file'} in {folders}; {get}.")

    def _on_hub(self, split: str, language: str) -> bool:
        hub = self.hub
        return self.where.hub and hub is not None and split in hub.splits and self.codes[language] not in hub.without

    def _from_hub(self, split: Split, language: str, labelled: bool) -> pa.Table:
        assert self.hub is not None
        view = self._view(split, language, labelled)
        try:
            rows, commit = self.hub.read(view, self.labels)
            if view.labelled and self.labels:
                check_labels(rows, self.labels)
        except DataError as error:
            raise DataError(f"Task {self.name}, {split} split, language {language}: {error}") from error
        fixed = len(self.hub.revision) == 40
        return self._table(rows, view, () if fixed or not commit else (f"commit {commit} of {self.hub.id}",))

    def _view(self, split: str, language: str, labelled: bool = True) -> View:
        view = View(self.kind, split, self.codes[language], language, labelled)
        if self.pool and split == "test" and labelled:
            others = {self.codes[tag]: tag for tag in self.pool}
            found = {code: next(self.places("test", tag), None) for code, tag in others.items()}
            view = view._replace(pool={code: place.files for code, place in found.items() if place})
        return view

    def _table(self, rows: Rows, view: View, notes: tuple[str, ...] = ()) -> pa.Table:
        values = dict(rows.values)
        if not view.labelled:
            for role in GOLD[self.kind]:
                values.pop(role, None)
        if view.labelled:
            check_answers(rows)
        if self.group and self.group in values and not view.candidates:
            numbers = {value: number for number, value in enumerate(dict.fromkeys(values[self.group]), 1)}
            values["group"] = [f"{self.group} {numbers[value]}" for value in values[self.group]]
        table = to_table(self.kind, values, str(rows.path), view.split, view.labelled)
        read = len(table) + sum(note.times for note in rows.notes if note.what.startswith(_LEFT_OUT))
        return stamped(table, Provenance(read, view.split, (*map(str, rows.notes), *notes)))
