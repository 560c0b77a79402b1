"""``isthmus plan``: what a study would run, what of it is shared and done, what the rest will take, and what fits."""

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.text import Text

from isthmus import api
from isthmus.api import Resources
from isthmus.commands import tables
from isthmus.commands.plan_views import facts_of, note_of
from isthmus.commands.progress import preparing
from isthmus.commands.views import output, planned_for, print_json, say_notes
from isthmus.errors import SpecError
from isthmus.planning.calibration import Measured, calibrate
from isthmus.planning.cost import Estimate, Fit, estimates_and_error
from isthmus.planning.forecast import Offer, Shared, alone, schedule, sharing, smaller
from isthmus.planning.plan import Plan
from isthmus.planning.rates import rates_of
from isthmus.running.runner import State, states_of
from isthmus.stage import Settings
from isthmus.store import Store
from isthmus.study.spec import NONE

_STORE = Path("store")  # where `--store` is not given
_UNITS = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}


@dataclass(frozen=True)
class Asked:
    """What a person asks of ``isthmus plan``.

    Attributes:
        price: of an hour of one worker, in any currency; None where money is not spoken of.
        budget: as typed: ``6h``, ``30m``, or money.
    """

    study: str
    changes: tuple[str, ...]
    store: Path
    resources: Resources
    price: float | None = None
    budget: str | None = None
    calibrate: bool = False
    as_json: bool = False
    keys: bool = False
    all_stages: bool = False


class Forecast(NamedTuple):
    """A plan with all that is known and expected of it.

    Attributes:
        states: of each stage.
        costs: of each stage.
        fit: how near estimates are to what finished stages took; None where none is.
        left: seconds that stages to do, or under way, will still take.
        ends: when each of them ends, in seconds from now.
        workers: stages at once.
    """

    plan: Plan
    states: Mapping[str, State]
    costs: Mapping[str, Estimate]
    fit: Fit | None
    left: Mapping[str, float]
    ends: Mapping[str, float]
    workers: int
    measured: str

    @property
    def seconds(self) -> float:
        """From now until all is done."""
        return max(self.ends.values(), default=0.0)

    @property
    def bytes(self) -> int:
        """That stages to do will write."""
        return sum(self.costs[key].bytes for key in self.left)

    def complete(self, limit: float) -> list[bool]:
        """Which chains are done within ``limit`` seconds."""
        ends = ((chain.score or chain.model) for chain in self.plan.chains)
        return [self.ends.get(key, 0.0) <= limit for key in ends]


def show_plan(asked: Asked) -> None:
    """``isthmus plan``."""
    limit = _limit(asked)
    study = api.load_study(asked.study, asked.changes)
    store = Store.open(asked.store)
    planned = planned_for(study, store, "scores", quiet=asked.as_json)
    workers, settings = asked.resources.settle()
    measured = None
    if asked.calibrate:
        with preparing(asked.as_json) as say:
            measured = calibrate(planned, store, settings, say)
    forecast = forecast_of(planned, store, workers, settings)
    offer = None
    if limit is not None and forecast.seconds > limit:
        offer = smaller(planned, forecast.left, workers, limit)
    if asked.as_json:
        print_json(_json(asked, forecast, limit, offer, measured))
        return
    say_notes(planned)
    console = output()
    _show_stages(console, asked, forecast)
    for line in _summary(asked, forecast, measured):
        console.print(line, soft_wrap=False)
    if limit is not None:
        for line in _fitting(asked, forecast, limit, offer):
            console.print(line, soft_wrap=True)


def forecast_of(plan: Plan, store: Store, workers: int, settings: Settings) -> Forecast:
    """What is known and expected of a plan."""
    states = states_of(plan, store)
    costs, fit = estimates_and_error(plan, store, settings)
    left = {}
    for key, state in states.items():
        if state is not State.DONE:
            spent = float(store.progress(key).get("seconds", 0)) if state is State.RUNNING else 0.0
            left[key] = max(0.0, costs[key].seconds - spent)
    ends = schedule(plan, left, workers)
    return Forecast(plan, states, costs, fit, left, ends, workers, rates_of(store, settings).measured)


def _limit(asked: Asked) -> float | None:
    """The budget in seconds. Raises SpecError where it is neither a time nor, with a price, money."""
    if asked.price is not None and not 0 < asked.price < inf:
        raise SpecError("--price is of an hour of one worker, above 0.")
    if asked.budget is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]*)", asked.budget.strip().lower())
    if found and found[2] in _UNITS:
        return float(found[1]) * _UNITS[found[2]]
    if found and not found[2] and asked.price is not None:
        return float(found[1]) / (asked.price * asked.resources.settle()[0]) * 3600
    told = "a time such as 6h, 30m or 90s" + ("" if asked.price is not None else ", or money where --price is given")
    raise SpecError(f"--budget takes {told}, not {asked.budget!r}.")


def _money(asked: Asked, seconds: float, workers: int) -> float | None:
    return None if asked.price is None else seconds / 3600 * workers * asked.price


def _show_stages(console: Console, asked: Asked, forecast: Forecast) -> None:
    """The stages of a small plan, or all when asked for; of a large one, how many chains of each kind are done."""
    plan = forecast.plan
    if len(plan.stages) <= tables.MOST or asked.all_stages or asked.keys:
        expected = {key: cost.seconds for key, cost in forecast.costs.items()}
        notes = {key: note for key in plan.stages if (note := note_of(plan, key))}
        console.print(tables.stage_table(plan, forecast.states, expected, asked.keys, asked.all_stages, notes))
        return
    for line in grid(plan, forecast.states, console.width):
        console.print(line, soft_wrap=True)
    console.print(Text("Chains done, of those planned. --all lists the stages.", style="dim"))


def grid(plan: Plan, states: Mapping[str, State], width: int) -> list[str]:
    """Chains done and planned by intermediate and target, a grid for each model and recipe; in blocks of ``width``."""
    counts: dict[str, dict[str, dict[str, list[bool]]]] = {}
    names = tables.short_names(plan.study.models)
    for chain in plan.chains:
        done = states[chain.score or chain.model] is State.DONE
        setting = tables.shortened(chain.chain.setting, names)
        row = counts.setdefault(setting, {}).setdefault(chain.chain.intermediate, {})
        row.setdefault(chain.chain.target, []).append(done)
    targets = list(dict.fromkeys(chain.chain.target for chain in plan.chains))
    lines: list[str] = []
    for setting, rows in counts.items():
        lines += [f"{setting}:"] if len(counts) > 1 else []
        first = max(len(name) for name in (*rows, "before"))
        for block in _blocks(targets, width - first):
            lines.append("before".ljust(first) + "".join(f"  {target:>5}" for target in block))
            for name, row in rows.items():
                cells = [_cell(row.get(target, [])).rjust(max(5, len(target))) for target in block]
                lines.append(name.ljust(first) + "".join(f"  {cell}" for cell in cells))
            lines.append("")
    return lines[:-1]


def _blocks(names: Sequence[str], width: int) -> list[list[str]]:
    """Names in groups that fit beside each other, each at least five characters wide and two apart."""
    blocks: list[list[str]] = [[]]
    for name in names:
        if blocks[-1] and sum(max(5, len(each)) + 2 for each in (*blocks[-1], name)) > width:
            blocks.append([])
        blocks[-1].append(name)
    return blocks


def _cell(done: Sequence[bool]) -> str:
    return f"{sum(done)}/{len(done)}" if done else "-"


def _summary(asked: Asked, forecast: Forecast, measured: Measured | None) -> list[str]:
    """What there is to do, what it will take, and what is shared."""
    plan, done = forecast.plan, len(forecast.states) - len(forecast.left)
    each = ", ".join(f"{one.apart:,} if no {one.axis} shared any" for one in sharing(plan))
    lines = [
        f"\n{len(plan.chains):,} chains in {len(plan.stages):,} stages; one by one they would take {alone(plan):,}"
        f"{f' ({each})' if each else ''}."
    ]
    if measured:
        lines.append(_calibrated(measured))
    if forecast.left:
        workers = f"{forecast.workers} worker{'s' if forecast.workers > 1 else ''}"
        told = f"about {tables.duration(forecast.seconds)} with {workers}"
        money = _money(asked, forecast.seconds, forecast.workers)
        cost = "" if money is None else f", {money:,.2f} at {asked.price:g} an hour of a worker"
        lines.append(
            f"{len(forecast.left):,} to do, {done:,} finished: {told}, and {tables.size(forecast.bytes)} of disk{cost}."
        )
        lines.append(_trust(forecast))
    else:
        lines.append("Nothing to do: every stage is finished.")
    if any(stage.function == "train" for stage in plan.stages.values()):
        lines.append("Every training begins with a fresh head, but those that say otherwise.")
    if NONE not in plan.study.intermediates:
        lines.append(f"There is no baseline: add `{NONE}` to intermediates to see gains.")
    return lines


def _calibrated(measured: Measured) -> str:
    return (
        f"Measured with {measured.model}: {measured.train:,.0f} tokens a second in training, {measured.predict:,.0f} "
        f"in prediction, {measured.load:.1f} seconds to load, {measured.write / 1e6:,.0f} MB a second written."
    )


def _trust(forecast: Forecast) -> str:
    """What the estimate of time rests on."""
    base = "a calibration of this machine" if forecast.measured else "a guess (--calibrate measures this machine)"
    if forecast.fit is None:
        return f"The time rests on {base}."
    fit = forecast.fit
    ratio = fit.expected / fit.seconds
    return (
        f"The time rests on {base} and on what has finished, by which it is corrected: {fit.stages:,} stages were "
        f"expected to take {ratio:.2f} times what they took."
    )


def _fitting(asked: Asked, forecast: Forecast, limit: float, offer: Offer | None) -> list[str]:
    """What is done within the budget, and which smaller study would be."""
    fits = forecast.complete(limit)
    money = (asked.budget or "").replace(".", "").isdecimal()
    within = f"Within {asked.budget}{f' ({tables.duration(limit)})' if money else ''}"
    if all(fits):
        return [f"{within}: all {len(fits):,} chains."]
    lines = [f"{within}: {sum(fits):,} of {len(fits):,} chains, in the order in which a run takes them."]
    full = _filled(forecast.plan, fits)
    if full:
        lines.append(f"Whole are then: {', '.join(full)}.")
    if offer is None:
        lines.append("Not even one seed of one intermediate fits: take fewer targets, rows or test_examples.")
        return lines
    lines.append(
        f"To compare all that is left, drop {' and '.join(offer.dropped)}: {offer.chains:,} chains, about "
        f"{tables.duration(offer.seconds)}:\n  {_command(asked, offer)}"
    )
    return lines


def _command(asked: Asked, offer: Offer) -> str:
    """What runs the smaller study, as it was asked for otherwise."""
    flags = [part for change in (*asked.changes, *offer.changes) for part in ("--set", change)]
    if asked.resources.workers is not None:
        flags += ["--workers", str(asked.resources.workers)]
    if asked.resources.device != Resources.device:
        flags += ["--device", asked.resources.device]
    if asked.store != _STORE:
        flags += ["--store", str(asked.store)]
    return shlex.join(["isthmus", "run", asked.study, *flags])


def _filled(plan: Plan, fits: Sequence[bool]) -> list[str]:
    """The intermediates all of whose chains are done."""
    by: dict[str, list[bool]] = {}
    for chain, done in zip(plan.chains, fits, strict=True):
        by.setdefault(chain.chain.intermediate, []).append(done)
    return [name for name, done in by.items() if all(done)]


def _json(
    asked: Asked, forecast: Forecast, limit: float | None, offer: Offer | None, measured: Measured | None
) -> dict[str, Any]:
    plan = forecast.plan
    found: dict[str, Any] = {
        "study": plan.study.name,
        "chains": len(plan.chains),
        "alone": alone(plan),
        "shared": [Shared(*one)._asdict() for one in sharing(plan)],
        "to_do": len(forecast.left),
        "workers": forecast.workers,
        "seconds": round(forecast.seconds, 1),
        "worker_seconds": round(sum(forecast.left.values()), 1),
        "bytes": forecast.bytes,
        "calibrated": forecast.measured or None,
        "finished": forecast.fit._asdict() if forecast.fit else None,
    }
    if asked.price is not None:
        found["cost"] = _money(asked, forecast.seconds, forecast.workers)
    if measured:
        found["calibration"] = {**measured._asdict(), "rates": vars(measured.rates)}
    if limit is not None:
        fits = forecast.complete(limit)
        told = {"seconds": limit, "chains": sum(fits), "fits": all(fits)}
        found["budget"] = {**told, "offer": vars(offer) if offer else None}
    return {**found, "stages": _stages_json(forecast)}


def _stages_json(forecast: Forecast) -> list[dict[str, Any]]:
    return [
        {
            "key": key,
            "title": stage.title,
            "function": stage.function,
            "needs": list(stage.inputs.values()),
            **facts_of(forecast.plan, key),
            "state": str(forecast.states[key]),
            "seconds": round(forecast.costs[key].seconds, 1),
            "ends": round(forecast.ends[key], 1) if key in forecast.ends else None,
        }
        for key, stage in forecast.plan.stages.items()
    ]
