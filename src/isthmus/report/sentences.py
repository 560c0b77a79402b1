"""The answer in words. A difference is only called one when it is shown; what is not shown is said as such."""

from collections.abc import Iterable, Mapping, Sequence

from isthmus.report.findings import Average, Comparison, Direction, GroupEffect
from isthmus.report.words import DAGGER, count, dagger, intermediate, listing, number, points

Cells = Sequence[Comparison]


def headline(comparisons: Cells, averages: Sequence[Average], finished: int, chains: int) -> str:
    """The sentence at the top, one for each model."""
    cells = [cell for cell in comparisons if cell.zero_shot]
    so_far = f"So far ({finished} of {chains} chains): " if 0 < finished < chains else ""
    if not cells:
        return so_far + _nothing(comparisons, finished, chains)
    models = list(dict.fromkeys(cell.model for cell in cells))
    answers = []
    for model in models:
        of_model = [cell for cell in cells if cell.model == model]
        answer = _answer(of_model, [average for average in averages if average.model == model])
        answers.append(f"With {model}: {answer}" if len(models) > 1 else answer)
    return so_far + " ".join(answers)


def _nothing(comparisons: Cells, finished: int, chains: int) -> str:
    if comparisons:
        return "Nothing to say of other languages: only the language of the training data has been scored."
    if finished == 0:
        return f"No answer yet: none of the study's {count(chains, 'chain')} has been scored."
    return "No answer: a gain needs scores with an intermediate task and scores with `none` on the same target."


def _answer(cells: Cells, averages: Sequence[Average]) -> str:
    """Of one model."""
    winners = [cell for target in _targets(cells) if (cell := _best(cells, target)) and _direction(cell) == "up"]
    if winners:
        return _train_first(cells, winners, averages)
    if len({cell.intermediate for cell in cells}) == 1:
        return _only_one(cells, averages)
    if all(_direction(cell) == "down" for cell in cells):
        lost = sorted(-_estimate(cell) for cell in cells)
        return (
            "Train on the target alone: every intermediate task lowers the zero-shot scores, "
            f"by {number(lost[0])} to {number(lost[-1])} points{_though(cells)}."
        )
    return _none_helps(cells, averages)


def _train_first(cells: Cells, winners: Cells, averages: Sequence[Average]) -> str:
    """Some target has an intermediate task that is shown to help it."""
    targets = _targets(cells)
    clauses = []
    for name in dict.fromkeys(cell.intermediate for cell in winners):
        won = [cell for cell in winners if cell.intermediate == name]
        on_all = next((one for one in averages if one.intermediate == name and one.name == "all targets"), None)
        if len(won) == len(targets) == 1:
            what = f": {_over(won[0])}{_hurt(won[0])}"
        elif len(won) == len(targets) and on_all:
            what = f": {_on_average(on_all)}"
        else:
            what = " for " + listing([f"{cell.target} ({_over(cell)}{_hurt(cell)})" for cell in won], most=6)
        clauses.append(f"on {intermediate(name)} first{what}")
    rest = [target for target in targets if target not in {cell.target for cell in winners}]
    helpless = f"; nothing is shown to help {listing(rest)}" if rest else ""
    return f"Train {listing(clauses, most=9)}{helpless}."


def _hurt(cell: Comparison) -> str:
    """The languages that the advice is shown to harm, the worst first."""
    names = [f"{row.name}{dagger(row.tuned)}" for row in cell.languages if row.effect.direction == "down"]
    return f"; it hurts {listing(names[::-1])}" if names else ""


def _only_one(cells: Cells, averages: Sequence[Average]) -> str:
    name = intermediate(cells[0].intermediate)
    if all(_direction(cell) == "down" for cell in cells):
        return f"Do not train on {name} first: {_everywhere(cells, averages)}{_though(cells)}."
    return f"Training on {name} first is not shown to help: {_everywhere(cells, averages)}."


def _none_helps(cells: Cells, averages: Sequence[Average]) -> str:
    on_all = [average for average in averages if average.name == "all targets"]
    if on_all:
        best = max(on_all, key=lambda average: average.effect.gain.estimate).intermediate
    else:
        best = max(cells, key=_estimate).intermediate
    of_best = [cell for cell in cells if cell.intermediate == best]
    harmful = list(dict.fromkeys(cell.intermediate for cell in cells if _direction(cell) == "down"))
    hurt = ""
    if harmful:
        everyone = len(harmful) == len({cell.intermediate for cell in cells})
        names = "every one" if everyone else listing([intermediate(name) for name in harmful])
        verb = "lowers" if everyone or len(harmful) == 1 else "lower"
        hurt = f"; {names} {verb}{' some of' if len(_targets(cells)) > 1 else ''} the scores"
    found = f"the best, {intermediate(best)}, gives {_everywhere(of_best, averages)}"
    return f"No intermediate task is shown to help: {found}{hurt}."


def _everywhere(of_one: Cells, averages: Sequence[Average]) -> str:
    """The gains of one intermediate task, on average if that can be had, else target by target."""
    name = of_one[0].intermediate
    on_all = next((one for one in averages if one.intermediate == name and one.name == "all targets"), None)
    if on_all:
        return _on_average(on_all)
    if len(of_one) == 1:
        return _over(of_one[0])
    return listing([f"{_over(cell)} on {cell.target}" for cell in of_one])


def _on_average(of: Average) -> str:
    """``+2.1 [1.4, 2.8] on average over 2 targets and 41 languages``."""
    languages = f"{count(of.languages, 'language')}{dagger(of.tuned)}"
    return f"{points(of.effect.gain)} on average over {len(of.targets)} targets and {languages}"


def _though(cells: Cells) -> str:
    """What misleads most: the training language gains and the others lose."""
    diverging = [cell for cell in cells if cell.training and cell.training.effect.direction == "up"]
    if not diverging:
        return ""
    languages = _distinct(cell.training.name for cell in diverging if cell.training)
    return f", though {languages} gains from {_distinct(intermediate(cell.intermediate) for cell in diverging)}"


def details(comparisons: Cells, training_language: Mapping[str, str | None]) -> tuple[str, ...]:
    """What goes with the answer: the best on each target, then where training and other languages part."""
    several = len({cell.model for cell in comparisons}) > 1
    sentences = []
    for model, target in dict.fromkeys((cell.model, cell.target) for cell in comparisons):
        best = _best([cell for cell in comparisons if cell.model == model], target)
        if best is None:
            continue
        where = f"{target} with {model}" if several else target
        zero_shot = "zero-shot " if training_language.get(target) else ""
        sentence = f"{where}: best is {intermediate(best.intermediate)}, {zero_shot}{_over(best)}"
        if best.training:
            sentence += f" and {points(best.training.effect.gain)} in {best.training.name}"
        sentences.append(f"{sentence}{_lead(best)}.")
    for cell in comparisons:
        if cell.zero_shot and cell.training and {_direction(cell), cell.training.effect.direction} == {"up", "down"}:
            sentences.append(
                f"{cell.target} after {intermediate(cell.intermediate)}: {cell.training.name} and the other languages "
                f"part, {points(cell.training.effect.gain)} against {_over(cell)}."
            )
    return tuple(sentences)


def _lead(best: Comparison) -> str:
    if best.lead is None:
        return ""
    other, ahead = intermediate(best.lead.over), f"{points(best.lead.effect.gain)}{dagger(best.lead.tuned)}"
    if best.lead.effect.direction == "up":
        return f"; ahead of the next, {other}, by {ahead}"
    return f"; not shown to be better than {other} (ahead by {ahead})"


def footnote(languages: Sequence[str]) -> str:
    """What the mark at scores in these languages (names), and at means that have them, says; nothing without any."""
    if not languages:
        return ""
    names = listing(sorted(languages), most=12)
    return (
        f"{DAGGER} Not zero-shot: dev rows in {names} decided when a training stopped, or which checkpoint was kept; "
        f"means that include {'it' if len(languages) == 1 else 'them'} are marked, too."
    )


def caveats(comparisons: Cells, finished: int, chains: int, warnings: int) -> tuple[str, ...]:
    """What the figures do not cover, and that stages raised ``warnings``."""
    sentences = []
    if warnings:
        sentences.append(f"{count(warnings, 'warning')}, of collapsed runs for example: see Problems.")
    if finished < chains:
        sentences.append(
            f"{finished} of {count(chains, 'chain')} have scores; what is missing is listed under Problems."
        )
    seeds = sorted({len(cell.seeds) for cell in comparisons})
    if seeds and seeds[0] == 1:
        some = "" if len(seeds) == 1 else " for some of the figures"
        sentences.append(
            f"One seed{some}: the intervals cover the choice of test examples only, "
            "not how much results vary between seeds."
        )
    elif seeds and seeds[0] == 2:
        sentences.append("Two seeds say little about how much results vary between seeds: hence wide intervals.")
    thin = sorted({row.name for cell in comparisons for row in cell.languages if row.effect.gain.groups < 20})
    if thin:
        sentences.append(f"Fewer than 20 independent test items in {listing(thin)}: read these intervals with care.")
    return tuple(sentences)


def _best(cells: Cells, target: str) -> Comparison | None:
    of_target = [cell for cell in cells if cell.target == target and cell.zero_shot]
    return max(of_target, key=_estimate, default=None)


def _targets(cells: Cells) -> list[str]:
    return list(dict.fromkeys(cell.target for cell in cells))


def _distinct(names: Iterable[str]) -> str:
    return listing(list(dict.fromkeys(names)))


def _zero_shot(cell: Comparison) -> GroupEffect:
    assert cell.zero_shot is not None  # the callers leave such cells out
    return cell.zero_shot


def _estimate(cell: Comparison) -> float:
    return _zero_shot(cell).effect.gain.estimate


def _direction(cell: Comparison) -> Direction:
    return _zero_shot(cell).effect.direction


def _over(cell: Comparison) -> str:
    """``+2.1 [1.4, 2.8] over 41 languages``."""
    found = _zero_shot(cell)
    return f"{points(found.effect.gain)} over {count(len(found.languages), 'language')}{dagger(found.tuned)}"
