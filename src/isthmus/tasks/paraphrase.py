"""Paraphrase: do two sentences say the same?"""

from dataclasses import replace

from isthmus.data.readers.options import Options
from isthmus.data.schema import Kind
from isthmus.tasks.define import DEV_AS_TEST, HUB_DEV_AS_TEST, Hub, Layout, cells, only, published

_NO_TRANSLATION = {"text": "NS", "text_pair": "NS"}
_XTREME = replace(cells("tsv", text=1, text_pair=2, label=3), drop=_NO_TRANSLATION)
_OWN = replace(cells("tsv", text="sentence1", text_pair="sentence2", label="label"), drop=_NO_TRANSLATION)
_SPLITS = only("train dev=dev_2k test=test_2k")

PAWSX = published(
    "pawsx",
    Kind.PAIR,
    "Do two sentences of almost the same words say the same? Rows that were not translated (NS) are left out.",
    "de en es fr ja ko zh",
    [
        Layout("pawsx/{split}-{code}.tsv", _XTREME),
        Layout("x-final/{code}/{split}.tsv", _OWN, _SPLITS, numbered=1),
        Layout("original_layout/{code}.{split}.tsv", _OWN, only("dev=dev_2k test=test_2k"), numbered=1),
    ],
    hub=Hub(
        "google-research-datasets/paws-x",
        "text=sentence1 text_pair=sentence2 label=label",
        revision="4cd8187c404bda33cb1f62b49b001115862acf37",
        options=_XTREME,
    ),
    rows="train=49401 dev=2000 test=2000",
    train="en",
    labels=("0", "1"),
    licence="free for any use with attribution",
    homepage="https://github.com/google-research-datasets/paws",
    citation="Yang et al. 2019, PAWS-X: A Cross-lingual Adversarial Dataset (arXiv 1908.11828)",
)

_MRPC = cells("tsv", "none", text="#1 String", text_pair="#2 String", label="Quality")
MRPC = published(
    "mrpc", Kind.PAIR, "Do two sentences of the news say the same?", "en",
    [Layout("msr_paraphrase_{split}.txt", _MRPC, only("train test"))],
    labels=("0", "1"), train="en", rows="train=4076 test=1725", licence="Microsoft Research terms (research use)",
    homepage="https://www.microsoft.com/en-us/download/details.aspx?id=52398",
    citation="Dolan and Brockett 2005, Automatically Constructing a Corpus of Sentential Paraphrases",
)  # fmt: skip

#: A question may be empty, and line feeds inside questions break rows of the file (GLUE-baselines, issue 5).
_NO_WORDS = {"text": "", "text_pair": ""}
_QQP = replace(cells("tsv", "none", text="question1", text_pair="question2", label="is_duplicate"), short_lines="drop",
               labels={"0": "not_duplicate", "1": "duplicate"}, drop=_NO_WORDS)  # fmt: skip
QQP = published(
    "qqp", Kind.PAIR, "Do two questions to Quora ask the same? The dev set of GLUE is measured.", "en",
    [Layout("QQP/{split}.tsv", _QQP, DEV_AS_TEST, numbered=2)],
    hub=Hub("nyu-mll/glue", "id=idx text=question1 text_pair=question2 label=label", "qqp",
            "bcdcba79d07bc864c1c254ccfcedcce55bcc9a8c", HUB_DEV_AS_TEST, Options(drop=_NO_WORDS)),
    labels=("not_duplicate", "duplicate"), train="en", rows="train=363846 test=40430", licence="Quora's terms of use",
    homepage="https://gluebenchmark.com", citation="Iyer et al. 2017, Quora Question Pairs; GLUE (arXiv 1804.07461)",
)  # fmt: skip

TASKS = (PAWSX, MRPC, QQP)
