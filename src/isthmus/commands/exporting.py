"""Model folders leave the store: ``isthmus store export``, and ``isthmus train --output``.

A card in the store tells how a model was made. On the way out it also tells what the store knows of it by then: the
scores of all predictions that it made.
"""

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from math import isfinite
from pathlib import Path

from isthmus.collect import statistics_of
from isthmus.commands.views import existing, output, print_json, writing_to
from isthmus.disk import plainly
from isthmus.errors import SpecError, StoreError, nearest
from isthmus.evaluate.metrics import metric
from isthmus.model.card import CardScore, score_section, tuned_languages, write_card
from isthmus.results import Statistics
from isthmus.stage import Record
from isthmus.stats.scores import score_intervals
from isthmus.store import Store

_CARD = "README.md"


def export(key: str, folder: Path, store_path: Path, as_json: bool) -> None:
    """``isthmus store export``: copy the model of a finished stage to ``folder``.

    Raises:
        SpecError: the key is that of no finished stage, of several, or of one without a model; or ``folder`` is taken.
        StoreError: there is no such store, or a file of the stage was altered.
    """
    store = existing(store_path)
    with plainly(store.root):
        record = find_stage(store, key)
        scores = copy_model(store, record, folder)
    if as_json:
        print_json({"folder": str(folder), "key": record.key, "scores": [score._asdict() for score in scores]})
        return
    measured = len(dict.fromkeys(score.task for score in scores))
    told = f"with scores on {measured} task{'s' if measured > 1 else ''}" if scores else "which nothing was measured on"
    output().print(f"{record.title}, {told}.\nModel: {folder}")


def find_stage(store: Store, key: str) -> Record:
    """The finished stage of that key, or of the only one that begins so, with ``train-`` or without, and has a model.

    Raises:
        SpecError: there is none, there are several, or it has no model.
    """
    keys = store.finished()
    found = [each for each in keys if key and key in (each, each.partition("-")[2])]
    found = found or [each for each in keys if key and (each.startswith(key) or each.partition("-")[2].startswith(key))]
    if not found:
        raise SpecError(
            f"No finished stage has the key {key!r} ({nearest(key, keys)}) isthmus status STUDY --keys shows keys."
        )
    if len(found) > 1:
        shown = ", ".join(found[:3]) + (", ..." if len(found) > 3 else "")
        raise SpecError(f"{len(found)} finished stages have keys that begin with {key!r} ({shown}): give more of it.")
    record = store.record(found[0])
    if record is None or not (store.stage_folder(found[0]) / "model").is_dir():
        raise SpecError(f"{found[0]} has no model: name a stage of the kind train or model.")
    return record


def check_free(folder: Path, option: str) -> None:
    """Refuse a folder that has something in it. Raises SpecError."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise SpecError(f"{option} {folder} is there already and not an empty folder: choose another name.")


def copy_model(store: Store, record: Record, folder: Path) -> list[CardScore]:
    """Copy the model of a finished stage in one step: half a model is never found under the name.

    Returns:
        The scores that its card has.

    Raises:
        SpecError: ``folder`` has something in it, or cannot be written.
        StoreError: a file of the stage was altered.
    """
    check_free(folder, "The folder")
    if damage := store.damage(record.key):
        raise StoreError(f"{damage[0]}: run the study again, which makes it anew.")
    scores = list(test_scores(store, record))
    whole = folder.expanduser().absolute()
    beside = whole.with_name(f".{whole.name}.unfinished")
    with writing_to(folder):
        shutil.rmtree(beside, ignore_errors=True)
        try:
            shutil.copytree(store.stage_folder(record.key) / "model", beside)
            _complete(beside, record, scores)
            beside.rename(whole)
        finally:
            shutil.rmtree(beside, ignore_errors=True)
    return scores


def _complete(folder: Path, record: Record, scores: Sequence[CardScore]) -> None:
    """Write the scores into the card; that of a model as it was found is its authors', and stays as it is above."""
    if record.function != "model":
        write_card(folder, record.result["history"], scores)
    elif scores:
        with (folder / _CARD).open("a", encoding="utf-8") as card:
            card.write(f"\n{score_section(scores)}")


def test_scores(store: Store, model: Record) -> Iterator[CardScore]:
    """The scores of all predictions of a model: of each task the mean over languages, if there are several, and each.

    Of two scores of one task in a language the one over more examples counts.
    """
    found: dict[tuple[str, str, str], dict[str, Statistics]] = {}
    for key in store.finished():
        record = store.record(key)
        predicted = store.record(record.inputs["predictions"]) if record and record.function == "score" else None
        if record is None or predicted is None or predicted.inputs["model"] != model.key:
            continue
        place = (_task_of(store, predicted), str(predicted.identity["kind"]), record.result["metric"])
        languages = found.setdefault(place, {})
        for tag, statistics in statistics_of(record, store).items():
            more = tag not in languages or len(languages[tag].ids) < len(statistics.ids)
            if more and statistics.ids and isfinite(record.result["scores"][tag]):
                languages[tag] = statistics
    tuned = tuned_languages(model.result.get("history", ()))
    for (task, kind, name), languages in sorted(found.items()):
        if languages:
            yield from _of_task(task, kind, name, languages, tuned)


def _of_task(
    task: str, kind: str, name: str, languages: Mapping[str, Statistics], tuned: Sequence[str]
) -> Iterator[CardScore]:
    each, mean = score_intervals(languages, metric(name).reduce)
    examples = {tag: len(statistics.ids) for tag, statistics in languages.items()}
    if len(each) > 1:
        marked = any(tag in tuned for tag in each)
        yield CardScore(task, kind, f"mean of {len(each)}", name, *mean, sum(examples.values()), marked)
    for tag, score in each.items():
        yield CardScore(task, kind, tag, name, *score, examples[tag], tag in tuned)


def _task_of(store: Store, predicted: Record) -> str:
    """The name of the task that predictions were made on: names are in no record, as they name no result."""
    try:
        told = json.loads((store.stage_folder(predicted.key) / "stage.json").read_text(encoding="utf-8"))
        return str(told["hints"]["task"])
    except (OSError, ValueError, KeyError):
        return predicted.title
