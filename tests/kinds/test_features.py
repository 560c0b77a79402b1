"""Features as flat arrays are the features one by one, in memory and in a file; a broken file is never believed."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.tiny import SENTENCES

from isthmus.data.schema import Kind, to_table
from isthmus.errors import DataError
from isthmus.kinds import method
from isthmus.kinds.core import Limits
from isthmus.kinds.features import Blanks, Feature, Features, Vocabulary, concatenated, lengths_of
from isthmus.kinds.files import read_features, write_features
from isthmus.model.folder import load_tokenizer

LABELS = ["yes", "no"]


@pytest.fixture(scope="module")
def tokenizer(tiny_model: Path) -> Any:
    found = load_tokenizer(tiny_model)
    found.add_special_tokens({"mask_token": "<mask>"})
    return found


text = st.one_of(st.sampled_from(SENTENCES), st.sampled_from(["a", "🙂 lamp", "水 the", "x" * 30, "the \u200b hall"]))
some = st.integers(0, 5)


@st.composite
def rows(draw: Any) -> tuple[Kind, pa.Table]:
    """A few rows of any kind."""
    kind, count = draw(st.sampled_from(list(Kind))), draw(some)
    column = lambda: [draw(text) for _ in range(count)]  # noqa: E731
    ids = [str(number) for number in range(count)]
    contexts = column()
    texts = [draw(st.lists(text, min_size=1, max_size=4)) for _ in range(count)]
    columns: dict[Kind, dict[str, list[Any]]] = {
        Kind.SEQUENCE: {"text": column(), "label": [draw(st.sampled_from(LABELS)) for _ in ids]},
        Kind.PAIR: {"text": column(), "text_pair": column(), "label": [draw(st.sampled_from(LABELS)) for _ in ids]},
        Kind.TAGGING: {
            "tokens": (words := [draw(st.lists(text, max_size=12)) for _ in ids]),
            "tags": [[draw(st.sampled_from(LABELS)) for _ in row] for row in words],
        },
        Kind.SPAN: {
            "question": column(),
            "context": contexts,
            "answers": [[context[:4]] for context in contexts],
            "answer_starts": [[0]] * count,
        },
        Kind.CHOICE: {"text": column(), "question": column(), "choices": texts, "answer": [0] * count},
        Kind.BITEXT: {"source": column(), "target": column()},
        Kind.MINING: {"text": column(), "targets": [[]] * count},
        Kind.RANKING: {
            "text": column(),
            "target": column(),
            "target_context": [draw(st.sampled_from(["", *SENTENCES])) for _ in ids],
            "targets": [[one] for one in ids],
        },
        Kind.TEXT: {"text": ["the lamp", *column()]},
    }
    ids = ["first", *ids] if kind is Kind.TEXT else ids
    return kind, to_table(kind, {"id": ids, **columns[kind]}, "test")


def same(found: Feature, wanted: Feature) -> bool:
    """Equal, down to the types of what is in them."""
    pairs = [(found.target, wanted.target), (found.places, wanted.places)]
    for one, other in pairs:
        assert type(one) is type(other)
        parts = zip(one, other, strict=True) if isinstance(one, Blanks | Vocabulary) else [(one, other)]
        assert all(np.array_equal(first, second) for first, second in parts)
    names = ("example", "texts", "words", "first_word", "second")
    return all(repr(getattr(found, name)) == repr(getattr(wanted, name)) for name in names)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows(), st.booleans(), st.booleans(), st.sampled_from([12, 40]), st.data())
def test_features_of_every_kind_are_the_same_one_by_one_as_arrays_and_in_a_file(
    tokenizer: Any, tmp_path: Path, made: tuple[Kind, pa.Table], learnt: bool, whole: bool, length: int, data: Any
) -> None:
    kind, table = made
    labels = LABELS if learnt else None
    encoded = method(kind).encode(table, tokenizer, labels, Limits(length, 4, whole))
    one_by_one = list(encoded)
    again = Features.of(one_by_one)
    write_features(tmp_path / "features.arrow", encoded, {"pad": 1})
    stored = read_features(tmp_path / "features.arrow")
    assert stored.said == {"pad": 1}
    for features in (again, stored.features):
        assert len(features) == len(one_by_one)
        assert all(map(same, features, one_by_one))
        assert (
            features.lengths.tolist() == [feature.length for feature in one_by_one] == lengths_of(one_by_one).tolist()
        )
    order = data.draw(st.permutations(range(len(one_by_one))))
    assert all(map(same, stored.features.take(np.asarray(order, dtype=np.int64)), [one_by_one[row] for row in order]))
    cut = data.draw(some)
    joined = concatenated([encoded[:cut], encoded[cut:]])
    assert len(joined) == len(encoded) and all(map(same, joined, one_by_one))


def test_rows_are_found_from_either_end_and_not_beyond() -> None:
    features = Features.of([Feature(row, ([row, 5],), row) for row in range(3)])
    assert features[-1] == features[2] == Feature(2, ([2, 5],), 2)
    assert features[1:] == [Feature(1, ([1, 5],), 1), Feature(2, ([2, 5],), 2)]
    for row in (3, -4):
        with pytest.raises(IndexError, match="there are 3 features"):
            features[row]


def test_a_file_is_mapped_and_not_read(tmp_path: Path) -> None:
    features = Features.of([Feature(row, ([row] * 50,), 1) for row in range(200)])
    write_features(tmp_path / "f", features, {})
    before = pa.total_allocated_bytes()
    stored = read_features(tmp_path / "f").features
    assert pa.total_allocated_bytes() - before < 1000
    assert not stored.texts.values.flags.owndata and not stored.texts.values.flags.writeable


def test_a_file_that_was_cut_off_or_altered_anywhere_is_never_believed(tmp_path: Path) -> None:
    features = Features.of([Feature(row, ([row, 7, 9],), [1, -100, 2], (1,), second=(2,)) for row in range(20)])
    path = tmp_path / "f"
    write_features(path, features, {"pad": 1})
    whole = path.read_bytes()
    believed = 0
    for place in range(0, len(whole), 7):
        path.write_bytes(whole[:place])
        with pytest.raises(DataError, match="is damaged"):
            read_features(path)
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :])
        try:
            stored = read_features(path)
        except DataError:
            continue
        believed += 1  # padding, or something that decides nothing
        assert stored.features == features and stored.said == {"pad": 1}
    assert believed < len(whole) / 7
