"""Finding what belongs together: translations, answers, entities. Nothing is trained for these."""

from isthmus.data.schema import Kind
from isthmus.data.sources.special import aligned, answers, entities, mining
from isthmus.tasks.code_lists import NTREX, TATOEBA
from isthmus.tasks.define import Hub, Layout, only, published

#: The languages of XTREME and XTREME-R, as LASER calls them.
_XTREME = """
afr ara ben bul cmn deu ell est eus fin fra heb hin hun ind ita jav jpn kat kaz kor mal mar nld pes por rus spa swh
tam tel tgl tha tur urd vie aze lit pol ron ukr
"""
#: Pairs of those that have not 1,000.
_FEWER = """
ang=134 arq=911 ast=127 awa=231 bs=354 ch=137 csb=253 cy=575 dsb=479 fo=262 fy=173 gd=829 gsw=117 hsb=483 jv=205 ka=746
kk=575 ku=410 max=284 ml=687 mn=440 nov=257 pms=525 sl=823 swg=112 sw=390 ta=307 te=234 th=548 tk=203 tzl=104
uz=428 xh=142
"""
_THOUSAND = """
af ar az bg bn de el es et eu fa fi fr he hi hu id it ja ko lt mr nl pl pt ro ru tl tr uk ur vi zh
ber br ca cbk cs da dtp dtp-MY gl hr ia ie io is kab la lfn lv mhr nb nds oc pam sk sq tt war wuu yue ms
"""
_LASER = "tatoeba.{code}-eng.{code}+tatoeba.{code}-eng.eng"
TATOEBA_TASK = published(
    "tatoeba",
    Kind.BITEXT,
    "Find the foreign sentence that translates an English one.",
    TATOEBA,
    [
        Layout(_LASER, aligned, only("test")),
        Layout("tatoeba/{tag}-en.{tag}+tatoeba/{tag}-en.en", aligned, only("test"), codes=tuple(_XTREME.split())),
    ],
    hub=Hub(
        "mteb/tatoeba-bitext-mining",
        "source=sentence1 target=sentence2",
        "{code}-eng",
        "69e8f12da6e31d59addadda9a9c8a2e601a0e282",
        {"test": "test"},
    ),
    rows=" ".join([f"test/{pair}" for pair in _FEWER.split()] + [f"test/{tag}=1000" for tag in _THOUSAND.split()]),
    licence="CC BY 2.0 FR",
    homepage="https://github.com/facebookresearch/LASER/tree/main/data/tatoeba/v1",
    retrieval={"layer": "xtreme"},
    citation="Artetxe and Schwenk 2019, Massively Multilingual Sentence Embeddings (arXiv 1812.10464)",
)

_PAIR = "bucc2018/{code}-en.{split}"
_OWN = "bucc2018/{code}-en/{code}-en.{split}"
_OWN_SPLITS = "dev=sample test=training candidates=training dev_candidates=sample"
BUCC = published(
    "bucc2018",
    Kind.MINING,
    "Find the translations among the sentences of two texts. The training split is measured, the sample is for dev.",
    "de fr ru zh",
    [
        Layout(
            f"{_PAIR}.{{code}}+{_PAIR}.en+{_PAIR}.gold?", mining, only("dev test candidates=test dev_candidates=dev")
        ),
        Layout(f"{_OWN}.{{code}}+{_OWN}.en+{_OWN}.gold?", mining, only(_OWN_SPLITS)),
    ],
    metric="mining_f1",
    also=("mining_precision", "mining_recall"),
    retrieval={"layer": "xtreme"},
    rows="test/de=413869 test/fr=271874 test/ru=460853 test/zh=94637 "
    "candidates/de=399337 candidates/fr=369810 candidates/ru=558401 candidates/zh=88860",
    licence="not stated; Wikipedia (CC BY-SA) and news commentary",
    homepage="https://comparable.limsi.fr/bucc2018/bucc2018-task.html",
    citation="Zweigenbaum et al. 2018, Overview of the Third BUCC Shared Task: Spotting Parallel Sentences",
)

LAREQA = published(
    "lareqa",
    Kind.RANKING,
    "Rank sentences in all languages by whether they answer the question (XQuAD-R).",
    "ar de el en es hi ru th tr vi zh",
    [
        Layout("xquad-r/{code}.json", answers, only("test candidates")),
        Layout("lareqa_xquad-r/{code}.json", answers, only("test candidates")),
    ],
    metric="map@20",
    rows="test=1190",
    pool=True,
    licence="CC BY-SA 4.0",
    homepage="https://github.com/google-research-datasets/lareqa",
    citation="Roy et al. 2020, LAReQA: Language-agnostic answer retrieval from a multilingual pool (arXiv 2004.05484)",
)

MEWSLIX = published(
    "mewslix",
    Kind.RANKING,
    "Rank entities by whether the mention in a sentence of the news means them.",
    "ar de en es fa ja pl ro ta tr uk",
    [
        Layout("mewslix/wikinews_mentions/{split}-{code}.jsonl", entities, only("dev test")),
        Layout("wikinews_mentions-{split}.jsonl", entities, only("dev test")),
        Layout("wikipedia_pairs-{split}.jsonl", entities, only("train"), codes=("en",)),
        Layout("candidate_set_entities.jsonl", entities, only("candidates dev_candidates")),
    ],
    metric="mrr@20",
    trains_on=(),
    licence="CC BY-SA 3.0 (Wikipedia) and CC BY 2.5 (Wikinews)",
    homepage="https://github.com/google-research/google-research/tree/master/dense_representations_for_entity_retrieval",
    citation="Ruder et al. 2021, XTREME-R: Towards More Challenging and Nuanced Evaluation (arXiv 2104.07412)",
)

NTREX_TASK = published(
    "ntrex", Kind.BITEXT, "Find the translation of a sentence of the news.", NTREX,
    [Layout("newstest2019-ref.{code}.txt+newstest2019-src.eng.txt+DOCUMENT_IDS.tsv?", aligned, only("test"))],
    rows="test=1997", licence="CC BY-SA 4.0", homepage="https://github.com/MicrosoftTranslator/NTREX",
    citation="Federmann et al. 2022, NTREX-128: News Test References for MT Evaluation of 128 Languages",
)  # fmt: skip

TASKS = (TATOEBA_TASK, BUCC, LAREQA, MEWSLIX, NTREX_TASK)
