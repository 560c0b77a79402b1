"""A made-up study: the figures come from a random generator and no model was trained. Only its shape is real.

Three intermediate tasks and none, two targets (intents in 31 languages, names of emoji in 13), one seed or two, a
collapsed run, and on demand a study that stopped half-way.
"""

from dataclasses import replace
from hashlib import sha256

import numpy as np

from isthmus.evaluate.metrics import metric
from isthmus.results import (
    Chain,
    CurvePoint,
    DataFacts,
    DevPoint,
    Example,
    Results,
    Score,
    StageSummary,
    Statistics,
    TaskFacts,
)

# fmt: off
LANGUAGES = [
    "en", "de", "fr", "es", "it", "nl", "sv", "da", "fi", "et", "lv", "pl", "cs", "uk", "bg", "el", "hu", "ro", "tr",
    "eu", "ca", "ar", "he", "fa", "hi", "ml", "th", "vi", "zh-CN", "ja", "sw",
]
EMOJI_LANGUAGES = ["de", "es", "fr", "pt", "it", "fa", "id", "zh", "ja", "ko", "ru", "tr", "ar"]
# fmt: on
INTERMEDIATES = ("none", "slots", "paraphrase", "intent-pairs>slots")
MODEL = "embedded"
#: points of logit that an intermediate task adds: in English, elsewhere, and in retrieval
_EFFECTS = {
    "none": (0, 0, 0),
    "slots": (0.5, 0.33, -0.2),
    "paraphrase": (0.45, -0.3, 0.5),
    "intent-pairs>slots": (0.2, -0.02, -1.0),
}
ACCURACY = metric("accuracy").reduce


def statistics(right: np.ndarray, groups: tuple[str, ...]) -> Statistics:
    """Accuracy's statistics of examples that are right or wrong."""
    ids = tuple(f"{group}.{row}" for row, group in enumerate(groups))
    return Statistics(ids, groups, np.stack([right.astype(float), np.ones(len(right))], axis=1))


def _scores(chain: Chain, languages: list[str], groups_of: str, generator: np.random.Generator) -> list[Score]:
    scores = []
    shared = np.random.default_rng(7).normal(0, 1, 60)
    for place, language in enumerate(languages):
        fixed = np.random.default_rng(place)  # the same test items for every chain
        names = [f"{groups_of}{language}/{item}" if groups_of else f"U+{item}" for item in range(60)]
        groups = tuple(name for name in names for _ in range(5 if groups_of else 2))
        difficulty = (fixed.normal(0, 1, 60) if groups_of else shared)[np.repeat(np.arange(60), len(groups) // 60)]
        base = 1.2 if language == "en" else fixed.normal(0.2, 0.7)
        english, others, retrieval = _EFFECTS[chain.intermediate]
        effect = (english if language == "en" else others) if groups_of else retrieval
        effect += 0 if chain.intermediate == "none" else fixed.normal(0, 0.25) - 1.2 * (language == "th")
        logit = base + difficulty + effect + (generator.normal(0, 0.04) if chain.intermediate != "none" else 0)
        noise = np.where(generator.random(len(groups)) < 0.7, fixed.random(len(groups)), generator.random(len(groups)))
        made = statistics(noise < 1 / (1 + np.exp(-logit)), groups)
        scores.append(Score(chain, language, "accuracy", float(ACCURACY(made.values.sum(axis=0))), made))
    return scores


def _curve(start: float, steps: int, generator: np.random.Generator) -> tuple[CurvePoint, ...]:
    points = np.linspace(10, steps, 20).astype(int)
    losses = start * np.exp(-3 * points / steps) + 0.2 + generator.normal(0, 0.04, 20)
    rates = [1e-4 * min(step / (0.1 * steps), (steps - step) / (0.9 * steps)) for step in points]
    return tuple(CurvePoint(int(*p[:1]), float(p[1]), float(p[2])) for p in zip(points, losses, rates, strict=True))


def _key(stages: list[StageSummary]) -> str:
    return sha256(str(len(stages)).encode()).hexdigest()


def made_up_study(seeds: int = 2) -> Results:
    """A finished study."""
    generator = np.random.default_rng(3)
    chains, scores, stages = [], [], []
    for seed in range(1, seeds + 1):
        for intermediate in INTERMEDIATES:
            story = MODEL if intermediate == "none" else f"{MODEL} > {intermediate.replace('>', ' > ')}"
            if intermediate != "none":
                title = f"train {story}, seed {seed}"
                curve = _curve(2.4, 240, generator)
                collapsed = ("94% of the dev predictions are one label (O): the run may have collapsed",)
                warnings = collapsed if intermediate == "paraphrase" and seed == 1 else ()
                stages.append(StageSummary(_key(stages), title, "train", "done", 21.4, 1_900_000_000, curve, warnings))
            for target, languages in (("intents", LANGUAGES), ("emoji-names", EMOJI_LANGUAGES)):
                chain = Chain(MODEL, intermediate, target, seed)
                chains.append(chain)
                scores += _scores(chain, languages, "template/" if target == "intents" else "", generator)
                if target == "intents":
                    title = f"train {story} > {target}, seed {seed}"
                    curve = _curve(3.6, 150, generator)
                    stages.append(StageSummary(_key(stages), title, "train", "done", 14.2, 2_100_000_000, curve))
                title = f"predict {story} on {target}, {len(languages)} languages"
                stages.append(StageSummary(_key(stages), title, "predict", "done", 9.5, 900_000_000))
                title = f"score {story} on {target}"
                stages.append(StageSummary(_key(stages), title, "score", "done", 0.3, 300_000_000))
    return Results(
        study_name="made-up",
        study_yaml=_YAML.format(seeds=list(range(1, seeds + 1))),
        tasks=_TASKS,
        chains=tuple(chains),
        scores=tuple(scores),
        stages=tuple(stages),
        versions={"isthmus": "0.1.0", "torch": "2.13.0", "transformers": "5.1.0", "python": "3.11.2"},
        machine="2 cores, 8 GB of memory, Linux x86-64",
        command="isthmus run made-up.yaml --store store",
        model_notes=(
            "embedded was trained contrastively on supervised pairs: weak evidence for claims about XLM-R.",
            "Made-up figures: this report shows its own shape and nothing else.",
        ),
    )


def with_examples(study: Results) -> Results:
    """The same with test examples in three scripts, the rows that were read, and the paths of the chains."""
    texts = {"de": "Der Zug kam zu spät.", "ar": "وصل القطار متأخرا.", "th": "รถไฟมาสาย"}
    first = study.chains[0]
    examples = tuple(
        Example(first.setting, name, "intents", tag, f"{tag}-{n}", (("text", text),), "late", *said, 1, *ends, 2)
        for name in INTERMEDIATES[1:]
        for tag, text in texts.items()
        for n, (said, ends) in enumerate(
            [(("early", "late"), (0, 100)), (("early", "late"), (50, 100)), (("late", "early"), (66, 33))]
        )
    )
    data = tuple(DataFacts("intents", "measured on", tag, 300, 64 * "a", ("300 of 3,000 rows",)) for tag in LANGUAGES)
    keys = [stage.key for stage in study.stages]
    return replace(study, examples=examples, data=data, paths=tuple((key,) for key in keys[: len(study.chains)]))


#: What the mixture of `mixed_study` is made of, and its losses at the beginning and at the end.
_MEMBERS = {"snli": (1.1, 0.5), "squad": (5.0, 2.0), "mlm/de": (6.0, 4.0), "mlm/sw": (7.0, 5.0)}


def mixed_study(tuned: tuple[str, ...] = ("de", "sw")) -> Results:
    """A mixture in the place of `slots`, whose dev rows in the languages ``tuned`` chose its checkpoint, step 400."""
    whole = made_up_study(seeds=2)
    scores = [
        replace(score, tuned=score.language in tuned and score.chain.intermediate == "slots") for score in whole.scores
    ]
    return replace(whole, scores=tuple(scores), stages=(*whole.stages, *map(_mixture, (1, 2))))


def _mixture(seed: int) -> StageSummary:
    generator = np.random.default_rng(seed)
    curve = []
    for place, (name, (start, end)) in enumerate(_MEMBERS.items()):
        for step in range(10 + place, 600, 40):
            loss = start * (end / start) ** (step / 600) + generator.normal(0, 0.02)
            curve.append(CurvePoint(step, float(loss), 1e-5, name))
    dev = []
    for step in range(100, 601, 100):
        for member, language, name in (("snli", "en", "accuracy"), ("snli", "de", "accuracy"), ("squad", "en", "f1")):
            score = float(40 + step / 20 - 8 * (step > 400) + generator.normal(0, 1))
            dev.append(DevPoint(step, member, language, name, score, score - 4, score + 4))
    title, points = f"train {MODEL} > everything, seed {seed}", tuple(sorted(curve, key=lambda point: point.step))
    return StageSummary(f"mix{seed}", title, "train", "done", 21.0, 10**9, points, dev=tuple(dev), kept_step=400)


def half_finished_study() -> Results:
    """The same, stopped: a stage failed, what builds on it waits, and one chain lacks some languages."""
    whole = made_up_study(seeds=1)
    lost = Chain(MODEL, "paraphrase", "intents", 1)
    partial = Chain(MODEL, "slots", "intents", 1)
    kept = tuple(
        score
        for score in whole.scores
        if score.chain != lost and not (score.chain == partial and score.language in ("th", "sw"))
    )
    broken = next(stage.title for stage in whole.stages if "paraphrase > intents" in stage.title)
    error = "Out of memory: 1.2 GB more were needed; lower batch_size."

    def as_left(stage: StageSummary) -> StageSummary:
        if stage.title == broken:
            return replace(stage, status="failed", error=error, curve=())
        if stage.title == "predict embedded > paraphrase on intents, 31 languages":
            return replace(stage, status="waiting", seconds=0, peak_memory=0)
        return stage

    stages = map(as_left, whole.stages)
    return replace(whole, study_name="half-finished", scores=kept, stages=tuple(stages))


_TASKS = (
    TaskFacts("intents", "sequence", "what a person asks a voice assistant to do", "annotated", "", "Apache-2.0", "en"),
    TaskFacts("emoji-names", "bitext", "names of emoji, to English", "annotated", "", "Unicode-3.0", None),
    TaskFacts("slots", "tagging", "names in requests to a voice assistant", "annotated", "", "Apache-2.0", "en"),
    TaskFacts(
        "paraphrase",
        "pair",
        "do two names mean the same emoji?",
        "derived",
        "Two names of one emoji are a pair.",
        "Unicode-3.0",
        "en",
    ),
    TaskFacts(
        "intent-pairs",
        "pair",
        "do two requests ask the same?",
        "derived",
        "Requests of one intent are a pair.",
        "Apache-2.0",
        "en",
    ),
)

_YAML = """name: made-up
models: embedded
intermediates: [none, slots, paraphrase, [intent-pairs, slots]]
targets: [intents, emoji-names]
seeds: {seeds}
recipe:
  epochs: 3
  learning_rate: 1e-4
"""


def small_study(gains: dict[str, dict[str, dict[str, float]]], model: str = MODEL, seeds: int = 1) -> Results:
    """Every gain as asked for: ``gains[intermediate][target][language]``, in points, of 200 test examples.

    The baseline is added, right in every second example. Ten more examples fall each way, so that nothing is certain.
    Targets whose name begins with "bitext" have no training data; English is the language of training of the others.
    """
    wanted = {
        "none": {target: dict.fromkeys(languages, 0.0) for of in gains.values() for target, languages in of.items()}
    } | gains
    scores = []
    for intermediate, of in wanted.items():
        for target, languages in of.items():
            for language, points in languages.items():
                right = np.arange(200) % 2 == 0
                if intermediate != "none":
                    right[[1, 21, 41, 61, 81]] = True
                    right[[0, 20, 40, 60, 80]] = False
                    flip = round(2 * abs(points))
                    right[np.flatnonzero(right != (points > 0))[-flip:] if flip else []] = points > 0
                groups = tuple(f"{language}/{item}" for item in range(200))
                made = statistics(right, groups)
                for seed in range(1, seeds + 1):
                    chain = Chain(model, intermediate, target, seed)
                    scores.append(Score(chain, language, "accuracy", float(ACCURACY(made.values.sum(axis=0))), made))
    targets = {target: target.startswith("bitext") for of in gains.values() for target in of}
    tasks = tuple(
        TaskFacts(
            name,
            "bitext" if bitext else "sequence",
            "made up",
            "derived",
            "By chance.",
            "CC0-1.0",
            None if bitext else "en",
        )
        for name, bitext in targets.items()
    )
    return Results(
        "small", "name: small\n", tasks, tuple(dict.fromkeys(score.chain for score in scores)), tuple(scores), ()
    )
