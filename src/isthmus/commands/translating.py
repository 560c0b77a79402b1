"""``isthmus translate``: the training rows of a task in other languages, as files."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from isthmus.commands.running import Run, failure, study_of, walk_plan
from isthmus.commands.views import output, planned_for, print_json, writing_to
from isthmus.data.catalog import read_rows
from isthmus.disk import replacing
from isthmus.errors import SpecError
from isthmus.planning.plan import Plan
from isthmus.stage import Stage
from isthmus.store import Store


def translate(
    task: str, fields: Mapping[str, Any], data: Mapping[str, Any], changes: Sequence[str], folder: Path | None, run: Run
) -> None:
    """Translate the training rows of ``task`` as ``fields`` (of `isthmus.study.spec.Translation`) say.

    Raises:
        SpecError: the task cannot be translated, or the folder cannot be written.
    """
    name = "translation"
    whole = {"name": "translate", "targets": [task], "models": [fields["translator"]], "train_on": {task: [name]}}
    study = study_of({**whole, **data, "translations": {name: {"task": task, **fields}}}, tuple(changes))
    store = Store.open(run.store)
    whole_plan = planned_for(study, store, "models", run.quiet)
    chosen = {key: stage for key, stage in whole_plan.stages.items() if stage.function == "translate"}
    needed = {need for stage in chosen.values() for need in stage.inputs.values()}
    stages = {key: stage for key, stage in whole_plan.stages.items() if key in chosen or key in needed}
    planned = Plan(study, stages, (), whole_plan.tasks, {key: whole_plan.reads[key] for key in stages})
    walked = walk_plan(planned, store, run)
    if problem := failure(walked):
        raise problem
    files = _write(task, chosen, store, folder) if folder is not None else {}
    told = {stage.identity["language"]: _account(store, key, files) for key, stage in chosen.items()}
    if run.as_json:
        print_json({"task": task, "languages": told})
        return
    for language, account in told.items():
        dropped = ", ".join(f"{count:,} {reason}" for reason, count in account["dropped"].items() if count)
        kept = f"{account['kept']:,} of {account['rows']:,} rows{f' (dropped: {dropped})' if dropped else ''}"
        place = account.get("file") or account["rows_file"]
        output().print(
            f"{language}: {kept}, {account['translated']:,} texts translated, {account['reused']:,} known before: "
            f"{place}"
        )


def _account(store: Store, key: str, files: Mapping[str, Path]) -> dict[str, Any]:
    """What a finished stage says it did, and where its rows are."""
    record = store.record(key)
    assert record is not None
    found = {**record.result, "rows_file": str(store.stage_folder(key) / "rows.arrow")}
    return {**found, "file": str(files[key])} if key in files else found


def _write(task: str, stages: Mapping[str, Stage], store: Store, folder: Path) -> dict[str, Path]:
    """The rows of each stage as JSON Lines, in the columns that files of one's own have."""
    if folder.exists() and not folder.is_dir():
        raise SpecError(f"--output {folder} is a file: name a folder.")
    files = {}
    with writing_to(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for key, stage in stages.items():
            path = folder / f"{Path(task).stem}.{stage.identity['language']}.jsonl"
            rows = read_rows(store.stage_folder(key) / "rows.arrow").to_pylist()
            with replacing(path) as temporary:
                temporary.write_text(
                    "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8"
                )
            files[key] = path
    print(f"{len(files)} files: {folder}", file=sys.stderr)
    return files
