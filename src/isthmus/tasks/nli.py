"""Inference: does a premise entail a hypothesis, contradict it, or neither?"""

from dataclasses import replace

from isthmus.data.readers.options import Options
from isthmus.data.schema import Kind
from isthmus.tasks.define import DEV_AS_TEST, PARQUET, Hub, Layout, cells, objects, only, published

THREE = ("entailment", "neutral", "contradiction")
TWO = ("entailment", "not_entailment")
_PAIR = "text=premise text_pair=hypothesis label=label"
_CSV = cells("csv", text="premise", text_pair="hypothesis", label="label")
_WHAT = "Does the premise entail the hypothesis, contradict it, or neither?"

#: XTREME's files, and those of the data set itself, spell one label in two ways.
_SPELLINGS = {"contradictory": "contradiction"}
_XTREME = replace(cells("tsv", text=1, text_pair=2, label=3), labels=_SPELLINGS)
_OWN = replace(
    cells("tsv", "none", text="sentence1", text_pair="sentence2", label="gold_label"),
    labels=_SPELLINGS,
    only={"language": "{code}"},
)
_TRANSLATED = replace(cells("tsv", "none", text="premise", text_pair="hypo", label="label"), labels=_SPELLINGS)

XNLI = published(
    "xnli",
    Kind.PAIR,
    _WHAT,
    "ar bg de el en es fr hi ru sw th tr ur vi zh",
    [
        Layout("xnli/{split}-{code}.tsv", _XTREME),
        Layout("XNLI-1.0/xnli.{split}.tsv", _OWN, only("dev test"), numbered=None),
        Layout("XNLI-MT-1.0/multinli/multinli.train.{code}.tsv", _TRANSLATED, only("train"), codes=("en",)),
    ],
    hub=Hub("facebook/xnli", _PAIR, revision="b8dd5d7af51114dbda02c0e3f6133f332186418e"),
    rows="train=392702 dev=2490 test=5010",
    train="en",
    labels=THREE,
    group="text",
    licence="CC BY-NC 4.0; the English training set (MultiNLI) OANC, CC BY 3.0 and CC BY-SA 3.0",
    homepage="https://github.com/facebookresearch/XNLI",
    citation="Conneau et al. 2018, XNLI: Evaluating Cross-lingual Sentence Representations (arXiv 1809.05053)",
)

MNLI = published(
    "mnli",
    Kind.PAIR,
    f"{_WHAT} English text of ten genres; both dev sets are measured, since test labels are not public.",
    "en",
    [
        Layout("mnli/{split}.csv", _CSV, DEV_AS_TEST),
        Layout("MNLI/{split}.tsv", replace(_OWN, only={}), only("train test=dev_*matched"), numbered=1),
    ],
    hub=Hub(
        "nyu-mll/glue",
        _PAIR,
        "mnli",
        "bcdcba79d07bc864c1c254ccfcedcce55bcc9a8c",
        {"train": "train", "test": "validation_matched+validation_mismatched"},
    ),
    rows="train=392702 test=19647",
    train="en",
    labels=THREE,
    licence="OANC, CC BY 3.0 and CC BY-SA 3.0",
    homepage="https://cims.nyu.edu/~sbowman/multinli/",
    citation="Williams et al. 2018, A Broad-Coverage Challenge Corpus for Sentence Understanding (arXiv 1704.05426)",
)

AMERICASNLI = published(
    "americasnli", Kind.PAIR, _WHAT, "aym bzd cni gn hch nah oto quy shp tar",
    [Layout("americasnli/{split}/{code}.tsv", cells("tsv", "none", label="label"), only("dev test"), numbered=1)],
    hub=Hub("nala-cub/americas_nli", _PAIR, splits={"dev": "validation", "test": "test"}), labels=THREE, group="text",
    rows="dev=743 test=750 dev/cni=658 dev/nah=376 dev/oto=222 test/nah=738 test/oto=748", trains_on=("xnli",),
    licence="CC BY-SA 4.0", homepage="https://github.com/abteen/americasnli",
    citation="Ebrahimi et al. 2022, AmericasNLI: Evaluating Zero-shot NLU of Indigenous Languages (arXiv 2104.08726)",
)  # fmt: skip

CXNLI = published(
    "cxnli", Kind.PAIR, f"{_WHAT} XNLI in Croatian.", "hr",
    [Layout("cxnli/xnli.{split}.{code}.csv", cells("csv", text="premise", text_pair="hypo"), only("dev test"))],
    labels=THREE, group="text", rows="test=5010", trains_on=("xnli",),
    licence="CC BY-NC 4.0", homepage="https://github.com/lobadic/C-XNLI",
    citation="Obadic et al. 2023, C-XNLI: Croatian Extension of XNLI Dataset",
)  # fmt: skip

KORNLI = published(
    "kornli", Kind.PAIR, f"{_WHAT} XNLI in Korean.", "ko",
    [Layout("kornli/xnli.{split}.{code}.tsv", cells("tsv", "none", label="gold_label"), only("dev test"))],
    labels=THREE, group="text", rows="dev=2490 test=5010", trains_on=("xnli",),
    licence="CC BY-SA 4.0", homepage="https://github.com/kakaobrain/KorNLUDatasets",
    citation="Ham et al. 2020, KorNLI and KorSTS: New Benchmark Datasets for Korean NLU (arXiv 2004.03289)",
)  # fmt: skip

_LETTERS = replace(objects(text="premise", text_pair="hypothesis"), labels=dict(zip("enc", THREE, strict=True)))
INDONLI = published(
    "indonli", Kind.PAIR, f"{_WHAT} Written in Indonesian by lay people.", "id",
    [Layout("indonli/{split}.jsonl", _LETTERS, only("train dev=val test=test_lay"), numbered=0)],
    hub=Hub("afaji/indonli", _PAIR, "", PARQUET, {"dev": "validation", "test": "test_lay"}),
    labels=THREE, group="text", rows="test=2201", trains_on=("xnli",), licence="CC BY-SA 3.0",
    homepage="https://github.com/ir-nlp-csui/indonli",
    citation="Mahendra et al. 2021, IndoNLI: A Natural Language Inference Dataset for Indonesian (arXiv 2110.14566)",
)  # fmt: skip

_SENTENCES = objects(text="sentence1", text_pair="sentence2", label="gold_label")
_AGREED = replace(_SENTENCES, drop={"label": "-"})
SNLI = published(
    "snli", Kind.PAIR, f"{_WHAT} Captions of pictures; rows on which the judges did not agree are left out.", "en",
    [Layout("snli/{split}.csv", _CSV, only("train dev")),
     Layout("snli_1.0/snli_1.0_{split}.jsonl", _AGREED, numbered=0)],
    hub=Hub("stanfordnlp/snli", _PAIR, "", "cdb5c3d5eed6ead6e5a341c8e56e669bb666725b"), labels=THREE, group="text",
    rows="train=550152 dev=10000 test=10000", train="en", licence="CC BY-SA 4.0",
    homepage="https://nlp.stanford.edu/projects/snli/",
    citation="Bowman et al. 2015, A large annotated corpus for learning natural language inference (arXiv 1508.05326)",
)  # fmt: skip

ANLI = published(
    "anli", Kind.PAIR, f"{_WHAT} Written by people to mislead models, in three rounds, which are joined.", "en",
    [Layout("anli_v1.0/R*/{split}.jsonl", replace(_LETTERS, columns={"text": "context", "text_pair": "hypothesis"}))],
    hub=Hub("facebook/anli", f"id=uid {_PAIR}", "plain_text", "8e4813d81f46d313dac7892e1c28076917cfcdf9",
            {split: "+".join(f"{split}_r{number}" for number in (1, 2, 3)) for split in ("train", "dev", "test")}),
    labels=THREE, group="text", train="en", rows="train=162865 dev=3200 test=3200", licence="CC BY-NC 4.0",
    homepage="https://github.com/facebookresearch/anli", citation="Nie et al. 2020, Adversarial NLI (arXiv 1910.14599)",
)  # fmt: skip

_SCITAIL = {"neutral": "not_entailment"}
_TXT = "SciTailV1.1/snli_format/scitail_1.0_{split}.txt"
SCITAIL = published(
    "scitail", Kind.PAIR, "Does a sentence from the web entail the answer to a question of science?", "en",
    [Layout("scitail/{split}.csv", _CSV, only("train test=dev")), Layout(_TXT, replace(_SENTENCES, labels=_SCITAIL))],
    hub=Hub("allenai/scitail", "text=sentence1 text_pair=sentence2 label=gold_label", "snli_format", PARQUET,
            options=Options(labels=_SCITAIL)), labels=TWO, train="en", rows="train=23596 dev=1304 test=2126",
    licence="Apache-2.0", homepage="https://allenai.org/data/scitail",
    citation="Khot et al. 2018, SciTaiL: A Textual Entailment Dataset from Science Question Answering",
)  # fmt: skip

RTE = published(
    "rte", Kind.PAIR, "Does a text entail a sentence?", "en",
    [Layout("rte/{split}.tsv", cells("tsv", "none", id="index", label="label"), DEV_AS_TEST)],
    hub=Hub("nyu-mll/glue", "id=idx text=sentence1 text_pair=sentence2 label=label", "rte",
            "bcdcba79d07bc864c1c254ccfcedcce55bcc9a8c", {"train": "train", "test": "validation"}),
    labels=TWO, train="en", rows="train=2490 test=277", licence="not stated; PASCAL RTE 1, 2, 3 and 5",
    homepage="https://gluebenchmark.com", citation="Wang et al. 2019, GLUE (arXiv 1804.07461)",
)  # fmt: skip

_SICK = replace(
    cells("tsv", "none", id="pair_ID", text="sentence_A", text_pair="sentence_B", label="entailment_judgment"),
    labels={label.upper(): label for label in THREE},
)
SICK = published(
    "sick", Kind.PAIR, f"{_WHAT} Plain sentences made from captions.", "en",
    [Layout("sick/SICK_{split}.txt", _SICK, only("train dev=trial test=test_annotated"))],
    labels=THREE, train="en", rows="train=4500 dev=500 test=4927", licence="CC BY-NC-SA 3.0",
    homepage="https://marcobaroni.org/composes/sick.html",
    citation="Marelli et al. 2014, A SICK cure for the evaluation of compositional distributional semantic models",
)  # fmt: skip

TASKS = (XNLI, MNLI, AMERICASNLI, CXNLI, KORNLI, INDONLI, SNLI, ANLI, SCITAIL, RTE, SICK)
