"""One language, however its code is spelt; and groups of languages by what they have in common."""

import csv
import os
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.errors import SpecError
from isthmus.languages import REGIONS, RESOURCES, SCRIPTS, Language, known, language, select

SHARED = Path(os.environ.get("ISTHMUS_SHARED", "../shared"))

XTREME_R = (
    "ar he vi id jv ms tl eu ml ta te af nl en de el bn hi mr ur fa fr it pt es bg ru ja ka ko th sw yo my zh kk tr et "
    "fi hu qu pl uk az lt pa gu ro wo ht"
)
FLORES = (
    "ace_Arab ace_Latn acm_Arab acq_Arab aeb_Arab afr_Latn ajp_Arab aka_Latn als_Latn amh_Ethi apc_Arab arb_Arab "
    "arb_Latn ars_Arab ary_Arab arz_Arab asm_Beng ast_Latn awa_Deva ayr_Latn azb_Arab azj_Latn bak_Cyrl bam_Latn "
    "ban_Latn bel_Cyrl bem_Latn ben_Beng bho_Deva bjn_Arab bjn_Latn bod_Tibt bos_Latn bug_Latn bul_Cyrl cat_Latn "
    "ceb_Latn ces_Latn cjk_Latn ckb_Arab crh_Latn cym_Latn dan_Latn deu_Latn dik_Latn dyu_Latn dzo_Tibt ell_Grek "
    "eng_Latn epo_Latn est_Latn eus_Latn ewe_Latn fao_Latn fij_Latn fin_Latn fon_Latn fra_Latn fur_Latn fuv_Latn "
    "gaz_Latn gla_Latn gle_Latn glg_Latn grn_Latn guj_Gujr hat_Latn hau_Latn heb_Hebr hin_Deva hne_Deva hrv_Latn "
    "hun_Latn hye_Armn ibo_Latn ilo_Latn ind_Latn isl_Latn ita_Latn jav_Latn jpn_Jpan kab_Latn kac_Latn kam_Latn "
    "kan_Knda kas_Arab kas_Deva kat_Geor kaz_Cyrl kbp_Latn kea_Latn khk_Cyrl khm_Khmr kik_Latn kin_Latn kir_Cyrl "
    "kmb_Latn kmr_Latn knc_Arab knc_Latn kon_Latn kor_Hang lao_Laoo lij_Latn lim_Latn lin_Latn lit_Latn lmo_Latn "
    "ltg_Latn ltz_Latn lua_Latn lug_Latn luo_Latn lus_Latn lvs_Latn mag_Deva mai_Deva mal_Mlym mar_Deva min_Arab "
    "min_Latn mkd_Cyrl mlt_Latn mni_Beng mos_Latn mri_Latn mya_Mymr nld_Latn nno_Latn nob_Latn npi_Deva nso_Latn "
    "nus_Latn nya_Latn oci_Latn ory_Orya pag_Latn pan_Guru pap_Latn pbt_Arab pes_Arab plt_Latn pol_Latn por_Latn "
    "prs_Arab quy_Latn ron_Latn run_Latn rus_Cyrl sag_Latn san_Deva sat_Olck scn_Latn shn_Mymr sin_Sinh slk_Latn "
    "slv_Latn smo_Latn sna_Latn snd_Arab som_Latn sot_Latn spa_Latn srd_Latn srp_Cyrl ssw_Latn sun_Latn swe_Latn "
    "swh_Latn szl_Latn tam_Taml taq_Latn taq_Tfng tat_Cyrl tel_Telu tgk_Cyrl tgl_Latn tha_Thai tir_Ethi tpi_Latn "
    "tsn_Latn tso_Latn tuk_Latn tum_Latn tur_Latn twi_Latn tzm_Tfng uig_Arab ukr_Cyrl umb_Latn urd_Arab uzn_Latn "
    "vec_Latn vie_Latn war_Latn wol_Latn xho_Latn ydd_Hebr yor_Latn yue_Hant zho_Hans zho_Hant zsm_Latn zul_Latn"
)


@pytest.mark.parametrize(
    "tag, codes",
    [
        ("sw", "sw swa swh SWH swh_Latn"),
        ("zh", "zh zho cmn chi zho_Hans zh-Hans zh-Hani"),
        ("ar", "ar ara arb arb_Arab"),
        ("lv", "lv lav lvs"),
        ("mn", "mn mon khk khk_Cyrl"),
        ("nb", "nb nob no nor"),
        ("fa", "fa fas pes per"),
        ("ms", "ms msa zsm may"),
        ("et", "et est ekk"),
        ("ko", "ko kor kor_Hang ko-Kore"),
        ("he", "he heb iw"),
        ("qu", "qu que quy quz"),
        ("ku", "ku kur kmr kmr_Latn"),
        ("tl", "tl tgl fil"),
        ("zh-CN", "zh-CN zho-CN zh_cn zh-Hans-CN"),
        ("zh-TW", "zh-TW zh_Hant_TW"),
        ("zh-Hant", "zh-Hant zho_Hant ZH-HANT"),
        ("sr-Latn", "sr-Latn srp_Latn"),
        ("pt-BR", "pt-BR pt_br por-BR"),
        ("ace-Arab", "ace_Arab"),
        ("es-419", "es-419"),
    ],
)
def test_every_spelling_of_a_code_is_one_language(tag: str, codes: str) -> None:
    assert {language(code) for code in codes.split()} == {language(tag)}
    assert language(tag).tag == tag


def test_facts_of_a_language() -> None:
    assert language("swh") == Language(
        "sw", "swa", "Swahili", "Latn", "Niger-Congo", "Bantu", resource="low", region="africa"
    )


@pytest.mark.parametrize(
    "code, name, script",
    [
        ("sr", "Serbian", "Cyrl"),
        ("sr-Latn", "Serbian (Latin)", "Latn"),
        ("zh-HK", "Chinese (Hong Kong)", "Hant"),
        ("zh-Hans-TW", "Chinese (Simplified, Taiwan)", "Hans"),
        ("pt-BR", "Portuguese (Brazil)", "Latn"),
        ("pa-PK", "Punjabi (Pakistan)", "Arab"),
        ("en-ZA", "English (ZA)", "Latn"),
    ],
)
def test_a_variant_says_what_sets_it_apart(code: str, name: str, script: str) -> None:
    assert (language(code).name, language(code).script) == (name, script)


@given(st.sampled_from(known()), st.sampled_from(["", *SCRIPTS]), st.sampled_from(["", "BR", "TW", "419"]))
def test_the_tag_of_a_language_names_that_language(base: Language, script: str, region: str) -> None:
    found = language("_".join(filter(None, [base.iso639_3, script, region])))
    assert language(found.tag) == found
    assert (found.iso639_3, found.family) == (base.iso639_3, base.family)


def test_the_codes_of_the_usual_data_sets_are_known_and_distinct() -> None:
    for codes in (XTREME_R.split(), FLORES.split()):
        assert len({language(code).tag for code in codes}) == len(codes)
    assert all(language(code).tag == code for code in XTREME_R.split())
    written = {code: code[4:].replace("Hang", "Kore") for code in FLORES.split()}
    assert {code: language(code).script for code in FLORES.split()} == written


def test_the_languages_of_the_voice_assistant_package_keep_their_tags() -> None:
    package = pytest.importorskip("home_assistant_intents")
    codes = package.get_languages()
    assert len(codes) >= 30
    assert {code: language(code).tag for code in codes} == {code: code for code in codes}


def test_every_code_of_the_shared_data_is_known() -> None:
    manifest = SHARED / "data" / "MANIFEST.tsv"
    if not manifest.exists():
        pytest.skip("no shared data here")
    with manifest.open(encoding="utf-8", newline="") as file:
        cells = {row["lang"] for row in csv.DictReader(file, delimiter="\t")}
    codes = {code for cell in cells if len(cell) <= 8 for code in cell.split(",") if code.isascii() and code != "-"}
    codes -= {"english", "balinese", "javanese", "madurese", "acehnese"}  # NusaX names its files in words
    assert len(codes) > 250
    assert {language(code).tag for code in codes} >= {"ace-Arab", "zh-CN", "mhr", "tzm"}


def test_the_table_is_complete_and_sorted() -> None:
    assert len(known()) > 250
    assert [fact.tag for fact in known()] == sorted(fact.tag for fact in known())
    for fact in known():
        assert fact.resource in RESOURCES and fact.region in REGIONS and fact.script in SCRIPTS
        assert all((fact.name, fact.family, fact.branch)) and len(fact.iso639_3) == 3
    rows = files("isthmus").joinpath("languages.csv").read_text(encoding="utf-8").split("\n")
    assert len({line.split(",")[1] for line in rows if line}) == len(known()) + 1


@pytest.mark.parametrize(
    "code, hint",
    [
        ("swahili", "did you mean sw (Swahili)?"),
        ("Swahilli", "sw (Swahili)"),
        ("engl", "en (English)"),
        ("", "such as en, swh or zh-Hant"),
        ("q!!", "such as en"),
        ("en-Latin", "not 'Latin'"),
        ("en-US-GB", "not 'GB'"),
        ("en-éé", "not 'éé'"),
        ("sr-Latm", "did you mean Latn"),
    ],
)
def test_an_unknown_code_is_refused_with_what_was_meant(code: str, hint: str) -> None:
    with pytest.raises(SpecError) as error:
        language(code)
    assert hint in str(error.value)
    assert "\n" not in str(error.value)


@given(st.text(max_size=12))
def test_any_text_is_a_language_or_a_sentence_about_it(code: str) -> None:
    try:
        found = language(code)
    except SpecError:
        return
    assert language(found.tag) == found


AMONG = ["en", "pt", "pt-BR", "zh-CN", "zh-TW", "am", "swh", "tr", "th", "sr-Latn"]


@pytest.mark.parametrize(
    "selector, chosen",
    [
        ("all", AMONG),
        ("tr, en", ["en", "tr"]),
        ("sw", ["swh"]),
        ("pt", ["pt"]),
        ("zh", ["zh-CN", "zh-TW"]),
        ("low-resource", ["am", "swh"]),
        ("resource=medium", ["th"]),
        ("script=Ethi", ["am"]),
        ("script=latn,th", ["en", "pt", "pt-BR", "swh", "tr", "th", "sr-Latn"]),
        ("family=Turkic, africa", ["am", "swh", "tr"]),
        ("branch=Bantu", ["swh"]),
        ("Oceania,en", ["en"]),
    ],
)
def test_a_selector_picks_languages_in_the_order_given(selector: str, chosen: list[str]) -> None:
    assert select(selector, AMONG) == chosen


@pytest.mark.parametrize(
    "selector, hint",
    [
        ("lowresource", "did you mean low-resource?"),
        ("low-resourced", "did you mean low-resource?"),
        ("afrika", "did you mean africa?"),
        ("tiny-resource", "No language has resource 'tiny'"),
        ("script=Ethiopic", "did you mean Ethi"),
        ("famly=Turkic", "did you mean family?"),
        ("family=Turkish", "did you mean Turkic"),
        ("de", "The language de (German) is not among these: en, pt,"),
        ("swahili", "sw (Swahili)"),
        ("oceania", "No language is selected by 'oceania'"),
        ("", "No language is selected"),
    ],
)
def test_a_selector_that_picks_nothing_is_refused(selector: str, hint: str) -> None:
    with pytest.raises(SpecError) as error:
        select(selector, AMONG)
    assert hint in str(error.value)


def test_importing_languages_reads_nothing() -> None:
    code = (
        "import sys; from isthmus import languages as l; print(l._table.cache_info().currsize, 'torch' in sys.modules)"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).split() == ["0", "False"]
