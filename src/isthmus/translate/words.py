"""The words of a text, in any language, and a text out of the tokens of a tagged sentence."""

from collections.abc import Sequence
from typing import NamedTuple

from isthmus.tasks.bio import Word, words
from isthmus.translate.sentences import Stretch, is_unspaced

_NO_SPACE_BEFORE = frozenset(
    [*".,;:!?%)]}”’»…、。，；：！？）」』】।؟،", "'s", "'t", "n't", "'re", "'ve", "'ll", "'d", "'m"]
)
_NO_SPACE_AFTER = frozenset("([{“‘«¿¡$£€#（「『【")


class Joined(NamedTuple):
    """A sentence as one would write it, and where each of its tokens stands."""

    text: str
    places: tuple[Stretch, ...]


def words_of(text: str, code: str) -> list[Word]:
    """The words, numbers and punctuation marks of ``text``, in the language ``code``.

    Words end at spaces and punctuation. Where the language is written without spaces, each letter is a word of its own
    (with its marks), but Latin words and numbers are whole, as in PAN-X.
    """
    return words(text, is_unspaced(code))


def join_tokens(tokens: Sequence[str], code: str) -> Joined:
    """The tokens of a sentence as text: translators were not trained on spaces before full stops.

    Straight double quotation marks open and close in turn. A token that is empty, or nothing but white space, stands
    nowhere.
    """
    unspaced = is_unspaced(code)
    text, places, glued, quoted = "", [], True, False
    for token in tokens:
        stripped = token.strip()
        closing = stripped == '"' and quoted
        if not stripped:
            places.append(Stretch(len(text), len(text)))
            continue
        apart = not (glued or closing or stripped in _NO_SPACE_BEFORE)
        if unspaced and not (text[-1:].isascii() and stripped[0].isascii() and (text[-1:] + stripped[0]).isalnum()):
            apart = False
        text += " " * apart
        places.append(Stretch(len(text), len(text) + len(stripped)))
        text += stripped
        glued = stripped in _NO_SPACE_AFTER or (stripped == '"' and not quoted)
        if stripped == '"':
            quoted = not quoted
    return Joined(text, tuple(places))
