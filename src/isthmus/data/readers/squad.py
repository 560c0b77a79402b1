"""The nested layout of SQuAD: articles, their paragraphs, and questions about each (arXiv 1606.05250, 1806.03822).

``{"data": [{"title": ..., "paragraphs": [{"context": ..., "qas": [{"id": ..., "question": ..., "answers": [{"text":
..., "answer_start": ...}], "is_impossible": ...}]}]}]}``. Files without ``data`` around the articles, without titles
or versions, and with keys of their own beside these are read alike.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from isthmus.data.readers.text import at
from isthmus.errors import DataError


class Paragraph(NamedTuple):
    """A paragraph with its questions, and where in the file it is: ``data[0].paragraphs[2]``."""

    title: str
    values: dict[str, Any]
    spot: str


def is_nested(items: Any) -> bool:
    """Are these the articles of a SQuAD file, or one article?"""
    if isinstance(items, dict):
        return "paragraphs" in items
    return isinstance(items, list) and any(isinstance(item, dict) and "paragraphs" in item for item in items)


def questions(path: Path, items: Any) -> list[tuple[dict[str, Any], str]]:
    """The questions of the articles ``items``, each with its context, and where it is, in words.

    Raises:
        DataError: something is not where the layout has it, or there is not one question.
    """
    found = []
    for paragraph in paragraphs(path, items):
        context = paragraph.values.get("context")
        for number, question in enumerate(_list(path, paragraph.values, "qas", paragraph.spot)):
            spot = f"{paragraph.spot}.qas[{number}]"
            if not isinstance(question, dict):
                raise at(path, spot, "a question must be an object.")
            if isinstance(question.get("id"), str | int):
                spot = f"question {question['id']!r}"
            found.append(({**question, "title": paragraph.title, "context": context}, spot))
    if not found:
        raise DataError(f"{path} has articles, but not one question.")
    return found


def paragraphs(path: Path, items: Any) -> Iterator[Paragraph]:
    """The paragraphs of the articles ``items``, as they stand. Raises DataError where there is something else."""
    for number, article in enumerate([items] if isinstance(items, dict) else items):
        spot = f"data[{number}]"
        if not isinstance(article, dict):
            raise at(path, spot, "an article must be an object with 'paragraphs'.")
        for position, paragraph in enumerate(_list(path, article, "paragraphs", spot)):
            place = f"{spot}.paragraphs[{position}]"
            if not isinstance(paragraph, dict):
                raise at(path, place, "a paragraph must be an object with 'context' and 'qas'.")
            if not isinstance(paragraph.get("context"), str):
                raise at(path, place, "a paragraph needs a 'context', which is a text.")
            title = article.get("title")
            yield Paragraph(title if isinstance(title, str) else "", paragraph, place)


def _list(path: Path, holder: dict[str, Any], key: str, spot: str) -> list[Any]:
    value = holder.get(key)
    if not isinstance(value, list):
        raise at(path, spot, f"there must be a list {key!r} here.")
    return value
