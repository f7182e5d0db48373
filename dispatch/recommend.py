"""Which squad to send: a ranking whose every point is explained; a person decides. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta

from city.place import LonLat, distance_m
from city.roster import REST, rest_before
from city.run_card import Send
from city.squad import Recommendation, Squad, Why

# Roads are longer than the straight line; a usual city factor.
DETOUR = 1.3
# Door to door in city traffic.
SPEED_KMH = 25.0
# A position older than this says where the squad was, not where it is.
POSITION_FRESH = timedelta(minutes=15)
# Points: the order of the field is travel time first, then whose grid it is, then workload.
TRAVEL_POINTS, GRID_POINTS, WORKLOAD_POINTS = 50.0, 30.0, 20.0
# At this travel time a squad gets no more points for being near.
FAR_MINUTES = 30.0
# Squads that inspect others' work are not sent to do it (督察中队).
NEVER_SENT = frozenset({"inspection"})
# Nearer than this nobody calls one squad farther than another.
SAME_MINUTES = 1.0


def rank(
    wanted: Send,
    at: LonLat,
    duty_grid: str | None,
    squads: Iterable[Squad],
    now: datetime,
    local_now: datetime,
    lapsed: Mapping[str, date] | None = None,
) -> list[Recommendation]:
    """Squads in the order in which they should be asked; those not eligible come last, and each
    after the first says why not. `lapsed` are people whose certificate of the skill is over."""
    scored = [
        _score(squad, wanted, at, duty_grid, now, local_now, lapsed or {})
        for squad in squads
        if squad.kind not in NEVER_SENT
    ]
    ranked = sorted(scored, key=lambda r: (not r.eligible, -r.score, r.squad))
    if not ranked:
        return []
    first = ranked[0]
    others = [replace(r, why_not=tuple(_why_not(r, first))) for r in ranked[1:]]
    return [replace(first, why_not=tuple(_unfit(first))), *others]


def _score(
    squad: Squad,
    wanted: Send,
    at: LonLat,
    duty_grid: str | None,
    now: datetime,
    local_now: datetime,
    lapsed: Mapping[str, date],
) -> Recommendation:
    on_duty = squad.is_on_duty(local_now)
    duty = squad.duty_at(local_now)
    has_skill = wanted.skill in squad.skills
    over = lapsed.get(duty.person) if duty else None
    of_kind = wanted.kind in ("", squad.kind)
    owns_grid = duty_grid is not None and duty_grid in squad.duty_grids
    distance = distance_m(squad.position, at) if squad.position else None
    minutes = None if distance is None else distance * DETOUR / (SPEED_KMH * 1000 / 60)
    parts = {
        "travel": round(_travel_points(minutes), 1),
        "grid": GRID_POINTS if owns_grid else 0.0,
        "workload": round(WORKLOAD_POINTS / (1 + squad.open_incidents), 1),
    }
    reasons = [*_reasons(squad, on_duty, has_skill, owns_grid, minutes, now)]
    if over is not None:
        reasons.append(
            Why("certificate_expired", f"证书已于{over}到期", f"certificate over {over}")
        )
    if not of_kind:
        reasons.append(
            Why("other_kind", "不是预案要求的队伍类型", "not the kind the run card asks")
        )
    rest = rest_before(squad.roster, local_now) if squad.roster else None
    if rest is not None and rest < REST:
        hours = round(rest / timedelta(hours=1), 1)
        reasons.append(Why("short_rest", f"值班前仅休息{hours:g}小时", f"rested {hours:g} h only"))
    return Recommendation(
        squad=squad.code,
        name_zh=squad.name_zh,
        name_en=squad.name_en,
        kind=squad.kind,
        eligible=on_duty and has_skill and of_kind and over is None,
        score=round(sum(parts.values()), 1),
        parts=parts,
        on_duty=on_duty,
        has_skill=has_skill,
        owns_grid=owns_grid,
        distance_m=None if distance is None else round(distance),
        travel_minutes=None if minutes is None else round(minutes, 1),
        open_incidents=squad.open_incidents,
        reasons=tuple(reasons),
        called=duty.called or duty.person if duty else "",
        phone=duty.phone if duty else "",
    )


def _travel_points(minutes: float | None) -> float:
    if minutes is None:
        return 0.0
    return TRAVEL_POINTS * max(0.0, 1 - minutes / FAR_MINUTES)


def _reasons(
    squad: Squad,
    on_duty: bool,
    has_skill: bool,
    owns_grid: bool,
    minutes: float | None,
    now: datetime,
) -> Iterable[Why]:
    yield (Why("on_duty", "当班", "on duty") if on_duty else Why("off_duty", "不当班", "off duty"))
    if not has_skill:
        yield Why("lacks_skill", "不具备所需专业", "lacks the skill")
    if owns_grid:
        yield Why("owns_grid", "责任网格内", "its own duty grid")
    if minutes is None:
        yield Why("no_position", "位置未知", "position unknown")
    else:
        yield Why("travel", f"约{minutes:.0f}分钟到达", f"about {minutes:.0f} min away")
        if squad.position_at is not None and now - squad.position_at > POSITION_FRESH:
            yield Why("position_old", "位置较旧", "position is old")
    carries = squad.open_incidents
    yield Why("workload", f"在办{carries}件", f"{carries} open")


# Of the reasons those that speak against a squad, whoever else there is.
AGAINST = ("off_duty", "lacks_skill", "certificate_expired", "other_kind", "short_rest",
           "no_position")  # fmt: skip


def _unfit(one: Recommendation) -> Iterator[Why]:
    return (why for why in one.reasons if why.code in AGAINST)


def _why_not(one: Recommendation, first: Recommendation) -> Iterator[Why]:
    """What speaks against a squad, and what the first one has before it."""
    yield from _unfit(one)
    if one.travel_minutes is not None and first.travel_minutes is not None:
        farther = one.travel_minutes - first.travel_minutes
        if farther >= SAME_MINUTES:
            yield Why("farther", f"远{farther:.0f}分钟", f"{farther:.0f} min farther")
    if first.owns_grid and not one.owns_grid:
        yield Why("other_grid", "不是本责任网格", "not its duty grid")
    more = one.open_incidents - first.open_incidents
    if more > 0:
        yield Why("more_load", f"多在办{more}件", f"{more} more open")
