"""A fast ``tokenizers`` normaliser that maps every code point by itself.

``tokenizers`` offers one mechanism quick enough for thousands of replacements: ``Precompiled``, SentencePiece's
compiled character map, a double-array trie over UTF-8 bytes followed by the replacement texts. This module
writes such a map. The layout of the trie is that of the Darts-clone library (Susumu Yata), which SentencePiece uses.

``Precompiled`` reads the text by grapheme cluster, and that loses characters: of a cluster shorter than six bytes
whose *first* code point has a replacement it keeps that replacement and drops the rest (a full-width letter with a
combining accent comes out without the accent). :func:`codepoint_normalizer` therefore puts a control character, which
always ends a cluster, after every such code point, and takes it out again afterwards.
"""

import struct
from collections.abc import Iterable, Mapping
from typing import Any

_BLOCK = 64  # the 64 continuation bytes of UTF-8, 0x80 to 0xBF: one block of trie units for the children of a node
_ROOT = 256  # the root's children may have any byte, so its block is as long as that
_HAS_LEAF = 1 << 8
_LEAF = 1 << 31
_LONGEST_CLUSTER = 5  # bytes; Precompiled looks a cluster up as a whole only when it is at most this long


def compile_charsmap(replacements: Mapping[int, str]) -> bytes:
    """The ``precompiled_charsmap`` that replaces each code point by its text.

    Layout (SentencePiece, ``normalizer.cc``): u32 byte length of the trie, the trie as u32 units, then the texts, each
    closed by a NUL; a leaf's value is the position of its text. A unit holds a label (its byte), a flag for "a key
    ends here" and the XOR distance to its children; a child with byte ``c`` lies at ``base ^ c``.

    No code point's UTF-8 is a prefix of another's, so a node is either inner or the end of a key. That spares the
    usual search for free places: inner nodes get a block of their own, leaves fill the gaps.

    Raises:
        ValueError: a replacement is empty or holds NUL, or code point 0 is to be replaced; the format has no way
            to tell such a text from the end of one.
    """
    texts, position = _texts(replacements)
    trie: dict[int, Any] = {}
    for codepoint in sorted(replacements):
        *head, last = chr(codepoint).encode()
        node = trie
        for byte in head:
            node = node.setdefault(byte, {})
        node[last] = position[replacements[codepoint]]

    units = [0] * _ROOT
    ends: list[tuple[int, int]] = []  # (unit, position of its text): placed when all blocks are known
    pending = [(0, 0, trie)]  # (unit, base, children)
    while pending:
        parent, base, children = pending.pop()
        units[parent] |= (parent ^ base) << 10
        for byte, child in children.items():
            unit = base ^ byte
            units[unit] = byte
            if isinstance(child, dict):
                block = len(units)
                units.extend([0] * _BLOCK)
                pending.append((unit, block ^ 0x80, child))
            else:
                ends.append((unit, child))

    units.extend([0] * (len(ends) + _BLOCK))
    units.extend([0] * (-len(units) % 256))  # base ^ byte must stay inside the array for every byte
    # A base must belong to one node only. Those of inner nodes are multiples of 64, so leaves keep off these.
    free = (unit for unit, value in enumerate(units) if value == 0 and unit % _BLOCK)
    places = [next(free) for _ in ends]
    for (unit, value), place in zip(ends, places, strict=True):
        units[unit] |= _HAS_LEAF | (unit ^ place) << 10
        units[place] = _LEAF | value
    return struct.pack(f"<I{len(units)}I", 4 * len(units), *units) + texts


def _texts(replacements: Mapping[int, str]) -> tuple[bytes, dict[str, int]]:
    """The NUL-closed replacement texts, each once, and where each begins."""
    if 0 in replacements or any(not text or "\0" in text for text in replacements.values()):
        raise ValueError("a compiled character map cannot hold NUL or an empty replacement")
    texts = bytearray()
    position: dict[str, int] = {}
    for text in sorted(replacements.values()):
        if text not in position:
            position[text] = len(texts)
            texts += text.encode() + b"\0"
    return bytes(texts), position


def codepoint_normalizer(replacements: Mapping[int, str]) -> Any:
    """A ``tokenizers`` normaliser that replaces every code point by its text, whatever stands beside it.

    ``replacements`` maps a code point to its text; an empty text deletes it. Code points that are not named stay.
    Offsets into the original text are kept exactly, also after deletions at the start, which ``Precompiled`` alone
    would get wrong. At least one control character (C0 or C1, not NUL) has to be among the deleted ones, and in no
    replacement: once these are gone from the text it serves as the mark that ends a cluster.

    Raises:
        ValueError: no control character is deleted, or NUL is to be replaced.
    """
    from tokenizers import Regex, normalizers

    deleted = {codepoint for codepoint, text in replacements.items() if not text}
    kept = {codepoint: text for codepoint, text in replacements.items() if text}
    mark = next(
        (chr(codepoint) for codepoint in sorted(deleted) if 0 < codepoint < 0x20 or 0x7F <= codepoint < 0xA0), ""
    )
    if not mark:
        raise ValueError("no control character is deleted that could end a grapheme cluster")
    # Whatever extends a cluster has two bytes or more.
    endangered = [codepoint for codepoint in kept if len(chr(codepoint).encode()) <= _LONGEST_CLUSTER - 2]
    steps: list[Any] = [normalizers.Replace(Regex(_character_class(deleted)), "")]
    if endangered:
        steps.append(normalizers.Replace(Regex(f"(?<={_character_class(endangered)})"), mark))
    steps.append(normalizers.Precompiled(compile_charsmap(kept)))
    if endangered:
        steps.append(normalizers.Replace(mark, ""))
    return normalizers.Sequence(steps)


def _character_class(codepoints: Iterable[int]) -> str:
    """A regular expression for one character out of ``codepoints``, in ranges."""
    ranges: list[list[int]] = []
    for codepoint in sorted(codepoints):
        if ranges and ranges[-1][1] == codepoint - 1:
            ranges[-1][1] = codepoint
        else:
            ranges.append([codepoint, codepoint])
    return "[" + "".join(rf"\x{{{first:X}}}-\x{{{last:X}}}" for first, last in ranges) + "]"
