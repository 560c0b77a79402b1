"""The suites as published, and their averages from plain figures."""

import pytest

from isthmus.errors import SpecError
from isthmus.tasks.suites import aggregate, suite, suites


def test_the_languages_are_those_published() -> None:
    counts = {name: [len(languages) for languages in each.languages.values()] for name, each in suites().items()}
    assert " ".join(suite("xtreme").tasks) == "pawsx xnli panx udpos bucc2018 tatoeba xquad mlqa tydiqa"
    assert counts["xtreme"] == [7, 15, 40, 33, 4, 36, 11, 7, 9]
    assert " ".join(suite("xtreme-r").tasks) == "xnli panx udpos tatoeba xcopa lareqa mewslix xquad mlqa tydiqa"
    assert counts["xtreme-r"] == [15, 48, 38, 41, 11, 11, 11, 12, 7, 9]
    for each in suites().values():
        for languages in each.languages.values():
            assert len(set(languages)) == len(languages)
        for members in (*each.groups.values(), *each.own_groups.values(), each.retrieval):
            assert set(members) <= set(each.tasks)
        assert set(each.own_groups["without_retrieval"]) == set(each.tasks) - set(each.retrieval)


def test_averages_go_from_languages_to_tasks_to_the_whole() -> None:
    of = suite("xtreme-r")
    scores = {task: dict.fromkeys(of.languages[task], 10.0 * number) for number, task in enumerate(of.tasks)}
    scores["xnli"] = {language: float(row) for row, language in enumerate(of.languages["xnli"])}
    found = aggregate(scores | {"elsewhere": {"de": 1.0}}, of)
    assert found.tasks["xnli"] == 7
    assert found.groups["multi_choice"] == found.tasks["xcopa"]
    assert found.groups["classification"] == (7 + found.tasks["xcopa"]) / 2
    assert found.all_task == found.so_far == pytest.approx((7 + sum(10 * number for number in range(1, 10))) / 10)
    assert found.own_groups["retrieval_all"] == pytest.approx(sum(found.tasks[task] for task in of.retrieval) / 3)
    assert found.coverage.missing == {} and found.coverage.pairs == (203, 203)


def test_what_lacks_anything_has_no_average() -> None:
    of = suite("xtreme")
    scores = {task: dict.fromkeys(languages, 50.0) for task, languages in of.languages.items() if task != "mlqa"}
    del scores["xnli"]["sw"]
    scores["bucc2018"] = dict.fromkeys(of.languages["bucc2018"], 90.0)
    found = aggregate(scores, of)
    assert found.all_task is None
    assert set(found.groups) == {"tagging", "retrieval"}
    assert found.coverage.missing == {"xnli": ("sw",), "mlqa": of.languages["mlqa"]}
    assert found.so_far == pytest.approx((7 * 50 + 90) / 8)
    assert found.so_far_without_retrieval == 50
    assert aggregate({}, of).so_far is None


def test_an_unknown_suite_names_its_neighbours() -> None:
    with pytest.raises(SpecError, match=r"'xtreme_r': did you mean xtreme-r or xtreme"):
        suite("xtreme_r")
