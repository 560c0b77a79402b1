"""How a file is to be read, where its name and its content alone do not say it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

from isthmus.errors import SpecError, nearest

Format = Literal["csv", "tsv", "jsonl", "json", "conll", "conllu", "text", "xwinograd"]
Quoting = Literal["auto", "csv", "none"]
#: What the answers of a choice are counted from: 0, 1, the letter A, or nothing: they repeat the choice itself.
LabelBase = Literal[0, 1, "A", "text"]
#: Where a column is: its name in the header, or its number, counted from 1, in a file without a header. A name with
#: dots is a path into the objects of a JSON file: ``answers.text``.
Columns = Mapping[str, str | int]
#: One file, or two that belong together: two texts that translate each other line by line (the foreign one first),
#: rows and their labels (one a line), or queries and the candidates they are looked for among.
Place = Path | tuple[Path, Path]

#: Stands among the columns on the command line and in studies, though it is none.
_BASE = "label_base"


@dataclass(frozen=True)
class Options:
    """How a file is read. What is left out is found out, or not done.

    Attributes:
        columns: role -> where it is. In a CoNLL file ``text`` and ``label`` may name comments (``# intent = ...``).
        form: the format; by the file's suffix, or its first lines, where None.
        quoting: how quotation marks are read in CSV and TSV (`isthmus.data.readers.delimited`).
        labels: spelling in the file -> label or tag; those it does not name stay as they are.
        only: column -> value: other rows are passed over, as those of other languages are.
        drop: role -> value: rows that have it are left out, and noted. Row numbers are counted before.
        token_prefix: taken off the tokens where every token of the file has it (``de:`` in PAN-X), and noted.
        label_base: what the answers of a choice are counted from; found out where the answers show it.
        lost_answers: what becomes of a question whose answer does not stand at its place in the context, and does not
            stand at exactly one other: an error that names it, or left out, and noted.
        short_lines: what becomes of a line of CSV or TSV with fewer columns than the first, as where a line feed stands
            in a cell: an error that names it, or left out, and noted.
        labelled: off, labels are neither needed nor read: for predictions of what others will score.
    """

    columns: Columns = field(default_factory=dict)
    form: Format | None = None
    quoting: Quoting = "auto"
    labels: Mapping[str, str] = field(default_factory=dict)
    only: Mapping[str | int, str] = field(default_factory=dict)
    drop: Mapping[str, str] = field(default_factory=dict)
    token_prefix: str = ""
    label_base: LabelBase | None = None
    lost_answers: Literal["refuse", "drop"] = "refuse"
    short_lines: Literal["refuse", "drop"] = "refuse"
    labelled: bool = True

    def settled(self) -> "Options":
        """These options, checked, with a ``label_base`` among the columns put in its place. Raises SpecError."""
        for name, value, known in (("format", self.form, Format), ("quoting", self.quoting, Quoting)):
            if value is not None and value not in get_args(known):
                raise SpecError(f"There is no {name} {value!r}: {nearest(str(value), get_args(known))}")
        if _BASE not in self.columns:
            return self
        base = self.columns[_BASE]
        given: Any = int(base) if str(base) in ("0", "1") else base
        if isinstance(base, bool) or given not in get_args(LabelBase):
            raise SpecError(f"label_base is {base!r}: give 0, 1, 'A' or 'text'.")
        return replace(self, columns={role: at for role, at in self.columns.items() if role != _BASE}, label_base=given)

    def identity(self) -> Mapping[str, Any]:
        """What the rows depend on, as JSON would have it: whatever is not at its default."""
        plain = Options()
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {
            name: {repr(key): item for key, item in value.items()} if isinstance(value, Mapping) else value
            for name, value in values.items()
            if value != getattr(plain, name)
        }
