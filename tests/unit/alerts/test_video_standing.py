"""Which video events a person has to see, how often cameras were right, what may be the same."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from alerts.rule_files import parse_rule
from alerts.video.precision import measure, wilson_lower
from alerts.video.similar import rank_similar
from alerts.video.standing import Standing, judge_standing, stay_of
from alerts.video.types import type_names
from alerts.video.verdicts import VideoRule, rule_for
from alerts.watch.video import may_file
from city.area import Area, AreaKind, parse_hours
from city.errors import InvalidInput
from city.place import LonLat
from city.video import LookedEvent, Near, VideoLimit
from db.rules import default_texts

T0 = datetime(2026, 11, 30, 0, 0, tzinfo=UTC)  # Monday, 08:00 in the city
ZONE = ZoneInfo("Asia/Shanghai")
HAWKER = LookedEvent(
    camera_id=1,
    camera="CAM-1",
    event_id="e1",
    type="hawker",
    phase="update",
    start_at=T0,
    end_at=None,
    seen_until=T0 + timedelta(minutes=4),
    confidence=0.8,
    lon=110.35,
    lat=20.0,
    standing="new",
    held_why="",
    held_area="",
)
STALLS = Area(
    "S",
    AreaKind.STALLS,
    "早市",
    "Morning market",
    centre=(110.35, 20.0),
    radius_m=50,
    classes=("hawker",),
    hours=parse_hours("06:00-09:00"),
)
IMPORTANT = Area("P", AreaKind.IMPORTANT, "学校", "School", centre=(110.35, 20.0), radius_m=50)


def judge(
    event: LookedEvent,
    *limits: VideoLimit,
    areas: tuple[Area, ...] = (),
    now: datetime = T0 + timedelta(minutes=4),
) -> Standing:
    return judge_standing(event, limits, areas, ZONE, now)


def standing(event: LookedEvent, *limits: VideoLimit, **more: object) -> tuple[str, str]:
    found = judge(event, *limits, **more)  # type: ignore[arg-type]
    return found.standing, found.why


def test_an_event_is_shown_once_it_is_sure_enough_and_has_stayed() -> None:
    assert standing(HAWKER) == ("review", "")
    assert standing(replace(HAWKER, confidence=0.2)) == ("held", "low_confidence")
    assert standing(replace(HAWKER, confidence=None)) == ("review", "")
    short = replace(HAWKER, seen_until=T0 + timedelta(seconds=90))
    assert standing(short) == ("stay", "")
    assert standing(replace(short, phase="end", end_at=short.seen_until)) == ("held", "short_stay")
    assert standing(replace(HAWKER, type="car")) == ("held", "no_category")
    assert standing(replace(HAWKER, type="Mobile-Vendor")) == ("review", "")


def test_a_camera_that_says_nothing_more_goes_on_seeing_it_until_it_is_long_enough() -> None:
    new = replace(HAWKER, phase="new", seen_until=T0)
    found = judge(new, now=T0 + timedelta(seconds=30))
    assert (found.standing, found.look_at) == ("stay", T0 + timedelta(seconds=180))
    assert judge(new, now=T0 + timedelta(seconds=180)).standing == "review"
    # One that repeats itself and has fallen silent does not.
    silent = replace(new, phase="update", seen_until=T0 + timedelta(seconds=60))
    assert stay_of(silent, T0 + timedelta(hours=1)) == timedelta(seconds=60)
    # Closed by the time limit: the quarter of an hour that was waited for is no stay.
    closed = replace(silent, phase="end", end_at=T0 + timedelta(minutes=16))
    assert standing(closed, now=T0 + timedelta(minutes=20)) == ("held", "short_stay")


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ([VideoLimit("", "", 0.9, None)], "held"),
        ([VideoLimit("", "", 0.9, None), VideoLimit("hawker", "", 0.5, None)], "review"),
        ([VideoLimit("hawker", "", 0.5, None), VideoLimit("", "CAM-1", 0.9, None)], "held"),
        ([VideoLimit("", "CAM-1", 0.9, None), VideoLimit("hawker", "CAM-1", 0.5, None)], "review"),
        ([VideoLimit("", "CAM-2", 0.9, None), VideoLimit("outstore", "", 0.9, None)], "review"),
        ([VideoLimit("hawker", "CAM-1", None, 600)], "stay"),
        # What the special row does not say, the general one does.
        ([VideoLimit("hawker", "CAM-1", 0.5, None), VideoLimit("", "", 0.9, 600)], "stay"),
    ],
)
def test_the_most_special_limit_counts(limits: list[VideoLimit], expected: str) -> None:
    assert judge(HAWKER, *limits).standing == expected


def test_a_permitted_area_keeps_its_own_class_back_in_its_own_hours() -> None:
    found = judge(HAWKER, areas=(STALLS,))
    assert (found.standing, found.why, found.area) == ("held", "permitted", "S")
    assert standing(replace(HAWKER, type="illegal_parking"), areas=(STALLS,))[0] == "stay"
    elsewhere = replace(HAWKER, lon=110.36)
    assert standing(elsewhere, areas=(STALLS,)) == ("review", "")
    # Whoever is still there when the market is over has to go.
    late = replace(HAWKER, seen_until=T0 + timedelta(minutes=61))
    assert standing(late, areas=(STALLS,), now=T0 + timedelta(minutes=62)) == ("review", "")


def test_important_places_come_first_and_what_is_shown_stays_shown() -> None:
    assert judge(HAWKER, areas=(IMPORTANT,)).priority > judge(HAWKER).priority
    water = replace(HAWKER, type="water_gather")
    assert judge(HAWKER, areas=(IMPORTANT,)).priority > judge(water).priority
    assert judge(water).priority > judge(HAWKER).priority
    shown = replace(HAWKER, standing="review", confidence=0.1)
    assert judge(shown, areas=(STALLS,)).standing == "review"


def test_wilsons_lower_bound_of_known_tables() -> None:
    assert wilson_lower(0, 0) == 0.0
    assert wilson_lower(0, 10) == 0.0
    assert wilson_lower(10, 10) == pytest.approx(0.7225, abs=1e-4)
    assert wilson_lower(81, 263) == pytest.approx(0.2553, abs=1e-4)  # Newcombe 1998, method 3
    assert wilson_lower(15, 148) == pytest.approx(0.0624, abs=1e-4)


def test_verdicts_are_counted_by_camera_and_class_under_all_its_names() -> None:
    counts = [
        ("CAM-1", "North", "hawker", "confirmed", "", 6),
        ("CAM-1", "North", "Mobile-Vendor", "merged", "", 2),
        ("CAM-1", "North", "hawker", "dismissed", "nothing_there", 2),
        ("CAM-1", "North", "hawker", "dismissed", "permitted", 5),
        ("CAM-1", "North", "hawker", "dismissed", "", 1),
        ("CAM-2", "South", "hawker", "dismissed", "unclear", 1),
    ]
    first, second = measure(counts)
    assert (first.camera, first.type, first.right, first.wrong) == ("CAM-1", "hawker", 8, 3)
    assert (first.neither, first.judged) == (5, 11)
    assert first.reasons == {"nothing_there": 2, "permitted": 5, "": 1}
    assert (second.judged, second.ratio, second.lower) == (0, None, 0.0)


def rule(**fields: object) -> VideoRule:
    text = next(t for name, t in default_texts().items() if "video-confirmed" in name)
    lines = "\n".join(f"{name} = {value}" for name, value in fields.items())
    found = parse_rule(text.replace("[[level]]", f"{lines}\n\n[[level]]"))
    assert isinstance(found, VideoRule)
    return found


def test_a_rule_files_by_itself_only_above_its_precision_with_enough_verdicts() -> None:
    (enough,) = measure([("CAM-1", "", "hawker", "confirmed", "", 200)])
    (few,) = measure([("CAM-1", "", "hawker", "confirmed", "", 49)])
    filing = rule(auto_file_min_precision=0.9, auto_file_min_verdicts=50)
    assert may_file(filing, enough)
    assert not may_file(filing, few)
    (worse,) = measure(
        [("CAM-1", "", "hawker", "confirmed", "", 91), ("CAM-1", "", "hawker", "dismissed", "", 9)]
    )
    assert worse.ratio == pytest.approx(0.91)
    assert not may_file(filing, worse)  # the lower bound counts
    assert not may_file(rule(), enough)


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"auto_file_min_precision": 0.9}, "auto_file_min_verdicts"),
        ({"auto_file_min_verdicts": 50}, "auto_file_min_precision"),
        ({"auto_file_min_precision": 0.2, "auto_file_min_verdicts": 50}, "0.2"),
        ({"auto_file_min_precision": 0.9, "auto_file_min_verdicts": 3}, "3"),
        ({"types": '["hawker", "dragon"]'}, "dragon"),
        ({"snapshot_then": '"keep"'}, "keep"),
    ],
)
def test_a_video_rule_that_makes_no_sense_is_refused(fields: dict[str, object], named: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        rule(**fields)
    assert named in str(caught.value)


def test_the_rule_that_names_a_type_comes_before_the_one_that_names_none() -> None:
    general, special = rule(), replace(rule(types='["hawker"]'), code="hawkers")
    assert rule_for([general, special], "vendor", None) is special
    assert rule_for([general, special], "outstore", None) is general
    assert rule_for([special], "outstore", None) is None
    assert "hawker" in type_names()


def test_the_same_within_fifty_metres_and_a_day_the_open_case_first() -> None:
    def near(subject: str, metres: float, hours: float, *, is_open: bool = False) -> Near:
        at = T0 + timedelta(hours=hours)
        return Near(subject, "", "CAM-2", at, 110.35, 20.0 + metres / 111_195, is_open)

    found = rank_similar(
        LonLat(110.35, 20.0),
        T0,
        [
            near("video:a", 10, 1),
            near("video:b", 49, -23),
            near("video:c", 51, 1),
            near("video:d", 5, 25),
            near("incident:7", 40, 2, is_open=True),
        ],
    )
    assert [one.subject for one in found] == ["incident:7", "video:a", "video:b"]
    assert [one.distance_m for one in found] == [40, 10, 49]
