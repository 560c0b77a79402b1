"""``isthmus view``, once its arguments are read."""

from dataclasses import dataclass
from pathlib import Path

from isthmus.commands.studies_kept import kept_or_named
from isthmus.commands.views import existing
from isthmus.view.live import Studies
from isthmus.view.server import Said, as_json, serve


@dataclass(frozen=True)
class How:
    """How studies are shown: the port, whether a browser is opened, with or without test examples, as JSON or not."""

    port: int
    open_browser: bool
    examples: bool
    as_json: bool


def view(name: str | None, store_path: Path, how: How) -> None:
    """Serve the studies of a store until interrupted.

    Raises:
        StoreError: there is no store.
        SpecError: there is no study of that name, and no file.
        ResourceError: the port is in use, or may not be used.
    """
    store = existing(store_path)
    study = kept_or_named(name, store) if name else None
    kept = study is not None and name == study.name and store.study_folder(study.name).is_dir()

    def tell(said: Said) -> None:
        if how.as_json:
            print(as_json(said), flush=True)
            return
        what = study.name if study else f"the studies in {store.root}"
        print(
            f"Showing {what} at {said.url}\nThe address is a secret of this machine's user; Ctrl-C ends it.", flush=True
        )

    studies = Studies(store, None if kept else study, how.examples)
    serve(studies, how.port, study.name if study else None, tell, how.open_browser)
