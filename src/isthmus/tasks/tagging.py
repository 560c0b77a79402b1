"""Words and their tags: names, parts of speech, slots of a request, categories of a grammar."""

from dataclasses import replace

from isthmus.data.schema import Kind
from isthmus.data.sources.special import supertags, treebanks
from isthmus.tasks.define import PARQUET, Hub, Layout, only, published, tags, words
from isthmus.tasks.topic import XSID_CITATION, XSID_HOME, XSID_LANGUAGES

_UPOS = "ADJ ADP ADV AUX CCONJ DET INTJ NOUN NUM PART PRON PROPN PUNCT SCONJ SYM VERB X"
UPOS = tuple(_UPOS.split())
ALSO = ("span_f1_1.2.2", "token_accuracy")
_UD = "https://universaldependencies.org"
_NAMES = "Which words name persons, organisations and places?"
_SPEECH = "What part of speech is each word?"
_HUB_NAMES = "tokens=tokens tags=ner_tags"

_XTREME = "af ar bg de el en es et eu fa fi fr he hi hu id it ja kk ko mr nl pt ru ta te th tl tr ur vi yo zh"
_ADDED = "lt pl uk wo ro"
UDPOS = published(
    "udpos",
    Kind.TAGGING,
    f"{_SPEECH} All treebanks of a language in Universal Dependencies 2.5 (2.7 where XTREME-R added the language).",
    f"{_XTREME} {_ADDED}",
    [
        Layout("udpos/{split}-{code}.tsv", words(1, 2)),
        Layout("ud-treebanks-v2.5/UD_*/{code}_*-ud-{split}.conllu", treebanks, codes=tuple(_XTREME.split())),
        Layout("ud-treebanks-v2.7/UD_*/{code}_*-ud-{split}.conllu", treebanks, codes=tuple(_ADDED.split())),
    ],
    # The copy on the hub joins Ancient to Modern Greek, Swiss German to German, Old French to French, and so on.
    hub=Hub(
        "google/xtreme",
        "tokens=tokens tags=pos_tags",
        "udpos.{name}",
        without=("de", "el", "fr", "ru", "zh", *_ADDED.split()),
    ),
    rows="train=21253 dev=3974 test/af=425 test/ar=1680 test/bg=1116 test/eu=1799 test/fa=600 test/he=491 test/hi=2684 "
    "test/hu=449 test/kk=1047 test/mr=47 test/ta=120 test/te=146 test/th=1000 test/tl=55 test/vi=800 test/yo=100",
    metric="span_f1_1.2.2",  # as `isthmus score` has it unless told otherwise
    also=("span_f1", "token_accuracy"),
    train="en",
    labels=UPOS,
    licence="those of the treebanks, mostly CC BY-SA",
    homepage=_UD,
    citation="Nivre et al. 2020, Universal Dependencies v2 (arXiv 2004.10643); Hu et al. 2020 (arXiv 2003.11080)",
)

_THOUSAND, _HUNDRED = "af az bn hi kk ml mr ms sw ta te tl ur", "gu jv my pa qu yo"
_FEWER = [*((tag, 1000) for tag in _THOUSAND.split()), *((tag, 100) for tag in _HUNDRED.split())]
PANX = published(
    "panx",
    Kind.TAGGING,
    f"{_NAMES} Wikipedia; the tags follow from its links.",
    "ar he vi id jv ms tl eu ml ta te af nl en de el bn hi mr ur fa fr it pt es bg ru ja ka ko th sw yo my zh kk tr et "
    "fi hu qu pl uk lt az pa gu ro",
    [
        Layout("panx/{split}-{code}.tsv", words(1, 2)),
        Layout("panx_dataset/{code}-{split}", replace(words(1, 2), token_prefix="{code}:")),
        Layout("{code}/{split}", replace(words(1, 2), token_prefix="{code}:")),
    ],
    hub=Hub("unimelb-nlp/wikiann", _HUB_NAMES),
    rows="train=20000 dev=10000 test=10000 "
    + " ".join(f"{split}/{tag}={rows}" for split in ("dev", "test") for tag, rows in _FEWER),
    metric="span_f1",
    also=ALSO,
    train="en",
    labels=tags("PER ORG LOC"),
    labels_are="derived",
    derivation="Links of Wikipedia to articles on persons, organisations and places, carried from English to others.",
    licence="CC BY-SA 3.0 (Wikipedia)",
    homepage="https://github.com/afshinrahimi/mmner",
    citation="Pan et al. 2017, Cross-lingual Name Tagging and Linking; Rahimi et al. 2019 (arXiv 1902.00193)",
)

_AFRICA = "bam bbj ewe fon hau ibo kin lug luo mos nya pcm sna swa tsn twi wol xho yor zul"
MASAKHANER2 = published(
    "masakhaner2", Kind.TAGGING, f"{_NAMES} And dates; African news.", _AFRICA,
    [Layout("masakhaner2/{code}/{split}.txt", words(1, 2)), Layout("data/{code}/{split}.txt", words(1, 2))],
    hub=Hub("masakhane/masakhaner2", _HUB_NAMES, revision=PARQUET), metric="span_f1", also=ALSO,
    labels=tags("PER ORG LOC DATE"), trains_on=("panx",), licence="CC BY-NC 4.0",
    rows="test/bm=1274 test/ha=1633 test/ig=2181 test/lg=1412 test/sn=1773 test/sw=1883 test/tn=996 test/wo=1312 "
    "test/yo=1964 test/zu=1670", homepage="https://github.com/masakhane-io/masakhane-ner",
    citation="Adelani et al. 2022, MasakhaNER 2.0 (arXiv 2210.12391)")  # fmt: skip

MASAKHAPOS = published(
    "masakhapos", Kind.TAGGING, f"{_SPEECH} African news.", _AFRICA,
    [Layout("masakhane_pos/{code}/{split}.txt", words(1, 2)), Layout("data/{code}/{split}.txt", words(1, 2))],
    hub=Hub("masakhane/masakhapos", "tokens=tokens tags=upos", revision=PARQUET), metric="token_accuracy",
    also=("span_f1",), labels=UPOS, trains_on=("udpos",),
    rows="test/bm=619 test/ha=601 test/ig=642 test/lg=586 test/sn=596 test/sw=553 test/tn=602 test/wo=625 test/yo=713 "
    "test/zu=601", licence="MIT", homepage="https://github.com/masakhane-io/masakhane-pos",
    citation="Dione et al. 2023, MasakhaPOS (arXiv 2305.13989)")  # fmt: skip

_UNER = """
ceb=ceb_gja da=da_ddt de=de_pud en=en_ewt hr=hr_set pt=pt_bosque ru=ru_pud sk=sk_snk sr=sr_set sv=sv_talbanken
tl=tl_trg zh=zh_gsdsimp zh-Hant=zh_pud
"""
_OTHER = replace(words(2, 3), labels={"B-OTH": "O", "I-OTH": "O"})
UNER = published(
    "uner", Kind.TAGGING, f"{_NAMES} Sentences of Universal Dependencies.", _UNER,
    [Layout("{code}-ud-{split}.iob2", _OTHER)], metric="span_f1", also=ALSO, train="en", labels=tags("PER ORG LOC"),
    hub=Hub("universalner/universal_ner", f"id=idx {_HUB_NAMES}", revision=PARQUET, options=_OTHER),
    rows="dev/en=2001 test/en=2077 test/de=1000 test/ru=1000 test/sr=520 test/zh-Hant=1000",
    licence="CC BY-SA 4.0 and 3.0, by treebank", homepage="https://www.universalner.org",
    citation="Mayhew et al. 2024, Universal NER (arXiv 2311.09122)")  # fmt: skip

WNUT17 = published(
    "wnut17", Kind.TAGGING, "Which words name persons, places, groups, firms, products or works?", "en",
    [Layout("wnut17/{split}.conll", words(1, 2), only("train=wnut17train dev=emerging.dev test=emerging.test")),
     Layout("emerging.{split}.annotated", words(1, 2), only("test"))], metric="span_f1", also=ALSO, train="en",
    hub=Hub("leondz/wnut_17", _HUB_NAMES, "wnut_17", PARQUET), rows="train=3394 dev=1009 test=1287",
    labels=tags("corporation creative-work group location person product"), licence="CC BY 4.0",
    homepage="https://github.com/leondz/emerging_entities_17",
    citation="Derczynski et al. 2017, The WNUT2017 Shared Task on Novel and Emerging Entity Recognition")  # fmt: skip

_SLOTS = """
album artist best_rating condition_description condition_temperature cuisine datetime entity_name facility genre
location movie_name movie_type music_item object_location_type object_name object_part_of_series_type object_select
object_type
party_size_description party_size_number playlist rating_unit rating_value recurring_datetime reference reference-part
reminder/todo restaurant_name restaurant_type served_dish service sort track weather/attribute
"""
XSID = published(
    "xsid", Kind.TAGGING, "Which words of a request fill which slot?", XSID_LANGUAGES,
    [Layout("{code}.{split}.conll", words(2, 4), only("train dev=valid test"))], metric="span_f1", also=ALSO,
    train="en", labels=tags(_SLOTS), rows="test=500 test/ja=250", licence="CC BY-SA 4.0",
    homepage=XSID_HOME, citation=XSID_CITATION,
)  # fmt: skip

EWT_POS = published(
    "ewt-pos", Kind.TAGGING, f"{_SPEECH} The English Web Treebank alone.", "en",
    [Layout("en_ewt_2col/{split}.txt", words(1, 2))], metric="token_accuracy", also=("span_f1",), train="en",
    labels=UPOS, rows="train=12544 dev=2001 test=2077", licence="CC BY-SA 4.0", homepage=_UD,
    citation="Silveira et al. 2014, A Gold Standard Dependency Corpus for English",
)  # fmt: skip

UD_PUD = published(
    "ud-pud", Kind.TAGGING, f"{_SPEECH} The same 1,000 sentences in all languages.",
    "ar cs de en es fi fr gl hi id is it ja ko pl pt ru sv th tr zh-Hant=zh",
    [Layout("{code}_pud-ud-{split}.conllu", splits=only("test"))], metric="token_accuracy", also=("span_f1",),
    labels=UPOS, trains_on=("udpos",), rows="test=1000", licence="CC BY-SA 3.0 and 4.0, by treebank", homepage=_UD,
    hub=Hub("universal-dependencies/universal_dependencies", "id=idx tokens=tokens tags=upos", "{code}_pud"),
    citation="Zeman et al. 2017, CoNLL 2017 Shared Task: Multilingual Parsing from Raw Text to UD")  # fmt: skip

_CATEGORY = "Which category of combinatory categorial grammar has each word?"
#: Sections 2 to 21 train, 0 is dev, 23 is measured.
_SECTIONS = only("train=0[2-9]/*.auto+AUTO/1[0-9]/*.auto+AUTO/2[01] dev=00 test=23")
CCG = published(
    "ccg", Kind.TAGGING, f"{_CATEGORY} The Wall Street Journal; Phang et al. (2020) train on 38,015 of its "
    "sentences. Its owners bring the files: as published, or a sentence of word|POS|CATEGORY a line.", "en",
    [Layout("AUTO/{split}/*.auto", supertags, _SECTIONS), Layout("ccg/{split}.auto", supertags),
     Layout("wsj{split}.stagged", supertags, only("train=02-21 dev=00 test=23")), Layout("ccg/{split}.txt", supertags)],
    metric="token_accuracy", train="en", licence="Linguistic Data Consortium (LDC2005T13)",
    homepage="https://catalog.ldc.upenn.edu/LDC2005T13", citation="Hockenmaier and Steedman 2007, CCGbank")  # fmt: skip

CCG_PMB = published(
    "ccg-pmb", Kind.TAGGING, _CATEGORY, "de en it nl",
    [Layout("pmb-4.0.0/{code}/gold/{split}.conll", words(1, 5))], metric="token_accuracy", train="en",
    rows="train=7745 dev/de=559 dev/en=1174 test/de=547 test/en=1053 test/it=461", licence="ODC-BY",
    homepage="https://pmb.let.rug.nl", citation="Abzianidze et al. 2017, The Parallel Meaning Bank (arXiv 1702.03964)",
)  # fmt: skip

TASKS = (UDPOS, PANX, MASAKHANER2, MASAKHAPOS, UNER, WNUT17, XSID, EWT_POS, UD_PUD, CCG, CCG_PMB)
