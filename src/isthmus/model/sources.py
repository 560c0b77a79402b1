"""Finding models by the name a person gives: the embedded one, a folder, or a hub id. No weights are loaded here."""

import json
import re
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from isthmus.errors import MissingPackage, ModelError
from isthmus.model import embedded
from isthmus.model.card import told_by_card
from isthmus.model.layout import GENERATION, HEADS_FILES, HEADS_INDEX, INDEX, TOKENIZER_FILES, folder_fingerprint
from isthmus.planning.plan import ModelSource

#: What is fetched from the hub: never a pickle, never code. The weights have the names that transformers gives them.
HUB_FILES = ("config.json", "model.safetensors", "model-*.safetensors", INDEX, *HEADS_FILES, *TOKENIZER_FILES)
#: Tokenizer files that hold a vocabulary; the others only say how to use it.
_VOCABULARIES = frozenset(TOKENIZER_FILES) - {
    "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", GENERATION
}  # fmt: skip
_PATIENCE = 20.0  # seconds that the hub has for an answer
_HUB_ID = re.compile(r"^[\w.-]+(/[\w.-]+)?(@[\w./-]+)?$")


def find_model(name: str) -> ModelSource:
    """What names the weights of the model called ``name``.

    Raises:
        ModelError: there is no such model, folder or hub repository, or it lacks safetensors or a tokenizer.
        MissingPackage: the package of the embedded model, or the one for the hub, is not installed.
    """
    if name == embedded.NAME:
        return ModelSource(name, embedded.identity(), {"embedded": True, "name": name})
    folder = Path(name).expanduser()
    if folder.is_dir():
        fingerprint = folder_fingerprint(folder)
        check_files(name, (path.name for path in folder.iterdir()))
        hints: dict[str, Any] = {"folder": str(folder.absolute()), "name": name}
        if tuned := told_by_card(folder):
            hints |= {"tuned_on": tuned}
        if (folder / HEADS_INDEX).is_file():
            hints |= {"heads": sorted(json.loads((folder / HEADS_INDEX).read_text(encoding="utf-8")))}
        return ModelSource(name, {"folder": fingerprint}, hints)
    if name.startswith((".", "/", "~")) or not _HUB_ID.match(name):
        raise ModelError(f"There is no model folder {name}.")
    identifier, _, revision = name.partition("@")
    return ModelSource(name, {"hub": identifier, "revision": _commit(identifier, revision or "main")}, {"name": name})


def check_files(model: str, names: Iterable[str]) -> None:
    """Refuse a model whose files cannot be used. Without a vocabulary a tokenizer would be made up, and say nothing.

    Raises:
        ModelError: there are no safetensors, or there is no tokenizer.
    """
    there = set(names)
    if not any(name.endswith(".safetensors") and "/" not in name for name in there):
        raise ModelError(f"{model} has no safetensors weights; Isthmus does not load pickled ones.")
    if not there & _VOCABULARIES:
        raise ModelError(
            f"{model} has no tokenizer (such as a tokenizer.json): save the one it was trained with there."
        )


def _commit(identifier: str, revision: str) -> str:
    """The commit that ``revision`` of a hub repository stands for; from the cache when the hub is out of reach."""
    hub = hub_library()
    cached = _cached_commit(identifier, revision)
    try:
        found = hub.HfApi().model_info(identifier, revision=revision, timeout=_PATIENCE)
    except Exception as error:  # the library raises many kinds
        if cached is None or isinstance(error, hub.errors.RevisionNotFoundError):
            raise ModelError(hub_sentence(identifier, revision, error)) from None
        return cached
    if found.sha != cached:
        check_files(f"{identifier}@{revision}", (file.rfilename for file in found.siblings or ()))
        try:  # the library now remembers what the revision stands for, for when the hub is out of reach
            hub.hf_hub_download(identifier, "config.json", revision=revision)
        except Exception as error:
            raise ModelError(hub_sentence(identifier, revision, error)) from None
    return str(found.sha)


def _cached_commit(identifier: str, revision: str) -> str | None:
    """The commit that ``revision`` stood for when it was last asked for; None when it never was."""
    hub = hub_library()
    try:
        path = hub.hf_hub_download(identifier, "config.json", revision=revision, local_files_only=True)
    except (hub.errors.EntryNotFoundError, hub.errors.HFValidationError):
        return None
    return Path(path).parent.name


def hub_library() -> Any:
    """The library that speaks with the hub. Raises MissingPackage where it is not installed."""
    try:
        import huggingface_hub
        import huggingface_hub.constants
        import huggingface_hub.errors
    except ImportError:
        raise MissingPackage("huggingface-hub", "A model from the hub", "hub") from None
    return huggingface_hub


def hub_sentence(identifier: str, revision: str, error: Exception) -> str:
    """Why the hub did not give a model: the many errors of its library, each in one sentence."""
    hub, model = hub_library(), f"{identifier}@{revision}"
    known = hub.errors
    guess = f" Did you mean {embedded.NAME}?" if get_close_matches(identifier, [embedded.NAME]) else ""
    nowhere = f"There is no model folder {identifier}, and "
    reason = " ".join(str(error).split())[:200]
    offline = f"the hub's cache has no {model}: unset HF_HUB_OFFLINE to download it."
    unreachable = offline if hub.constants.HF_HUB_OFFLINE else f"{model} could not be had from the hub: {reason}."
    sentences = {  # the special kinds before the general ones
        known.GatedRepoError: f"{identifier} is only for those who accept its terms on the hub: do, and hf auth login.",
        known.RepositoryNotFoundError: f"{nowhere}no such repository on the hub (is it private? hf auth login).{guess}",
        known.RevisionNotFoundError: f"{identifier} has no revision {revision!r} on the hub.",
        known.HFValidationError: f"{nowhere}no repository of the hub can have such a name.{guess}",
        known.LocalEntryNotFoundError: f"{nowhere}{unreachable}{guess}",
        known.EntryNotFoundError: f"{model} is no model for transformers: it has no config.json.",
    }
    said = (sentence for kind, sentence in sentences.items() if isinstance(error, kind))
    return next(said, f"{nowhere}{unreachable}{guess}")
