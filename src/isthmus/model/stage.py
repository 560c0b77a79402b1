"""The stage `model`: put a pretrained model into the store as an ordinary Hugging Face folder."""

import shutil
from fnmatch import fnmatch
from pathlib import Path

from isthmus.disk import link_or_copy
from isthmus.errors import ModelError
from isthmus.model import embedded
from isthmus.model.card import write_card
from isthmus.model.layout import HEADS_INDEX, INDEX, TOKENIZER_FILES, folder_fingerprint
from isthmus.model.sources import HUB_FILES, check_files, hub_library, hub_sentence
from isthmus.running.execute import Context
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
    history: list[dict[str, Json]] = [{"model": name, "identity": shown}]
    if tuned := hints.get("tuned_on"):
        history[0]["tuned_on"] = list(tuned)
    if not (folder / "README.md").exists():
        write_card(folder, history)
    return {"history": history, "notes": list(notes)}


def _from_folder(source: Path, folder: Path, wanted: str) -> None:
    """Copy the model: its folder belongs to somebody who may write into it again, which must not change ours."""
    names = ["config.json", INDEX, HEADS_INDEX, "README.md", *TOKENIZER_FILES]
    for path in [*(source / name for name in names), *source.glob("*.safetensors")]:
        if path.exists():
            shutil.copyfile(path, folder / path.name)
    try:
        same = folder_fingerprint(folder) == wanted
    except ModelError:
        same = False
    if not same:
        raise ModelError(f"{source} has changed since the study was planned: run the same command again.")


def _from_hub(identifier: str, revision: str, folder: Path) -> None:
    """Download the safetensors, the configuration and the tokenizer of one commit; never a pickle, never code."""
    try:
        snapshot = Path(hub_library().snapshot_download(identifier, revision=revision, allow_patterns=list(HUB_FILES)))
    except Exception as error:
        raise ModelError(hub_sentence(identifier, revision, error)) from error
    for path in snapshot.iterdir():  # the cache is everybody's: others may have put more into it
        if path.is_file() and any(fnmatch(path.name, pattern) for pattern in HUB_FILES):
            link_or_copy(path.resolve(), folder / path.name)
    check_files(f"{identifier}@{revision}", (path.name for path in folder.iterdir()))
