"""Which stage is meant: by its key, the beginning of that, or words of its title."""

import json
from collections.abc import Collection, Mapping, Sequence
from difflib import get_close_matches

from isthmus.errors import SpecError
from isthmus.store import Store

_SHOWN = 5


def find(words: Sequence[str], titles: Mapping[str, str], needed: Collection[str] = ()) -> str:
    """The key of the stage that is meant; ``titles`` are those of all stages, by key.

    Of several that have a name in common it is the one that is ``needed``, if one is: stages of other versions and
    other settings may have its title.

    A key, with ``train-`` or without; the beginning of a key, if no other begins so; a title, a part of a title, or
    words that one title has.

    Raises:
        SpecError: there is no such stage, or there are several.
    """
    said = " ".join(words).strip()
    if not said:
        raise SpecError("Name a stage: its key, the beginning of it, or words of its title.")
    for found in (
        [key for key in titles if said in (key, key.partition("-")[2])],
        [key for key in titles if key.startswith(said) or (len(said) > 3 and key.partition("-")[2].startswith(said))],
        [key for key, title in titles.items() if title == said],
        [key for key, title in titles.items() if said.casefold() in title.casefold()],
        [key for key, title in titles.items() if all(word in _words(title) for word in _words(said))],
    ):
        wanted = [key for key in found if key in needed]
        if len(found) == 1 or len(wanted) == 1:
            return (wanted or found)[0]
        if found:
            shown = "; ".join(f"{titles[key]} ({key})" for key in found[:_SHOWN])
            more = f"; and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
            raise SpecError(f"{len(found)} stages are called {said!r}: {shown}{more}. Give the key, or more words.")
    near = get_close_matches(said, {*titles.values(), *(key[: len(said)] for key in titles)}, n=3, cutoff=0.6)
    hint = f"did you mean {' or '.join(near)}?" if near else "isthmus status STUDY --keys lists those of a study."
    raise SpecError(f"There is no stage {said!r}: {hint}")


def _words(title: str) -> list[str]:
    return [word.strip(",") for word in title.casefold().split()]


def titles_in(store: Store) -> dict[str, str]:
    """The titles of all stages in the store, finished or under way, by key."""
    found = {}
    for folder in (*(store.work_folder(key) for key in store.under_way()), *map(store.stage_folder, store.finished())):
        try:
            found[folder.name] = str(json.loads((folder / "stage.json").read_bytes())["title"])
        except (OSError, ValueError, KeyError, TypeError):
            found[folder.name] = ""
    return found
