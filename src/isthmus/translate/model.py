"""Translators: any sequence-to-sequence model of transformers that is told the language by a code, or has but one."""

from collections.abc import Sequence
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import torch

from isthmus.errors import MissingPackage, ModelError
from isthmus.translate.codes import address

#: Padded tokens of the texts that are translated together; a beam search takes fewer.
TOKEN_BUDGET = {"cpu": 1024, "cuda": 16_384}
#: The longest translation, in tokens: this many times the longest text of its batch, and so many more.
_TIMES, _MORE = 2, 24
#: Positions kept for what is put around a text.
_SPARE = 16


class Translator(Protocol):
    """What translates sentences from one language into another."""

    #: tokens, padding included, of the texts that are translated together
    token_budget: int

    def lengths(self, texts: Sequence[str]) -> list[int]:
        """How many tokens each text has."""

    def translate(self, texts: Sequence[str]) -> list[str]:
        """The translation of each text; "" where nothing came out."""


class Options(NamedTuple):
    """How a model translates: from and into which language (BCP 47), and with how many beams."""

    source: str
    target: str
    beams: int = 1


class Seq2Seq:
    """A model folder as a translator. Greedy, or a beam search; the same texts in the same batches give the same.

    The tokenizer is loaded at once, the model when it is first needed: where all is in the cache, never.

    Raises:
        ModelError: the folder holds no translator, or not one of these languages.
        MissingPackage: its tokenizer needs sentencepiece (OPUS-MT and M2M-100 have no other).
    """

    def __init__(self, folder: Path, name: str, options: Options, device: torch.device) -> None:
        from transformers import AutoConfig

        self.folder, self.name, self.options, self.device = folder, name, options, device
        self.config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        self.tokenizer = _tokenizer(folder, name, self.config.model_type)
        self.address = address(name, self.config.model_type, self.tokenizer, options.source, options.target)
        if self.address.source:
            self.tokenizer.src_lang = self.address.source
        self.token_budget = max(1, TOKEN_BUDGET.get(device.type, TOKEN_BUDGET["cuda"]) // options.beams)

    def lengths(self, texts: Sequence[str]) -> list[int]:
        """How many tokens each text has, with what the model is told."""
        if not texts:
            return []
        return [len(ids) for ids in self._ids(list(texts))["input_ids"]]

    def _ids(self, texts: list[str], **how: Any) -> Any:
        return self.tokenizer([self.address.prefix + text for text in texts], verbose=False, **how)

    @torch.inference_mode()
    def translate(self, texts: Sequence[str]) -> list[str]:
        """The translation of each text, all in one batch."""
        inputs = self._ids(list(texts), padding=True, return_tensors="pt").to(self.device)
        inputs.pop("token_type_ids", None)
        longest = _TIMES * inputs["input_ids"].shape[1] + _MORE
        told = {"num_beams": self.options.beams, "do_sample": False, "max_new_tokens": min(longest, self.longest)}
        if self.address.first_token:
            told["forced_bos_token_id"] = self.tokenizer.convert_tokens_to_ids(self.address.first_token)
        written = self._model.generate(**inputs, **told)
        return [text.strip() for text in self.tokenizer.batch_decode(written, skip_special_tokens=True)]

    @property
    def longest(self) -> int:
        """Tokens that the model has positions for, less a few for marks; T5, whose are relative, has no limit."""
        return int(getattr(self.config, "max_position_embeddings", 0) or 1 << 20) - _SPARE

    @cached_property
    def _model(self) -> Any:
        import transformers

        transformers.logging.set_verbosity_error()
        transformers.logging.disable_progress_bar()
        try:
            model, report = transformers.AutoModelForSeq2SeqLM.from_pretrained(
                self.folder,
                dtype=torch.float32,
                use_safetensors=True,
                local_files_only=True,
                trust_remote_code=False,
                output_loading_info=True,
            )
        except (OSError, ValueError, RuntimeError) as error:
            first = str(error).strip().split("\n")[0][:300]
            raise ModelError(f"{self.name} cannot be loaded as a translator: {first}") from error
        if missing := report["missing_keys"]:
            raise ModelError(f"{self.name}: the checkpoint lacks {len(missing)} weights, such as {min(missing)}.")
        return model.eval().to(self.device)


def _tokenizer(folder: Path, name: str, model_type: str) -> Any:
    """The tokenizer of a translator, which may be a slow one."""
    from transformers import AutoTokenizer

    slow = model_type == "marian" or not (folder / "tokenizer.json").exists()
    if slow and find_spec("sentencepiece") is None:
        raise MissingPackage("sentencepiece", f"The tokenizer of {name}", extra="translate")
    try:
        return AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, ImportError, KeyError) as error:
        first = str(error).strip().split("\n")[0][:300]
        raise ModelError(f"{name} has no tokenizer that can be loaded: {first}") from error
