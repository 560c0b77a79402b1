"""Each family of translators is told the languages in its own codes, and says what it has not got."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from isthmus.errors import MissingPackage, ModelError
from isthmus.languages import language
from isthmus.translate.codes import Address, address
from isthmus.translate.model import Options, Seq2Seq


def nllb() -> Any:
    from transformers import NllbTokenizer

    return NllbTokenizer()  # its vocabulary of languages is the real one


@pytest.mark.parametrize(
    ("tag", "code"),
    [
        ("de", "deu_Latn"), ("zh", "zho_Hans"), ("zh-Hant", "zho_Hant"), ("zh-TW", "zho_Hant"), ("ar", "arb_Arab"),
        ("sw", "swh_Latn"), ("ru", "rus_Cyrl"), ("sr", "srp_Cyrl"), ("yo", "yor_Latn"), ("fa", "pes_Arab"),
        ("et", "est_Latn"), ("ko", "kor_Hang"), ("pt-BR", "por_Latn"), ("qu", "quy_Latn"), ("he", "heb_Hebr"),
        ("id", "ind_Latn"), ("ur", "urd_Arab"), ("ace-Arab", "ace_Arab"), ("no", "nob_Latn"), ("ms", "zsm_Latn"),
    ],
)  # fmt: skip
def test_nllb_has_the_codes_of_flores(tag: str, code: str) -> None:
    assert address("nllb", "m2m_100", nllb(), "en", tag) == Address("eng_Latn", "", code)


def test_every_code_of_nllb_names_a_language() -> None:
    codes = [token for token in nllb().get_vocab() if len(token) == 8 and token[3] == "_"]
    assert len(codes) == 202
    for code in codes:
        assert language(code).tag


def test_mbart_has_codes_with_countries() -> None:
    from transformers import MBart50Tokenizer

    tokenizer = MBart50Tokenizer()
    assert address("mbart", "mbart", tokenizer, "en", "de") == Address("en_XX", "", "de_DE")
    assert address("mbart", "mbart", tokenizer, "en", "zh") == Address("en_XX", "", "zh_CN")


class Vocabulary:
    """The part of a tokenizer that is asked: its vocabulary, and of OPUS-MT the pair it is of."""

    def __init__(self, *tokens: str, source_lang: str | None = None, target_lang: str | None = None) -> None:
        self.tokens, self.source_lang, self.target_lang = tokens, source_lang, target_lang

    def get_vocab(self) -> dict[str, int]:
        return {token: number for number, token in enumerate(self.tokens)}


def test_the_other_families() -> None:
    assert address("m", "m2m_100", Vocabulary("__en__", "__de__"), "en", "de") == Address("en", "", "__de__")
    assert address("m", "t5", Vocabulary("<2de>", "<2zh>", "x"), "en", "zh") == Address("", "<2zh> ", "")
    assert address("o", "marian", Vocabulary(">>deu<<", ">>nld<<"), "en", "de") == Address("", ">>deu<< ", "")
    assert address("o", "marian", Vocabulary("a", source_lang="en", target_lang="de"), "en", "de") == Address()
    assert address("o", "marian", Vocabulary("a"), "en", "de") == Address()


@pytest.mark.parametrize(
    ("model_type", "tokenizer", "sentence"),
    [
        (
            "m2m_100",
            Vocabulary("__en__", "__nb__", "__da__", "__fi__"),
            r"no Swedish \(sv\): the nearest it has are Danish",
        ),
        ("t5", Vocabulary("<2de>", "<2fi>"), r"the nearest it has is German \(de\)\."),
        ("t5", Vocabulary("<2fi>", "<2zh>"), r"no Swedish \(sv\): it has fi, zh\."),
        ("t5", Vocabulary("a", "b"), "no codes of languages in its vocabulary: take a translator, such as NLLB"),
        ("bart", Vocabulary("a"), "is a bart model, not a translator"),
        (
            "marian",
            Vocabulary("a", source_lang="en", target_lang="de"),
            r"is of German \(de\), not of Swedish \(sv\)\.",
        ),
    ],
)
def test_what_a_translator_cannot_is_one_sentence(model_type: str, tokenizer: Any, sentence: str) -> None:
    with pytest.raises(ModelError, match=sentence):
        address("it", model_type, tokenizer, "en", "sv")


def test_a_tiny_madlad_translates_by_prefix(tmp_path: Path) -> None:
    import torch
    from transformers import T5Config, T5ForConditionalGeneration, T5Tokenizer

    pieces = [
        ("<pad>", 0.0),
        ("</s>", 0.0),
        ("<unk>", 0.0),
        *((letter, -2.0) for letter in "▁abcdefghijklmnopqrstuvwxyz"),
    ]
    tokenizer = T5Tokenizer(vocab=pieces, extra_ids=0, additional_special_tokens=["<2de>", "<2sw>"])
    config = T5Config(
        vocab_size=len(tokenizer), d_model=16, d_kv=8, d_ff=32, num_layers=1, num_heads=2, decoder_start_token_id=0
    )
    torch.manual_seed(0)
    T5ForConditionalGeneration(config).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    for beams in (1, 3):
        translator = Seq2Seq(tmp_path, "tiny", Options("en", "sw", beams), torch.device("cpu"))
        ids = translator._ids(["a boat"])["input_ids"][0]
        assert ids[0] == tokenizer.convert_tokens_to_ids("<2sw>")
        assert translator.lengths(["a boat"]) == [len(ids)]
        texts = ["a boat", "the river is wide", "a"]
        assert translator.translate(texts) == translator.translate(texts)
        assert len(translator.translate(texts)) == 3


@pytest.mark.skipif(find_spec("sentencepiece") is not None, reason="sentencepiece is installed")
def test_without_sentencepiece_opus_says_what_to_install(tmp_path: Path) -> None:
    import torch
    from transformers import MarianConfig

    MarianConfig().save_pretrained(tmp_path)
    with pytest.raises(
        MissingPackage, match=r"The tokenizer of opus needs the package sentencepiece.*isthmus\[translate\]"
    ):
        Seq2Seq(tmp_path, "opus", Options("en", "de"), torch.device("cpu"))


def test_opus_and_m2m_translate_with_their_own_tokenizers(tmp_path: Path) -> None:
    sentencepiece = pytest.importorskip("sentencepiece")
    import json

    import torch
    from transformers import (
        M2M100Config,
        M2M100ForConditionalGeneration,
        M2M100Tokenizer,
        MarianConfig,
        MarianMTModel,
        MarianTokenizer,
    )

    from tests.translate.phrasebook import pairs

    corpus = tmp_path / "corpus.txt"
    corpus.write_text("\n".join(text for pair in pairs() for text in pair), encoding="utf-8")
    sentencepiece.SentencePieceTrainer.train(
        input=str(corpus), model_prefix=str(tmp_path / "spm"), vocab_size=90, hard_vocab_limit=False, minloglevel=2
    )
    learned = sentencepiece.SentencePieceProcessor(model_file=str(tmp_path / "spm.model"))
    pieces = [learned.id_to_piece(number) for number in range(learned.get_piece_size())]
    vocabulary = {piece: number for number, piece in enumerate(dict.fromkeys([*pieces, "<pad>", ">>deu<<"]))}
    (tmp_path / "vocab.json").write_text(json.dumps(vocabulary), encoding="utf-8")
    small = {"d_model": 16, "encoder_layers": 1, "decoder_layers": 1, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32}
    small |= {"encoder_attention_heads": 2, "decoder_attention_heads": 2, "max_position_embeddings": 256}

    opus, spm = tmp_path / "opus", str(tmp_path / "spm.model")
    MarianTokenizer(spm, spm, str(tmp_path / "vocab.json")).save_pretrained(opus)
    pad = vocabulary["<pad>"]
    config = MarianConfig(
        vocab_size=len(vocabulary), pad_token_id=pad, eos_token_id=vocabulary["</s>"], decoder_start_token_id=pad,
        forced_eos_token_id=None, **small,
    )  # fmt: skip
    MarianMTModel(config).save_pretrained(opus)
    translator = Seq2Seq(opus, "opus", Options("en", "de"), torch.device("cpu"))
    assert translator.address.prefix == ">>deu<< "
    assert translator._ids(["It is late."])["input_ids"][0][0] == vocabulary[">>deu<<"]
    assert len(translator.translate(["It is late.", "What is green?"])) == 2

    m2m = tmp_path / "m2m"
    tokenizer = M2M100Tokenizer(str(tmp_path / "vocab.json"), spm)
    tokenizer.save_pretrained(m2m)
    config = M2M100Config(vocab_size=len(vocabulary) + 128, pad_token_id=tokenizer.pad_token_id, **small)
    M2M100ForConditionalGeneration(config).save_pretrained(m2m)
    translator = Seq2Seq(m2m, "m2m", Options("en", "de"), torch.device("cpu"))
    assert translator.address == Address("en", "", "__de__")
    assert len(translator.translate(["It is late."])) == 1
