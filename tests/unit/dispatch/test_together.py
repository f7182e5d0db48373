"""Which cases may be of one cause, and what is asked of several at once."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from city.errors import InvalidInput
from city.incident import Action, Incident, IncidentState, SeenIncident, Source
from city.requests import TogetherRequest
from dispatch.together import TOGETHER_MAX, check_request, of_one_cause

LEFT_HERE = "one lorry broke them"
NOON = datetime(2026, 7, 15, 4, 0, tzinfo=UTC)
CASE = Incident(
    1,
    "n",
    "460107",
    None,
    "0101",
    1,
    Source.PATROL,
    IncidentState.CHECKING,
    3,
    "盖",
    "cover",
    "",
    110.36,
    20.0,
    None,
    None,
    None,
    None,
    NOON,
    "li",
)
STEP = 0.0004  # degrees of latitude: 44 m


def test_one_cause_goes_from_case_to_case() -> None:
    row = [replace(CASE, id=i, lat=CASE.lat + i * STEP) for i in range(4)]
    assert of_one_cause([row[0], row[3], row[1], row[2]]) == {0, 1, 2, 3}
    assert of_one_cause([row[0], row[2], row[3]]) == {0}
    assert of_one_cause([]) == set()


def test_another_category_another_day_or_another_place_is_another_cause() -> None:
    others = {
        "category": replace(CASE, id=2, category="0102"),
        "day": replace(CASE, id=2, opened_at=NOON + timedelta(hours=25)),
        "place": replace(CASE, id=2, lat=CASE.lat + 0.01),
    }
    for what, other in others.items():
        assert of_one_cause([CASE, other]) == {1}, what
    device = replace(others["place"], device_id=7)
    assert of_one_cause([replace(CASE, device_id=7), device]) == {1, 2}


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (TogetherRequest(Action.DISPATCH, [SeenIncident(1, 1)]), "action"),
        (TogetherRequest(Action.RELEASE, [SeenIncident(1, 1)]), "action"),
        (TogetherRequest(Action.ACKNOWLEDGE, []), "incidents"),
        (
            TogetherRequest(
                Action.ACKNOWLEDGE, [SeenIncident(i, 1) for i in range(TOGETHER_MAX + 1)]
            ),
            "incidents",
        ),
        (TogetherRequest(Action.ACKNOWLEDGE, [SeenIncident(1, 1)] * 2), "incidents[1].id"),
        (TogetherRequest(Action.MERGE, [SeenIncident(1, 1)], reason="twin"), "into"),
        (TogetherRequest(Action.CLOSE, [SeenIncident(1, 1)], note=" "), "note"),
    ],
)
def test_what_holds_for_all_of_them_names_its_field(request_: TogetherRequest, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_request(request_)
    assert refused.value.field == field
