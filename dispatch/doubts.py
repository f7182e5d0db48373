"""What makes a photo doubtful as evidence of this case: nothing is refused for it, whoever checks
is told. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from city.incident import Doubt, DoubtCode, Evidence, Incident
from city.place import LonLat, distance_m

# Phones show the minute; a photo of the moment of dispatch is no old one.
SLACK = timedelta(minutes=5)
# Whoever reports may have seen it the day before.
SEEN_BEFORE = timedelta(hours=24)
# Phones among high houses are wrong by a hundred metres (proposal).
ELSEWHERE_M = 200.0
WORK_STAGES = frozenset({"photo_after", "check_photo"})


def doubts_of(incident: Incident, file: Evidence, also_in: Sequence[str]) -> tuple[Doubt, ...]:
    """The doubts about one file; `also_in` are the numbers of other cases that hold the same."""
    found = []
    if also_in:
        found.append(Doubt(DoubtCode.SAME_FILE, cases=list(also_in)))
    if file.taken_at is not None:
        earliest = incident.opened_at - SEEN_BEFORE
        if file.stage in WORK_STAGES:
            earliest = (incident.dispatched_at or incident.opened_at) - SLACK
        if file.taken_at < earliest:
            before = incident.dispatched_at if file.stage in WORK_STAGES else incident.opened_at
            minutes = ((before or incident.opened_at) - file.taken_at) / timedelta(minutes=1)
            found.append(Doubt(DoubtCode.TAKEN_BEFORE, minutes=round(minutes)))
        if file.taken_at > file.uploaded_at + SLACK:
            minutes = (file.taken_at - file.uploaded_at) / timedelta(minutes=1)
            found.append(Doubt(DoubtCode.TAKEN_LATER, minutes=round(minutes)))
    if file.lon is not None and file.lat is not None:
        apart = distance_m(incident.at, LonLat(file.lon, file.lat))
        if apart > ELSEWHERE_M:
            found.append(Doubt(DoubtCode.ELSEWHERE, metres=round(apart)))
    return tuple(found)


def with_doubts(
    incident: Incident, files: Sequence[Evidence], also_in: dict[int, list[str]]
) -> tuple[Evidence, ...]:
    """The files of a case, each with its doubts; `also_in` by id of the file."""
    return tuple(
        replace(file, doubts=doubts_of(incident, file, also_in.get(file.id, ()))) for file in files
    )
