"""Model folders: the ordinary Hugging Face layout, safetensors only, word embeddings in a file of their own.

The multilingual vocabulary is most of such a model. Kept in its own shard it costs nothing to a stage that leaves it as
it is: the shard gets a second name (a hard link) instead of a copy. Parameters are always stored under the name they
have in a model with a head (``bert.encoder...``), which the ``Auto*`` classes read with and without head.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from isthmus.disk import link_or_copy
from isthmus.errors import ModelError
from isthmus.model.heads import head_of, put, write_tensors
from isthmus.model.layout import EMBEDDING_SHARD, INDEX, OTHER_SHARD, TOKENIZER_FILES

#: In the place of a transformers class: the bare encoder, with what a dual encoder learns besides while it is trained,
#: the number that similarities are multiplied by. It lies beside the weights as ``PREFIX.logit_scale``, where the
#: ``Auto*`` classes pass it over, as nothing that is predicted depends on it.
DUAL_ENCODER = "dual encoder"
_FIRST_SCALE = 100.0


def load_tokenizer(folder: Path) -> Any:
    """The fast tokenizer in ``folder``. Raises ModelError when there is none."""
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise ModelError(f"{folder} has no tokenizer that can be loaded: {_first_line(error)}") from error
    if not tokenizer.is_fast:
        raise ModelError(f"{folder}: Isthmus needs a fast tokenizer (a tokenizer.json).")
    return tokenizer


def check_length(tokenizer: Any, max_length: int) -> None:
    """Refuse inputs longer than the model has positions for. Raises ModelError."""
    if max_length > tokenizer.model_max_length:
        raise ModelError(
            f"max_length is {max_length}, but the model reads at most {tokenizer.model_max_length} tokens: lower it."
        )


def load_model(
    folder: Path, auto_class: str, labels: Sequence[str], fresh_head: bool, seed: int = 0, head: str = ""
) -> nn.Module:
    """The model in ``folder`` under the head of ``auto_class``, float32, on the CPU.

    Args:
        folder: a Hugging Face folder with safetensors.
        auto_class: the name of a transformers class, such as ``AutoModelForTokenClassification``, or `DUAL_ENCODER`.
        labels: of the head, in order; empty for a model without labels.
        fresh_head: initialise the head from ``seed`` even where the folder has one of the same shape. A head that is
            tied to the word embeddings, a language model's, is kept where there is one: it is as pretrained as they.
        head: the name of one of the heads beside the model, where it was trained on several tasks at once.

    Raises:
        ModelError: the folder holds no such model, or (``fresh_head`` off) has no head, or one with other labels.
    """
    import transformers

    transformers.logging.set_verbosity_error()  # what is missing or unexpected is checked here, and said in our words
    transformers.logging.disable_progress_bar()
    dual, auto_class = auto_class == DUAL_ENCODER, "AutoModel" if auto_class == DUAL_ENCODER else auto_class
    names: dict[str, Any] = {"num_labels": 2}  # not those of the task before: a span's head has one for each boundary
    if labels:
        names = {"id2label": dict(enumerate(labels)), "label2id": {label: i for i, label in enumerate(labels)}}
    beside = head_of(folder, head) if head else None
    torch.manual_seed(seed)
    try:
        model, report = getattr(transformers, auto_class).from_pretrained(
            folder,
            dtype=torch.float32,
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=False,
            output_loading_info=True,
            ignore_mismatched_sizes=fresh_head,
            **(names if fresh_head or beside else {}),
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise ModelError(f"{folder} cannot be loaded as a {auto_class}: {_first_line(error)}") from error
    missing = set(report["missing_keys"])
    _check_body(folder, model, missing, "lacks {} weights of the model")
    misshapen = {str(key[0]) for key in report["mismatched_keys"]}
    _check_body(folder, model, misshapen, "has {} weights of another shape than its configuration says")
    _check_head(folder, model, missing, fresh_head or beside is not None)
    if auto_class == "AutoModel" and any("pooler" in name for name in missing):
        model.pooler = None
    if dual and fresh_head:
        model.logit_scale = nn.Parameter(torch.tensor([_FIRST_SCALE]))
    if beside is not None:
        put(beside, model, {name for name in missing if not name.startswith(f"{model.base_model_prefix}.")})
    elif fresh_head:
        _refresh_head(model, seed)
    elif labels and [model.config.id2label[i] for i in range(model.config.num_labels)] != list(labels):
        raise ModelError(
            f"{folder}: its head has the labels {', '.join(model.config.id2label.values())}, not {', '.join(labels)}."
        )
    model.config.use_cache = False
    return model  # type: ignore[no-any-return]


def _refresh_head(model: Any, seed: int) -> None:
    """Initialise the head from ``seed``, unless it is a language model's."""
    if model is model.base_model or model.get_output_embeddings() is not None:
        return
    torch.manual_seed(seed)
    for name, child in model.named_children():
        if name != model.base_model_prefix:
            _forget(child)
            child.apply(model._init_weights)


def _forget(part: nn.Module) -> None:
    """Have the library initialise ``part`` again: it leaves alone what it marked as loaded."""
    for marked in (*part.modules(), *part.parameters()):
        setattr(marked, "_is_hf_initialized", False)  # noqa: B010 - the library's own mark, not in its types


def _check_body(folder: Path, model: Any, wanting: set[str], problem: str) -> None:
    """Refuse a broken checkpoint: only a pooler or a head may be wanting."""
    prefix, has_head = f"{model.base_model_prefix}.", _has_head(model)
    body = {name for name in wanting if "pooler" not in name and (not has_head or name.startswith(prefix))}
    if body:
        raise ModelError(f"{folder}: the checkpoint {problem.format(len(body))}, such as {min(body)}.")


def _check_head(folder: Path, model: Any, missing: set[str], fresh_head: bool) -> None:
    """Refuse to predict with a head that was never trained."""
    head = {name for name in missing if _has_head(model) and not name.startswith(f"{model.base_model_prefix}.")}
    if head and not fresh_head:
        raise ModelError(
            f"{folder}: the model has no trained head for this kind of task (it lacks {min(head)}): "
            "train it on the task first, with `isthmus train --target ...`."
        )


def save_model(
    model: Any, folder: Path, parent: Path, embedding_rows: Tensor | None, kept: Sequence[int] | None
) -> None:
    """Write ``model`` into the existing ``folder`` as a whole Hugging Face folder.

    Args:
        model: a transformers model, its vocabulary trimmed or not.
        folder: where to write.
        parent: the folder it was loaded from: gives the tokenizer and the embedding rows that were not trained.
        embedding_rows: the trained embedding rows (k, width), or None when the embeddings were left as they are.
        kept: the vocabulary ids of those k rows; None for all, in order.

    Raises:
        ModelError: the parent has no word embeddings under the model's name for them.
    """
    prefix = f"{model.base_model_prefix}."
    whole = {name if _has_head(model) else prefix + name: value for name, value in model.state_dict().items()}
    embedding = _embedding_name(model)
    name = embedding if _has_head(model) else prefix + embedding
    for tied in (name, *model.all_tied_weights_keys):
        whole.pop(tied, None)
    others = {key: value.detach().cpu().contiguous() for key, value in whole.items()}
    write_tensors(others, folder / OTHER_SHARD)
    size = _write_embedding(name, prefix, parent, folder, embedding_rows, kept)
    total = size + sum(value.numel() * value.element_size() for value in others.values())
    weights = {name: EMBEDDING_SHARD, **dict.fromkeys(sorted(others), OTHER_SHARD)}
    (folder / INDEX).write_text(json.dumps({"metadata": {"total_size": total}, "weight_map": weights}, indent=1))
    model.config.architectures = [type(model).__name__]
    model.config.save_pretrained(folder)
    copy_tokenizer(parent, folder)


def copy_tokenizer(parent: Path, folder: Path) -> None:
    """Give ``folder`` the tokenizer of ``parent``."""
    for file in TOKENIZER_FILES:
        if (parent / file).exists():
            link_or_copy(parent / file, folder / file)


def _has_head(model: Any) -> bool:
    return model is not model.base_model


def _embedding_name(model: Any) -> str:
    """The parameter name of the word embeddings in the model's own state dict; not that of a head tied to them."""
    weight, tied = model.get_input_embeddings().weight, model.all_tied_weights_keys
    named = model.named_parameters(remove_duplicate=False)
    return next(str(name) for name, parameter in named if parameter is weight and name not in tied)


def _write_embedding(
    name: str, prefix: str, parent: Path, folder: Path, rows: Tensor | None, kept: Sequence[int] | None
) -> int:
    """Link the parent's embedding shard if nothing in it changed, or write the matrix with its new rows; its bytes."""
    from safetensors import safe_open

    for shard, stored in _where(parent, (name, name.removeprefix(prefix))):
        with safe_open(parent / shard, framework="pt") as file:
            alone, matrix = list(file.keys()) == [name], file.get_tensor(stored)
        size: int = matrix.numel() * 4
        if rows is None and alone and matrix.dtype == torch.float32:
            link_or_copy(parent / shard, folder / EMBEDDING_SHARD)
            return size
        matrix = matrix.float().clone()
        if rows is not None:
            matrix[torch.arange(len(rows)) if kept is None else torch.as_tensor(kept)] = rows.detach().cpu().float()
        write_tensors({name: matrix}, folder / EMBEDDING_SHARD)
        return size
    raise ModelError(f"{parent} has no weights called {name}.")


def _where(folder: Path, names: Sequence[str]) -> list[tuple[str, str]]:
    """The safetensors files of ``folder`` that hold one of ``names``, with the name."""
    from safetensors import safe_open

    index = folder / INDEX
    if index.exists():
        mapping: Mapping[str, str] = json.loads(index.read_text())["weight_map"]
        return [(mapping[name], name) for name in names if name in mapping]
    found: list[tuple[str, str]] = []
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, framework="pt") as file:
            keys = set(file.keys())
        found.extend((path.name, name) for name in names if name in keys)
    return found


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n")[0][:300]
