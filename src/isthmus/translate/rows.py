"""Rows of a kind in another language: which of their texts are translated, and what becomes of their labels.

Labels of whole texts are copied. Answers and entities are stretches of a text, which have to be found in its
translation (`isthmus.translate.project`); tags on every word are carried over word by word. A row whose label did not
survive well enough is dropped, for one of a few reasons.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

from isthmus.data.schema import PROJECTED, TRANSLATED, Kind
from isthmus.errors import SpecError
from isthmus.translate.align import Aligner, Sentence
from isthmus.translate.project import Job, Languages, by_alignment, by_markers, marked_sentence, sentence
from isthmus.translate.sentences import Passage, Stretch
from isthmus.translate.tags import are_entities, carried, entities, scheme_of, tagged
from isthmus.translate.wording import passage
from isthmus.translate.words import join_tokens, words_of

#: The columns of texts, for the kinds whose labels are copied.
_TEXTS: Mapping[Kind, tuple[str, ...]] = {
    Kind.SEQUENCE: ("text",),
    Kind.PAIR: ("text", "text_pair"),
    Kind.CHOICE: ("text", "question"),
}
#: Names of relations in the place of a question (COPA): XCOPA leaves them in English, too.
_RELATIONS = frozenset({"cause", "effect"})

Row = Mapping[str, Any]


class Made(NamedTuple):
    """A row in the other language and how its label came there (``copied``, ``markers``, ``alignment``); or why not."""

    row: Row | None
    how: str


class Source(NamedTuple):
    """What of a row is translated: its texts, and the stretches of the last one that are to be found again."""

    texts: tuple[str, ...]
    spans: tuple[Stretch, ...] = ()


@dataclass(frozen=True)
class Rules:
    """How rows are translated.

    Attributes:
        kind: of the rows.
        languages: from which into which.
        projection: how stretches are found again.
        min_quality: of the worst stretch of a row that is kept.
        per_word: is there a tag on every word? Then all are aligned.
        scheme: of tags that name entities.
        labels: the tags that the source rows have; others would be none of the task's.
    """

    kind: Kind
    languages: Languages
    projection: Literal["auto", "markers", "alignment"] = "auto"
    min_quality: float = 0.5
    per_word: bool = False
    scheme: str = "BIO"
    labels: frozenset[str] = frozenset()

    def of(self, tags: Sequence[Sequence[str]]) -> "Rules":
        """The same for these tags.

        Raises:
            SpecError: markers are asked for where there is a tag on every word.
        """
        if are_entities(tags):
            there = frozenset(tag for sentence in tags for tag in sentence)
            return replace(self, scheme=scheme_of(tags), labels=there | {"O"})
        if self.projection == "markers":
            raise SpecError(
                "projection is markers, but there is a tag on every word, and one cannot mark them all: "
                "take auto or alignment."
            )
        return replace(self, per_word=True)

    @property
    def aligns(self) -> bool:
        """May an encoder be needed?"""
        return self.kind in PROJECTED and self.projection != "markers"


def check_kind(kind: Kind) -> None:
    """Refuse kinds whose rows mean nothing in another language. Raises SpecError."""
    if kind not in TRANSLATED:
        raise SpecError(
            f"A {kind} task cannot be translated: it is about which text belongs to which other one, "
            "and a translation would be another task."
        )


def source_of(row: Row, rules: Rules) -> Source:
    """What of ``row`` is translated."""
    if rules.kind is Kind.SPAN:
        pairs = zip(row["answers"], row["answer_starts"], strict=True)
        spans = dict.fromkeys(Stretch(start, start + len(answer)) for answer, start in pairs if answer)
        return Source((row["question"], row["context"]), tuple(spans))
    if rules.kind is Kind.TAGGING:
        joined = join_tokens(row["tokens"], rules.languages.source)
        if rules.per_word:
            return Source((joined.text,))
        places = joined.places
        found = (Stretch(places[one.first].start, places[one.last].end) for one in entities(row["tags"]))
        return Source((joined.text,), tuple(span for span in found if span.end > span.start))
    texts = tuple("" if row[name] in _RELATIONS else row[name] for name in _TEXTS[rules.kind])
    return Source((*texts, *row.get("choices", ())))


def wording_of(source: Source, cuts: Mapping[str, Sequence[Stretch]], rules: Rules) -> list[str]:
    """The sentences that the translator is given for a row: those of its texts, and those with marks."""
    found = [stretch.of(text) for text in source.texts for stretch in cuts[text]]
    if rules.projection != "alignment":
        text = source.texts[-1]
        marked = (marked_sentence(text, cuts[text], span) for span in source.spans)
        found += [sent for sent in marked if sent is not None]
    return found


def translated(
    rows: Sequence[Row],
    rules: Rules,
    cuts: Mapping[str, Sequence[Stretch]],
    words: Mapping[str, str],
    aligner: Callable[[], Aligner] | None,
) -> list[Made]:
    """The rows in the other language, in order.

    Args:
        rows: of one kind.
        rules: how they are translated.
        cuts: the segments of each of their texts.
        words: the translation of each segment, with and without marks.
        aligner: gives what aligns words, where `Rules.aligns`; else None. It is asked only where words are to be.
    """
    sources = [source_of(row, rules) for row in rows]
    passages = [
        tuple(passage(text, cuts[text], words, rules.languages.target) for text in source.texts) for source in sources
    ]
    if rules.per_word:
        assert aligner is not None
        return _carried_all(rows, [texts[0] for texts in passages], rules, aligner())
    jobs = [
        Job(texts[-1], source.spans, rewrite=rules.kind is Kind.SPAN)
        for texts, source in zip(passages, sources, strict=True)
    ]
    for job in jobs:
        if rules.projection != "alignment":
            by_markers(job, words, rules.languages, rules.min_quality)
    if aligner is not None and any(span not in job.places for job in jobs for span in job.spans):
        by_alignment(jobs, aligner(), rules.languages)
    return [
        _made(row, texts, job, rules) if _complete(texts) else Made(None, "empty translation")
        for row, texts, job in zip(rows, passages, jobs, strict=True)
    ]


def _complete(passages: Sequence[Passage]) -> bool:
    """Has every text that says something a translation that does?"""
    return all(one.target.strip() or not one.source.strip() for one in passages)


def _made(row: Row, passages: Sequence[Passage], job: Job, rules: Rules) -> Made:
    if rules.kind is Kind.SPAN:
        return _answers(row, passages[0], job, rules)
    if rules.kind is Kind.TAGGING:
        return _entities(row, job, rules)
    targets = [one.target for one in passages]
    names = _TEXTS[rules.kind]
    said = {name: row[name] if row[name] in _RELATIONS else targets[at] for at, name in enumerate(names)}
    if "choices" in row:
        said["choices"] = targets[len(names) :]
    return Made({**row, **said}, "copied")


def _answers(row: Row, question: Passage, job: Job, rules: Rules) -> Made:
    """The row with the answers that were found; its first answer, which is the one that is learned, must be."""
    context = job.passage.target
    if not job.spans:
        return Made({**row, "question": question.target, "context": context}, "copied")
    if lost := _lost(job, job.spans[:1], rules):
        return Made(None, lost)
    places = [job.places[span] for span in job.spans if not _lost(job, (span,), rules)]
    spans = list(dict.fromkeys(place.span for place in places))
    answers = [span.of(context) for span in spans]
    said = {"question": question.target, "context": context, "answers": answers}
    return Made({**row, **said, "answer_starts": [span.start for span in spans]}, places[0].how)


def _entities(row: Row, job: Job, rules: Rules) -> Made:
    """The words of the translation with the tags of the entities, all of which must have been found."""
    if lost := _lost(job, job.spans, rules):
        return Made(None, lost)
    words = words_of(job.passage.target, rules.languages.target)
    kinds = [one.type for one in entities(row["tags"])]
    places = [job.places[span] for span in job.spans]
    tags = tagged(words, [(kind, place.span) for kind, place in zip(kinds, places, strict=False)], rules.scheme)
    if tags is None or len(kinds) != len(places):
        return Made(None, "entities that overlap")
    if not rules.labels.issuperset(tags):
        return Made(None, "tags that the task has not got")
    hows = {place.how for place in places}
    how = "alignment" if "alignment" in hows else "markers" if hows else "copied"
    return Made({**row, "tokens": [word.text for word in words], "tags": tags}, how)


def _lost(job: Job, spans: Sequence[Stretch], rules: Rules) -> str:
    """Why the worst of ``spans`` does not count as found; "" where all do."""
    if any(span not in job.places for span in spans):
        return "marks that were lost" if rules.projection == "markers" else "no counterpart"
    return "low quality" if any(job.places[span].quality < rules.min_quality for span in spans) else ""


def _carried_all(rows: Sequence[Row], passages: Sequence[Passage], rules: Rules, aligner: Aligner) -> list[Made]:
    """The rows with a tag on every word of their translations."""
    pairs = []
    for row, one in zip(rows, passages, strict=True):
        places = tuple((place.start, place.end) for place in join_tokens(row["tokens"], rules.languages.source).places)
        pairs.append((Sentence(one.source, places), sentence(one.target, rules.languages.target)))
    made = []
    for row, (_, target), found in zip(rows, pairs, aligner.align(pairs), strict=True):
        tags, quality = carried(row["tags"], found)
        tokens = [target.text[start:end] for start, end in target.words]
        if not tokens:
            made.append(Made(None, "empty translation"))
        elif quality < rules.min_quality:
            made.append(Made(None, "low quality"))
        else:
            made.append(Made({**row, "tokens": tokens, "tags": tags}, "alignment"))
    return made
