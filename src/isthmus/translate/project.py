"""Spans of a text found in its translation: by marks that went through the translator, or by aligning words.

Marks: the sentence that holds the span is translated a second time with the span in brackets. What comes back between
brackets is looked for in the translation without them, and its quality is how alike the two translations are. Where it
does not stand there, the sentence with marks may take the other one's place, if the caller allows it.

Alignment: the words of the span are compared with those of the translated sentence (`isthmus.translate.align`); the
quality is the F measure of the best stretch.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from isthmus.translate.align import Aligner, Sentence, best_match
from isthmus.translate.markers import Marked, locate, mark, unmark
from isthmus.translate.sentences import Passage, Segment, Stretch, put_together
from isthmus.translate.words import words_of

How = Literal["markers", "alignment"]


class Place(NamedTuple):
    """Where a span stands in the translation, how good that is (0 to 1), and how it was found."""

    span: Stretch
    quality: float
    how: How


@dataclass
class Job:
    """A passage whose spans are to be found in its translation.

    Attributes:
        passage: the text and its translation; the translation may change where ``rewrite`` allows it.
        spans: in the source text.
        rewrite: may the sentence of the first span be replaced by its translation with marks?
        places: of each span in the translation, as far as they were found.
    """

    passage: Passage
    spans: tuple[Stretch, ...]
    rewrite: bool = False
    places: dict[Stretch, Place] = field(default_factory=dict)


class Languages(NamedTuple):
    """From which language into which."""

    source: str
    target: str


def marked_sentence(text: str, segments: Iterable[Stretch], span: Stretch) -> str | None:
    """The segment that holds ``span``, with the span in brackets, for the translator; None where that cannot be."""
    for start, end in segments:
        if start <= span.start and span.end <= end:
            return mark(text[start:end], Stretch(span.start - start, span.end - start))
    return None


def by_markers(job: Job, words: Mapping[str, str], languages: Languages, min_quality: float) -> None:
    """Find the spans of ``job`` by the translations ``words`` of sentences with marks, as far as they survived."""
    for number, span in enumerate(job.spans):
        sent = marked_sentence(job.passage.source, (segment.source for segment in job.passage.segments), span)
        marked = unmark(words.get(sent, "")) if sent is not None else None
        if marked is None:
            continue
        segment = next(one for one in job.passage.segments if one.source.end >= span.end)
        plain = segment.target.of(job.passage.target)
        found = locate(marked, plain, languages.target)
        if found.likeness < min_quality:
            continue
        if found.span is not None:
            job.places[span] = Place(_moved(found.span, segment.target.start), found.likeness, "markers")
        elif job.rewrite and number == 0:
            start = _rewrite(job, segment, marked, languages.target)
            job.places[span] = Place(_moved(marked.span, start), found.likeness, "markers")


def _rewrite(job: Job, segment: Segment, marked: Marked, code: str) -> int:
    """Put the sentence that had marks in its segment's place; returns where it begins."""
    passage = job.passage
    words = [marked.text if one is segment else one.target.of(passage.target) for one in passage.segments]
    sources = [one.source for one in passage.segments]
    job.passage = put_together(passage.source, list(zip(sources, words, strict=True)), code)
    return job.passage.segments[passage.segments.index(segment)].target.start


def _moved(span: Stretch, by: int) -> Stretch:
    return Stretch(span.start + by, span.end + by)


def by_alignment(jobs: Sequence[Job], aligner: Aligner, languages: Languages) -> None:
    """Find the spans of ``jobs`` that have no place yet by aligning the words of their sentences."""
    wanted = [(job, span) for job in jobs for span in job.spans if span not in job.places]
    views = [view for job, span in wanted if (view := _view(job, span, languages)) is not None]
    found = aligner.align([(view.source, view.target) for view in views])
    for view, alignment in zip(views, found, strict=True):
        match = best_match(alignment, *view.words)
        if match is not None:
            first, last = view.trimmed(match.first, match.last)
            start, end = view.target.words[first][0], view.target.words[last][1]
            at = _moved(Stretch(start, end), view.at)
            view.job.places[view.span] = Place(at, match.quality, "alignment")


class _View(NamedTuple):
    """The sentences around a span and around its counterpart."""

    job: Job
    span: Stretch
    source: Sentence
    target: Sentence
    words: tuple[int, int]  # of the span: first and last, in ``source``
    at: int  # where ``target`` begins in the translation

    def trimmed(self, first: int, last: int) -> tuple[int, int]:
        """The words without punctuation at the ends where the span has none there."""
        text, (begin, end) = self.span.of(self.job.passage.source), (first, last)
        if text[:1].isalnum():
            while begin < end and not self._says(begin):
                begin += 1
        if text[-1:].isalnum():
            while begin < end and not self._says(end):
                end -= 1
        return begin, end

    def _says(self, word: int) -> bool:
        return any(character.isalnum() for character in self.target.text[slice(*self.target.words[word])])


def _view(job: Job, span: Stretch, languages: Languages) -> _View | None:
    """The words to align; None where the span touches no segment with words on both sides, or has no word."""
    touched = [
        segment
        for segment in job.passage.segments
        if segment.source.start < span.end and span.start < segment.source.end
    ]
    if not touched:
        return None
    origin, there = (
        Stretch(getattr(touched[0], side).start, getattr(touched[-1], side).end) for side in ("source", "target")
    )
    source = sentence(origin.of(job.passage.source), languages.source)
    target = sentence(there.of(job.passage.target), languages.target)
    inside = [
        number
        for number, (start, end) in enumerate(source.words)
        if start + origin.start < span.end and span.start < end + origin.start
    ]
    if not inside or not target.words:
        return None
    return _View(job, span, source, target, (inside[0], inside[-1]), there.start)


def sentence(text: str, code: str) -> Sentence:
    """The text with its words."""
    return Sentence(text, tuple((word.start, word.end) for word in words_of(text, code)))
