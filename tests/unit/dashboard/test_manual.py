"""The manual says what the screens say."""

from __future__ import annotations

import re

import pytest

from city.incident import Role
from dashboard.screens.manual.page import FOLDER, PICTURE, ROLES
from dashboard.shell.i18n import LANGUAGES, texts

GAP = re.compile(r"\{\w+\}")


def read(role: Role, lang: str) -> str:
    return (FOLDER / f"{role}.{lang}.md").read_text("utf-8")


def test_every_role_that_a_person_can_have_has_a_page_in_both_languages() -> None:
    assert set(ROLES) == set(Role) - {Role.SYSTEM}
    names = {f"{role}.{lang}.md" for role in ROLES for lang in LANGUAGES}
    assert names == {path.name for path in FOLDER.glob("*.md")}


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("role", ROLES)
def test_what_is_printed_bold_stands_on_a_screen(role: Role, lang: str) -> None:
    known = {GAP.sub("", text).strip() for text in texts(lang).entries.values()}
    bold = re.findall(r"\*\*(.+?)\*\*", read(role, lang))
    assert bold
    assert [words for words in bold if words not in known] == []


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("role", ROLES)
def test_a_page_has_a_picture(role: Role, lang: str) -> None:
    pictures = PICTURE.findall(read(role, lang))
    assert pictures
    assert all((FOLDER / f"{name}.{lang}.jpg").is_file() for name in pictures)


@pytest.mark.parametrize("role", ROLES)
def test_both_languages_have_the_same_parts(role: Role) -> None:
    chinese, english = (
        [PICTURE.findall(line) for line in read(role, lang).splitlines() if line[:1] in ("#", "!")]
        for lang in LANGUAGES
    )
    assert chinese == english
