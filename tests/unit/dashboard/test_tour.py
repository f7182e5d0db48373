"""What a founded city still needs."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from dashboard.shell.i18n import LANGUAGES
from dashboard.shell.tour import plan_steps
from dashboard.shell.tour_texts import TEXTS
from db.first_steps import FirstSteps

NOTHING = FirstSteps(**{field.name: False for field in fields(FirstSteps)})
FOUND = [field.name for field in fields(FirstSteps) if field.name != "dismissed"]


@pytest.mark.parametrize("name", FOUND)
def test_what_the_database_has_is_ticked_and_nothing_else(name: str) -> None:
    steps = plan_steps(replace(NOTHING, **{name: True}), 2027)
    assert [step.name for step in steps if step.done] == [name]


def test_the_calendar_is_ticked_by_its_days_and_leads_to_its_year() -> None:
    missing = {step.name: step for step in plan_steps(NOTHING, 2027)}["calendar"]
    assert (missing.done, missing.link) == (False, "/settings?part=calendar-2027")
    assert [step.name for step in plan_steps(NOTHING, None) if step.done] == ["calendar"]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_step_has_words(lang: str) -> None:
    for step in plan_steps(NOTHING, 2027):
        assert TEXTS[lang][step.name]
        assert TEXTS[lang][f"{step.name}_note"]
