"""Questions whose answer stands in a paragraph."""

from dataclasses import replace

from isthmus.data.readers.options import Options
from isthmus.data.schema import Kind
from isthmus.tasks.define import HUB_DEV_AS_TEST, PARQUET, Hub, Layout, objects, only, published

RECIPE = {"max_length": 384, "stride": 128, "learning_rate": 3e-5, "epochs": 3}
_SQUAD = Options(form="json", lost_answers="drop")
_COLUMNS = "id=id question=question context=context answers=answers"
_ALSO = ("squad_em", "squad_f1")
_WHAT = "Which words of the paragraph answer the question?"
_TEST = {"test": "test"}

SQUAD = published(
    "squad",
    Kind.SPAN,
    f"{_WHAT} English Wikipedia; the published dev set is measured, since the labels of the test set are not public.",
    "en",
    [Layout("train-v1.1.json", _SQUAD, only("train")), Layout("dev-v1.1.json", _SQUAD, _TEST)],
    hub=Hub(
        "rajpurkar/squad", _COLUMNS, "plain_text", "7b6d24c440a36b6815f21b70d25016731768db1f", HUB_DEV_AS_TEST,
        replace(_SQUAD, form=None),
    ),
    rows="train=87599 test=10570",
    metric="squad",
    also=_ALSO,
    train="en",
    recipe=RECIPE,
    licence="CC BY-SA 4.0",
    homepage="https://rajpurkar.github.io/SQuAD-explorer/",
    citation="Rajpurkar et al. 2016, SQuAD: 100,000+ Questions for Machine Comprehension of Text (arXiv 1606.05250)",
)  # fmt: skip

SQUAD_V2 = published(
    "squad-v2",
    Kind.SPAN,
    f"{_WHAT} Or does none? The published dev set is measured.",
    "en",
    [Layout("train-v2.0.json", _SQUAD, only("train")), Layout("dev-v2.0.json", _SQUAD, _TEST)],
    hub=Hub(
        "rajpurkar/squad_v2", _COLUMNS, "squad_v2", "3ffb306f725f7d2ce8394bc1873b24868140c412", HUB_DEV_AS_TEST,
        replace(_SQUAD, form=None),
    ),
    rows="train=130319 test=11873",
    metric="squad",
    also=_ALSO,
    train="en",
    recipe={**RECIPE, "no_answer": True},
    licence="CC BY-SA 4.0",
    homepage="https://rajpurkar.github.io/SQuAD-explorer/",
    citation="Rajpurkar et al. 2018, Know What You Don't Know: Unanswerable Questions for SQuAD (arXiv 1806.03822)",
)  # fmt: skip

XQUAD = published(
    "xquad",
    Kind.SPAN,
    f"{_WHAT} A part of SQuAD, translated.",
    "ar de el en es hi ro ru th tr vi zh",
    [Layout("xquad.{code}.json", _SQUAD, _TEST)],
    hub=Hub(
        "google/xquad", _COLUMNS, "xquad.{code}", "51adfef1c1287aab1d2d91b5bead9bcfb9c68583", {"test": "validation"},
        replace(_SQUAD, form=None),
    ),
    rows="test=1190",
    metric="squad",
    also=_ALSO,
    trains_on=("squad",),
    recipe=RECIPE,
    licence="CC BY-SA 4.0",
    homepage="https://github.com/google-deepmind/xquad",
    citation="Artetxe et al. 2020, Cross-lingual Transferability of Monolingual Representations (arXiv 1910.11856)",
)  # fmt: skip

MLQA = published(
    "mlqa",
    Kind.SPAN,
    f"{_WHAT} Wikipedia; question and paragraph in the same language.",
    "ar de en es hi vi zh",
    [Layout("{split}/{split}-context-{code}-question-{code}.json", _SQUAD, only("dev test"))],
    hub=Hub(
        "facebook/mlqa", _COLUMNS, "mlqa.{code}.{code}", PARQUET, {"dev": "validation", "test": "test"},
        replace(_SQUAD, form=None),
    ),
    rows="dev/ar=517 dev/de=512 dev/en=1148 dev/es=500 dev/hi=507 dev/vi=511 dev/zh=504 test/ar=5335 test/de=4517 "
    "test/en=11590 test/es=5253 test/hi=4918 test/vi=5495 test/zh=5137",
    metric="mlqa",
    also=("mlqa_em", "mlqa_f1"),
    trains_on=("squad",),
    recipe=RECIPE,
    licence="CC BY-SA 3.0",
    homepage="https://github.com/facebookresearch/MLQA",
    citation="Lewis et al. 2020, MLQA: Evaluating Cross-lingual Extractive Question Answering (arXiv 1910.07475)",
)  # fmt: skip

_SPLITS = only("train test=dev")
TYDIQA = published(
    "tydiqa",
    Kind.SPAN,
    f"{_WHAT} Asked by people who did not know it; the passage is given (GoldP). The dev set is measured.",
    "ar bn en fi id ko ru sw te",
    [
        Layout("tydiqa-goldp-v1.1-{split}/tydiqa.goldp.{code}.{split}.json", _SQUAD, _SPLITS),
        Layout("tydiqa-goldp-v1.1-dev/tydiqa-goldp-dev-{lower}.json", _SQUAD, only("test=dev")),
        Layout("{split}/tydiqa.goldp.{code}.{split}.json", _SQUAD, _SPLITS),
        Layout("dev_unlabelled/tydiqa.goldp.{code}.dev.json", _SQUAD, only("test=dev")),
    ],
    hub=Hub(
        "google-research-datasets/tydiqa", _COLUMNS, "secondary_task", "da78f23f9119363459acbaf46bf89426ff26c259",
        HUB_DEV_AS_TEST, replace(_SQUAD, form=None, only={"id": "{lower}-"}), after="-",
    ),
    rows="train/en=3696 test/ar=921 test/bn=113 test/en=440 test/fi=782 test/id=565 test/ko=276 test/ru=812 "
    "test/sw=499 test/te=669",
    metric="squad",
    also=_ALSO,
    train="en",
    recipe=RECIPE,
    licence="Apache-2.0",
    homepage="https://github.com/google-research-datasets/tydiqa",
    citation="Clark et al. 2020, TyDi QA: A Benchmark for Information-Seeking Question Answering (arXiv 2003.05002)",
)  # fmt: skip

_AFRIQA = replace(objects(question="question_lang", context="context", answers="answer_pivot"), lost_answers="drop")
AFRIQA = published(
    "afriqa", Kind.SPAN, f"{_WHAT} The question is African, the paragraph English or French.",
    "bem fon hau ibo kin swa twi wol yor zul",
    [Layout("gold_span_passages.afriqa.{code}.*.{split}.json", _AFRIQA)], metric="squad", also=_ALSO,
    hub=Hub("masakhane/afriqa-gold-passages", "id=id question=question_lang context=context answers=answer_pivot",
            options=replace(_AFRIQA, form=None)), trains_on=("squad",), recipe=RECIPE, licence="CC BY 4.0",
    rows="test/ha=300 test/ig=409 test/sw=295 test/yo=254", homepage="https://github.com/masakhane-io/afriqa",
    citation="Ogundepo et al. 2023, AfriQA: Cross-lingual Open-Retrieval QA (arXiv 2305.06897)")  # fmt: skip

SQUAD_20 = published(
    "squad-20-articles", Kind.SPAN, f"{_WHAT} Twenty articles of SQuAD's training set.", "en",
    [Layout("squad_20articles/dev.json", _SQUAD, _TEST)], metric="squad", also=_ALSO, rows="test=4639", recipe=RECIPE,
    trains_on=(), licence="CC BY-SA 4.0", homepage="https://github.com/jucho2725/mrc_odqa_tutorial",
    citation="Rajpurkar et al. 2016, SQuAD: 100,000+ Questions for Machine Comprehension of Text (arXiv 1606.05250)",
)  # fmt: skip

TASKS = (SQUAD, SQUAD_V2, XQUAD, MLQA, TYDIQA, AFRIQA, SQUAD_20)
