"""The lamps of a district as they are now: street by street and cabinet by cabinet."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from city.lamp_due import DueLamps
from city.lamp_programme import night_around
from city.lighting import FollowingLamp, LampGroup, LampPicture, TargetKind
from city.place import LonLat
from city.scope import Scope
from city.sun import is_dark
from db import lamp_states
from db.lamp_programmes import load_followed
from db.lamp_states import LampNow
from db.pool import Connection
from lighting.lit_rate import FRESH_INTERVALS, LampState, Said, state_of


@dataclass(frozen=True, slots=True)
class _Seen:
    lamp: LampNow
    state: LampState
    due: bool
    programme: str
    level: int | None


def build_picture(conn: Connection, scope: Scope, now: datetime) -> LampPicture:
    """All lamps in service within; those without a street or cabinet stand under an empty code."""
    lamps = lamp_states.list_lamps_now(conn, scope)
    followed = load_followed(conn, scope.district)
    off = lamp_states.list_switched_off(conn, scope.district, now - timedelta(days=1), now)
    due = DueLamps(followed, off)
    seen = [see(lamp, due, now) for lamp in lamps]
    middle = _middle(lamps)
    sun_up = not is_dark(now, middle)
    # By day the night to come, by night the one that it is.
    day = (now - timedelta(hours=12) + timedelta(hours=middle.lon / 15)).date()
    around = night_around(middle, day, followed.calendar.timezone) if lamps else None
    if around and now >= around[1]:
        around = night_around(middle, day + timedelta(days=1), followed.calendar.timezone)
    return LampPicture(
        now, sun_up, around[0] if around else None, around[1] if around else None,
        _group("", "", "", seen),
        _groups(TargetKind.STREET, seen, lambda lamp: (lamp.street, lamp.street_name)),
        _groups(TargetKind.CABINET, seen, lambda lamp: (lamp.cabinet, lamp.cabinet)),
    )  # fmt: skip


def see(lamp: LampNow, due: DueLamps, now: datetime) -> _Seen:
    """One lamp by its newest values, as far as they are fresh."""
    fresh = timedelta(seconds=FRESH_INTERVALS * lamp.report_interval_s)
    heard = lamp.heard_at is not None and now - lamp.heard_at <= fresh
    said = Said(lamp.lamp_on, lamp.power_w, lamp.dim_pct) if heard else None
    who = FollowingLamp(lamp.id, lamp.code, lamp.cabinet, lamp.street, lamp.lon, lamp.lat)
    wanted = due.of(who, now)
    return _Seen(
        lamp, state_of(said, lamp.rated_power_w), due.is_due(who, now), wanted.programme,
        wanted.level,
    )  # fmt: skip


def _groups(
    kind: TargetKind, seen: Sequence[_Seen], key: Callable[[LampNow], tuple[str, str]]
) -> list[LampGroup]:
    found: Mapping[tuple[str, str], list[_Seen]] = defaultdict(list)
    for each in seen:
        found[key(each.lamp)].append(each)
    return [_group(kind.value, *names, members) for names, members in sorted(found.items())]


def _group(kind: str, code: str, name: str, seen: Sequence[_Seen]) -> LampGroup:
    due = [each for each in seen if each.due]
    programmes = {each.programme for each in seen}
    levels = {each.level for each in seen}
    middle = _middle([each.lamp for each in seen])
    streets = {each.lamp.street_name for each in seen}

    def count(state: LampState) -> int:
        return sum(each.state is state for each in due)

    return LampGroup(
        kind=kind,
        code=code,
        name=name,
        street=", ".join(sorted(streets)) if len(streets) <= 2 else "",
        lamps=len(seen),
        due=len(due),
        lit=count(LampState.LIT),
        dark=count(LampState.DARK),
        unknown=count(LampState.UNKNOWN),
        burning=sum(each.state is LampState.LIT and not each.due for each in seen),
        silent=sum(each.state is LampState.UNKNOWN for each in seen),
        commanded=sum(each.lamp.command_state is not None for each in seen),
        programme=programmes.pop() if len(programmes) == 1 else "",
        level=levels.pop() if len(levels) == 1 else None,
        lon=middle.lon,
        lat=middle.lat,
    )


def _middle(lamps: Sequence[LampNow]) -> LonLat:
    if not lamps:
        return LonLat(0.0, 0.0)
    return LonLat(
        sum(lamp.lon for lamp in lamps) / len(lamps), sum(lamp.lat for lamp in lamps) / len(lamps)
    )
