"""What the check of a table says is said in the language of the page."""

from __future__ import annotations

import re

import pytest

from dashboard.shell.i18n import CHINESE, ENGLISH, texts
from dashboard.shell.judgements import fault_words
from founding.tables import NAMES, calendar_name, table_of
from tests.tables import cases

TABLES = {table_of(name).file for name in (*NAMES, calendar_name(2027))}
SAID = re.compile(r"(?P<file>[^,]+), row \d+, [^:]+: (?P<problem>.*?)(?: \(got '.*'\))?")
FOLDER = "faults_of_a_city_folder.csv"


def sentences() -> list[str]:
    found = (
        SAID.fullmatch(case.values[-1])
        for case in cases(FOLDER, name=str, old=str, new=str, said=str)
    )
    return [match["problem"] for match in found if match and match["file"] in TABLES]


@pytest.mark.parametrize("problem", sentences())
def test_every_fault_of_a_table_has_words_in_both_languages(problem: str) -> None:
    patterns = [
        re.sub(r"\\\{\w+\\\}", ".+", re.escape(english))
        for english, _ in fault_words(texts(CHINESE))
    ]
    assert any(re.fullmatch(pattern, problem) for pattern in patterns)


def test_english_stays_as_it_was_said() -> None:
    assert all(english == own for english, own in fault_words(texts(ENGLISH)))
