"""The treebanks of Universal Dependencies as tasks, each by its own name: ``ud-Faroese-OFT``."""

import re
from functools import cache

from isthmus.data.schema import Kind
from isthmus.errors import SpecError, nearest
from isthmus.languages import known
from isthmus.tasks.core import Task
from isthmus.tasks.define import Hub, Layout, published
from isthmus.tasks.tagging import UPOS

PREFIX = "ud-"
_NAME = re.compile(r"ud-([A-Za-z_]+)-([A-Za-z0-9]+)")
#: What Universal Dependencies calls languages that go by another name here, and their codes there.
_CALLED = {
    "Kurmanji": "ku=kmr", "Norwegian": "nb=no", "Uyghur": "ug", "Chinese": "zh", "Komi_Zyrian": "kv=kpv",
    "North_Sami": "se=sme", "Buryat": "bua=bxr", "Naija": "pcm", "Old_Church_Slavonic": "cu", "Bambara": "bm",
    "Upper_Sorbian": "hsb", "Albanian": "sq", "Scottish_Gaelic": "gd", "Swiss_German": "gsw", "Erzya": "myv",
    "Western_Armenian": "hyw", "Haitian_Creole": "ht", "Low_Saxon": "nds", "Sanskrit": "sa", "Persian": "fa",
}  # fmt: skip
#: Treebanks that are not in the standard or the script that the name of their language stands for.
_WRITTEN = {
    "Norwegian-Nynorsk": "nn=no", "Norwegian-NynorskLIA": "nn=no",
    "Chinese-GSD": "zh-Hant=zh", "Chinese-HK": "zh-Hant=zh", "Chinese-PUD": "zh-Hant=zh",
}  # fmt: skip


@cache
def treebank(name: str) -> Task:
    """The task of the treebank ``name``, such as ``ud-Faroese-OFT``. English ones may be trained on.

    Raises:
        SpecError: this is no name of a treebank, or nothing is known of its language.
    """
    match = _NAME.fullmatch(name)
    if match is None:
        raise SpecError(f"{name!r} is no treebank: name one as in ud-Faroese-OFT.")
    language, corpus = match.groups()
    code = (
        _WRITTEN.get(f"{language}-{corpus}")
        or _CALLED.get(language)
        or _languages().get(language.replace("_", " ").casefold())
    )
    if code is None:
        names = {*_CALLED, *(known.title().replace(" ", "_") for known in _languages())}
        raise SpecError(f"{name}: no language is called {language}: {nearest(language, names)}")
    english = language == "English"
    return published(
        name, Kind.TAGGING, f"What part of speech is each word? The treebank {language} {corpus}.", code,
        [Layout(f"UD_{language}-{corpus}/*_{corpus.lower()}-ud-{{split}}.conllu")], metric="token_accuracy",
        also=("span_f1",), labels=UPOS, train="en" if english else None, trains_on=None if english else ("udpos",),
        hub=Hub("universal-dependencies/universal_dependencies", "id=idx tokens=tokens tags=upos",
                f"{{code}}_{corpus.lower()}"), licence="that of the treebank",
        homepage=f"https://github.com/UniversalDependencies/UD_{language}-{corpus}",
        citation="Nivre et al. 2020, Universal Dependencies v2 (arXiv 2004.10643)")  # fmt: skip


@cache
def _languages() -> dict[str, str]:
    return {fact.name.casefold(): fact.tag for fact in known()}
