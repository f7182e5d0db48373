"""A photo that does not fit its case is doubted, with its measure; one that fits is not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from city.incident import Doubt, DoubtCode, Evidence, Incident, IncidentState, Source
from dispatch.doubts import doubts_of

OPENED = datetime(2026, 7, 15, 1, 0, tzinfo=UTC)
CASE = Incident(
    id=1,
    number="1",
    district="460107",
    condition=None,
    category="0101",
    category_version=1,
    source=Source.PATROL,
    state=IncidentState.HANDLED,
    severity=3,
    title_zh="",
    title_en="",
    description="",
    lon=110.36,
    lat=20.0,
    unit_grid=None,
    street=None,
    community=None,
    device_id=None,
    opened_at=OPENED,
    reported_by="wang",
    dispatched_at=OPENED + timedelta(hours=1),
)
AFTER = Evidence(
    id=1,
    incident_id=1,
    stage="photo_after",
    filename="a.jpg",
    media_type="image/jpeg",
    size_bytes=1,
    sha256=b"",
    taken_at=OPENED + timedelta(hours=2),
    lon=110.3601,
    lat=20.0,
    uploaded_by="chen",
    uploaded_at=OPENED + timedelta(hours=2, minutes=1),
)


def test_a_photo_that_fits_its_case_is_not_doubted() -> None:
    assert doubts_of(CASE, AFTER, ()) == ()
    assert doubts_of(CASE, replace(AFTER, taken_at=None, lon=None, lat=None), ()) == ()
    seen_before = replace(AFTER, stage="photo_before", taken_at=OPENED - timedelta(hours=20))
    assert doubts_of(CASE, seen_before, ()) == ()


def test_what_does_not_fit_is_named_with_its_measure() -> None:
    early = replace(AFTER, taken_at=OPENED + timedelta(minutes=50))
    assert doubts_of(CASE, early, ()) == (Doubt(DoubtCode.TAKEN_BEFORE, minutes=10),)
    old = replace(AFTER, stage="photo_before", taken_at=OPENED - timedelta(days=30))
    assert doubts_of(CASE, old, ()) == (Doubt(DoubtCode.TAKEN_BEFORE, minutes=43_200),)
    ahead = replace(AFTER, taken_at=AFTER.uploaded_at + timedelta(hours=8))
    assert doubts_of(CASE, ahead, ()) == (Doubt(DoubtCode.TAKEN_LATER, minutes=480),)
    away = replace(AFTER, lon=110.37)
    (doubt,) = doubts_of(CASE, away, ())
    assert doubt.code is DoubtCode.ELSEWHERE
    assert 1000 < (doubt.metres or 0) < 1100
    again = doubts_of(CASE, away, ("46010720260715000007",))
    assert [d.code for d in again] == [DoubtCode.SAME_FILE, DoubtCode.ELSEWHERE]
    assert again[0].cases == ["46010720260715000007"]
