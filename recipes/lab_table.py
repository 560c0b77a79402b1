"""The table of `recipes/lab.yaml` as Markdown, beside that of the paper: gains with intervals, and how far they agree.

python recipes/lab_table.py [--study recipes/lab.yaml] [--store lab-store]

Prints what the finished chains say, however many there are. Of a gain, the mean over the languages that the target is
not trained in, less that without an intermediate task.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from isthmus.api import load_study, results_of
from isthmus.report.findings import Comparison, Effect, Summary
from isthmus.report.summary import summarise
from isthmus.results import Results
from isthmus.store import Store

#: What stands for what: the intermediates of the study and the rows of the paper's table that they resemble.
LIKE = {
    "mnli-part": "MNLI",
    "snli-part": "ANLI+",
    "mrpc": "QQP",
    "squad-part": "SQuAD v1.1",
    "ccg-pmb": "CCG",
    "cosmosqa-part": "CosmosQA",
    "socialiqa": "CSQA",
}
COLUMNS = {
    "xnli": "XNLI",
    "pawsx": "PAWS-X",
    "ud-pud": "POS",
    "panx": "NER",
    "xquad": "XQuAD",
    "mlqa": "MLQA",
    "tydiqa-sw": "TyDiQA",
    "bucc2018": "BUCC",
    "tatoeba": "Tatoeba",
}
#: Gains of XLM-R large on the development sets (arXiv 2005.13013 v2, table 2), in the order of COLUMNS (questions: F1).
PAPER = {
    "ANLI+": (-0.8, -0.0, -1.4, -3.5, -1.1, -0.6, -0.6, 19.9, 48.2),
    "MNLI": (-1.2, 1.4, -0.7, 0.5, -0.3, 0.2, -1.0, 20.0, 48.8),
    "QQP": (-4.4, -4.8, -6.5, -45.4, -3.8, -3.9, -11.1, 17.1, 49.5),
    "SQuAD v1.1": (-1.9, 1.2, -0.8, -0.4, 1.8, 2.2, 9.7, 18.9, 41.3),
    "CCG": (-2.6, -3.4, -2.0, -1.5, -1.5, -1.6, -2.8, 11.7, 41.9),
    "CosmosQA": (-2.1, -0.3, -1.4, -1.5, -0.9, -1.5, 0.5, 19.2, 43.9),
    "CSQA": (-2.9, -2.5, -1.7, -1.6, -1.0, -1.0, 3.5, 18.1, 48.6),
}
RETRIEVAL = ("BUCC", "Tatoeba")


def cell(effect: Effect) -> str:
    gain = effect.gain
    text = f"{gain.estimate:+.1f} [{gain.low:.1f}, {gain.high:.1f}]"
    return f"**{text}**" if effect.direction != "unclear" else text


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def ours(summary: Summary) -> dict[str, dict[str, Comparison]]:
    """Intermediate -> target -> comparison."""
    found: dict[str, dict[str, Comparison]] = {}
    for comparison in summary.comparisons:
        if comparison.zero_shot is not None:
            found.setdefault(comparison.intermediate, {})[comparison.target] = comparison
    return found


def matrix(found: Mapping[str, Mapping[str, Comparison]], summary: Summary) -> str:
    averages = {(each.intermediate, each.name): each.effect for each in summary.averages}
    names = list(dict.fromkeys(each.name for each in summary.averages))
    rows = []
    for intermediate, cells in found.items():
        row = [intermediate]
        for target in COLUMNS:
            zero_shot = cells[target].zero_shot if target in cells else None
            row.append(cell(zero_shot.effect) if zero_shot else "")
        row += [cell(averages[intermediate, name]) if (intermediate, name) in averages else "" for name in names]
        rows.append(row)
    return table(["first trained on", *COLUMNS, *names], rows)


def baseline(summary: Summary) -> str:
    rows = []
    for scores in summary.scores:
        if scores.target in COLUMNS and scores.metric and "none" in scores.columns:
            value = scores.means[scores.columns.index("none")]
            english = next((row.values[scores.columns.index("none")] for row in scores.rows if row.training), None)
            shown = ["" if each is None else f"{each:.1f}" for each in (english, value)]
            rows.append([scores.target, scores.metric, str(len(scores.covered)), *shown])
    return table(["target", "metric", "other languages", "English", "mean of the others"], rows)


def by_seed(found: Mapping[str, Mapping[str, Comparison]], results: Results) -> str:
    """The gain of each seed, over the same languages."""
    scores: dict[tuple[str, str, int], dict[str, float]] = {}
    for score in results.scores:
        chain = score.chain
        if score.metric == found_metric(found, chain.target):
            scores.setdefault((chain.intermediate, chain.target, chain.seed), {})[score.language] = score.value
    rows = []
    for intermediate, cells in found.items():
        row = [intermediate]
        for target in COLUMNS:
            comparison = cells.get(target)
            tags = [each.tag for each in comparison.languages if not each.training] if comparison else []
            gains = [
                np.mean([scores[intermediate, target, seed][tag] - scores["none", target, seed][tag] for tag in tags])
                for seed in (comparison.seeds if comparison else ())
            ]
            row.append(", ".join(f"{gain:+.1f}" for gain in gains))
        rows.append(row)
    return table(["gain of each seed", *COLUMNS], rows)


def found_metric(found: Mapping[str, Mapping[str, Comparison]], target: str) -> str:
    return next((cells[target].metric for cells in found.values() if target in cells), "")


def beside(found: Mapping[str, Mapping[str, Comparison]]) -> str:
    rows = []
    for intermediate, row in LIKE.items():
        line = [f"{intermediate} / {row}"]
        for target, paper in zip(COLUMNS, PAPER[row], strict=True):
            own = found.get(intermediate, {}).get(target)
            effect = own.zero_shot.effect if own and own.zero_shot else None
            line.append(f"{effect.gain.estimate:+.1f} / {paper:+.1f}" if effect else f"/ {paper:+.1f}")
        rows.append(line)
    return table(["ours / paper", *COLUMNS.values()], rows)


def ranks(values: Sequence[float]) -> np.ndarray:
    """From 1, the mean rank where values are equal."""
    array = np.asarray(values)
    return np.array([(array < value).sum() + ((array == value).sum() + 1) / 2 for value in array])


def spearman(one: Sequence[float], other: Sequence[float]) -> float:
    return float(np.corrcoef(ranks(one), ranks(other))[0, 1])


def agreement(found: Mapping[str, Mapping[str, Comparison]]) -> str:
    """For each target: on how many intermediates the signs agree, and the rank correlation over them."""
    rows, pairs = [], {}
    for place, (target, name) in enumerate(COLUMNS.items()):
        effects = {row: found[one][target].zero_shot for one, row in LIKE.items() if target in found.get(one, {})}
        both = [(each.effect, PAPER[row][place]) for row, each in effects.items() if each]
        pairs[name] = both
        if len(both) > 2:
            rank = spearman([effect.gain.estimate for effect, _ in both], [value for _, value in both])
            rows.append([name, *signs(both), f"{rank:+.2f}"])
    without = [pair for name, both in pairs.items() if name not in RETRIEVAL for pair in both]
    rows.append(["all but retrieval", *signs(without), ""])
    rows.append(["all", *signs([pair for both in pairs.values() for pair in both]), ""])
    heads = ["target", "same sign", "of these shown by us", "same sign among the shown", "rank correlation"]
    return table(heads, rows)


def signs(both: Sequence[tuple[Effect, float]]) -> list[str]:
    same = [effect.gain.estimate * value > 0 for effect, value in both]
    shown = [agrees for (effect, _), agrees in zip(both, same, strict=True) if effect.direction != "unclear"]
    return [f"{sum(same)} of {len(both)}", str(len(shown)), f"{sum(shown)} of {len(shown)}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--study", default="recipes/lab.yaml")
    parser.add_argument("--store", type=Path, default=Path("lab-store"))
    options = parser.parse_args()
    results = results_of(load_study(options.study), Store.open(options.store))
    summary = summarise(results)
    found = ours(summary)
    seconds = sum(stage.seconds for stage in results.stages)
    print(f"{summary.finished} of {summary.chains} chains, {seconds / 3600:.1f} hours of work in all stages.\n")
    for part in (baseline(summary), matrix(found, summary), by_seed(found, results), beside(found), agreement(found)):
        print(f"{part}\n")


if __name__ == "__main__":
    main()
