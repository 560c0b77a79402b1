"""Labels carried over to real translations by aligning words, beside what people say.

    python benchmarks/projection.py --data ../shared/data [--layers 4,6,8,10,12] [--choose de]

Questions: XQuAD, the same paragraphs translated by people. The answers of the English questions are looked for in the
other languages' paragraphs and compared with the answers there. Sentences are aligned first, in order, by the
similarity of their vectors and their lengths. Layers are compared in one language, which chooses; the others are
measured with that layer alone.

Tags: the parallel treebanks of Universal Dependencies (PUD). The part of speech of each English word is carried over to
the words of the translation, and compared with the treebank's.

Beside it, what knows no words: the same place in relation to the length of the text (of the sentence, for tags); and,
for answers, the words that are mutually nearest, from the first to the last (SimAlign's `argmax`).

No translator is run: no pretrained one comes with a package registry. So this measures the fallback, alignment, and the
quality that rows are dropped by; markers depend on the translator.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from isthmus.data.readers.conll import read_conll
from isthmus.evaluate.metrics.answers import MLQA_LANGUAGES, mlqa_statistics, squad_statistics
from isthmus.model import embedded
from isthmus.model.folder import load_model, load_tokenizer
from isthmus.translate.align import Aligner, Sentence, similarities
from isthmus.translate.project import Job, Languages, Place, by_alignment, sentence
from isthmus.translate.sentences import Passage, Segment, Stretch, sentences
from isthmus.translate.tags import carried
from isthmus.translate.words import join_tokens, words_of

ANSWERS = ("de", "es", "tr", "zh")
TAGS = ("de", "es", "fr", "ru", "tr", "ar", "zh")
MIN_QUALITY = 0.5
#: How many sentences of either side go together, and what that costs.
BEADS = {(1, 1): 0.0, (1, 2): 0.1, (2, 1): 0.1, (2, 2): 0.2, (1, 3): 0.2, (3, 1): 0.2, (1, 0): 0.3, (0, 1): 0.3}


class Remembering(Aligner):
    """Reads a sentence once, however often it is asked for."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.known: dict[Sentence, Any] = {}

    def vectors(self, sentences: Iterable[Sentence]) -> Mapping[Sentence, Any]:
        wanted = list(sentences)
        self.known |= super().vectors(one for one in wanted if one not in self.known)
        return self.known


class Question(NamedTuple):
    english: str
    span: Stretch
    foreign: str
    gold: str


def questions(folder: Path, language: str) -> list[Question]:
    """The English questions of XQuAD with the paragraphs and answers of another language."""

    def read(code: str) -> dict[str, tuple[str, Any]]:
        articles = json.loads((folder / f"xquad.{code}.json").read_text(encoding="utf-8"))["data"]
        paragraphs = (paragraph for article in articles for paragraph in article["paragraphs"])
        return {item["id"]: (one["context"], item["answers"][0]) for one in paragraphs for item in one["qas"]}

    foreign = read(language)
    found = []
    for name, (context, answer) in read("en").items():
        start = answer["answer_start"]
        span = Stretch(start, start + len(answer["text"]))
        found.append(Question(context, span, foreign[name][0], foreign[name][1]["text"]))
    return found


def passages(aligner: Aligner, pairs: Sequence[tuple[str, str]], language: str) -> list[Passage]:
    """Paragraphs that translate each other, sentence by sentence."""
    cut = [(sentences(english), sentences(foreign)) for english, foreign in pairs]
    views = [
        (
            [sentence(stretch.of(english), "en") for stretch in one],
            [sentence(stretch.of(foreign), language) for stretch in other],
        )
        for (english, foreign), (one, other) in zip(pairs, cut, strict=True)
    ]
    vectors = aligner.vectors(view for sides in views for side in sides for view in side)
    found = []
    for (english, foreign), (one, other), (left, right) in zip(pairs, cut, views, strict=True):
        means = [np.stack([vectors[view].mean(0) for view in side]) for side in (left, right)]
        alike = similarities(*means) if min(map(len, means)) > 1 else np.ones((len(one), len(other)))
        segments = []
        for (a, b), (c, d) in beads(alike, [len(s.text) for s in left], [len(s.text) for s in right]):
            if b > a:  # sentences without a counterpart get the nearest one
                first, last = min(c, len(other) - 1), min(max(d, c + 1), len(other)) - 1
                source, target = Stretch(one[a].start, one[b - 1].end), Stretch(other[first].start, other[last].end)
                segments.append(Segment(source, target))
        found.append(Passage(english, foreign, tuple(segments)))
    return found


def beads(alike: Any, left: list[int], right: list[int]) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Which sentences [a, b) translate which [c, d): the best way through both texts in order (Gale and Church)."""
    rows, columns = alike.shape
    usual = np.log(sum(left) / sum(right))
    best = {(0, 0): 0.0}
    came: dict[tuple[int, int], tuple[int, int]] = {}
    for at in np.ndindex(rows + 1, columns + 1):
        for (down, across), cost in BEADS.items():
            there = (at[0] + down, at[1] + across)
            if at not in best or there[0] > rows or there[1] > columns:
                continue
            gain = -cost
            if down and across:
                part = alike[at[0] : there[0], at[1] : there[1]]
                longer = np.log(sum(left[at[0] : there[0]]) / sum(right[at[1] : there[1]])) - usual
                gain += float(part.mean()) * max(down, across) - 0.5 * abs(float(longer))
            if best[at] + gain > best.get(there, -np.inf):
                best[there], came[there] = best[at] + gain, at
    path, at = [], (rows, columns)
    while at != (0, 0):
        before = came[at]
        path.append(((before[0], at[0]), (before[1], at[1])))
        at = before
    return path[::-1]


def by_place(question: Question, language: str) -> str:
    """The words at the same place in relation to the length of the paragraph."""
    scale = len(question.foreign) / len(question.english)
    begin, end = question.span.start * scale, question.span.end * scale
    inside = [word for word in words_of(question.foreign, language) if begin < (word.start + word.end) / 2 < end]
    return question.foreign[inside[0].start : inside[-1].end] if inside else ""


def by_argmax(aligner: Aligner, jobs: Sequence[Job], language: str) -> list[str]:
    """The words that are mutually nearest to those of the span, from the first to the last."""
    found = []
    for job in jobs:
        span = job.spans[0]
        touched = [one for one in job.passage.segments if one.source.start < span.end and span.start < one.source.end]
        origin = Stretch(touched[0].source.start, touched[-1].source.end)
        source = sentence(origin.of(job.passage.source), "en")
        target = sentence(job.passage.target[touched[0].target.start : touched[-1].target.end], language)
        inside = [
            n for n, (a, b) in enumerate(source.words) if a + origin.start < span.end and span.start < b + origin.start
        ]
        vectors = aligner.vectors([source, target])
        alike = similarities(vectors[source], vectors[target])
        there, back = alike.argmax(1), alike.argmax(0)
        mutual = [int(there[n]) for n in inside if back[there[n]] == n]
        found.append(target.text[target.words[min(mutual)][0] : target.words[max(mutual)][1]] if mutual else "")
    return found


def shown(golds: Sequence[str], answers: Sequence[str], language: str) -> str:
    """Exact match and F1, by the rules of SQuAD and of MLQA."""
    listed = [[gold] for gold in golds]
    squad = 100 * squad_statistics(listed, answers).mean(0)
    text = f"EM {squad[0]:5.1f} F1 {squad[1]:5.1f}"
    if language in MLQA_LANGUAGES:
        mlqa = 100 * mlqa_statistics(listed, answers, language).mean(0)
        return f"{text} | MLQA: EM {mlqa[0]:5.1f} F1 {mlqa[1]:5.1f}"
    return f"{text} | {'':23}"


def measure_answers(aligner: Aligner, folder: Path, language: str, baselines: bool) -> None:
    begun = time.process_time()
    asked = questions(folder, language)
    distinct = list(dict.fromkeys((one.english, one.foreign) for one in asked))
    known = dict(zip(distinct, passages(aligner, distinct, language), strict=True))
    jobs = [Job(known[one.english, one.foreign], (one.span,)) for one in asked]
    golds = [one.gold for one in asked]
    if baselines:
        print(f"  {language} same place     {shown(golds, [by_place(one, language) for one in asked], language)}")
        print(f"  {language} argmax         {shown(golds, by_argmax(aligner, jobs, language), language)}")
    by_alignment(jobs, aligner, Languages("en", language))
    places: list[Place | None] = [job.places.get(job.spans[0]) for job in jobs]
    answers = [place.span.of(one.foreign) if place else "" for place, one in zip(places, asked, strict=True)]
    took = time.process_time() - begun
    print(f"  {language} layer {aligner.layer:2}       {shown(golds, answers, language)} ({took:.0f} s of CPU)")
    good = [n for n, place in enumerate(places) if place and place.quality >= MIN_QUALITY]
    kept = shown([golds[n] for n in good], [answers[n] for n in good], language)
    print(
        f"  {language} quality >= {MIN_QUALITY} {kept}, {100 * len(good) / len(asked):.1f}% of the questions",
        flush=True,
    )


def measure_tags(aligner: Aligner, folder: Path, language: str) -> None:
    english, foreign = (read_conll(folder / f"{code}_pud-ud-test.conllu", universal=True) for code in ("en", language))
    numbers = {name[-7:]: n for n, name in enumerate(english.ids)}
    pairs, rows = [], []
    for there, name in enumerate(foreign.ids):
        here = numbers[name[-7:]]
        sides = [
            join_tokens(tokens, code)
            for tokens, code in ((english.tokens[here], "en"), (foreign.tokens[there], language))
        ]
        pairs.append(tuple(Sentence(one.text, tuple((a, b) for a, b in one.places)) for one in sides))
        rows.append((english.tags[here], foreign.tags[there]))
    right, placed, total, kept, kept_right, kept_total = 0, 0, 0, 0, 0, 0
    for (given, gold), found in zip(rows, aligner.align(pairs), strict=True):
        tags, quality = carried(given, found)
        hits = sum(tag == wanted for tag, wanted in zip(tags, gold, strict=True))
        right, total = right + hits, total + len(gold)
        placed += sum(given[n * len(given) // len(gold)] == wanted for n, wanted in enumerate(gold))
        if quality >= MIN_QUALITY:
            kept, kept_right, kept_total = kept + 1, kept_right + hits, kept_total + len(gold)
    print(
        f"  {language} same place {100 * placed / total:5.1f}, layer {aligner.layer} {100 * right / total:5.1f}; "
        f"quality >= {MIN_QUALITY}: {100 * kept_right / max(1, kept_total):5.1f} "
        f"in {100 * kept / len(rows):.1f}% of the sentences",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with qa/xquad and pos/ud_pud")
    parser.add_argument("--model", type=Path, help="folder of an encoder; the embedded model if not given")
    parser.add_argument("--layers", default="4,6,8,10,12", help="to compare in the language that chooses")
    parser.add_argument("--choose", default="de", help="the language that layers are compared in")
    parser.add_argument("--languages", default=",".join(ANSWERS))
    parser.add_argument("--tags", default=",".join(TAGS), help="languages of the treebanks; empty for none")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as name:
        if options.model is None:
            embedded.convert(Path(name))
        folder = options.model or Path(name)
        model: Any = load_model(folder, "AutoModel", [], fresh_head=False).eval()
        tokenizer = load_tokenizer(folder)
        default = Remembering(model, tokenizer, 1024)
        print(f"XQuAD answers: layers, in {options.choose}")
        for layer in (int(one) for one in options.layers.split(",") if one):
            measure_answers(
                Remembering(model, tokenizer, 1024, layer), options.data / "qa/xquad", options.choose, False
            )
        print(f"XQuAD answers: layer {default.layer}, the default")
        for language in filter(None, options.languages.split(",")):
            measure_answers(default, options.data / "qa/xquad", language, True)
        print("UD PUD: accuracy of the part of speech")
        for language in filter(None, options.tags.split(",")):
            measure_tags(default, options.data / "pos/ud_pud", language)


if __name__ == "__main__":
    main()
