"""Files that no option describes: texts that translate each other, treebanks joined, and sets to search in."""

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from isthmus.data.readers.build import rows_of
from isthmus.data.readers.ccgbank import read_ccgbank
from isthmus.data.readers.cells import Cells
from isthmus.data.readers.conll import read_conll
from isthmus.data.readers.jsonl import read_json
from isthmus.data.readers.options import Options
from isthmus.data.readers.parallel import read_parallel
from isthmus.data.readers.rows import Note, Rows
from isthmus.data.readers.squad import paragraphs
from isthmus.data.readers.text import at, read_text, split_lines
from isthmus.data.schema import GOLD
from isthmus.data.sources.layout import View, joined
from isthmus.errors import DataError


def _made(path: Path, view: View, values: Mapping[str, list[Any]], form: str, *notes: Note) -> Rows:
    """Rows from columns; without those that hold labels, where none are wanted."""
    kept = {role: column for role, column in values.items() if view.labelled or role not in GOLD[view.kind]}
    lines = range(1, len(next(iter(kept.values()))) + 1)
    cells = Cells(path, view.kind, kept, lines, form, {role: role for role in kept}).with_values(kept, *notes)
    return rows_of(cells, Options(labelled=view.labelled), view.candidates)


def aligned(paths: tuple[Path, ...], view: View) -> Rows:
    """Two texts that translate each other line by line, the foreign one first; a third file may name documents.

    The official download of Tatoeba sorts the English sentences, which loses what translates what.
    """
    pair = read_parallel(paths[0], paths[1])
    if view.labelled and pair.target == sorted(pair.target):
        raise DataError(f"{paths[1]}: its sentences are sorted, so nothing says which of them translates which line.")
    values: dict[str, list[Any]] = {"source": pair.source, "target": pair.target}
    if len(paths) > 2:
        values["group"] = split_lines(read_text(paths[2]))
        if len(values["group"]) != len(pair.source):
            raise DataError(f"{paths[2]} has {len(values['group'])} lines but {paths[0]} has {len(pair.source)}.")
    return _made(paths[0], view, values, "texts, line by line")


def treebanks(paths: tuple[Path, ...], view: View) -> Rows:
    """The treebanks of a language, joined as XTREME does: blanks inside words removed, sentences whose words a treebank
    may not publish (all ``_``) left out."""
    return joined([_treebank(path, view) for path in paths])


def _treebank(path: Path, view: View) -> Rows:
    found = read_conll(path, universal=True)
    blank = [_withheld(words) for words in found.tokens]
    tokens = [
        [word.replace(" ", "").replace("\u200c", "") or word for word in words]
        for words, without in zip(found.tokens, blank, strict=True)
        if not without
    ]
    tags = [tags for tags, without in zip(found.tags, blank, strict=True) if not without]
    if not tokens:
        raise DataError(f"{path}: its words are withheld.")
    note = Note(sum(blank), "rows left out whose words the treebank withholds")
    return _made(path, view, {"tokens": tokens, "tags": tags}, "CoNLL-U", note)


def supertags(paths: tuple[Path, ...], view: View) -> Rows:
    """Files of CCGbank, joined: words and the categories that they have in a derivation."""
    return joined([_categories(path, view) for path in paths])


def _categories(path: Path, view: View) -> Rows:
    found = read_ccgbank(path)
    values: dict[str, list[Any]] = {"tokens": found.tokens, "tags": found.tags}
    return _made(path, view, {"id": found.ids, **values} if found.ids else values, "CCGbank")


def _withheld(words: Sequence[str]) -> bool:
    blank = sum(word == "_" for word in words)
    return blank > 0 and blank >= len(words) - 1


def mining(paths: tuple[Path, ...], view: View) -> Rows:
    """BUCC: a foreign text, an English one, ``id<TAB>sentence`` each, and a file of pairs of ids where there is one."""
    foreign, english, *gold = paths
    if view.candidates:
        ids, texts = _numbered(english)
        return _made(english, view, {"id": ids, "text": texts}, "sentences with ids")
    ids, texts = _numbered(foreign)
    if view.labelled and not gold:
        raise DataError(f"{foreign}: the file of its translation pairs (.gold) is missing.")
    targets: dict[str, list[str]] = {one: [] for one in ids}
    for number, line in enumerate(split_lines(read_text(gold[0])) if gold else (), 1):
        source, _, target = line.partition("\t")
        if source not in targets or not target:
            raise at(gold[0], number, "a pair must be the id of a foreign sentence, a tab, and that of an English one.")
        targets[source].append(target)
    return _made(foreign, view, {"id": ids, "text": texts, "targets": list(targets.values())}, "sentences with ids")


def _numbered(path: Path) -> tuple[list[str], list[str]]:
    """The ids and the sentences of a text."""
    ids, texts = [], []
    for number, line in enumerate(split_lines(read_text(path)), 1):
        one, tab, text = line.partition("\t")
        if not tab or not text.strip():
            raise at(path, number, "each line must be an id, a tab, and a sentence.")
        ids.append(one)
        texts.append(text)
    return ids, texts


class _Answered(NamedTuple):
    """A question of XQuAD-R, and the sentences that hold its answer."""

    id: str
    text: str
    sentence: str
    context: str
    targets: tuple[str, ...]


class _Sentence(NamedTuple):
    """A sentence to find: ``de_12_3`` is the fourth of the twelfth paragraph in German."""

    id: str
    group: str
    text: str
    context: str


def answers(paths: tuple[Path, ...], view: View) -> Rows:
    """LAReQA (arXiv 2004.05484): questions, and the sentences of all paragraphs to find their answers among.

    Right are all sentences, in every language of the pool, that read like the one in which the answer begins. A
    question has the same id in every language.
    """
    path = paths[0]
    questions, sentences = _xquad_r(path, path.stat().st_mtime_ns, view.code)
    if view.candidates:
        columns = zip(*sentences, strict=True)
        return _made(path, view, dict(zip(_Sentence._fields, map(list, columns), strict=True)), "SQuAD with sentences")
    right: dict[str, list[str]] = {}
    for code, places in view.pool.items():
        for question in _xquad_r(places[0], places[0].stat().st_mtime_ns, code)[0]:
            right.setdefault(question.id, []).extend(question.targets)
    values: dict[str, list[Any]] = {
        "id": [question.id for question in questions],
        "group": [question.targets[0].split("_", 1)[1].rpartition("_")[0] for question in questions],
        "text": [question.text for question in questions],
        "target": [question.sentence for question in questions],
        "target_context": [question.context for question in questions],
        "targets": [right.get(question.id) or list(question.targets) for question in questions],
    }
    return _made(path, view, values, "SQuAD with sentences")


@lru_cache(maxsize=32)
def _xquad_r(path: Path, _written: int, code: str) -> tuple[list[_Answered], list[_Sentence]]:
    """The questions and the sentences of a file; ``_written`` is when it was."""
    try:
        document = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: this is not JSON: {error}.") from None
    questions: list[_Answered] = []
    sentences: list[_Sentence] = []
    articles = document.get("data") if isinstance(document, dict) else None
    for number, paragraph in enumerate(paragraphs(path, articles or []), 1):
        context = paragraph.values["context"]
        try:
            breaks = [(int(start), int(end)) for start, end in paragraph.values["sentence_breaks"]]
            asked = [(q["id"], q["question"], int(q["answers"][0]["answer_start"])) for q in paragraph.values["qas"]]
        except (KeyError, TypeError, ValueError, IndexError):
            raise at(
                path, paragraph.spot, "a paragraph of XQuAD-R needs 'sentence_breaks' and answered 'qas'."
            ) from None
        texts = [context[start:end] for start, end in breaks]
        before = len(questions)
        for name, question, place in asked:
            found = next((text for text, (start, end) in zip(texts, breaks, strict=True) if start <= place < end), None)
            if found:
                right = tuple(f"{code}_{number}_{i}" for i, text in enumerate(texts) if text == found)
                questions.append(_Answered(name, question, found, context, right))
        if len(questions) > before:
            group = f"{code}_{number}"
            sentences += [_Sentence(f"{group}_{i}", group, text, context) for i, text in enumerate(texts)]
    if not questions:
        raise DataError(f"{path}: there is not one question with a sentence that holds its answer.")
    return questions, sentences


def entities(paths: tuple[Path, ...], view: View) -> Rows:
    """Mewsli-X: mentions in news, marked in their sentence, and descriptions of entities to find them among.

    A mention reads ``Smith: The verdict came back for { Smith }, who ...``, as the official baseline has it.
    """
    rows = read_json(paths[0]).rows
    try:
        if view.candidates:
            values = {
                "id": [row["entity_id"] for row in rows],
                "text": [_description(row) or row["title"] for row in rows],
            }
            return _made(paths[0], view, values, "JSON Lines")
        if view.base == "train":
            told = [(row["contextual_mention"]["context"], row["contextual_mention"]["mention"]) for row in rows]
            texts = [_description(row["entity"]) for row in rows]
        else:
            told = [(row["context"], one) for row in rows for one in row["mentions"]]
            told = [(context, one) for context, one in told if context.get("language", view.code) == view.code]
            texts = [""] * len(told)
        values = {
            "id": [one["example_id"] for _, one in told],
            "group": [context.get("document_id", one["example_id"]) for context, one in told],
            "text": [_mention(context, one["mention_span"]) for context, one in told],
            "target": texts,
            "target_context": [""] * len(told),
            "targets": [[one["entity_id"]] for _, one in told],
        }
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{paths[0]}: this is not as Mewsli-X has it: {error!r} is missing or malformed.") from None
    if view.labelled and not any(target for (target,) in values["targets"]):
        raise DataError(f"{paths[0]}: the entities are withheld.")
    return _made(paths[0], view, values, "JSON Lines")


def _description(entity: Mapping[str, Any]) -> str:
    text = entity["description"]
    return _flat(" ".join(text[span["start"] : span["end"]] for span in entity["sentence_spans"]))


def _mention(context: Mapping[str, Any], span: Mapping[str, Any]) -> str:
    """The mention, and the sentence around it with the mention in braces; the whole text where no sentence fits."""
    start, end, text = span["start"], span["end"], context["text"]
    inside = (s for s in context.get("sentence_spans", ()) if s["start"] <= start and end <= s["end"])
    sentence = next(inside, {"start": 0, "end": len(text)})
    marked = f"{text[sentence['start'] : start]} {{ {text[start:end]} }} {text[end : sentence['end']]}"
    return _flat(f"{text[start:end]}: {marked}")


def _flat(text: str) -> str:
    return " ".join(text.splitlines()).replace("  ", " ").strip()
