"""The studies that a store keeps, as they were last run."""

from collections.abc import Iterator
from contextlib import ExitStack, chdir, contextmanager, suppress
from pathlib import Path

from isthmus import api
from isthmus.errors import SpecError, StoreError, nearest
from isthmus.planning.plan import Plan
from isthmus.store import Store
from isthmus.study.file import read_study
from isthmus.study.spec import Study


def kept_studies(store: Store) -> dict[str, Path]:
    """The files of the studies that were run in the store, by their names."""
    return {path.parent.name: path for path in sorted((store.root / "studies").glob("*/study.yaml"))}


def last_run(store: Store) -> str:
    """The name of the study that was run last. Raises StoreError when none was."""
    kept = kept_studies(store)
    if not kept:
        raise StoreError(f"No study has been run in {store.root}: run one first, with isthmus run STUDY.")
    return max(kept, key=lambda name: kept[name].stat().st_mtime)


def kept_or_named(name: str, store: Store) -> Study:
    """The study as it was last run in the store, or the file or built-in study of that name."""
    kept = kept_studies(store)
    if name in kept:
        return read_study(kept[name])
    if name in api.built_in_studies() or Path(name).suffix or Path(name).exists():
        return api.load_study(name)
    raise SpecError(f"No study called {name} was run in {store.root}: {nearest(name, kept)}")


@contextmanager
def where_it_was_run(name: str, store: Store) -> Iterator[None]:
    """While inside, relative names of files and folders mean what they meant to the run of a study that was kept."""
    with ExitStack() as stack:
        with suppress(OSError):  # not kept by a run, or gone by now
            folder = (store.study_folder(name) / "folder.txt").read_text(errors="surrogateescape")
            stack.enter_context(chdir(folder))
        yield


def plan_of(name: str, store: Store) -> Plan:
    """The plan, for looking, of a study that the store keeps, or of the file or built-in study of that name."""
    study = kept_or_named(name, store)
    with where_it_was_run(name, store):
        return api.plan_to_look(study, store)
