"""Trackers that a run asks for: TensorBoard, Weights & Biases, MLflow and whatever else accelerate knows.

A stage files its run under the study's name, with its title and the beginning of its key. A training tells loss,
learning rate and dev scores while it trains, a score stage its scores. Trackers are told of results and make none: they
are in no key, and what goes wrong in one is a warning of the stage.

A training that goes on after an interruption goes over some steps again, and gets the same figures: what was told
before is not told twice.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isthmus.disk import write_atomic
from isthmus.errors import MissingPackage, SpecError, nearest
from isthmus.results import CurvePoint
from isthmus.stage import Json

if TYPE_CHECKING:
    from isthmus.running.execute import Context
    from isthmus.train.loop import Training

After = Callable[["Training"], None]

#: In the folder of a study: the files of trackers that write some.
FOLDER = "trackers"
_TOLD = "tracked.json"
_IN_NO_NAME = re.compile(r"[^\w .,>+@=()-]")


def check(names: Iterable[str]) -> None:
    """Are these trackers that there are, and that can be used here?

    Raises:
        SpecError: accelerate knows none of that name.
        MissingPackage: its package is not installed.
    """
    for name in names:
        kind = _classes().get(name)
        if kind is None:
            raise SpecError(f"--tracker: there is no tracker {name!r}: {nearest(name, _classes())}")
        if kind.__module__ == "accelerate.tracking" and find_spec(name) is None:
            extra = "tracking" if name == "tensorboard" else None
            raise MissingPackage(name, f"--tracker {name}", extra)


def _classes() -> dict[str, Any]:
    """The classes of trackers by name: those of accelerate, and those that were registered with it."""
    from accelerate.tracking import LOGGER_TYPE_TO_CLASS

    return {str(getattr(name, "value", name)): kind for name, kind in LOGGER_TYPE_TO_CLASS.items()}


class Trackers:
    """The trackers of one stage. One in which something goes wrong is left out from then on."""

    def __init__(self, context: "Context", facts: Mapping[str, Json], goes_on: bool = False) -> None:
        """Begin the stage's run in each tracker, with ``facts`` to find it by, unless it ``goes_on``."""
        self._context = context
        self._open: dict[str, Any] = {}
        for name in context.settings.trackers:
            self._try(name, lambda name=name: self._begin(name, facts, goes_on))  # type: ignore[misc]

    def tell(self, values: Mapping[str, float], step: int) -> None:
        """Log figures by name, as they are after ``step`` steps."""
        for name, tracker in list(self._open.items()):
            self._try(name, lambda tracker=tracker: tracker.log(dict(values), step=step))  # type: ignore[misc]

    def finish(self) -> None:
        """End the runs: what was told is kept."""
        for name, tracker in list(self._open.items()):
            self._try(name, tracker.finish)

    def _begin(self, name: str, facts: Mapping[str, Json], goes_on: bool) -> None:
        context = self._context
        project = context.settings.project
        run = f"{_IN_NO_NAME.sub('_', context.stage.title)[:160]} {context.stage.key.rpartition('-')[2][:6]}"
        folder = context.store.study_folder(project) / FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        tracker = _made(name, _classes()[name], project, run, context.stage.key, folder)
        tracker.start()
        self._open[name] = tracker
        if goes_on:
            return
        if name == "tensorboard":  # its way of storing a configuration adds a second run
            tracker.log({"stage": json.dumps(dict(facts), indent=1)}, step=0)
        else:
            tracker.store_init_configuration(_simple(facts))

    def _try(self, name: str, what: Callable[[], object]) -> None:
        try:
            what()
        except Exception as error:
            self._open.pop(name, None)
            said = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            self._context.warnings.append(f"the tracker {name} was left out: {said}")


def _made(name: str, kind: Any, project: str, run: str, key: str, folder: Path) -> Any:
    """A tracker of that kind: each has its own way of being told the project and the name of the run."""
    ways: dict[str, Callable[[], Any]] = {
        "aim": lambda: kind(run, logging_dir=str(folder), experiment=project),
        "clearml": lambda: kind(None, project_name=project, task_name=run),
        "dvclive": lambda: kind(project, dir=str(folder / run), resume=True),
        "mlflow": lambda: kind(experiment_name=project, run_name=run),
        "swanlab": lambda: kind(project, experiment_name=run, logdir=str(folder)),
        "trackio": lambda: kind(project, name=run, resume="allow"),
        "wandb": lambda: kind(project, name=run, id=key, resume="allow", dir=str(folder)),
    }
    if name in ways:
        return ways[name]()
    return kind(run, logging_dir=str(folder)) if kind.requires_logging_directory else kind(run)


def _simple(facts: Mapping[str, Json]) -> dict[str, Json]:
    """The facts as what every tracker can keep."""
    return {
        name: value if isinstance(value, bool | int | float | str) else json.dumps(value)
        for name, value in facts.items()
    }


@contextmanager
def following(context: "Context", after: After) -> Iterator[After]:
    """What happens ``after`` each step of a training, and that the stage's trackers are told of it."""
    from isthmus.train.distributed import is_first

    if not context.settings.trackers or not is_first():
        yield after
        return
    follower = _Follower(context)

    def told(training: "Training") -> None:
        try:
            after(training)
        finally:
            follower.tell(training)

    try:
        yield told
    finally:
        follower.trackers.finish()


class _Follower:
    """Tells trackers what is new since the step that was told last, which is kept beside the checkpoints."""

    def __init__(self, context: "Context") -> None:
        self._path = context.work / _TOLD
        self._last = _step_in(self._path)
        identity = context.stage.identity
        facts = {"stage": context.stage.title, "key": context.stage.key, "seed": identity["seed"]}
        self.trackers = Trackers(context, {**facts, **identity["recipe"]}, goes_on=self._last > 0)

    def tell(self, training: "Training") -> None:
        """Tell what the last step has completed."""
        found = _figures(training, self._last)
        if not found:
            return
        for step in sorted(found):
            self.trackers.tell(found[step], step)
        self._last = max(found)
        write_atomic(self._path, json.dumps({"step": self._last}).encode())


def _step_in(path: Path) -> int:
    try:
        return int(json.loads(path.read_bytes())["step"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0


def _figures(training: "Training", told: int) -> dict[int, dict[str, float]]:
    """The figures of steps after ``told``, by step: complete points of the learning curves, and dev scores."""
    several = len(training.members) > 1
    found: dict[int, dict[str, float]] = {}
    for curve in training.dev:
        if curve.step > told:
            name = f"dev/{curve.member}/" if several else "dev/"
            found.setdefault(curve.step, {})[f"{name}{curve.language}/{curve.metric}"] = curve.score
    if found or training.completed_point() or training.is_over():
        for point in _complete(training):
            if point.step > told:
                name = f"loss/{point.member}" if several else "loss"
                found.setdefault(point.step, {}).update({name: point.loss, "learning_rate": point.learning_rate})
    return found


def _complete(training: "Training") -> list[CurvePoint]:
    """The points of the learning curves that no further step changes."""
    if training.is_over():
        return training.curve
    done = training.schedule.member[: training.step]
    open_ones = {
        member.name for number, member in enumerate(training.members) if int((done == number).sum()) % training.every
    }
    last = {point.member: point for point in training.curve if point.member in open_ones}
    return [point for point in training.curve if last.get(point.member) is not point]


def tell_scores(context: "Context", result: Mapping[str, Json]) -> None:
    """Tell the trackers of a score stage what it found."""
    if not context.settings.trackers:
        return
    trackers = Trackers(context, {"stage": context.stage.title, "key": context.stage.key})
    every = {result["metric"]: result["scores"], **result.get("also", {})}
    values = {f"{name}/{tag}": value for name, scores in every.items() for tag, value in scores.items()}
    trackers.tell(values, 0)
    trackers.finish()
