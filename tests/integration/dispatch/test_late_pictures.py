"""Pictures of a video event belong to the case that it opened, whenever they come."""

from __future__ import annotations

import hashlib

import pytest

from city.incident import Action, IncidentState
from db import evidence, video_snapshots
from dispatch import steps
from tests.integration.dispatch.town import DISPATCHER, DISTRICT, City, photo

EVENT = "e/1"


@pytest.fixture
def camera(town: City) -> int:
    """A camera with an event that a person has confirmed."""
    row = town.conn.execute(
        """
        INSERT INTO device (code, district, kind, name, lon, lat, report_interval_s, created_at)
        VALUES ('CAM-X', %s, 'camera', 'CAM-X', 110.36, 20.0, 60, %s) RETURNING id
        """,
        (DISTRICT, town.now),
    ).fetchone()
    assert row is not None
    town.conn.execute(
        """
        INSERT INTO video_event (camera_id, event_id, district, type, phase, start_at, received_at,
                                 end_due_at,
                                 review)
        VALUES (%s, %s, %s, 'hawker', 'new', %s, %s, %s, 'confirmed')
        """,
        (row[0], EVENT, DISTRICT, town.now, town.now, town.now),
    )
    return int(row[0])


def hand_over(town: City, camera: int, *, url: str = "", content: bytes | None = None) -> None:
    video_snapshots.hand_over(town.conn, camera, EVENT, DISTRICT, url, content, town.now)


def bring(town: City, content: bytes) -> int:
    """What the taker of pictures does; answers how many waited."""
    waiting = video_snapshots.claim_due(town.conn, town.now, town.now, (), 9)
    for one in waiting:
        video_snapshots.store(
            town.conn,
            one.camera_id,
            one.event_id,
            media_type="image/jpeg",
            width=8,
            height=8,
            sha256=hashlib.sha256(content).digest(),
            content=content,
            now=town.now,
            forget_at=None,
            number=one.number,
        )
    return len(waiting)


def confirmed(town: City, camera: int) -> int:
    return town.new_filed(condition=f"video/CAM-X/{EVENT}", category="0123", device_id=camera)


def files(town: City, incident_id: int) -> list[str]:
    return [file.filename for file in evidence.list_evidence(town.conn, incident_id)]


def take_late(town: City) -> int:
    taken = 0
    while steps.take_late_picture(town.conn, town.now):
        taken += 1
    return taken


def test_a_picture_that_is_there_is_the_first_evidence(town: City, camera: int) -> None:
    hand_over(town, camera, url="http://cam/1.jpg")
    bring(town, photo(1))
    assert take_late(town) == 0  # no case yet
    case = confirmed(town, camera)
    assert files(town, case) == ["CAM-X.jpeg"]
    assert take_late(town) == 0


@pytest.mark.parametrize("known_before", [True, False])
def test_a_picture_that_comes_late_is_added(town: City, camera: int, known_before: bool) -> None:
    if known_before:
        hand_over(town, camera, url="http://cam/1.jpg")
    case = confirmed(town, camera)
    if not known_before:
        hand_over(town, camera, url="http://cam/1.jpg")
    assert (files(town, case), take_late(town)) == ([], 0)
    town.later(minutes=3)
    bring(town, photo(1))
    assert take_late(town) == 1
    assert files(town, case) == ["CAM-X.jpeg"]
    assert town.events_of(case)[-1] == "incident.evidence_added"


def test_other_pictures_of_the_camera_are_added_up_to_a_few(town: City, camera: int) -> None:
    hand_over(town, camera, url="http://cam/1.jpg")
    bring(town, photo(0))
    hand_over(town, camera, url="http://cam/early.jpg")
    assert bring(town, photo(9)) == 0  # before the case the first one stays
    case = confirmed(town, camera)
    for number in range(1, 6):
        hand_over(town, camera, url="http://cam/1.jpg")  # the same once more
        hand_over(town, camera, content=photo(0))
        hand_over(town, camera, url=f"http://cam/more-{number}.jpg")
        assert bring(town, photo(number)) == (number <= video_snapshots.LATER_MOST)
    assert take_late(town) == video_snapshots.LATER_MOST
    assert files(town, case) == ["CAM-X.jpeg", "CAM-X-2.jpeg", "CAM-X-3.jpeg", "CAM-X-4.jpeg"]
    shown = video_snapshots.find_stored(town.conn, DISTRICT, camera, EVENT)
    assert shown is not None
    assert shown.content == photo(0)  # the review goes on seeing the first


def test_a_case_that_is_over_takes_none_and_a_merged_one_hands_it_on(
    town: City, camera: int
) -> None:
    case = confirmed(town, camera)
    other = town.new_filed(condition="cover/9", category="0123", lat=20.2)
    town.do(DISPATCHER, case, Action.MERGE, into=other, reason="one matter")
    hand_over(town, camera, url="http://cam/1.jpg")
    bring(town, photo(1))
    assert take_late(town) == 1
    assert (files(town, case), files(town, other)) == ([], ["CAM-X.jpeg"])
    town.conn.execute("UPDATE alarm SET state = 'normal', ended_at = %s", (town.now,))
    done = town.do(DISPATCHER, other, Action.CANCEL, reason="nothing there")
    assert done.state is IncidentState.CANCELLED
    hand_over(town, camera, url="http://cam/2.jpg")
    bring(town, photo(2))
    assert take_late(town) == 1
    assert take_late(town) == 0
    assert files(town, other) == ["CAM-X.jpeg"]
    town.conn.execute("UPDATE incident SET state = 'closed' WHERE id = %s", (case,))
    video_snapshots.forget_cases(town.conn)
    assert town.conn.execute("SELECT count(*) FROM video_case").fetchone() == (0,)


def test_a_picture_that_cannot_be_added_holds_up_nobody(town: City, camera: int) -> None:
    hand_over(town, camera, url="http://cam/1.jpg")
    case = confirmed(town, camera)
    bring(town, photo(1))
    town.conn.execute("ALTER TABLE evidence ADD CHECK (filename <> 'CAM-X.jpeg')")
    assert take_late(town) == 1
    hand_over(town, camera, url="http://cam/2.jpg")
    bring(town, photo(2))
    assert take_late(town) == 1
    assert files(town, case) == ["CAM-X-2.jpeg"]
