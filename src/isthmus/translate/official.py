"""The translations of training sets that XTREME released (README.md of google-research/xtreme, "Translations").

Four sets have them: XNLI, PAWS-X, SQuAD v1.1 (for XQuAD and MLQA) and TyDiQA-GoldP. Tagging has none.

==================================================================  ==============================================
file below the folder                                               what it holds
==================================================================  ==============================================
``XNLI/translate-train/en-de-translated.tsv``                       English premise and hypothesis, the two
                                                                    translated, label; no header, nothing quoted
``PAWSX/translate-train/en-de-translated.tsv``                      the same; some lines are short or have no label
``SQuAD/translate-train/squad.translate.train.en-de.json``          SQuAD's layout
``TyDiQA-GoldP/translate-train/tydiqa.translate.train.en-de.json``  SQuAD's layout
==================================================================  ==============================================

Files that lie in the folder itself, or where XTREME's own scripts look (``XNLI-Translated/``, ``translated/``), are
found, too; these scripts read an older form with three columns, the translations and the label.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from isthmus.data.provenance import Provenance, stamped
from isthmus.data.readers.options import Options
from isthmus.data.readers.read import read_rows
from isthmus.data.readers.text import read_text, split_lines
from isthmus.data.schema import Kind, to_table
from isthmus.disk import sha256
from isthmus.errors import DataError, SpecError, nearest
from isthmus.languages import language
from isthmus.tasks.core import Split

#: Changes when the same file gives other rows.
VERSION = 1


class _Set(NamedTuple):
    """Where the translations of a data set are: folders, the likeliest first, and the name of the file."""

    folders: tuple[str, ...]
    name: str
    labels: Mapping[str, str]


_NLI = {
    "entailment": "entailment", "neutral": "neutral", "contradiction": "contradiction", "contradictory": "contradiction"
}  # fmt: skip
_XNLI = _Set(("XNLI/translate-train", "XNLI-Translated"), "en-{code}-translated.tsv", _NLI)
_PAWSX = _Set(("PAWSX/translate-train", "translated"), "en-{code}-translated.tsv", {"0": "0", "1": "1"})
_SQUAD = _Set(("SQuAD/translate-train", "squad/translate-train"), "squad.translate.train.en-{code}.json", {})
_TYDIQA = _Set(("TyDiQA-GoldP/translate-train", "tydiqa/translate-train"), "tydiqa.translate.train.en-{code}.json", {})
#: The tasks whose training rows are translated there: those of the same training set share them.
SETS: Mapping[str, _Set] = {
    "xnli": _XNLI, "mnli": _XNLI, "pawsx": _PAWSX,
    "squad": _SQUAD, "xquad": _SQUAD, "mlqa": _SQUAD, "tydiqa": _TYDIQA, "tydiqa-en": _TYDIQA,
}  # fmt: skip


@dataclass(frozen=True)
class OfficialTranslation:
    """A source of rows (`isthmus.tasks.core.Source`): those that ``task`` is trained on, in one language."""

    folder: Path
    task: str
    kind: Kind
    language: str

    def identity(self) -> Mapping[str, str]:
        """The content of the file. Raises as `official_translation` does."""
        path = _find(self.folder, self.task, self.language)
        return {"xtreme": str(VERSION), "language": self.language, "file": f"{path.name}:{sha256(path)}"}

    def load(self, split: Split, language: str) -> pa.Table:
        """The rows of the training split. Raises as `official_translation` does."""
        if split != "train" or language != self.language:
            raise DataError(f"XTREME's translation of {self.task} has training rows in {self.language} alone.")
        return official_translation(self.folder, self.task, self.kind, self.language)


def official_translation(folder: Path, task: str, kind: Kind, code: str) -> pa.Table:
    """The training rows of ``task`` in the language ``code`` (BCP 47), as XTREME released them, in the kind's schema.

    Lines without a label, or with too few columns, and questions whose answer does not stand in the translated context
    are left out; how many is noted.

    Raises:
        SpecError: XTREME released no translations of the task.
        DataError: they are not in the folder, or malformed.
    """
    if task not in SETS:
        raise SpecError(f"XTREME has no translations of the training rows of {task}: {nearest(task, SETS)}")
    path = _find(folder, task, code)
    if kind is Kind.SPAN:
        rows = read_rows(path, kind, Options(form="json", lost_answers="drop"))
        table = to_table(kind, rows.values, str(path))
        read = len(table) + sum(note.times for note in rows.reading.notes if note.what.startswith("questions left out"))
        return stamped(table, Provenance(read, "", tuple(map(str, rows.reading.notes))))
    return _pairs(path, SETS[task].labels)


def _find(folder: Path, task: str, code: str) -> Path:
    """The file of the translations."""
    fact = language(code)
    where = SETS[task]
    names = [where.name.format(code=one) for one in dict.fromkeys((code, fact.tag, fact.tag.split("-")[0]))]
    places = [folder / inner / name for name in names for inner in (*where.folders, ".")]
    for path in places:
        if path.is_file():
            return path
    raise DataError(
        f"{folder} has no {where.folders[0]}/{names[0]}, XTREME's translation of {task} into {fact.name}: get it from "
        "the address in XTREME's README (Translations)."
    )


def _pairs(path: Path, labels: Mapping[str, str]) -> pa.Table:
    """The rows of a table of five columns (English, translated, label), or of three (translated, label)."""
    lines = [line.split("\t") for line in split_lines(read_text(path)) if line]
    width = max(map(len, lines), default=0)
    if width not in (3, 5):
        raise DataError(f"{path}: there are {width} columns, not 5 (two English, two translated, label) or 3.")
    good = [(number, line) for number, line in enumerate(lines, 1) if _is_whole(line, width, labels)]
    if not good:
        known = ", ".join(dict.fromkeys(labels.values()))
        raise DataError(f"{path}: not one line has {width} columns and a label out of {known}.")
    columns = {
        "id": [str(number) for number, _ in good],
        "group": [line[0] for _, line in good],
        "text": [line[-3] for _, line in good],
        "text_pair": [line[-2] for _, line in good],
        "label": [labels[line[-1].strip()] for _, line in good],
    }
    left = len(lines) - len(good)
    notes = (f"lines left out, short or without a label or a text: {left:,}",) if left else ()
    return stamped(to_table(Kind.PAIR, columns, str(path)), Provenance(len(lines), "", notes))


def _is_whole(line: Sequence[str], width: int, labels: Mapping[str, str]) -> bool:
    return len(line) == width and line[-1].strip() in labels and bool(line[-2].strip() and line[-3].strip())
