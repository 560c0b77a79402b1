"""The stage `model`: put a pretrained model into the store as an ordinary Hugging Face folder."""

from pathlib import Path
from typing import Any

from isthmus.disk import link_or_copy
from isthmus.errors import ModelError
from isthmus.execute import Context
from isthmus.model import embedded
from isthmus.model.layout import INDEX, TOKENIZER_FILES, folder_fingerprint
from isthmus.stage import Json


def run(context: Context) -> dict[str, Json]:
    """Write ``model/``. Returns the beginning of the model's history."""
    folder = context.output / "model"
    folder.mkdir()
    identity, hints = context.stage.identity, context.stage.hints
    notes: tuple[str, ...] = ()
    if "package" in identity:
        embedded.convert(folder)
        notes = embedded.NOTES
    elif "folder" in identity:
        _from_folder(Path(hints["folder"]), folder, identity["folder"])
    else:
        _from_hub(identity["hub"], identity["revision"], folder)
    name = hints.get("name", identity.get("hub", "a folder"))
    shown = ", ".join(f"{field} {value}" for field, value in identity.items())
    return {"history": [{"model": name, "identity": shown}], "notes": list(notes)}


def _from_folder(source: Path, folder: Path, wanted: str) -> None:
    if folder_fingerprint(source) != wanted:
        raise ModelError(f"{source} has changed since the study was planned: plan it anew.")
    names = ["config.json", INDEX, "README.md", *TOKENIZER_FILES]
    for path in [*(source / name for name in names), *source.glob("*.safetensors")]:
        if path.exists():
            link_or_copy(path.resolve(), folder / path.name)


def _from_hub(identifier: str, revision: str, folder: Path) -> None:
    """Download the safetensors, the configuration and the tokenizer of one commit; never a pickle, never code."""
    import huggingface_hub

    hub: Any = huggingface_hub
    try:
        snapshot = Path(
            hub.snapshot_download(
                identifier,
                revision=revision,
                allow_patterns=["config.json", "*.safetensors", INDEX, *TOKENIZER_FILES],
            )
        )
    except Exception as error:  # the library raises many kinds: all of them mean "not from there"
        reason = str(error).strip().split("\n")[0][:200]
        raise ModelError(f"{identifier}@{revision} cannot be downloaded: {reason}") from error
    for path in snapshot.rglob("*"):
        if path.is_file() and path.parent == snapshot:
            link_or_copy(path.resolve(), folder / path.name)
    if not list(folder.glob("*.safetensors")):
        raise ModelError(f"{identifier}@{revision} has no safetensors weights; Isthmus does not load pickled ones.")
