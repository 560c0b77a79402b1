"""What a text is about, what its writer feels, or what is asked for."""

from isthmus.data.readers.options import Options
from isthmus.data.schema import Kind
from isthmus.tasks.code_lists import FLORES
from isthmus.tasks.define import Hub, Layout, cells, only, published

TOPICS = ("science/technology", "travel", "politics", "sports", "health", "entertainment", "geography")
SIB200 = published(
    "sib200", Kind.SEQUENCE, "What is a sentence of FLORES-200 about?", FLORES,
    [Layout("{code}/{split}.tsv", cells("tsv", id="index_id", text="text", label="category"))],
    hub=Hub("Davlan/sib200", "id=index_id text=text label=category"),
    labels=TOPICS, train="en", rows="train=701 dev=99 test=204", licence="CC BY-SA 4.0",
    homepage="https://github.com/dadelani/sib-200",
    citation="Adelani et al. 2024, SIB-200: A Topic Classification Dataset in 200+ Languages (arXiv 2309.07445)",
)  # fmt: skip

_NUSAX = """
ace=acehnese ban=balinese bbc=toba_batak bjn=banjarese bug=buginese en=english id=indonesian jv=javanese mad=madurese
min=minangkabau nij=ngaju su=sundanese
"""
NUSAX = published(
    "nusax", Kind.SEQUENCE, "Is a comment negative, neutral or positive?", _NUSAX,
    [Layout("{code}/{split}.csv", cells("csv", id="id", text="text", label="label"), only("train dev=valid test"))],
    hub=Hub("indonlp/NusaX-senti", "id=id text=text label=label", "{iso3}"),
    labels=("negative", "neutral", "positive"), train="en", rows="train=500 dev=100 test=400", licence="CC BY-SA 4.0",
    homepage="https://github.com/IndoNLP/nusax",
    citation="Winata et al. 2023, NusaX: Parallel Sentiment for 10 Indonesian Languages (arXiv 2205.15960)",
)  # fmt: skip

#: Codes of xSID for varieties that have no tag of their own: South Tyrolean German, and Bavarian by its own.
XSID_LANGUAGES = "ar da de bar=de-ba de-IT=de-st en gsw id it ja kk nap nl sr tr zh"
XSID_HOME = "https://github.com/mainlp/xsid"
XSID_CITATION = "van der Goot et al. 2021, From Masked Language Modeling to Translation: xSID (arXiv 2105.07316)"
_INTENTS = """
AddToPlaylist BookRestaurant PlayMusic RateBook SearchCreativeWork SearchScreeningEvent alarm/cancel_alarm
alarm/modify_alarm alarm/set_alarm alarm/show_alarms alarm/snooze_alarm alarm/time_left_on_alarm
reminder/cancel_reminder reminder/set_reminder reminder/show_reminders weather/checkSunrise weather/checkSunset
weather/find
"""
INTENTS = tuple(_INTENTS.split())
_COMMENTS = Options({"text": "text", "label": "intent"}, "conll")
XSID_INTENTS = published(
    "xsid-intents", Kind.SEQUENCE, "What is the voice assistant asked for?", XSID_LANGUAGES,
    [Layout("{code}.{split}.conll", _COMMENTS, only("train dev=valid test"))],
    labels=INTENTS, train="en", rows="test=500 test/ja=250", licence="CC BY-SA 4.0",
    homepage=XSID_HOME, citation=XSID_CITATION,
)  # fmt: skip

TASKS = (SIB200, NUSAX, XSID_INTENTS)
