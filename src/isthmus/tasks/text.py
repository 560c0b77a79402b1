"""Texts without labels: for masked language modelling."""

from isthmus.data.readers.options import Options
from isthmus.data.schema import Kind
from isthmus.tasks.define import Hub, Layout, only, published

_LANGUAGES = """
af am ar az be bg bn bs ca cs cy da de el en eo es et eu fa fi fo fr ga gl gu ha he hi hr ht hu hy id ig is it ja jv ka
kk km kn ko ku ky la lo lt lv mg mk ml mn mr ms mt my ne nl nn no or pa pl ps pt qu ro ru rw sa sd si sk sl so sq sr su
sv sw ta te th tl tr ug uk ur uz vi wo xh yi yo zh zu
"""
_PLAIN = Options(form="text")
_HUB = Hub(
    "wikimedia/wikipedia",
    "id=id text=text",
    "20231101.{code}",
    "b04c8d1ceb2f5cd4588862100d08de323dccfbaa",
    only("train dev=train test=train"),
    Options(drop={"text": ""}),
    rows={"dev": (0, 500), "test": (500, 1000), "train": (1000, 6000)},
)
WIKIPEDIA = published(
    "wikipedia", Kind.TEXT, "Articles of Wikipedia. From the hub come 5,000 of each language to train on, and 500 each "
    "for dev and test, not all of them: the first ones of the dump of November 2023.", _LANGUAGES,
    [Layout("wikipedia/{code}.txt", _PLAIN, only("train")), Layout("wikipedia/{split}-{code}.txt", _PLAIN)],
    hub=_HUB, metric="token_accuracy", train="en", licence="CC BY-SA 3.0 and GFDL", labels_are="derived",
    derivation="What is to be predicted are words of the texts themselves.",
    homepage="https://dumps.wikimedia.org", citation="Wikimedia Foundation, Wikimedia Downloads",
)  # fmt: skip

TASKS = (WIKIPEDIA,)
