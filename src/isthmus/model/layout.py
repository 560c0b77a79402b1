"""Which files a model folder has, and what names their content. Needs no torch."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from isthmus.data.schema import BY_VECTORS, Kind
from isthmus.disk import sha256
from isthmus.errors import ModelError
from isthmus.stage import canonical

EMBEDDING_SHARD = "model-00001-of-00002.safetensors"
OTHER_SHARD = "model-00002-of-00002.safetensors"
INDEX = "model.safetensors.index.json"
#: The heads of a model that was trained on several tasks at once (`isthmus.model.heads`).
HEADS_INDEX = "heads.json"
HEADS_FILES = (HEADS_INDEX, "heads.safetensors")
#: How the transformers class ends that has the head of each kind; empty where the bare encoder is used.
HEADS: Mapping[Kind, str] = {
    Kind.SEQUENCE: "ForSequenceClassification",
    Kind.PAIR: "ForSequenceClassification",
    Kind.TAGGING: "ForTokenClassification",
    Kind.SPAN: "ForQuestionAnswering",
    Kind.CHOICE: "ForMultipleChoice",
    Kind.TEXT: "ForMaskedLM",
    **dict.fromkeys(BY_VECTORS, ""),
}
#: How a translator writes, where its folder says so.
GENERATION = "generation_config.json"
#: What a model folder may hold besides weights, configuration and card: the tokenizer, in the forms that there are.
TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "sentencepiece.bpe.model",
    "spiece.model",
    "spm.model",
    "tokenizer.model",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "source.spm",
    "target.spm",
    "target_vocab.json",
    GENERATION,
)


def folder_fingerprint(folder: Path) -> str:
    """A hash over the configuration, the tokenizer and the weights in ``folder``.

    Raises:
        ModelError: the folder is not a Hugging Face folder with safetensors.
    """
    if not (folder / "config.json").is_file():
        hint = f" Did you mean {folder / 'model'}?" if (folder / "model" / "config.json").is_file() else ""
        raise ModelError(f"{folder} is not a model folder: it has no config.json.{hint}")
    try:
        json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except ValueError as error:
        raise ModelError(f"{folder / 'config.json'} is not valid JSON: {error}.") from None
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        raise ModelError(f"{folder} has no safetensors weights; Isthmus does not load pickled ones.")
    others = [folder / name for name in ("config.json", INDEX, HEADS_INDEX, *TOKENIZER_FILES)]
    files = [path for path in (*others, *weights) if path.exists()]
    return hashlib.sha256(canonical({path.name: sha256(path) for path in files})).hexdigest()
