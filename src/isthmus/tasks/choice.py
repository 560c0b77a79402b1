"""Which of some answers is right?"""

from dataclasses import replace

from isthmus.data.readers.options import Options
from isthmus.data.schema import Kind
from isthmus.tasks.define import HUB_DEV_AS_TEST, PARQUET, Hub, Layout, objects, only, published

_CAUSE = "Which is the likelier cause or effect of what is told?"
_COPA = replace(
    objects(id="idx", text="premise", question="question", choice1="choice1", choice2="choice2", answer="label"),
    label_base=0,
)
_COPA_HUB = "id=idx text=premise question=question choice1=choice1 choice2=choice2 answer=label"
_BASE = Options(label_base=0)

_SIQA = replace(
    objects(text="context", question="question", choice1="answerA", choice2="answerB", choice3="answerC"), label_base=1
)
SOCIALIQA = published(
    "socialiqa",
    Kind.CHOICE,
    "Which answer to a question about people in a situation is likeliest? The published dev set is measured.",
    "en",
    [
        Layout(f"{folder}/{{split}}.jsonl+{folder}/{{split}}-labels.lst", _SIQA, only("train test=dev"))
        for folder in ("socialiqa-train-dev", "socialiqa")
    ],
    hub=Hub(
        "allenai/social_i_qa",
        "text=context question=question choice1=answerA choice2=answerB choice3=answerC answer=label",
        "",
        PARQUET,
        HUB_DEV_AS_TEST,
        Options(label_base=1),
    ),
    rows="train=33410 test=1954",
    train="en",
    licence="CC BY 4.0",
    homepage="https://maartensap.com/social-iqa/",
    citation="Sap et al. 2019, Social IQa: Commonsense Reasoning about Social Interactions (arXiv 1904.09728)",
)

COPA = published(
    "copa",
    Kind.CHOICE,
    f"{_CAUSE} The dev set of SuperGLUE is measured.",
    "en",
    [
        Layout("{split}-{code}.jsonl", _COPA, only("train test=val")),
        Layout("COPA/{split}.jsonl", _COPA, only("train test=val")),
    ],
    hub=Hub("aps/super_glue", _COPA_HUB, "copa", "3de24cf8022e94f4ee4b9d55a6f539891524d646", HUB_DEV_AS_TEST, _BASE),
    rows="train=400 test=100",
    train="en",
    licence="BSD-2-Clause",
    homepage="https://people.ict.usc.edu/~gordon/copa.html",
    citation="Roemmele et al. 2011, Choice of Plausible Alternatives: An Evaluation of Commonsense Causal Reasoning",
)

_TRAINING = ("socialiqa", "copa")
XCOPA = published(
    "xcopa",
    Kind.CHOICE,
    f"{_CAUSE} COPA, translated.",
    "et ht id it qu sw ta th tr vi zh",
    [
        Layout("xcopa/{split}-{code}.jsonl", _COPA, only("dev=val test")),
        Layout("{code}/{split}.{code}.jsonl", _COPA, only("dev=val test")),
    ],
    hub=Hub(
        "cambridgeltl/xcopa",
        _COPA_HUB,
        revision="37f73c60fb123111fa5af5f9b705d0b3747fd187",
        splits={"dev": "validation", "test": "test"},
        options=_BASE,
    ),
    rows="dev=100 test=500",
    trains_on=_TRAINING,
    licence="CC BY 4.0",
    homepage="https://github.com/cambridgeltl/xcopa",
    citation="Ponti et al. 2020, XCOPA: A Multilingual Dataset for Causal Commonsense Reasoning (arXiv 2005.00333)",
)

COPA_HR = published(
    "copa-hr", Kind.CHOICE, f"{_CAUSE} COPA in Croatian.", "hr",
    [Layout("{split}-{code}.jsonl", _COPA, only("test")), Layout("{split}.{code}.jsonl", _COPA, only("dev=val test"))],
    rows="test=500", trains_on=_TRAINING, licence="CC BY-SA 4.0", homepage="https://github.com/clarinsi/benchich",
    citation="Ljubesic and Lauc 2021, BERTic; COPA-HR (CLARIN.SI 11356/1404)",
)  # fmt: skip

_ANSWERS = {f"choice{number + 1}": f"answer{number}" for number in range(4)}
_COSMOS = Options(
    {"id": "id", "text": "context", "question": "question", "answer": "label", **_ANSWERS}, "csv", label_base=0
)
COSMOSQA = published(
    "cosmosqa", Kind.CHOICE, "Which answer follows from a story? The dev set is measured.", "en",
    [Layout("{split}.csv", _COSMOS, only("train test=valid"))],
    hub=Hub("allenai/cosmos_qa", "id=id text=context question=question answer=label "
            + " ".join(f"{role}={column}" for role, column in _ANSWERS.items()), "", PARQUET, HUB_DEV_AS_TEST, _BASE),
    rows="train=25262 test=2985", train="en", licence="CC BY 4.0", homepage="https://wilburone.github.io/cosmos/",
    citation="Huang et al. 2019, Cosmos QA: Reading Comprehension with Contextual Commonsense (arXiv 1909.00277)",
)  # fmt: skip

_SWAG = replace(objects(text="ctx", choices="endings", answer="label"), label_base=0)
HELLASWAG = published(
    "hellaswag", Kind.CHOICE, "Which of four endings goes on with what was told? The dev set is measured.", "en",
    [Layout("hellaswag_{split}.jsonl", _SWAG, only("train test=val"))],
    hub=Hub("Rowan/hellaswag", "text=ctx choices=endings answer=label", "", "218ec52e09a7e7462a5400043bb9a69a41d06b76",
            HUB_DEV_AS_TEST, _BASE), rows="train=39905 test=10042", train="en", licence="MIT",
    homepage="https://rowanzellers.com/hellaswag/",
    citation="Zellers et al. 2019, HellaSwag: Can a Machine Really Finish Your Sentence? (arXiv 1905.07830)",
)  # fmt: skip

_CSQA = objects(id="id", text="question.stem", choices="question.choices", answer="answerKey")
COMMONSENSEQA = published(
    "commonsenseqa", Kind.CHOICE, "Which of five answers does common sense give? The dev set is measured.", "en",
    [Layout("{split}_rand_split.jsonl", _CSQA, only("train test=dev"))],
    hub=Hub("tau/commonsense_qa", "id=id text=question choices=choices answer=answerKey", "",
            "94630fe30dad47192a8546eb75f094926d47e155", HUB_DEV_AS_TEST),
    rows="train=9741 test=1221", train="en", licence="MIT", homepage="https://www.tau-nlp.org/commonsenseqa",
    citation="Talmor et al. 2019, CommonsenseQA: A Question Answering Challenge (arXiv 1811.00937)",
)  # fmt: skip

_ONE = Options(label_base=1)
XWINOGRAD = published(
    "xwinograd", Kind.CHOICE, "Whom or what does the pronoun mean, which is shown as _?", "en fr ja=jp pt ru zh",
    [Layout("dataset.tsv", Options(form="xwinograd", only={"language": "{code}"}, label_base=0), only("test"))],
    hub=Hub("Muennighoff/xwinograd", "text=sentence choice1=option1 choice2=option2 answer=answer",
            revision="9dd5ea5505fad86b7bedad667955577815300cee", splits={"test": "test"}, options=_ONE),
    rows="test/en=2325 test/ru=315", trains_on=(), licence="CC BY 4.0",
    homepage="https://github.com/yandex-research/crosslingual_winograd",
    citation="Tikhonov and Ryabinin 2021, It's All in the Heads: Commonsense Reasoning (arXiv 2106.12066)")  # fmt: skip

TASKS = (SOCIALIQA, COPA, XCOPA, COPA_HR, COSMOSQA, HELLASWAG, COMMONSENSEQA, XWINOGRAD)
